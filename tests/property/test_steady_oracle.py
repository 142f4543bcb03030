"""Streams against enumeration of units and packings with LPs over rates, on 200 instances."""

from __future__ import annotations

import pytest

from tests.oracles.campaign import run_chunk
from tests.oracles.features import steady_features
from tests.random_streams import random_stream

CHUNK = 10
CHUNKS = 22
FEATURES = frozenset(
    [
        *("split", "single", "shares", "rates", "count range", "count without maximum", "slots"),
        *(
            "max utilization",
            "reserved",
            "batches",
            "measured latency",
            "latency limit",
            "links",
            "least load",
            "value",
        ),
        *("per unit", "channels", "bus", "exclusive", "weights", "shared weights"),
        *("working memory", "pool memory", "zero-copy pool", "budget", "power cap", "graph job"),
        *("always on", "no overlap", "staged", "shared tensor", "min accuracy", "price"),
        *("renewable", "resource budget", "slices", "scenarios"),
        *("energy price", "pin", "unit pin", "forbid", "together", "apart", "work"),
        *("list of objectives", "throughput", "power", "cost", "carbon", "accuracy"),
    ]
)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_solve_agrees_with_enumeration(chunk: int) -> None:
    run_chunk("steady", range(chunk * CHUNK, (chunk + 1) * CHUNK))


def test_every_feature_is_switched_on_in_some_of_the_instances() -> None:
    seen = set[str]()
    for seed in range(CHUNK * CHUNKS):
        seen |= steady_features(random_stream(seed))
    assert seen >= FEATURES
