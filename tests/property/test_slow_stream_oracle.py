"""Streams on devices that slow each other down, against programs over all states."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import SLOW_STREAMS, run_chunk


@pytest.mark.parametrize("chunk", range(3))
def test_states_agree_with_enumeration(chunk: int) -> None:
    run_chunk(SLOW_STREAMS, range(12 * chunk, 12 * chunk + 12))
