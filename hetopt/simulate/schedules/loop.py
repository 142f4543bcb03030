"""The event loop of a schedule: what happens after what, and what the policy is asked.

What starts when, once it was asked for, is in :mod:`hetopt.simulate.schedules.running`.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.simulate.events import (
    Arrived,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    Start,
    State,
    Tick,
    Wait,
)
from hetopt.simulate.schedules.running import END, HOP, OUTSIDE, RELEASE, TICK, Running
from hetopt.simulate.schedules.runs import Run, SchedulePolicy
from hetopt.simulate.schedules.world import Setting


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


class _Loop(Running):
    # Time passes.

    def run(self) -> Run:
        for job, release in enumerate(self.instance.jobs.release_s.tolist()):
            self._push(release, RELEASE, job)
        for time in sorted({time for time in self.ready if time > 0}):
            self._wake(time)
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
            tuple(self.messages.wasted(self._is_used)),
            end,
            self.made,
            np.array(self.end),
            tuple(self.wasted),
            tuple(self._stuck()) if self.left else (),
        )

    def _pass(self, time: float) -> None:
        self.room.passed()
        self.memory.passed()
        self.now = time

    def _happens(self, kind: int, data: Any) -> None:
        event: Event | None = None
        if kind == END:
            event = self._ends(*data)
        elif kind == HOP:
            # Without a hop: the time came from which a task may start.
            if data is not None:
                self._hop_ends(data)
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
        units = tuple(
            replace(told, free_b=self.memory.free_b(unit)) if unit in self.memory.spaces else told
            for unit, told in self.unit_states.items()
        )
        cap = None if math.isinf(self.room.cap_w) else self.room.cap_w
        state = State(self.now, units, (), (), tuple(self.states), cap)
        actions = self.policy.decide(state, event)
        if self.room.past is not None and self.policy.order is None:
            self.room.past.forget_plan()
        for action in actions:
            if isinstance(action, Start):
                self.made += 1
                self._asked_for(action)
            elif isinstance(action, Wait) and (action.until_s or 0.0) > self.now:
                self._push(action.until_s or 0.0, TICK, "once")

    def _outside(self, event: Event) -> None:
        if isinstance(event, CapChanged):
            self.room.cap_changes(math.inf if event.power_cap_w is None else event.power_cap_w)
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
