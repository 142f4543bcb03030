"""The controller itself: a state machine whose decisions follow from its log and nothing else.

The log holds events, ticks and plans in the order in which they were made durable. Each entry is
applied once; what comes out are decisions, numbered. No clock and no solver is asked on the way: a
plan that was made anew enters as an entry of its own. So the same log gives the same decisions,
after a restart as without it.

Requests are routed by the policy ``plan`` of :mod:`hetopt.simulate.policies`, the same object that
the simulator calls. A new plan is asked for where a rate has changed (the CUSUM of
:mod:`hetopt.simulate.rates`), where an option has become slower or faster (the CUSUM of
:mod:`hetopt.profiling.calibration.drift`, and before it rests on enough samples the median of those
there are), where a unit fails or comes back, and where cap or rate are told anew.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.control.fleet_state import BUCKETS_S, MOST_OPEN, Fleet, Open
from hetopt.errors import InputError, Problem
from hetopt.formats.plans import plan_to_dict
from hetopt.formats.plans.reading import plan_from_dict
from hetopt.instance import Instance
from hetopt.profiling.calibration.drift import Change, Watch
from hetopt.simulate.events import (
    Action,
    Arrived,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    Finished,
    Load,
    RateChanged,
    Route,
    Started,
    SwitchOff,
    SwitchOn,
    Tick,
    Unload,
    action_from_dict,
    to_dict,
)
from hetopt.simulate.kernels.records import SHARES
from hetopt.simulate.policies.plan import shares
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.rates import RateWatch
from hetopt.simulate.routes import fleet_of, route_table, routes_of_plan
from hetopt.solution import SteadyPlan

KEPT_DECISIONS = 10_000
"""Latest decisions that can be asked for again."""
EARLY = 10
"""Samples of an option from which their median counts while the sum has nothing to rest on."""
SETTLED = 40
"""Samples since a change of which the median counts."""
EARLY_CHANGE = math.log(1.2)
LONGEST_S = 1e12
FACTORS = (0.01, 100.0)
"""Least and largest ratio of measured and planned figures that is believed."""
IMPLAUSIBLE = 20.0
"""Times the planned energy beyond which a measured one is counted as implausible, and not taken."""


class Controller:
    """Applies entries of a log; see the module.

    Attributes
    ----------
    plan
        The plan in force, in the numbers of the units that are there.
    wanted
        Why a new plan is asked for, None while none is.
    decisions
        The latest, each with its number, time and the JSON form of its action.
    """

    def __init__(self, instance: Instance, plan: SteadyPlan) -> None:
        self.instance = instance
        self.fleet = Fleet(instance, plan)
        self.rates = RateWatch(instance.jobs.rate_per_s.tolist())
        self.watches: dict[int, Watch] = {}
        self.energies: dict[int, list[float]] = {}
        self.factors: dict[int, float] = {}
        self.energy_factors: dict[int, float] = {}
        self.decisions: deque[dict[str, Any]] = deque(maxlen=KEPT_DECISIONS)
        self.made = 0
        self.wanted: str | None = None
        self.plans: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.drifts: list[dict[str, Any]] = []
        self._tick_s = 0.0
        self._options = _options_by_name(instance)
        self._take(plan)

    def _take(self, plan: SteadyPlan) -> None:
        """Route by another plan from now on."""
        self.plan = plan
        sized = replace(
            plan, units_had=np.maximum(plan.units_had, np.array(self.fleet.size, dtype=np.int64))
        )
        keys, rates = routes_of_plan(sized)
        fleet = fleet_of(self.instance, sized)
        table = route_table(self.instance, fleet, keys)
        rate: dict[Any, float] = {}
        for key, value in zip(keys, rates, strict=True):
            rate[key] = rate.get(key, 0.0) + value
        self.policy = StreamPolicy(
            "plan",
            self.instance,
            fleet,
            table,
            SHARES,
            shares(table, rate),
            np.zeros(len(table)),
            StartUp.none(self.instance),
        )
        self._routed = frozenset(table.job.tolist())

    def check(self, event: Event, place: str = "event") -> None:
        """Refuse an event that names what the instance does not have, or cannot be.

        Raises
        ------
        InputError
            With the place, the value and what was expected.
        """
        problems = []

        def wrong(field: str, value: Any, expected: str) -> None:
            problems.append(Problem(f"{place}.{field}", str(value)[:80], expected))

        fleet = self.fleet
        if not event.id or len(event.id) > 200:
            wrong("id", event.id, "A text of 1 to 200 characters, once per event.")
        if not 0 <= event.time_s <= LONGEST_S:
            wrong("time_s", event.time_s, f"Seconds from 0 to {LONGEST_S:g}.")
        job = getattr(event, "job", None)
        if job is not None and job not in fleet.jobs:
            wrong("job", job, "A job of the instance.")
        device = getattr(event, "device", None)
        if device is not None and device not in fleet.devices:
            wrong("device", device, "A device of the instance.")
        elif device is not None:
            unit = getattr(event, "unit", None)
            most = fleet.size[fleet.devices[device]]
            if unit is not None and not 0 <= unit < most:
                wrong("unit", unit, f"A unit from 0 to {most - 1}.")
        if isinstance(event, Tick):
            wrong("event", "tick", "An event from outside; the controller keeps its own time.")
        if isinstance(event, Started | Finished):
            if event.task not in fleet.tasks:
                wrong("task", event.task, "A task of the instance.")
            elif not problems and self._option(event) < 0:
                wrong("option", event.option, f"An option of {event.task} on {event.device}.")
        request = getattr(event, "request", "")
        if len(request) > 200:
            wrong("request", request, "At most 200 characters.")
        if isinstance(event, Finished):
            for field in ("duration_s", "energy_j"):
                value = getattr(event, field)
                if value is not None and not 0 <= value <= LONGEST_S:
                    wrong(field, value, f"From 0 to {LONGEST_S:g}.")
        cap = event.power_cap_w if isinstance(event, CapChanged) else None
        if cap is not None and not 0 < cap <= LONGEST_S:
            wrong("power_cap_w", cap, f"Above 0, up to {LONGEST_S:g}.")
        if isinstance(event, RateChanged) and not 0 <= event.rate_per_s <= 1e9:
            wrong("rate_per_s", event.rate_per_s, "From 0 to 1e9.")
        if isinstance(event, Arrived) and event.work is not None and len(event.work) > 1000:
            wrong("work", len(event.work), "At most 1000 tasks.")
        if problems:
            raise InputError(problems)

    def _option(self, event: Started | Finished) -> int:
        return self._options.get((event.task, event.device, event.option), -1)

    def apply(self, event: Event) -> list[dict[str, Any]]:
        """Take one event; return the decisions that it leads to."""
        self.fleet.advance(event.time_s)
        name = event.event
        self.counts[name] = self.counts.get(name, 0) + 1
        if isinstance(event, Arrived):
            return self._arrived(event)
        if isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Finished):
            self._finished(event)
        elif isinstance(event, DeviceDown | DeviceUp):
            self._device(event)
        elif isinstance(event, CapChanged):
            self.fleet.cap_w = event.power_cap_w
            self.wanted = "cap"
        elif isinstance(event, RateChanged):
            self.rates.hold(self.fleet.jobs[event.job], event.rate_per_s)
            self.wanted = "rate"
        elif isinstance(event, Tick):
            self._tick(event)
        return []

    def _arrived(self, event: Arrived) -> list[dict[str, Any]]:
        j = self.fleet.jobs[event.job]
        total = self.fleet.job_totals[j]
        total.arrived += 1
        total.since_tick += 1
        if event.request:
            self.fleet.open[event.request] = Open(j, event.time_s, self.fleet.tasks_of_job[j])
            if len(self.fleet.open) > MOST_OPEN:
                self.fleet.open.pop(next(iter(self.fleet.open)))
                self.fleet.forgotten += 1
        if j not in self._routed:
            return []
        actions = self.policy.decide(self.fleet.state(), event)
        routes = [action for action in actions if isinstance(action, Route)]
        return [self._decide(event.time_s, action) for action in routes]

    def _decide(self, time_s: float, action: Action, why: str = "") -> dict[str, Any]:
        self.made += 1
        found = {"decision": self.made, "time_s": time_s, **to_dict(action)}
        if why:
            found["why"] = why
        self.decisions.append(found)
        return found

    def _started(self, event: Started) -> None:
        t, o = self.fleet.tasks[event.task], self._option(event)
        unit = self.fleet.units[self.fleet.devices[event.device], event.unit]
        expected = float(self.instance.tasks.work[t] * self.instance.options.time_s[o])
        unit.running += 1
        unit.running_s += expected
        self.fleet.running[f"{event.request}/{event.task}"] = (t, o, event.time_s)
        if len(self.fleet.running) > MOST_OPEN:
            self.fleet.running.pop(next(iter(self.fleet.running)))
            self.fleet.forgotten += 1

    def _finished(self, event: Finished) -> None:
        fleet, instance = self.fleet, self.instance
        t, o = fleet.tasks[event.task], self._option(event)
        d = fleet.devices[event.device]
        unit = fleet.units[d, event.unit]
        work = float(instance.tasks.work[t])
        planned = work * float(instance.options.time_s[o])
        began = fleet.running.pop(f"{event.request}/{event.task}", None)
        if began is not None:
            unit.running = max(0.0, unit.running - 1)
            unit.running_s = max(0.0, unit.running_s - planned) if unit.running else 0.0
        took = event.duration_s
        if took is None and began is not None:
            took = event.time_s - began[2]
        total = fleet.device_totals[d]
        total.executions += 1
        total.planned_busy_s += planned
        expected_j = work * float(instance.options.energy_j[o])
        total.planned_j += expected_j
        if took is not None and took >= 0:
            total.busy_s += took
            if took > 0 and planned > 0:
                self._time(o, math.log(took / planned), event.time_s)
        if event.energy_j is not None:
            if expected_j > 0 and event.energy_j > IMPLAUSIBLE * expected_j:
                total.implausible += 1
            else:
                total.energy_j += event.energy_j
                total.measured += 1
                if expected_j > 0 and event.energy_j > 0:
                    self.energies.setdefault(o, []).append(math.log(event.energy_j / expected_j))
                    del self.energies[o][:-100]
        if event.request:
            self._served(event)

    def _served(self, event: Finished) -> None:
        request = self.fleet.open.get(event.request)
        if request is None:
            return
        request.left -= 1
        if request.left > 0:
            return
        del self.fleet.open[event.request]
        total = self.fleet.job_totals[request.job]
        latency = max(0.0, event.time_s - request.at_s)
        total.served += 1
        total.latency_s += latency
        limit = float(self.instance.jobs.latency_slo_s[request.job])
        total.missed += latency > limit
        bucket = next((i for i, top in enumerate(BUCKETS_S) if latency <= top), len(BUCKETS_S))
        total.buckets[bucket] += 1

    def _time(self, option: int, ratio: float, time_s: float) -> None:
        """Watch how long an option takes beside its plan; ask for a plan where that has changed."""
        low, high = math.log(FACTORS[0]), math.log(FACTORS[1])
        ratio = min(max(ratio, low), high)
        watch = self.watches.setdefault(option, Watch())
        known = math.log(self.factors.get(option, 1.0))
        before = len(watch.changes)
        watch.add(ratio, time_s)
        changed, counted = len(watch.changes) > before, SETTLED
        if not changed and not watch.based_on and len(watch.samples) >= EARLY:
            middle = float(np.median(watch.samples[-EARLY:]))
            # Most of them beyond, so that single outliers do not count.
            beyond = np.abs(np.array(watch.samples[-EARLY:]) - known) > EARLY_CHANGE / 2
            counted = EARLY
            changed = abs(middle - known) > EARLY_CHANGE and float(beyond.mean()) >= 0.75
        if not changed:
            return
        # What alarmed is what is taken: an older mean would alarm again at the next sample.
        middle = float(np.median(watch.samples[-counted:]))
        if abs(middle - known) <= EARLY_CHANGE / 4:
            return
        self.factors[option] = math.exp(middle)
        if self.energies.get(option):
            self.energy_factors[option] = math.exp(float(np.median(self.energies[option][-40:])))
        options = self.instance.options
        self.drifts.append(
            {
                "time_s": time_s,
                "device": str(self.instance.devices.name[options.device[option]]),
                "option": str(options.label[option]),
                "factor": self.factors[option],
                "samples": watch.seen,
            }
        )
        del self.drifts[:-100]
        self.wanted = "drift"

    def _device(self, event: DeviceDown | DeviceUp) -> None:
        d = self.fleet.devices[event.device]
        numbers = range(self.fleet.size[d]) if event.unit is None else [event.unit]
        for u in numbers:
            unit = self.fleet.units[d, u]
            if isinstance(event, DeviceDown):
                unit.status, unit.until_s = "down", None
                unit.running = unit.running_s = 0.0
                unit.weights = frozenset()
            elif unit.status == "down":
                always_on = not self.instance.devices.off_when_unused[d]
                unit.status = "on" if always_on else "off"
        self.wanted = "failure" if isinstance(event, DeviceDown) else "repair"

    def _tick(self, event: Tick) -> None:
        span = event.time_s - self._tick_s
        self._tick_s = event.time_s
        counts = [total.since_tick for total in self.fleet.job_totals]
        for total in self.fleet.job_totals:
            total.since_tick = 0
        # Before the first request nobody has begun to tell; silence then says nothing.
        if span > 0 and self.counts.get("arrived") and self.rates.tick(counts, span):
            self.wanted = "rate"

    def question(self) -> Instance:
        """Return the instance with the rates, times, energies and cap that hold now."""
        instance = self.instance
        options = instance.options
        time, energy = options.time_s.copy(), options.energy_j.copy()
        latency = options.latency_s.copy()
        for o, factor in self.factors.items():
            time[o] *= factor
            latency[o] *= factor
        for o, factor in self.energy_factors.items():
            energy[o] *= factor
        cap = np.inf if self.fleet.cap_w is None else self.fleet.cap_w
        return replace(
            instance,
            options=replace(options, time_s=time, energy_j=energy, latency_s=latency),
            jobs=replace(instance.jobs, rate_per_s=np.maximum(np.array(self.rates.rates), 1e-9)),
        ).with_limits(power_cap_w=cap)

    def take_plan(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Take a plan that was made anew, with its steps: an entry of the log."""
        why = str(entry["why"])
        self.wanted = None
        self.plans[why] = self.plans.get(why, 0) + 1
        if entry["plan"] is None:
            return []
        found = []
        for step in entry["steps"]:
            fields = {k: v for k, v in step.items() if k not in ("time_s", "ready_s", "why")}
            action = action_from_dict(fields)
            found.append(self._decide(float(step["time_s"]), action, why))
            self._do(action, float(step["ready_s"]))
        plan = plan_from_dict(self.instance, entry["plan"])
        if entry["steps"] and isinstance(plan, SteadyPlan):
            self._take(plan)
        return found

    def _do(self, action: Action, ready_s: float) -> None:
        if not isinstance(action, SwitchOn | SwitchOff | Load | Unload):
            return
        unit = self.fleet.units.get((self.fleet.devices[action.device], action.unit))
        if unit is None or unit.status == "down":
            return
        if isinstance(action, SwitchOn):
            waits = ready_s > self.fleet.time_s
            unit.status, unit.until_s = ("starting", ready_s) if waits else ("on", None)
        elif isinstance(action, SwitchOff):
            unit.status = "draining" if unit.running > 0 else "off"
            unit.weights = frozenset()
        else:
            key = self.instance.model_keys.index((action.model, action.variant))
            held = {key}
            unit.weights = unit.weights | held if isinstance(action, Load) else unit.weights - held

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON, for :meth:`read`."""
        return {
            "fleet": self.fleet.to_dict(),
            "plan": plan_to_dict(self.instance, self.plan),
            "credit": self.policy.rule.choice["credit"].tolist(),
            "rates": [self.rates.rates, self.rates._sums, self.rates._seen],
            "watches": {str(o): watch.to_dict() for o, watch in self.watches.items()},
            "energies": {str(o): list(samples) for o, samples in self.energies.items()},
            "factors": {str(o): factor for o, factor in self.factors.items()},
            "energy_factors": {str(o): factor for o, factor in self.energy_factors.items()},
            "decisions": list(self.decisions),
            "made": self.made,
            "wanted": self.wanted,
            "plans": dict(self.plans),
            "counts": dict(self.counts),
            "drifts": list(self.drifts),
            "tick_s": self._tick_s,
        }

    def read(self, found: dict[str, Any]) -> None:
        """Take over what :meth:`to_dict` wrote."""
        self.fleet.read(found["fleet"])
        plan = plan_from_dict(self.instance, found["plan"])
        if isinstance(plan, SteadyPlan):
            self._take(plan)
        self.policy.rule.choice["credit"] = found["credit"]
        self.rates.rates, self.rates._sums, self.rates._seen = found["rates"]
        self.watches = {
            int(o): Watch(**{**row, "changes": [Change(**c) for c in row["changes"]]})
            for o, row in found["watches"].items()
        }
        self.energies = {int(o): row for o, row in found["energies"].items()}
        self.factors = {int(o): value for o, value in found["factors"].items()}
        self.energy_factors = {int(o): value for o, value in found["energy_factors"].items()}
        self.decisions = deque(found["decisions"], maxlen=KEPT_DECISIONS)
        self.made, self.wanted = found["made"], found["wanted"]
        self.plans, self.counts, self.drifts = found["plans"], found["counts"], found["drifts"]
        self._tick_s = found["tick_s"]


def _options_by_name(instance: Instance) -> dict[tuple[str, str, str], int]:
    """Return each task's options by task, device and label, the first of those that agree."""
    options, ptr = instance.options, instance.profiles.ptr
    device = instance.devices.name[options.device].tolist()
    label = options.label.tolist()
    found: dict[tuple[str, str, str], int] = {}
    for task, profile in zip(
        instance.tasks.name.tolist(), instance.tasks.profile.tolist(), strict=True
    ):
        for o in range(int(ptr[profile]), int(ptr[profile + 1])):
            found.setdefault((task, device[o], label[o]), o)
    return found
