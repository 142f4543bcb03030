"""Boards of streams: values by hand, evaluated and checked alike, by every way of solving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt.analysis.compare import compare
from hetopt.build import Model
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.instance import Instance
from hetopt.instance.overrides import scale_idle, with_free_counts
from hetopt.replan import replan
from hetopt.simulate import simulate
from hetopt.solution import PeriodPlan, Solution, SteadyPlan
from hetopt.solve import SolveOptions, solve
from hetopt.steady.parts.find_parts import parts_of
from hetopt.verify import verify


def box(
    rate: float = 5.0,
    count: Any = 1,
    units: int = 1,
    board: dict[str, Any] | None = None,
    **more: Any,
) -> Instance:
    """Return two jobs, each with options on two devices of a board of 4 W and on a stick of 3 W."""
    model = Model("box", regime="steady", **{"objective": "power", **more})
    on = model.board("box", count=count, **({"idle_power": 4.0} | (board or {})))
    each = count if isinstance(count, dict) else {"min": count, "max": count}
    many = {end: units * number for end, number in each.items()}
    cpu = model.device("cpu", board=on, count=many, idle_power=0.5)
    gpu = model.device("gpu", board=on, count=many, idle_power=0.5)
    stick = model.device("stick", idle_power=3.0)
    for name in ("a", "b"):
        options = [
            cpu.option(time=0.1, energy=0.2),
            gpu.option(time=0.1, energy=0.1),
            stick.option(time=0.1, energy=0.3),
        ]
        model.job(name, rate=rate).task(f"{name} task", options=options)
    return model.build()


def solved(instance: Instance, **options: Any) -> Solution:
    """Return the proven answer, evaluated and checked alike."""
    found = solve(instance, time_limit=20, workers=1, **options)
    assert found.status == "optimal", (found.status, found.reason)
    assert found.plan is not None
    report = verify(instance, found.plan)
    assert report.ok
    known = evaluate(instance, found.plan)
    for name, key in (("power", "power_w"), ("cost", "cost_per_s"), ("carbon", "carbon_kg_per_s")):
        assert report.objectives[name] == pytest.approx(known[key], rel=1e-12)
    return found


def test_a_board_draws_its_idle_power_once() -> None:
    # Both processors of the board, for 10 + 5 requests a second: 4 + 2 x 0.5 + 10 x 0.1 + 5 x 0.2.
    found = solved(box(7.5))
    assert found.objective == pytest.approx(4 + 1 + 1 + 1)
    assert found.quantities["boards"] == [
        {"board": "box", "had": 1, "on": 1, "idle_power_w": 4.0, "cost_boards_per_s": 0.0}
    ]


def test_what_needs_no_board_leaves_it_off() -> None:
    found = solved(box(1.0))
    assert found.objective == pytest.approx(3 + 2 * 0.3)
    assert found.quantities["boards"][0]["on"] == 0


def test_as_many_boards_are_on_as_the_device_with_most_units_needs() -> None:
    # 25 requests a second take three units of two on each board.
    instance = box(12.5, count=2, units=2)
    found = solved(instance)
    assert found.objective == pytest.approx(4 + 4 * 0.5 + 20 * 0.1 + 5 * 0.2 - 0.5)
    on = {row["device"]: row["on"] for row in found.quantities["devices"]}
    assert (on["gpu"], on["cpu"]) == (2, 1)
    assert found.quantities["boards"][0]["on"] == 1


def test_boards_that_are_never_off_draw_for_all_that_are_had() -> None:
    instance = box(1.0, count=2, board={"off_when_unused": False, "price": 1.0})
    found = solved(instance)
    assert found.objective == pytest.approx(8 + 0.5 + 2 * 0.1)
    assert found.quantities["cost_units_per_s"] == pytest.approx(2.0)


def test_the_least_number_of_boards_is_had_and_paid() -> None:
    instance = box(
        20.0, {"min": 0, "max": 4}, board={"price": 2.0}, objective="cost", energy_price=1.0
    )
    # 40 requests a second take two units of each device, on two boards.
    found = solved(instance)
    assert found.objective == pytest.approx(2 * 2 + 8 + 2 + 20 * 0.1 + 20 * 0.2)
    assert found.quantities["boards"][0]["had"] == 2


@pytest.mark.parametrize("kind", ["power_cap", "budget"])
def test_a_limit_counts_boards_in_solver_and_checker(kind: str) -> None:
    limit = {"power_cap": 7.0} if kind == "power_cap" else {"budget": 7.0, "energy_price": 1.0}
    assert solved(box(7.5, **limit)).objective == pytest.approx(7.0)
    tight = {name: value - 0.01 if value == 7.0 else value for name, value in limit.items()}
    known = solved(box(7.5)).plan
    assert known is not None
    found = verify(box(7.5, **tight), known)
    assert [v.kind for v in found.violations] == [kind.replace("_", "-")]
    assert solve(box(7.5, **tight), time_limit=20, workers=1).status == "infeasible"


def test_one_placement_counts_boards() -> None:
    found = solved(box(10.0, routing="single"))
    # The two devices of the board, one job each: the stick and either would draw 3 + 4 + ...
    assert found.objective == pytest.approx(4 + 1 + 10 * 0.1 + 10 * 0.2)
    capped = box(10.0, routing="single", objective="throughput", power_cap=8.0)
    assert solved(capped).objective == pytest.approx(20.0)


def test_scenarios_have_the_boards_of_one_fleet() -> None:
    base = box(1.0, {"min": 0, "max": 2}, board={"price": 1.0, "off_when_unused": False})
    instance = set_values(base, ["objective=cost", "energy_price_per_j=1"])
    instance = replace(
        instance,
        scenarios=replace(
            instance.scenarios,
            name=np.array(["low", "high"], dtype=np.dtypes.StringDType()),
            weight=np.array([1.0, 1.0]),
            demand=np.array([1.0, 1.0]),
            rate_per_s=np.array([[1.0, 1.0], [15.0, 15.0]]),
        ),
    )
    found = solved(instance)
    rows = found.quantities["boards"]
    assert [row["had"] for row in rows] == [2, 2] or [row["had"] for row in rows] == [1, 1]
    assert {row["on"] for row in rows} == {rows[0]["had"]}


def day(**board: Any) -> Instance:
    """Return two periods: the second asks for more than the stick can give."""
    model = Model("day", regime="steady", objective="power")
    on = model.board("box", idle_power=4.0, **board)
    cpu = model.device("cpu", board=on, idle_power=0.5)
    gpu = model.device("gpu", board=on)
    stick = model.device("stick", idle_power=3.0)
    options = [cpu.option(time=0.1, energy=0.2), gpu.option(time=0.1, energy=0.2)]
    options.append(stick.option(time=0.1, energy=0.2))
    model.job("a", rate=1.0).task("a task", options=options)
    model.period("night", duration=100.0, demand=5.0)
    model.period("day", duration=100.0, demand=15.0)
    return model.build()


def test_a_board_that_goes_on_takes_its_start_up() -> None:
    free = solved(day())
    # By day the two of the board, at night the stick.
    assert free.objective == pytest.approx((3 + 1 + 4.5 + 3) / 2)
    start = {"energy": 300.0, "time": 5.0}
    paid = solved(day(start_up=start))
    # 300 J and 5 s of 4 W in 200 s are more than the board costs all the time.
    assert paid.objective == pytest.approx((4 + 1 + 4.5 + 3) / 2)
    assert paid.quantities["switching_power_w"] == 0
    little = solved(day(start_up={"energy": 50.0, "time": 5.0}))
    assert little.objective == pytest.approx(free.objective + 70 / 200)
    assert little.quantities["board_starts"][0]["energy_j"] == pytest.approx(70.0)


def test_the_checker_counts_boards_that_go_on_under_the_cap_of_a_period() -> None:
    made = day(start_up={"energy": 50.0, "time": 5.0})
    known = solved(made).plan
    assert isinstance(known, PeriodPlan)
    for cap, ok in ((7.5 + 0.7, True), (7.5 + 0.69, False)):
        caps = np.array([np.nan, cap])
        capped = replace(made, periods=replace(made.periods, power_cap_w=caps))
        assert verify(capped, known).ok is ok


def test_rivals_keep_the_board_and_changes_leave_devices_out() -> None:
    result = compare(box(5.0), options=SolveOptions(time_limit_s=10, workers=1), sensitivity=True)
    rivals = {rival.name: rival.solution for rival in result.rivals}
    assert rivals["gpu"].objective == pytest.approx(4 + 0.5 + 10 * 0.1)
    assert rivals["cpu"].objective == pytest.approx(4 + 0.5 + 10 * 0.2)
    changes = {row.change: row.gain.value for row in result.sensitivity}
    assert "without gpu" in changes
    assert "idle power x 0.5" in changes


def test_idle_power_that_is_scaled_leaves_the_whole_draw() -> None:
    half = scale_idle(box(), 0.5)
    assert half.boards.idle_power_w.tolist() == [2.0]
    # A unit alone draws 4.5 W idle and 2 W more; half of the idle power is work now.
    assert half.options.energy_j[0] == pytest.approx(0.2 + 0.5 * 4.5 * 0.1)


def test_free_counts_have_no_most_boards_in_streams() -> None:
    free = with_free_counts(box(100.0))
    assert free.boards.count_max.tolist() == [-1]
    found = solved(free)
    # 200 requests a second: 20 units, two of each board.
    assert found.quantities["boards"][0]["on"] == 10


def test_streams_of_one_board_are_one_part() -> None:
    model = Model("two", regime="steady", objective="power")
    on = model.board("box", idle_power=4.0)
    for name in ("a", "b", "c"):
        device = model.device(f"{name} device", **({"board": on} if name != "c" else {}))
        task = {"options": [device.option(time=0.1, energy=0.1)]}
        model.job(name, rate=1.0).task(f"{name} task", **task)
    instance = model.build()
    assert [jobs.tolist() for jobs, _ in parts_of(instance)] == [[0, 1], [2]]
    assert solved(instance).objective == pytest.approx(4.3)


def test_sleep_of_a_board_is_refused_in_streams() -> None:
    with pytest.raises(InputError, match="sleep"):
        box(board={"sleep": {"power": 1.0}})


def test_a_plan_on_boards_is_simulated_and_kept_where_nothing_changes() -> None:
    instance = box()
    plan = solved(instance).plan
    assert isinstance(plan, SteadyPlan)
    assert simulate(instance, plan, requests=10) is not None
    again = replan(instance, plan)
    assert again.plan is not None
    assert verify(instance, again.plan).ok


def test_fields_of_boards_can_be_set() -> None:
    changed = set_values(box(7.5), ["boards.box.idle_power=6 W"])
    assert solved(changed).objective == pytest.approx(9.0)
