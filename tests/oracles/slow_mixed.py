"""Resources that slow beside every other feature: what several methods say must fit together.

No enumeration knows all of it at once. But no bound may be beyond a plan that the checker accepts,
whichever method found either, and where one proves that there is no plan, none may have one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance, is_maximised
from hetopt.solution import contradictions
from hetopt.solve import solve
from hetopt.verify import verify
from tests.random_schedules import random_schedule
from tests.setup_schedules import setup_schedule
from tests.unusual_schedules import unusual_schedule

METHODS = ("auto", "heft", "heuristic", "lns")


def slowed(instance: Instance, seed: int) -> Instance | None:
    """Return an instance whose capacities slow instead of forbidding; None where it has none."""
    rng = np.random.default_rng([seed, 37])
    res, uses = instance.resources, instance.uses
    finite = np.isfinite(res.capacity)
    made = replace(
        instance,
        resources=replace(
            res,
            sharing=np.where(finite, "slow", "forbid").astype(res.sharing.dtype),
            loss=np.where(finite, rng.choice([0.0, 0.1, 0.3], len(res)), 0.0),
        ),
        uses=replace(uses, amount=np.minimum(uses.amount, res.capacity[uses.resource])),
    )
    return made if slows(made) and math.isinf(made.limits.cycle_s) else None


def judge_mixed(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Ask several methods about the instance of a seed; return what does not fit together."""
    if seed % 3 == 1:
        instance: Instance | None = setup_schedule(seed)[0]
    else:
        instance = (random_schedule if seed % 3 else unusual_schedule)(seed)[0]
    instance = slowed(instance, seed) if instance is not None and len(instance.uses) else None
    if instance is None:
        return "too hard", []
    name, wrong = instance.objective[0], list[str]()
    sign = -1.0 if is_maximised(name) else 1.0
    values, bounds, without = [], [], []
    for method in METHODS:
        found = solve(
            replace(instance), method=method, time_limit=time_limit, deterministic=True, seed=seed
        )
        wrong += [f"{method}: {note}" for note in contradictions(found)]
        if found.status == "infeasible":
            without.append(method)
        if found.plan is not None:
            values.append((sign * found.objective, method))
            wrong += [f"{method}: {v.message}" for v in verify(instance, found.plan).violations]
        if not math.isnan(found.bound):
            bounds.append((sign * found.bound, method))
    if without and values:
        wrong.append(f"{without} say that there is no plan, but {min(values)}")
    if values and bounds:
        best, bound = min(values), max(bounds)
        if bound[0] > best[0] + GAP_TOLERANCE * abs(best[0]) + 1e-9:
            wrong.append(f"the bound {bound} of {name} is beyond the plan {best}")
    if wrong:
        return "disagreed", wrong
    return ("agreed infeasible" if without else "agreed"), []
