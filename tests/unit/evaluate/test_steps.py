"""Sums of what is held over time: what meets within the tolerance of times meets."""

from __future__ import annotations

import pytest

from hetopt.evaluate.over_time.steps import steps_of

SLACK = 1e-10


def test_sleep_that_begins_with_the_end_of_a_run_leaves_no_instant_of_idling() -> None:
    # 0.00643 + 0.0047 is a float above 0.01113, at which another unit begins.
    end = 0.00643 + 0.0047
    assert end > 0.01113
    holds = [(0.0, 1.0, 20.0), (0.00643, end, 5.0), (0.01113, 0.5, 7.0), (end, 1.0, -13.0)]
    steps = steps_of(holds, SLACK)
    assert steps.peak == pytest.approx(25.0)
    assert steps.value.tolist() == pytest.approx([20.0, 25.0, 14.0, 7.0, 0.0])


def test_sleep_that_begins_later_than_the_tolerance_is_preceded_by_idling() -> None:
    holds = [(0.0, 1.0, 20.0), (0.1, 0.9, 7.0), (0.1 + 1e-6, 1.0, -13.0)]
    assert steps_of(holds, SLACK).peak == pytest.approx(27.0)
