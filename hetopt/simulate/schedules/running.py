"""What of a schedule was asked for, runs and is done; it starts once all that it needs is there.

A policy asks for tasks with :class:`hetopt.simulate.events.Start`: the task is to run on that unit,
after those asked for there before. From then on its inputs are sent, each as soon as its producer
is done and channel, slots and memory are free (first come, first served, unless the policy states
an order). The first task of a unit starts as soon as its job is released, its inputs are there, the
unit is set up for it, and unit, memory, power cap and resources have room. Asked for again before
it starts, it goes elsewhere.

What runs on a unit that fails is lost and begins anew; what was done is not lost.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import ready_s
from hetopt.schedule.model.features import has_any
from hetopt.simulate.events import Finished, Start, TaskState, UnitState
from hetopt.simulate.schedules.runs import FORESEEN, Lost, LostSetUp, SchedulePolicy
from hetopt.simulate.schedules.shared.changeovers import Change, Changeovers
from hetopt.simulate.schedules.shared.headroom import Demand, Room
from hetopt.simulate.schedules.shared.memory import Memory, Tasks
from hetopt.simulate.schedules.shared.messages import Chain, Hop, Messages, Passage, Unit
from hetopt.simulate.schedules.shared.order import SET_UP, Turns
from hetopt.simulate.schedules.shared.past_power import PastPower
from hetopt.simulate.schedules.shared.speeds import Speeds
from hetopt.simulate.schedules.world import Setting
from hetopt.solution import SchedulePlan

END, HOP, RELEASE, OUTSIDE, TICK = range(5)
"""What happens first of what happens at once: ends, arrivals, then what comes from outside."""

TINY = 1e-300
"""Stands for a set-up that takes no time."""


class Running:
    """Tasks and units of a schedule that runs under a policy."""

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
            instance, Network(instance), lambda time, hop: self._push(time, HOP, hop), self
        )
        self.memory = Memory(instance, Tasks(self.home, self.status, self.option), self.messages)
        self.changes = Changeovers(instance)
        self.wasted: list[LostSetUp] = []
        self.turns = Turns()
        self.speeds = Speeds(instance)
        self.ready: list[float] = ready_s(instance).tolist()
        self.holds: dict[Unit, int] = {}
        self.wakes: set[float] = set()
        self.heap: list[tuple[float, int, int, Any]] = []
        self.now = 0.0
        self.room = Room(instance, past_power(instance, policy, setting), lambda: self.now)
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

    def _push(self, time: float, kind: int, data: Any) -> None:
        heapq.heappush(self.heap, (time, kind, next(self.serial), data))

    def _wake(self, time: float) -> None:
        """Look again at some time, as what may not begin before does not tell."""
        if time > self.now and time not in self.wakes:
            self.wakes.add(time)
            self._push(time, HOP, None)

    def _fails(self, unit: Unit) -> None:
        self._give_up(unit)
        for t in reversed(self.on.pop(unit, [])):
            left, changed = self.speeds.stop(t, self.now)
            if not self.speeds.demands[self.option[t]]:
                left = 1.0 - min(1.0, self._part(self.now - self.start[t], self._takes(t)))
            self.lost.append(
                Lost(
                    t, self._real(t), unit[1], self.start[t], self.now, self._takes(t) * (1 - left)
                )
            )
            self._wastes(unit, self.changes.lost(t))
            self._retime(changed)
            self.room.free(self._demand(t), unit, self._nothing_runs(), lost=True)
            self.room.refund(self._demand(t))
            self.memory.lost(t, self._takes(t) > 0)
            self.run_number[t] += 1
            self.start[t] = math.nan
            self.status[t] = "ready"
            self.queue.setdefault(unit, []).insert(0, t)
            self._tell(t)

    def _nothing_runs(self) -> bool:
        return not any(self.on.values()) and not self.changes.under_way

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
        self.memory.asked(t, unit, found[0])
        self.option[t], self.home[t] = found[0], unit
        self.least[t] = action.not_before_s or 0.0
        self._wake(self.least[t])
        self.place[t] = next(self.serial)
        self.queue.setdefault(unit, []).append(t)
        self._tell(t)
        for src, _, tensor in self.entering[t]:
            if self.status[src] == "done":
                self.messages.send(tensor, self.home[src], unit)
        for n in self.memory.reads[t]:
            self.memory.review(n)

    def _settle(self) -> None:
        """Start what can start, until nothing more does."""
        for unit, change in list(self.changes.under_way.items()):
            if self.queue[unit][:1] != [change.task]:
                self._give_up(unit)
        again = True
        while again:
            again = self.messages.start(self.now)
            heads = [
                queue[0] for unit, queue in self.queue.items() if queue and unit not in self.down
            ]
            heads.sort(key=self.place.__getitem__)
            for t in heads:
                if self._sets_up(t):
                    again = True
                if self._can_start(t, 0.0):
                    self._starts(t)
                    again = True
        if self.room.past is not None:
            for time in self.room.past.looks:
                self._wake(time)
            self.room.past.looks.clear()

    def _can_start(self, t: int, ahead_s: float) -> bool:
        """Whether a task could start now, or so much later once its unit is set up for it."""
        unit, now = self.home[t], self.now
        if self.status[t] != "ready" or self.least[t] > now + ahead_s:
            return False
        change = self.changes.under_way.get(unit)
        if change is None:
            is_set_up = ahead_s > 0 or self.changes.wanted(unit, self.option[t]) == (0.0, 0.0)
            # What takes no time takes no slot.
            has_slot = self._takes(t) <= 0 or self._has_slot(unit)
            if not is_set_up or self.ready[unit[0]] > now or not has_slot:
                return False
        elif change.end_s > now:
            return False
        if not self.turns.is_due(self.policy.order, (t,)):
            return False
        for src, _, tensor in self.entering[t]:
            if not self.messages.is_there(tensor, self.home[src], unit):
                return False
        fits = self.memory.lets_start(t, self._takes(t) > 0)
        kept_w = 0.0 if change is None else change.kept_w
        return fits and self.room.fits(self._demand(t), unit, kept_w)

    def _sets_up(self, t: int) -> bool:
        """Begin the set-up that a task needs, where one can begin.

        Where an order says that the task is the next, as soon as its unit is free; else once all
        that the task needs is there, so that no unit is kept waiting.
        """
        unit, order = self.home[t], self.policy.order
        takes, joules = self.changes.wanted(unit, self.option[t])
        if (takes, joules) == (0.0, 0.0) or unit in self.changes.under_way:
            return False
        watts = joules / takes if takes > 0 else 0.0
        if self.least[t] - takes > self.now:
            self._wake(self.least[t] - takes)
            return False
        if order is None:
            if not self._can_start(t, max(takes, TINY)):
                return False
            watts = max(watts, self._demand(t).watts or 0.0)
        due = self.turns.is_due(order, (t, SET_UP)) and self.ready[unit[0]] <= self.now
        if not due or not self._has_slot(unit) or not self.room.has_power(watts, unit):
            return False
        self.turns.begun.add((t, SET_UP))
        self.room.take(Demand(watts), unit)
        self.changes.under_way[unit] = Change(t, self.now, self.now + takes, joules, watts)
        self._wake(self.now + takes)
        return True

    def _give_up(self, unit: Unit) -> None:
        """Let a set-up be for nothing, as its task goes elsewhere or its unit fails."""
        change = self.changes.under_way.pop(unit, None)
        if change is not None:
            self.room.free(Demand(change.kept_w), unit, self._nothing_runs(), lost=True)
            self._wastes(unit, change)

    def _wastes(self, unit: Unit, change: Change | None) -> None:
        """Count what a set-up drew that was for nothing; one that takes no time: until now."""
        if change is None:
            return
        takes, end = change.end_s - change.begin_s, min(change.end_s, self.now)
        part = (end - change.begin_s) / takes if takes > 0 else 1.0
        end = end if takes > 0 else self.now
        self.wasted.append(LostSetUp(unit[0], change.begin_s, end, change.energy_j * part))

    def _has_slot(self, unit: Unit) -> bool:
        taken = len(self.on.get(unit, ())) + self.holds.get(unit, 0)
        taken += unit in self.changes.under_way
        return taken < int(self.instance.devices.slots[unit[0]])

    # Messages: what they take beside channels.

    def lets(self, hop: Hop, passage: Passage) -> bool:
        """Whether a hop may begin now."""
        order = self.policy.order
        if order is not None:
            begin = order.times.get(hop, 0.0)
            if begin > self.now:
                self._wake(begin)
                return False
            if not self.turns.is_due(order, hop):
                return False
        if passage.copy_at is not None and not self.memory.lets_copy(hop[0], passage.copy_at):
            return False
        return all(
            self._has_slot(unit)
            and self.ready[unit[0]] <= self.now
            and (self.room.past is None or self.room.has_power(0.0, unit))
            for unit in passage.slots
        )

    def begins(self, hop: Hop, passage: Passage) -> None:
        """Take what a hop takes."""
        self.turns.begun.add(hop)
        for unit in passage.slots:
            self.holds[unit] = self.holds.get(unit, 0) + 1
            self.room.holds_slot(unit)
        if passage.copy_at is not None:
            self.memory.copy_begins(hop[:4])

    def _hop_ends(self, hop: Hop) -> None:
        for unit in self.messages.passage(hop).slots:
            self.holds[unit] -= 1
            self.room.frees_slot(unit)
        self.messages.ended(hop)
        self.memory.review(hop[0])

    # Runs.

    def _demand(self, t: int) -> Demand:
        watts = self.power[self._real(t)] if self._takes(t) > 0 else None
        return Demand(watts, self.uses[self.option[t]])

    @staticmethod
    def _part(value: float, whole: float) -> float:
        return value / whole if whole > 0 else 1.0

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
        self.turns.begun.add((t,))
        change = self.changes.starts(t, unit)
        if change is not None:
            self.room.free(Demand(change.kept_w), unit, nothing_runs=False)
        self.room.take(self._demand(t), unit)
        self.memory.starts(t, takes > 0)
        self._retime(self.speeds.start(t, self.option[t], takes, self.now))
        self._tell(t)
        self._tell_unit(unit)

    def _retime(self, changed: list[tuple[int, float]]) -> None:
        """Let tasks end at other times than before."""
        for t, end in changed:
            self.run_number[t] += 1
            self._push(end, END, (t, self.run_number[t]))

    def _ends(self, t: int, number: int) -> Finished | None:
        if number != self.run_number[t]:
            return None
        unit = self.home[t]
        self.on[unit].remove(t)
        self._retime(self.speeds.stop(t, self.now)[1])
        self.room.free(self._demand(t), unit, self._nothing_runs())
        self.status[t], self.end[t] = "done", self.now
        self.left -= 1
        self.changes.ends(unit, self.option[t])
        self.memory.ends(t, self._takes(t) > 0)
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

    def _stuck(self) -> Iterator[str]:
        """Yield what the next task of each unit waits for, and those that no unit was found for."""
        for unit, queue in self.queue.items():
            if queue:
                t = queue[0]
                place = self.instance.unit_name(*unit)
                yield f"{self.names[t]} waits on {place}: {self._lacks(t)}"
        for t, status in enumerate(self.status):
            if status == "ready" and self.option[t] < 0:
                yield f"{self.names[t]} was asked for on no unit"

    def _lacks(self, t: int) -> str:
        unit = self.home[t]
        if unit in self.down:
            return "the unit is down"
        if self.status[t] == "waiting":
            return "tasks before it never ran"
        for src, _, n in self.entering[t]:
            if not self.messages.is_there(n, self.home[src], unit):
                if not self.memory.lets_copy(n, unit):
                    return f"there is no room for its inputs, {self.memory.told(t)}"
                return "its inputs are not there"
        if not self.memory.lets_start(t, self._takes(t) > 0):
            return f"there is no room for it, {self.memory.told(t)}"
        if not self.room.fits(self._demand(t), unit):
            return "the power cap and resources have no room for it"
        return "the plan's order has others before it"

    def _plan(self) -> SchedulePlan:
        done = [status == "done" for status in self.status]
        option = [self._real(t) if ok else -1 for t, ok in enumerate(done)]
        unit = [self.home[t][1] if ok else 0 for t, ok in enumerate(done)]
        start = [s if ok else 0.0 for s, ok in zip(self.start, done, strict=True)]
        return SchedulePlan(
            np.array(option, dtype=np.int64),
            np.array(unit, dtype=np.int64),
            np.array(start),
            self.messages.hops(self._is_used),
        )

    def _is_used(self, chain: Chain) -> bool:
        """Whether something read what was sent so."""
        tensor, messages = chain[0], self.messages
        src = int(self.instance.tensors.producer[tensor])
        for _, dst, n in self.leaving[src]:
            if n != tensor or messages.is_local(self.home[src], self.home[dst]):
                continue
            ends = self.home[src], self.home[dst]
            if chain in (messages.brings(n, *ends), messages.leaves(n, *ends)):
                return True
        return False


def past_power(instance: Instance, policy: SchedulePolicy, setting: Setting) -> PastPower | None:
    """Return power over time where a cap and what is drawn for what begins later meet."""
    capped = any(math.isfinite(cap) for _, cap in setting.caps())
    if not capped or not has_any(instance, FORESEEN):
        return None
    plan = getattr(policy, "times_kept", None)
    return PastPower(instance, plan if isinstance(plan, SchedulePlan) else None)


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
