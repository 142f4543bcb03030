"""Streams that share nothing, solved apart and put together again.

**Why it is valid.** A plan of the whole instance, restricted to the jobs and devices of a part, is
a plan of the part: every limit but the power cap and the budget is of things that lie in one part.
The other way round the plans of all parts make one of the whole. So, with a bound b_p of each part,

    power, cost, carbon   are sums over devices and jobs: Σ_p b_p is a bound of the whole;
    throughput            is θ Σ_j R_j with θ the least over jobs, hence over parts, of what is
                          served of the demand: Σ_j R_j × min_p (b_p / Σ_{j in p} R_j), of which any
                          subset of the parts is a bound too;
    accuracy              is Σ_j w_j a_j / Σ_j w_j over the jobs whose tasks state one, which here
                          does not depend on the plan: Σ_p W_p b_p / Σ_p W_p.

A power cap or a budget ties all parts together. Parts are solved without it, which is a relaxation:
their bound holds, one part without a plan leaves none, and where their joined plan keeps the limit
it is a plan of the whole. Where it does not, the bound itself may exceed the limit (the objective
is what is limited), which proves that there is no plan; else the instance is solved whole with the
bound of the parts beside its own. Throughput under a cap or budget, several objectives, and limits
on shares of kinds keep an instance whole: there the parts restrict each other throughout.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, joined_proof
from hetopt.runtime.parts import Solve, joined_result, solve_parts
from hetopt.solution import StreamPlan
from hetopt.steady.parts.find_parts import Part, tied
from hetopt.steady.parts.joining import join_bounds, join_plans, marginal_of, part_of, plan_part
from hetopt.verify import verify

TIED_SHARE = 0.5
"""Share of the time for parts whose joined plan may break a limit that ties them."""


def solve_apart(
    instance: Instance,
    parts: list[Part],
    budget: Budget,
    method: str,
    start: StreamPlan | None,
    solve: Solve,
) -> RegimeResult:
    """Solve the parts and join them; where a cap or budget is broken so, solve the whole instance.

    Parameters
    ----------
    solve
        Solves an instance as a whole.
    """
    began = time.monotonic()
    has_ties = tied(instance)
    own, limit = budget, budget.limit_s
    if has_ties:
        limit = (budget.limit_s if budget.deterministic else budget.left_s()) * TIED_SHARE
        own = replace(budget, deadline=min(budget.deadline, began + limit), limit_s=limit)

    def make(k: int) -> tuple[Instance, StreamPlan | None]:
        known = None if start is None else plan_part(instance, start, *parts[k])
        return part_of(instance, *parts[k]), known

    results = solve_parts([len(jobs) for jobs, _ in parts], make, own, method, solve)
    for result in results:
        if result.infeasible:
            return replace(result, bounds=(math.nan,), method="parts")
    bound = join_bounds(instance, parts, [result.bounds[0] for result in results])
    proof = joined_proof(result.proof for result in results)
    if _beyond_limit(instance, bound):
        reason = (
            "The parts that share nothing, each solved without it, together need more than the "
            + ("power cap." if instance.objective[0] == "power" else "budget.")
        )
        return RegimeResult(
            None, (math.nan,), True, reason, stopped_by="proved", method="parts", proof=proof
        )
    plan: StreamPlan | None = None
    if all(result.plan is not None for result in results):
        found: list[Any] = [result.plan for result in results]
        plan = join_plans(instance, parts, found)
        if has_ties and not verify(instance, plan).ok:
            plan = None
    if has_ties and plan is None:
        left = replace(budget, limit_s=budget.limit_s - limit if budget.deterministic else limit)
        return _with_bound(instance, solve(instance, left, method, start), bound)
    largest = max(range(len(parts)), key=lambda k: (len(parts[k][0]), -k))
    note = (
        f"The streams fall into {len(parts)} parts that share nothing; each was solved apart. The "
        f"other notes are of the largest part, with {len(parts[largest][0]):,} jobs."
    )
    notes = (note, *results[largest].notes)
    value = math.nan if plan is None else objective_value(instance, plan, instance.objective[0])
    joined = joined_result(plan, value, bound, results, notes, budget, began)
    return replace(
        joined, marginal=marginal_of(instance, parts, [result.marginal for result in results])
    )


def _beyond_limit(instance: Instance, bound: float) -> bool:
    """Whether the objective is itself limited, and its bound exceeds the limit.

    In several scenarios the mean power does, so that some scenario does.
    """
    limits = instance.limits
    limit = {"power": limits.power_cap_w, "cost": limits.budget_per_s}.get(instance.objective[0])
    return limit is not None and bound > limit * (1.0 + LIMIT_TOLERANCE)


def _with_bound(instance: Instance, result: RegimeResult, bound: float) -> RegimeResult:
    """Return a result with the better of its bound and that of the parts."""
    if result.infeasible or math.isnan(bound):
        return result
    known = result.bounds[0]
    worse = math.isnan(known) or (
        bound < known if instance.objective[0] == "accuracy" else bound > known
    )
    note = "A limit ties streams together that share nothing else, so that all were solved as one."
    return replace(result, bounds=(bound if worse else known,), notes=(*result.notes, note))
