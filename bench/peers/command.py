"""A solver of one's own, as a command line: ``python mine.py {instance} {time} {output}``.

The command gets the file of the case (as published where the case says no more; else an instance as
YAML), the time limit in seconds, and the file that its plan goes to: hetopt's JSON, or what
``hetopt verify`` reads, such as CSV with a row a task. ``{workers}`` and ``{seed}`` are filled in
too. What it prints last as ``bound NUMBER`` counts as the bound that it claims.
"""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.answers import Answer, Limits, UnsupportedError
from bench.cases import Case
from bench.rows import read_rows
from hetopt import InputError, write_instance
from hetopt.evaluate import objectives
from hetopt.formats.plans import read_result
from hetopt.instance import Instance

GRACE_S = 30.0
"""Time beyond the limit after which the command is ended."""
EARLY_S = 0.5
"""Ending so long before the limit was the command's own choice, not the clock's."""
MOST_SHOWN = 300


def is_command(name: str) -> bool:
    """Whether a solver's name is a command line of one's own."""
    return "{instance}" in name and "{output}" in name


def title(name: str) -> str:
    """Return what a table calls the solver: ``mine`` of ``mine=python mine.py {instance} ...``."""
    given = re.match(r"([\w.-]+)=", name)
    if given:
        return given[1]
    words = shlex.split(name)
    script = next((w for w in words[1:] if "{" not in w and not w.startswith("-")), words[0])
    return Path(script).stem


def read_titled(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read tables of results, with each solver of one's own under its title.

    Command lines that differ under one title are told apart by a number: ``mine``, ``mine (2)``.

    Raises
    ------
    ValueError
        If a file is no table of results.
    """
    rows = [row for path in paths for row in read_rows(path)]
    solvers = dict.fromkeys(str(row["solver"]) for row in rows)
    names = {solver: solver for solver in solvers if not is_command(solver)}
    for solver in solvers:
        if solver not in names:
            called, number = title(solver), 1
            while (called if number == 1 else f"{called} ({number})") in names.values():
                number += 1
            names[solver] = called if number == 1 else f"{called} ({number})"
    return [{**row, "solver": names[str(row["solver"])]} for row in rows]


def run_command(name: str, case: Case, instance: Instance, limits: Limits) -> Answer:
    """Run the command on a case and read its plan.

    Raises
    ------
    RuntimeError
        If the command fails, or what it wrote is no plan.
    UnsupportedError
        If it says so by exit code 77.
    """
    text = re.sub(r"^[\w.-]+=", "", name)
    with tempfile.TemporaryDirectory(prefix="hetopt-own-") as folder:
        file = Path(case.path) if case.path else Path(folder) / "instance.yaml"
        if not case.path or case.settings:
            file = Path(folder) / "instance.yaml"
            write_instance(instance, file)
        output = Path(folder) / "plan"
        values = {
            "instance": str(file),
            "time": f"{limits.time_limit_s:g}",
            "output": str(output),
            "workers": str(limits.workers),
            "seed": str(limits.seed),
        }
        words = [_filled(word, values) for word in shlex.split(text)]
        began = time.monotonic()
        try:
            done = subprocess.run(
                words,
                capture_output=True,
                text=True,
                timeout=limits.time_limit_s + GRACE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"The command took more than {GRACE_S:g} s too long.") from None
        except OSError as error:
            raise RuntimeError(f"The command cannot be started: {error}") from None
        wall_s = time.monotonic() - began
        if done.returncode == 77:
            raise UnsupportedError(_last(done.stderr) or "The command says so (exit code 77).")
        if done.returncode != 0:
            raise RuntimeError(f"Exit code {done.returncode}: {_last(done.stderr)}")
        # A search that uses its time up ends a little before or after it.
        early = wall_s < limits.time_limit_s - EARLY_S
        answer = Answer(
            method=title(name),
            wall_s=wall_s,
            bound=_bound(done.stdout),
            termination="ended" if early else "time_limit",
        )
        if output.exists():
            _read(answer, instance, _named(output), wall_s)
        return answer


def _filled(word: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), word)


def _named(output: Path) -> Path:
    """Give the plan's file the extension of what it holds."""
    text = output.read_text(encoding="utf-8", errors="replace").lstrip()
    named = output.with_suffix(".json" if text[:1] in ("{", "[") else ".csv")
    return output.rename(named)


def _read(answer: Answer, instance: Instance, path: Path, wall_s: float) -> None:
    try:
        found = read_result(instance, path)
    except InputError as error:
        raise RuntimeError(f"What it wrote is no plan: {error}") from None
    answer.plan, answer.status = found.plan, "feasible"
    answer.claimed = objectives(instance, found.plan)[0]
    answer.history = [(wall_s, answer.claimed, answer.bound)]
    if found.bounds and math.isnan(answer.bound):
        answer.bound = next(iter(found.bounds.values()))


def _bound(printed: str) -> float:
    found = re.findall(r"(?m)^\s*bound[ :=]+([0-9.eE+-]+)\s*$", printed)
    try:
        return float(found[-1])
    except (IndexError, ValueError):
        return math.nan


def _last(text: str) -> str:
    return " ".join(text.strip().splitlines()[-2:])[:MOST_SHOWN]
