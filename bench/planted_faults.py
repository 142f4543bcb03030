"""Plant faults in a copy of the package, one at a time, and see whether the tests find them.

    python -m bench.planted_faults             all of them, a row each
    python -m bench.planted_faults checker     those whose name begins so
    python -m bench.planted_faults --none      the same tests with no fault: all must pass

A fault is one line of the checker, of a bound, of a model or of a reader made wrong. It is *found*
where a test of the files named beside it fails; the row names the first that does. The tests run on
a copy of the tree, so the tree itself is never touched. Exits with 1 where a fault is not found or
could no longer be planted.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

LIMIT_S = 900
"""Seconds that the tests of one fault may take."""

NOT_JUDGED = "not seconds"
"""Tests that measure time may fail on a busy machine, and would seem to have found something."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A text of the package that stands there once, what takes its place, and who should see it."""

    name: str
    right: str
    wrong: str
    tests: tuple[str, ...]
    """Files below ``tests/``, the fastest first: the run ends with the first failure."""


CHECKER = ("unit/verify/test_schedule.py", "property/test_verify_against_ticks.py")
STREAM_CHECKER = ("unit/verify/test_steady.py", "unit/steady/program/test_fleet.py")
PERIOD_CHECKER = ("unit/verify/test_periods.py",)
INVESTMENT = ("unit/steady/program/test_investment.py",)
TWO_WAYS = ("property/test_evaluate_against_verify.py",)
SCHEDULE = (
    "unit/schedule/cpsat/test_model.py",
    "unit/schedule/test_bugs.py",
    "property/test_schedule_oracle.py",
)
BOUNDS = (
    "unit/schedule/bounds/test_heads_and_tails.py",
    "unit/schedule/bounds/test_objective_bounds.py",
    "property/test_heads_against_plans.py",
)
LOAD_BOUND = (
    "unit/schedule/bounds/test_objective_bounds.py",
    "unit/schedule/bounds/test_rounding.py",
    "property/test_schedule_oracle.py",
)
STREAMS = ("unit/steady/program/test_formulation.py", "property/test_steady_oracle.py")

FAULTS = (
    Fault(
        "checker: release",
        "usable & scale.under(times.start, times.release[job])",
        "usable & scale.under(times.end, times.release[job])",
        CHECKER,
    ),
    Fault(
        "checker: horizon",
        "usable & scale.over(times.end, np.repeat(times.horizon, len(tasks)))",
        "usable & scale.over(times.start, np.repeat(times.horizon, len(tasks)))",
        CHECKER,
    ),
    Fault(
        "checker: precedence",
        "scale.under(times.start[edges.dst], times.end[edges.src])",
        "scale.under(times.start[edges.dst], times.start[edges.src])",
        CHECKER,
    ),
    Fault(
        "checker: apart",
        "other = seen.setdefault(int(place[task]), int(task))",
        "other = seen.setdefault(int(task), int(task))",
        CHECKER,
    ),
    Fault(
        "checker: slots of transfers",
        "out = np.flatnonzero(~overlap[placed.device[place]] & (moves.leg != READ))",
        "out = np.flatnonzero(overlap[placed.device[place]] & (moves.leg != READ))",
        CHECKER,
    ),
    Fault(
        "checker: weights once",
        "wide = int(key.max(initial=0)) + 1\n    pairs, sample",
        "key = key * 0\n    wide = int(key.max(initial=0)) + 1\n    pairs, sample",
        CHECKER,
    ),
    Fault(
        "checker: idle of units",
        "return np.where(devices.off_when_unused, used, had), had",
        "return np.where(devices.off_when_unused, had, had), had",
        CHECKER,
    ),
    Fault(
        "checker: money of units",
        '"cost": (math.fsum(devices.price_per_s * had) + math.fsum(',
        '"cost": (math.fsum(devices.price_per_s * on) + math.fsum(',
        TWO_WAYS,
    ),
    Fault(
        "checker: capacity of a unit",
        "return number(devices.max_utilization[device]) * free * int(devices.slots[device])",
        "return number(devices.max_utilization[device]) * int(devices.slots[device])",
        STREAM_CHECKER,
    ),
    Fault(
        "checker: spares",
        "(devices.off_when_unused & (on + devices.spare > had))",
        "(devices.off_when_unused & (on > had))",
        STREAM_CHECKER,
    ),
    Fault(
        "checker: share of a kind",
        "if exceeds(share, most) or exceeds(-share, -least):",
        "if exceeds(share, most) and exceeds(-share, -least):",
        STREAM_CHECKER,
    ),
    Fault(
        "checker: least time on",
        "            if went > now:",
        "            if went > now + 1:",
        PERIOD_CHECKER,
    ),
    Fault(
        "checker: units bought stay",
        "            if units < was:",
        "            if units < 0:",
        INVESTMENT,
    ),
    Fault(
        "model: units bought stay",
        'self._row(sum_of([(self.owned[s - 1, d], 1.0)]) <= more, f"stays_{s}_{d}")',
        'self._row(sum_of([(self.owned[s - 1, d], 0.5)]) <= more, f"stays_{s}_{d}")',
        INVESTMENT,
    ),
    Fault(
        "evaluate: money of later periods",
        "return np.asarray((1.0 + periods.discount_rate) ** (-time_s / YEAR_S))",
        "return np.asarray((1.0 + periods.discount_rate) ** (-time_s / YEAR_S / 2))",
        INVESTMENT,
    ),
    Fault(
        "checker: changes of periods",
        "if most >= 0 and switched + loaded > most:",
        "if most >= 0 and switched > most:",
        PERIOD_CHECKER,
    ),
    Fault(
        "bound: loads of periods",
        "lists.all() if every else lists.maximal()",
        "lists.all() if pooled else lists.maximal()",
        ("property/test_period_oracle.py",),
    ),
    Fault(
        "bound: heads count slots",
        "return float(((work + idle) / np.arange(1, most + 1)).min(initial=np.inf))",
        "return float(((work + idle) / np.arange(1, most + 1)).max(initial=0.0))",
        BOUNDS,
    ),
    Fault(
        "bound: ends from both sides",
        "return last - _Sweep(instance, length, forward=False).starts(last - deadline)[0]",
        "return last - _Sweep(instance, length, forward=False).starts(deadline)[0]",
        (*BOUNDS, "property/test_schedule_oracle.py"),
    ),
    Fault(
        "bound: branching on units",
        "for a, b in ((least[device], middle), (middle + 1, most[device])):",
        "for a, b in ((middle + 1, most[device]), (middle + 1, most[device])):",
        LOAD_BOUND,
    ),
    Fault(
        "bound: capacity of the makespan",
        "total = float((prices[open_] * load.capacity[open_]).sum())",
        "total = float((prices[open_] * load.capacity[open_]).max())",
        LOAD_BOUND,
    ),
    Fault(
        "model: edges",
        "build.model.add(build.start[after] >= build.end[before])",
        "build.model.add(build.start[after] >= build.start[before])",
        SCHEDULE,
    ),
    Fault(
        "model: pairs without a path",
        "model.add_bool_or(here.negated(), there.negated())",
        "pass",
        SCHEDULE,
    ),
    Fault(
        "model: weights resident",
        "model.add_implication(literal, resident)",
        "pass",
        SCHEDULE,
    ),
    Fault(
        "model: outputs stay",
        "model.add(until >= build.end[consumer]).only_enforce_if(",
        "model.add(until >= build.start[consumer]).only_enforce_if(",
        SCHEDULE,
    ),
    Fault(
        "model: slots of merged units",
        "model.add_cumulative(intervals, [1] * len(intervals), slots * units)",
        "model.add_cumulative(intervals, [1] * len(intervals), slots)",
        SCHEDULE,
    ),
    Fault(
        "model: merging with messages",
        "and not (limited[d] or touched[d] or asleep[d])",
        "and not (limited[d] or asleep[d])",
        SCHEDULE,
    ),
    Fault(
        "model: demand of streams",
        'model.add_row(served == model.theta, f"demand_{job}")',
        'model.add_row(served * 2 >= model.theta, f"demand_{job}")',
        STREAMS,
    ),
    Fault(
        "model: one price for power and carbon",
        'watts = bool(np.isfinite(limits.power_cap_w)) or "power" in names or "carbon" in names',
        'watts = bool(np.isfinite(limits.power_cap_w)) or "power" in names',
        STREAMS,
    ),
    Fault(
        "model: unnamed units",
        "single = len(kinds) == 1 and self.kinds[kinds[0]].unit < 0",
        "single = len(kinds) == 1",
        STREAMS,
    ),
    Fault(
        "answer: status of a gap",
        "closed = all(_closed(v, b, GAP_TOLERANCE) for v, b in zip(values, bounds, strict=True))",
        "closed = any(_closed(v, 0.5 * b, 0.6) for v, b in zip(values, bounds, strict=True))",
        ("unit/test_solve.py", "property/test_schedule_oracle.py"),
    ),
    Fault(
        "answer: what is checked",
        "report = verify(instance, plan, dict(zip(instance.objective, values, strict=True)))",
        "report = verify(instance, plan)",
        ("unit/test_solve.py",),
    ),
    Fault(
        "reader: lines of a job shop",
        "after = np.flatnonzero(place > 0)",
        "after = np.flatnonzero(place > 1)",
        ("unit/formats/literature/test_benchmark_formats.py",),
    ),
    Fault(
        "reader: idle of a power",
        "np.append(np.where(devices.idle_known, devices.idle_power_w + carried, 0.0), 0.0)",
        "np.append(np.where(devices.idle_known, 0.0, devices.idle_power_w + carried), 0.0)",
        ("unit/formats/native/test_document.py", "unit/compile/test_to_columns.py"),
    ),
    Fault(
        "reader: unit of a plan",
        "columns, task = sound[1:], sound[0]",
        "columns, task = sound[1:], np.sort(sound[0])",
        ("unit/formats/plans/test_plans.py", "property/test_round_trips.py"),
    ),
    Fault(
        "comparison: proven gain",
        "proven=_gain(name, ours.objective, bound),",
        "proven=_gain(name, ours.bound, solution.objective),",
        ("unit/analysis/test_gain.py", "unit/analysis/test_compare.py"),
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Plant the faults, print a row each, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.planted_faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="beginnings of names; all faults by default")
    parser.add_argument("--none", action="store_true", help="run their tests with no fault")
    parsed = parser.parse_args(arguments)
    faults = [fault for fault in FAULTS if fault.name.startswith(tuple(parsed.names) or ("",))]
    if not faults:
        parser.error("no fault has such a name")
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "site", ".hypothesis")
        shutil.copytree(ROOT, tree, ignore=ignored)
        if parsed.none:
            files = list(dict.fromkeys(test for fault in faults for test in fault.tests))
            failed = first_failure(tree, files)
            print(f"{len(files)} test files with no fault: {failed or 'all pass'}")
            return 1 if failed else 0
        found = sum(judged(fault, tree) for fault in faults)
    print(f"{found} of {len(faults)} found")
    return 0 if found == len(faults) else 1


def judged(fault: Fault, tree: Path) -> bool:
    """Plant a fault in a tree, run its tests, take it out again, print a row; say if found."""
    began = time.monotonic()
    places = standing(fault, tree)
    if len(places) != 1:
        print(f"{fault.name:40} stands in {len(places)} places: {', '.join(map(str, places))}")
        return False
    # What is compiled stays in the tree from fault to fault, and follows a source that changes.
    text = places[0].read_text(encoding="utf-8")
    places[0].write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
    try:
        by = first_failure(tree, fault.tests)
    finally:
        places[0].write_text(text, encoding="utf-8")
    verdict = "found by" if by else "not found"
    print(f"{fault.name:40} {time.monotonic() - began:4.0f} s  {verdict} {by}".rstrip(), flush=True)
    return bool(by)


def standing(fault: Fault, tree: Path) -> list[Path]:
    """Return the files of a tree's package in which the right text stands, once for each time."""
    return [
        path
        for path in sorted((tree / "hetopt").rglob("*.py"))
        for _ in range(path.read_text(encoding="utf-8").count(fault.right))
    ]


def first_failure(tree: Path, tests: tuple[str, ...] | list[str]) -> str:
    """Run test files of a tree up to the first failure; return the test that failed, if any.

    Raises
    ------
    RuntimeError
        Where the tests could not be run, which says nothing of a fault.
    """
    shared = os.environ.get("HETOPT_SHARED") or str(ROOT.parent / "shared")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", NOT_JUDGED]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *(f"tests/{name}" for name in tests)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "HETOPT_SHARED": shared},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    failed = re.search(r"^(?:FAILED|ERROR) tests/(\S+::.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if failed:
        return failed[1]
    if done.returncode:
        raise RuntimeError(
            f"The tests could not be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
