"""Demands fitted from what ran at once: known ones are found again, measured pairs predicted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.slowdown import Predicted, new_chip, new_task, next_release, read_pairs
from hetopt.profiling.slowdown import (
    Pair,
    Together,
    fit_chip,
    fit_demands,
    law_of_chip,
    shared_rate,
)


def test_one_demand_per_option_reproduces_the_measured_pair() -> None:
    measured = Pair("Core i7-1185GRE", "resnet-50", 174.35, 207.72, 234.33)
    fitted = fit_chip([measured], capacity=15.0)
    assert fitted.loss == 0
    for demand in fitted.demand.values():
        assert demand == pytest.approx(12.23, abs=0.005)
    assert fitted.rate(measured.options()) * (174.35 + 207.72) == pytest.approx(234.33)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_demands_that_made_the_rates_are_found_again(loss: float) -> None:
    true = {"a": 0.9, "b": 0.8, "c": 1.0, "d": 0.7, "e": 0.95}
    measured = [
        Together((x, y), shared_rate([true[x], true[y]], 1.0, loss))
        for x, y in itertools.combinations(true, 2)
    ]
    fitted = fit_demands(measured, 1.0)
    # c and e ask for nearly all: without a loss their rate would be above a half.
    assert fitted.error < 0.02
    if loss == 0:
        assert fitted.loss == 0
        assert fitted.demand == pytest.approx(true, rel=1e-3)
    assert all(0 <= d <= 1 for d in fitted.demand.values())


def test_a_rate_below_a_half_needs_a_loss_and_the_least_is_taken() -> None:
    fitted = fit_demands([Together(("a", "b"), 0.4)], 1.0)
    assert fitted.loss == pytest.approx(0.2)
    assert fitted.rate(["a", "b"]) == pytest.approx(0.4)


def test_what_is_not_slowed_asks_for_nothing_where_others_need_a_loss() -> None:
    fitted = fit_demands([Together(("a", "b"), 0.35), Together(("c", "d"), 1.0)], 1.0)
    assert fitted.loss == pytest.approx(0.3)
    assert fitted.rate(["c", "d"]) == 1.0


def test_three_at_once_say_what_their_demands_sum_to() -> None:
    fitted = fit_demands([Together(("a", "b", "c"), 0.5)], 3.0)
    assert sum(fitted.demand.values()) == pytest.approx(6.0)


def test_a_law_of_fewer_than_three_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="3 pairs"):
        law_of_chip([Pair("chip", "a", 1.0, 2.0, 2.0)])


def errors(found: list[Predicted]) -> tuple[float, float]:
    return (
        float(np.median([f.error for f in found])),
        float(np.mean([f.decides for f in found])),
    )


def test_measured_pairs_are_predicted_as_the_docs_say(shared_path: Callable[..., Path]) -> None:
    pairs = read_pairs(shared_path("data", "corun_pairs.csv"))
    first, second = sorted(pairs)
    same = errors(next_release(pairs, first, second))
    back = errors(next_release(pairs, second, first))
    other = errors(new_task(pairs))
    assert same[0] <= 0.03
    assert back[0] <= 0.03
    assert same[1] >= 0.93
    assert back[1] >= 0.93
    assert other[0] <= 0.10
    assert other[1] >= 0.78
    # Of a chip that was never measured the law says little: it is reported, not promised.
    assert len(new_chip(pairs)) == 127
