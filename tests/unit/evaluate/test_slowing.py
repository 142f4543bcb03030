"""Tasks that slow each other: ends, energy, power and prices, by hand."""

from __future__ import annotations

import math

import pytest

from hetopt import Model, evaluate
from hetopt.evaluate import objectives
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.timeline import power_over_time
from tests.slow_pairs import sharing, started

FRAME = [(45.0, 60.0), (17.0, 25.0), (17.0, 25.0)]


def test_all_three_at_once_take_46_7_ms() -> None:
    instance = sharing(FRAME)
    q = ScheduleQuantities(instance, started(instance, [0, 0, 0]))
    # 110 of 100 are asked for until the two short ones end, at 17 × 1.1.
    assert q.end_s == pytest.approx([46.7, 18.7, 18.7], rel=1e-12)
    assert q.slowed_s == pytest.approx(1.7 * 3, rel=1e-12)


def test_in_turn_nothing_is_slowed() -> None:
    instance = sharing(FRAME)
    q = ScheduleQuantities(instance, started(instance, [0, 0, 17]))
    assert q.end_s.tolist() == [45.0, 17.0, 34.0]
    assert q.slowed_s == 0.0


def test_one_demand_each_gives_the_measured_pair() -> None:
    # 12.23 of 15 W each: 234.3/s together of the 382.07/s that both would do alone.
    instance = sharing([(1 / 174.35, 12.23), (1 / 207.72, 12.23)], capacity=15.0)
    rate = 15.0 / (2 * 12.23)
    assert (174.35 + 207.72) * rate == pytest.approx(234.3, abs=0.05)
    q = ScheduleQuantities(instance, started(instance, [0, 0]))
    assert q.end_s[1] == pytest.approx(1 / 207.72 / rate, rel=1e-12)


def test_what_is_lost_by_sharing_is_lost_by_all_who_share() -> None:
    instance = sharing([(8.0, 10.0), (8.0, 10.0), (8.0, 0.0)], loss=0.2)
    q = ScheduleQuantities(instance, started(instance, [0, 0, 0]))
    assert q.end_s == pytest.approx([10.0, 10.0, 8.0], rel=1e-12)
    alone = ScheduleQuantities(instance, started(instance, [0, 8, 0]))
    assert alone.end_s.tolist() == [8.0, 16.0, 8.0]


def test_the_scarcest_of_several_resources_says_how_fast() -> None:
    m = Model(objective="makespan")
    m.resource("dram", capacity=10, sharing="slow")
    m.resource("watts", capacity=6, sharing="slow")
    soc = m.device("soc", slots=3)
    m.task("a", options=[soc.option(time=2, uses={"dram": 10, "watts": 6})])
    m.task("b", options=[soc.option(time=2, uses={"watts": 6})])
    m.task("c", options=[soc.option(time=2, uses={"dram": 2})])
    instance = m.build()
    q = ScheduleQuantities(instance, started(instance, [0, 0, 0]))
    # a and b at 1/2 (watts), c at 10/12 (dram) until it ends at 2.4.
    assert q.end_s == pytest.approx([4.0, 4.0, 2.4], rel=1e-12)


def test_tasks_of_no_time_never_count() -> None:
    instance = sharing([(0.0, 100.0), (5.0, 100.0)])
    q = ScheduleQuantities(instance, started(instance, [0, 0]))
    assert q.end_s.tolist() == [0.0, 5.0]


def test_a_start_at_an_end_slows_nothing_whatever_floats_say() -> None:
    for shift in (0.0, 1e-12, -1e-12):
        instance = sharing([(3.0, 80.0), (3.0, 80.0)])
        q = ScheduleQuantities(instance, started(instance, [0, 3.0 * (1 + shift)]))
        assert q.end_s == pytest.approx([3.0, 6.0], rel=1e-11)
        assert q.slowed_s <= 1e-11


def test_energy_stays_and_power_falls() -> None:
    instance = sharing([(2.0, 100.0, 6.0), (2.0, 100.0, 6.0)])
    plan = started(instance, [0, 0])
    found = evaluate(instance, plan)
    assert found["energy_j"] == pytest.approx(12.0)
    # Both at half speed draw 3 W of 6 W.
    assert found["peak_power_w"] == pytest.approx(3.0)
    power = power_over_time(instance, plan)
    assert power.time_s[0] == 0.0
    assert power.value[0] == pytest.approx(3.0)
    busy = found["devices"][0]["busy_s"]
    assert busy == pytest.approx(8.0)


def test_a_joule_pays_the_price_of_when_it_is_drawn() -> None:
    prices = [{"from": 0, "price": 1.0}, {"from": 3, "price": 10.0}]
    instance = sharing(
        [(2.0, 100.0, 4.0), (1.0, 100.0, 0.0)], objective="cost", energy_price=prices
    )
    # t0: alone for 1 s, at half speed for 2 s while t1 runs: all 4 J by second 3, at price 1.
    plan = started(instance, [0, 1])
    assert objectives(instance, plan, ("makespan",))[0] == pytest.approx(3.0)
    assert objectives(instance, plan)[0] == pytest.approx(4.0)
    # t1 at once: t0 has done 1 s of its 2 s when t1 ends at 2, and the rest by 3.
    assert objectives(instance, started(instance, [0, 0]))[0] == pytest.approx(4.0)
    # t0 starts at 2: half of its work is done at price 1, the other half after 3.
    late = started(instance, [2, 8])
    assert objectives(instance, late)[0] == pytest.approx(2.0 * 1 + 2.0 * 10)


def test_resources_that_forbid_and_slow_stand_side_by_side() -> None:
    m = Model(objective="makespan")
    m.resource("port", capacity=2)
    m.resource("dram", capacity=10, sharing="slow")
    soc = m.device("soc", slots=2)
    m.task("a", options=[soc.option(time=2, uses={"port": 2, "dram": 10})])
    m.task("b", options=[soc.option(time=2, uses={"dram": 10})])
    instance = m.build()
    rows = {r["resource"]: r for r in evaluate(instance, started(instance, [0, 0]))["resources"]}
    assert rows["port"]["peak"] == 2.0
    assert rows["dram"]["peak"] == 20.0
    assert math.isinf(instance.resources.budget[0])
