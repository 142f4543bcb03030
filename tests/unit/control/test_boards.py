"""Boards under the controller: idle power once, while a unit on them is on, and units that wait."""

from __future__ import annotations

import json

import pytest

from hetopt import read_instance, solve
from hetopt.control.core import Controller
from hetopt.control.planner import Settings, asked, make
from hetopt.simulate.events import DeviceDown, RateChanged, Tick
from hetopt.solution import SteadyPlan
from hetopt.solve import SolveOptions
from tests.unit.replan.test_boards import BOX

SETTINGS = Settings(SolveOptions(1.0, method="heuristic", workers=1), headroom=0.0)


@pytest.fixture
def controller():
    box = read_instance("box.yaml", text=BOX)
    plan = solve(box, time_limit=30).plan
    assert isinstance(plan, SteadyPlan)
    return Controller(box, plan)


def test_a_board_draws_its_idle_power_once(controller):
    assert controller.fleet.power_w() == pytest.approx(10 + 1 + 2 * 2)
    controller.apply(Tick(20.0))
    assert controller.fleet.board_j == pytest.approx([200.0])
    again = Controller(controller.instance, controller.plan)
    again.fleet.read(json.loads(json.dumps(controller.fleet.to_dict())))
    assert again.fleet.board_j == pytest.approx([200.0])


def test_units_of_a_board_that_goes_on_start_when_it_is_up(controller):
    controller.apply(RateChanged(1.0, "see", 290.0, id="r"))
    entry = make(asked(controller), SETTINGS)
    assert entry["plan"] is not None
    controller.take_plan(json.loads(json.dumps(entry)))
    assert controller.fleet.boards_on() == [2]
    starting = [u for u in controller.fleet.units.values() if u.status == "starting"]
    assert [u.until_s for u in starting] == [pytest.approx(31.0)]
    controller.apply(Tick(40.0))
    assert all(u.status in ("on", "off") for u in controller.fleet.units.values())
    assert controller.fleet.board_j == pytest.approx([10.0 + 2 * 390.0])


def test_a_board_whose_units_are_down_draws_nothing(controller):
    controller.apply(DeviceDown(5.0, "cpu", 0, id="c"))
    controller.apply(DeviceDown(5.0, "npu", None, id="n"))
    assert controller.fleet.boards_on() == [0]
    assert controller.fleet.power_w() == 0.0
