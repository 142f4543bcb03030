"""Streams whose limits hold with waiting, against the optimum of the same without.

Waiting takes plans away and adds none: no plan is better than that optimum, no bound beyond it, and
only where there is none at all may `infeasible` be said.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.instance import Instance, is_maximised
from hetopt.instance.questions import check_question
from hetopt.solution import contradictions
from hetopt.solve import solve
from hetopt.steady.waiting import late_jobs
from hetopt.verify import verify
from tests.oracles.scenario_oracle import scenario_optimum
from tests.oracles.schedule_oracle import TooHardError
from tests.oracles.steady_oracle import steady_optimum
from tests.random_schedules import Dice
from tests.random_streams import random_stream


def waiting_stream(seed: int) -> Instance:
    """Return a stream with limits; those that have none get one of a few service times."""
    dice = Dice(np.random.default_rng([seed, 31]))
    instance = random_stream(seed)
    jobs, options = instance.jobs, instance.options
    many = len(jobs)
    longest = float(options.time_s.max(initial=0.0)) * float(instance.tasks.work.max()) or 1.0
    limit = np.array([dice.pick(1.0, 2.0, 5.0, 20.0) * longest for _ in range(many)])
    quantile = np.array([dice.pick(np.nan, 0.5, 0.9, 0.99) for _ in range(many)])
    slo = np.where(np.isinf(jobs.latency_slo_s), limit, jobs.latency_slo_s)
    slo = np.where(np.isnan(quantile), jobs.latency_slo_s, slo)
    return replace(instance, jobs=replace(jobs, latency_slo_s=slo, latency_quantile=quantile))


def judge_waiting(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Return how it ended, and what is said that cannot be."""
    instance = waiting_stream(seed)
    try:
        check_question(instance)
    except InputError:
        raise TooHardError from None
    many = len(instance.jobs)
    plain = replace(instance, jobs=replace(instance.jobs, latency_quantile=np.full(many, np.nan)))
    best = scenario_optimum(plain) if len(plain.scenarios) else steady_optimum(plain)
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    wrong = contradictions(solution)
    if best is None:
        if solution.status != "infeasible":
            wrong.append(f"nothing can be served, solve says {solution.status}")
        return ("disagreed", wrong) if wrong else ("agreed infeasible", [])
    if solution.status == "infeasible":
        wrong.append(f"without waiting there is a plan of {best}, solve says infeasible")
    sign = -1.0 if is_maximised(instance.objective[0]) else 1.0
    room = 2 * GAP_TOLERANCE * max(abs(best[0]), 1e-9)
    if not np.isnan(solution.bounds[0]) and sign * (solution.bounds[0] - best[0]) > room:
        wrong.append(f"the bound {solution.bounds[0]} is beyond {best[0]} without waiting")
    if solution.plan is not None:
        wrong += [v.message for v in verify(instance, solution.plan).violations]
        if sign * (best[0] - solution.objectives[0]) > room:
            wrong.append(f"{solution.objectives[0]} is better than {best[0]} without waiting")
        if late_jobs(instance, solution.plan).any():
            wrong.append("the plan is estimated late")
    return ("disagreed", wrong) if wrong else ("agreed", [])
