"""The event loop of a schedule: what is asked for starts once all that it needs is there.

A policy asks for tasks with :class:`hetopt.simulate.events.Start`: the task is to run on that unit,
after those asked for there before. From then on its inputs are sent, each as soon as its producer
is done and a channel is free (first come, first served, unless the policy states an order). The
first task of a unit starts as soon as its job is released, its inputs are there, and unit, power
cap and resources have room. Asked for again before it starts, it goes elsewhere.

What runs on a unit that fails is lost and begins anew; what was done is not lost.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.simulate.events import (
    Arrived,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    Finished,
    Start,
    State,
    TaskState,
    Tick,
    UnitState,
    Wait,
)
from hetopt.simulate.schedules.headroom import Demand, Room
from hetopt.simulate.schedules.messages import Messages, Unit
from hetopt.simulate.schedules.runs import Lost, Run, SchedulePolicy
from hetopt.simulate.schedules.world import Setting
from hetopt.solution import SchedulePlan

END, HOP, RELEASE, OUTSIDE, TICK = range(5)
"""What happens first of what happens at once: ends, arrivals, then what comes from outside."""


def run_schedule(instance: Instance, policy: SchedulePolicy, setting: Setting) -> Run:
    """Let a policy run a schedule.

    Parameters
    ----------
    instance
        What the policy knows: times as stated.
    setting
        What really happens.
    """
    return _Loop(instance, policy, setting).run()


class _Loop:
    def __init__(self, instance: Instance, policy: SchedulePolicy, setting: Setting) -> None:
        self.instance, self.policy, self.setting = instance, policy, setting
        real = setting.realised.instance
        self.time = real.options.time_s.tolist()
        self.work = real.tasks.work.tolist()
        energy = real.options.energy_j
        self.power = np.divide(
            energy, real.options.time_s, out=np.zeros(len(energy)), where=real.options.time_s > 0
        ).tolist()
        count = len(instance.tasks)
        self.names = [str(n) for n in instance.tasks.name]
        self.index = {n: t for t, n in enumerate(self.names)}
        self.devices = [str(n) for n in instance.devices.name]
        self.device_of = {n: d for d, n in enumerate(self.devices)}
        self.device = instance.options.device.tolist()
        self.label = [str(n) for n in instance.options.label]
        self.job = instance.tasks.job.tolist()
        self.entering = _edges(instance, instance.predecessors)
        self.leaving = _edges(instance, instance.successors)
        self.option = [-1] * count
        self.home: list[Unit] = [(-1, -1)] * count
        self.status = ["waiting"] * count
        self.start: list[float] = [math.nan] * count
        self.end: list[float] = [math.nan] * count
        self.least: list[float] = [0.0] * count
        self.open = [len(rows) for rows in self.entering]
        self.released = [False] * len(instance.jobs)
        self.place = [-1] * count
        self.serial = itertools.count()
        self.queue: dict[Unit, list[int]] = {}
        self.on: dict[Unit, list[int]] = {}
        self.down: set[Unit] = set()
        self.run_number = [0] * count
        self.messages = Messages(
            instance, Network(instance), lambda time, hop: self._push(time, HOP, hop)
        )
        self.heap: list[tuple[float, int, int, Any]] = []
        self.now = 0.0
        self.room = Room(instance)
        self.uses = [tuple(instance.uses.of(o)) for o in range(len(instance.options))]
        self.lost: list[Lost] = []
        self.made = 0
        self.left = count
        self.states = [TaskState(n) for n in self.names]
        self.unit_states = {
            (d, u): UnitState(name, u)
            for d, name in enumerate(self.devices)
            for u in range(int(instance.devices.count_max[d]))
        }

    # Time passes.

    def run(self) -> Run:
        for job, release in enumerate(self.instance.jobs.release_s.tolist()):
            self._push(release, RELEASE, job)
        for number, event in enumerate(self.setting.events):
            if isinstance(event, DeviceDown | DeviceUp | CapChanged):
                self._push(event.time_s, OUTSIDE, (number, event))
        if self.policy.delta_s is not None:
            self._push(self.policy.delta_s, TICK, None)
        quiet = False
        while self.heap and self.left:
            time, kind, _, data = heapq.heappop(self.heap)
            if time > self.now:
                self._pass(time)
            before = self.made
            self._happens(kind, data)
            if kind != TICK:
                quiet = False
            elif not any(entry[1] != TICK for entry in self.heap):
                # Nothing will happen but ticks; one that changes nothing is the last.
                if quiet and self.made == before:
                    break
                quiet = True
        end = max([0.0, *(e for e in self.end if not math.isnan(e))])
        return Run(
            self._plan(),
            tuple(self.lost),
            tuple(self.messages.wasted(self._is_read)),
            end,
            self.made,
        )

    def _push(self, time: float, kind: int, data: Any) -> None:
        heapq.heappush(self.heap, (time, kind, next(self.serial), data))

    def _pass(self, time: float) -> None:
        self.room.passed()
        self.now = time

    def _happens(self, kind: int, data: Any) -> None:
        event: Event | None = None
        if kind == END:
            event = self._ends(*data)
        elif kind == HOP:
            # Without a hop: the time came from which a task may start.
            if data is not None:
                self.messages.ended(data)
        elif kind == RELEASE:
            self.released[data] = True
            ptr, tasks = self.instance.job_tasks
            for t in tasks[ptr[data] : ptr[data + 1]].tolist():
                self._maybe_ready(t)
            event = Arrived(self.now, str(self.instance.jobs.name[data]))
        elif kind == OUTSIDE:
            event = data[1]
            self._outside(data[1])
        else:
            event = Tick(self.now)
            if data is None and self.policy.delta_s is not None:
                self._push(self.now + self.policy.delta_s, TICK, None)
        if event is not None and self.left:
            self._ask(event)
        self._settle()

    def _ask(self, event: Event) -> None:
        units = tuple(self.unit_states.values())
        cap = None if math.isinf(self.room.cap_w) else self.room.cap_w
        state = State(self.now, units, (), (), tuple(self.states), cap)
        for action in self.policy.decide(state, event):
            if isinstance(action, Start):
                self.made += 1
                self._asked_for(action)
            elif isinstance(action, Wait) and (action.until_s or 0.0) > self.now:
                self._push(action.until_s or 0.0, TICK, "once")

    def _outside(self, event: Event) -> None:
        if isinstance(event, CapChanged):
            self.room.cap_w = math.inf if event.power_cap_w is None else event.power_cap_w
            return
        if not isinstance(event, DeviceDown | DeviceUp):
            return
        d = self.device_of[event.device]
        for unit in [u for u in self.unit_states if u[0] == d]:
            if event.unit is not None and unit[1] != event.unit:
                continue
            if isinstance(event, DeviceUp):
                self.down.discard(unit)
            elif unit not in self.down:
                self.down.add(unit)
                self._fails(unit)
            self._tell_unit(unit)

    def _fails(self, unit: Unit) -> None:
        for t in reversed(self.on.pop(unit, [])):
            self.lost.append(Lost(t, self._real(t), unit[1], self.start[t], self.now))
            self.room.free(self._demand(t), not any(self.on.values()))
            self.room.refund(self._demand(t))
            self.run_number[t] += 1
            self.start[t] = math.nan
            self.status[t] = "ready"
            self.queue.setdefault(unit, []).insert(0, t)
            self._tell(t)

    # Tasks.

    def _asked_for(self, action: Start) -> None:
        t, d = self.index[action.task], self.device_of[action.device]
        if self.status[t] in ("running", "done"):
            raise ValueError(f"{action.task} is {self.status[t]} and cannot be started.")
        options = self.instance.task_options(t).tolist()
        found = [o for o in options if self.device[o] == d and self.label[o] == action.option]
        unit = (d, action.unit)
        if not found or unit not in self.unit_states:
            raise ValueError(f"{action.task} has no option {action.option!r} on that unit: {unit}.")
        if self.option[t] >= 0:
            self.queue[self.home[t]].remove(t)
        self.option[t], self.home[t] = found[0], unit
        self.least[t] = action.not_before_s or 0.0
        if self.least[t] > self.now:
            self._push(self.least[t], HOP, None)
        self.place[t] = next(self.serial)
        self.queue.setdefault(unit, []).append(t)
        self._tell(t)
        for src, _, tensor in self.entering[t]:
            if self.status[src] == "done":
                self.messages.send(tensor, self.home[src], unit)

    def _settle(self) -> None:
        """Start what can start, until nothing more does."""
        again = True
        while again:
            again = self.messages.start(self.now, self.policy.messages)
            heads = [
                queue[0] for unit, queue in self.queue.items() if queue and unit not in self.down
            ]
            heads.sort(key=self.place.__getitem__)
            if self.policy.ordered:
                waiting = [t for queue in self.queue.values() for t in queue]
                first = min(waiting, key=self.place.__getitem__, default=-1)
                heads = [t for t in heads if t == first]
            for t in heads:
                if self._can_start(t):
                    self._starts(t)
                    again = True

    def _can_start(self, t: int) -> bool:
        unit = self.home[t]
        if self.status[t] != "ready" or self.least[t] > self.now:
            return False
        if len(self.on.get(unit, ())) >= self.instance.devices.slots[unit[0]]:
            return False
        for src, _, tensor in self.entering[t]:
            if not self.messages.is_there(tensor, self.home[src], unit):
                return False
        return self.room.fits(self._demand(t), unit)

    def _demand(self, t: int) -> Demand:
        watts = self.power[self._real(t)] if self._takes(t) > 0 else None
        return Demand(watts, self.uses[self.option[t]])

    def _takes(self, t: int) -> float:
        return float(self.work[t] * self.time[self._real(t)])

    def _real(self, t: int) -> int:
        return self.setting.realised.option(self.instance, t, self.option[t])

    def _starts(self, t: int) -> None:
        unit = self.home[t]
        self.queue[unit].remove(t)
        self.on.setdefault(unit, []).append(t)
        takes = self._takes(t)
        self.status[t], self.start[t] = "running", self.now
        self.room.take(self._demand(t), unit)
        self._push(self.now + takes, END, (t, self.run_number[t]))
        self._tell(t)
        self._tell_unit(unit)

    def _ends(self, t: int, number: int) -> Event | None:
        if number != self.run_number[t]:
            return None
        unit = self.home[t]
        self.on[unit].remove(t)
        self.room.free(self._demand(t), not any(self.on.values()))
        self.status[t], self.end[t] = "done", self.now
        self.left -= 1
        for _, dst, tensor in self.leaving[t]:
            self.open[dst] -= 1
            self._maybe_ready(dst)
            if self.option[dst] >= 0:
                self.messages.send(tensor, self.home[t], self.home[dst])
        self._tell(t)
        self._tell_unit(unit)
        name, label = self.devices[unit[0]], self.label[self.option[t]]
        return Finished(
            self.now, self.names[t], name, unit[1], label, duration_s=self.now - self.start[t]
        )

    def _maybe_ready(self, t: int) -> None:
        if self.status[t] == "waiting" and not self.open[t] and self.released[self.job[t]]:
            self.status[t] = "ready"
            self._tell(t)

    # What is told.

    def _tell(self, t: int) -> None:
        known = self.option[t] >= 0
        self.states[t] = TaskState(
            self.names[t],
            self.status[t],  # type: ignore[arg-type]
            self.devices[self.home[t][0]] if known else "",
            self.home[t][1] if known else None,
            self.label[self.option[t]] if known else "",
            None if math.isnan(self.start[t]) else self.start[t],
            None if math.isnan(self.end[t]) else self.end[t],
        )

    def _tell_unit(self, unit: Unit) -> None:
        on = self.on.get(unit, [])
        options = self.instance.options
        expected = sum(self.instance.tasks.work[t] * options.time_s[self.option[t]] for t in on)
        status = "down" if unit in self.down else "on"
        self.unit_states[unit] = UnitState(
            self.devices[unit[0]],
            unit[1],
            status,  # type: ignore[arg-type]
            running=float(len(on)),
            running_s=float(expected),
        )

    def _plan(self) -> SchedulePlan:
        done = [status == "done" for status in self.status]
        option = [self._real(t) if ok else -1 for t, ok in enumerate(done)]
        unit = [self.home[t][1] if ok else 0 for t, ok in enumerate(done)]
        start = [s if ok else 0.0 for s, ok in zip(self.start, done, strict=True)]
        return SchedulePlan(
            np.array(option, dtype=np.int64),
            np.array(unit, dtype=np.int64),
            np.array(start),
            self.messages.hops(self._is_read),
        )

    def _is_read(self, tensor: int, unit: Unit) -> bool:
        src = int(self.instance.tensors.producer[tensor])
        return any(n == tensor and self.home[dst] == unit for _, dst, n in self.leaving[src])


def _edges(instance: Instance, rows: tuple[Any, Any]) -> list[list[tuple[int, int, int]]]:
    """Return the edges (from, to, tensor) that enter or leave each task."""
    ptr, edge = rows
    edges = instance.edges
    return [
        [
            (int(edges.src[e]), int(edges.dst[e]), int(edges.tensor[e]))
            for e in edge[ptr[t] : ptr[t + 1]].tolist()
        ]
        for t in range(len(instance.tasks))
    ]
