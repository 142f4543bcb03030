"""The variables of the CP-SAT model, and which unit runs what."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from hetopt.instance import Bools, Instance
from hetopt.instance.states.idle_sleep_start_up import home, idlers
from hetopt.instance.states.setups import device_setups
from hetopt.runtime.interrupt import go_on
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.model.problem import Bill, Mode, Problem
from hetopt.schedule.model.setups import Change

Place = tuple[int, int]
"""(device, unit); unit -1 stands for all units of a device, merged."""
MERGED = -1
Literal = Any
"""A Boolean variable, its negation, or a constant of CP-SAT."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to run one task: a mode on a place, true if ``literal`` is."""

    mode: Mode
    place: Place
    literal: Literal
    interval: Any


@dataclass(frozen=True, slots=True)
class Drawn:
    """A hop or a set-up that draws energy: literal, start and its window, true length, joules.

    ``loose`` where the true start may lie in another tick than the one that stands for it.
    """

    literal: Literal
    start: Any
    window: tuple[int, int]
    length: Fraction
    joules: Fraction
    loose: bool = False


@dataclass(frozen=True, slots=True)
class SetupRun:
    """A set-up that a place may need, if ``literal`` is; no interval where it takes no time."""

    place: Place
    literal: Literal
    interval: Any
    change: Change


@dataclass(slots=True)
class Build:
    """A model under construction: shared by all constraint families.

    Attributes
    ----------
    choices
        Per task: its choices; exactly one is true.
    at, on
        Per task: literal "runs on this place" / "on this device".
    used
        Per device with units of its own: literal "unit u runs something"; for a merged device
        literal k says that more than k units do.
    counted
        Per device: ordered literals, the k-th says that more than k units run something.
    occupied
        Intervals (and literals) that hold one slot of a place.
    setups
        Set-ups that places may need.
    paid
        Transfers and set-ups that cost energy: literal, what they add to energy, cost and carbon.
    stretches
        Straight stretches of prices by length and window of runs, made once each.
    drawn
        Hops and set-ups that draw energy, where it matters when.
    rests
        What may sleep in gaps (:class:`hetopt.schedule.cpsat.idle_sleep_start_up.Rest`).
    faithful
        False once some demand had to be rounded by more than the checker tolerates.
    loose
        Whether a plan may be worse than the model says, by gaps in which sleep just begins to pay.
    """

    problem: Problem
    model: cp_model.CpModel
    span: int
    start: list[Any] = field(default_factory=list)
    end: list[Any] = field(default_factory=list)
    choices: list[list[Choice]] = field(default_factory=list)
    at: list[dict[Place, Literal]] = field(default_factory=list)
    on: list[dict[int, Literal]] = field(default_factory=list)
    used: dict[int, list[Any]] = field(default_factory=dict)
    counted: dict[int, list[Any]] = field(default_factory=dict)
    occupied: dict[Place, list[Any]] = field(default_factory=dict)
    makespan: Any = None
    setups: list[SetupRun] = field(default_factory=list)
    paid: list[tuple[Literal, Bill]] = field(default_factory=list)
    stretches: dict[tuple[int, Fraction, int, int], Any] = field(default_factory=dict)
    drawn: list[Drawn] = field(default_factory=list)
    channels: dict[int, list[Any]] = field(default_factory=dict)
    on_times: dict[int, list[Any]] = field(default_factory=dict)
    copied: dict[tuple[int, int], Any] = field(default_factory=dict)
    rests: list[Any] = field(default_factory=list)
    possible: bool = True
    faithful: bool = True
    loose: bool = False

    def bool(self, name: str) -> Any:
        """Make a Boolean variable."""
        return self.model.new_bool_var(name)

    def time(self, name: str) -> Any:
        """Make a variable of a time in ticks."""
        return self.model.new_int_var(0, self.span, name)

    @property
    def copies(self) -> int:
        """Repetitions of a cyclic schedule of which all that overlap are among each other.

        All of one repetition lies between 0 and the span S. At an instant t, one of cycle k may
        hold only where t - S < k H <= t: at most ceil(S / H) successive ones.
        """
        cycle = self.problem.cycle
        return max(1, -(-self.span // cycle)) if cycle else 1

    @property
    def reach(self) -> int:
        """Ticks by which the last of the copies has ended."""
        return self.span + (self.copies - 1) * self.problem.cycle

    def repeated(self, intervals: list[Any], more: int = 0) -> list[Any]:
        """Return the intervals of all copies, and of some more, one copy after the other."""
        found = list(intervals)
        for k in range(1, self.copies + more):
            found.extend(self._later(interval, k) for interval in intervals)
        return found

    def presence(self, interval: Any) -> Literal:
        """Return the literal that says whether an interval is there: each has one."""
        # -1 - v is "not v".
        (at,) = self.model.proto.constraints[interval.index].enforcement_literal
        there = self.model.get_bool_var_from_proto_index(at if at >= 0 else -1 - at)
        return there if at >= 0 else there.negated()

    def _later(self, interval: Any, k: int) -> Any:
        """Return the interval k cycles later; made once."""
        key = (interval.index, k)
        if key not in self.copied:
            shift = k * self.problem.cycle
            start, end = interval.start_expr() + shift, interval.end_expr() + shift
            self.copied[key] = self.model.new_optional_interval_var(
                start,
                interval.size_expr(),
                end,
                self.presence(interval),
                f"{interval.name}+{k}",
            )
        return self.copied[key]

    def no_overlap(self, intervals: list[Any]) -> None:
        """At most one of the intervals, of all copies, at once."""
        self.model.add_no_overlap(self.repeated(intervals))

    def cumulative(self, intervals: list[Any], demands: list[int], capacity: Any) -> None:
        """Sum of the demands of the intervals, of all copies, at most the capacity."""
        self.model.add_cumulative(self.repeated(intervals), demands * self.copies, capacity)


def merged_devices(problem: Problem) -> list[bool]:
    """Whether the identical units of a device count as one place (docs/mathematics.md).

    Only without memory limits, messages that touch the device, transfers that take slots, set-ups,
    and rules that name units or tell them apart.
    """
    instance = problem.instance
    devices = instance.devices
    if problem.cycle:
        # Units on a circle are not coloured: each repetition of a task has the same one.
        return [False] * len(devices)
    # Gaps are of units, each of its own.
    asleep = idlers(instance).sleeps | told_apart(instance)
    limited = [
        bool(m < float("inf")) or bool(p >= 0 and instance.pools.memory_b[p] < float("inf"))
        for m, p in zip(devices.memory_b.tolist(), devices.pool.tolist(), strict=True)
    ]
    touched = [False] * len(devices)
    special = {t for t, pin in enumerate(instance.tasks.pin_unit.tolist()) if pin >= 0}
    special.update(instance.together.task.tolist())
    special.update(instance.apart.task.tolist())
    for before, after, tensor in problem.edges:
        if tensor >= 0:
            special.update((before, after))
    for task in sorted(special):
        for device in problem.devices_of(task):
            touched[device] = True
    for device in device_setups(instance):
        touched[device] = True
    return [
        problem.units[d] > 1
        and not (limited[d] or touched[d] or asleep[d])
        and bool(devices.overlap[d])
        for d in range(len(devices))
    ]


def make_variables(problem: Problem) -> Build:
    """Make starts, ends, choices and intervals, with domains cut by heads and deadlines."""
    build = Build(problem, cp_model.CpModel(), problem.span)
    merged = merged_devices(problem)
    pin: list[int] = problem.instance.tasks.pin_unit.tolist()
    heads, late = TimeWindows.of(problem).heads, TimeWindows.of(problem).latest_ends
    for task in range(problem.n_tasks):
        usable = [
            m
            for m in problem.modes[task]
            if heads[task][m.device] + m.duration <= late[task][m.device]
        ]
        if not usable:
            build.possible = False
            return build
        first = min(heads[task][m.device] for m in usable)
        last = max(late[task][m.device] for m in usable)
        shortest = min(m.duration for m in usable)
        build.start.append(build.model.new_int_var(first, last - shortest, f"s{task}"))
        build.end.append(build.model.new_int_var(first + shortest, last, f"e{task}"))
        build.choices.append(_choices(build, task, usable, merged, pin[task]))
        _link_task(build, task)
        go_on()
    longest = max((int(late_end) for ends in late for late_end in ends.values()), default=0)
    build.makespan = build.model.new_int_var(0, max(0, min(build.span, longest)), "W")
    return build


def _choices(
    build: Build, task: int, modes: list[Mode], merged: list[bool], pin: int
) -> list[Choice]:
    model, found = build.model, []
    for mode in modes:
        device = mode.device
        units = [MERGED] if merged[device] else list(range(build.problem.units[device]))
        for unit in [pin] if pin >= 0 else units:
            literal = build.bool(f"x{task},{mode.option},{unit}")
            interval = model.new_optional_interval_var(
                build.start[task], mode.duration, build.end[task], literal, f"i{task}"
            )
            found.append(Choice(mode, (device, unit), literal, interval))
            if mode.duration:
                build.occupied.setdefault((device, unit), []).append(interval)
    return found


def _link_task(build: Build, task: int) -> None:
    """Exactly one choice; end = start + duration; windows by device."""
    model, choices = build.model, build.choices[task]
    model.add_exactly_one(c.literal for c in choices)
    model.add(
        build.end[task] == build.start[task] + sum(c.mode.duration * c.literal for c in choices)
    )
    places: dict[Place, list[Literal]] = {}
    devices: dict[int, list[Literal]] = {}
    for choice in choices:
        places.setdefault(choice.place, []).append(choice.literal)
        devices.setdefault(choice.place[0], []).append(choice.literal)
    build.at.append({p: _any(build, ls, f"at{task}") for p, ls in places.items()})
    on = {}
    for device, literals in devices.items():
        homes = [place for place in places if place[0] == device]
        on[device] = (
            build.at[task][homes[0]] if len(homes) == 1 else _any(build, literals, f"on{task}")
        )
    build.on.append(on)
    heads, late = (
        TimeWindows.of(build.problem).heads[task],
        TimeWindows.of(build.problem).latest_ends[task],
    )
    model.add(build.start[task] >= sum(heads[d] * literal for d, literal in on.items()))
    model.add(build.end[task] <= sum(late[d] * literal for d, literal in on.items()))


def _any(build: Build, literals: list[Literal], name: str) -> Literal:
    """Return a literal equal to the sum of literals of which at most one is true."""
    if len(literals) == 1:
        return literals[0]
    literal = build.bool(name)
    build.model.add(sum(literals) == literal)
    return literal


def limit_slots(build: Build) -> None:
    """No place runs more at once than it has slots; hops of ``overlap: false`` are among it."""
    problem, model = build.problem, build.model
    for place in sorted(build.occupied):
        device, unit = place
        intervals = build.occupied[place]
        slots = problem.slots[device]
        if unit == MERGED:
            units = model.new_int_var(0, problem.units[device], f"n{device}")
            model.add(units == sum(build.used[device]))
            model.add_cumulative(intervals, [1] * len(intervals), slots * units)
        elif slots == 1:
            build.no_overlap(intervals)
        elif slots < (len(intervals) - _alternatives(build, place)) * build.copies:
            build.cumulative(intervals, [1] * len(intervals), slots)


def _alternatives(build: Build, place: Place) -> int:
    """Intervals of a place beyond the first of each task: at most one of a task's is there."""
    own = [
        sum(1 for c in choices if c.place == place and c.mode.duration) for choices in build.choices
    ]
    return sum(n - 1 for n in own if n)


def count_units(build: Build) -> None:
    """Which units run something; identical units are used in the order of their first task."""
    problem, model = build.problem, build.model
    merged = merged_devices(problem)
    pinned = {
        m.device
        for t, pin in enumerate(problem.instance.tasks.pin_unit.tolist())
        if pin >= 0
        for m in problem.modes[t]
    }
    apart = told_apart(problem.instance)
    for device in range(len(problem.units)):
        n = problem.units[device]
        used = [build.bool(f"u{device},{k}") for k in range(n)]
        build.used[device] = used
        for task in range(problem.n_tasks):
            for place, literal in build.at[task].items():
                if place[0] == device:
                    model.add_implication(literal, used[max(place[1], 0)])
        ordered = merged[device] or (device not in pinned and not apart[device])
        if ordered:
            for before, after in pairwise(used):
                model.add_implication(after, before)
            build.counted[device] = used
            if not merged[device]:
                _first_task_order(build, device)
        else:
            counted = [build.bool(f"c{device},{k}") for k in range(n)]
            for before, after in pairwise(counted):
                model.add_implication(after, before)
            model.add(sum(counted) == sum(used))
            build.counted[device] = counted


def count_boards(build: Build) -> None:
    """Which boards are on: those of which a unit runs something."""
    problem, model = build.problem, build.model
    instance, first = problem.instance, len(problem.units)
    for b, most in enumerate(instance.boards.count_max.tolist()):
        used = [build.bool(f"B{b},{k}") for k in range(most)]
        build.used[first + b] = used
        for device in np.flatnonzero(instance.devices.on_board == b).tolist():
            for unit, literal in enumerate(build.used[device]):
                at = 0 if most == 1 else home(instance, device, unit)[1][1]
                model.add_implication(literal, used[at])
        counted = used if most == 1 else [build.bool(f"C{b},{k}") for k in range(most)]
        for before, after in pairwise(counted):
            model.add_implication(after, before)
        if most > 1:
            model.add(sum(counted) == sum(used))
        build.counted[first + b] = counted


def told_apart(instance: Instance) -> Bools:
    """Whether units of each device are told apart by their board, or that sleeps (by row)."""
    devices, boards = instance.devices, instance.boards
    rows = idlers(instance)
    several = np.append(boards.count_max > 1, False)[devices.on_board]
    sleeping = np.append(rows.sleeps[len(devices) :], False)[devices.on_board]
    return np.concatenate([several | sleeping, np.zeros(len(boards), dtype=bool)])


def _first_task_order(build: Build, device: int) -> None:
    """Allow a task on unit u > 0 only if a task of smaller index runs on unit u - 1."""
    for unit in range(1, build.problem.units[device]):
        before: list[Literal] = []
        for task in range(build.problem.n_tasks):
            here = build.at[task].get((device, unit))
            if here is not None:
                build.model.add_bool_or([*before, here.negated()])
            previous = build.at[task].get((device, unit - 1))
            if previous is not None:
                before.append(previous)


def group_tasks(build: Build) -> None:
    """``together``: one unit for all; ``apart``: pairwise different units."""
    instance, model = build.problem.instance, build.model
    for group in instance.together:
        tasks: list[int] = group.tolist()
        for a, b in pairwise(tasks):
            for place in sorted({*build.at[a], *build.at[b]}):
                left, right = build.at[a].get(place), build.at[b].get(place)
                if left is None or right is None:
                    model.add((left if left is not None else right) == 0)
                else:
                    model.add(left == right)
    for group in instance.apart:
        homes: dict[Place, list[Literal]] = {}
        for task in group.tolist():
            for place, literal in build.at[task].items():
                homes.setdefault(place, []).append(literal)
        for literals in homes.values():
            model.add_at_most_one(literals)
