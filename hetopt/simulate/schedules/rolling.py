"""The policy that plans what is left of a schedule anew: the library's own ``solve``."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from hetopt.errors import HetoptError
from hetopt.evaluate.slowing import task_ends
from hetopt.instance import Instance
from hetopt.schedule.model.features import beyond
from hetopt.schedule.polish.stale import repaired
from hetopt.simulate.events import (
    Action,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    Finished,
    State,
    Tick,
    Wait,
)
from hetopt.simulate.schedules.planned import Planned
from hetopt.simulate.schedules.remaining import Rest, carried, rest_of
from hetopt.simulate.schedules.shared.order import order_of
from hetopt.simulate.schedules.world import chains
from hetopt.solution import Hops, SchedulePlan
from hetopt.solve import SolveOptions, solve_with
from hetopt.verify import verify

DEVIATES = 0.01
"""Part of its expected time by which a task must differ for the plan to be looked at again."""
REPAIR_SHARE = 0.25
"""Part of a solve's time that carrying the old plan over may take."""

KNOWN = (
    "a power cap",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "tasks pinned to a unit",
    "resources",
    "prices that change over time",
    "units that take time to go on",
    "sleep in gaps",
    "start-ups",
    "messages",
    "staged tensors",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "paths that depend on the size of a message",
)
"""Features of which what is left of a schedule can be said."""


def planned_anew(instance: Instance) -> str:
    """Return why what is left of a schedule cannot be planned anew, empty where it can."""
    unknown = beyond(instance, KNOWN)
    if not unknown:
        return ""
    return f"What is left of a schedule cannot be planned anew with {', '.join(unknown)} yet."


class RollingSchedule(Planned):
    """Keeps to a plan that is made anew when tasks took other times, or units or the cap change.

    Every Δ it looks whether tasks that ended, or run, took longer or shorter than expected;
    failures, repairs and caps are answered at once. What is done stays, what runs runs on, and the
    plan in force competes with what the search finds. Deadlines that cannot be kept any more are
    given up.

    Parameters
    ----------
    delta_s
        Seconds between ticks.
    options
        Of each solve.
    """

    def __init__(
        self, instance: Instance, plan: SchedulePlan, delta_s: float, options: SolveOptions
    ) -> None:
        super().__init__(instance, plan, "rolling")
        self.delta_s = delta_s
        self.options = options
        self.solves, self.changes = 0, 0
        self._cap_w = instance.limits.power_cap_w
        self._deviated = False
        self._chains = chains(instance)

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return the starts of a new plan where one is due."""
        if not self.begun:
            return super().decide(state, event)
        if isinstance(event, Finished):
            self._deviated = self._deviated or self._differs(event, DEVIATES)
            return self.let_go(state, event) or (Wait(),)
        if isinstance(event, CapChanged):
            self._cap_w = np.inf if event.power_cap_w is None else event.power_cap_w
        due = isinstance(event, CapChanged | DeviceDown | DeviceUp)
        if isinstance(event, Tick):
            due = self._deviated or self._overdue(state)
        if not due:
            return (Wait(),)
        self._deviated = False
        found = self._anew(state)
        if found:
            return found
        return (self.moved(state) if isinstance(event, DeviceDown) else ()) or (Wait(),)

    def _overdue(self, state: State) -> bool:
        return any(
            task.status == "running"
            and state.time_s - (task.started_s or 0.0)
            > (1 + DEVIATES) * self.lasting[self._index[task.task]]
            for task in state.tasks
        )

    def _anew(self, state: State) -> tuple[Action, ...]:
        """Return the starts of a plan for what is left; none where there is none that is new."""
        if not any(t.status in ("waiting", "ready") for t in state.tasks):
            return ()
        known = replace(state, power_cap_w=None)
        for instance in (self._keeping(state), self._without_deadlines()):
            instance = _gone_on(instance.with_limits(power_cap_w=self._cap_w), state.time_s)
            try:
                rest = rest_of(instance, known, outputs_survive=True)
                plan = self._solved(rest)
            except HetoptError:
                # A rest that no instance can say, such as a deadline that has passed.
                continue
            if plan is not None:
                return self._adopted(rest, plan)
        return ()

    def _solved(self, rest: Rest) -> SchedulePlan | None:
        self.solves += 1
        old = carried(self.instance, self.plan, rest)
        limit = time.monotonic() + REPAIR_SHARE * self.options.time_limit_s
        kept, _ = repaired(rest.instance, old, limit=limit)
        if kept is not None and not verify(rest.instance, kept).ok:
            kept = None
        found = solve_with(rest.instance, self.options, start=kept).plan
        return found if isinstance(found, SchedulePlan) else None

    def _adopted(self, rest: Rest, plan: SchedulePlan) -> tuple[Action, ...]:
        new, devices = rest.instance, rest.instance.options.device
        tasks = [
            t
            for t, name in enumerate(new.tasks.name.tolist())
            if name not in rest.running and name not in rest.done
        ]
        option, unit = self.plan.option.copy(), self.plan.unit.copy()
        start = self.plan.start_s.copy()
        changed = False
        for t in tasks:
            mine = self._index[str(new.tasks.name[t])]
            o = self._option(mine, int(devices[plan.option[t]]), new, int(plan.option[t]))
            number = rest.usable[int(devices[plan.option[t]])][int(plan.unit[t])]
            changed = changed or o != option[mine] or number != unit[mine]
            option[mine], unit[mine] = o, number
            start[mine] = rest.now_s + float(plan.start_s[t])
        self.changes += int(changed)
        # The hops, and so their order, were those of the plan before.
        self.plan = SchedulePlan(option, unit, start, Hops.empty())
        self.holds = False
        order = order_of(self.instance, self.plan, self.network, timed=False)
        self.order, self.rank = order, {t: place for place, t in enumerate(order.tasks)}
        self.lasting = (task_ends(self.instance, option, unit, start) - start).tolist()
        return tuple(self.starts([self._index[str(new.tasks.name[t])] for t in tasks]))

    def _option(self, task: int, device: int, new: Instance, option: int) -> int:
        name, label = str(new.devices.name[device]), new.options.label[option]
        options = self.instance.options
        for o in self.instance.task_options(task).tolist():
            same = str(self.instance.devices.name[options.device[o]]) == name
            if same and options.label[o] == label:
                return int(o)
        raise ValueError(f"{self.instance.tasks.name[task]} has no option {label!r} on {name}.")

    def _keeping(self, state: State) -> Instance:
        """Return the instance without the deadlines that cannot be kept any more."""
        jobs = self.instance.jobs
        soonest = jobs.release_s.copy()
        for t, task in enumerate(state.tasks):
            j = int(self.instance.tasks.job[t])
            if task.status == "running":
                end = max(state.time_s, (task.started_s or 0.0) + self.lasting[t])
                soonest[j] = max(soonest[j], end)
            elif task.status != "done":
                begin = max(state.time_s, float(jobs.release_s[j]))
                soonest[j] = max(soonest[j], begin + self._chains[t])
        kept = np.where(soonest <= jobs.deadline_s, jobs.deadline_s, np.inf)
        found = replace(self.instance, jobs=replace(jobs, deadline_s=kept))
        horizon = self.instance.limits.horizon_s
        return found if soonest.max(initial=0.0) <= horizon else found.with_limits(horizon_s=np.inf)

    def _without_deadlines(self) -> Instance:
        jobs = self.instance.jobs
        free = replace(jobs, deadline_s=np.full(len(jobs), np.inf))
        return replace(self.instance, jobs=free).with_limits(horizon_s=np.inf)


def _gone_on(instance: Instance, now_s: float) -> Instance:
    """Return the instance with what is left of the time that going on takes from 0 on."""
    devices = instance.devices
    left = np.maximum(0.0, devices.start_up_time_s - now_s)
    return replace(instance, devices=replace(devices, start_up_time_s=left))
