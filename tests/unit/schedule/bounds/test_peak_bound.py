"""Bounds of the peak power by means over windows, against what can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.instance import Instance
from hetopt.schedule.bounds.objective_bounds import bound, source
from hetopt.schedule.bounds.peak_bound import surely_apart, window_power


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_narrow_window_counts_for_more_than_the_whole() -> None:
    start, end, joules = floats(0, 4, 4), floats(10, 6, 6), floats(5, 8, 8)
    assert window_power(start, end, joules) == pytest.approx(16 / 2, rel=1e-5)


def test_what_has_no_end_asks_for_no_power() -> None:
    assert window_power(floats(0), floats(math.inf), floats(5)) == 0.0
    assert surely_apart(floats(1, 2), math.inf).tolist() == [0.5, 0.5]


def chains(deadline: str, *, off: bool = True) -> Instance:
    """Return four tasks of 1 s and 6 J on two units, which draw 2 W each when on."""
    model = Model("chains", objective="peak_power")
    device = model.device("cpu", count=2, idle_power="2 W", off_when_unused=off)
    job = model.job("job", deadline=deadline)
    for k in range(4):
        job.task(f"t{k}", options=[device.option(time="1 s", energy="6 J")])
    return model.build()


@pytest.mark.parametrize(
    ("deadline", "off", "peak", "words"),
    [
        ("2 s", True, 16.0, "mean power"),  # both units, two tasks at each time
        ("4 s", True, 8.0, "the most demanding task"),  # one unit, one after the other
        ("2 s", False, 16.0, "mean power"),
    ],
)
def test_the_bound_is_the_optimum_where_no_instant_is_left(
    deadline: str, off: bool, peak: float, words: str
) -> None:
    instance = chains(deadline, off=off)
    assert bound(instance, "peak_power") == pytest.approx(peak, rel=1e-6)
    assert source(instance, "peak_power") == words
