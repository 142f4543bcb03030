"""Searches on units that sleep in gaps: they count what the evaluation does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bench.sleep import sleeping
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.effort import Effort
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.list_scheduling.gap_tables import gaps_count
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.without_sleep import always_idling
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.list_annealing import LimitedAnnealing
from hetopt.schedule.search.local_search import LocalSearch
from hetopt.schedule.search.windows import LEAST_TASKS, Windows
from hetopt.verify import verify
from tests.idling_schedules import idling_schedule

BEYOND = ("prices that change over time", "transfers that hold slots (overlap: false)")


def started(instance: Instance) -> LimitedAnnealing | None:
    """Return a search from the plan of HEFT, None where there is none or nothing to count."""
    if not gaps_count(instance) or math.isfinite(instance.limits.cycle_s):
        return None
    seen = always_idling(instance)
    plan = None if has_any(instance, BEYOND) or not fits(seen) else heft(seen)
    if plan is None or not verify(instance, plan).ok:
        return None
    return LimitedAnnealing(seen, plan, Effort(None, 300), 0, 1, math.nan, None, instance)


@pytest.mark.parametrize("setups", [False, True])
def test_the_cost_of_a_decoded_schedule_is_that_of_its_plan(*, setups: bool) -> None:
    looked = 0
    for seed in range(150):
        search = started(idling_schedule(seed, setups=setups)[0])
        chains = search.chains() if search is not None else ()
        if search is None or not chains:
            continue
        chain, name = chains[0], search.instance.objective[0]
        plan = search.plan_of(np.stack([chain.seq[0], chain.seq[2]]))
        if plan is None:
            continue
        if math.isfinite(chain.best):
            value = objective_value(search.priced, plan, name)
            assert chain.best == pytest.approx(value, rel=1e-9, abs=1e-12), seed
            looked += 1
        # So is that of the best state after some moves, which counts them one by one.
        chain.run(Effort(None, 300))
        best = search.plan_of(chain.shown[1])
        if best is not None and math.isfinite(chain.best):
            value = objective_value(search.priced, best, name)
            assert chain.best == pytest.approx(value, rel=1e-9, abs=1e-12), seed
    assert looked >= 15


@pytest.mark.parametrize(
    ("search", "tasks", "moves"), [(LimitedAnnealing, 50, 20_000), (Windows, LEAST_TASKS, 200_000)]
)
def test_a_search_that_counts_gaps_saves_more_than_one_that_does_not(
    search: type[LocalSearch[Any]], tasks: int, moves: int
) -> None:
    instance = sleeping(tasks, 4, 2.0)
    seen = always_idling(instance)
    start = heft(seen)
    assert start is not None
    values = []
    for priced in (seen, instance):
        found = search.improve(seen, start, iterations=moves, seed=1, priced=priced)
        assert found.plan is not None
        assert verify(instance, found.plan).ok
        values.append(objective_value(instance, found.plan, "energy"))
    assert values[1] < 0.99 * values[0]
