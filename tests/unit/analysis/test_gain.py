import math

import numpy as np
import pytest

from hetopt.analysis.gain import gain_over
from hetopt.solution import SchedulePlan, Solution


def solution(name: str, objective: float, bound: float, status: str = "feasible") -> Solution:
    empty = np.empty(0, dtype=np.int64)
    plan = None if math.isnan(objective) else SchedulePlan(empty, empty, empty.astype(float), None)
    return Solution(
        status=status,
        termination="time_limit",
        objective_names=(name,),
        objectives=(objective,),
        bounds=(bound,),
        plan=plan,
        method="test",
        wall_time_s=0.0,
        verified=plan is not None,
        seed=0,
        version="0",
    )


def test_gain_of_a_cost_is_the_saving_against_the_best_plan_and_the_best_bound():
    ours = solution("power", 60.0, 55.0)
    rivals = [("a", solution("power", 100.0, 90.0)), ("b", solution("power", 120.0, 80.0))]
    best, gain = gain_over(ours, rivals)
    assert best == "a"
    assert gain.value == pytest.approx(0.4)
    assert gain.proven == pytest.approx(1 - 60 / 80)


def test_gain_of_throughput_is_the_increase_over_the_largest_bound():
    ours = solution("throughput", 150.0, 160.0)
    rivals = [
        ("a", solution("throughput", 100.0, 120.0)),
        ("b", solution("throughput", 90.0, 125.0)),
    ]
    best, gain = gain_over(ours, rivals)
    assert best == "a"
    assert gain.value == pytest.approx(0.5)
    assert gain.proven == pytest.approx(150 / 125 - 1)


def test_proven_gain_counts_rivals_without_a_plan_and_skips_infeasible_ones():
    ours = solution("power", 60.0, 55.0)
    rivals = [
        ("a", solution("power", 100.0, 90.0)),
        ("unknown", solution("power", math.nan, 70.0, "unknown")),
        ("infeasible", solution("power", math.nan, math.nan, "infeasible")),
    ]
    _, gain = gain_over(ours, rivals)
    assert gain.proven == pytest.approx(1 - 60 / 70)


def test_proven_gain_is_missing_where_a_bound_is_missing_or_zero():
    ours = solution("power", 60.0, 55.0)
    served = ("a", solution("power", 100.0, 90.0))
    for bound in (math.nan, 0.0):
        _, gain = gain_over(ours, [served, ("b", solution("power", math.nan, bound, "unknown"))])
        assert math.isnan(gain.proven)
        assert gain.value == pytest.approx(0.4)


def test_no_gain_where_no_rival_serves_the_work():
    best, gain = gain_over(
        solution("power", 60.0, 55.0),
        [("a", solution("power", math.nan, math.nan, "infeasible"))],
    )
    assert best == ""
    assert math.isnan(gain.value)
    assert gain.reason


def test_tardiness_and_accuracy_report_differences():
    _, late = gain_over(solution("tardiness", 2.0, 1.0), [("a", solution("tardiness", 5.0, 4.0))])
    assert (late.value, late.proven, late.is_difference) == (3.0, 2.0, True)
    _, better = gain_over(solution("accuracy", 0.9, 0.95), [("a", solution("accuracy", 0.7, 0.8))])
    assert better.value == pytest.approx(0.2)
    assert better.proven == pytest.approx(0.1)


def test_proven_gain_never_exceeds_the_gain():
    rng = np.random.default_rng(3)
    for _ in range(100):
        ours = solution("power", rng.uniform(1, 2), 0.5)
        rivals = []
        for i in range(3):
            value = rng.uniform(2, 4)
            rivals.append((str(i), solution("power", value, value * rng.uniform(0.5, 1))))
        _, gain = gain_over(ours, rivals)
        assert gain.proven <= gain.value + 1e-12
