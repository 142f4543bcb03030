"""Tabu search on random small shops: the checker accepts it, and no plan beats the optimum."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.formats.literature.fjsp import read_fjsp
from hetopt.instance import Instance
from hetopt.schedule.search.job_shop.improve import TabuSearch
from hetopt.solve import solve
from hetopt.verify import verify

improve = TabuSearch.improve

INSTANCES = 20
CLOSE = 1.1


def shop(seed: int) -> Instance:
    """A shop of up to 4 jobs and 4 machines; an operation takes 0 now and then."""
    rng = np.random.default_rng([seed, 11])
    jobs, machines = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    lines = [f"{jobs} {machines}"]
    for _ in range(jobs):
        row = [count := int(rng.integers(2, 5))]
        for _ in range(count):
            able = np.sort(rng.permutation(machines)[: rng.integers(1, machines + 1)])
            row.append(len(able))
            for machine in able.tolist():
                row += [machine + 1, int(rng.choice([0, *range(1, 10)]))]
        lines.append(" ".join(map(str, row)))
    return read_fjsp("\n".join(lines), f"random{seed}")


@pytest.mark.parametrize("seed", range(INSTANCES))
def test_the_plan_is_valid_and_between_the_optimum_and_somewhat_more(seed: int) -> None:
    instance = shop(seed)
    plan = improve(instance, None, iterations=2_000, seed=seed).plan
    assert plan is not None
    assert verify(instance, plan).ok
    value = objective_value(instance, plan, "makespan")
    best = solve(instance, method="cpsat", time_limit=10, workers=1)
    assert best.status == "optimal"
    assert best.objective * (1 - 1e-9) <= value <= best.objective * CLOSE
