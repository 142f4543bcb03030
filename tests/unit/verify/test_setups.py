"""The checker finds every rule of set-ups that a plan breaks, and counts what they draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt.evaluate import evaluate, objectives
from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify
from tests.small_schedules import device, instance, option, task

ROWS = [
    {"device": "f", "from": "a", "to": "b", "time_s": 2.0, "energy_j": 6.0},
    {"device": "f", "from": "b", "to": "a", "time_s": 1.0, "energy_j": 4.0},
    {"device": "f", "from": "none", "to": "a", "time_s": 3.0, "energy_j": 9.0},
]


def fpga(initial: str = "", **more: Any) -> Instance:
    """Return tasks a1, b1, a2 of two configurations, and k, which keeps what is loaded."""
    return instance(
        [device("f", idle_power_w=1.0, initial_configuration=initial, **more.pop("device", {}))],
        [
            option("a", "f", 4.0, 8.0, configuration="a"),
            option("b", "f", 3.0, 3.0, configuration="b"),
            option("k", "f", 1.0, 1.0),
        ],
        [task("a1", "a"), task("b1", "b"), task("a2", "a"), task("k")],
        more={"setups": ROWS},
        objective="energy",
        **more,
    )


def at(*starts: float) -> SchedulePlan:
    start = np.array(starts)
    none = np.zeros(len(start), dtype=np.int64)
    option = np.array([0, 1, 0, 2])
    return SchedulePlan(option, none, start, Hops.empty())


GOOD = at(0.0, 7.0, 11.0, 4.0)
"""a1 from 0 to 4, k to 5, set-up to b from 5 to 7, b1 to 10, set-up to a, a2 from 11 to 15."""


def kinds(question: Instance, plan: SchedulePlan) -> set[str]:
    return {v.kind for v in verify(question, plan).violations}


def test_a_plan_that_leaves_room_for_set_ups_is_accepted_and_counted() -> None:
    report = verify(fpga(), GOOD)
    assert report.ok, report.violations
    joules = 8 + 3 + 8 + 1 + 6 + 4 + 15 * 1.0
    assert report.objectives["energy"] == pytest.approx(joules)
    assert objectives(fpga(), GOOD) == (pytest.approx(joules),)
    told = evaluate(fpga(), GOOD)
    assert told["energy_setups_j"] == 10.0
    assert [(row["from"], row["to"], row["start_s"]) for row in told["setups"]] == [
        ("a", "b", 5.0),
        ("b", "a", 10.0),
    ]


def test_a_task_that_starts_before_its_set_up_is_over_is_found() -> None:
    assert kinds(fpga(), at(0.0, 6.9, 11.0, 4.0)) == {"slots"}
    assert kinds(fpga(), at(0.0, 7.0, 10.9, 4.0)) == {"slots"}


def test_what_runs_during_a_set_up_is_found() -> None:
    assert kinds(fpga(), at(0.0, 7.0, 11.0, 5.5)) == {"slots"}
    message = verify(fpga(), at(0.0, 7.0, 11.0, 4.5)).violations[0].message
    assert "the set-up from a to b before task b1 starts" in message


def test_an_option_without_configuration_keeps_what_is_loaded() -> None:
    # k lies between two tasks of a: no set-up in between.
    assert verify(fpga(), at(0.0, 11.0, 5.0, 4.0)).ok
    assert kinds(fpga(), at(0.0, 10.9, 5.0, 4.0)) == {"slots"}


def test_the_first_set_up_is_free_only_where_no_initial_configuration_is_stated() -> None:
    assert kinds(fpga("none"), GOOD) == {"set-up"}
    later = at(3.0, 10.0, 14.0, 7.0)
    report = verify(fpga("none"), later)
    assert report.ok
    assert report.objectives["energy"] == pytest.approx(20 + 10 + 9 + 18)
    assert verify(fpga("a"), GOOD).ok


def test_a_pair_without_a_row_takes_nothing() -> None:
    question = fpga("none")
    plan = at(4.0, 0.0, 8.0, 12.0)  # b first: none -> b has no row
    report = verify(question, plan)
    assert report.ok, report.violations
    assert report.objectives["energy"] == pytest.approx(20 + 4 + 13)


def test_power_of_set_ups_counts_against_the_cap_and_in_the_peak() -> None:
    # Set-ups draw 3 W and 4 W above the idle 1 W, tasks 2 W at most.
    assert verify(fpga(power_cap_w=5.0), GOOD).ok
    assert kinds(fpga(power_cap_w=4.5), GOOD) == {"power-cap"}
    assert verify(fpga(), GOOD).objectives["peak_power"] == pytest.approx(5.0)
    assert evaluate(fpga(), GOOD)["peak_power_w"] == pytest.approx(5.0)


def test_set_ups_pay_the_price_of_their_own_time() -> None:
    prices = [{"from_s": 0.0, "price_per_j": 0.0}, {"from_s": 5.0, "price_per_j": 1.0},
              {"from_s": 7.0, "price_per_j": 0.0}]  # fmt: skip
    question = replace(fpga(energy_price_per_j=prices), objective=("cost",))
    # From 5 s to 7 s: the set-up to b, of 6 J, and idle power.
    assert verify(question, GOOD).objectives["cost"] == pytest.approx(6 + 2)
    assert objectives(question, GOOD) == (pytest.approx(8.0),)


def test_one_set_up_for_any_change_holds_where_there_are_no_rows() -> None:
    question = instance(
        [device("f", setup_time_s=2.0, setup_energy_j=1.0)],
        [option("a", "f", 1.0, configuration="a"), option("b", "f", 1.0, configuration="b")],
        [task("a"), task("b")],
        objective="energy",
    )
    plan = SchedulePlan(np.array([0, 1]), np.zeros(2, np.int64), np.array([0.0, 3.0]), Hops.empty())
    report = verify(question, plan)
    assert report.ok
    assert report.objectives["energy"] == 1.0
    early = replace(plan, start_s=np.array([0.0, 2.5]))
    assert kinds(question, early) == {"slots"}
