"""Periodic jobs become one job per repetition, before any column is made.

Repetition k of a job with period P is released at ``release + k P``, has its deadline and due
date relative to that, and copies of the job's tasks, transfers and tensors, all named ``NAME@k``.
A repetition that the horizon cuts is left out: one whose deadline (without one: whose period) ends
after it, so that 30 frames a second over one second are 30, whatever the decimals of the period.
Where every job repeats and nothing says when that ends, all repeat for ever (``cyclic``).
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, lcm
from typing import Any

import numpy as np

from hetopt import units
from hetopt.compile.problems import Checker, Table
from hetopt.compile.strings import strings
from hetopt.instance import Floats, Ints, Regime, Series
from hetopt.units.periods import exact_period

MOST_TASKS = 200_000
"""More tasks than this through repetition come from a mistake in a period, or are a stream."""
MOST_CYCLIC = 10_000
"""Repetitions of one job in a cycle: more come from a period that was rounded."""
MOST_COMMON, MOST_ROUNDS = 100_000, 1_000
"""Where no horizon is given: more tasks than this, in more repetitions of the longest period than
this, come from a period that was rounded (33.333 ms beside 100 ms)."""
EXACT = 2**53
"""Below, every whole number is a float."""
NEAR, NEAR_PARTS = Fraction(1, 1000), 20
"""How far from a period, and how simple a part of the longest one, a suggestion may be."""

NAMED = 5
"""Jobs that a note names."""
ENDS = "`cyclic: false` or a `horizon` makes it a schedule with an end"
"""What is to be done where a schedule repeats for ever only because nothing says otherwise."""


def give_periods(
    regime: Regime, tables: dict[str, Table], setting: dict[str, Any], check: Checker
) -> tuple[dict[str, Any], str]:
    """Turn rates of a schedule's jobs into periods; return settings with ``cyclic``, and a note.

    Where `cyclic` is not written, it is true if every job has a period and neither a horizon nor
    a cycle is stated; but not beside resources that slow, which have no circle yet: then the note
    says that one common multiple of the periods is planned.
    """
    jobs = tables["jobs"]
    if regime != "schedule":
        return setting, ""
    rated = ~np.isnan(jobs["rate_per_s"])
    both = rated & ~np.isnan(jobs["period_s"])
    check.rows("jobs", "rate_per_s", jobs, both, "Either a period or a rate, not both.")
    inverse = [float(1 / Fraction(repr(float(r)))) for r in jobs["rate_per_s"][rated]]
    jobs["period_s"][rated] = inverse
    jobs["rate_per_s"][rated] = np.nan
    told = check.was_written("settings", "cyclic")
    unsure = check.unsure("settings", "horizon_s") or check.unsure("settings", "cycle_s")
    ends = np.isfinite(setting["horizon_s"]) or np.isfinite(setting["cycle_s"])
    if told or unsure or ends or not len(jobs["name"]) or np.isnan(jobs["period_s"]).any():
        return setting, ""
    if (tables["resources"]["sharing"] == "slow").any():
        return setting, (
            "One common multiple of the periods is planned by itself, from an empty begin to its "
            "end: schedules that repeat for ever know no resources that slow yet."
        )
    return {**setting, "cyclic": True}, ""


def unroll(
    tables: dict[str, Table], setting: dict[str, Any], check: Checker
) -> tuple[dict[str, Table], dict[str, Any], str]:
    """Return tables and settings in which no job has a period, and what of them was left out.

    Jobs are repeated over the horizon, else over the cycle, or over the least common multiple of
    the periods where there is neither; that is then the cycle of a cyclic schedule.
    """
    jobs, tasks, transfers = tables["jobs"], tables["tasks"], tables["transfers"]
    periodic = ~np.isnan(jobs["period_s"])
    if not periodic.any():
        return tables, setting, ""
    job_index = {str(name): i for i, name in enumerate(jobs["name"])}
    task_job = np.array([job_index.get(str(j), -1) for j in tasks["job"]], dtype=np.int64)
    times = _repetitions(jobs, setting, task_job, check)
    if times is None:
        return tables, setting, ""
    if setting["cyclic"] and not np.isfinite(setting["cycle_s"]):
        given = [exact_period(float(p)) for p in jobs["period_s"] if p == p]
        setting = {**setting, "cycle_s": float(_common(given) * int(setting["cycles"]))}
    times, note = _uncut(jobs, setting["horizon_s"], times)
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
    return tables, setting, note


def _uncut(jobs: Table, horizon_s: float, times: Ints) -> tuple[Ints, str]:
    """Leave out the repetitions that a horizon cuts, but the first; say which."""
    if not np.isfinite(horizon_s):
        return times, ""
    window, kept, named = Fraction(repr(float(horizon_s))), times.copy(), []
    for j in np.flatnonzero(~np.isnan(jobs["period_s"])).tolist():
        period = exact_period(float(jobs["period_s"][j]))
        deadline = float(jobs["deadline_s"][j])
        release = Fraction(repr(float(jobs["release_s"][j])))
        end = Fraction(repr(deadline)) if np.isfinite(deadline) else release + period
        # The first stays: a question that has none is another one.
        kept[j] = min(times[j], max(1, floor((window - end) / period) + 1))
        if kept[j] < times[j]:
            named.append(f"{times[j] - kept[j]} of {jobs['name'][j]}")
    if not named:
        return times, ""
    more = f" and {len(named) - NAMED} more jobs" if len(named) > NAMED else ""
    return kept, (
        f"Repetitions that the horizon of {_time(window)} cuts are left out (the last "
        f"{', '.join(named[:NAMED])}{more})."
    )


def check_cycle(jobs: Table, setting: dict[str, Any], check: Checker) -> None:
    """Refuse a cycle beside a horizon, without periods, or that periods do not divide."""
    cycle_s = float(setting["cycle_s"])
    stated = bool(np.isfinite(cycle_s))
    if setting["cycles"] != 1 and (stated or not setting["cyclic"]):
        text = "`cyclic: true` beside it: it counts common multiples of the periods."
        check.setting("cycles", setting["cycles"], text)
    if not (setting["cyclic"] or stated):
        return
    if np.isfinite(setting["horizon_s"]):
        text = "Either a horizon or a cycle: what repeats for ever has no end."
        check.setting("horizon_s", setting["horizon_s"], text)
    for name in ("energy_price_per_j", "carbon_kg_per_j"):
        if isinstance(setting[name], Series):
            text = (
                "One number: schedules that repeat for ever do not know changes over time yet"
                f"{remedy(check)}."
            )
            check.setting(name, "a list", text)
    period = jobs["period_s"]
    for j in np.flatnonzero(np.isnan(period)) if not stated else ():
        text = "A period of every job of a cyclic schedule, or the cycle itself (cycle: 100 ms)."
        check.add("jobs", int(j), "period_s", "", text)
    for j in np.flatnonzero(np.isfinite(period)) if stated else ():
        if (exact_period(cycle_s) / exact_period(float(period[j]))).denominator != 1:
            cycle = check.told("settings", -1, "cycle_s", cycle_s)
            text = f"A period that the cycle of {cycle} is a multiple of."
            check.add("jobs", int(j), "period_s", period[j], text)


def remedy(check: Checker) -> str:
    """Say how a schedule ends, where nothing was written of its repeating for ever."""
    written = any(check.was_written("settings", name) for name in ("cyclic", "cycle_s"))
    return "" if written else f"; {ENDS}"


def _repetitions(
    jobs: Table, setting: dict[str, Any], task_job: Ints, check: Checker
) -> Ints | None:
    """Return how often each job is repeated, None where that is too often."""
    period = [exact_period(float(p)) if p == p else None for p in jobs["period_s"]]
    given = [p for p in period if p is not None]
    horizon_s, cycle_s = float(setting["horizon_s"]), float(setting["cycle_s"])
    cyclic = bool(setting["cyclic"]) or bool(np.isfinite(cycle_s))
    told = cyclic and not remedy(check)
    open_ended = not np.isfinite(horizon_s)
    whole = _common(given) * int(setting["cycles"])
    window = whole if open_ended else Fraction(repr(horizon_s))
    if np.isfinite(cycle_s):
        window = exact_period(cycle_s)
    # On a circle a release moves the repetitions, and changes nothing of their number.
    release = [Fraction(0 if cyclic else repr(float(r))) for r in jobs["release_s"]]
    times = np.array(
        [
            1 if p is None else max(0, ceil((window - r) / p))
            for p, r in zip(period, release, strict=True)
        ],
        dtype=object,
    )
    size = np.bincount(task_job[task_job >= 0], minlength=len(times))
    counted = zip(size.tolist(), times.tolist(), period, strict=True)
    total = sum(n * t for n, t, p in counted if p is not None)
    many = total > MOST_COMMON and window > MOST_ROUNDS * max(given)
    if cyclic and any(
        p is not None and t > MOST_CYCLIC for t, p in zip(times, period, strict=True)
    ):
        many = True
    if open_ended and many:
        fewest = [int(t) if p is not None else 0 for t, p in zip(times, period, strict=True)]
        check.add(
            "jobs",
            int(np.argmax(fewest)),
            "period_s",
            f"{_time(window)} until the periods meet again, {total:,} tasks",
            f"Periods with a small common multiple{'' if told else ', or horizon_s'}."
            f"{_suggestion(period, jobs)}",
        )
        return None
    if total > MOST_TASKS or any(int(t) > MOST_TASKS for t in times):
        check.add(
            "jobs",
            int(np.argmax([int(t) for t in times])),
            "period_s",
            f"{max(int(t) for t in times):,} repetitions over {_time(window)}",
            f"Periods and a horizon that make at most {MOST_TASKS:,} tasks; set horizon_s, or "
            "periods with a small common multiple. Streams of so many requests are of the steady "
            "regime.",
        )
        return None
    for j in np.flatnonzero(times == 0):
        check.add(
            "jobs", int(j), "release_s", jobs["release_s"][j], "A release before the horizon."
        )
    return times.astype(np.int64)


def _common(periods: list[Fraction]) -> Fraction:
    """Return the least common multiple."""
    unit = lcm(*(p.denominator for p in periods))
    return Fraction(lcm(*(int(p * unit) for p in periods)), unit)


def _suggestion(period: list[Fraction | None], jobs: Table) -> str:
    """Name periods near to those given that are simple parts of the longest one, if that helps."""
    given = [p for p in period if p is not None]
    longest, named, near = max(given), {}, []
    for p, name in zip(period, jobs["name"].tolist(), strict=True):
        if p is None:
            continue
        ratio = p / longest
        parts = (Fraction(round(ratio * d), d) for d in range(1, NEAR_PARTS + 1))
        close = next((part for part in parts if abs(part - ratio) <= NEAR * ratio), None)
        if close is None:
            return ""
        near.append(close * longest)
        if close != ratio:
            named[str(name)] = close * longest
    if _common(near) > MOST_ROUNDS * longest:
        return ""
    texts = [f"{name}: {_duration(p)}" for name, p in list(named.items())[:5]]
    return f" Near ones: {', '.join(texts)}."


def _time(seconds: Fraction) -> str:
    return units.format(float(seconds), "time", digits=6)


def _duration(seconds: Fraction) -> str:
    """Write a duration as a fraction of the largest unit in which its numerator is whole."""
    units = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
    unit = next((unit for unit, size in units.items() if seconds * size >= 1), "ns")
    return f"{seconds * units[unit]} {unit}"


def _unrolled_jobs(jobs: Table, times: Ints, periodic: Any) -> Table:
    row, rep = _expand(times)
    table = _rows(jobs, row)
    table["name"] = _renamed(table["name"], rep, periodic[row])
    for name in ("release_s", "deadline_s", "due_s"):
        before = jobs[name]
        table[name] = np.concatenate(
            [
                _shifted(float(before[j]), float(jobs["period_s"][j]), int(times[j]))
                for j in range(len(times))
            ]
        )
    table["period_s"] = np.full(len(row), np.nan)
    return table


def _shifted(value: float, period: float, times: int) -> Floats:
    """Return ``value + k period`` for each repetition k, each the float nearest to the sum."""
    if times <= 1 or not np.isfinite(value):
        return np.full(times, value)
    first, step = Fraction(repr(value)), exact_period(period)
    unit = lcm(first.denominator, step.denominator)
    a, b = int(first * unit), int(step * unit)
    if unit < EXACT and abs(a) + b * times < EXACT:
        # Both are exact as floats, so the quotient is rounded once.
        return np.asarray((a + b * np.arange(times)) / float(unit))
    rest = [float(first + k * step) for k in range(1, times)]
    return np.array([value, *rest])


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
