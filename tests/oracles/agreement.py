"""What ``solve`` says of an instance against what an oracle says."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.evaluate import noise as evaluated_noise
from hetopt.evaluate import objectives
from hetopt.instance import Instance, is_maximised
from hetopt.solution import Solution, contradictions
from hetopt.verify import verify


def disagreements(
    instance: Instance,
    solution: Solution,
    optimum: Sequence[float] | None,
    *,
    proven: bool = True,
) -> list[str]:
    """Return everything in which a solution and the oracle's optimum differ.

    Parameters
    ----------
    proven
        Whether that the status is not ``optimal``, or ``infeasible`` where there is no plan, is a
        difference. Without, value and bound are held against the optimum all the same.
    """
    refuted = contradictions(solution)
    if refuted:
        return refuted
    if optimum is None:
        if solution.status == "infeasible" or not (proven or solution.plan is not None):
            return []
        return [f"the oracle finds no plan, solve says {solution.status} {solution.objectives}"]
    if solution.plan is None:
        return [f"the oracle has a plan of {tuple(optimum)}, solve says {solution.status}"]
    wrong = []
    # Where nothing is served there are no requests to have an accuracy: no plan, no optimum.
    levels = [v for v in solution.objectives if not math.isnan(v)]
    # What tolerances let through beside a value of nothing has no gap worth a proof, and where a
    # level is held, rounding of sums leaves some parts in 1e9 beside the bound's own room.
    apart = any(
        not abs(value - bound) <= max(LIMIT_TOLERANCE, 1.02 * GAP_TOLERANCE * abs(best))
        for value, bound, best in zip(levels, solution.bounds, optimum, strict=False)
    )
    if proven and solution.status != "optimal" and apart and len(levels) == len(optimum):
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


def falsehoods(
    instance: Instance,
    solution: Solution,
    best: Sequence[float] | None,
    sure: Sequence[float] | None,
) -> list[str]:
    """Return every claim of a solution, proven or not, that oracles contradict.

    Parameters
    ----------
    best, sure
        The optimum with a little more room in every limit, and with a little less: no plan is
        better than the first, and a plan reaches the second. None where there is no plan.
    """
    refuted = contradictions(solution)
    if refuted:
        return refuted
    if solution.status == "infeasible":
        return [] if sure is None else [f"a plan reaches {tuple(sure)}, solve says infeasible"]
    if solution.plan is None:
        return []
    if best is None:
        return [f"the oracle finds no plan, solve says {solution.status} {solution.objectives}"]
    report = verify(instance, solution.plan)
    wrong = [f"verify: {v.message}" for v in report.violations]
    name, said, bound = instance.objective[0], solution.objectives[0], solution.bounds[0]
    if math.isnan(said):
        return wrong
    sign = -1.0 if is_maximised(name) else 1.0
    if not math.isclose(said, report.objectives[name], rel_tol=1e-9, abs_tol=1e-12):
        wrong.append(f"{name}: solve says {said!r}, verify {report.objectives[name]!r}")
    if sign * (best[0] - said) > 2 * GAP_TOLERANCE * max(abs(best[0]), 1e-9):
        wrong.append(f"{name}: solve's plan has {said!r}, the best is {best[0]!r}")
    if sure is None:
        return wrong
    room = GAP_TOLERANCE * max(abs(sure[0]), 1e-9)
    if sign * (bound - sure[0]) > room:
        wrong.append(f"{name}: the bound {bound!r} is beyond a plan of {sure[0]!r}")
    if solution.status == "optimal" and sign * (said - sure[0]) > 2 * room:
        wrong.append(f"{name}: {said!r} is called optimal, a plan reaches {sure[0]!r}")
    return wrong
