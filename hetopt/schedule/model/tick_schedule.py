"""A schedule as integers of some grid, and its way onto another grid.

A plan found on a rounding grid is carried to the grid on which plans are timed (and a heuristic
plan to the model's grid, as a hint) by keeping its order: whatever ended before something else on
the same resource started still does, and everything starts as early as that and the data allow.
No resource is then used more than before (:mod:`hetopt.schedule.model.grid` says why).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import NEVER, Hop, Mode, Problem
from hetopt.schedule.model.setups import SetupTimes
from hetopt.solution import READ, WRITE, Hops, SchedulePlan

ChainKey = tuple[int, int, int, int]
"""(tensor, leg, destination device, destination unit)."""
READING_BLUR = 2
"""Ticks by which a start and a duration, each rounded to a fine grid, make an end too late."""


@dataclass(slots=True)
class TickSchedule:
    """Mode, unit and start of each task, and hop starts of each transfer, on ``problem``'s grid.

    Ends may lie up to ``blur`` ticks behind what they really are, from rounding.
    """

    problem: Problem
    mode: list[Mode]
    unit: list[int]
    start: list[int]
    hops: dict[ChainKey, list[int]]
    blur: int = 0

    def end(self, task: int) -> int:
        """End of a task in ticks."""
        return self.start[task] + self.mode[task].duration

    def plan(self) -> SchedulePlan:
        """Return the plan columns."""
        grid = self.problem.grid
        chains = needed_chains(self.problem, self.mode, self.unit) or {}
        rows = sorted(
            (*key, k, hop.link, start)
            for key, chain in chains.items()
            for k, (hop, start) in enumerate(zip(chain.hops, self.hops[key], strict=True))
        )
        tensor, leg, device, unit, ordinal, link = (
            np.array([r[i] for r in rows], dtype=np.int64) for i in range(6)
        )
        starts = np.array([grid.seconds(r[6]) for r in rows], dtype=np.float64)
        return SchedulePlan(
            np.array([m.option for m in self.mode], dtype=np.int64),
            np.array(self.unit, dtype=np.int64),
            np.array([grid.seconds(s) for s in self.start], dtype=np.float64),
            Hops(tensor, leg, device, unit, ordinal, link, starts),
        )


@dataclass(frozen=True, slots=True)
class Needed:
    """Hops of a transfer leg that a placement needs, and the producer's unit."""

    hops: tuple[Hop, ...]
    source: tuple[int, int]


def needed_chains(
    problem: Problem, mode: list[Mode], unit: list[int]
) -> dict[ChainKey, Needed] | None:
    """Return the transfer legs (with at least one hop) of a placement, None where forbidden."""
    found: dict[ChainKey, Needed] = {}
    for tensor, producer in enumerate(problem.producer):
        source = (mode[producer].device, unit[producer])
        for consumer in problem.consumers[tensor]:
            here = (mode[consumer].device, unit[consumer])
            if here == source:
                continue
            legs = problem.legs(tensor, source[0], here[0])
            if legs is None:
                return None
            for leg, hops in legs:
                to = (problem.instance.host, -1) if leg == WRITE else here
                if hops:
                    found[(tensor, leg, *to)] = Needed(hops, source)
    return found


def tick_schedule_of(problem: Problem, plan: SchedulePlan) -> TickSchedule | None:
    """Read a plan on a grid.

    On an exact grid starts are rounded down, which keeps the order; on a fine one to the nearest
    tick. Options that the problem leaves out are replaced by the one on the same device that
    makes them superfluous; None where there is none.
    """
    grid = problem.grid
    nearest: Callable[[Fraction], int] = math.floor if grid.direction == "exact" else round
    modes: list[Mode] = []
    for task, option in enumerate(plan.option.tolist()):
        mode = _mode_of(problem, task, option)
        if mode is None:
            return None
        modes.append(mode)
    hops: dict[ChainKey, list[int]] = {}
    h = plan.hops
    order = np.lexsort((h.ordinal, h.dst_unit, h.dst_device, h.leg, h.tensor))
    for i in order.tolist():
        key = (int(h.tensor[i]), int(h.leg[i]), int(h.dst_device[i]), int(h.dst_unit[i]))
        hops.setdefault(key, []).append(nearest(exact(float(h.start_s[i])) / grid.tick))
    starts = [nearest(exact(s) / grid.tick) for s in plan.start_s.tolist()]
    blur = 0 if grid.direction == "exact" else READING_BLUR
    return TickSchedule(problem, modes, plan.unit.tolist(), starts, hops, blur)


def _mode_of(problem: Problem, task: int, option: int) -> Mode | None:
    options = problem.instance.options
    found = None
    for mode in problem.modes[task]:
        if mode.option == option:
            return mode
        if (
            mode.device == options.device[option]
            and options.time_s[mode.option] <= options.time_s[option]
            and options.energy_j[mode.option] <= options.energy_j[option]
            and options.memory_b[mode.option] <= options.memory_b[option]
            and options.weights_key[mode.option] in (-1, options.weights_key[option])
            and options.configuration[mode.option] == options.configuration[option]
            and _uses_no_more(problem.instance, mode.option, option)
        ):
            found = mode
    return found


def _uses_no_more(instance: Instance, option: int, other: int) -> bool:
    """Whether an option uses at most what another one does of every resource."""
    theirs = dict(instance.uses.of(other))
    return all(amount <= theirs.get(k, 0.0) for k, amount in instance.uses.of(option))


@dataclass(slots=True)
class Activity:
    """A task (``hop`` -1) or a hop: its place in the old order and what it waits for."""

    task: int
    key: ChainKey | None
    hop: int
    start: int
    end: int
    duration: int
    rank: tuple[int, int, int, int]
    tags: list[tuple[int, int, int]]


def retime(
    schedule: TickSchedule,
    problem: Problem,
    *,
    wait: bool = False,
    options: list[int] | None = None,
) -> TickSchedule | None:
    """Carry a schedule to another grid, keeping its order, as early as possible.

    Parameters
    ----------
    wait
        Whether nothing starts earlier than before: where prices change over time.
    options
        Of each task, on the same device as before; those of the schedule where not given.

    Returns
    -------
    TickSchedule or None
        None where a deadline or the horizon is missed by the durations of the other grid.
    """
    modes = []
    wanted = [mode.option for mode in schedule.mode] if options is None else options
    for task, option in enumerate(wanted):
        new = next((m for m in problem.modes[task] if m.option == option), None)
        if new is None:
            return None
        modes.append(new)
    chains = needed_chains(problem, modes, schedule.unit)
    if chains is None:
        return None
    found = activities(schedule, problem, modes, chains)
    start = [0] * problem.n_tasks
    hops: dict[ChainKey, list[int]] = {key: [0] * len(chain.hops) for key, chain in chains.items()}
    ends: dict[ChainKey, list[int]] = {key: [0] * len(chain.hops) for key, chain in chains.items()}
    done: dict[tuple[int, int, int], int] = {}
    running: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    tick = schedule.problem.grid.tick
    # Orders on units are kept, so each task needs the set-up that it needed, on this grid.
    old_setup = SetupTimes.of(schedule.problem).ticks(modes, schedule.unit, schedule.start)
    new_setup = SetupTimes.of(problem).ticks(modes, schedule.unit, schedule.start)
    for activity in found:
        if activity.key is None:
            at = _data_ready(problem, activity.task, modes, schedule.unit, start, ends)
        else:
            at = _hop_ready(problem, activity, modes, start, ends)
        if wait:
            at = max(at, math.ceil(activity.start * tick / problem.grid.tick))
        # Nothing takes a slot of a unit before that has gone on.
        at = max([at, *(problem.ready[tag[1]] for tag in activity.tags if tag[0] == 0)])
        before = old_setup[activity.task] if activity.key is None else 0
        length = new_setup[activity.task] if activity.key is None else 0
        for tag in activity.tags:
            queue = running.setdefault(tag, [])
            if before:
                done[tag] = _over(queue, activity.start - before, done.get(tag, 0))
                at = max(at, done[tag] + length)
            done[tag] = _over(queue, activity.start, done.get(tag, 0))
            # Its own unit is free for all of the set-up.
            at = max(at, done[tag] + (length if tag[0] == 0 else 0))
        end = at + activity.duration
        limit = problem.horizon if activity.key is not None else problem.deadline[activity.task]
        if end > limit:
            return None
        if activity.key is None:
            start[activity.task] = at
        else:
            hops[activity.key][activity.hop] = at
            ends[activity.key][activity.hop] = end
        for tag in activity.tags:
            heapq.heappush(running[tag], (activity.end, end))
    return TickSchedule(problem, modes, schedule.unit, start, hops)


def _over(queue: list[tuple[int, int]], by: int, latest: int) -> int:
    """Take what ended by a time from a queue of old and new ends; return the latest new end."""
    while queue and queue[0][0] <= by:
        latest = max(latest, heapq.heappop(queue)[1])
    return latest


def _data_ready(
    problem: Problem,
    task: int,
    modes: list[Mode],
    unit: list[int],
    start: list[int],
    ends: dict[ChainKey, list[int]],
) -> int:
    ready = problem.release[task]
    here = (modes[task].device, unit[task])
    host = (problem.instance.host, -1)
    for e in problem.entering[task]:
        before, _, tensor = problem.edges[e]
        ready = max(ready, start[before] + modes[before].duration)
        if tensor < 0 or (modes[before].device, unit[before]) == here:
            continue
        for leg, hops in problem.legs(tensor, modes[before].device, here[0]) or []:
            if hops:
                to = host if leg == WRITE else here
                ready = max(ready, ends[(tensor, leg, *to)][-1])
    return ready


def _hop_ready(
    problem: Problem,
    activity: Activity,
    modes: list[Mode],
    start: list[int],
    ends: dict[ChainKey, list[int]],
) -> int:
    key = activity.key
    if key is None or activity.hop > 0:
        return ends[key][activity.hop - 1] if key is not None else 0
    producer = problem.producer[key[0]]
    ready = start[producer] + modes[producer].duration
    written = ends.get((key[0], WRITE, problem.instance.host, -1))
    if key[1] == READ and written is not None:
        ready = max(ready, written[-1])
    return ready


def activities(
    schedule: TickSchedule, problem: Problem, modes: list[Mode], chains: dict[ChainKey, Needed]
) -> list[Activity]:
    """All tasks and hops in the old order, each with the resources on which order matters."""
    old = schedule.problem
    instance = problem.instance
    position = [0] * problem.n_tasks
    for i, task in enumerate(problem.order):
        position[task] = i
    shared = _shared_resource(problem)
    overlap: list[bool] = instance.devices.overlap.tolist()
    found = [
        Activity(
            task,
            None,
            -1,
            schedule.start[task],
            schedule.end(task) - min(schedule.blur, schedule.mode[task].duration // 2),
            modes[task].duration,
            (position[task], 0, 0, 0),
            [
                (0, modes[task].device, schedule.unit[task]),
                *shared,
                *((3, k, 0) for k, _ in instance.uses.of(modes[task].option)),
            ],
        )
        for task in range(problem.n_tasks)
    ]
    for key, chain in chains.items():
        tensor, leg, device, unit = key
        lengths = _durations(old.legs(tensor, chain.source[0], device), leg, len(chain.hops))
        producer = problem.producer[tensor]
        for k, hop in enumerate(chain.hops):
            tags = [*shared]
            if hop.group >= 0:
                tags.append((1, hop.group, 0))
            if k == 0 and leg != READ and not overlap[chain.source[0]]:
                tags.append((0, *chain.source))
            if k == len(chain.hops) - 1 and leg != WRITE and not overlap[device]:
                tags.append((0, device, unit))
            at = schedule.hops[key][k]
            found.append(
                Activity(
                    producer,
                    key,
                    k,
                    at,
                    at + lengths[k] - min(schedule.blur, lengths[k] // 2),
                    hop.duration,
                    (position[producer], 1 + (leg == READ), k, device * (1 << 20) + unit),
                    tags,
                )
            )
    found.sort(key=lambda a: (a.start, a.end, a.rank))
    return found


def _durations(legs: list[tuple[int, tuple[Hop, ...]]] | None, leg: int, n: int) -> list[int]:
    for kind, hops in legs or []:
        if kind == leg:
            return [hop.duration for hop in hops]
    return [0] * n


def _shared_resource(problem: Problem) -> list[tuple[int, int, int]]:
    """One tag for everything where memory or power tie tasks on different units together."""
    instance = problem.instance
    tied = (
        np.isfinite(instance.devices.memory_b).any()
        or np.isfinite(instance.pools.memory_b).any()
        or np.isfinite(instance.limits.power_cap_w)
        or "peak_power" in instance.objective
    )
    return [(2, 0, 0)] if tied else []


def canonical_units(schedule: TickSchedule) -> TickSchedule:
    """Return the schedule with units numbered by their first task, as the model's rows ask."""
    pinned = {
        mode.device
        for task, pin in enumerate(schedule.problem.instance.tasks.pin_unit.tolist())
        if pin >= 0
        for mode in schedule.problem.modes[task]
    }
    # Units on several boards are told apart.
    pinned |= set(np.flatnonzero(schedule.problem.instance.devices.on_board >= 0).tolist())
    names: dict[tuple[int, int], int] = {}
    count: dict[int, int] = {}
    for mode, unit in zip(schedule.mode, schedule.unit, strict=True):
        if mode.device not in pinned and (mode.device, unit) not in names:
            names[(mode.device, unit)] = count.get(mode.device, 0)
            count[mode.device] = count.get(mode.device, 0) + 1
    units = [names.get((m.device, u), u) for m, u in zip(schedule.mode, schedule.unit, strict=True)]
    hops = {
        (n, leg, d, names.get((d, u), u)): starts
        for (n, leg, d, u), starts in schedule.hops.items()
    }
    return TickSchedule(schedule.problem, schedule.mode, units, schedule.start, hops, schedule.blur)


def timed(
    problem: Problem, mode: list[Mode], unit: list[int], order: list[int]
) -> TickSchedule | None:
    """Start the tasks in an order, each as early as its data and a slot of its unit allow.

    Transfers start as soon as their data are there; nothing contends for links.

    Returns
    -------
    TickSchedule or None
        None where a deadline is missed or a message has no path.
    """
    chains = needed_chains(problem, mode, unit)
    if chains is None:
        return None
    start = [0] * problem.n_tasks
    free: dict[tuple[int, int], list[int]] = {}
    for task in order:
        here = (mode[task].device, unit[task])
        at = problem.release[task]
        for e in problem.entering[task]:
            before, _, tensor = problem.edges[e]
            source = (mode[before].device, unit[before])
            ready = start[before] + mode[before].duration
            if tensor >= 0 and source != here:
                ready += problem.delay(tensor, source[0], here[0]) or 0
            at = max(at, ready)
        at = max(at, problem.ready[here[0]])
        slots = free.setdefault(here, [0] * problem.slots[here[0]])
        slot = min(range(len(slots)), key=slots.__getitem__)
        at = max(at, slots[slot])
        start[task] = at
        slots[slot] = at + mode[task].duration
        if slots[slot] > min(problem.deadline[task], NEVER):
            return None
    hops: dict[ChainKey, list[int]] = {}
    for key, chain in chains.items():
        producer = problem.producer[key[0]]
        at = start[producer] + mode[producer].duration
        hops[key] = []
        for hop in chain.hops:
            hops[key].append(at)
            at += hop.duration
    return TickSchedule(problem, mode, unit, start, hops)
