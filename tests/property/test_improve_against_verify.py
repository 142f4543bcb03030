"""Annealed plans of random generated instances are accepted by the independent checker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.generate.schedule import generate_schedule
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.search.list_annealing import Annealing
from hetopt.verify import verify

improve = Annealing.improve

INSTANCES = 30


def drawn(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 7])
    return {
        "tasks": int(rng.integers(2, 40)),
        "devices": int(rng.integers(1, 7)),
        "shape": str(rng.choice(["layered", "random", "fork-join", "chains", "independent"])),
        "ccr": float(rng.choice([0.0, 0.1, 1.0, 5.0])),
        "deadline_factor": [None, 1.02, 1.3, 3.0][int(rng.integers(4))],
        "slots": int(rng.integers(1, 4)),
        "count": int(rng.integers(1, 4)),
        "seed": seed,
    }


@pytest.mark.parametrize("seed", range(INSTANCES))
def test_the_checker_accepts_annealed_plans(seed: int) -> None:
    instance = generate_schedule(**drawn(seed))
    start = heft(instance)
    if start is None:
        pytest.skip("the list scheduler has no plan to start from within the deadline")
    plan = improve(instance, start, iterations=3_000, seed=seed).plan
    if plan is None:
        return
    assert verify(instance, plan).ok
    assert objective_value(instance, plan, "energy") < objective_value(instance, start, "energy")
