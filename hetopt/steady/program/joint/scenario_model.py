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

from typing import Any

import numpy as np
import pulp

from hetopt.instance import Instance
from hetopt.steady.model.capacity import weights_matter
from hetopt.steady.program.expressions import aim_at
from hetopt.steady.program.formulation import HOLD, Extra, SteadyModel, held
from hetopt.steady.program.question import Joint, Question
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes
from hetopt.steady.routes.transfers import period_price


class ScenarioModel:
    """The joint program of an instance with scenarios; used like a :class:`SteadyModel`.

    Parameters
    ----------
    shrink, most, states
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
        states: Extra | None = None,
    ) -> None:
        self.instance, self.kinds, self.states = instance, kinds, states
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
        initial = instance.periods.initial_on(len(instance.devices))
        kept = frozenset(np.flatnonzero(initial).tolist())
        blank = frozenset(np.flatnonzero(weights_matter(instance)).tolist())
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
                    blank,
                    kept,
                ),
                states=states,
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
        row = held(self.question, objective, self.expression(objective), value)
        self.problem.addConstraint(row, f"hold_{objective}")

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
