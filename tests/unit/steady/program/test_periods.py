"""Periods in time: what ties them, and what is read, written and refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt.analysis.explanation.limits.periods import time_on_s
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objective_value
from hetopt.evaluate.periods import loading
from hetopt.formats.native.document import read_json, read_yaml, write_json, write_yaml
from hetopt.formats.plans import plan_from_dict, plan_to_dict
from hetopt.instance import Instance
from hetopt.solution import Held, PeriodPlan
from hetopt.solve import solve
from hetopt.verify import verify
from tests.comparing import differences

DAY = """
hetopt: 1
regime: steady
objective: {objective}
energy_price: 0.25 EUR/kWh
devices:
  - name: box
    count: 4
    memory: 10 GB
    idle_power: 100 W
    start_up: {{time: 1 min, energy: {start}, cost: 0.001 EUR}}
    load: {{time: 10 s, energy_per_byte: {byte}}}
profiles:
  a: [{{device: box, label: x, time: 10 ms, energy: 1 J, weights: 6 GB}}]
  b: [{{device: box, label: x, time: 10 ms, energy: 1 J, weights: 8 GB}}]
jobs:
  - {{name: a, profile: a, rate: 90 /s}}
  - {{name: b, profile: b, rate: 90 /s}}
periods:
{ties}
  list:
    - {{name: day, duration: 1 h, rates: {{a: 190 /s}}}}
    - {{name: night, duration: 1 h, rates: {{b: 0 /s}}, energy_price: 0.1 EUR/kWh}}
    - {{name: dawn, duration: 2 h}}
{more}
"""


def day(
    start: str = "0 J",
    byte: str = "0 J/B",
    ties: str = "  cyclic: true",
    more: str = "",
    objective: str = "power",
) -> Instance:
    """A day of three periods on four boxes that hold one model each."""
    text = DAY.format(start=start, byte=byte, ties=ties, more=more, objective=objective)
    return read_yaml(text, "day.yaml")


def planned(instance: Instance) -> PeriodPlan:
    """The proved plan of an instance, checked."""
    found = solve(instance, time_limit=20, workers=1)
    assert isinstance(found.plan, PeriodPlan), found.reason
    assert found.status == "optimal"
    assert verify(instance, found.plan).ok
    return found.plan


def on(plan: PeriodPlan) -> list[int]:
    return [int(part.units_on[0]) for part in plan.plans]


def test_units_go_off_where_starting_takes_less_than_idling_and_stay_on_where_it_takes_more() -> (
    None
):
    # Beyond the night one box idles for 360 kJ, and starting takes 6 kJ of its own.
    assert on(planned(day(start="353 kJ"))) == [3, 1, 2]
    kept = day(start="355 kJ")
    plan = planned(kept)
    assert on(plan) == [3, 2, 2]
    taken = 3 * 360e3 + 2 * 360e3 + 2 * 720e3 + 361e3
    served = 280 * 3600 + 90 * 3600 + 180 * 7200
    assert objective_value(kept, plan, "power") == pytest.approx((taken + served) / 14400)


def test_a_unit_keeps_weights_that_it_does_not_serve_where_loading_takes_more_than_idling() -> None:
    # Loading b takes 400 kJ, an idle hour 360 kJ.
    instance = day(byte="50 uJ/B")
    plan = planned(instance)
    assert on(plan) == [3, 2, 2]
    held = {(int(s), int(key)) for s, key in zip(plan.held.period, plan.held.key, strict=True)}
    assert held == {(1, 1)}
    quantities = evaluate(instance, plan)
    assert (quantities["starts"], quantities["loads"]) == (1, 1)
    without = replace(plan, held=Held.of())
    assert evaluate(instance, without)["loads"] == 2
    assert verify(instance, without).ok


def test_cost_counts_starts_at_the_price_of_their_period() -> None:
    instance = day(start="100 kJ", objective="cost")
    plan = planned(instance)
    quantities = evaluate(instance, plan)
    assert on(plan) == [3, 1, 2]
    paid = 2 * (106e3 * 0.25 / 3.6e6 + 0.001)
    assert quantities["switching_cost_per_s"] * 14400 == pytest.approx(paid)
    assert [row["starts"] for row in quantities["periods"]] == [1, 0, 1]
    report = verify(instance, plan)
    assert report.objectives["cost"] == pytest.approx(quantities["cost_per_s"], rel=1e-12)


def test_units_stay_on_for_their_least_time_and_few_change_where_that_is_asked() -> None:
    # At night another box goes off than the one that went on an hour before.
    assert on(planned(day(ties="  min_up: 90 min"))) == [3, 1, 2]
    # Beyond a whole cycle, both that start in one would have to be on at night.
    assert on(planned(day(ties="  min_up: 5 h"))) == [3, 2, 2]
    calm = day(ties="  max_changes: 1")
    # A box starts at dawn and loads its model in the morning.
    assert on(planned(calm)) == [3, 2, 3]
    fewer = evaluate(calm, planned(calm))
    assert [r["starts"] + r["stops"] + r["loads"] for r in fewer["periods"]] == [1, 1, 1]


def test_what_is_there_before_the_first_period_need_not_start() -> None:
    ties = "  cyclic: false"
    nothing = day(start="1 MJ", byte="1 mJ/B", ties=ties)
    assert evaluate(nothing, planned(nothing))["starts"] == 3
    more = "initial:\n  - {device: box, units: 2, weights: [a/x]}\n  - {device: box, units: 1}"
    some = day(start="1 MJ", byte="1 mJ/B", ties=ties, more=more)
    quantities = evaluate(some, planned(some))
    assert (quantities["starts"], quantities["loads"]) == (0, 1)


def test_a_period_keeps_its_power_cap_with_what_starting_takes() -> None:
    free = day(start="360 kJ")
    assert on(planned(free)) == [3, 2, 2]
    # A start of 366 kJ in an hour is 102 W beside the 580 W of three boxes and their work.
    assert on(planned(set_values(free, ["periods.day.power_cap=682 W"]))) == [3, 2, 2]
    assert on(planned(set_values(free, ["periods.day.power_cap=681 W"]))) == [3, 3, 3]


def test_no_period_alone_starts_anything_where_it_repeats() -> None:
    one = set_values(day(start="1 MJ"), ["periods.min_up=5 h"])
    alone = write_yaml(one)
    kept = [line for line in alone.splitlines() if "night" not in line and "dawn" not in line]
    instance = read_yaml("\n".join(kept), "one.yaml")
    assert len(instance.periods) == 1
    assert evaluate(instance, planned(instance))["starts"] == 0


@pytest.mark.parametrize(
    ("before", "after", "count", "loaded"),
    [
        ([{0}, {1}], [{1}, {0}], 0, 0.0),
        ([{0, 1}], [{0}, {1}], 1, 1.0),
        ([{0, 1}, {2}], [{0, 2}, {1}], 1, 1.0),
        ([], [{0}, {0}], 2, 2.0),
        ([{0}, {0}], [set()], 0, 0.0),
        ([{2}], [{0}, {2, 1}], 2, 11.0),
    ],
)
def test_as_few_weights_are_loaded_as_can_be(
    before: list[set[int]], after: list[set[int]], count: int, loaded: float
) -> None:
    size = {0: 1.0, 1: 10.0, 2: 20.0}
    found = loading([frozenset(b) for b in before], [frozenset(a) for a in after], size)
    assert found == (count, loaded)


def test_instances_and_plans_are_read_as_they_were_written() -> None:
    more = "initial:\n  - {device: box, units: 2, weights: [a/x]}\n  - {device: box}"
    ties = "  cyclic: false\n  min_up: 70 min\n  max_changes: 5"
    instance = day(start="10 kJ", byte="1 mJ/B", ties=ties, more=more)
    assert differences(instance, read_yaml(write_yaml(instance), "again")) == []
    assert differences(instance, read_json(write_json(instance), "again")) == []
    plan = planned(day(byte="1 mJ/B"))
    again = plan_from_dict(day(byte="1 mJ/B"), plan_to_dict(day(byte="1 mJ/B"), plan))
    assert isinstance(again, PeriodPlan)
    assert np.array_equal(again.held.key, plan.held.key)
    assert [p.rate_per_s.tolist() for p in again.plans] == [
        p.rate_per_s.tolist() for p in plan.plans
    ]


def test_settings_of_periods_are_set_by_the_names_of_the_document() -> None:
    changed = set_values(
        day(ties="  cyclic: false", more="initial:\n  - {device: box}"),
        [
            "periods.min_up=2 h",
            "periods.max_changes=7",
            "initial.box.units=3",
            "rates.day/a.rate=100",
        ],
    )
    periods = changed.periods
    assert (periods.min_up_s, periods.max_changes) == (7200, 7)
    assert periods.initial_units.tolist() == [3]
    assert changed.scenarios.rate_per_s[0, 0] == 100


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"more": "scenarios: [{name: x}]"}, "periods", "Either scenarios, or periods"),
        ({"more": "initial: [{device: box}]"}, "initial", "cyclic: false"),
        (
            {"ties": "  cyclic: false", "more": "initial: [{device: box, units: 5}]"},
            "initial",
            "At most the 4 units",
        ),
        (
            {"ties": "  cyclic: false", "more": "initial: [{device: box, weights: [a/y]}]"},
            "initial",
            "did you mean a/x?",
        ),
        (
            {"ties": "  cyclic: false", "more": "initial: [{device: box, weights: [a/x, b/x]}]"},
            "initial",
            "fit into a unit together",
        ),
        ({"more": "routing: single"}, "routing", "one placement cannot differ by period"),
    ],
)
def test_what_periods_cannot_mean_is_refused(
    changes: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        day(**changes)
    found = [p for p in caught.value.problems if words in p.expected]
    assert found, caught.value.problems
    assert place in found[0].place


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("devices.box.start_up.time=2 h", "At most the shortest period"),
        ("devices.box.load.time=2 h", "At most the shortest period"),
        ("devices.box.memory=", "A memory of the device too"),
        ("periods.day.duration=0 s", "more than 0"),
        ("tasks.a.pin=box#1", "no unit is told from the others"),
    ],
)
def test_figures_that_do_not_fit_periods_are_refused(assignment: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        set_values(day(byte="1 mJ/B"), [assignment])


def test_units_are_not_set_up_for_free_between_periods() -> None:
    two = ["options.a/box.configuration=c", "options.b/box.configuration=d"]
    assert set_values(day(), two[:1]).periods.cyclic
    with pytest.raises(InputError, match="Options of one configuration"):
        set_values(day(), two)


def test_the_time_that_units_stay_on_may_be_longer_than_is_asked_for() -> None:
    plan, asked = planned(day(ties="  min_up: 90 min")), day(ties="  min_up: 90 min")
    # 3, 1, 2 boxes over 1 h, 1 h and 2 h: what went on at dawn goes off after the day, 3 h later.
    assert on(plan) == [3, 1, 2]
    assert time_on_s(asked, plan) == time_on_s(day(ties="  min_up: 10 min"), plan) == 3 * 3600
    still = planned(day(ties="  max_changes: 0"))
    assert time_on_s(asked, still) == 4 * 3600
