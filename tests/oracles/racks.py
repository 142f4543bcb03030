"""Streams that share nothing: solved together, against the oracle's optimum of each alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.solve import solve
from hetopt.steady.parts.find_parts import parts_of
from tests.oracles.agreement import disagreements
from tests.random_streams import random_stream
from tests.side_by_side import side_by_side

LIMITED = {"power": "power_cap_w", "cost": "budget_per_s"}
"""Limits of what is itself the objective."""


def drawn(seed: int) -> list[Instance]:
    """Return a random stream and one or two more that cost and take something else."""
    for draw in range(1000):
        first = random_stream(1000 * seed + draw)
        first = replace(first, objective=first.objective[:1])
        first = first.with_limits(power_cap_w=np.inf, budget_per_s=np.inf)
        made = [first]
        for slower, cheaper in ((1.25, 0.75), (0.875, 1.5))[: 1 + seed % 2]:
            options, jobs = first.options, first.jobs
            other = replace(
                options, time_s=options.time_s * slower, energy_j=options.energy_j * cheaper
            )
            weight = replace(jobs, weight=jobs.weight * (1 + slower))
            made.append(replace(first, options=other, jobs=weight))
        try:
            for instance in made:
                check_question(instance)
            if len(parts_of(side_by_side(made))) > 1:
                return made
        except (InputError, ValueError):
            continue
    raise ValueError(f"Seed {seed} draws no streams that share nothing.")


def judge_racks(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Solve streams beside each other; return a kind of outcome, and what is wrong.

    Every third time what is the objective is limited too: at, above or below what all need.
    """
    from tests.oracles.scenario_oracle import scenario_optimum
    from tests.oracles.steady_oracle import steady_optimum

    instances = drawn(seed)
    optimum = scenario_optimum if len(instances[0].scenarios) else steady_optimum
    known = [optimum(instance) for instance in instances]
    best: tuple[float, ...] | None = None
    if all(known):
        best = (joined(instances, [value[0] for value in known if value]),)
    both = side_by_side(instances)
    # Of several scenarios the mean is the objective, and the cap holds in each.
    limit = None if len(both.scenarios) else LIMITED.get(both.objective[0])
    if best is not None and limit and seed % 3 == 0 and best[0] > 0:
        factor = (0.99, 1.0001, 1.5)[seed // 3 % 3]
        both = both.with_limits(**{limit: factor * best[0]})
        best = None if factor < 1 else best
    solution = solve(both, time_limit=time_limit, workers=1, seed=seed)
    wrong = disagreements(both, solution, best)
    agreed = "agreed" if best is not None else "agreed infeasible"
    return "disagreed" if wrong else agreed, wrong


def joined(instances: list[Instance], values: list[float]) -> float:
    """Return the optimum of all from that of each, by the meaning of the objective."""
    name = instances[0].objective[0]
    if name == "throughput":
        rates = [_rate(instance) for instance in instances]
        return min(v / r for v, r in zip(values, rates, strict=True)) * math.fsum(rates)
    if name == "accuracy":
        weights = [_rated(instance) for instance in instances]
        return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
    return math.fsum(values)


def _rate(instance: Instance) -> float:
    scenarios = instance.scenarios
    if not len(scenarios):
        return float(instance.jobs.rate_per_s.sum())
    weight = scenarios.weight / scenarios.weight.sum()
    return float((weight[:, None] * scenarios.rate_per_s).sum())


def _rated(instance: Instance) -> float:
    """Weight of the jobs that have an accuracy."""
    stated = np.zeros(len(instance.jobs), dtype=bool)
    for task in range(len(instance.tasks)):
        known = ~np.isnan(instance.options.accuracy[instance.task_options(task)])
        stated[instance.tasks.job[task]] |= bool(known.any())
    return float(instance.jobs.weight[stated].sum())
