"""Optimum of a tiny instance with periods: all units and what they hold, by enumeration.

Written from the instance's columns and docs/quantities.md alone. In each period every device has
some units on, each of a type: the weights that it holds, and its workload where the device is
exclusive. What they serve, and take, is a linear program over routes on types. Sequences of states
are tried by depth-first search; units are matched from one period to the next in every order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from hetopt.instance import Instance
from tests.oracles.schedule_oracle import TooHardError

MOST_STATES = 260
MOST_SEQUENCES = 3_000_000
MOST_WITHOUT_BOUND = 30_000
ROOM = 1e-9
WORTHLESS = 1e-7
ANY = -1

Keys = frozenset[int]
Type = tuple[int, Keys]
"""Workload (ANY where the unit may serve all) and weights."""


@dataclass(frozen=True)
class State:
    """Types of the units on of each device, and whether each device may serve."""

    units: tuple[tuple[Type, ...], ...]
    serves: tuple[bool, ...]

    @property
    def on(self) -> tuple[int, ...]:
        return tuple(len(types) for types in self.units)


@dataclass(frozen=True)
class Route:
    """Options of a job's tasks: energy and load per request by device, weights and memory."""

    job: int
    energy: tuple[tuple[int, float], ...]
    load: tuple[tuple[int, float], ...]
    keys: tuple[tuple[int, Keys], ...]
    working: tuple[tuple[int, float], ...]


@dataclass
class Step:
    """What a change of state takes: energy and money, units switched, weights loaded."""

    energy: dict[int, float] = field(default_factory=dict)
    money: float = 0.0
    changes: int = 0


class PeriodOracle:
    """The enumeration of one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.wide = len(instance.devices)
        self.durations = [float(w) for w in instance.scenarios.weight]
        options = instance.options
        self.size = {
            int(k): float(b)
            for k, b in zip(options.weights_key, options.weights_b, strict=True)
            if k >= 0
        }
        devices, pools = instance.devices, instance.pools
        self.room = [
            min(
                float(devices.memory_b[d]),
                float(pools.memory_b[devices.pool[d]]) if devices.pool[d] >= 0 else math.inf,
            )
            for d in range(self.wide)
        ]
        self.routes = list(self._routes())
        self.states = list(self._states())
        self.name = instance.objective[0]
        self.price = [self._prices(s) for s in range(len(self.durations))]
        self._served: dict[tuple[int, int, float], float | None] = {}

    def optimum(self) -> tuple[float, ...] | None:
        """Return the optimum, None where there is no plan."""
        maximise = self.name == "throughput"
        best = math.inf
        count = len(self.durations)
        allowed = [
            [i for i in range(len(self.states)) if self._value(s, i, math.inf) is not None]
            for s in range(count)
        ]
        # What is worth something is not bounded by a part of the periods, so all are tried.
        most = MOST_SEQUENCES if self.name != "value" else MOST_WITHOUT_BOUND
        if math.prod(len(a) for a in allowed) > most:
            raise TooHardError
        steps: dict[tuple[int, int], Step] = {}

        def step(a: int, b: int) -> Step:
            if (a, b) not in steps:
                steps[a, b] = self._step(self.states[a].units, self.states[b].units)
            return steps[a, b]

        initial = self._initial()

        def change(chosen: list[int], s: int) -> Step | None:
            if s:
                return step(chosen[s - 1], chosen[s])
            if self.instance.periods.cyclic:
                return step(chosen[-1], chosen[0]) if len(chosen) == count else None
            return self._step(initial, self.states[chosen[0]].units)

        def search(chosen: list[int], spent: float) -> None:
            nonlocal best
            s = len(chosen)
            if s == count:
                first = change(chosen, 0)
                assert first is not None
                value = spent
                if self.instance.periods.cyclic:
                    taken = self._taken(0, chosen[0], first)
                    if taken is None:
                        return
                    value = max(spent, taken) if maximise else spent + taken
                if not self._stays(chosen):
                    return
                if self.name == "cost" and self.instance.periods.invest:
                    value += self._bought(chosen)
                elif self.name == "cost":
                    value += self._had(chosen) * sum(self.durations)
                if not self._shares_had(chosen):
                    return
                best = min(best, value)
                return
            for i in allowed[s]:
                chosen.append(i)
                if self._same_always_on(chosen):
                    now = change(chosen, s) if s or not self.instance.periods.cyclic else None
                    if s == 0 and self.instance.periods.cyclic:
                        value = spent
                        if not maximise and count > 1:
                            value += 0.0
                        if value < best or self.name == "value":
                            search(chosen, value)
                    elif now is not None:
                        taken = self._taken(s, i, now)
                        if taken is not None:
                            value = max(spent, taken) if maximise else spent + taken
                            if value < best or self.name == "value":
                                search(chosen, value)
                chosen.pop()

        search([], -math.inf if maximise else 0.0)
        if math.isinf(best) and best > 0:
            return None
        whole = sum(self.durations)
        if maximise:
            rates = self.instance.scenarios.rate_per_s.sum(axis=1)
            return (-best * float(np.dot(self.durations, rates)) / whole,)
        if self.name == "value":
            # What the rounding of a cap has room for, that idle power and starts meet, is nothing.
            worth = -best / whole
            return (worth if worth > WORTHLESS else 0.0,)
        value = best / whole
        if value > self.instance.limits.budget_per_s * (1 + ROOM):
            return None
        return (value,)

    def _taken(self, s: int, state: int, step: Step) -> float | None:
        """What a period takes over its time, with the change before it; -θ for throughput."""
        most = self.instance.periods.max_changes
        if most >= 0 and step.changes > most:
            return None
        cap = self._cap(s)
        left = cap - sum(step.energy.values()) / self.durations[s]
        value = self._value(s, state, left if math.isfinite(cap) else math.inf)
        if value is None or self.name == "throughput":
            return value
        taken = value * self.durations[s]
        if self.name == "value":
            return taken
        taken += sum(joules * self.price[s][d] for d, joules in step.energy.items())
        return taken + (step.money * self._today(s) if self.name == "cost" else 0.0)

    def _value(self, s: int, state: int, cap: float) -> float | None:
        """The least that a state takes per second in a period, without units had; -θ."""
        if cap == math.inf:
            cap = self._cap(s)
        key = s, state, cap
        if key not in self._served:
            self._served[key] = self._program(s, self.states[state], cap)
        return self._served[key]

    def _program(self, s: int, state: State, cap: float) -> float | None:
        devices = self.instance.devices
        rate = self.instance.scenarios.rate_per_s[s]
        groups = [
            (d, kind, types.count(kind))
            for d, types in enumerate(state.units)
            for kind in dict.fromkeys(types)
        ]
        number = {(d, kind): g for g, (d, kind, _) in enumerate(groups)}
        columns = []
        for route in self.routes:
            if rate[route.job] <= 0:
                continue
            places = []
            for d, _ in route.load:
                if not state.serves[d]:
                    places.append([])
                    continue
                places.append(
                    [(d, k) for k in dict.fromkeys(state.units[d]) if self._can(route, d, k)]
                )
            columns += [(route, chosen) for chosen in itertools.product(*places)]
        idle = [float(devices.idle_power_w[d]) * n for d, n in enumerate(state.on)]
        for b, lit in enumerate(self._boards_on(state.on)):
            idle[self._site_of(b)] += float(self.instance.boards.idle_power_w[b]) * lit
        power = sum(idle)
        fixed = sum(w * p for w, p in zip(idle, self.price[s], strict=True))
        asked = [j for j in range(len(rate)) if rate[j] > 0]
        throughput, worth = self.name == "throughput", self.name == "value"
        jobs = self.instance.jobs
        if worth:
            fixed = 0.0
        idle_units = [devices.min_load[d] > 0 for d, _, _ in groups]
        if not columns:
            must = [j for j in asked if not worth or jobs.min_share[j] > 0]
            if (must and not throughput) or any(idle_units):
                return None
            if power > cap * (1 + ROOM):
                return None
            return 0.0 if throughput else fixed
        wide = len(columns) + (1 if throughput else 0)
        cost = np.zeros(wide)
        upper, most = [], []
        load = np.zeros((len(groups), wide))
        drawn = np.zeros(wide)
        equal, demand = np.zeros((len(asked), wide)), np.zeros(len(asked))
        for c, (route, chosen) in enumerate(columns):
            for (_, busy), place in zip(route.load, chosen, strict=True):
                load[number[place], c] += busy
            drawn[c] = sum(joules for _, joules in route.energy)
            if worth:
                cost[c] = -float(jobs.value[route.job])
            elif not throughput:
                cost[c] = sum(joules * self.price[s][d] for d, joules in route.energy)
            equal[asked.index(route.job), c] = 1.0
        for g, (d, _, units) in enumerate(groups):
            each = float(devices.max_utilization[d]) * (1 - float(devices.reserved[d]))
            upper.append(load[g])
            most.append(each * int(devices.slots[d]) * units * (1 + ROOM))
            if devices.min_load[d] > 0:
                # Units of one type share their work as they like.
                least = float(devices.min_load[d]) * (1 - float(devices.reserved[d]))
                upper.append(-load[g])
                most.append(-least * int(devices.slots[d]) * units * (1 - ROOM))
        if math.isfinite(cap):
            upper.append(drawn)
            most.append(cap * (1 + ROOM) - power)
        for row, j in enumerate(asked):
            if throughput:
                equal[row, -1] = -rate[j]
            else:
                demand[row] = rate[j]
        if throughput:
            cost[-1] = -1.0
        if worth:
            share = np.array([float(jobs.min_share[j]) for j in asked])
            upper += [*equal, *-equal]
            most += [*demand, *(-demand * share * (1 - ROOM))]
            equal, demand = equal[:0], demand[:0]
        found = linprog(
            cost, A_ub=np.array(upper), b_ub=np.array(most), A_eq=equal, b_eq=demand, method="highs"
        )
        if found.status != 0:
            return None
        return float(found.fun) + (0.0 if throughput else fixed)

    def _can(self, route: Route, d: int, kind: Type) -> bool:
        job, held = kind
        if job not in (ANY, route.job):
            return False
        keys, working = dict(route.keys).get(d, frozenset()), dict(route.working).get(d, 0.0)
        if math.isinf(self.room[d]):
            return True
        use = sum(self.size[k] for k in held) + int(self.instance.devices.slots[d]) * working
        return keys <= held and use <= self.room[d] * (1 + ROOM)

    def _routes(self) -> Iterator[Route]:
        inst = self.instance
        for job in range(len(inst.jobs)):
            tasks = [t for t in range(len(inst.tasks)) if inst.tasks.job[t] == job]
            choices = [inst.task_options(t).tolist() for t in tasks]
            for chosen in itertools.product(*choices):
                energy: dict[int, float] = {}
                load: dict[int, float] = {}
                keys: dict[int, set[int]] = {}
                working: dict[int, float] = {}
                for o in chosen:
                    d = int(inst.options.device[o])
                    energy[d] = energy.get(d, 0.0) + float(inst.options.energy_j[o])
                    load[d] = load.get(d, 0.0) + float(inst.options.time_s[o])
                    key = int(inst.options.weights_key[o])
                    keys.setdefault(d, set()).update({key} if key >= 0 else set())
                    working[d] = max(working.get(d, 0.0), float(inst.options.memory_b[o]))
                yield Route(
                    job,
                    tuple(energy.items()),
                    tuple(load.items()),
                    tuple((d, frozenset(k)) for d, k in keys.items()),
                    tuple(working.items()),
                )

    def _types(self, d: int) -> list[Type]:
        inst = self.instance
        exclusive = bool(inst.devices.exclusive[d])
        of_job: dict[int, set[int]] = {}
        for route in self.routes:
            if d in dict(route.load):
                of_job.setdefault(route.job, set()).update(dict(route.keys).get(d, frozenset()))
        limited = math.isfinite(self.room[d])
        groups = of_job if exclusive else {ANY: set().union(*of_job.values())}
        found: dict[Type, None] = {}
        for job, keys in groups.items():
            listed = sorted(keys) if limited else []
            for n in range(len(listed) + 1):
                for held in itertools.combinations(listed, n):
                    if sum(self.size[k] for k in held) <= self.room[d] * (1 + ROOM):
                        found[job, frozenset(held)] = None
        return list(found) or [(ANY, frozenset())]

    def _states(self) -> Iterator[State]:
        devices = self.instance.devices
        each = []
        for d in range(self.wide):
            types, most = self._types(d), int(devices.count_max[d])
            spare = int(devices.spare[d])
            always = not devices.off_when_unused[d]
            low = int(devices.count_min[d]) if always else 0
            mine = []
            for n in range(low, most + 1):
                for units in itertools.combinations_with_replacement(types, n):
                    if not spare:
                        mine.append((units, True))
                    else:
                        mine.append((units, False))
                        if 0 < n <= most - spare:
                            mine.append((units, True))
            each.append(mine)
        if math.prod(len(mine) for mine in each) > MOST_STATES:
            raise TooHardError
        for chosen in itertools.product(*each):
            state = State(tuple(u for u, _ in chosen), tuple(f for _, f in chosen))
            if self._pooled(state):
                yield state

    def _pooled(self, state: State) -> bool:
        pools, devices = self.instance.pools, self.instance.devices
        for pool in range(len(pools.name)):
            taken = sum(
                self.size[k]
                for d in range(self.wide)
                if devices.pool[d] == pool
                for _, held in state.units[d]
                for k in held
            )
            if taken > float(pools.memory_b[pool]) * (1 + ROOM):
                return False
        return True

    def _step(self, before: Sequence[Sequence[Type]], after: Sequence[Sequence[Type]]) -> Step:
        devices, step = self.instance.devices, Step()
        for d in range(self.wide):
            starts = max(0, len(after[d]) - len(before[d]))
            joules = starts * float(
                devices.start_up_energy_j[d] + devices.idle_power_w[d] * devices.start_up_time_s[d]
            )
            count, loaded = self._loaded([k for _, k in before[d]], [k for _, k in after[d]])
            joules += loaded * float(devices.load_energy_j_per_b[d])
            if joules:
                step.energy[d] = joules
            step.money += starts * float(devices.start_up_cost[d])
            step.changes += abs(len(after[d]) - len(before[d])) + count
        boards = self.instance.boards
        now, was = (self._boards_on([len(u) for u in units]) for units in (after, before))
        for b in range(len(boards)):
            starts, d = max(0, now[b] - was[b]), self._site_of(b)
            joules = (
                boards.start_up_energy_j[b] + boards.idle_power_w[b] * boards.start_up_time_s[b]
            )
            if starts * joules:
                step.energy[d] = step.energy.get(d, 0.0) + starts * float(joules)
            step.money += starts * float(boards.start_up_cost[b])
        return step

    def _boards_on(self, units: Sequence[int]) -> list[int]:
        """Boards that carry a unit, of kinds that may be off; those that never are, are all on."""
        boards, devices = self.instance.boards, self.instance.devices
        found = []
        for b in range(len(boards)):
            lit = {
                u // int(boards.per_board[d])
                for d in range(self.wide)
                if devices.on_board[d] == b
                for u in range(units[d])
            }
            if not boards.off_when_unused[b]:
                assert boards.count_min[b] == boards.count_max[b]
            found.append(len(lit) if boards.off_when_unused[b] else int(boards.count_max[b]))
        return found

    def _site_of(self, board: int) -> int:
        """A device on a board."""
        mine = [d for d in range(self.wide) if self.instance.devices.on_board[d] == board]
        return (mine or [0])[0]

    def _loaded(self, before: list[Keys], after: list[Keys]) -> tuple[int, float]:
        """The fewest weights, then bytes, over every way to say which unit was which."""
        old = before + [frozenset[int]()] * max(0, len(after) - len(before))
        best = (10**9, math.inf)
        for order in itertools.permutations(old, len(after)):
            loaded = [k for was, now in zip(order, after, strict=True) for k in now - was]
            best = min(best, (len(loaded), sum(self.size[k] for k in loaded)))
        return best

    def _initial(self) -> list[list[Type]]:
        periods = self.instance.periods
        found: list[list[Type]] = [[] for _ in range(self.wide)]
        for g, d in enumerate(periods.initial_device.tolist()):
            keys = periods.initial_key[periods.initial_ptr[g] : periods.initial_ptr[g + 1]]
            found[d] += [(ANY, frozenset(keys.tolist()))] * int(periods.initial_units[g])
        return found

    def _stays(self, chosen: list[int]) -> bool:
        """Whether enough units are on for those that went on less than min_up ago."""
        least, count = self.instance.periods.min_up_s, len(chosen)
        if not least:
            return True
        on = [self.states[i].on for i in chosen]
        cyclic = self.instance.periods.cyclic
        # Written out over as many cycles as reach back that far, times counted from the first.
        cycles = 1 + math.ceil(least / sum(self.durations)) if cyclic else 1
        begins = np.concatenate([[0.0], np.cumsum(self.durations * cycles)])
        initial = [len(types) for types in self._initial()]
        for d in range(self.wide):
            counts = [on[s % count][d] for s in range(count * cycles)]
            before = [counts[-1] if cyclic else initial[d], *counts[:-1]]
            starts = [max(0, c - b) for c, b in zip(counts, before, strict=True)]
            for s in range(count * (cycles - 1), count * cycles):
                recent = sum(
                    starts[q] for q in range(s + 1) if begins[s] - begins[q] < least * (1 - 1e-9)
                )
                if recent > counts[s]:
                    return False
        return True

    def _units_had(self, chosen: list[int]) -> list[int]:
        devices = self.instance.devices
        return [
            max(
                int(devices.count_min[d]),
                *(
                    self.states[i].on[d]
                    + (
                        int(devices.spare[d])
                        if devices.spare[d] and self.states[i].serves[d]
                        else 0
                    )
                    for i in chosen
                ),
            )
            for d in range(self.wide)
        ]

    def _today(self, s: int) -> float:
        """What money at the begin of a period counts; of the last one's end for s = S."""
        if not self.instance.periods.invest:
            return 1.0
        return self._discount(sum(self.durations[:s]))

    def _discount(self, time: float) -> float:
        rate = float(self.instance.periods.discount_rate)
        return float((1.0 + rate) ** -(time / (365 * 24 * 3600.0)))

    def _bought(self, chosen: list[int]) -> float:
        """What units cost that are bought when they are first needed, and stay."""
        devices, spent = self.instance.devices, 0.0
        whole = sum(self.durations)
        had = [len(types) for types in self._initial()]
        for s in range(len(chosen)):
            state = self.states[chosen[s]]
            for d in range(self.wide):
                spare = int(devices.spare[d]) if state.serves[d] else 0
                need = max(int(devices.count_min[d]), state.on[d] + spare)
                while had[d] < need:
                    had[d] += 1
                    spent += self._unit(d, sum(self.durations[:s]), s, whole)
        return spent

    def _unit(self, d: int, begin: float, s: int, end: float) -> float:
        """What one unit costs, purchase after purchase, or rent after rent."""
        rent = float(self.instance.devices.price_per_s[d])
        price = float(self.instance.devices.purchase_price[d])
        if not rent or math.isnan(price):
            left = range(s, len(self.durations))
            return sum(rent * self.durations[q] * self._today(q) for q in left)
        life, spent, at = price / rent, 0.0, begin
        while at < end - 1e-9 * end:
            spent += price * self._discount(at)
            at += life
        return spent - price * self._discount(end) * max(0.0, at - end) / life

    def _had(self, chosen: list[int]) -> float:
        price, boards = self.instance.devices.price_per_s, self.instance.boards
        had = self._units_had(chosen)
        rent = sum(n * float(price[d]) for d, n in enumerate(had))
        for b in range(len(boards)):
            each = boards.per_board
            carried = [
                -(-had[d] // int(each[d]))
                for d in range(self.wide)
                if self.instance.devices.on_board[d] == b
            ]
            rent += float(boards.price_per_s[b]) * max([int(boards.count_min[b]), *carried])
        return rent

    def _shares_had(self, chosen: list[int]) -> bool:
        devices = self.instance.devices
        return all(n <= int(devices.count_max[d]) for d, n in enumerate(self._units_had(chosen)))

    def _same_always_on(self, chosen: list[int]) -> bool:
        off = self.instance.devices.off_when_unused
        if self.instance.periods.invest:
            # What is never off is on from when it is bought.
            before = (
                self.states[chosen[-2]].on
                if len(chosen) > 1
                else tuple(len(types) for types in self._initial())
            )
            now = self.states[chosen[-1]].on
            return all(off[d] or now[d] >= before[d] for d in range(self.wide))
        first, last = self.states[chosen[0]].on, self.states[chosen[-1]].on
        return all(off[d] or first[d] == last[d] for d in range(self.wide))

    def _cap(self, s: int) -> float:
        own = float(self.instance.periods.power_cap_w[s])
        return float(self.instance.limits.power_cap_w) if math.isnan(own) else own

    def _prices(self, s: int) -> list[float]:
        """What a joule of each device counts in a period."""
        inst = self.instance
        if self.name not in ("cost", "carbon"):
            return [1.0] * self.wide
        column = "energy_price_per_j" if self.name == "cost" else "carbon_kg_per_j"
        own = float(getattr(inst.periods, column)[s])
        whole = float(getattr(inst.limits, column)) if math.isnan(own) else own
        found = []
        for d in range(self.wide):
            site, price, pue = int(inst.devices.site[d]), whole, float(inst.limits.pue)
            if site >= 0:
                there = float(getattr(inst.sites, column)[site])
                price = price if math.isnan(there) else there
                pue = pue if math.isnan(inst.sites.pue[site]) else float(inst.sites.pue[site])
            found.append(price * pue * (self._today(s) if self.name == "cost" else 1.0))
        return found


def judge_periods(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Solve the instance of a seed; return whether enumeration agrees, and all differences."""
    from hetopt.solve import solve
    from tests.oracles.agreement import disagreements
    from tests.random_periods import random_periods

    instance = random_periods(seed)
    try:
        best = period_optimum(instance)
    except TooHardError:
        return "too hard", []
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    wrong = disagreements(instance, solution, best)
    agreed = "agreed" if best is not None else "agreed infeasible"
    return "disagreed" if wrong else agreed, wrong


def period_optimum(instance: Instance) -> tuple[float, ...] | None:
    """Return the optimum of an instance with periods, None where infeasible."""
    return PeriodOracle(instance).optimum()
