"""Relations between optima that hold whatever the optimum is."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetopt.instance import Instance, is_maximised
from hetopt.solution import Solution
from hetopt.solve import solve
from tests.random_schedules import random_schedule
from tests.random_streams import random_stream
from tests.relations import (
    objective_factor,
    renamed,
    scaled,
    with_later_limits,
    with_more_memory,
    with_one_more_device,
)

REGIMES = ("schedule", "steady")
EXAMPLES = 15
SEEDS = st.integers(0, 2**31 - 1)
TOLERANCE = 3e-6
"""Two gaps of at most 1e-6, and rounding."""


def instance_of(regime: str, seed: int) -> Instance:
    return random_schedule(seed)[0] if regime == "schedule" else random_stream(seed)


def optimum(instance: Instance) -> Solution:
    solution = solve(instance, time_limit=30, workers=1)
    # Where nothing is served there are no requests to have an accuracy, and no optimum of it.
    nothing = solution.plan is not None and any(math.isnan(v) for v in solution.objectives)
    assert solution.status in ("optimal", "infeasible") or nothing
    return solution


def assert_no_worse(instance: Instance, relaxed: Instance) -> None:
    before, after = optimum(instance), optimum(relaxed)
    if before.status == "infeasible":
        return
    assert after.plan is not None
    first = instance.objective[0]
    slack = TOLERANCE * max(1e-6, abs(before.objective))
    if is_maximised(first):
        assert after.objective >= before.objective - slack
    else:
        assert after.objective <= before.objective + slack


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize(
    "relax", [with_later_limits, with_more_memory, with_one_more_device], ids=lambda f: f.__name__
)
def test_what_only_allows_more_never_worsens_the_optimum(
    regime: str, relax: Callable[[Instance], Instance]
) -> None:
    @settings(max_examples=EXAMPLES)
    @given(SEEDS)
    def check(seed: int) -> None:
        instance = instance_of(regime, seed)
        assert_no_worse(instance, relax(instance))

    check()


@pytest.mark.parametrize("regime", REGIMES)
def test_other_units_of_time_and_energy_scale_the_optimum(regime: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(SEEDS)
    def check(seed: int) -> None:
        instance = instance_of(regime, seed)
        before, after = optimum(instance), optimum(scaled(instance))
        assert after.status == before.status
        for name, old, new in zip(
            instance.objective, before.objectives, after.objectives, strict=True
        ):
            expected = old * objective_factor(instance, name)
            assert new == pytest.approx(expected, rel=TOLERANCE, abs=1e-9, nan_ok=True)

    check()


@pytest.mark.parametrize("regime", REGIMES)
def test_other_names_change_nothing(regime: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(SEEDS)
    def check(seed: int) -> None:
        instance = instance_of(regime, seed)
        before, after = optimum(instance), optimum(renamed(instance))
        assert after.status == before.status
        assert after.objectives == pytest.approx(
            before.objectives, rel=TOLERANCE, abs=1e-9, nan_ok=True
        )

    check()
