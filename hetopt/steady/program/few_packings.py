"""Streams whose memory allows too many packings to list: a bound without memory, then few packings.

1. The instance without memory limits is a relaxation: aggregate load only (and from period to
   period nothing is loaded, while starts and what else ties periods stay). Its program gives the
   bound, and the routes that a good plan would use. (Each route alone fits into its units, as
   routes that do not are never made.)
2. The instance itself is solved over those routes, and for each job and device the route that needs
   the smallest weights there, so that there are few packings; where there are still too many, over
   the first of them and each route's weights alone.

Between the two stands what memory costs and what the choice of packings leaves out; only the bound
of the first objective is proven.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.overrides import without_memory_limits
from hetopt.runtime.budget import RegimeResult
from hetopt.solution import Plan, ScenarioPlan, SteadyPlan
from hetopt.steady.program.search import Search
from hetopt.steady.routes.routes import Routes

RELAXED_SHARE = 0.3
"""Share of the time left that the program without memory limits may take."""

NOTE = (
    "Too many sets of weights fit into a unit to list them: the plan is the best over some of "
    "them, and the bound that of the instance without memory limits."
)


def solve_packed(search: Search) -> RegimeResult:
    """Solve a search whose packings are too many to list."""
    left = search.budget.left_s()
    budget = replace(
        search.budget,
        deadline=search.budget.deadline - (1.0 - RELAXED_SHARE) * left,
        limit_s=search.budget.limit_s * RELAXED_SHARE,
    )
    loose = replace(
        search,
        instance=without_memory_limits(search.instance),
        budget=budget,
        start=None,
        history=[],
        notes=[],
    ).run()
    if loose.infeasible:
        return loose
    routes = _promising(search.instance, search.routes, _plans(loose.plan))
    found = replace(search, routes=routes, few_packings=True).run()
    bounds = (loose.bounds[0], *(np.nan for _ in loose.bounds[1:]))
    stopped = "iteration_limit" if found.stopped_by in ("proved", "gap_limit") else found.stopped_by
    return replace(
        found,
        bounds=bounds,
        stopped_by=stopped,
        notes=(*found.notes, NOTE),
        infeasible=False,
        marginal=None,
    )


def _plans(plan: Plan | None) -> Sequence[SteadyPlan]:
    """Return the plans of each period, the plan itself where it is of one demand."""
    if isinstance(plan, ScenarioPlan):
        return plan.plans
    return [plan] if isinstance(plan, SteadyPlan) else []


def _promising(instance: Instance, routes: Routes, plans: Sequence[SteadyPlan]) -> Routes:
    """Return the routes of some plans, and those with the smallest weights on each device."""
    sizes = {
        int(k): float(s)
        for k, s in zip(instance.options.weights_key, instance.options.weights_b, strict=True)
    }
    used = set().union(*(_used(plan) for plan in plans))
    kept: list[int] = []
    of_job: list[tuple[int, ...]] = []
    for members in routes.of_job:
        leanest: dict[tuple[int, ...], tuple[float, int]] = {}
        chosen = []
        for r in members:
            route = routes.routes[r]
            if (route.job, route.options) in used:
                chosen.append(r)
            weights = sum(sizes[k] for d in route.busy_s for k in route.keys.get(d, ()))
            where = tuple(sorted(route.busy_s))
            leanest[where] = min(leanest.get(where, (np.inf, r)), (weights, r))
        chosen = sorted({*chosen, *(r for _, r in leanest.values())})
        of_job.append(tuple(range(len(kept), len(kept) + len(chosen))))
        kept += chosen
    picked = tuple(routes.routes[r] for r in kept)
    return Routes(picked, tuple(of_job), complete=False)


def _used(plan: SteadyPlan) -> set[tuple[int, tuple[int, ...]]]:
    """Jobs and options of the routes that a plan serves."""
    return {
        (int(plan.route_job[k]), tuple(plan.option[plan.ptr[k] : plan.ptr[k + 1]].tolist()))
        for k in np.flatnonzero(plan.rate_per_s > 0).tolist()
    }
