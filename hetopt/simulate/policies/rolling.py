"""The policy that plans anew: the library's own ``solve``, at the rates that are seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hetopt.instance import Instance
from hetopt.simulate.events import (
    Action,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Event,
    Load,
    RateChanged,
    Route,
    State,
    SwitchOff,
    SwitchOn,
    Tick,
    UnitState,
    Unload,
    Wait,
)
from hetopt.simulate.kernels.records import SHARES
from hetopt.simulate.policies.net import choices
from hetopt.simulate.policies.plan import served_parts, shares
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.rates import RateWatch
from hetopt.simulate.routes import Fleet, RouteKey, fleet_of, route_table, routes_of_plan
from hetopt.solution import SteadyPlan
from hetopt.solve import SolveOptions, solve_with

HEADROOM = 0.3
"""What rates are planned for above those seen, so that a plan outlives the next few requests; less
what ``max_utilization`` leaves free anyway."""
MEMORY = 1.5
"""Start-up times for which a rate that has passed is still planned for: bursts come again."""
LEAST_RATE = 1e-9
"""Rate (1/s) that a stream without requests is planned for."""
STEP = 1.05
"""Rates are planned for in steps of 5 %: what was solved is not solved again."""


class Rolling(StreamPolicy):
    """Keeps to a plan that is made anew when rates, units or the cap have changed.

    Each Δ it compares the requests that came with those expected (:mod:`hetopt.simulate.rates`).
    A rate that has passed is remembered for some start-up times, as bursts come in groups. While
    nothing has changed, nothing is done. Units that the new plan wants are switched on at
    once; units that it does not are switched off at the next tick at which all wanted ones are on,
    so that what replaces goes up before what is replaced goes down.

    Parameters
    ----------
    instance, plan
        The plan that it begins with.
    delta_s
        Seconds between ticks.
    options
        Of each solve.
    headroom
        Part of the rates seen that is planned for beyond them; None: what ``HEADROOM`` says.
    """

    def __init__(
        self,
        instance: Instance,
        plan: SteadyPlan,
        start_up: StartUp,
        delta_s: float,
        options: SolveOptions,
        headroom: float | None = None,
    ) -> None:
        if headroom is None:
            most = float(instance.devices.max_utilization.max(initial=0.0))
            headroom = max(0.0, (1.0 + HEADROOM) * most - 1.0)
        self.options, self.headroom, self.solves = options, headroom, 0
        self._known: dict[object, SteadyPlan | None] = {}
        self._cap_w = instance.limits.power_cap_w
        self.instance = instance
        watch = RateWatch(instance.jobs.rate_per_s.tolist())
        self.memory_s = MEMORY * float(start_up.time_s.max(initial=0.0))
        self._believed = [(0.0, list(watch.rates))]
        self._planned = self._steps(watch.rates)
        whole = fleet_of(instance, plan, whole=True)
        first = self._solved(watch.rates, self._sizes(whole))
        fleet = whole if first is None else fleet_of(instance, first, whole=True)
        plan = plan if first is None else first
        keys, rates = routes_of_plan(plan)
        table = route_table(instance, fleet, keys)
        weight = shares(table, dict(zip(keys, rates, strict=True)))
        super().__init__(
            "rolling", instance, fleet, table, SHARES, weight, np.zeros(len(table)), start_up
        )
        # It decides itself what a failed unit is replaced by.
        self.rule = self.rule._replace(replaces=0)
        self._turn_away(plan, watch.rates)
        self.delta_s, self.start_up, self.watch = delta_s, start_up, watch
        self.solves, self.changes = 0, 0
        self._target, self._asked_at = plan, 0.0

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return what is to be done; see ``Policy.decide``."""
        again = isinstance(event, DeviceDown | DeviceUp)
        if isinstance(event, Tick):
            by_job = {job.job: job.arrived for job in state.jobs}
            counts = [by_job.get(str(name), 0) for name in self.instance.jobs.name]
            if self.watch.tick(counts, max(state.time_s - self._asked_at, 1e-9)):
                self._believed.append((state.time_s, list(self.watch.rates)))
            self._asked_at = state.time_s
            again = self._steps(self._rates(state.time_s)) != self._planned
        elif isinstance(event, RateChanged):
            self.watch.hold(self._job[event.job], event.rate_per_s)
            self._believed = [(state.time_s, list(self.watch.rates))]
            again = True
        elif isinstance(event, CapChanged):
            self._cap_w = np.inf if event.power_cap_w is None else event.power_cap_w
            again = True
        elif not again:
            return super().decide(state, event)
        found: list[Action] = []
        if again:
            plan = self._plan(state)
            if plan is not None:
                self._target = plan
                self._turn_away(plan, self._rates(state.time_s))
                found += self._shares(plan, state)
        found += self._units(state)
        self.changes += again and bool(found)
        return tuple(found) or (Wait(),)

    def _plan(self, state: State) -> SteadyPlan | None:
        """Return a plan for the rates held and the units that are not down."""
        lost = np.zeros(len(self.instance.devices), dtype=np.int64)
        for unit in state.units:
            lost[self._device[unit.device]] += unit.status == "down"
        sizes = [n - int(m) for n, m in zip(self._sizes(self.fleet), lost, strict=True)]
        rates = self._rates(state.time_s)
        self._planned = self._steps(rates)
        return self._solved(rates, sizes)

    def _rates(self, now_s: float) -> list[float]:
        """Return the largest rate of each job that was believed in the time that is remembered."""
        while len(self._believed) > 1 and self._believed[1][0] <= now_s - self.memory_s:
            del self._believed[0]
        return [max(rates) for rates in zip(*(held for _, held in self._believed), strict=True)]

    def _steps(self, rates: Sequence[float]) -> tuple[int, ...]:
        wanted = [math.log(max(r, LEAST_RATE) * (1.0 + self.headroom)) for r in rates]
        return tuple(math.ceil(w / math.log(STEP)) for w in wanted)

    def _sizes(self, fleet: Fleet) -> list[int]:
        count = np.bincount(fleet.device, minlength=len(self.instance.devices))
        return [int(n) for n in count]

    def _solved(self, rates: Sequence[float], usable: Sequence[int]) -> SteadyPlan | None:
        """Return a plan for rates and units, from memory where it was made before."""
        steps = self._steps(rates)
        key = (steps, tuple(usable), self._cap_w)
        if key not in self._known:
            self._known[key] = self._solve([STEP**k for k in steps], usable)
        return self._known[key]

    def _solve(self, rates: Sequence[float], usable: Sequence[int]) -> SteadyPlan | None:
        instance = self.instance
        most = np.array(usable, dtype=np.int64)
        changed = replace(
            instance,
            jobs=replace(instance.jobs, rate_per_s=np.array(rates)),
            devices=replace(
                instance.devices,
                count_max=most,
                count_min=np.minimum(instance.devices.count_min, most),
            ),
        ).with_limits(power_cap_w=self._cap_w)
        self.solves += 1
        found = solve_with(changed, self.options).plan
        if found is None:
            # More than the fleet can serve, or may draw: as much of each stream as it can.
            self.solves += 1
            found = solve_with(changed.with_objective("throughput"), self.options).plan
        return found if isinstance(found, SteadyPlan) else None

    def _turn_away(self, plan: SteadyPlan, rates: Sequence[float]) -> None:
        """Serve of each job what a plan has room for; what rates are above it is turned away."""
        if "value" in self.instance.objective:
            seen = replace(self.instance.jobs, rate_per_s=np.array(rates))
            part = served_parts(replace(self.instance, jobs=seen), plan)
            self.rule.admit["part"] = np.minimum(part, 1.0)

    def _shares(self, plan: SteadyPlan, state: State) -> list[Action]:
        """Take over the routes of a plan, and say so where they differ from those before."""
        renamed = self._in_numbers_of(plan, state)
        keys, rates = routes_of_plan(renamed)
        before = self._shares_now()
        self._learn(keys)
        rate: dict[RouteKey, float] = {}
        for key, value in zip(keys, rates, strict=True):
            rate[key] = rate.get(key, 0.0) + value
        self.rule.choice["weight"] = shares(self.table, rate)
        self.rule.choice["credit"] = 0.0
        now = self._shares_now()
        if now == before:
            return []
        names = self.instance.jobs.name
        found: list[Action] = [
            Route(str(names[self.table.job[k]]), self.placements(k), share=float(share))
            for k, share in enumerate(self.rule.choice["weight"])
            if share > 0
        ]
        return found + self._weights(before, now)

    def _shares_now(self) -> dict[RouteKey, float]:
        weight = self.rule.choice["weight"]
        return {k: round(float(w), 12) for k, w in zip(self.table.keys, weight, strict=True) if w}

    def _learn(self, keys: Sequence[RouteKey]) -> None:
        """Add routes that the table does not have; those there keep their numbers."""
        known = set(self.table.keys)
        if all(key in known for key in keys):
            return
        table = route_table(self.instance, self.fleet, [*self.table.keys, *keys])
        weight = dict(zip(self.table.keys, self.rule.choice["weight"], strict=True))
        self.table = table
        held = [weight.get(key, 0.0) for key in table.keys]
        self.rule = self.rule._replace(choice=choices(self.instance, table, np.array(held), 0.0))
        self._prepare()

    def _in_numbers_of(self, plan: SteadyPlan, state: State) -> SteadyPlan:
        """Let the plan's units be those that are there: the n-th is the n-th that is not down."""
        if not (plan.unit >= 0).any():
            return plan
        devices = self.instance.options.device[plan.option]
        unit = plan.unit.copy()
        for d in range(len(self.instance.devices)):
            there = [u.unit for u in self._of_device(state, d) if u.status != "down"]
            mine = (devices == d) & (plan.unit >= 0)
            unit[mine] = np.array(there, dtype=np.int64)[plan.unit[mine]]
        return replace(plan, unit=unit)

    def _weights(self, before: dict[RouteKey, float], now: dict[RouteKey, float]) -> list[Action]:
        """Return which models units must hold that they did not, and no more."""
        old, new = self._held(before), self._held(now)
        names, keys = self.instance.devices.name, self.instance.model_keys
        loads: list[Action] = [Load(str(names[d]), u, *keys[w]) for d, u, w in sorted(new - old)]
        return loads + [Unload(str(names[d]), u, *keys[w]) for d, u, w in sorted(old - new)]

    def _held(self, routes: dict[RouteKey, float]) -> set[tuple[int, int, int]]:
        options = self.instance.options
        return {
            (int(options.device[o]), unit, int(options.weights_key[o]))
            for _, rows in routes
            for _, o, unit in rows
            if unit >= 0 and options.weights_key[o] >= 0
        }

    def _of_device(self, state: State, device: int) -> list[UnitState]:
        name = str(self.instance.devices.name[device])
        return sorted((u for u in state.units if u.device == name), key=lambda u: u.unit)

    def _units(self, state: State) -> list[Action]:
        """Return the switches that bring the units on to those of the plan."""
        on: list[Action] = []
        off: list[Action] = []
        coming = False
        for d in range(len(self.instance.devices)):
            units = [u for u in self._of_device(state, d) if u.status != "down"]
            wanted = min(int(self._target.units_on[d]), len(units))
            if not self.instance.devices.off_when_unused[d]:
                wanted = len(units)
            # Units on boards go on in order, so that no more boards are on than the plan counts.
            if self._is_named(d) or self.instance.devices.on_board[d] >= 0:
                kept = units[:wanted]
            else:
                # Those that are on stay, busiest first.
                rank = {"on": 0, "starting": 1, "draining": 2, "off": 3}
                kept = sorted(units, key=lambda u: (rank[u.status], -u.running, u.unit))[:wanted]
            for unit in kept:
                if unit.status in ("off", "draining"):
                    on.append(SwitchOn(unit.device, unit.unit))
                    slow = self.rule.start_s[d] > 0 and unit.status == "off"
                    coming = coming or bool(slow)
                coming = coming or unit.status == "starting"
            chosen = {u.unit for u in kept}
            off += [
                SwitchOff(u.device, u.unit)
                for u in units
                if u.unit not in chosen and u.status in ("on", "starting")
            ]
        return on if coming else on + off

    def _is_named(self, device: int) -> bool:
        stations = self.fleet.station_device == device
        return bool((self.fleet.station_unit[stations] >= 0).any())
