"""A few instances of the campaigns of ``bench.claims``."""

from __future__ import annotations

import pytest

from tests.oracles.claims import CAMPAIGNS

SEEDS = range(6)


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_what_is_claimed_is_so_by_enumeration(name: str) -> None:
    outcomes = [CAMPAIGNS[name].judge(seed) for seed in SEEDS]
    assert not [(o.seed, o.wrong) for o in outcomes if o.kind == "disagreed"]
    assert sum(o.kind == "too hard" for o in outcomes) <= 2
