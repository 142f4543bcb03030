r"""``routing: single`` as a CP-SAT assignment model (design §3.3, §4).

Sets
    t tasks (of job j, demanded rate R_j); o options; U units (device d, number u)
Variables
    x_{t,o,U}   task t runs with option o on unit U        w_{t,U} = Σ_o x_{t,o,U}
    on_U        unit U is on; on_{d,u} ≥ on_{d,u+1}        m_{n,U,V}  tensor n travels from U to V
    T           1 / θ, where throughput is asked for
Constraints
    once        Σ_{o,U} x_{t,o,U} = 1;  w_{t,U} ≤ on_U
    capacity    Σ_t R_j busy_to x_{t,o,U} + transfers that do not overlap ≤ cap_d T
    transfers   m_{n,U,V} ≥ w_{a,U} + w_{b,V} − 1 for producer a and consumer b; pairs without a
                path are forbidden; a staged tensor is written once and read once per unit
    links       Σ R_j bytes m / bandwidth ≤ channels T (× units on of the source)
    latency     longest path ≤ latency_slo
    memory      Σ weights held + slots × largest working memory ≤ memory, per unit and pool
    exclusive   a unit serves one job; together, apart, pins: units
    power       Σ idle on + θ Σ R_j e ≤ cap, as  Σ R_j e + Σ idle (on T) ≤ cap T;  budget alike

With θ fixed (every other objective, and throughput once it is known) T is 1 and R_j is multiplied
by θ.

CP-SAT counts in integers. Every row is divided by its limit and written with ``GRID`` parts,
demands rounded down: rounding only relaxes, so bounds and infeasibility are proven, and a plan
exceeds a limit by less than the number of its terms / ``GRID``, far within ``LIMIT_TOLERANCE``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.network import Network
from hetopt.steady.legs import Leg, leg
from hetopt.steady.routes import option_latency_s, usable_options
from hetopt.steady.units import memory_limited, unit_capacity

GRID = 10**12
"""Parts that a limit or an objective is divided into."""

TIME_GRID = 10**10
"""Largest T; a factor of 100 above what one unit of everything would need."""

FINE_GRID = 10**8
"""T of a known plan, where T is counted more finely to find the last digits."""

CAP_GRID = 10**8
"""Parts of a cap beside T, whose product must stay below 2^63."""

LINK_UNITS = 8
"""Units per task that throughput may have on for links that grow with the units on."""

BREAKS = 2.0
"""Multiple of a limit that no sum can take back; larger demands are cut to it."""

ACCURACY_GRID = 10**8
"""Parts of an accuracy, rounded up, and of its weight."""

OBJECTIVE_GRID = 10**11
"""Parts that the sum of an objective's terms is divided into."""

Unit = tuple[int, int]
Terms = list[tuple[Any, float]]


@dataclass(slots=True)
class Totals:
    """Float terms that rows and objectives are made of, at the demanded rates (θ = 1)."""

    load: dict[Unit, Terms] = field(default_factory=dict)
    link: dict[int, Terms] = field(default_factory=dict)
    energy: Terms = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Counted:
    """An objective as an integer expression: its value is expression × part + constant."""

    expression: Any
    part: float
    constant: float


class PlacementModel:
    """The assignment model of one instance.

    Parameters
    ----------
    theta
        Multiple of the demanded rates that is served; None where it is what is maximised.
    known
        A multiple that some placement serves, where one is known: only better ones are allowed,
        and T is counted in parts fine enough to tell them apart.
    """

    def __init__(
        self, instance: Instance, theta: float | None, *, known: float | None = None
    ) -> None:
        from ortools.sat.python import cp_model

        self.instance, self.theta = instance, theta
        self.network = Network(instance)
        self.model: Any = cp_model.CpModel()
        self.capacity = unit_capacity(instance)
        self.rate = instance.jobs.rate_per_s * (1.0 if theta is None else theta)
        self.units = _unit_counts(instance)
        self.x: dict[tuple[int, int, Unit], Any] = {}
        self.w: dict[tuple[int, Unit], Any] = {}
        self.totals = Totals()
        self.time: Any = None
        self.second = 1.0
        self.most = TIME_GRID
        self._times: dict[int, Any] = {}
        self._assignment()
        self._units_on()
        self._groups()
        self._transfers()
        self._latency()
        self._memory()
        self._exclusive()
        if theta is None:
            self._time_scale(known)
        self._capacity_rows()
        self._link_rows()
        self._caps()

    def objective(self, name: str) -> Counted:
        """Return an objective (not throughput) in whole parts that never favour a worse bound."""
        limits = self.instance.limits
        if name == "accuracy":
            return self._accuracy()
        terms, constant = self._power()
        factor = 1.0
        if name == "carbon":
            factor = limits.pue * limits.carbon_kg_per_j
        elif name == "cost":
            factor = limits.pue * limits.energy_price_per_j
        terms, constant = [(v, c * factor) for v, c in terms], constant * factor
        if name == "cost":
            price, fixed = self._price()
            terms, constant = terms + price, constant + fixed
        size = sum(c for _, c in terms)
        if size <= 0:
            return Counted(0, 1.0, constant)
        return Counted(self._parts(terms, size, OBJECTIVE_GRID), size / OBJECTIVE_GRID, constant)

    def _assignment(self) -> None:
        """Give every task one option on one unit; count busy time and energy."""
        options, tasks = self.instance.options, self.instance.tasks
        for t in range(len(tasks)):
            by_unit: dict[Unit, list[Any]] = {}
            for o in usable_options(self.instance, t):
                device = int(options.device[o])
                share = float(self.rate[tasks.job[t]] * tasks.work[t] / options.batch[o])
                for unit in self._allowed_units(t, device):
                    x = self.model.new_bool_var(f"x_{t}_{o}_{unit[1]}")
                    self.x[t, o, unit] = x
                    by_unit.setdefault(unit, []).append(x)
                    self._charge(unit, x, share * float(options.time_s[o]))
                    self.totals.energy.append((x, share * float(options.energy_j[o])))
            self.model.add_exactly_one([x for xs in by_unit.values() for x in xs])
            for unit, xs in by_unit.items():
                if len(xs) == 1:
                    self.w[t, unit] = xs[0]
                else:
                    self.w[t, unit] = self.model.new_bool_var(f"w_{t}_{unit}")
                    self.model.add(self.w[t, unit] == sum(xs))

    def _allowed_units(self, task: int, device: int) -> list[Unit]:
        pin = int(self.instance.tasks.pin_unit[task])
        return [(device, u) for u in range(self.units[device]) if pin in (-1, u)]

    def _charge(self, unit: Unit, literal: Any, busy: float) -> None:
        self.totals.load.setdefault(unit, []).append((literal, busy))

    def _placed(self, task: int) -> list[tuple[Unit, Any]]:
        return [(unit, w) for (t, unit), w in self.w.items() if t == task]

    def _units_on(self) -> None:
        devices = self.instance.devices
        self.on: dict[Unit, Any] = {}
        for d, count in enumerate(self.units):
            always = 0 if devices.off_when_unused[d] else int(devices.count_min[d])
            for u in range(count):
                on = self.model.new_bool_var(f"on_{d}_{u}")
                self.on[d, u] = on
                if u:
                    self.model.add_implication(on, self.on[d, u - 1])
                if u < always:
                    self.model.add(on == 1)
        for (_, unit), w in self.w.items():
            self.model.add_implication(w, self.on[unit])

    def _groups(self) -> None:
        for group in self.instance.together:
            first = int(group[0])
            for other in (int(t) for t in group[1:]):
                for unit in self._all_units():
                    here, there = self.w.get((first, unit), 0), self.w.get((other, unit), 0)
                    if not (isinstance(here, int) and isinstance(there, int)):
                        self.model.add(here == there)
        for group in self.instance.apart:
            for unit in self._all_units():
                here = [self.w[int(t), unit] for t in group if (int(t), unit) in self.w]
                if len(here) > 1:
                    self.model.add_at_most_one(here)

    def _all_units(self) -> list[Unit]:
        return [(d, u) for d, count in enumerate(self.units) for u in range(count)]

    def _transfers(self) -> None:
        """Make a literal for each transfer that a placement needs; forbid pairs without a path."""
        instance = self.instance
        self.delays: list[tuple[int, int, Any, Any, float]] = []
        self._moves: dict[tuple[int, int, Unit | None, Unit | None], Any] = {}
        for e in range(len(instance.edges)):
            tensor = int(instance.edges.tensor[e])
            if tensor < 0:
                continue
            a, b = int(instance.edges.src[e]), int(instance.edges.dst[e])
            for here, wa in self._placed(a):
                for there, wb in self._placed(b):
                    if here == there or self.network.zero_copy(here[0], there[0]):
                        continue
                    self._message(a, b, tensor, (here, wa), (there, wb))

    def _message(
        self, a: int, b: int, tensor: int, begin: tuple[Unit, Any], end: tuple[Unit, Any]
    ) -> None:
        """Enter what a message from one unit to another takes."""
        (here, wa), (there, wb) = begin, end
        host = self.instance.host
        steps: list[tuple[Unit | None, Unit | None, int, int]] = []
        if not self.instance.tensors.staged[tensor]:
            steps.append((here, there, here[0], there[0]))
        else:
            if here[0] != host:
                steps.append((here, None, here[0], host))
            if there[0] != host:
                steps.append((None, there, host, there[0]))
        legs: list[Leg] = []
        for source, target, src, dst in steps:
            ends = tuple(u[0] for u in (source, target) if u is not None)
            made = leg(self.instance, self.network, tensor, src, dst, ends=ends)
            if made is None:
                self.model.add_bool_or([wa.negated(), wb.negated()])
                return
            legs.append(made)
        self.delays.append((a, b, wa, wb, sum(made.time_s for made in legs)))
        for (source, target, _, _), made in zip(steps, legs, strict=True):
            key = (a, tensor, source, target)
            move = self._moves.get(key)
            if move is None:
                move = self._moves[key] = self.model.new_bool_var(f"m_{len(self._moves)}")
                self._charge_move(a, move, made, source, target)
            self.model.add_bool_or([wa.negated(), wb.negated(), move])

    def _charge_move(
        self, task: int, move: Any, made: Leg, source: Unit | None, target: Unit | None
    ) -> None:
        rate = float(self.rate[self.instance.tasks.job[task]])
        self.totals.energy.append((move, rate * made.energy_j))
        for i, link in enumerate(made.links):
            self.totals.link.setdefault(link, []).append((move, rate * made.bytes_b))
            hop = float(
                self.instance.links.latency_s[link]
                + made.bytes_b / self.instance.links.bandwidth_b_per_s[link]
            )
            overlap = self.instance.devices.overlap
            if i == 0 and source is not None and not overlap[source[0]]:
                self._charge(source, move, rate * hop)
            if i == len(made.links) - 1 and target is not None and not overlap[target[0]]:
                self._charge(target, move, rate * hop)

    def _latency(self) -> None:
        """Hold the longest path of jobs with a latency limit below it."""
        instance = self.instance
        ends: dict[int, Any] = {}
        takes: dict[int, Any] = {}
        limits: dict[int, float] = {}
        for t in instance.topological_order.tolist():
            slo = float(instance.jobs.latency_slo_s[instance.tasks.job[t]])
            if not math.isfinite(slo):
                continue
            limits[t] = slo or 1.0
            ends[t] = self.model.new_int_var(0, GRID if slo else 0, f"end_{t}")
            chosen = [(x, o) for (task, o, _), x in self.x.items() if task == t]
            takes[t] = self._parts(
                [(x, option_latency_s(instance, t, o)) for x, o in chosen], limits[t]
            )
            self.model.add(ends[t] >= takes[t])
            ptr, edges = instance.predecessors
            for e in edges[ptr[t] : ptr[t + 1]]:
                self.model.add(ends[t] >= ends[int(instance.edges.src[e])] + takes[t])
        for a, b, wa, wb, delay in self.delays:
            if b in ends and delay > 0:
                late = math.floor(min(delay / limits[b], BREAKS) * GRID)
                row = self.model.add(ends[b] >= ends[a] + late + takes[b])
                row.only_enforce_if([wa, wb])

    def _memory(self) -> None:
        instance = self.instance
        limited = memory_limited(instance)
        options, devices = instance.options, instance.devices
        pooled: dict[int, Terms] = {}
        for unit in self._all_units():
            d = unit[0]
            if not limited[d]:
                continue
            held: dict[int, Any] = {}
            working: dict[float, Any] = {}
            for (_, o, place), x in self.x.items():
                if place != unit:
                    continue
                key, need = int(options.weights_key[o]), float(options.memory_b[o])
                if key >= 0:
                    self._imply(x, held, key, f"holds_{unit}_{key}")
                if need > 0:
                    self._imply(x, working, need, f"works_{unit}_{need}")
            size = {int(k): float(options.weights_b[o]) for o, k in enumerate(options.weights_key)}
            terms: Terms = [(literal, size[key]) for key, literal in held.items()]
            below = 0.0
            steps = sorted(working)
            for i, need in enumerate(steps):
                # The largest level that is used counts: each level implies the ones below it.
                if i:
                    self.model.add_implication(working[need], working[steps[i - 1]])
                terms.append((working[need], int(devices.slots[d]) * (need - below)))
                below = need
            self._limit(terms, float(devices.memory_b[d]))
            if devices.pool[d] >= 0:
                pooled.setdefault(int(devices.pool[d]), []).extend(terms)
        for pool, terms in pooled.items():
            self._limit(terms, float(instance.pools.memory_b[pool]))

    def _imply(self, literal: Any, made: dict[Any, Any], key: Any, name: str) -> None:
        """Let a literal imply the one of ``key``, made where it is new."""
        if key not in made:
            made[key] = self.model.new_bool_var(name)
        self.model.add_implication(literal, made[key])

    def _exclusive(self) -> None:
        tasks, devices = self.instance.tasks, self.instance.devices
        for unit in self._all_units():
            if not devices.exclusive[unit[0]]:
                continue
            serves: dict[int, Any] = {}
            for (t, place), w in self.w.items():
                if place == unit:
                    job = int(tasks.job[t])
                    self._imply(w, serves, job, f"serves_{unit}_{job}")
            if len(serves) > 1:
                self.model.add_at_most_one(list(serves.values()))

    def _time_scale(self, known: float | None) -> None:
        """Choose the parts that T counts."""
        if known is not None:
            self.second, self.most = FINE_GRID * known, FINE_GRID + 1
            self.time = self.model.new_int_var(0, self.most, "T")
            return
        whole = sum(
            c / self.capacity[unit[0]]
            for unit, terms in self.totals.load.items()
            for _, c in terms
            if self.capacity[unit[0]] > 0
        )
        limits = self.instance.limits
        energy = sum(c for _, c in self.totals.energy)
        if np.isfinite(limits.power_cap_w) and limits.power_cap_w > 0:
            whole += energy / limits.power_cap_w
        if np.isfinite(limits.budget_per_s) and limits.budget_per_s > 0:
            whole += energy * limits.pue * limits.energy_price_per_j / limits.budget_per_s
        for link, terms in self.totals.link.items():
            whole += sum(c for _, c in terms) / float(self.instance.links.bandwidth_b_per_s[link])
        self.second = TIME_GRID / 100.0 / whole if whole > 0 else 1.0
        self.time = self.model.new_int_var(0, self.most, "T")

    def _capacity_rows(self) -> None:
        for unit, terms in self.totals.load.items():
            capacity = float(self.capacity[unit[0]])
            if self.time is None or capacity <= 0:
                self._limit(terms, capacity)
            else:
                used = self._parts(terms, capacity, self.second, self._beyond())
                self.model.add(used <= self.time)

    def _link_rows(self) -> None:
        links = self.instance.links
        shares: dict[tuple[int, int], list[Any]] = {}
        grid = self.second if self.time is not None else GRID
        most = self.most if self.time is not None else GRID
        for link, terms in sorted(self.totals.link.items()):
            bandwidth = float(links.bandwidth_b_per_s[link])
            if math.isinf(bandwidth):
                continue
            group = int(links.channel_group[link])
            channels = int(links.group_channels[group]) if group >= 0 else 1
            units = self.units[int(links.src[link])] if links.per_unit[link] else 1
            cut = (units * channels + 1.0) * (self._beyond() if self.time is not None else 1.0)
            used = self._parts(terms, bandwidth, grid, cut)
            if links.per_unit[link]:
                used = self._per_unit(link, used, most * channels)
            shares.setdefault((group, -1 if group >= 0 else link), []).append((used, channels))
        for used_channels in shares.values():
            room = used_channels[0][1] * (GRID if self.time is None else self.time)
            self.model.add(sum(used for used, _ in used_channels) <= room)

    def _per_unit(self, link: int, used: Any, most: int) -> Any:
        """Return the share of a link that grows with the units on of its source."""
        source = int(self.instance.links.src[link])
        share = self.model.new_int_var(0, most, f"share_{link}")
        on = [self.on[source, u] for u in range(self.units[source])]
        for count in range(1, len(on) + 1):
            exactly = [on[count - 1], *(v.negated() for v in on[count : count + 1])]
            self.model.add(count * share + (count - 1) >= used).only_enforce_if(exactly)
        return share

    def _caps(self) -> None:
        """Hold the power cap and the budget."""
        limits = self.instance.limits
        power, idle = self._power()
        if np.isfinite(limits.power_cap_w):
            still = [
                (on, float(self.instance.devices.idle_power_w[d])) for (d, _), on in self.on.items()
            ]
            self._cap(limits.power_cap_w, (power, idle), (still, idle), 1.0)
        if np.isfinite(limits.budget_per_s):
            price, fixed = self._price()
            factor = limits.pue * limits.energy_price_per_j
            still = price + [
                (on, factor * float(self.instance.devices.idle_power_w[d]))
                for (d, _), on in self.on.items()
            ]
            whole = price + [(v, factor * c) for v, c in power]
            base = fixed + idle * factor
            self._cap(limits.budget_per_s, (whole, base), (still, base), factor)

    def _cap(
        self, cap: float, whole: tuple[Terms, float], still: tuple[Terms, float], factor: float
    ) -> None:
        if self.time is None:
            self._limit(whole[0], cap - whole[1])
            return
        size = cap or 1.0
        parts = _cap_parts([size, still[1], *(c for _, c in still[0])])
        taken: Any = self._parts(
            [(v, c * factor) for v, c in self.totals.energy],
            size,
            parts * self.second,
            self._beyond(),
        )
        for on, amount in still[0]:
            part = math.floor(min(amount / size, BREAKS) * parts)
            if part:
                taken = taken + part * self._time_while(on)
        room = math.ceil((size - still[1]) / size * parts) if cap else 0
        self.model.add(taken <= room * self.time)

    def _time_while(self, on: Any) -> Any:
        """Return a variable that is T while a unit is on, 0 while it is off.

        (A product of T and headroom says the same, but CP-SAT 9.15 was seen to call such models
        infeasible that are not.)
        """
        if on.index not in self._times:
            time = self.model.new_int_var(0, self.most, f"T_{on}")
            self.model.add(time >= self.time).only_enforce_if(on)
            self._times[on.index] = time
        return self._times[on.index]

    def _power(self) -> tuple[Terms, float]:
        idle = self.instance.devices.idle_power_w
        terms = [(on, float(idle[d])) for (d, _), on in self.on.items() if idle[d] > 0]
        devices = self.instance.devices
        # Units beyond those that tasks could use are on only where they are never off.
        fixed = sum(
            float(idle[d]) * max(0, int(devices.count_min[d]) - self.units[d])
            for d in range(len(idle))
            if not devices.off_when_unused[d]
        )
        return terms + self.totals.energy, fixed

    def _price(self) -> tuple[Terms, float]:
        """Units had are those on, and at least the minimum."""
        devices = self.instance.devices
        terms: Terms = []
        fixed = 0.0
        for d in range(len(devices)):
            price, least = float(devices.price_per_s[d]), int(devices.count_min[d])
            fixed += price * least
            terms += [(self.on[d, u], price) for u in range(least, self.units[d]) if price > 0]
        return terms, fixed

    def _accuracy(self) -> Counted:
        """Count the accuracy per job, the least of its tasks', rounded up as it is maximised."""
        instance = self.instance
        ptr, tasks = instance.job_tasks
        rated: list[tuple[Any, float]] = []
        for j in range(len(instance.jobs)):
            stated: dict[int, list[tuple[Any, float]]] = {}
            for t in tasks[ptr[j] : ptr[j + 1]].tolist():
                for (task, o, _), x in self.x.items():
                    if task == t and not np.isnan(instance.options.accuracy[o]):
                        stated.setdefault(t, []).append((x, float(instance.options.accuracy[o])))
            if stated:
                least = self.model.new_int_var(0, ACCURACY_GRID, f"accuracy_{j}")
                for choices in stated.values():
                    parts = [x * math.ceil(a * ACCURACY_GRID) for x, a in choices]
                    self.model.add(least <= sum(parts))
                rated.append((least, float(instance.jobs.weight[j])))
        weight = sum(w for _, w in rated)
        if weight <= 0:
            return Counted(0, 1.0, 0.0)
        parts = [least * math.ceil(w / weight * ACCURACY_GRID) for least, w in rated]
        return Counted(sum(parts), 1.0 / ACCURACY_GRID**2, 0.0)

    def _beyond(self) -> float:
        """Return a demand, as a multiple of its limit, that no T allows."""
        return 1.01 * self.most / self.second

    def _limit(self, terms: Terms, limit: float) -> None:
        """Hold Σ terms ≤ limit."""
        if math.isinf(limit):
            return
        if limit <= 0:
            for literal, amount in terms:
                if amount > 0:
                    self.model.add(literal == 0)
            if limit < 0:
                self.model.add_bool_or([])
            return
        self.model.add(self._parts(terms, limit) <= GRID)

    @staticmethod
    def _parts(terms: Terms, limit: float, grid: float = GRID, cut: float = BREAKS) -> Any:
        """Return Σ terms in parts of ``limit``, each rounded down and cut where it breaks it."""
        whole: Any = 0
        for literal, amount in terms:
            part = math.floor(min(amount / limit, cut) * grid)
            if part:
                whole = whole + literal * part
        return whole


def _cap_parts(amounts: list[float]) -> int:
    """Return a number of parts of the first amount that makes all amounts whole, where one does.

    Otherwise ``CAP_GRID``, which rounds.
    """
    exact = [Fraction(repr(a)) for a in amounts]
    denominator = math.lcm(*(f.denominator for f in exact))
    step = math.gcd(*(int(f * denominator) for f in exact))
    parts = int(exact[0] * denominator) // step if step else 1
    return parts if parts <= CAP_GRID else CAP_GRID


def _unit_counts(instance: Instance) -> list[int]:
    """Units of each device that the model may use: no more than the tasks that may run there."""
    devices = instance.devices
    may = [0] * len(devices)
    pinned = [0] * len(devices)
    for t in range(len(instance.tasks)):
        here = {int(instance.options.device[o]) for o in usable_options(instance, t)}
        for d in sorted(here):
            may[d] += 1
            pinned[d] = max(pinned[d], int(instance.tasks.pin_unit[t]) + 1)
    counts = []
    for d in range(len(devices)):
        most = int(devices.count_max[d])
        wanted = max(may[d], pinned[d], _links_grow(instance, d, may[d]))
        counts.append(wanted if most == NO_MAXIMUM else min(most, wanted))
    return counts


def _links_grow(instance: Instance, device: int, tasks: int) -> int:
    """Units that could be worth having on for the sake of the links that grow with them."""
    links, tensors = instance.links, instance.tensors
    mine = np.flatnonzero(links.per_unit & (links.src == device))
    if not len(mine):
        return 0
    if "throughput" in instance.objective:
        return LINK_UNITS * tasks
    ptr, _ = instance.consumers
    rate = instance.jobs.rate_per_s[instance.tasks.job[tensors.producer]]
    whole = float((rate * tensors.bytes_b * np.diff(ptr)).sum())
    return math.ceil(whole / float(links.bandwidth_b_per_s[mine].min()))
