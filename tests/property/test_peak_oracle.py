"""Random tiny schedules asked for the least peak power, first or later, against enumeration."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import PEAK, run_chunk


@pytest.mark.parametrize("first", [0, 9])
def test_the_least_peak_power_is_that_of_enumeration(first: int) -> None:
    run_chunk(PEAK, range(first, first + 9), time_limit=10.0)
