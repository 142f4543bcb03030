"""What ``solve`` says of an instance against what an oracle says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.evaluate import noise as evaluated_noise
from hetopt.evaluate import objectives
from hetopt.instance import Instance, is_maximised
from hetopt.solution import Solution
from hetopt.verify import verify


def disagreements(
    instance: Instance, solution: Solution, optimum: Sequence[float] | None
) -> list[str]:
    """Return everything in which a proven solution and the oracle's optimum differ."""
    if optimum is None:
        if solution.status == "infeasible":
            return []
        return [f"the oracle finds no plan, solve says {solution.status} {solution.objectives}"]
    if solution.plan is None:
        return [f"the oracle has a plan of {tuple(optimum)}, solve says {solution.status}"]
    wrong = []
    # Where nothing is served there are no requests to have an accuracy: no plan, no optimum.
    levels = [v for v in solution.objectives if not math.isnan(v)]
    if solution.status != "optimal" and len(levels) == len(optimum):
        wrong.append(
            f"status {solution.status}: objective {solution.objectives}, bound {solution.bounds}, "
            f"the oracle says {tuple(optimum)}"
        )
    report = verify(instance, solution.plan)
    wrong += [f"verify: {v.message}" for v in report.violations]
    values = objectives(instance, solution.plan, instance.objective)
    for name, said, value, bound, best in zip(
        instance.objective, solution.objectives, values, solution.bounds, optimum, strict=True
    ):
        if math.isnan(value):
            break
        noise = LIMIT_TOLERANCE  # rates and loads of these streams are near 1
        if instance.regime == "schedule":
            noise = evaluated_noise(instance, solution.plan, name)
        slack = max(GAP_TOLERANCE * abs(best), noise)
        if abs(said - value) > slack:
            wrong.append(f"{name}: solve says {said!r}, evaluate {value!r}")
        if abs(report.objectives[name] - value) > max(LIMIT_TOLERANCE * abs(value), noise):
            wrong.append(f"{name}: verify says {report.objectives[name]!r}, evaluate {value!r}")
        if not math.isclose(value, best, rel_tol=GAP_TOLERANCE, abs_tol=noise):
            wrong.append(f"{name}: solve's plan has {value!r}, the oracle's {best!r}")
            # Later levels are optimised given another value of this one.
            break
        beyond = best - bound if is_maximised(name) else bound - best
        if not beyond <= slack:
            wrong.append(f"{name}: the bound {bound!r} is beyond the optimum {best!r}")
    return wrong
