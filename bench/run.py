"""Run cases, each in a process of its own, and write a row for every run.

Solvers alternate: for each case and seed every solver runs once, in an order that turns from one
to the next, so that a machine that slows down or speeds up favours none of them.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.cases import REPO, Case
from bench.machine import commit, load, machine, versions
from bench.peers.command import is_command, title
from bench.peers.environments import ortools_path
from bench.rows import Table, key_of
from hetopt.runtime.executors.loop import in_order, silent
from hetopt.version import __version__

GRACE_S = 120.0
"""Time beyond the limit for starting, reading and checking; a run that takes longer is ended."""
POLL_S = 0.02
KIB_PER_MB = 1024.0 if sys.platform != "darwin" else 1024.0**2
"""``ru_maxrss`` counts KiB on Linux and bytes on macOS."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: solvers on cases, and under which limits."""

    cases: Sequence[Case]
    solvers: Sequence[str]
    seeds: int
    time_limit_s: float
    workers: int
    command: str = ""


def select(cases: Sequence[Case], patterns: str = "", limit: int | None = None) -> list[Case]:
    """Choose cases whose instance fits one of the patterns, evenly spaced down to the limit.

    Parameters
    ----------
    patterns
        Shell patterns (``mk*``), separated by commas; a pattern without ``/`` is also held
        against the last part of the instance's name. Empty: all.
    limit
        Most cases to keep.
    """
    wanted = [p for p in patterns.split(",") if p]
    found = [c for c in cases if not wanted or any(_fits(c.instance, p) for p in wanted)]
    if limit is None or len(found) <= limit:
        return found
    return [found[i * len(found) // limit] for i in range(limit)]


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.rsplit("/", 1)[-1], pattern)


def run(
    plan: Plan,
    path: Path,
    *,
    retry_errors: bool = False,
    jobs_at_once: int = 1,
    executor: Executor | None = None,
    until: float = math.inf,
) -> list[dict[str, Any]]:
    """Run what the table does not have yet; return the new rows.

    A case that crashes, or takes far longer than its limit, makes a row with status ``error``. Runs
    beside each other (each is a process of its own) take time from each other.

    Parameters
    ----------
    jobs_at_once
        Runs at a time on this machine.
    executor
        Where runs are started instead; a checkout stands at the same place there.
    until
        No run begins whose limit ends after this (`time.monotonic`).

    Raises
    ------
    ValueError
        If the file is there and is no table of results.
    """
    table = Table(path)
    if retry_errors:
        table.drop_errors()
    done = table.done()
    jobs = [job for job in _jobs(plan) if key_of(_key(*job, plan)) not in done]
    skipped = len(plan.cases) * plan.seeds * len(plan.solvers) - len(jobs)
    if skipped:
        _say(f"{skipped} runs are in {path} already.")
    new: list[dict[str, Any]] = []
    found = _rows(jobs, plan, jobs_at_once)
    if executor is not None:
        asked = {str(k): (*job, plan) for k, job in enumerate(jobs)}
        rows = in_order(executor, _row_elsewhere, asked, threading.Event(), silent)
        found = (row for _, row in rows)
    while len(new) < len(jobs) and time.monotonic() + plan.time_limit_s <= until:
        row = next(found)
        table.add(row)
        new.append(row)
        _say(f"[{len(new)}/{len(jobs)}] {_summary(row)}")
    return new


def _rows(
    jobs: Sequence[tuple[Case, str, int]], plan: Plan, at_once: int
) -> Iterator[dict[str, Any]]:
    """Yield the row of each job in their order; whoever stops asking ends what runs."""
    _ending.clear()
    if at_once == 1:
        for job in jobs:
            yield _row(*job, plan)
        return
    with ThreadPoolExecutor(at_once) as threads:
        rows = [threads.submit(_row, *job, plan) for job in jobs]
        try:
            for row in rows:
                yield row.result()
        finally:
            _ending.set()
            for row in rows:
                row.cancel()


def _row_elsewhere(asked: tuple[Case, str, int, Plan], stop: threading.Event) -> dict[str, Any]:
    """Run a job where an executor does; its process ends by itself, at its limit at the latest."""
    if stop.is_set():
        _ending.set()
    return _row(*asked)


_ending = threading.Event()
"""Set when children that other threads wait for shall end."""


def _jobs(plan: Plan) -> Iterable[tuple[Case, str, int]]:
    turn = 0
    for case in plan.cases:
        for seed in range(plan.seeds):
            for k in range(len(plan.solvers)):
                yield case, plan.solvers[(k + turn) % len(plan.solvers)], seed
            turn += 1


def _key(case: Case, solver: str, seed: int, plan: Plan) -> dict[str, Any]:
    return {
        "family": case.family,
        "instance": case.instance,
        "solver": solver,
        "seed": seed,
        "time_limit_s": plan.time_limit_s,
        "workers": plan.workers,
    }


def _row(case: Case, solver: str, seed: int, plan: Plan) -> dict[str, Any]:
    began = datetime.now(UTC).isoformat(timespec="seconds")
    busy = load()
    job = {
        "case": case.as_dict(),
        "solver": solver,
        "seed": seed,
        "time_limit_s": plan.time_limit_s,
        "workers": plan.workers,
    }
    answer, peak_mb = run_child(job, plan.time_limit_s + GRACE_S)
    return {
        **_key(case, solver, seed, plan),
        "measure": case.measure.name,
        "best_known": case.best_known,
        "known_bound": case.lower_bound,
        "known_optimal": case.optimal,
        "peak_mb": peak_mb,
        "load_1min": busy,
        "started": began,
        "hetopt_version": __version__,
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
        "command": plan.command,
        **answer,
    }


def run_child(job: dict[str, Any], most_s: float) -> tuple[dict[str, Any], float]:
    """Run a job in a process of its own; return its answer and the peak memory in MiB.

    The memory is that of the largest process of the run, by the system's account.
    """
    whole = str(job["solver"])
    solver, _, number = (whole, "", "") if is_command(whole) else whole.partition("@")
    job, environment = {**job, "solver": solver}, dict(os.environ)
    other = ortools_path(number) if number else None
    if other is not None:
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(other), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
    with tempfile.TemporaryDirectory(prefix="hetopt-bench-") as folder:
        target, log = Path(folder) / "answer.json", Path(folder) / "log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "bench.child", str(target)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=REPO,
                env=environment,
                start_new_session=True,
            )
        try:
            _hand_over(child, job)
            code, peak_kib = _wait(child, most_s)
        except BaseException:
            _end(child)
            raise
        if target.exists():
            return json.loads(target.read_text(encoding="utf-8")), peak_kib / KIB_PER_MB
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
    why = f"ended after {most_s:g} s" if code is None else f"ended with code {code}"
    error = f"The process {why}. {' '.join(last)}"
    return {"status": "error", "error": error[:400]}, peak_kib / KIB_PER_MB


def _hand_over(child: subprocess.Popen[bytes], job: dict[str, Any]) -> None:
    if child.stdin is None:
        raise ValueError("The child needs a standard input.")
    try:
        child.stdin.write(json.dumps(job).encode())
        child.stdin.close()
    except BrokenPipeError:
        return


def _wait(child: subprocess.Popen[bytes], most_s: float) -> tuple[int | None, float]:
    """Wait for a child; return its exit code (None where it had to be ended) and peak memory."""
    until = time.monotonic() + most_s
    while True:
        found, status, usage = os.wait4(child.pid, os.WNOHANG)
        if found:
            child.returncode = os.waitstatus_to_exitcode(status)
            _end_group(child.pid)
            return child.returncode, float(usage.ru_maxrss)
        if time.monotonic() > until or _ending.is_set():
            _end(child)
            return None, float("nan")
        time.sleep(POLL_S)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child with all that it started."""
    _end_group(child.pid)
    child.wait()


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _summary(row: dict[str, Any]) -> str:
    solver = title(row["solver"]) if is_command(row["solver"]) else row["solver"]
    parts = [f"{row['family']}/{row['instance']}", solver, f"seed {row['seed']}:"]
    parts.append(row["status"])
    if row["status"] in ("error", "unsupported"):
        return " ".join([*parts, f"({row['error']})"])
    for name, form in (("objective", ".6g"), ("bound", ".6g"), ("gap_proven", ".2%")):
        if row.get(name) == row.get(name) and row.get(name) is not None:
            parts.append(f"{name.replace('_', ' ')} {row[name]:{form}}")
    if row["gap_best_known"] == row["gap_best_known"]:
        parts.append(f"to best known {row['gap_best_known']:+.2%}")
    return " ".join([*parts, f"in {row['end_s']:.1f} s"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
