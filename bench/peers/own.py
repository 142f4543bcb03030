"""hetopt itself, as its users call it."""

from __future__ import annotations

import math
from importlib import import_module

from bench.answers import Answer, Limits
from bench.stopwatch import watch_builders
from hetopt.instance import Instance
from hetopt.solve import solve

for _module in ("hetopt.schedule.solve", "hetopt.steady.solve", "hetopt.verify"):
    import_module(_module)  # hetopt imports late; its peers' imports are not in their times either


def hetopt_auto(instance: Instance, limits: Limits) -> Answer:
    """Solve with the method that hetopt chooses."""
    watch = watch_builders()
    solution = solve(
        instance, time_limit=limits.time_limit_s, workers=limits.workers, seed=limits.seed
    )
    return Answer(
        plan=solution.plan,
        bound=solution.bound,
        claimed=solution.objective,
        status=solution.status,
        termination=solution.termination,
        method=solution.method,
        build_s=watch.seconds if watch.calls else math.nan,
        history=[(h.time_s, h.objective, h.bound) for h in solution.history],
        note=solution.reason,
    )
