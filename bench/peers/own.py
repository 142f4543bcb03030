"""hetopt itself, as its users call it."""

from __future__ import annotations

import math
from importlib import import_module

from bench.answers import Answer, Limits
from hetopt.instance import Instance
from hetopt.solve import solve

for _module in ("hetopt.schedule.solve_schedule", "hetopt.steady.solve_steady", "hetopt.verify"):
    import_module(_module)  # hetopt imports late; its peers' imports are not in their times either


def hetopt_auto(instance: Instance, limits: Limits) -> Answer:
    """Solve with the method that hetopt chooses."""
    solution = solve(
        instance, time_limit=limits.time_limit_s, workers=limits.workers, seed=limits.seed
    )
    build_s = getattr(solution, "build_s", None)
    return Answer(
        plan=solution.plan,
        bound=solution.bound,
        claimed=solution.objective,
        status=solution.status,
        termination=solution.termination,
        method=solution.method,
        build_s=math.nan if build_s is None else build_s,
        history=[(h.time_s, h.objective, h.bound) for h in solution.history],
        note=solution.reason,
    )
