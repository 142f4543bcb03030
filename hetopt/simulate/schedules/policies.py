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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.slowing import demands_of
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.paths import Network
from hetopt.schedule.bounds.objective_bounds import load_plan, makespan_bound, makespan_prices
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
from hetopt.simulate.schedules.expected import Expected
from hetopt.simulate.schedules.fitting import Fitting
from hetopt.simulate.schedules.shared.messages import Unit
from hetopt.simulate.schedules.shared.order import Order
from hetopt.simulate.schedules.world import chains, following

PACE = 1.25
"""Where no deadline says when a task must have ended, ``price`` aims at so many times the bound of
the makespan."""


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

    order: Order | None = None
    delta_s: float | None = None

    def __init__(self, rule: str, instance: Instance) -> None:
        self.name, self.instance = rule, instance
        self.network = Network(instance)
        self.time = instance.options.time_s
        self.work = instance.tasks.work
        self.tail = chains(instance).tolist()
        pinned = instance.tasks.pin_unit
        self.pin = pinned.tolist()
        self.together = _groups(instance.together)
        self.apart = _groups(instance.apart)
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
        self.demands = demands_of(instance)
        self.fitting = Fitting(instance)
        self.order_of_tasks = sorted(range(len(instance.tasks)), key=lambda t: (-self.tail[t], t))

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return where each task goes that is ready and has no unit that is there."""
        if not isinstance(event, Arrived | Finished | DeviceDown | DeviceUp):
            return (Wait(),)
        expected = Expected(self.instance, self.network, state)
        ready = [t for t in self.order_of_tasks if self._is_open(state, expected, t)]
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
        before = expected.leaves(t)
        choices = list(self._choices(t, expected))
        if not choices:
            if before is not None:
                expected.goes(t, *before)
            return None
        best = self._best(t, choices)
        time = self._takes(t, best.option, expected)
        expected.placed(best.unit, best.option, time, expected.arrival(t, best.unit))
        expected.goes(t, best.unit, best.option)
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
            for o in self.options[t]:
                if options.device[o] != unit[0] or not self._affordable(t, o):
                    continue
                if not self.fitting.fits(t, o, unit, expected):
                    continue
                end = expected.begin(unit, o, arrived) + self._takes(t, o, expected)
                later = max(0.0, end - expected.latest)
                opens = self.idle[unit[0]] * end if unit not in expected.used else 0.0
                setup = self.joule[unit[0]] * expected.setups.wanted(unit, o)[1]
                adds = float(self.work[t]) * self.cost[o] + opens + setup + self.always * later
                found.append(Choice(o, unit, end, adds))
        return found

    def _takes(self, t: int, option: int, expected: Expected) -> float:
        """Return how long a task takes at the speed at which it would begin."""
        return float(self.work[t] * self.time[option]) / expected.speed(self.demands[option])

    def _fits(self, t: int, unit: Unit, expected: Expected) -> bool:
        if self.pin[t] >= 0 and self.pin[t] != unit[1]:
            return False
        if any(expected.home.get(m, unit) != unit for m in self.together.get(t, ())):
            return False
        if any(expected.home.get(m) == unit for m in self.apart.get(t, ())):
            return False
        return expected.reaches(t, unit)

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
        self.joule = np.ones(len(devices)).tolist()
        if self.name != "price":
            return options.energy_j.tolist(), opens.tolist()
        name = instance.objective[0]
        if name in ("makespan", "tardiness"):
            prices = makespan_prices(instance)
            self.always = 0.0
            self.joule = np.zeros(len(devices)).tolist()
            return (prices[options.device] * options.time_s).tolist(), [0.0] * len(devices)
        joule = joule_prices(instance, name if name in ("cost", "carbon") else "energy")
        self.joule = joule.tolist()
        worth = load_plan(instance).prices
        self.always *= float(joule.max(initial=0.0))
        cost = options.energy_j * joule[options.device] + worth[options.device] * options.time_s
        return cost.tolist(), (opens * joule).tolist()


def _groups(groups: Iterable[Ints]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for group in groups:
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
