"""Streams in unusual variants against enumeration: numbers far apart, forced ways of solving."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import HUGE, judge_variant, run_chunk
from tests.oracles.exact_lp import exact_minimum
from tests.oracles.stream_variants import stream_variant

CHUNK = 10


@pytest.mark.parametrize("chunk", range(5))
def test_nothing_that_solve_says_is_contradicted(chunk: int) -> None:
    run_chunk("streams", range(chunk * CHUNK, (chunk + 1) * CHUNK), time_limit=10.0)


def test_units_by_the_billion_reach_their_closed_form() -> None:
    assert [
        o for o in (judge_variant(seed * HUGE, 10.0) for seed in range(20, 32)) if o.wrong
    ] == []


def test_every_way_of_solving_is_forced_and_every_method_asked_for() -> None:
    variants = [stream_variant(seed) for seed in range(1, 90)]
    assert {v.forced for v in variants} == {"", "stages", "routes", "packings", "columns"}
    assert {v.method for v in variants} == {"auto", "mip", "cpsat", "heuristic"}
    assert {v.mip_solver for v in variants} == {"highs", "cbc"}
    assert sum(v.slack > 0 for v in variants) > 8
    assert sum(bool(v.instance.jobs.contiguous.any()) for v in variants) > 8


def test_a_program_in_fractions_sees_what_tolerances_hide() -> None:
    x = exact_minimum([1e10, 1.5, 1.0], [[0.0, 0.0, 1.0]], [1.0 - 1e-12], [[1.0, 1.0, 1.0]], [1.0])
    assert x == pytest.approx([0.0, 1e-12, 1.0 - 1e-12], rel=1e-3)
    assert exact_minimum([1.0], [[1.0]], [1.0 - 1e-15], [[1.0]], [1.0]) is None
