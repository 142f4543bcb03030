"""Policies of schedules (docs/simulate.md).

``plan``
    Each task on the option and unit of the plan, in its order; where a power cap, resources or
    prices over time tie units together, in its order over all units, or at its times. Tasks of a
    unit that fails go to where they are expected to end first.
``greedy``
    Each task that is ready where it is expected to end first; the longest chain behind it goes
    first (upward ranks, as HEFT does).
``energy-greedy``
    Of the options and units that are expected to keep the job's deadline, that which adds the least
    energy: its own, idle of a unit that it opens, and of all for the time by which the end moves.
``price``
    The same at the prices of the load bound: what a joule costs, and each second on a device at
    what the relaxation says that it is worth.
``rolling``
    :class:`hetopt.simulate.schedules.rolling.RollingSchedule`.
``only:DEVICE``
    The plan of a homogeneous rival.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.paths import Network
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.bounds.objective_bounds import load_plan, makespan_bound, makespan_prices
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.usable_options import usable_classes
from hetopt.simulate.events import (
    Action,
    Arrived,
    DeviceDown,
    DeviceUp,
    Event,
    Finished,
    Start,
    State,
    Wait,
)
from hetopt.simulate.schedules.messages import Hop, Unit
from hetopt.simulate.schedules.world import chains, following
from hetopt.solution import SchedulePlan

PACE = 1.25
"""Where no deadline says when a task must have ended, ``price`` aims at so many times the bound of
the makespan."""


@dataclass
class Expected:
    """What a policy expects of a state: when units are free, where inputs are."""

    instance: Instance
    network: Network
    state: State

    def __post_init__(self) -> None:
        index = {str(n): t for t, n in enumerate(self.instance.tasks.name)}
        devices = {str(n): d for d, n in enumerate(self.instance.devices.name)}
        self.now = self.state.time_s
        self.units: list[Unit] = []
        self.down: set[Unit] = set()
        for told in self.state.units:
            key = (devices[told.device], told.unit)
            self.units.append(key)
            if told.status == "down":
                self.down.add(key)
        self.home: dict[int, Unit] = {}
        self.free: dict[Unit, list[float]] = {}
        self.used: set[Unit] = set()
        self.latest = self.now
        behind = []
        for task in self.state.tasks:
            if task.unit is None:
                continue
            t, unit = index[task.task], (devices[task.device], task.unit)
            self.home[t] = unit
            if task.status in ("running", "done"):
                self.used.add(unit)
            if task.status == "running":
                self._takes_slot(unit, max(self.now, (task.started_s or 0.0) + self._time(task, t)))
            elif task.status != "done":
                behind.append((unit, self._time(task, t)))
        for unit, time in behind:
            self.placed(unit, time)

    def _time(self, task: object, t: int) -> float:
        label, d = task.option, self.home[t][0]  # type: ignore[attr-defined]
        options = self.instance.options
        for o in self.instance.task_options(t).tolist():
            if options.device[o] == d and options.label[o] == label:
                return float(self.instance.tasks.work[t] * options.time_s[o])
        raise ValueError(f"{self.instance.tasks.name[t]} has no option {label!r} where it is.")

    def _takes_slot(self, unit: Unit, until: float) -> None:
        self.free.setdefault(unit, []).append(until)
        self.latest = max(self.latest, until)

    def placed(self, unit: Unit, time: float, arrived: float = 0.0) -> float:
        """Put a task behind those of a unit; return when it is expected to end."""
        end = self.begin(unit, arrived) + time
        ends = self.free.setdefault(unit, [])
        if len(ends) >= self.instance.devices.slots[unit[0]]:
            ends.remove(min(ends))
        self._takes_slot(unit, end)
        self.used.add(unit)
        return end

    def begin(self, unit: Unit, arrived: float = 0.0) -> float:
        """Return when a task may begin there."""
        ends = self.free.get(unit, [])
        full = len(ends) >= self.instance.devices.slots[unit[0]]
        return max(self.now, arrived, min(ends) if full else self.now)

    def arrival(self, t: int, unit: Unit) -> float:
        """Return when a task's inputs would be at a unit, without contention; inf: never."""
        latest, edges = self.now, self.instance.edges
        ptr, rows = self.instance.predecessors
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            tensor, source = int(edges.tensor[e]), self.home[int(edges.src[e])]
            if tensor >= 0 and source != unit:
                size = float(self.instance.tensors.bytes_b[tensor])
                latest = max(latest, self.now + self.network.time_s(source[0], unit[0], size))
        return latest


@dataclass(frozen=True)
class Choice:
    """One way to run a task: option and unit, when it would end, and what it adds to the sum."""

    option: int
    unit: Unit
    end: float
    adds: float


class Dispatcher:
    """Asks for each task once it is ready, where its rule says.

    Parameters
    ----------
    rule
        ``greedy``, ``energy-greedy`` or ``price``.
    """

    ordered = False
    messages: dict[int, list[Hop]] | None = None
    delta_s: float | None = None

    def __init__(self, rule: str, instance: Instance) -> None:
        self.name, self.instance = rule, instance
        self.network = Network(instance)
        self.time = instance.options.time_s
        self.work = instance.tasks.work
        self.tail = chains(instance).tolist()
        pinned = instance.tasks.pin_unit
        self.pin = pinned.tolist()
        self.together = _groups(instance, instance.together)
        self.apart = _groups(instance, instance.apart)
        # Those that are accurate enough for the task's job.
        classes = usable_classes(instance)
        self.options: list[list[int]] = [
            classes.option[classes.ptr[c] : classes.ptr[c + 1]].tolist()
            for c in classes.member.tolist()
        ]
        least = [_least_need(instance, options) for options in self.options]
        self.least, self.taken = least, dict(enumerate(least))
        self.spare = instance.resources.budget - np.sum(least, axis=0)
        self.last = self._latest_ends()
        self.cost, self.idle = self._costs()
        self.order = sorted(range(len(instance.tasks)), key=lambda t: (-self.tail[t], t))

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return where each task goes that is ready and has no unit that is there."""
        if not isinstance(event, Arrived | Finished | DeviceDown | DeviceUp):
            return (Wait(),)
        expected = Expected(self.instance, self.network, state)
        ready = [t for t in self.order if self._is_open(state, expected, t)]
        found: list[Action] = []
        for t in ready:
            action = self.place(t, expected)
            if action is not None:
                found.append(action)
        return tuple(found) or (Wait(),)

    def _is_open(self, state: State, expected: Expected, t: int) -> bool:
        task = state.tasks[t]
        if task.status != "ready":
            return False
        return task.unit is None or expected.home[t] in expected.down

    def place(self, t: int, expected: Expected) -> Action | None:
        """Return where a task goes, and count with it; None where it fits nowhere now."""
        before = expected.home.pop(t, None)
        choices = list(self._choices(t, expected))
        if not choices:
            if before is not None:
                expected.home[t] = before
            return None
        best = self._best(t, choices)
        time = float(self.work[t] * self.time[best.option])
        expected.placed(best.unit, time, expected.arrival(t, best.unit))
        expected.home[t] = best.unit
        self.spare += self.taken[t] - _need(self.instance, best.option)
        self.taken[t] = _need(self.instance, best.option)
        names, label = self.instance.devices.name, self.instance.options.label
        return Start(
            str(self.instance.tasks.name[t]),
            str(names[best.unit[0]]),
            best.unit[1],
            str(label[best.option]),
        )

    def _choices(self, t: int, expected: Expected) -> Sequence[Choice]:
        found = []
        options = self.instance.options
        for unit in expected.units:
            if unit in expected.down or not self._fits(t, unit, expected):
                continue
            arrived = expected.arrival(t, unit)
            if math.isinf(arrived):
                continue
            begin = expected.begin(unit, arrived)
            for o in self.options[t]:
                if options.device[o] != unit[0] or not self._affordable(t, o):
                    continue
                end = begin + float(self.work[t] * self.time[o])
                later = max(0.0, end - expected.latest)
                opens = self.idle[unit[0]] * end if unit not in expected.used else 0.0
                adds = float(self.work[t]) * self.cost[o] + opens + self.always * later
                found.append(Choice(o, unit, end, adds))
        return found

    def _fits(self, t: int, unit: Unit, expected: Expected) -> bool:
        if self.pin[t] >= 0 and self.pin[t] != unit[1]:
            return False
        if any(expected.home.get(m, unit) != unit for m in self.together.get(t, ())):
            return False
        return all(expected.home.get(m) != unit for m in self.apart.get(t, ()))

    def _affordable(self, t: int, option: int) -> bool:
        more = _need(self.instance, option) - self.taken[t]
        room = self.spare + LIMIT_TOLERANCE * np.abs(self.instance.resources.budget)
        return bool((more <= np.where(np.isnan(room), np.inf, room)).all())

    def _best(self, t: int, choices: Sequence[Choice]) -> Choice:
        def first(c: Choice) -> tuple[float, float, int, Unit]:
            return (c.end, c.adds, c.option, c.unit)

        if self.name == "greedy":
            return min(choices, key=first)
        kept = [c for c in choices if c.end <= self.last[t]]
        if not kept:
            return min(choices, key=first)
        return min(kept, key=lambda c: (c.adds, c.end, c.option, c.unit))

    def _latest_ends(self) -> list[float]:
        """Return when each task must have ended for its job to keep its deadline."""
        jobs = self.instance.jobs
        deadline = np.minimum(jobs.deadline_s, self.instance.limits.horizon_s)
        deadline = np.where(np.isfinite(deadline), deadline, jobs.due_s)
        if self.name == "price":
            deadline = np.where(
                np.isfinite(deadline), deadline, PACE * makespan_bound(self.instance)
            )
        ends = deadline[self.instance.tasks.job]
        found: list[float] = (ends - following(self.instance)).tolist()
        return found

    def _costs(self) -> tuple[list[float], list[float]]:
        """Return what options cost at work 1, and what a unit that it opens draws."""
        instance, devices = self.instance, self.instance.devices
        options = instance.options
        idle = devices.idle_power_w
        horizon = instance.limits.horizon_s
        always = np.where(devices.off_when_unused, 0.0, idle * devices.count_min)
        # Within a horizon all units that are always on are so for all of it, whatever is done.
        self.always = 0.0 if math.isfinite(horizon) else float(always.sum())
        opens = np.where(devices.off_when_unused, idle, 0.0)
        if self.name != "price":
            return options.energy_j.tolist(), opens.tolist()
        name = instance.objective[0]
        if name in ("makespan", "tardiness"):
            prices = makespan_prices(instance)
            self.always = 0.0
            return (prices[options.device] * options.time_s).tolist(), [0.0] * len(devices)
        joule = joule_prices(instance, name if name in ("cost", "carbon") else "energy")
        worth = load_plan(instance).prices
        self.always *= float(joule.max(initial=0.0))
        cost = options.energy_j * joule[options.device] + worth[options.device] * options.time_s
        return cost.tolist(), (opens * joule).tolist()


class Planned:
    """Keeps to a plan: its options, units and order.

    Parameters
    ----------
    plan
        In terms of ``instance``.
    """

    delta_s: float | None = None

    def __init__(self, instance: Instance, plan: SchedulePlan, name: str = "plan") -> None:
        self.name, self.instance, self.plan = name, instance, plan
        self.timed = prices_vary(instance)
        self.ordered = has_any(instance, ("a power cap", "resources"))
        self.messages: dict[int, list[Hop]] | None = _hop_order(instance, plan)
        self.begun = False
        self._elsewhere = Dispatcher("greedy", instance)

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return all starts at first; and others for tasks whose unit fails."""
        if not self.begun:
            self.begun = True
            return tuple(self.starts(self.plan, self.instance, range(len(self.instance.tasks))))
        if isinstance(event, DeviceDown):
            return self.moved(state) or (Wait(),)
        return (Wait(),)

    def starts(
        self, plan: SchedulePlan, instance: Instance, tasks: Sequence[int], shift_s: float = 0.0
    ) -> list[Action]:
        """Return what a plan asks for, in its order."""
        rank = np.empty(len(instance.tasks), dtype=np.int64)
        rank[instance.topological_order] = np.arange(len(rank))
        found: list[Action] = []
        for t in sorted(tasks, key=lambda t: (float(plan.start_s[t]), int(rank[t]))):
            o = int(plan.option[t])
            found.append(
                Start(
                    str(instance.tasks.name[t]),
                    str(instance.devices.name[instance.options.device[o]]),
                    int(plan.unit[t]),
                    str(instance.options.label[o]),
                    not_before_s=shift_s + float(plan.start_s[t]) if self.timed else None,
                )
            )
        return found

    def moved(self, state: State) -> tuple[Action, ...]:
        """Return where the tasks go whose units are down."""
        # The plan's order over units, and of messages, is that of another world now.
        self.ordered, self.messages = False, None
        expected = Expected(self.instance, self._elsewhere.network, state)
        found = []
        for t in self._elsewhere.order:
            task = state.tasks[t]
            stays = task.status in ("running", "done") or task.unit is None
            if stays or expected.home[t] not in expected.down:
                continue
            action = self._elsewhere.place(t, expected)
            if action is not None:
                found.append(action)
        return tuple(found)


def _hop_order(instance: Instance, plan: SchedulePlan) -> dict[int, list[Hop]] | None:
    hops = plan.hops
    found: dict[int, list[Hop]] = {}
    for h in np.argsort(hops.start_s, kind="stable").tolist():
        group = int(instance.links.channel_group[hops.link[h]])
        if group >= 0:
            key = (hops.tensor[h], hops.dst_device[h], hops.dst_unit[h], hops.ordinal[h])
            found.setdefault(group, []).append((int(key[0]), int(key[1]), int(key[2]), int(key[3])))
    return found or None


def _groups(instance: Instance, groups: object) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for group in groups:  # type: ignore[attr-defined]
        members = group.tolist()
        for t in members:
            found.setdefault(t, []).extend(m for m in members if m != t)
    return found


def _need(instance: Instance, option: int) -> Floats:
    """Return what an option takes of each resource (K)."""
    found = np.zeros(len(instance.resources))
    for k, amount in instance.uses.of(option):
        found[k] = amount
    return found


def _least_need(instance: Instance, options: Sequence[int]) -> Floats:
    """Return the least of each resource that one of some options takes (K)."""
    needs = [_need(instance, o) for o in options]
    return np.min(needs, axis=0) if needs else np.zeros(len(instance.resources))
