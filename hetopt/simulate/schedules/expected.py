"""What a policy expects of a state: when units are free, what they hold, where inputs are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hetopt.evaluate.slowing import demands_of
from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import ready_s
from hetopt.simulate.events import State, TaskState
from hetopt.simulate.schedules.shared.changeovers import Changeovers
from hetopt.simulate.schedules.shared.messages import Unit
from hetopt.simulate.schedules.shared.speeds import Demands, speeds_of


@dataclass
class Expected:
    """What a policy expects of a state."""

    instance: Instance
    network: Network
    state: State

    def __post_init__(self) -> None:
        index = {str(n): t for t, n in enumerate(self.instance.tasks.name)}
        devices = {str(n): d for d, n in enumerate(self.instance.devices.name)}
        self.now = self.state.time_s
        self.units: list[Unit] = []
        self.down: set[Unit] = set()
        self.free_b: dict[Unit, float] = {}
        for told in self.state.units:
            key = (devices[told.device], told.unit)
            self.units.append(key)
            if told.status == "down":
                self.down.add(key)
            if told.free_b is not None:
                self.free_b[key] = told.free_b
        self.home: dict[int, Unit] = {}
        self.option: dict[int, int] = {}
        self._waits: set[int] = set()
        self._weights: dict[tuple[Unit, int], float] | None = None
        self.free: dict[Unit, list[float]] = {}
        self.used: set[Unit] = set()
        self.latest = self.now
        self.setups = Changeovers(self.instance)
        self._ready = ready_s(self.instance).tolist()
        self._running: list[Demands] = []
        demands = demands_of(self.instance)
        behind = []
        # What a unit has loaded is what it ran last.
        for task in sorted(self.state.tasks, key=lambda task: task.started_s or 0.0):
            if task.unit is None:
                continue
            t, unit = index[task.task], (devices[task.device], task.unit)
            self.home[t], self.option[t] = unit, self._option(task, t, unit[0])
            if task.status in ("running", "done"):
                self.used.add(unit)
                self.setups.ends(unit, self.option[t])
            if task.status == "running":
                self._running.append(demands[self.option[t]])
                end = (task.started_s or 0.0) + self._time(t)
                self._takes_slot(unit, max(self.now, end))
            elif task.status != "done":
                behind.append(t)
        self._waits |= set(behind)
        for t in sorted(behind):
            self.placed(self.home[t], self.option[t], self._time(t))

    def _time(self, t: int) -> float:
        return float(self.instance.tasks.work[t] * self.instance.options.time_s[self.option[t]])

    def _option(self, task: TaskState, t: int, device: int) -> int:
        options = self.instance.options
        for o in self.instance.task_options(t).tolist():
            if options.device[o] == device and options.label[o] == task.option:
                return int(o)
        raise ValueError(f"{task.task} has no option {task.option!r} where it is.")

    def _takes_slot(self, unit: Unit, until: float) -> None:
        self.free.setdefault(unit, []).append(until)
        self.latest = max(self.latest, until)

    def goes(self, t: int, unit: Unit, option: int) -> None:
        """Count with a task that is asked for."""
        self.home[t], self.option[t] = unit, option
        self._waits.add(t)
        self._weights = None

    def leaves(self, t: int) -> tuple[Unit, int] | None:
        """Forget where a task was asked for; return where, and with which option."""
        unit, option = self.home.pop(t, None), self.option.pop(t, None)
        self._waits.discard(t)
        self._weights = None
        return None if unit is None or option is None else (unit, option)

    @property
    def weights(self) -> dict[tuple[Unit, int], float]:
        """Weights of all tasks that are asked for, by unit and key."""
        if self._weights is None:
            key, size = self.instance.options.weights_key, self.instance.options.weights_b
            self._weights = {
                (self.home[t], int(key[o])): float(size[o])
                for t, o in self.option.items()
                if key[o] >= 0
            }
        return self._weights

    def waiting(self, unit: Unit) -> list[tuple[int, int, Unit]]:
        """Return the tasks that wait on a unit: task, option, unit."""
        waits = [t for t in sorted(self._waits) if self.home.get(t) == unit]
        return [(t, self.option[t], unit) for t in waits]

    def placed(self, unit: Unit, option: int, time: float, arrived: float = 0.0) -> float:
        """Put a task behind those of a unit; return when it is expected to end."""
        end = self.begin(unit, option, arrived) + time
        ends = self.free.setdefault(unit, [])
        if len(ends) >= self.instance.devices.slots[unit[0]]:
            ends.remove(min(ends))
        self._takes_slot(unit, end)
        self.used.add(unit)
        self.setups.ends(unit, option)
        return end

    def begin(self, unit: Unit, option: int, arrived: float = 0.0) -> float:
        """Return when a task may begin there, the unit set up for it."""
        ends = self.free.get(unit, [])
        full = len(ends) >= self.instance.devices.slots[unit[0]]
        soonest = max(self.now, min(ends) if full else self.now, self._ready[unit[0]])
        return float(max(soonest, arrived) + self.setups.wanted(unit, option)[0])

    def speed(self, demands: Demands) -> float:
        """Return at what part of full speed a task would begin beside what runs."""
        if not demands:
            return 1.0
        kept = (1.0 - self.instance.resources.loss).tolist()
        capacity = self.instance.resources.capacity.tolist()
        return speeds_of([*(d for d in self._running if d), demands], capacity, kept)[-1]

    def arrival(self, t: int, unit: Unit) -> float:
        """Return when a task's inputs would be at a unit, without contention; inf: never."""
        latest, edges = self.now, self.instance.edges
        ptr, rows = self.instance.predecessors
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            tensor, source = int(edges.tensor[e]), self.home[int(edges.src[e])]
            if tensor >= 0 and source != unit:
                latest = max(latest, self.now + self._travels(tensor, source[0], unit[0]))
        return latest

    def reaches(self, t: int, unit: Unit) -> bool:
        """Whether a task's outputs could go from a unit to those that others read them on."""
        edges = self.instance.edges
        ptr, rows = self.instance.successors
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            tensor, to = int(edges.tensor[e]), self.home.get(int(edges.dst[e]), unit)
            if tensor < 0 or to == unit or to in self.down:
                continue
            if math.isinf(self._travels(tensor, unit[0], to[0])):
                return False
        return True

    def _travels(self, tensor: int, source: int, device: int) -> float:
        size = float(self.instance.tensors.bytes_b[tensor])
        if self.network.zero_copy(source, device):
            return 0.0
        if not self.instance.tensors.staged[tensor]:
            return self.network.time_s(source, device, size)
        host, near = self.instance.host, self.network.near_host
        there = 0.0 if near(source) else self.network.time_s(source, host, size)
        return there + (0.0 if near(device) else self.network.time_s(host, device, size))
