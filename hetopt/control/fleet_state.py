"""What the controller knows of units and requests: what follows from the events so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.replan.boards import boards_under_units, never_off
from hetopt.simulate.events import State, UnitState, UnitStatus
from hetopt.solution import SteadyPlan

BUCKETS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
MOST_OPEN = 100_000
"""Requests under way that are remembered; the oldest are forgotten beyond, and counted."""


@dataclass
class Unit:
    """A unit: its status, since when, and what runs there; what policies see of it is kept."""

    status: UnitStatus = "off"
    until_s: float | None = None
    running: float = 0.0
    running_s: float = 0.0
    weights: frozenset[int] = frozenset()

    def __setattr__(self, name: str, value: Any) -> None:
        """Change a field, and forget what was seen."""
        self.__dict__[name] = value
        self.__dict__["seen"] = None

    def seen_as(self, device: str, number: int, keys: Sequence[tuple[str, str]]) -> UnitState:
        """Return what a policy sees."""
        found: UnitState | None = self.__dict__["seen"]
        if found is None:
            weights = tuple(keys[w] for w in sorted(self.weights))
            found = UnitState(
                *(device, number, self.status, self.until_s),
                *(self.running, self.running_s, None, weights),
            )
            self.__dict__["seen"] = found
        return found


@dataclass
class JobTotals:
    """What came of the requests of a job; ``buckets`` counts latencies up to BUCKETS_S."""

    arrived: int = 0
    since_tick: int = 0
    served: int = 0
    missed: int = 0
    latency_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))


@dataclass
class DeviceTotals:
    """What ran on a device: executions, busy time, energy above idle as measured and as planned."""

    executions: int = 0
    busy_s: float = 0.0
    planned_busy_s: float = 0.0
    energy_j: float = 0.0
    planned_j: float = 0.0
    idle_j: float = 0.0
    measured: int = 0
    implausible: int = 0


@dataclass
class Open:
    """A request under way: job, when it came, and tasks still to end."""

    job: int
    at_s: float
    left: int


class Fleet:
    """Units and totals of one instance."""

    def __init__(self, instance: Instance, plan: SteadyPlan) -> None:
        devices = instance.devices
        self.instance = instance
        self._names = [str(n) for n in devices.name]
        self.devices = {name: d for d, name in enumerate(self._names)}
        self.jobs = {str(n): j for j, n in enumerate(instance.jobs.name)}
        self.tasks = {str(n): t for t, n in enumerate(instance.tasks.name)}
        self.size = [
            int(most) if most != NO_MAXIMUM else max(int(had), 1) * 4
            for most, had in zip(devices.count_max, plan.units_had, strict=True)
        ]
        self.units: dict[tuple[int, int], Unit] = {
            (d, u): Unit() for d, n in enumerate(self.size) for u in range(n)
        }
        on = np.where(devices.off_when_unused, plan.units_on, plan.units_had)
        for d, n in enumerate(on.tolist()):
            for u in range(n):
                self.units[d, u].status = "on"
        self.hold(plan)
        self.job_totals = [JobTotals() for _ in self.jobs]
        self.device_totals = [DeviceTotals() for _ in self.devices]
        self.board_j = [0.0] * len(instance.boards)
        self._kept_on = never_off(instance, plan).tolist()
        self.open: dict[str, Open] = {}
        self.forgotten = 0
        self.running: dict[str, tuple[int, int, float]] = {}
        self.time_s = 0.0
        self.cap_w: float | None = None
        cap = instance.limits.power_cap_w
        if np.isfinite(cap):
            self.cap_w = float(cap)
        size = np.diff(instance.job_tasks[0])
        self.tasks_of_job = [int(n) for n in size]

    def hold(self, plan: SteadyPlan) -> None:
        """Note the weights that a plan has its units hold."""
        options = self.instance.options
        used = np.repeat(plan.rate_per_s > 0, np.diff(plan.ptr)) & (plan.unit >= 0)
        for o, u in zip(plan.option[used].tolist(), plan.unit[used].tolist(), strict=True):
            key, d = int(options.weights_key[o]), int(options.device[o])
            if key >= 0 and (d, u) in self.units:
                self.units[d, u].weights |= {key}

    def advance(self, time_s: float) -> None:
        """Let time pass: idle power adds up, units that start are on."""
        span = time_s - self.time_s
        if span <= 0:
            return
        idle, boards = self.instance.devices.idle_power_w, self.instance.boards.idle_power_w
        for b, lit in enumerate(self.boards_on()):
            self.board_j[b] += float(boards[b]) * lit * span
        for (d, _), unit in self.units.items():
            if unit.status in ("on", "starting", "draining"):
                self.device_totals[d].idle_j += float(idle[d]) * span
            if unit.status == "starting" and (unit.until_s or 0.0) <= time_s:
                unit.status, unit.until_s = "on", None
            if unit.status == "draining" and unit.running <= 0:
                unit.status = "off"
        self.time_s = time_s

    def boards_on(self) -> list[int]:
        """Return how many boards of each kind are on: those with units on, or never off."""
        found = list(self._kept_on)
        if not found:
            return found
        on = [key for key, x in self.units.items() if x.status in ("on", "starting", "draining")]
        lit = [kind for kind, _ in boards_under_units(self.instance, on)]
        return [max(kept, lit.count(b)) for b, kept in enumerate(found)]

    def power_w(self) -> float:
        """Return the power as it is known: idle of units on, and what runs, at its planned draw."""
        idle = self.instance.devices.idle_power_w
        options = self.instance.options
        total = sum(
            float(idle[d])
            for (d, _), unit in self.units.items()
            if unit.status in ("on", "starting", "draining")
        )
        boards: list[float] = self.instance.boards.idle_power_w.tolist()
        total += sum(watts * lit for watts, lit in zip(boards, self.boards_on(), strict=True))
        for _, o, _ in self.running.values():
            time = float(options.time_s[o])
            total += float(options.energy_j[o]) / time if time > 0 else 0.0
        return total

    def state(self) -> State:
        """Return what a policy sees."""
        names, keys = self._names, self.instance.model_keys
        return State(
            self.time_s,
            tuple(unit.seen_as(names[d], u, keys) for (d, u), unit in self.units.items()),
            (),
            (),
            (),
            self.cap_w,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "time_s": self.time_s,
            "cap_w": self.cap_w,
            "forgotten": self.forgotten,
            "units": [
                [d, u, x.status, x.until_s, x.running, x.running_s, sorted(x.weights)]
                for (d, u), x in self.units.items()
            ],
            "jobs": [vars(total) for total in self.job_totals],
            "devices": [vars(total) for total in self.device_totals],
            "boards": list(self.board_j),
            "open": [[key, x.job, x.at_s, x.left] for key, x in self.open.items()],
            "running": [[key, *x] for key, x in self.running.items()],
        }

    def read(self, found: dict[str, Any]) -> None:
        """Take over what :meth:`to_dict` wrote."""
        self.time_s, self.cap_w = found["time_s"], found["cap_w"]
        self.forgotten = found["forgotten"]
        for d, u, status, until, running, running_s, weights in found["units"]:
            self.units[d, u] = Unit(status, until, running, running_s, frozenset(weights))
        self.job_totals = [JobTotals(**row) for row in found["jobs"]]
        self.device_totals = [DeviceTotals(**row) for row in found["devices"]]
        self.board_j = list(found.get("boards", self.board_j))
        self.open = {key: Open(job, at, left) for key, job, at, left in found["open"]}
        self.running = {key: (t, o, at) for key, t, o, at in found["running"]}
