"""Inputs that were reported with a wrong proof, a wrong explanation or an internal error."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from hetopt import explain, read_instance, read_plan, solve, verify
from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.formats.shipped import shipped_path

Shared = Callable[..., Path]

TIME_S = 20.0
"""Far more than any of these takes, so that a loaded machine proves them too."""


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("min2594.json", 4.3),
        ("contig12.json", 0.070922),
        ("lp.json", 1.0),
        ("bigrate.json", 2e9),
        ("us2.json", 6.6666e-6),
        ("reclaim5.yaml", 5.0),
        ("zc_staged.json", 6.0),
        ("power362.json", 26.5),
    ],
)
def test_the_optimum_of_a_reported_input_is_proven(
    name: str, best: float, shared_path: Shared
) -> None:
    solution = solve(read_instance(shared_path("cases", "proofs", name)), time_limit=TIME_S)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("name", ["idlecap.yaml", "genroute.json", "ns.json"])
def test_a_reported_input_without_a_plan_is_infeasible(name: str, shared_path: Shared) -> None:
    solution = solve(read_instance(shared_path("cases", "proofs", name)), time_limit=TIME_S)
    assert solution.status == "infeasible"


@pytest.mark.parametrize(
    ("name", "plan", "holds"),
    [
        ("min2594.json", "plan43.json", True),
        ("contig12.json", "contigplan.json", True),
        ("bigrate.json", "bigplan.json", True),
        ("zc_staged.json", "zcplan.json", True),
        ("ns.json", "nsplan.json", False),
        ("us2.json", "us2plan.json", False),
    ],
)
def test_a_reported_plan_is_judged_rightly(
    name: str, plan: str, holds: bool, shared_path: Shared
) -> None:
    instance = read_instance(shared_path("cases", "proofs", name))
    known = read_plan(instance, shared_path("cases", "proofs", plan))
    assert verify(instance, known).ok == holds


@pytest.mark.parametrize("method", ["auto", "heuristic", "cpsat"])
@pytest.mark.parametrize("time_limit", [1.0, 5.0])
def test_no_bound_on_accuracy_is_beyond_a_plan(
    method: str, time_limit: float, shared_path: Shared
) -> None:
    instance = read_instance(shared_path("cases", "proofs", "accuracy190.json"))
    solution = solve(instance, time_limit=time_limit, method=method)
    assert math.isnan(solution.bound) or solution.bound >= 0.7 * (1 - GAP_TOLERANCE)


def test_weights_of_0_leave_an_accuracy_undefined(shared_path: Shared) -> None:
    with pytest.raises(InputError, match="weight above 0"):
        solve(read_instance(shared_path("cases", "proofs", "acc0.yaml")), time_limit=TIME_S)


@pytest.mark.parametrize("name", ["voice-assistant", "wearable", "synthetic/sites"])
def test_shipped_fleets_at_their_full_count_are_explained(name: str) -> None:
    explanation = explain(read_instance(shipped_path(name)), time_limit=TIME_S)
    assert explanation.status in ("optimal", "feasible")
