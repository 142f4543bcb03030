"""Sleep in gaps and going on in the CP-SAT model.

Every gap of a unit but the last one ends where something begins that takes a slot of it. So for
each such occupant o of a unit that may sleep there is a literal z[o], that the unit sleeps until it
begins, and a time l[o] for which it does, at least the time to wake; the interval of sleep takes
all slots. With e the end of the last occupant (the gap after it needs no wake) the unit is awake
for a >= e - Σ l, and draws

    p_sleep × W + (p_idle - p_sleep) × a + Σ wake energy × z          in the window W.

Sleep that is not taken costs no less than a true gap does, and sleep in a part of a gap neither, so
that the least of this is the energy of the plan. On a circle e is the cycle where there is any
occupant, and sleep may begin in the cycle before.

On a grid that rounds down a gap may be a tick shorter than it is, so that each sleep counts for a
tick more than it takes, and may be a tick shorter than waking takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance.states.idle_sleep_start_up import Idlers, home, idlers
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build, Choice, Literal, Place
from hetopt.schedule.model.grid import exact

MOST_CHAINED = 400
"""Tasks that a board may run up to which a chain of them is looked for."""


@dataclass(frozen=True, slots=True)
class Rest:
    """One that may sleep: its kind, ticks awake in the window, and literals of its wakes."""

    row: int
    awake: Any
    wakes: list[Literal]


def wait_until_on(build: Build) -> None:
    """Let nothing take a slot of a unit, and no task start there, before it has gone on."""
    for device, ready in enumerate(build.problem.ready):
        if not ready:
            continue
        for task, on in enumerate(build.on):
            if device in on:
                build.model.add(build.start[task] >= ready * on[device])
        for place, intervals in build.occupied.items():
            for interval in intervals if place[0] == device else ():
                begins = build.model.add(interval.start_expr() >= ready)
                begins.only_enforce_if(build.presence(interval))


def ready_ticks(build: Build, rows: Idlers, row: int) -> int:
    """Return the tick from which a unit that went on for it may run something."""
    return build.problem.grid.ticks(exact(float(rows.start_up_time_s[row])))


def rest_in_gaps(build: Build) -> list[Rest]:
    """Make the variables of sleep of each unit that may; its units are never merged."""
    rows = idlers(build.problem.instance)
    found = []
    for row in range(len(build.problem.units)):
        if not rows.sleeps[row]:
            continue
        for unit, on in enumerate(build.used[row]):
            found.append(_rest(build, rows, row, on, [(row, unit)]))
    first = len(build.problem.units)
    for row in np.flatnonzero(rows.sleeps[first:]).tolist():
        for number, on in enumerate(build.used[first + row]):
            places = [
                (device, unit)
                for device in range(first)
                for unit in range(build.problem.units[device])
                if (first + row, number) in home(build.problem.instance, device, unit)
            ]
            found.append(_rest(build, rows, first + row, on, places))
    return found


def _rest(build: Build, rows: Idlers, row: int, on: Literal, places: list[Place]) -> Rest:
    """Make the variables of one that may sleep while none of its places is occupied."""
    model, problem = build.model, build.problem
    occupants = [i for place in places for i in build.occupied.get(place, [])]
    slots = sum(problem.slots[device] for device, _ in places)
    late = problem.cycle or build.span
    spare = 0 if problem.grid.direction == "exact" else 1
    wake = exact(float(rows.wake_time_s[row])) / problem.grid.tick
    least = max(0, math.floor(wake) - spare) if problem.grid.direction != "up" else math.ceil(wake)
    ready = ready_ticks(build, rows, row)
    wakes, slept, resting = [], [], []
    for interval in occupants:
        asleep = build.bool(f"z{row}")
        model.add_implication(asleep, build.presence(interval))
        # On a circle it may begin a cycle before its occupant's own: each is a cycle later here.
        begin = model.new_int_var(0 if problem.cycle else ready, build.span + problem.cycle, "zs")
        length = model.new_int_var(0, late, f"zl{row}")
        model.add(length >= least * asleep)
        model.add(length <= late * asleep)
        resting.append(
            model.new_optional_interval_var(
                begin, length, interval.start_expr() + problem.cycle, asleep, f"zi{row}"
            )
        )
        wakes.append(asleep)
        slept += [length, spare * asleep] if spare else [length]
    # One repetition, sleep included, lies between 0 and the span and a cycle.
    more = 1 if problem.cycle else 0
    every = build.repeated([*occupants, *resting], more)
    if slots == 1 and len(places) == 1:
        model.add_no_overlap(every)
    elif occupants:
        demands = [1] * len(occupants) + [slots] * len(resting)
        model.add_cumulative(every, demands * (build.copies + more), slots)
    awake = model.new_int_var(0, late, f"zw{row}")
    if problem.cycle:
        taken = build.bool(f"zt{row}")
        for interval in occupants:
            model.add_implication(build.presence(interval), taken)
        model.add(awake >= problem.cycle * taken - sum(slept))
    else:
        last = build.time(f"ze{row}")
        model.add(last >= ready * on)
        for interval in occupants:
            model.add(last >= interval.end_expr()).only_enforce_if(build.presence(interval))
        model.add(awake >= last - sum(slept))
    here = [(t, c) for t, choices in enumerate(build.choices) for c in choices if c.place in places]
    for place in places:
        work = [c.mode.duration * c.literal for _, c in here if c.place == place]
        if work:
            model.add(problem.slots[place[0]] * awake >= sum(work))
    chain = set(_one_after_the_other(build, here)) if slots > 1 else set()
    if chain:
        model.add(awake >= sum(c.mode.duration * c.literal for t, c in here if t in chain))
    return Rest(row, awake, wakes)


def _one_after_the_other(build: Build, here: list[tuple[int, Choice]]) -> list[int]:
    """Return tasks of which no two may run at once, with as much work as one such chain has.

    One waits for the other, or ends before that may start.
    """
    problem, windows = build.problem, TimeWindows.of(build.problem)
    least: dict[int, int] = {}
    for task, choice in here:
        least[task] = min(choice.mode.duration, least.get(task, choice.mode.duration))
    if problem.cycle or len(least) > MOST_CHAINED:
        return []
    place = {task: k for k, task in enumerate(problem.order)}
    before: list[set[int]] = [set() for _ in range(problem.n_tasks)]
    for task in problem.order:
        for e in problem.entering[task]:
            earlier = problem.edges[e][0]
            before[task] |= before[earlier] | {earlier}
    start = {t: min(windows.heads[t].values()) for t in least}
    end = {t: max(windows.latest_ends[t].values()) for t in least}
    best: dict[int, tuple[int, int]] = {}
    for task in sorted(least, key=lambda t: (start[t], place[t])):
        ways = [
            (best[other][0], other)
            for other in best
            if other in before[task] or end[other] <= start[task]
        ]
        length, via = max(ways, default=(0, -1))
        best[task] = (length + least[task], via)
    chain, task = [], max(best, key=lambda t: best[t][0], default=-1)
    while task >= 0:
        chain.append(task)
        task = best[task][1]
    return chain
