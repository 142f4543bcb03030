r"""One fleet for several demands: the programs of the scenarios, joined by the units had.

Each scenario s has the whole formulation of :mod:`hetopt.steady.program.formulation` for its own
rates R_js, with routes, kinds of unit and units on of its own. With weights w_s that sum to 1:

    fleet       h_ds = h_d0                            for each device whose units had are chosen
    θ           the same in all scenarios
    budget      Σ_s w_s cost_s ≤ budget
    objectives  power, cost, carbon, accuracy  Σ_s w_s (that of s);
                throughput  θ Σ_s w_s Σ_j R_js

Units that are never off are those had, so they are on in every scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pulp

from hetopt.instance import Instance, is_maximised
from hetopt.solution import Held, PeriodPlan, ScenarioPlan, SteadyPlan, StreamPlan
from hetopt.steady.program.expressions import aim_at
from hetopt.steady.program.extract_plan import build_plan, settled
from hetopt.steady.program.formulation import HOLD, SteadyModel
from hetopt.steady.program.question import Joint, Question
from hetopt.steady.program.start_values import start_integers
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes
from hetopt.steady.routes.transfers import period_price


class ScenarioModel:
    """The joint program of an instance with scenarios; used like a :class:`SteadyModel`.

    Parameters
    ----------
    shrink, most
        As for :class:`SteadyModel`.
    """

    def __init__(
        self,
        instance: Instance,
        routes: Routes,
        kinds: list[UnitKind],
        *,
        shrink: float = 0.0,
        most: float | None = None,
    ) -> None:
        self.instance, self.kinds = instance, kinds
        self.question = Question.of(instance)
        self.weight = [float(w) for w in instance.scenarios.share]
        self.rate = [float(r) for r in instance.scenarios.share @ instance.scenarios.rate_per_s]
        self.problem: Any = pulp.LpProblem("steady", pulp.LpMinimize)
        self.theta: Any = 1.0
        self.unit = 1.0
        parts = [instance.in_scenario(s) for s in range(len(instance.scenarios))]
        if self.question.throughput:
            self.theta = self.problem.add_variable("theta", 0)
            alone = (SteadyModel(part, routes, kinds) for part in parts)
            self.unit = min(model.throughput_unit() for model in alone)
        self.blocks = [
            SteadyModel(
                part,
                routes,
                kinds,
                shrink=shrink,
                most=most,
                joint=Joint(
                    self.problem,
                    f"s{s}.",
                    self.question,
                    self.theta,
                    self.unit,
                    period_price(s) if len(instance.periods) else "",
                ),
            )
            for s, part in enumerate(parts)
        ]
        self.most = self.blocks[0].most
        self.incomplete = any(block.incomplete for block in self.blocks)
        self._tie()
        self._fleet()
        self._budget(1.0 - shrink)

    def expression(self, objective: str) -> Any:
        """Return the objective as an expression, in SI units."""
        if objective == "throughput":
            return self.theta * (self.unit * sum(self.rate))
        terms = [
            (weight, block.expression(objective))
            for weight, block in zip(self.weight, self.blocks, strict=True)
        ]
        if objective == "accuracy":
            # A scenario that serves nothing with an accuracy has no part in the mean.
            terms = [(weight, term) for weight, term in terms if len(term)]
        whole = sum(weight for weight, _ in terms) if objective == "accuracy" else 1.0
        total = pulp.LpAffineExpression()
        for weight, term in terms:
            if whole > 0:
                total += term * (weight / whole)
        return total + self.beside(objective)

    def beside(self, objective: str) -> Any:
        """Return what an objective counts beside its mean; nothing where nothing ties scenarios."""
        return pulp.LpAffineExpression()

    def _tie(self) -> None:
        """Add what ties scenarios beside their fleet."""

    def aim(self, objective: str) -> float:
        """Make ``objective`` what the program minimises; see `SteadyModel.aim`."""
        return aim_at(self.problem, objective, self.expression(objective))

    def hold(self, objective: str, value: float) -> None:
        """Allow no objective worse than ``value``, up to ``HOLD`` of it."""
        if objective == "throughput":
            served = value / (self.unit * sum(self.rate)) * (1.0 - HOLD)
            self.theta.bounds(served, served)
            for block in self.blocks:
                block.theta_fixed = served
            return
        size = abs(value) or 1.0
        expression = self.expression(objective) * (1.0 / size)
        if is_maximised(objective):
            self.problem.addConstraint(-expression <= HOLD - value / size, f"hold_{objective}")
        else:
            self.problem.addConstraint(expression <= value / size + HOLD, f"hold_{objective}")

    def _fleet(self) -> None:
        first = self.blocks[0]
        for s, block in enumerate(self.blocks[1:], start=1):
            for device, had in block.had.items():
                if isinstance(had, pulp.LpVariable):
                    self.problem.addConstraint(had == first.had[device], f"fleet_{device}_{s}")

    def _budget(self, keep: float) -> None:
        budget = self.instance.limits.budget_per_s
        if np.isfinite(budget):
            size = budget or 1.0
            cost = self.expression("cost") * (1.0 / size)
            if len(cost):
                self.problem.addConstraint(cost <= budget / size * keep, "budget")
            elif cost.constant > budget / size:
                never = self.problem.add_variable("never_budget", 0, 0)
                self.problem.addConstraint(never >= 1, "budget")


StreamModel = SteadyModel | ScenarioModel


def stream_model(
    instance: Instance,
    routes: Routes,
    kinds: list[UnitKind],
    *,
    shrink: float = 0.0,
    most: float | None = None,
) -> StreamModel:
    """Return the program of an instance, joint where it has scenarios."""
    if len(instance.periods):
        from hetopt.steady.program.periods import PeriodModel

        return PeriodModel(instance, routes, kinds, shrink=shrink, most=most)
    if len(instance.scenarios):
        return ScenarioModel(instance, routes, kinds, shrink=shrink, most=most)
    return SteadyModel(instance, routes, kinds, shrink=shrink, most=most)


def blocks_of(model: StreamModel) -> list[SteadyModel]:
    """Return the programs of the scenarios; the program itself where it is of one demand."""
    return [model] if isinstance(model, SteadyModel) else model.blocks


def stream_plan(model: StreamModel, values: Mapping[str, float]) -> StreamPlan:
    """Make a plan of the values of a program's variables; see `build_plan`."""
    if len(model.instance.periods):
        from hetopt.steady.program.periods import PeriodModel, period_plan

        if isinstance(model, PeriodModel):
            return period_plan(model, values)
    plans = [build_plan(block, values) for block in blocks_of(model)]
    if isinstance(model, SteadyModel):
        return plans[0]
    return ScenarioPlan(tuple(_with_fleet(model, plans, values)))


def stream_integers(model: StreamModel, plan: StreamPlan) -> dict[str, float]:
    """Return the integer variables, by name, as a plan has them; see `start_integers`."""
    plans = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
    values: dict[str, float] = {}
    held = plan.held if isinstance(plan, PeriodPlan) else Held.of()
    for s, (block, part) in enumerate(zip(blocks_of(model), plans, strict=True)):
        mine = np.flatnonzero(held.period == s)
        rows = zip(*(c[mine].tolist() for c in (held.device, held.unit, held.key)), strict=True)
        values |= start_integers(block, part, list(rows))
    return values


def _with_fleet(
    model: ScenarioModel, plans: list[SteadyPlan], values: Mapping[str, float]
) -> list[SteadyPlan]:
    """Give all plans the units that any of them has; what is never off is on in all."""
    instance = model.instance
    had = np.max([plan.units_had for plan in plans], axis=0).astype(np.int64)
    if len(instance.kind_shares):
        # The largest needs of each scenario need not have the shares that are asked for.
        had = np.maximum(had, settled(model.blocks[0].had, values))
    off = instance.devices.off_when_unused
    return [
        replace(plan, units_had=had, units_on=np.where(off, plan.units_on, had)) for plan in plans
    ]
