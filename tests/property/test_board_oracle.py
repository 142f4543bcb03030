"""Streams on boards, by every way of solving, against enumeration."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import BOARDS, judge, run_chunk


@pytest.mark.parametrize("chunk", range(3))
def test_boards_agree_with_enumeration(chunk: int) -> None:
    run_chunk(BOARDS, range(16 * chunk, 16 * chunk + 16))


def test_that_no_route_fits_is_a_throughput_of_nothing_whenever_it_is_seen() -> None:
    """Generated routes: the first prices hide that none fits a unit, the second show it."""
    assert judge(BOARDS, 3235, 10.0).wrong == []
