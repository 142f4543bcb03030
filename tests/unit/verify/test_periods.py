"""The checker finds every way in which a plan of periods can break what ties them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt.compile.set_values import set_values
from hetopt.evaluate import evaluate
from hetopt.evaluate.periods import loading
from hetopt.instance import Instance
from hetopt.solution import Held, PeriodPlan, ScenarioPlan
from hetopt.verify import verify
from hetopt.verify.exact import fraction
from hetopt.verify.steady.assignment import MANY, least_loaded
from tests.unit.steady.program.test_periods import day, on, planned


def kinds(instance: Instance, plan: ScenarioPlan) -> set[str]:
    return {violation.kind for violation in verify(instance, plan).violations}


@pytest.fixture(scope="module")
def known() -> tuple[Instance, PeriodPlan]:
    instance = day(byte="50 uJ/B")
    return instance, planned(instance)


def with_held(plan: PeriodPlan, *rows: tuple[int, int, int, int]) -> PeriodPlan:
    return replace(plan, held=Held.of(rows))


def test_a_sound_plan_is_accepted_and_its_energy_counted_alike(
    known: tuple[Instance, PeriodPlan],
) -> None:
    instance, plan = known
    report = verify(instance, plan)
    assert report.ok
    quantities = evaluate(instance, plan)
    for name, key in (("power", "power_w"), ("cost", "cost_per_s")):
        assert report.objectives[name] == pytest.approx(quantities[key], rel=1e-12)


@pytest.mark.parametrize(
    "row", [(3, 0, 0, 0), (0, 1, 0, 0), (0, 0, 3, 0), (0, 0, 0, 2), (0, 0, -1, 0), (0, 0, 0, -1)]
)
def test_rows_of_what_units_hold_name_units_that_are_on_and_weights_of_theirs(
    known: tuple[Instance, PeriodPlan], row: tuple[int, int, int, int]
) -> None:
    instance, plan = known
    assert kinds(instance, with_held(plan, row)) == {"held"}


def test_what_a_unit_holds_fits_into_its_memory(known: tuple[Instance, PeriodPlan]) -> None:
    instance, plan = known
    assert kinds(instance, with_held(plan, (1, 0, 1, 0), (1, 0, 1, 1))) == {"memory"}


def test_columns_that_are_no_columns_are_malformed(known: tuple[Instance, PeriodPlan]) -> None:
    instance, plan = known
    torn = replace(plan, held=Held(np.array([0.5]), *[np.array([0])] * 3))
    assert kinds(instance, torn) == {"malformed-plan"}


def test_one_fleet_and_one_plan_for_each_period(known: tuple[Instance, PeriodPlan]) -> None:
    instance, plan = known
    assert kinds(instance, replace(plan, plans=plan.plans[:2])) == {"scenarios"}
    fewer = replace(plan.plans[0], units_had=np.array([3]))
    instance = set_values(instance, ["devices.box.count_min=1"])
    assert kinds(instance, replace(plan, plans=(fewer, *plan.plans[1:]))) == {"scenario-fleet"}


def test_units_are_on_for_their_least_time() -> None:
    instance = day()
    plan = planned(instance)
    assert on(plan) == [3, 1, 2]
    assert kinds(set_values(instance, ["periods.min_up=90 min"]), plan) == set()
    assert kinds(set_values(instance, ["periods.min_up=5 h"]), plan) == {"min-up"}


def test_no_more_changes_than_are_allowed() -> None:
    instance = day()
    plan = planned(instance)
    # A box goes on and loads a model as the day begins, two go off as the night does.
    assert kinds(set_values(instance, ["periods.max_changes=2"]), plan) == set()
    assert kinds(set_values(instance, ["periods.max_changes=1"]), plan) == {"max-changes"}
    # With two boxes on at night one is switched at a time: only with what it loads are there two.
    calm = replace(plan.plans[1], units_on=np.array([2]))
    plan = replace(plan, plans=(plan.plans[0], calm, plan.plans[2]))
    assert kinds(set_values(instance, ["periods.max_changes=2"]), plan) == set()
    assert kinds(set_values(instance, ["periods.max_changes=1"]), plan) == {"max-changes"}


def test_starts_count_towards_the_power_cap_of_their_period() -> None:
    instance = day(start="353 kJ")
    plan = planned(instance)
    # 300 W of three boxes, 280 W of their work, and 359 kJ an hour of a start.
    assert kinds(set_values(instance, ["periods.day.power_cap=679.8 W"]), plan) == set()
    assert kinds(set_values(instance, ["periods.day.power_cap=679.6 W"]), plan) == {"power-cap"}


def test_an_exclusive_unit_holds_weights_of_one_workload(
    known: tuple[Instance, PeriodPlan],
) -> None:
    instance, plan = known
    larger = set_values(instance, ["devices.box.memory=20 GB", "devices.box.exclusive=true"])
    assert kinds(larger, plan) == set()
    assert kinds(larger, with_held(plan, (1, 0, 1, 0), (1, 0, 1, 1))) == {"exclusive"}


def test_a_pool_holds_what_its_units_hold(known: tuple[Instance, PeriodPlan]) -> None:
    from hetopt import from_frames, to_frames, to_settings

    instance, plan = known
    frames, settings = to_frames(instance), to_settings(instance)
    frames["devices"]["memory_pool"] = "dram"
    for room, found in ((24e9, set()), (13e9, {"pool-memory"})):
        frames["pools"] = frames["devices"][["memory_pool"]].rename(columns={"memory_pool": "name"})
        frames["pools"]["memory_b"] = room
        assert kinds(from_frames(frames, settings), plan) == found


def test_both_ways_to_match_units_find_as_little_to_load() -> None:
    rng = np.random.default_rng(7)
    size = {k: float(rng.integers(1, 9)) for k in range(4)}
    exact = {k: fraction(b) for k, b in size.items()}
    for count in (1, 2, 3, 5, 8, MANY + 20):
        for _ in range(6):
            before, after = (
                [
                    frozenset(np.flatnonzero(rng.random(4) < 0.5).tolist())
                    for _ in range(int(rng.integers(0, count + 1)))
                ]
                for _ in range(2)
            )
            mine = least_loaded(before, after, exact)
            assert loading(before, after, size) == (mine[0], pytest.approx(float(mine[1])))
