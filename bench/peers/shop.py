"""What plain schedulers understand of an instance: places, modes, durations, delays; no more.

Peers get integers of a grid. Where the instance has no coarse exact grid, durations are rounded
up: a peer's plan is then valid, and its bound means nothing (`Shop.exact` is False).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from bench.answers import UnsupportedError
from hetopt.instance import Instance
from hetopt.schedule.model.features import ON_MESSAGES, beyond
from hetopt.schedule.model.grid import Grid, model_grid, span_s
from hetopt.schedule.model.problem import NEVER, Mode, Problem
from hetopt.schedule.model.resources import LimitedResource, budgets, integer_demands, renewables
from hetopt.schedule.model.tick_schedule import ChainKey, TickSchedule, needed_chains
from hetopt.solution import SchedulePlan

Place = tuple[int, int]
"""(device, unit)."""

Extra = Literal["slots", "renewables", "budgets", "memory", "power cap"]
"""What only some plain schedulers know."""

TOLD = (
    "memory limits",
    "a power cap",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "tasks pinned to a unit",
    "resources",
    "prices that change over time",
    *ON_MESSAGES,
)
"""Features that are looked at one by one here; a peer knows no other."""

PARTS = 10**9
"""Parts of a limit that amounts are counted in where they have no common divisor."""


@dataclass(frozen=True, slots=True)
class Stock:
    """A limit of a resource in whole numbers, and what options (by index) use of it."""

    limit: int
    amount: dict[int, int]


@dataclass(frozen=True)
class Shop:
    """A schedule instance without anything that a plain scheduler lacks.

    Attributes
    ----------
    problem
        Integer columns of the instance.
    places
        All units of all devices; peers name them by index.
    exact
        Whether grid and amounts are exact, so that bounds on them are bounds.
    renewables, budgets
        Limits at each instant, and over all tasks.
    """

    problem: Problem
    places: list[Place]
    exact: bool
    renewables: tuple[Stock, ...] = ()
    budgets: tuple[Stock, ...] = ()

    @property
    def tick_s(self) -> float:
        """Seconds of a tick."""
        return float(self.problem.grid.tick)

    @cached_property
    def choices(self) -> list[list[tuple[int, Mode]]]:
        """Per task: (place, mode) of all ways to run it."""
        of_device: dict[int, list[int]] = {}
        for index, (device, _) in enumerate(self.places):
            of_device.setdefault(device, []).append(index)
        return [
            [(place, mode) for mode in modes for place in of_device.get(mode.device, [])]
            for modes in self.problem.modes
        ]

    def slots(self, place: int) -> int:
        """Tasks that a place runs at once, never more than there are."""
        return min(self.problem.slots[self.places[place][0]], self.problem.n_tasks)

    def delay(self, tensor: int, src: int, dst: int) -> int | None:
        """Ticks of a message between two places, None where there is no way."""
        if tensor < 0 or src == dst:
            return 0
        return self.problem.delay(tensor, self.places[src][0], self.places[dst][0])

    def sent_energy(self, tensor: int, src: int, dst: int) -> Fraction:
        """Joules of a message between two places, 0 where there is no way."""
        if tensor < 0 or src == dst:
            return Fraction(0)
        legs = self.problem.legs(tensor, self.places[src][0], self.places[dst][0])
        return sum((self.problem.hop_energy(tensor, hops) for _, hops in legs or ()), Fraction(0))

    def readers(self) -> dict[int, list[int]]:
        """Tasks that read each tensor that any reads."""
        found: dict[int, list[int]] = {}
        for _, b, tensor in self.problem.edges:
            if tensor >= 0:
                found.setdefault(tensor, []).append(b)
        return found

    def has_messages(self) -> bool:
        """Whether any edge may take time, depending on where its tasks run."""
        problem = self.problem
        if len(self.places) == 1:
            return False
        devices = range(len(problem.units))
        return any(
            problem.delay(tensor, a, b) != 0
            for tensor in range(len(problem.producer))
            for a in devices
            for b in devices
            if a != b or problem.units[a] > 1
        )

    def plan(self, chosen: list[tuple[int, Mode]], start: list[int]) -> SchedulePlan:
        """Return the plan of (place, mode) and start per task, messages sent at once.

        Raises
        ------
        ValueError
            If two tasks of an edge are where no message can travel.
        """
        problem = self.problem
        mode = [m for _, m in chosen]
        unit = [self.places[place][1] for place, _ in chosen]
        chains = needed_chains(problem, mode, unit)
        if chains is None:
            raise ValueError("The plan sends a message where there is no link.")
        hops: dict[ChainKey, list[int]] = {}
        for key, needed in chains.items():
            at, starts = (
                start[problem.producer[key[0]]] + mode[problem.producer[key[0]]].duration,
                [],
            )
            for hop in needed.hops:
                starts.append(at)
                at += hop.duration
            hops[key] = starts
        return TickSchedule(problem, mode, unit, start, hops).plan()


def shop(instance: Instance, allow: Collection[Extra] = ()) -> Shop:
    """Return what plain schedulers understand of an instance.

    Parameters
    ----------
    allow
        What the scheduler knows beyond machines, durations and edges.

    Raises
    ------
    UnsupportedError
        Naming everything in the instance that they do not.
    """
    lacking = _beyond(instance, allow)
    if lacking:
        raise UnsupportedError(f"It has no notion of {', '.join(lacking)}.")
    grid = model_grid(instance, span_s(instance))
    exact = grid.direction == "exact"
    problem = Problem(instance, grid if exact else Grid(grid.tick, "up"))
    places = [(d, u) for d, count in enumerate(problem.units) for u in range(count)]
    held = [_stock(limited) for limited in renewables(instance)]
    spent = [_stock(limited) for limited in budgets(instance)]
    exact = exact and all(whole for _, whole in (*held, *spent))
    return Shop(
        problem, places, exact, tuple(stock for stock, _ in held), tuple(s for s, _ in spent)
    )


def _stock(limited: LimitedResource) -> tuple[Stock, bool]:
    """Return a limit in whole numbers that is no wider than the true one, and whether it is it."""
    amounts = list(limited.amount.values())
    scaled = integer_demands(amounts, limited.limit, PARTS, "up")
    whole = all(d * scaled.unit == a for d, a in zip(scaled.demand, amounts, strict=True))
    return Stock(scaled.capacity, dict(zip(limited.amount, scaled.demand, strict=True))), whole


def _beyond(instance: Instance, allow: Collection[Extra]) -> list[str]:
    if instance.regime != "schedule":
        return ["streams"]
    devices, options, tasks = instance.devices, instance.options, instance.tasks
    limited = bool(np.isfinite(devices.memory_b).any())
    uses = bool((options.memory_b > 0).any() or (options.weights_b > 0).any())
    sends = len(instance.tensors) > 0
    found = {
        "several slots": "slots" not in allow and bool((devices.slots > 1).any()),
        "memory": "memory" not in allow and limited and (uses or sends),
        "pools of memory": len(instance.pools) > 0 and (uses or sends),
        "channels": sends and bool((instance.links.channel_group >= 0).any()),
        "staged tensors": bool(instance.tensors.staged.any()),
        "transfers that occupy a unit": sends and not bool(devices.overlap.all()),
        "renewable resources": "renewables" not in allow and len(renewables(instance)) > 0,
        "budgets of resources": "budgets" not in allow and len(budgets(instance)) > 0,
        "a power cap": "power cap" not in allow and bool(np.isfinite(instance.limits.power_cap_w)),
        "placement groups": len(instance.together) + len(instance.apart) > 0,
        "pinned units": bool((tasks.pin_unit >= 0).any()),
        "several objectives": len(instance.objective) > 1,
    }
    return [name for name, there in found.items() if there] + beyond(instance, TOLD)


def has_limits(shop: Shop) -> bool:
    """Whether releases or deadlines restrict anything."""
    problem = shop.problem
    return any(problem.release) or any(d < NEVER for d in problem.deadline)
