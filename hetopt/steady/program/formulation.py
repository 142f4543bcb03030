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

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hetopt.instance import Instance, is_maximised
from hetopt.solution import SteadyPlan
from hetopt.steady.program.expressions import aim_at, sum_of
from hetopt.steady.program.question import Joint, Question
from hetopt.steady.program.rows import boards, demand, quantities, shared, units
from hetopt.steady.program.rows.stream_variables import StreamVariables
from hetopt.steady.program.rules import add_rules
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes

HOLD = 1e-9
"""Relative room with which earlier levels of a list of objectives are held (docs/schedule.md)."""


def held(question: Question, objective: str, expression: Any, value: float) -> Any:
    """Return the row that allows no objective worse than a value, up to ``HOLD`` of it.

    Without that room for nothing where value is asked for: what costs as little as that could serve
    something.
    """
    size = abs(value) or 1.0
    room = 0.0 if value == 0 and question.value else HOLD
    scaled = expression * (1.0 / size)
    if is_maximised(objective):
        return -scaled <= room - value / size
    return scaled <= value / size + room


FAMILIES: tuple[Callable[[StreamVariables], None], ...] = (
    demand.demand,
    demand.slices,
    demand.flow,
    units.capacity,
    units.least_loads,
    units.units,
    units.spares,
    boards.boards,
    units.kind_shares,
    shared.pools,
    shared.links,
    shared.resources,
    quantities.power_cap,
    quantities.budget,
    add_rules,
)
"""The families of rows, in the order of the formulation."""


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


class SteadyModel(StreamVariables):
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
        super().__init__(instance, routes, kinds, shrink=shrink, most=most, joint=joint)
        for family in FAMILIES:
            family(self)
        self.states = states
        self.switched: dict[int, list[Any]] = {}
        self.state_parts = states.add_to(self) if states else []

    def expression(self, objective: str) -> Any:
        """Return the objective as an expression, in SI units.

        ``accuracy`` beside ``throughput`` is an expression only once θ is fixed (`hold`).
        """
        if objective == "throughput":
            return self.theta * (self.unit * sum(self.rate))
        if objective == "accuracy":
            return quantities.accuracy(self)
        if objective == "value":
            worth = self.instance.jobs.value
            return sum_of(
                (y, self.route_rate(r) * float(worth[self.routes[r].job]))
                for r, y in enumerate(self.share)
            )
        if objective == "cost":
            return quantities.cost(self)
        return quantities.paid(self, "carbon") if objective == "carbon" else quantities.power(self)

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
        row = held(self.question, objective, self.expression(objective), value)
        self.add_row(row, f"hold_{objective}")
