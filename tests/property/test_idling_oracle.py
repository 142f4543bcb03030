"""Schedules with sleep and start-ups against enumeration of every option, unit and start."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import IDLING, run_chunk


@pytest.mark.parametrize("first", [0, 10, 20])
def test_solve_agrees_with_enumeration(first: int) -> None:
    run_chunk(IDLING, range(first, first + 10), 60.0)
