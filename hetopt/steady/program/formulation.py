r"""The steady regime as a mixed-integer program over routes (docs/mathematics.md).

Sets
    j jobs with rate R_j; r routes (of job j(r)), with busy time b_rd on device d, e_r joules,
    a_r accuracy and B_rl bytes on link l per request; k kinds of unit of device d(k)
    (:mod:`hetopt.steady.routes.packings`; one kind per device without memory limits or
    exclusiveness).
Variables
    y_r ≥ 0     share of its job's demand that route r serves: rate x_r = R_j y_r
    f_rk ≥ 0    the part of y_r that units of kind k serve on their device
    n_k integer units of kind k;  u_d integer units on;  h_d units had
    c_r integer slices of its job's demand that route r serves (jobs of S_j > 0 slices)
    v_d integer units that serve;  s_d binary: device d serves, so that its spares are had
    θ           demand served, as a multiple (1 where the demand is fixed)
Constraints
    demand      Σ_{r of j} y_r = θ
    shares      min_share_j ≤ Σ_{r of j} y_r ≤ 1 in its place where value is an objective
    slices      S_j y_r = c_r
    flow        Σ_{k on d} f_rk = y_r                      for each device d of route r
    capacity    Σ_r R_j b_rd f_rk ≤ cap_d n_k, cap_d = max_utilization (1 − reserved) slots
    least load  Σ_r R_j b_rd f_rk ≥ low_d n_k, low_d = min_load (1 − reserved) slots, where it is
                above 0; there every unit on works: Σ_{k on d} n_k = v_d, and
                v_d + spare_d s_d = h_d where always on
    units       Σ_{k on d} n_k ≤ v_d ≤ u_d ≤ h_d,  min_d ≤ h_d ≤ max_d;  u_d = h_d where always on
    spares      v_d + spare_d s_d ≤ h_d;  Σ_{r of j on d} y_r ≤ s_d for each job;
                v_d ≤ (max_d − spare_d) s_d, or max_d − spare_d s_d where a share of units on
                or periods may ask for units that serve nothing.  Without spares v_d is u_d
    shares      min ≤ Σ_{d of kind} u_d / Σ_d u_d ≤ max, multiplied out; or of price_d h_d
    pools       Σ_k memory_k n_k ≤ pool memory
    links       Σ_{l in group} Σ_r R_j B_rl y_r / bandwidth_l ≤ channels  (× u of the source)
    resources   Σ_r R_j a_r y_r ≤ capacity (a_r: amount × busy time per request), or ≤ budget per
                second (a_r: amount per request)
    boards      :mod:`hetopt.steady.program.rows.boards`; they draw and cost beside the units
    power       Σ_d idle_d u_d + Σ_r R_j e_r y_r ≤ power cap
    budget      Σ_d price_d h_d + pue · energy price · power ≤ budget; where sites differ in the
                price of a joule, each joule at the site where it is drawn; carbon alike
    linking     Σ_{r of j} f_rk ≤ n_k where the demand is fixed: implied for integers, and what
                makes the relaxation of small fleets strong
    states      where devices slow each other down: :mod:`hetopt.steady.states.rows`

Demand is an equality without loss: whoever serves more can scale all routes of the job down, which
changes no accuracy and eases every limit but a least load. Where one is asked for, the checker
takes no more served than is demanded (and no other mix than the demand's, where throughput is asked
for), so that requests which nobody sends keep no unit busy.

Numbers are scaled so that a solver's absolute tolerances mean the same in every instance: shares
instead of rates, busy units instead of seconds, limits in fractions of themselves, and θ in
multiples of what about one unit serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pulp

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.errors import InputError
from hetopt.instance import NO_MAXIMUM, Instance, is_maximised
from hetopt.instance.joule_prices import joule_prices, sites_differ
from hetopt.instance.states.stream_boards import board_joule_prices
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import least_load, memory_limited, unit_capacity
from hetopt.steady.model.resources import resource_limits
from hetopt.steady.program.expressions import aim_at, sum_of
from hetopt.steady.program.question import Joint, Question
from hetopt.steady.program.rows.boards import BoardUnits, Counted
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes

HOLD = 1e-9
"""Relative room with which earlier levels of a list of objectives are held (docs/schedule.md)."""


def hold_room(question: Question, value: float) -> float:
    """Return the relative room with which a value is held.

    None for nothing where value is asked for: what costs as little as that could serve something.
    """
    return 0.0 if value == 0 and question.value else HOLD


NEGLIGIBLE = 1e-6
"""Load of a route, in units, that a solver's tolerances could hide."""

Terms = list[tuple[Any, float]]


class Extra(Protocol):
    """Rows that a program has beside its own families."""

    def add_to(self, model: SteadyModel) -> list[Any]:
        """Add them; return the variables that a plan is read from."""
        ...

    def completed(
        self, model: SteadyModel, plan: SteadyPlan, values: Mapping[str, float]
    ) -> SteadyPlan:
        """Return the plan with what these rows decide, and no fewer units on than they need."""
        ...

    def start(self, model: SteadyModel, plan: SteadyPlan) -> dict[str, float]:
        """Return the integer variables of these rows, by name, as a plan has them."""
        ...

    def legend(self, instance: Instance) -> list[str]:
        """Return lines that say what the variables of these rows stand for."""
        ...


class SteadyModel:
    """The program of one instance, or of one scenario of it.

    Parameters
    ----------
    shrink
        Relative amount by which capacities and caps are reduced, so that a plan found within a
        solver's tolerance respects the true ones.
    most
        A value that the scaled θ cannot exceed, for rows that say that work which takes no time
        needs a unit too. Without it they are left out, and ``incomplete`` says whether any were.
    joint
        For one of several scenarios: what it shares with the others.
    states
        Rows of the states of devices that slow each other down, where there are any.
    """

    def __init__(
        self,
        instance: Instance,
        routes: Routes,
        kinds: list[UnitKind],
        *,
        shrink: float = 0.0,
        most: float | None = None,
        joint: Joint | None = None,
        states: Extra | None = None,
    ) -> None:
        self.instance, self.routes, self.kinds = instance, routes.routes, kinds
        self.of_job = routes.of_job
        self.prefix = joint.prefix if joint else ""
        self.price_at = joint.price if joint else ""
        self.blank = joint.blank if joint else frozenset[int]()
        self.kept = joint.kept if joint else frozenset[int]()
        self.question = joint.question if joint else Question.of(instance)
        self.keep = 1.0 - shrink
        self.most = most if self.question.throughput else 1.0
        self.incomplete = False
        self.capacity = unit_capacity(instance)
        self.least = least_load(instance)
        self.limited = memory_limited(instance)
        counted = Counted.of(instance, self.question)
        self.carries = counted.units_on(instance), counted.units_had(instance)
        self.rate = [float(r) for r in instance.jobs.rate_per_s]
        self.unit = joint.unit if joint else self.throughput_unit()
        self.problem: Any = joint.problem if joint else pulp.LpProblem("steady", pulp.LpMinimize)
        self.theta: Any = joint.theta if joint else None
        self.kinds_of: dict[int, list[int]] = {}
        for k, kind in enumerate(kinds):
            self.kinds_of.setdefault(kind.device, []).append(k)
        self._variables()
        self._demand()
        self._slices()
        self._flow()
        self._capacity()
        self._least_load()
        self._units()
        self._spares()
        self.boards = BoardUnits(self)
        self._kind_shares()
        self._pools()
        self._links()
        self._resources()
        self._power_cap()
        self._budget()
        self._linking()
        self.states = states
        self.switched: dict[int, list[Any]] = {}
        self.state_parts = states.add_to(self) if states else []

    def route_rate(self, route: int) -> float:
        """Return the requests per second of a route whose share is 1."""
        return self.rate[self.routes[route].job] * self.unit

    def expression(self, objective: str) -> Any:
        """Return the objective as an expression, in SI units.

        ``accuracy`` beside ``throughput`` is an expression only once θ is fixed (`hold`).
        """
        if objective == "throughput":
            return self.theta * (self.unit * sum(self.rate))
        if objective == "accuracy":
            return self._accuracy()
        if objective == "value":
            worth = self.instance.jobs.value
            return sum_of(
                (y, self.route_rate(r) * float(worth[self.routes[r].job]))
                for r, y in enumerate(self.share)
            )
        if objective == "cost":
            return self._cost()
        return self._paid("carbon") if objective == "carbon" else self._power()

    def aim(self, objective: str) -> float:
        """Make ``objective`` what the program minimises, scaled so that the largest cost is 1.

        Returns
        -------
        float
            What the objective in SI units is multiplied by; negative where it is maximised.
        """
        return aim_at(self.problem, objective, self.expression(objective))

    def hold(self, objective: str, value: float) -> None:
        """Allow no objective worse than ``value``, up to ``HOLD`` of it."""
        if objective == "throughput":
            served = value / (self.unit * sum(self.rate)) * (1.0 - HOLD)
            self.theta_fixed = served
            self.theta.bounds(served, served)
            return
        size, room = abs(value) or 1.0, hold_room(self.question, value)
        expression = self.expression(objective) * (1.0 / size)
        if is_maximised(objective):
            self._add(-expression <= room - value / size, f"hold_{objective}")
        else:
            self._add(expression <= value / size + room, f"hold_{objective}")

    # Each method below is one family of the formulation, in its order.

    def _variables(self) -> None:
        self.share = [self._variable(f"y_{r}", 0) for r in range(len(self.routes))]
        if not self.routes:
            # Where nothing need be served there may be no route, and solvers want a variable.
            self._add(self._variable("nothing", 0, 0) <= 0, "nothing")
        if not self.question.throughput:
            self.theta = 1.0
        elif self.theta is None:
            self.theta = self._variable("theta", 0)
        self.theta_fixed = 0.0 if self.question.throughput else 1.0
        self.on: dict[int, Any] = {}
        self.had: dict[int, Any] = {}
        self.work: dict[int, Any] = {}
        self.spared: dict[int, Any] = {}
        for device in range(len(self.instance.devices)):
            self._unit_variables(device)
        self.count: list[Any] = []
        for k, kind in enumerate(self.kinds):
            if self.plain(kind.device):
                self.count.append(self.work[kind.device])
            else:
                most = 1 if kind.unit >= 0 else self._count_max(kind.device)
                self.count.append(self._variable(f"n_{k}", 0, most, "Integer"))
        self.serving: dict[tuple[int, int], list[int]] = {}
        for k, kind in enumerate(self.kinds):
            for r in kind.routes:
                self.serving.setdefault((r, kind.device), []).append(k)
        self.flow: dict[tuple[int, int], Any] = {}
        for (r, _), serving in self.serving.items():
            if len(serving) > 1:
                self.flow.update({(r, k): self._variable(f"f_{r}_{k}", 0) for k in serving})

    def plain(self, device: int) -> bool:
        """Whether one count of units says all about a device: any unit on serves anything.

        Not where a pool's memory is limited: a unit that is on without serving takes none of it.
        Nor where loading weights counts, which a unit that is on without them spares.
        """
        kinds = self.kinds_of.get(device, [])
        pool = int(self.instance.devices.pool[device])
        pooled = pool >= 0 and bool(np.isfinite(self.instance.pools.memory_b[pool]))
        single = len(kinds) == 1 and self.kinds[kinds[0]].unit < 0
        return single and not pooled and device not in self.blank

    def _count_max(self, device: int) -> int | None:
        most = int(self.instance.devices.count_max[device])
        return None if most == NO_MAXIMUM else most

    def _unit_variables(self, device: int) -> None:
        """Units that serve, on and had; constants where nothing sees how many there are."""
        devices = self.instance.devices
        least, most = int(devices.count_min[device]), self._count_max(device)
        spare = int(devices.spare[device]) if device in self.kinds_of else 0
        always = not devices.off_when_unused[device]
        shares = set(self.instance.kind_shares.of.tolist())
        price = devices.price_per_s[device] > 0
        on_counts = (self.question.power and devices.idle_power_w[device] > 0) or "units" in shares
        on_counts = on_counts or self.question.switching or bool(self.carries[0][device])
        had_counts = price and (self.question.price or "price" in shares)
        had_counts = had_counts or bool(self.carries[1][device])
        fixed = least == most
        shared = "units" in shares or (bool(price) and "price" in shares)
        kept = device in self.kept and not self.least[device] > 0
        unused = device not in self.kinds_of and not kept
        if unused and not self._scales_links(device) and not shared:
            self.on[device] = self.work[device] = least if always else 0
            self.had[device] = least
            return
        # More units on than needed do no harm, unless each of them must be busy.
        free = not on_counts and (fixed or not had_counts) and not self.least[device] > 0
        if most is not None and (free or (always and fixed)):
            self.on[device] = self.had[device] = most
            self.work[device] = max(0, most - spare)
            if spare and self._scales_links(device):
                self.spared[device] = self._variable(f"s_{device}", 0, 1, "Integer")
            return
        # Where kinds are counted, u settles at their sum: it may be continuous.
        counted = not self.plain(device) and not self._scales_links(device)
        # Not where starts count too, of which only so many may be made.
        whole = shares or self.question.switching
        category = "Continuous" if counted and not whole else "Integer"
        units = "Integer" if shares else "Continuous"
        low = least if always and not spare else 0
        # For a share of units on, or to save starts, a device that serves nothing may have all of
        # its units on.
        idle = "units" in shares or self.question.switching
        serving = most if most is None or idle else max(0, most - spare)
        self.work[device] = self._variable(f"u_{device}", low, serving, category)
        self.on[device] = self.work[device]
        self.had[device] = self.work[device] if always else least
        if spare:
            self.spared[device] = self._variable(f"s_{device}", 0, 1, "Integer")
        # Continuous: it settles at the larger of what is needed and the minimum, an integer.
        if always and spare:
            self.had[device] = self._variable(f"h_{device}", least, most, units)
            self.on[device] = self.had[device]
        elif had_counts and not always and not fixed:
            self.had[device] = self._variable(f"h_{device}", least, most, units)

    def _scales_links(self, device: int) -> bool:
        links = self.instance.links
        return bool(np.any(links.per_unit & (links.src == device)))

    def _demand(self) -> None:
        for job, mine in enumerate(self.of_job):
            if not self.rate[job] > 0:
                # Nothing is asked of the job in this scenario.
                for r in mine:
                    self.share[r].bounds(0, 0)
                continue
            served = pulp.LpAffineExpression([(self.share[r], 1.0) for r in mine])
            if not self.question.value:
                self._add(served == self.theta, f"demand_{job}")
                continue
            least = float(self.instance.jobs.min_share[job])
            self._add(served <= 1, f"demand_{job}")
            if least > 0:
                self._add(served >= least, f"minshare_{job}")

    def _slices(self) -> None:
        self.slices: dict[int, Any] = {}
        for job, mine in enumerate(self.of_job):
            parts = int(self.instance.jobs.slices[job])
            for r in mine if parts else ():
                self.slices[r] = self._variable(f"c_{r}", 0, parts, "Integer")
                self._add(self.share[r] * parts == self.slices[r], f"slices_{r}")

    def _flow(self) -> None:
        for (r, device), serving in self.serving.items():
            if len(serving) > 1:
                parts = pulp.LpAffineExpression([(self.flow[r, k], 1.0) for k in serving])
                self._add(parts == self.share[r], f"flow_{r}_{device}")
        # A route that no kind of unit can take on one of its devices serves nothing.
        for r, route in enumerate(self.routes):
            if any((r, device) not in self.serving for device in route.busy_s):
                self.share[r].bounds(0, 0)

    def _capacity(self) -> None:
        for k, kind in enumerate(self.kinds):
            load = [
                (self.part(r, k), self.route_rate(r) * self.routes[r].busy_s[kind.device])
                for r in kind.routes
            ]
            room = self.count[k] * (float(self.capacity[kind.device]) * self.keep)
            self._add(sum_of(load) <= room, f"capacity_{k}")

    def _least_load(self) -> None:
        """Keep every unit on busy enough; a kind's load may be spread evenly over its units."""
        for k, kind in enumerate(self.kinds):
            least, most = float(self.least[kind.device]), float(self.capacity[kind.device])
            if not least > 0:
                continue
            busy = {r: self.route_rate(r) * self.routes[r].busy_s[kind.device] for r in kind.routes}
            if not any(busy.values()):
                # Work that takes no time keeps no unit busy.
                for r in kind.routes:
                    self.part(r, k).bounds(0, 0)
            load = sum_of((self.part(r, k), b) for r, b in busy.items() if b > 0)
            low = min(least * (2.0 - self.keep), max(least, most * self.keep))
            self._add(load >= self.count[k] * low, f"minload_{k}")
        for device in np.flatnonzero(self.least > 0).tolist():
            if device not in self.kinds_of:
                # Nothing can keep a unit of it busy.
                self._add(sum_of([(self.on[device], 1.0)]) <= 0, f"minload_none_{device}")

    def part(self, route: int, kind: int) -> Any:
        """Return the variable of the part of a route that units of a kind serve."""
        return self.flow.get((route, kind), self.share[route])

    def _units(self) -> None:
        for device, kinds in self.kinds_of.items():
            if not self.plain(device):
                counted = sum_of((self.count[k], 1.0) for k in kinds)
                row = counted == self.work[device]
                if not self.least[device] > 0:
                    row = counted <= self.work[device]
                self._add(row, f"on_{device}")
                self._named_units(device, kinds)
        for device, had in self.had.items():
            work = self.work[device]
            if isinstance(had, pulp.LpVariable) and had is not work:
                spare = int(self.instance.devices.spare[device])
                spares = sum_of([(self.spared[device], spare)]) if device in self.spared else 0
                row = work + spares <= had
                if self.least[device] > 0 and not self.instance.devices.off_when_unused[device]:
                    row = work + spares == had
                self._add(row, f"had_{device}")

    def _named_units(self, device: int, kinds: list[int]) -> None:
        """Give a unit that a pin names one kind at most, and have the units before it on."""
        for unit in sorted({self.kinds[k].unit for k in kinds} - {-1}):
            named = [k for k in kinds if self.kinds[k].unit == unit]
            used = sum_of((self.count[k], 1.0) for k in named)
            self._add(used <= 1, f"named_{device}_{unit}")
            self._add(used * (unit + 1) <= self.work[device], f"below_{device}_{unit}")

    def _spares(self) -> None:
        """Have the spares of a device wherever it serves at all."""
        devices = self.instance.devices
        for device, spared in self.spared.items():
            most = self._count_max(device)
            if most is not None:
                spare = int(devices.spare[device])
                room = spared * max(0, most - spare)
                shares = "units" in self.instance.kind_shares.of.tolist()
                if shares or self.question.switching:
                    room = most - spared * min(most, spare)
                if isinstance(self.work[device], pulp.LpVariable):
                    self._add(self.work[device] <= room, f"serves_{device}")
            if self.least[device] > 0 and not devices.off_when_unused[device]:
                # Only beside units that serve may some stand by.
                self._add(self.work[device] >= spared, f"stands_by_{device}")
            if self.most is None:
                self.incomplete = True
                continue
            for job, mine in enumerate(self.of_job):
                here = [(self.share[r], 1.0) for r in mine if device in self.routes[r].busy_s]
                if here:
                    self._add(sum_of(here) <= spared * self.most, f"spared_{device}_{job}")

    def _kind_shares(self) -> None:
        """Hold the share of each kind in units on, or in the price of units had."""
        shares, devices = self.instance.kind_shares, self.instance.devices
        for s in range(len(shares)):
            weight, units = np.ones(len(devices)), self.on
            if shares.of[s] == "price":
                weight, units = devices.price_per_s / devices.price_per_s.max(), self.had
            for name, limit, sign in (("least", shares.least[s], 1), ("most", shares.most[s], -1)):
                if limit == (0.0 if sign > 0 else 1.0):
                    continue
                terms = [
                    (
                        units[d],
                        float(weight[d]) * (float(devices.kind[d] == shares.kind[s]) - limit),
                    )
                    for d in range(len(devices))
                ]
                self._add(sum_of(terms) * sign >= 0, f"share_{name}_{s}")

    def _pools(self) -> None:
        for pool, memory in enumerate(self.instance.pools.memory_b.tolist()):
            members = [
                k
                for k, kind in enumerate(self.kinds)
                if self.instance.devices.pool[kind.device] == pool
            ]
            if members and np.isfinite(memory):
                taken = sum_of((self.count[k], self.kinds[k].memory_b) for k in members)
                size = memory or 1.0
                self._add(taken * (1.0 / size) <= memory / size, f"pool_{pool}")

    def _links(self) -> None:
        links = self.instance.links
        use: dict[int, Terms] = {}
        for r, route in enumerate(self.routes):
            for link, size in route.link_b.items():
                busy = self.route_rate(r) * size / float(links.bandwidth_b_per_s[link])
                if busy > 0:
                    use.setdefault(link, []).append((self.share[r], busy))
        groups: dict[tuple[int, int], list[int]] = {}
        for link in sorted(use):
            group = int(links.channel_group[link])
            groups.setdefault((group, -1 if group >= 0 else link), []).append(link)
        for (group, _), members in groups.items():
            channels = max(1, int(links.group_channels[group])) if group >= 0 else 1
            load = sum_of(term for link in members for term in use[link])
            scaling = {int(links.src[i]) if links.per_unit[i] else -1 for i in members}
            if len(scaling) > 1:
                raise InputError(
                    f"Links of bus {links.bus[members[0]]!s} scale with the units of different "
                    "devices (`per_unit`), so their shares of one bus are not defined; give them "
                    "buses of their own."
                )
            source = scaling.pop()
            units = self._sending(source) if source >= 0 else 1.0
            room = units * (channels * self.keep)
            self._add(load <= room, f"link_{members[0]}")

    def _sending(self, device: int) -> Any:
        """Units whose number the capacity of a link grows with: those on, spares left out.

        Units that may be off are on only to serve, so none of them is a spare one.
        """
        on = self.on[device]
        if device not in self.spared or on is self.work[device]:
            return on
        return sum_of(
            [(on, 1.0), (self.spared[device], -float(self.instance.devices.spare[device]))]
        )

    def _resources(self) -> None:
        for resource, limit in resource_limits(self.instance).items():
            takers = [
                r for r, route in enumerate(self.routes) if route.taken.get(resource, 0.0) > 0
            ]
            if not limit:
                # Nothing of it is there, so that what needs it serves nothing.
                for r in takers:
                    self.share[r].bounds(0, 0)
                continue
            load = sum_of(
                (self.share[r], self.route_rate(r) * self.routes[r].taken[resource] / limit)
                for r in takers
            )
            self._add(load <= self.keep, f"resource_{resource[0]}_{resource[1]}")

    def _power(self) -> Any:
        idle = self.instance.devices.idle_power_w
        terms = [(self.on[d], float(idle[d])) for d in range(len(idle)) if idle[d] > 0]
        terms += self.boards.idle(self.instance)
        terms += [
            (y, self.route_rate(r) * self.routes[r].energy_j) for r, y in enumerate(self.share)
        ]
        return sum_of(terms)

    def _cost(self) -> Any:
        price = self.instance.devices.price_per_s
        terms = [(self.had[d], float(price[d])) for d in range(len(price)) if price[d] > 0]
        terms += self.boards.price(self.instance)
        return sum_of(terms) + self._paid("cost")

    def _paid(self, objective: str) -> Any:
        """Return what the power costs or emits per second, each joule at its site."""
        price, idle = joule_prices(self.instance, objective), self.instance.devices.idle_power_w
        if not sites_differ(self.instance, objective):
            return self._power() * float(price[0])
        terms = [(self.on[d], float(idle[d] * price[d])) for d in range(len(idle)) if idle[d] > 0]
        terms += self.boards.idle(self.instance, board_joule_prices(self.instance, objective))
        terms += [
            (y, self.route_rate(r) * self.routes[r].paid[f"{objective}{self.price_at}"])
            for r, y in enumerate(self.share)
        ]
        return sum_of(terms)

    def _accuracy(self) -> Any:
        weight = self.instance.jobs.weight
        rated = [
            j
            for j, mine in enumerate(self.of_job)
            if mine and np.isfinite(self.routes[mine[0]].accuracy) and self.rate[j] > 0
        ]
        total = sum(float(weight[j]) for j in rated) * self.theta_fixed
        if not total:
            return sum_of([])
        return sum_of(
            (self.share[r], float(weight[j]) * self.routes[r].accuracy / total)
            for j in rated
            for r in self.of_job[j]
        )

    def _power_cap(self) -> None:
        cap = self.instance.limits.power_cap_w
        if np.isfinite(cap):
            size = cap or 1.0
            self._add(self._power() * (1.0 / size) <= cap / size * self.keep, "power_cap")

    def _budget(self) -> None:
        budget = self.instance.limits.budget_per_s
        if np.isfinite(budget):
            size = budget or 1.0
            self._add(self._cost() * (1.0 / size) <= budget / size * self.keep, "budget")

    def _linking(self) -> None:
        for k, kind in enumerate(self.kinds):
            device = kind.device
            mine: dict[int, list[int]] = {}
            for r in kind.routes:
                mine.setdefault(self.routes[r].job, []).append(r)
            for job, members in mine.items():
                load = {r: self.route_rate(r) * self.routes[r].busy_s[device] for r in members}
                # Work that takes no time still needs a unit on; where memory is limited, one that
                # holds its weights.
                idle = members if self.limited[device] else [r for r in members if not load[r]]
                if idle and min(load[r] for r in idle) < NEGLIGIBLE * self.capacity[device]:
                    self._link(idle, k, self.limited[device], f"needs_{k}_{job}")
                # With a full unit's load or more the capacity row says as much.
                if not self.question.throughput and 0 < min(load.values()) < self.capacity[device]:
                    self._link(members, k, True, f"linking_{k}_{job}")

    def _link(self, routes: list[int], kind: int, by_count: bool, name: str) -> None:
        """Let routes of one job use units of a kind only where there are any."""
        if self.most is None:
            self.incomplete = True
            return
        units = self.count[kind] if by_count else self.work[self.kinds[kind].device]
        self._add(sum_of((self.part(r, kind), 1.0) for r in routes) <= units * self.most, name)

    def throughput_unit(self) -> float:
        """θ that keeps about one unit busy, so that the scaled θ counts busy units; else 1."""
        if not self.question.throughput:
            return 1.0
        needed = 0.0
        for job, mine in enumerate(self.of_job):
            least = [
                sum(b / max(self.capacity[d], 1e-12) for d, b in self.routes[r].busy_s.items())
                for r in mine
            ]
            # A job without a route serves nothing, as its row of demand says.
            needed += self.rate[job] * min(least, default=0.0)
        return 1.0 / needed if needed > 0 else 1.0

    def _variable(
        self, name: str, low: float, high: float | None = None, category: str = "Continuous"
    ) -> Any:
        return self.problem.add_variable(f"{self.prefix}{name}", low, high, category)

    def _add(self, constraint: Any, name: str) -> None:
        """Add a row; one without variables is kept only where it cannot hold."""
        name = f"{self.prefix}{name}"
        if not len(constraint):
            if not constraint.valid(LIMIT_TOLERANCE):
                self.problem.addConstraint(self._variable(f"never_{name}", 0, 0) >= 1, name)
            return
        self.problem.addConstraint(constraint, name)

    variable, add_row = _variable, _add
