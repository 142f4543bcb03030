"""Resources of the CP-SAT model: cumulatives of renewable capacities, rows of budgets.

For a renewable resource of capacity R with amounts a[m]: a cumulative over the tasks that run, and
for the tasks that cannot start before a head or must be followed by a tail the energy row
Σ a[m] p[m] x[m] <= R (W - head - tail), which the linear relaxation sees. Of a resource that slows
what runs there are the energy rows alone, in a model that is a relaxation
(:mod:`hetopt.schedule.model.without_slowdown`). For a budget Σ a[m] x[m] <= B.
"""

from __future__ import annotations

from fractions import Fraction

from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.memory_and_power import SIZE_TIMES_DEMAND
from hetopt.schedule.cpsat.variables import Build, Choice
from hetopt.schedule.model.resources import LimitedResource, budgets, integer_demands, renewables

LARGEST_DEMAND = 1 << 40
WINDOWS = 5
"""Heads and tails that energy rows are written for, evenly spread over those there are."""


def add(build: Build) -> None:
    """Hold every renewable capacity at each instant and every budget over all tasks."""
    instance = build.problem.instance
    slow = instance.resources.slow
    for limited in renewables(instance):
        _limit_renewable(build, limited, forbids=not slow[limited.resource])
    for limited in budgets(instance):
        _limit_budget(build, limited)


def _limit_renewable(build: Build, limited: LimitedResource, *, forbids: bool) -> None:
    """Hold a capacity at each instant, or (of a resource that slows) on average only."""
    rows = [(t, c) for t, c in _users(build, limited) if c.mode.duration]
    if not rows:
        return
    model, problem = build.model, build.problem
    largest = SIZE_TIMES_DEMAND // ((build.reach + 1) * (len(rows) * build.copies + 1))
    demand, capacity = _scaled(build, limited, [c for _, c in rows], largest)
    if forbids:
        build.cumulative([c.interval for _, c in rows], demand, capacity)
    if problem.cycle:
        work = [
            a * c.mode.duration * c.literal for a, (_, c) in zip(demand, rows, strict=True) if a
        ]
        model.add(sum(work) <= capacity * problem.cycle)
        return
    # Plans that are slowed end between ticks: their makespan is at most a tick more than W.
    span = build.makespan if forbids else build.makespan + 1
    heads = {t: min(TimeWindows.of(problem).heads[t].values()) for t, _ in rows}
    tails = {t: TimeWindows.of(problem).tails[t] for t, _ in rows}
    for head, tail in _windows(sorted(heads.values()), sorted(tails.values())):
        inside = [
            a * c.mode.duration * c.literal
            for a, (t, c) in zip(demand, rows, strict=True)
            if a and heads[t] >= head and tails[t] >= tail
        ]
        # Every one of these tasks runs somewhere, so the makespan is at least head + tail.
        if inside:
            model.add(sum(inside) <= capacity * (span - head - tail))


def _limit_budget(build: Build, limited: LimitedResource) -> None:
    rows = _users(build, limited)
    if rows:
        largest = SIZE_TIMES_DEMAND // (len(rows) + 1)
        demand, capacity = _scaled(build, limited, [c for _, c in rows], largest)
        terms = [a * c.literal for a, (_, c) in zip(demand, rows, strict=True)]
        build.model.add(sum(terms) <= capacity)


def _users(build: Build, limited: LimitedResource) -> list[tuple[int, Choice]]:
    return [
        (task, choice)
        for task, choices in enumerate(build.choices)
        for choice in choices
        if choice.mode.option in limited.amount
    ]


def _scaled(
    build: Build, limited: LimitedResource, choices: list[Choice], largest: int
) -> tuple[list[int], int]:
    """Return demands and capacity as integers, rounded as the grid's direction asks."""
    amounts: list[Fraction] = [limited.amount[c.mode.option] for c in choices]
    largest = max(1, min(LARGEST_DEMAND, largest))
    direction = build.problem.grid.direction
    if build.problem.instance.resources.slow[limited.resource]:
        # What is asked for may exceed the capacity, of which no part may be lost: it counts too.
        scaled = integer_demands([*amounts, limited.limit], limited.limit, largest, "down")
    else:
        scaled = integer_demands(amounts, limited.limit, largest, direction)
        build.faithful &= scaled.faithful
    return scaled.demand[: len(amounts)], scaled.capacity


def _windows(heads: list[int], tails: list[int]) -> list[tuple[int, int]]:
    pairs = {(0, 0)}
    for part in range(WINDOWS):
        head, tail = heads[len(heads) * part // WINDOWS], tails[len(tails) * part // WINDOWS]
        pairs.update({(head, 0), (0, tail), (head, tails[0]), (heads[0], tail)})
    return sorted(pairs)
