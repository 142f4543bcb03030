"""Sleep in gaps and going on in the CP-SAT model.

Every gap of a unit but the last one ends where something begins that takes a slot of it. So for
each such occupant o of a unit that may sleep there is a literal z[o], that the unit sleeps until it
begins, and a time l[o] for which it does, at least the time to wake and the time that makes up for
waking; the interval of sleep takes all slots. With e the end of the last occupant (the gap after it
needs no wake) the unit is awake for a >= e - Σ l, and draws

    p_sleep × W + (p_idle - p_sleep) × a + Σ wake energy × z          in the window W.

Sleep that is not taken costs no less energy than a true gap does, and sleep in a part of a gap
neither, so that the least of this is the energy of the plan. On a circle e is the cycle where there
is any occupant, and sleep may begin in the cycle before.

**At each instant** (a power cap, ``peak_power``, prices over time) the same holds where waking
draws no more than idling: sleep that is not taken draws no less at any instant. Where it draws
more, what sleeps has no choice (it does where that takes less energy in sum), and

    z[o] or some p with  s[p] <= s[o] <= e[p] + T          T: most of a gap that is idled through

(of occupants that begin together the first alone may be the others' p, so that there is no circle)
says that a longer gap is slept through. All that is made for ``MOST_PAIRS`` pairs at most; beyond
that, and on a grid that rounds down, sleep is relaxed to what draws no more at any instant
(:func:`hetopt.instance.states.idle_sleep_start_up.as_if_asleep`).

A gap of just the length at which sleep begins to pay may be either here: with strict limits the
best plan may not exist, only ever better ones. So bounds hold, plans are checked, and the model
that rounds up decides as units do.

On a grid that rounds down a gap may be a tick shorter than it is, so that each sleep counts for a
tick more than it takes, and may be a tick shorter than waking takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance.states.idle_sleep_start_up import Idlers, home, idlers
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build, Choice, Literal, Place
from hetopt.schedule.model.grid import exact

MOST_CHAINED = 400
"""Tasks that a board may run up to which a chain of them is looked for."""
MOST_PAIRS = 1_000
"""Pairs of occupants, of all units that may sleep, up to which it is told when they are awake: of
25 tasks on 3 devices CP-SAT found nothing in 30 s, and a plan half as good without."""


@dataclass(frozen=True, slots=True)
class Nap:
    """Sleep until an occupant begins, at ``end`` where ``literal`` is true."""

    literal: Literal
    begin: Any
    length: Any
    end: Any


@dataclass(frozen=True, slots=True)
class Rest:
    """One that may sleep: its kind, ticks awake in the window, the end of that, and its sleep.

    ``last`` is the end of its last occupant; on a circle a literal that it has any. ``told`` says
    whether it sleeps here where it truly does, and draws at each instant what it truly draws.
    """

    row: int
    on: Literal
    awake: Any
    last: Any
    naps: list[Nap]
    told: bool


def draws_by_gaps(build: Build) -> bool:
    """Whether what sleeps draws in the model what it truly draws at each instant."""
    exact_times = build.problem.grid.direction != "down"
    return exact_times and all(rest.told for rest in build.rests)


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
    instance = build.problem.instance
    rows = idlers(instance)
    first = len(build.problem.units)
    homes: list[tuple[int, Literal, list[Place]]] = []
    for row in np.flatnonzero(rows.sleeps).tolist():
        for number, on in enumerate(build.used[row]):
            places = [(row, number)]
            if row >= first:
                places = [
                    (device, unit)
                    for device in range(first)
                    for unit in range(build.problem.units[device])
                    if (row, number) in home(instance, device, unit)
                ]
            homes.append((row, on, places))
    bound = [row for row in sorted({row for row, _, _ in homes}) if _has_no_choice(build, row)]
    pairs = sum(len(_occupants(build, places)) ** 2 for _, _, places in homes)
    few = pairs * _turns(build) <= MOST_PAIRS
    build.loose = few and bool(bound)
    return [_rest(build, rows, *at, bound=at[0] in bound, few=few) for at in homes]


def _has_no_choice(build: Build, row: int) -> bool:
    """Whether it matters at some instant that what sleeps does so where that saves energy."""
    instance = build.problem.instance
    rows = idlers(instance)
    saved = exact(float(rows.idle_power_w[row])) - exact(float(rows.sleep_power_w[row]))
    waking, time = exact(float(rows.wake_energy_j[row])), exact(float(rows.wake_time_s[row]))
    if waking <= saved * time or not saved:
        return False
    peaks = np.isfinite(instance.limits.power_cap_w) or "peak_power" in instance.objective
    # What takes no time has no power, but a price.
    return prices_vary(instance) or bool(peaks and time)


def _occupants(build: Build, places: list[Place]) -> list[Any]:
    return [interval for place in places for interval in build.occupied.get(place, [])]


def _turns(build: Build) -> int:
    """Return how many repetitions of one occupant may lie next to one of another."""
    return 2 * build.copies + 1 if build.problem.cycle else 1


@dataclass(frozen=True, slots=True)
class _Paying:
    """Ticks of a gap from which it is slept through, and up to which it is not."""

    least: int
    most: int

    @classmethod
    def of(cls, build: Build, rows: Idlers, row: int) -> _Paying | None:
        """Return them, None where nothing that long pays.

        Sleep pays in gaps longer than wake energy / (idle - sleep), and takes the time to wake. A
        gap of just that length may be either; on a grid that rounds up it is not.
        """
        grid = build.problem.grid
        wake = exact(float(rows.wake_time_s[row])) / grid.tick
        saved = exact(float(rows.idle_power_w[row])) - exact(float(rows.sleep_power_w[row]))
        joules = exact(float(rows.wake_energy_j[row]))
        if not saved:
            return None
        pays: Fraction = joules / saved / grid.tick
        if grid.direction == "up":
            least = max(math.floor(pays) + 1 if joules else 0, math.ceil(wake))
            return cls(least, least - 1)
        spare = 0 if grid.direction == "exact" else 1
        least = max(0, math.floor(max(wake, pays)) - spare)
        return cls(least, math.ceil(max(wake, pays)))


def _rest(
    build: Build,
    rows: Idlers,
    row: int,
    on: Literal,
    places: list[Place],
    *,
    bound: bool,
    few: bool,
) -> Rest:
    """Make the variables of one that may sleep while none of its places is occupied."""
    model, problem = build.model, build.problem
    occupants = _occupants(build, places)
    slots = sum(problem.slots[device] for device, _ in places)
    late = problem.cycle or build.span
    spare = 0 if problem.grid.direction == "exact" else 1
    paying = _Paying.of(build, rows, row)
    ready = ready_ticks(build, rows, row)
    naps: list[Nap] = []
    slept, resting = [], []
    for interval in occupants if paying is not None and paying.least <= late else []:
        asleep = build.bool(f"z{row}")
        model.add_implication(asleep, build.presence(interval))
        # On a circle it may begin a cycle before its occupant's own: each is a cycle later here.
        begin = model.new_int_var(0 if problem.cycle else ready, build.span + problem.cycle, "zs")
        length = model.new_int_var(0, late, f"zl{row}")
        model.add(length >= (paying.least if paying is not None else 0) * asleep)
        model.add(length <= late * asleep)
        end = interval.start_expr() + problem.cycle
        resting.append(model.new_optional_interval_var(begin, length, end, asleep, f"zi{row}"))
        naps.append(Nap(asleep, begin, length, end))
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
        last = build.bool(f"zt{row}")
        for interval in occupants:
            model.add_implication(build.presence(interval), last)
        model.add(awake >= problem.cycle * last - sum(slept))
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
    if bound and few and naps and paying is not None and problem.grid.direction != "down":
        _sleep_through(build, occupants, naps, paying.most, ready)
    return Rest(row, on, awake, last, naps, told=few)


def _sleep_through(
    build: Build, occupants: list[Any], naps: list[Nap], most: int, ready: int
) -> None:
    """Have each gap longer than ``most`` slept through: see the module."""
    model, cycle = build.model, build.problem.cycle
    there = [build.presence(interval) for interval in occupants]
    turns = range(-build.copies, build.copies + 1) if cycle else (0,)
    for o, (interval, nap) in enumerate(zip(occupants, naps, strict=True)):
        begins = interval.start_expr()
        near: list[Literal] = []
        if not cycle:
            near.append(build.bool("zf"))
            model.add(begins <= ready + most).only_enforce_if(near[0])
        for p, other in enumerate(occupants):
            for k in turns:
                if p == o and k >= 0:
                    continue
                literal = build.bool("zn")
                model.add_implication(literal, there[p])
                shift = k * cycle
                first = 1 if p > o else 0
                model.add(other.start_expr() + shift + first <= begins).only_enforce_if(literal)
                model.add(begins <= other.end_expr() + shift + most).only_enforce_if(literal)
                near.append(literal)
        model.add_bool_or([nap.literal, there[o].negated(), *near])


def awake_stretches(build: Build, rest: Rest) -> tuple[list[Any], list[Any]]:
    """Return intervals of which one holds wherever what may sleep and runs something is awake.

    They begin with the window and where sleep ends, and fill what no sleep takes: together they
    are as long as all of it. On a circle without sleep another one, returned beside them, is there
    all the time.
    """
    model, cycle = build.model, build.problem.cycle
    stretches, lengths = [], []
    late = cycle or build.span
    begins: list[tuple[Any, Literal]] = [(nap.end - cycle, nap.literal) for nap in rest.naps]
    if not cycle:
        begins.append((0, rest.on))
    for begin, literal in begins:
        length = model.new_int_var(0, late, "al")
        model.add(length <= late * literal)
        until = model.new_int_var(0, build.span + cycle, "ae")
        stretches.append(model.new_optional_interval_var(begin, length, until, literal, "ai"))
        if not cycle:
            model.add(until <= rest.last).only_enforce_if(literal)
        lengths.append(length)
    slept = sum(nap.length for nap in rest.naps)
    asleep = [
        model.new_optional_interval_var(n.begin, n.length, n.end, n.literal, "an")
        for n in rest.naps
    ]
    if cycle:
        always = build.bool("aa")
        whole = model.new_optional_fixed_size_interval_var(0, build.reach + cycle, always, "aw")
        model.add(sum(lengths) + slept >= cycle * (rest.last - always))
        model.add_no_overlap(build.repeated([*stretches, *asleep], 1))
        return stretches, [whole]
    model.add(sum(lengths) + slept >= rest.last)
    model.add_no_overlap([*stretches, *asleep])
    return stretches, []


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
