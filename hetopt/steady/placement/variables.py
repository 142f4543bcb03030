r"""``routing: single`` as a CP-SAT assignment model (docs/mathematics.md).

Sets
    t tasks (of job j, demanded rate R_j); o options; U units (device d, number u)
Variables
    x_{t,o,U}   task t runs with option o on unit U        w_{t,U} = Σ_o x_{t,o,U}
    on_U        unit U works; on_{d,u} ≥ on_{d,u+1}        m_{n,U,V}  tensor n travels from U to V
    h_U, s_d    unit U is had; device d serves (only where it has spare units, else h is on)
    T           1 / θ, where throughput is asked for
Constraints
    once        Σ_{o,U} x_{t,o,U} = 1;  w_{t,U} ≤ on_U
    spares      w_{t,U} ≤ s_d;  on_U ≤ h_U;  on_{d,u} + s_d − 1 ≤ h_{d,u+spare};  idle counts for h
                where units are never off, for on elsewhere
    capacity    Σ_t R_j busy_to x_{t,o,U} + transfers that do not overlap ≤ cap_d T
    least load  Σ_t R_j busy_to x_{t,o,U} + … ≥ low_d T where on_U (`placement.rules.least_load`)
    resources   Σ_t R_j amount per request x_{t,o,U} ≤ limit T
    transfers   m_{n,U,V} ≥ w_{a,U} + w_{b,V} − 1 for producer a and consumer b; pairs without a
                path are forbidden; a staged tensor is written once and read once per unit
    links       Σ R_j bytes m / bandwidth ≤ channels T (× units on of the source)
    latency     longest path ≤ latency_slo
    memory      Σ weights held + slots × largest working memory ≤ memory, per unit and pool
    exclusive   a unit serves one job; together, apart, pins: units
    contiguous  stages in an order (`placement.rows.stages`)
    boards      on_{d,u} ≤ bo_n and h_{d,u} ≤ bh_n of the board n = u // (units a board) of d's kind
                (`placement.rows.boards`); their idle power and price count beside those of units
    power       Σ idle on + θ Σ R_j e ≤ cap, as  Σ R_j e + Σ idle (on T) ≤ cap T;  budget alike

With θ fixed (every other objective, and throughput once it is known) T is 1 and R_j is multiplied
by θ.

CP-SAT counts in integers. Every row is divided by its limit and written with ``GRID`` parts,
demands rounded down: rounding only relaxes, so bounds and infeasibility are proven, and a plan
exceeds a limit by less than the number of its terms / ``GRID``, far within ``LIMIT_TOLERANCE``.

In how many parts the placement model counts, as CP-SAT knows whole numbers only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.paths import Network
from hetopt.solvers.cpsat import load_cp_model
from hetopt.steady.model.capacity import memory_limited, unit_capacity
from hetopt.steady.model.resources import ResourceLimit, resource_limits, taken_per_request
from hetopt.steady.placement.rows.boards import BoardLiterals
from hetopt.steady.routes.route import usable_options
from hetopt.steady.routes.transfers import differing_prices

GRID = 10**12
"""Parts that a limit or an objective is divided into."""
TIME_GRID = 10**9
"""Largest T; a factor of 100 above what one unit of everything would need."""
IDLEST = 100.0
"""At the largest T no unit is busy for more than 1 / IDLEST of its capacity."""
FINE_GRID = 10**8
"""T of a known plan, where T is counted more finely to find the last digits."""
LINK_UNITS = 8
"""Units per task that throughput may have on for links that grow with the units on."""
MOST_PARTS = 1 << 60
"""Largest demand in parts; larger ones are cut to it, which relaxes."""
BREAKS = 2.0
"""Multiple of a limit that no sum can take back; larger demands are cut to it."""
CAP_GRID = 10**8
"""Parts of a cap beside T, whose product must stay below 2^63."""
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
    paid: dict[str, Terms] = field(default_factory=dict)
    taken: dict[ResourceLimit, Terms] = field(default_factory=dict)


class PlacementModel:
    """Variables of the assignment model of one instance, and rows on units alone.

    Parameters
    ----------
    theta
        Multiple of the demanded rates that is served; None where it is what is maximised.
    """

    def __init__(self, instance: Instance, theta: float | None) -> None:
        self.instance, self.theta = instance, theta
        self.network = Network(instance)
        self.model: Any = load_cp_model().CpModel()
        self.capacity = unit_capacity(instance)
        self.rate = instance.jobs.rate_per_s * (1.0 if theta is None else theta)
        self.units = _unit_counts(instance)
        self.resources = resource_limits(instance)
        self.prices = differing_prices(instance)
        self.x: dict[tuple[int, int, Unit], Any] = {}
        self.w: dict[tuple[int, Unit], Any] = {}
        self.homes: list[list[tuple[Unit, Any]]] = []
        self.totals = Totals()
        self.time: Any = None
        self.second = 1.0
        limits = instance.limits
        capped = np.isfinite([limits.power_cap_w, limits.budget_per_s]).any()
        self.rounds_up = bool(capped) or len(instance.links) > 0
        self.most = TIME_GRID
        self.times: dict[int, Any] = {}
        self.delays: list[tuple[int, int, Any, Any, float]] = []
        self.moves: dict[tuple[int, int, Unit | None, Unit | None], Any] = {}
        self.reasons: list[tuple[Any, Any, Any]] = []
        self.stages: dict[int, tuple[dict[Unit, Any], dict[int, Any]]] = {}
        self._assignment()
        self._units_on()
        self.boards = BoardLiterals(instance, self.model, self.had, self.drawing())
        self._groups()

    def _assignment(self) -> None:
        """Give every task one option on one unit; count busy time and energy."""
        options, tasks = self.instance.options, self.instance.tasks
        for t in range(len(tasks)):
            by_unit: dict[Unit, list[Any]] = {}
            for o in usable_options(self.instance, t):
                device = int(options.device[o])
                rate = float(self.rate[tasks.job[t]])
                share = rate * float(tasks.work[t] / options.batch[o])
                taken = taken_per_request(self.instance, self.resources, t, o)
                for unit in self._allowed_units(t, device):
                    x = self.model.new_bool_var(f"x_{t}_{o}_{unit[1]}")
                    self.x[t, o, unit] = x
                    by_unit.setdefault(unit, []).append(x)
                    self.charge(unit, x, share * float(options.time_s[o]))
                    self.draw(x, share * float(options.energy_j[o]), device)
                    for resource, amount in taken.items():
                        self.totals.taken.setdefault(resource, []).append((x, rate * amount))
            self.model.add_exactly_one([x for xs in by_unit.values() for x in xs])
            for unit, xs in by_unit.items():
                if len(xs) == 1:
                    self.w[t, unit] = xs[0]
                else:
                    self.w[t, unit] = self.model.new_bool_var(f"w_{t}_{unit}")
                    self.model.add(self.w[t, unit] == sum(xs))
            self.homes.append([(unit, self.w[t, unit]) for unit in by_unit])

    def _allowed_units(self, task: int, device: int) -> list[Unit]:
        pin = int(self.instance.tasks.pin_unit[task])
        return [(device, u) for u in range(self.units[device]) if pin in (-1, u)]

    def charge(self, unit: Unit, literal: Any, busy: float) -> None:
        """Add busy seconds per second to a unit's load where a literal holds."""
        self.totals.load.setdefault(unit, []).append((literal, busy))

    def draw(self, literal: Any, power_w: float, device: int) -> None:
        """Add power that is drawn at a device where a literal holds, and what it costs there."""
        self.totals.energy.append((literal, power_w))
        for name, price in self.prices.items():
            self.totals.paid.setdefault(name, []).append((literal, power_w * float(price[device])))

    def placed(self, task: int) -> list[tuple[Unit, Any]]:
        """Return the units that a task may be on, each with its literal."""
        return self.homes[task]

    def _units_on(self) -> None:
        devices = self.instance.devices
        self.on: dict[Unit, Any] = {}
        for d, count in enumerate(self.units):
            spare = int(devices.spare[d])
            always = 0 if devices.off_when_unused[d] or spare else int(devices.count_min[d])
            for u in range(count):
                on = self.model.new_bool_var(f"on_{d}_{u}")
                self.on[d, u] = on
                if u:
                    self.model.add_implication(on, self.on[d, u - 1])
                if u < always:
                    self.model.add(on == 1)
        for (_, unit), w in self.w.items():
            self.model.add_implication(w, self.on[unit])
        self.had = dict(self.on)
        for d in np.flatnonzero(devices.spare > 0).tolist():
            self._spares(d, int(devices.spare[d]))

    def _spares(self, device: int, spare: int) -> None:
        """Have so many units beyond those that work, where the device serves at all."""
        model, count = self.model, self.units[device]
        serves = model.new_bool_var(f"serves_{device}")
        for (_, unit), w in self.w.items():
            if unit[0] == device:
                model.add_implication(w, serves)
        for u in range(count + spare):
            had = self.had[device, u] = model.new_bool_var(f"had_{device}_{u}")
            if u:
                model.add_implication(had, self.had[device, u - 1])
            if u < int(self.instance.devices.count_min[device]):
                model.add(had == 1)
        for u in range(count):
            on = self.on[device, u]
            model.add_implication(on, self.had[device, u])
            model.add_bool_or([on.negated(), serves.negated(), self.had[device, u + spare]])

    def drawing(self) -> dict[Unit, Any]:
        """Return the literal that says of each unit that it draws idle power."""
        devices = self.instance.devices
        kept = ~devices.off_when_unused & (devices.spare > 0)
        found = {unit: on for unit, on in self.on.items() if not kept[unit[0]]}
        return found | {unit: had for unit, had in self.had.items() if kept[unit[0]]}

    def idling(self) -> list[tuple[int, float, Any]]:
        """Return (device, watts, literal) of all units and boards that may draw idle power.

        A board draws where the device is that it names.
        """
        idle = self.instance.devices.idle_power_w
        units = [(d, float(idle[d]), on) for (d, _), on in self.drawing().items()]
        return units + self.boards.idling()

    def counted_units(self, device: int) -> int:
        """Units of a device that have a literal of being had."""
        return self.units[device] + int(self.instance.devices.spare[device])

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

    def hold_memory(self) -> None:
        """Hold weights and working memory within the memory of each unit and pool."""
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
            self.limit(terms, float(devices.memory_b[d]))
            if devices.pool[d] >= 0:
                pooled.setdefault(int(devices.pool[d]), []).extend(terms)
        for pool, terms in pooled.items():
            self.limit(terms, float(instance.pools.memory_b[pool]))

    def _imply(self, literal: Any, made: dict[Any, Any], key: Any, name: str) -> None:
        """Let a literal imply the one of ``key``, made where it is new."""
        if key not in made:
            made[key] = self.model.new_bool_var(name)
        self.model.add_implication(literal, made[key])

    def hold_exclusive(self) -> None:
        """Let an exclusive unit serve one job."""
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

    def choose_time_scale(self, known: float | None) -> None:
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
            dearest = float(joule_prices(self.instance, "cost").max(initial=0.0))
            whole += energy * dearest / limits.budget_per_s
        for link, terms in self.totals.link.items():
            whole += sum(c for _, c in terms) / float(self.instance.links.bandwidth_b_per_s[link])
        for resource, terms in self.totals.taken.items():
            if self.resources[resource] > 0:
                whole += sum(c for _, c in terms) / self.resources[resource]
        self.second = TIME_GRID / IDLEST / whole if whole > 0 else 1.0
        self.time = self.model.new_int_var(0, self.most, "T")

    def hold_capacity(self) -> None:
        """Hold the load of each unit within its capacity."""
        for unit, terms in self.totals.load.items():
            self._limit_rate(terms, float(self.capacity[unit[0]]))

    def hold_resources(self) -> None:
        """Hold what options take of resources within their limits."""
        for resource, terms in self.totals.taken.items():
            self._limit_rate(terms, self.resources[resource])

    def _limit_rate(self, terms: Terms, limit: float) -> None:
        """Hold θ × Σ terms ≤ limit."""
        if self.time is None or limit <= 0:
            self.limit(terms, limit)
        else:
            self.model.add(self.parts(terms, limit, self.second, self.beyond()) <= self.time)

    def beyond(self) -> float:
        """Return a demand, as a multiple of its limit, that no T allows."""
        return 1.01 * self.most / self.second

    def limit(self, terms: Terms, limit: float) -> None:
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
        self.model.add(self.parts(terms, limit) <= GRID)

    @staticmethod
    def parts(terms: Terms, limit: float, grid: float = GRID, cut: float = BREAKS) -> Any:
        """Return Σ terms in parts of ``limit``, each rounded down and cut where it breaks it."""
        whole: Any = 0
        for literal, amount in terms:
            part = min(MOST_PARTS, math.floor(min(amount / limit, cut) * grid))
            if part:
                whole = whole + literal * part
        return whole


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
        wanted = max(may[d], pinned[d], _links_grow(instance, d))
        serving = max(0, most - int(devices.spare[d]))
        counts.append(wanted if most == NO_MAXIMUM else min(serving, wanted))
    return counts


def _links_grow(instance: Instance, device: int) -> int:
    """Units that could be worth having on for the sake of the links that grow with them."""
    links, tensors = instance.links, instance.tensors
    mine = np.flatnonzero(links.per_unit & (links.src == device))
    if not len(mine):
        return 0
    if "throughput" in instance.objective:
        return LINK_UNITS * len(instance.tasks)
    ptr, _ = instance.consumers
    rate = instance.jobs.rate_per_s[instance.tasks.job[tensors.producer]]
    whole = float((rate * tensors.bytes_b * np.diff(ptr)).sum())
    return math.ceil(whole / float(links.bandwidth_b_per_s[mine].min()))
