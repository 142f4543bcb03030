"""Optimum of tiny streams on devices that slow each other down: everything enumerated.

Written from the instance's columns and the rule of docs/quantities.md alone. For every number of
units on and every set of weights in memory, a linear program over all states and all routes, each
route once for every least rate that its options may have: rates that some state has, so that its
latency keeps its limit. Rates and latencies are compared in fractions.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import Instance, is_maximised
from tests.oracles.board_count import boards_of
from tests.oracles.paths import exact
from tests.oracles.schedule_oracle import TooHardError

MOST_STATES = 300
HELD = 1e-9

Slots = tuple[int, ...]
"""Options that run at once, ascending, one entry for each slot."""


@dataclass(frozen=True)
class Stream:
    """A route with the least rates that it asks for."""

    job: int
    options: tuple[int, ...]
    least: tuple[Fraction, ...]


class SlowStreams:
    """The oracle of one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.wide = len(instance.devices)
        tasks = instance.tasks
        self.members = [
            [t for t in range(len(tasks)) if tasks.job[t] == j] for j in range(len(instance.jobs))
        ]
        self.slow = [bool(s == "slow") for s in instance.resources.sharing]
        self.asks = [
            {k: exact(amount) for k, amount in instance.uses.of(o) if self.slow[k]}
            if instance.options.time_s[o] > 0
            else {}
            for o in range(len(instance.options))
        ]
        most = [int(n) for n in instance.devices.count_max]
        self.rates: dict[Slots, list[Fraction]] = {}
        self.attained: dict[int, set[Fraction]] = {}
        for state in self.states(most, None):
            rates = self.rates[state] = self.rates_of(state)
            for o, rate in zip(state, rates, strict=True):
                self.attained.setdefault(o, set()).add(rate)
        self.streams = [s for j in range(len(self.members)) for s in self.routes(j)]

    def rates_of(self, state: Slots) -> list[Fraction]:
        asked: dict[int, list[Fraction]] = {}
        for o in state:
            for k, amount in self.asks[o].items():
                asked.setdefault(k, []).append(amount)
        speed = {}
        for k, amounts in asked.items():
            capacity = exact(self.instance.resources.capacity[k])
            speed[k] = min(Fraction(1), capacity / sum(amounts))
            if len(amounts) > 1:
                speed[k] *= 1 - exact(self.instance.resources.loss[k])
        return [min([Fraction(1), *(speed[k] for k in self.asks[o])]) for o in state]

    def states(self, units: list[int], allowed: set[int] | None) -> Iterator[Slots]:
        """Return what all devices together may run at once, idle included."""
        devices, options = self.instance.devices, self.instance.options
        ways = []
        for d in range(self.wide):
            mine = sorted(
                {
                    int(o)
                    for o in self.instance.admissible[1]
                    if options.device[o] == d and options.time_s[o] > 0
                }
            )
            mine = [o for o in mine if allowed is None or o in allowed]
            room = units[d] * int(devices.slots[d])
            ways.append(
                [
                    way
                    for size in range(room + 1)
                    for way in itertools.combinations_with_replacement(mine, size)
                ]
            )
        if math.prod(len(w) for w in ways) > MOST_STATES:
            raise TooHardError
        for parts in itertools.product(*ways):
            yield tuple(sorted(o for part in parts for o in part))

    def routes(self, j: int) -> Iterator[Stream]:
        inst = self.instance
        tasks = self.members[j]
        slo = float(inst.jobs.latency_slo_s[j])
        for chosen in itertools.product(*([int(o) for o in inst.task_options(t)] for t in tasks)):
            stated = [float(inst.options.accuracy[o]) for o in chosen]
            stated = [a for a in stated if not math.isnan(a)]
            if stated and min(stated) < inst.jobs.min_accuracy[j] - 1e-12:
                continue
            if math.isinf(slo):
                yield Stream(j, chosen, (Fraction(0),) * len(chosen))
                continue
            kept: list[tuple[Fraction, ...]] = []
            choices = [
                sorted(self.attained.get(o, {Fraction(1)})) if self.asks[o] else [Fraction(1)]
                for o in chosen
            ]
            for least in itertools.product(*choices):
                if self.latency(tasks, chosen, least) > exact(slo):
                    continue
                # What asks for more than another way that is in time is of no use.
                if not any(all(a <= b for a, b in zip(k, least, strict=True)) for k in kept):
                    kept.append(least)
            for least in kept:
                yield Stream(j, chosen, least)

    def latency(
        self, tasks: list[int], chosen: tuple[int, ...], least: tuple[Fraction, ...]
    ) -> Fraction:
        inst = self.instance
        end: dict[int, Fraction] = {}
        takes = {}
        for t, o, rate in zip(tasks, chosen, least, strict=True):
            time = exact(inst.tasks.work[t]) * exact(inst.options.time_s[o])
            if inst.options.batch[o] >= 2:
                time *= 2
            if not math.isnan(inst.options.latency_s[o]):
                time = exact(inst.options.latency_s[o])
            takes[t] = time / rate
        for _ in tasks:
            for t in tasks:
                before = [
                    end.get(int(a), Fraction(0))
                    for a, b in zip(inst.edges.src, inst.edges.dst, strict=True)
                    if b == t
                ]
                end[t] = max(before, default=Fraction(0)) + takes[t]
        return max(end.values())

    def fleets(self) -> Iterator[tuple[list[int], set[int] | None]]:
        """Return units on, and the options whose weights are held where memory is limited."""
        for units in itertools.product(*(self.on(d) for d in range(self.wide))):
            packed = [self.packings(d, units[d]) for d in range(self.wide)]
            for parts in itertools.product(*packed):
                yield list(units), set().union(*parts)

    def on(self, d: int) -> range:
        devices = self.instance.devices
        least = 0 if devices.off_when_unused[d] else int(devices.count_min[d])
        return range(least, int(devices.count_max[d]) + 1)

    def packings(self, d: int, units: int) -> list[set[int]]:
        """Return the sets of options that the units on of a device may run."""
        inst = self.instance
        options = inst.options
        mine = [o for o in range(len(options)) if options.device[o] == d]
        if units == 0:
            return [set()]
        memory = float(inst.devices.memory_b[d])
        if math.isinf(memory):
            return [set(mine)]
        assert units == 1
        found: list[set[int]] = []
        for size in range(len(mine), -1, -1):
            for some in itertools.combinations(mine, size):
                keys = {int(options.weights_key[o]): options.weights_b[o] for o in some}
                use = sum(b for k, b in keys.items() if k >= 0)
                use += int(inst.devices.slots[d]) * max(
                    (options.memory_b[o] for o in some), default=0.0
                )
                if use <= memory and not any(set(some) <= other for other in found):
                    found.append(set(some))
        return found

    def optimum(self) -> tuple[float, ...] | None:
        """Return the lexicographic optimum, None where there is no plan."""
        if len({s.job for s in self.streams}) < len(self.members):
            return None
        held: list[float] = []
        for name in self.instance.objective:
            sign = -1.0 if is_maximised(name) else 1.0
            values = [
                value
                for units, allowed in self.fleets()
                if (value := self.level(units, allowed, held)) is not None
            ]
            if not values:
                return None
            held.append(sign * min(sign * v for v in values))
        return tuple(held)

    def level(self, units: list[int], allowed: set[int] | None, held: list[float]) -> float | None:
        """Best value of the next objective with these units on."""
        from scipy.optimize import linprog

        inst, limits = self.instance, self.instance.limits
        streams = [
            s
            for s in self.streams
            if all(allowed is None or o in allowed for o in s.options)
            and all(units[int(inst.options.device[o])] > 0 for o in s.options)
        ]
        states = list(self.states(units, allowed))
        n, m = len(streams), len(states)
        demand = [float(r) for r in inst.jobs.rate_per_s]
        rows: list[tuple[dict[int, float], float]] = []
        theta = n + m
        self.work_rows(streams, states, demand, rows)
        rows.append(({n + s: 1.0 for s in range(m)}, 1.0))
        devices = inst.devices
        for d in range(self.wide):
            share = exact(devices.max_utilization[d]) * (1 - exact(devices.reserved[d]))
            room = float(share * int(devices.slots[d]) * units[d])
            busy = {
                n + s: float(sum(int(inst.options.device[o]) == d for o in state))
                for s, state in enumerate(states)
            }
            rows.append((busy, room))
        for k, budget in enumerate(inst.resources.budget.tolist()):
            if math.isfinite(budget):
                spent = {
                    i: sum(
                        demand[s.job] * dict(inst.uses.of(o)).get(k, 0.0) / inst.options.batch[o]
                        for o in s.options
                    )
                    / budget
                    for i, s in enumerate(streams)
                }
                rows.append((spent, 1.0))
        power, cost, carbon = self.measures(streams, units, demand)
        if math.isfinite(limits.power_cap_w):
            rows.append((power[0], limits.power_cap_w - power[1]))
        if math.isfinite(limits.budget_per_s):
            rows.append((cost[0], limits.budget_per_s - cost[1]))
        total = sum(demand)
        measures: dict[str, tuple[dict[int, float], float]] = {
            "power": power,
            "cost": cost,
            "carbon": carbon,
            "throughput": ({theta: total}, 0.0),
        }
        for name, value in zip(inst.objective, held, strict=False):
            terms, constant = measures[name]
            sign = -1.0 if is_maximised(name) else 1.0
            size = abs(value) or 1.0
            scaled = {i: sign * c / size for i, c in terms.items()}
            rows.append((scaled, sign * (value - constant) / size + HELD))
        matrix = np.zeros((len(rows), n + m + 1))
        limit = np.zeros(len(rows))
        for i, (terms, right) in enumerate(rows):
            for j, c in terms.items():
                matrix[i, j] += c
            limit[i] = right
        equal = np.zeros((len(self.members), n + m + 1))
        for i, s in enumerate(streams):
            equal[s.job, i] = 1.0
        equal[:, theta] = -1.0
        name = inst.objective[len(held)]
        terms, constant = measures[name]
        sign = -1.0 if is_maximised(name) else 1.0
        cost_of = np.zeros(n + m + 1)
        for j, c in terms.items():
            cost_of[j] += sign * c
        size = np.abs(cost_of).max() or 1.0
        fixed = None if "throughput" in inst.objective else 1.0
        bounds: Any = [(0, None)] * (n + m) + [(0 if fixed is None else 1, fixed)]
        found = linprog(
            cost_of / size,
            matrix,
            limit,
            equal,
            np.zeros(len(self.members)),
            bounds,
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if found.status == 2:
            return None
        if found.status != 0:
            raise TooHardError
        return sign * float(found.fun) * float(size) + constant

    def work_rows(
        self,
        streams: list[Stream],
        states: list[Slots],
        demand: list[float],
        rows: list[tuple[dict[int, float], float]],
    ) -> None:
        """Add, for each option and least rate: work that asks for it or more, and who does it."""
        inst = self.instance
        n = len(streams)
        asked: dict[tuple[int, Fraction], dict[int, float]] = {}
        for i, s in enumerate(streams):
            for t, o, least in zip(self.members[s.job], s.options, s.least, strict=True):
                time = inst.tasks.work[t] * inst.options.time_s[o] / inst.options.batch[o]
                if time > 0:
                    row = asked.setdefault((o, least), {})
                    row[i] = row.get(i, 0.0) + demand[s.job] * float(time)
        for o, least in asked:
            row: dict[int, float] = {}
            for (other, rate), terms in asked.items():
                if other == o and rate >= least:
                    for i, c in terms.items():
                        row[i] = row.get(i, 0.0) + c
            for s, state in enumerate(states):
                for runs, rate in zip(state, self.rates[state], strict=True):
                    if runs == o and rate >= least:
                        row[n + s] = row.get(n + s, 0.0) - float(rate)
            rows.append((row, 0.0))

    def measures(
        self, streams: list[Stream], units: list[int], demand: list[float]
    ) -> tuple[tuple[dict[int, float], float], ...]:
        """Return power, cost and carbon per second: of each stream at its whole rate, and fixed."""
        inst, limits = self.instance, self.instance.limits
        devices = inst.devices
        joules = {
            i: demand[s.job]
            * sum(
                float(inst.tasks.work[t] * inst.options.energy_j[o] / inst.options.batch[o])
                for t, o in zip(self.members[s.job], s.options, strict=True)
            )
            for i, s in enumerate(streams)
        }
        idle = float(sum(devices.idle_power_w[d] * units[d] for d in range(self.wide)))
        had = [max(int(devices.count_min[d]), units[d]) for d in range(self.wide)]
        had = [units[d] if not devices.off_when_unused[d] else had[d] for d in range(self.wide)]
        rent = float(sum(devices.price_per_s[d] * had[d] for d in range(self.wide)))
        for b, _, lit, owned in boards_of(inst, units, had):
            idle += float(inst.boards.idle_power_w[b]) * lit
            rent += float(inst.boards.price_per_s[b]) * owned
        price = limits.pue * limits.energy_price_per_j
        carbon = limits.pue * limits.carbon_kg_per_j
        return (
            (joules, idle),
            ({i: price * j for i, j in joules.items()}, rent + price * idle),
            ({i: carbon * j for i, j in joules.items()}, carbon * idle),
        )


@contextlib.contextmanager
def generating(always: bool) -> Iterator[None]:
    """Have states generated, however few there are, where ``always``."""
    import hetopt.steady.states.states as listing

    most = listing.MOST_STATES
    listing.MOST_STATES = 0 if always else most
    try:
        yield
    finally:
        listing.MOST_STATES = most


def slow_optimum(instance: Instance) -> tuple[float, ...] | None:
    """Return the lexicographic optimum of the instance's objectives, None where infeasible."""
    return SlowStreams(instance).optimum()
