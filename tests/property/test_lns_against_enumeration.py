"""Repairs of parts of a plan on random tiny instances of every feature."""

from __future__ import annotations

import pytest

from hetopt.instance import is_maximised
from hetopt.solve import solve
from tests.oracles.campaign import known

CHUNK, CHUNKS = 8, 5


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_repaired_plans_are_valid_and_mostly_optimal(chunk: int) -> None:
    optimal = compared = 0
    for seed in range(400 + chunk * CHUNK, 400 + (chunk + 1) * CHUNK):
        instance, optimum = known("schedule", seed)
        answer = solve(instance, method="lns", time_limit=4, seed=seed)
        if optimum is None:
            assert answer.plan is None
            continue
        if answer.plan is None:
            # Repairs need a plan to start from.
            continue
        compared += 1
        name = instance.objective[0]
        worse = answer.objectives[0] - optimum[0]
        worse = -worse if is_maximised(name) else worse
        assert worse >= -1e-6 * max(1.0, abs(optimum[0]))
        optimal += worse <= 1e-6 * max(1.0, abs(optimum[0]))
    assert optimal >= 0.7 * compared > 0
