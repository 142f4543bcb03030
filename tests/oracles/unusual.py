"""One unusual schedule by seed: proofs, heuristics and starts against enumeration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import noise
from hetopt.instance import Instance, is_maximised
from hetopt.methods import methods_for
from hetopt.solution import SchedulePlan, Solution
from hetopt.solution import contradictions as contradicted
from hetopt.solve import solve
from hetopt.verify import verify
from tests.oracles.agreement import disagreements
from tests.oracles.schedule_oracle import schedule_optimum
from tests.oracles.together import judge_together, with_more
from tests.unusual_schedules import GRID, forced, unusual_schedule

METHODS = [name for name in methods_for("schedule") if name not in ("auto", "cpsat")]


MOST_TOGETHER_S = 5.0
"""Deterministic seconds of each method where several are asked."""
UNPROVED = "agreed, not proved on a forced grid"


def judge_unusual(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Return how it ended, and everything in which hetopt and enumeration differ.

    Some have features beside all others that enumeration does not know (`with_more`): there, what
    several methods say must fit together.

    On a rounding grid that is forced, an optimum need not be proved within the time: the plan must
    be the best one and the bound a bound, and the gap is told as it is.
    """
    instance, tick = unusual_schedule(seed)
    more = with_more(instance, seed)
    if more is not None:
        with forced(seed) as names:
            kind, wrong = judge_together(more, seed, min(time_limit, MOST_TOGETHER_S))
        return kind, [f"{said} ({names or 'not'} forced, more features)" for said in wrong]
    optimum = schedule_optimum(instance, tick)
    method = ("auto", "cpsat")[seed % 2]
    with forced(seed) as names:
        proven = solve(instance, time_limit=time_limit, workers=1, seed=seed, method=method)
        coarse = GRID in names
        found = disagreements(instance, proven, optimum, proven=not coarse)
        wrong = [f"{method}: {said}" for said in found]
        other = METHODS[seed // 2 % len(METHODS)]
        fast = solve(_fresh(instance), time_limit=1.0, workers=1, seed=seed, method=other)
        wrong += [f"{other}: {said}" for said in contradictions(instance, fast, optimum)]
        start = proven.plan
        if isinstance(start, SchedulePlan):
            early = hurried(instance, start, seed)
            held = solve(_fresh(instance), time_limit=2.0, workers=1, method=method, start=early)
            wrong += [f"from a start: {said}" for said in kept(instance, held, early)]
    forcing = f" ({names} forced)" if names else ""
    if wrong:
        return "disagreed", [f"{said}{forcing}" for said in wrong]
    if optimum is None and proven.status == "infeasible":
        return "agreed infeasible", []
    return ("agreed" if proven.status == "optimal" else UNPROVED), []


def contradictions(
    instance: Instance, solution: Solution, optimum: Sequence[float] | None
) -> list[str]:
    """Return what a solution that need not be the best one says against the optimum."""
    refuted = contradicted(solution)
    if refuted:
        return refuted
    if optimum is None:
        return [] if solution.plan is None else [f"a plan of {solution.objectives} where none is"]
    if solution.status == "infeasible":
        return [f"infeasible, the oracle has {tuple(optimum)}"]
    name, best, bound = instance.objective[0], optimum[0], solution.bound
    sign = -1.0 if is_maximised(name) else 1.0
    wrong = []
    room = GAP_TOLERANCE * abs(best)
    if solution.plan is not None:
        room = max(room, noise(instance, solution.plan, name))
        wrong = [f"verify: {v.message}" for v in verify(instance, solution.plan).violations]
        if sign * (best - solution.objective) > room:
            wrong.append(f"{name} {solution.objective!r} is better than the best, {best!r}")
    else:
        # A bound of tardiness 0 has no size of its own.
        room = max(room, GAP_TOLERANCE * float(instance.jobs.due_s[_due(instance)].sum()))
    if sign * (bound - best) > room:
        wrong.append(f"the bound {bound!r} of {name} is beyond the optimum {best!r}")
    return wrong


def hurried(instance: Instance, plan: SchedulePlan, seed: int) -> SchedulePlan:
    """Return a plan with some starts earlier by a part of the tolerance of times, if it is one."""
    rng = np.random.default_rng([seed, 23])
    latest = max(float(verify(instance, plan).objectives["makespan"]), 0.0)
    some = rng.random(len(plan.start_s)) < 0.5
    start = np.maximum(0.0, plan.start_s - np.where(some, 0.9e-9 * latest, 0.0))
    moved = replace(plan, start_s=start)
    return moved if verify(instance, moved).ok else plan


def kept(instance: Instance, solution: Solution, start: SchedulePlan) -> list[str]:
    """Return what is wrong with an answer from a start that the checker accepts."""
    if solution.plan is None:
        return [f"no plan although one was given: {solution.status}"]
    wrong = [f"verify: {v.message}" for v in verify(instance, solution.plan).violations]
    wrong += contradicted(solution)
    given = verify(instance, start).objectives
    for name, value in zip(instance.objective, solution.objectives, strict=True):
        before = given.get(name, math.nan)
        sign = -1.0 if is_maximised(name) else 1.0
        room = max(1e-8 * abs(before), noise(instance, start, name))
        if sign * (value - before) > room:
            wrong.append(f"{name} {value!r} is worse than the start's {before!r}")
            break
        if sign * (before - value) > room:
            break
    return wrong


def _due(instance: Instance) -> np.ndarray:
    return np.isfinite(instance.jobs.due_s)


def _fresh(instance: Instance) -> Instance:
    """Return the instance without what earlier solves have kept with it."""
    return replace(instance)
