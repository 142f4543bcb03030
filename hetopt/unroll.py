"""Periodic jobs become one job per repetition, before any column is made.

Repetition k of a job with period P is released at ``release + k P``, has its deadline and due
date relative to that, and copies of the job's tasks, transfers and tensors, all named ``NAME@k``.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, lcm
from typing import Any

import numpy as np

from hetopt.checker import Checker
from hetopt.instance import Ints
from hetopt.text import strings

MOST_TASKS = 10_000_000
"""More tasks than this after unrolling is a mistake in a period, not a workload."""

Table = dict[str, Any]


def unroll(
    tables: dict[str, Table], setting: dict[str, Any], check: Checker
) -> tuple[dict[str, Table], dict[str, Any]]:
    """Return tables and settings in which no job has a period.

    Jobs are repeated over the horizon, or over the least common multiple of the periods where
    there is none.
    """
    jobs, tasks, transfers = tables["jobs"], tables["tasks"], tables["transfers"]
    periodic = ~np.isnan(jobs["period_s"])
    if not periodic.any():
        return tables, setting
    job_index = {str(name): i for i, name in enumerate(jobs["name"])}
    task_job = np.array([job_index.get(str(j), -1) for j in tasks["job"]], dtype=np.int64)
    times = _repetitions(jobs, setting["horizon_s"], task_job, check)
    if times is None:
        return tables, setting
    tables = dict(tables)
    tables["jobs"] = _unrolled_jobs(jobs, times, periodic)

    task_times = np.where(task_job >= 0, times[task_job], 1)
    task_periodic = np.where(task_job >= 0, periodic[task_job], False)
    row, rep = _expand(task_times)
    copied = _rows(tasks, row)
    copied["name"] = _renamed(copied["name"], rep, task_periodic[row])
    copied["job"] = _renamed(copied["job"], rep, task_periodic[row])
    # A task without a profile of its own keeps the one that its plain name implied.
    for name in ("forbid", "allowed_sites"):
        copied[name] = {
            int(new): tasks[name][int(old)]
            for new, old in enumerate(row)
            if int(old) in tasks[name]
        }
    tables["tasks"] = copied

    task_index = {str(name): i for i, name in enumerate(tasks["name"])}
    src = np.array([task_index.get(str(t), -1) for t in transfers["from"]], dtype=np.int64)
    dst = np.array([task_index.get(str(t), -1) for t in transfers["to"]], dtype=np.int64)
    known = (src >= 0) & (dst >= 0)
    crossing = known & (task_job[src] != task_job[dst]) & (task_periodic[src] | task_periodic[dst])
    check.rows(
        "transfers", "to", transfers, crossing, "A task of the same job, as the job is periodic."
    )
    edge_periodic = np.where(src >= 0, task_periodic[src], False)
    row, rep = _expand(np.where(src >= 0, task_times[src], 1))
    copied = _rows(transfers, row)
    for name in ("from", "to"):
        copied[name] = _renamed(copied[name], rep, edge_periodic[row])
    named = copied["tensor"] != ""
    copied["tensor"] = _renamed(copied["tensor"], rep, edge_periodic[row] & named)
    tables["transfers"] = copied

    setting = dict(setting)
    for name in ("together", "apart"):
        setting[name] = _unrolled_groups(
            setting[name], name, task_index, task_job, times, periodic, check
        )
    return tables, setting


def _repetitions(jobs: Table, horizon_s: float, task_job: Ints, check: Checker) -> Ints | None:
    """Return how often each job is repeated, None where that is too often."""
    period = [Fraction(repr(float(p))) if p == p else None for p in jobs["period_s"]]
    given = [p for p in period if p is not None]
    if np.isfinite(horizon_s):
        window = Fraction(repr(float(horizon_s)))
    else:
        unit = lcm(*(p.denominator for p in given))
        window = Fraction(lcm(*(int(p * unit) for p in given)), unit)
    release = [Fraction(repr(float(r))) for r in jobs["release_s"]]
    times = np.array(
        [
            1 if p is None else max(0, ceil((window - r) / p))
            for p, r in zip(period, release, strict=True)
        ],
        dtype=object,
    )
    size = np.bincount(task_job[task_job >= 0], minlength=len(times))
    total = sum(int(n) * int(t) for n, t in zip(size, times, strict=True))
    if total > MOST_TASKS or any(int(t) > MOST_TASKS for t in times):
        check.add(
            "jobs",
            int(np.argmax([int(t) for t in times])),
            "period_s",
            f"{max(int(t) for t in times)} repetitions over {float(window):g} s",
            f"Periods and a horizon that make at most {MOST_TASKS:,} tasks; set horizon_s, or "
            "periods with a small common multiple.",
        )
        return None
    for j in np.flatnonzero(times == 0):
        check.add(
            "jobs", int(j), "release_s", jobs["release_s"][j], "A release before the horizon."
        )
    return times.astype(np.int64)


def _unrolled_jobs(jobs: Table, times: Ints, periodic: Any) -> Table:
    row, rep = _expand(times)
    table = _rows(jobs, row)
    table["name"] = _renamed(table["name"], rep, periodic[row])
    for name in ("release_s", "deadline_s", "due_s"):
        table[name] = np.array(
            [
                _shifted(value, period, int(k))
                for value, period, k in zip(table[name], table["period_s"], rep, strict=True)
            ]
        )
    table["period_s"] = np.full(len(row), np.nan)
    return table


def _shifted(value: float, period: float, k: int) -> float:
    """``value + k period`` as the decimal nearest to the exact sum."""
    if k == 0 or not np.isfinite(value):
        return float(value)
    return float(Fraction(repr(float(value))) + k * Fraction(repr(float(period))))


def _unrolled_groups(
    groups: list[list[str]],
    setting: str,
    task_index: dict[str, int],
    task_job: Ints,
    times: Ints,
    periodic: Any,
    check: Checker,
) -> list[list[str]]:
    result = []
    for i, group in enumerate(groups):
        members = [task_job[task_index[name]] for name in group if name in task_index]
        repeated = [j for j in members if j >= 0 and periodic[j]]
        if not repeated:
            result.append(group)
        elif len(set(members)) > 1:
            check.setting(
                f"{setting}[{i}]", ", ".join(group), "Tasks of one job, as the job is periodic."
            )
        else:
            result += [[f"{name}@{k}" for name in group] for k in range(times[members[0]])]
    return result


def _expand(times: Ints) -> tuple[Ints, Ints]:
    """Rows repeated ``times`` each, and the number of the repetition of each."""
    row = np.repeat(np.arange(len(times)), times)
    first = np.concatenate([[0], np.cumsum(times)[:-1]]) if len(times) else times
    return row, np.arange(len(row)) - np.repeat(first, times)


def _rows(table: Table, row: Ints) -> Table:
    return {name: c if isinstance(c, dict) else c[row] for name, c in table.items()}


def _renamed(names: Any, rep: Ints, periodic: Any) -> Any:
    return strings(
        [f"{n}@{k}" if p else n for n, k, p in zip(names.tolist(), rep, periodic, strict=True)]
    )
