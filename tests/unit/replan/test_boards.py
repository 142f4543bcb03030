"""Streams on boards planned anew: boards of units that are there count, and go on with them."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt import contingency, read_instance, solve
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.replan import Replanned, replan
from hetopt.simulate.events import State, SwitchOff, SwitchOn, UnitState
from hetopt.solution import Solution, SteadyPlan
from tests.relations import at_rates

BOX = """
hetopt: 1
regime: steady
objective: power
boards:
  - name: box
    count: {min: 0, max: 3}
    idle_power: 10 W
    start_up: {time: 30 s, energy: 60 J}
devices:
  - {name: cpu, kind: cpu, board: box, count: {min: 0, max: 3}, idle_power: 1 W}
  - {name: npu, kind: npu, board: box, count: {min: 0, max: 6}, idle_power: 2 W}
profiles:
  see: [{device: npu, time: 10 ms, energy: 50 mJ}]
  say: [{device: cpu, time: 20 ms, energy: 100 mJ}]
jobs:
  - {name: see, profile: see, rate: 150 /s}
  - {name: say, profile: say, rate: 10 /s}
"""


@pytest.fixture(scope="module")
def box() -> Instance:
    return read_instance("box.yaml", text=BOX)


@pytest.fixture(scope="module")
def planned(box: Instance) -> Solution:
    found = solve(box, time_limit=30)
    assert isinstance(found.plan, SteadyPlan)
    assert found.plan.units_on.tolist() == [1, 2]
    assert found.objective == pytest.approx(10 + 1 + 4 + 7.5 + 1)
    return found


def state(**units: str) -> State:
    """Return a state by device: a letter a unit, 1 on, 0 off, x down."""
    words = {"1": "on", "0": "off", "x": "down"}
    rows = [
        UnitState(device, u, words[letter])  # type: ignore[arg-type]
        for device, letters in units.items()
        for u, letter in enumerate(letters)
    ]
    return State(100.0, tuple(rows))


def drawn(found: Replanned) -> float:
    """Return the power of a plan where its units really are, counted board by board."""
    plan, instance = found.plan, found.instance
    assert isinstance(plan, SteadyPlan)
    on = [(d, found.place[d, i]) for d, n in enumerate(plan.units_on.tolist()) for i in range(n)]
    boards = {u // int(instance.boards.per_board[d]) for d, u in on}
    idle = sum(float(instance.devices.idle_power_w[d]) for d, _ in on) + 10.0 * len(boards)
    return idle + SteadyQuantities(instance, plan).power_options_w


def test_nothing_changes_at_the_same_rates(box: Instance, planned: Solution) -> None:
    found = replan(box, planned, state(cpu="100", npu="110000"), time_limit=10)
    assert found.kept
    assert found.value == pytest.approx(planned.objective)
    assert found.gap == 0.0


def test_a_board_goes_on_with_its_first_unit_and_units_wait_for_it(
    box: Instance, planned: Solution
) -> None:
    found = replan(
        at_rates(box, 290.0, 10.0), planned, state(cpu="100", npu="110000"), time_limit=10
    )
    ups = [step for step in found.steps if isinstance(step.action, SwitchOn)]
    assert [step.action.unit for step in ups] == [2]  # type: ignore[union-attr]
    assert ups[0].ready_s == pytest.approx(130.0)
    assert ups[0].why == "box#1 goes on with it"
    # Two units serve 200/s for the 30 s.
    assert found.shortfall == pytest.approx({"see": 90.0 * 30.0})
    assert found.value == pytest.approx(drawn(found)) == pytest.approx(20 + 1 + 6 + 14.5 + 1)
    # The start of the board, 60 J and 30 s of 10 W, and none of the unit, over an hour.
    assert found.charge == pytest.approx((60 + 300) / 3600)


def test_units_that_are_scattered_over_boards_come_together_where_that_pays(
    box: Instance, planned: Solution
) -> None:
    found = replan(box, planned, state(cpu="100", npu="101000"), time_limit=10)
    assert found.value_before == pytest.approx(planned.objective + 10.0)
    assert found.value == pytest.approx(planned.objective) == pytest.approx(drawn(found))
    acts = [(type(s.action), s.action.unit) for s in found.steps]  # type: ignore[union-attr]
    assert (SwitchOn, 1) in acts
    assert (SwitchOff, 2) in acts
    assert any("more of box is on" in line for line in found.repaired)


def test_boards_that_units_which_are_down_make_needed_are_counted(
    box: Instance, planned: Solution
) -> None:
    one_board = replan(box, planned, state(cpu="100", npu="1x0000"), time_limit=10)
    # Another board has both units of the NPU, and a CPU.
    assert one_board.value == pytest.approx(planned.objective) == pytest.approx(drawn(one_board))
    two = replan(box, planned, state(cpu="100", npu="1x0x0x"), time_limit=10)
    assert two.value == pytest.approx(planned.objective + 10.0) == pytest.approx(drawn(two))
    assert two.score_bound <= two.score


def test_no_plan_draws_more_than_the_cap_with_the_boards_that_it_needs(
    box: Instance, planned: Solution
) -> None:
    capped = box.with_limits(power_cap_w=planned.objective + 5.0)
    found = replan(capped, planned, state(cpu="100", npu="1x0x0x"), time_limit=10)
    assert found.plan is None
    kept = replan(capped, planned, state(cpu="100", npu="1x0000"), time_limit=10)
    assert kept.plan is not None


def test_values_are_those_of_the_boards_of_units_that_are_there(
    box: Instance, planned: Solution
) -> None:
    rng = np.random.default_rng(3)
    found_some = 0
    for _ in range(12):
        npu = "".join(rng.choice(list("01x"), 6, p=[0.5, 0.3, 0.2]))
        cpu = "".join(rng.choice(list("01x"), 3, p=[0.4, 0.4, 0.2]))
        rates = at_rates(box, float(rng.integers(20, 400)), 10.0)
        found = replan(rates, planned, state(cpu=cpu, npu=npu), time_limit=10, method="heuristic")
        if found.plan is None:
            continue
        assert found.value == pytest.approx(drawn(found)), (cpu, npu)
        assert found.score_bound <= found.score * (1 + 1e-9)
        found_some += 1
    assert found_some >= 8


def test_the_loss_of_a_unit_or_a_device_on_a_board_is_planned_for(
    box: Instance, planned: Solution
) -> None:
    for lose in ("unit", "device"):
        found = contingency(box, planned, lose=lose, time_limit=10)  # type: ignore[arg-type]
        assert [loss.device for loss in found.losses] == ["cpu", "npu"]
        if lose == "unit":
            assert all(abs(loss.difference) < 1e-6 for loss in found.losses)
        else:
            assert [loss.unserved for loss in found.losses] == [("say",), ("see",)]
