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


def two(deadline: str, *, release: str = "0 s", idle: str = "0 W") -> Instance:
    """Return four tasks of 1 s, of 1 J on one device and 10 J on another."""
    model = Model("two", objective="peak_power")
    thrifty = model.device("thrifty", idle_power=idle, off_when_unused=True)
    hungry = model.device("hungry", idle_power=idle, off_when_unused=True)
    job = model.job("job", deadline=deadline, release=release)
    for k in range(4):
        options = [
            thrifty.option(time="1 s", energy="1 J"),
            hungry.option(time="1 s", energy="10 J"),
        ]
        if k == 3:
            options.append(hungry.option("at once", time="0 s", energy="0 J"))
        job.task(f"t{k}", options=options)
    return model.build()


@pytest.mark.parametrize(
    ("deadline", "release", "idle", "peak"),
    [
        # Two run on each, so 22 J are drawn within 2 s; each takes the thrifty device in a window.
        # What takes no time, as the fourth task may, has no power.
        ("2 s", "0 s", "0 W", (2 + 10) / 2),
        ("3 s", "1 s", "0 W", (2 + 10) / 2),
        ("2 s", "0 s", "3 W", (2 + 10) / 2 + 3 + 3),  # what is on in part is on
        ("4 s", "0 s", "0 W", 1.0),
    ],
)
def test_what_the_thrifty_device_has_no_time_for_draws_more(
    deadline: str, release: str, idle: str, peak: float
) -> None:
    question = two(deadline, release=release, idle=idle)
    assert bound(question, "peak_power") == pytest.approx(peak, rel=1e-6)


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
