"""Streams on boards, by every way of solving, against enumeration."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import BOARDS, run_chunk


@pytest.mark.parametrize("chunk", range(3))
def test_boards_agree_with_enumeration(chunk: int) -> None:
    run_chunk(BOARDS, range(16 * chunk, 16 * chunk + 16))
