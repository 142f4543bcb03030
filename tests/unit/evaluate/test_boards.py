"""Boards of schedules: values by hand, evaluated and checked alike, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.formats.native.document import read_yaml
from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify

SLEEPY = {"idle_power": 4.0, "sleep": {"power": 1.0, "wake_time": 1.0, "wake_energy": 2.0}}


def box(board: dict[str, Any], count: int = 1, units: int = 1, **settings: Any) -> Instance:
    """Return two tasks of 1 s and 3 J, each on a device of its own, both on one board."""
    model = Model("box", objective="energy", regime="schedule", **settings)
    on = model.board("box", count=count, **board)
    for name in ("cpu", "gpu"):
        device = model.device(name, board=on, count=units * count, idle_power=0.5)
        job = model.job(name)
        job.task(f"on {name}", options=[device.option(time=1.0, energy=3.0)])
    return model.build()


def plan(start: list[float], unit: list[int] | None = None) -> SchedulePlan:
    n = len(start)
    units = np.zeros(n, int) if unit is None else np.array(unit)
    return SchedulePlan(np.arange(n), units, np.array(start), Hops.empty())


def both(made: Instance, chosen: SchedulePlan) -> dict[str, Any]:
    report = verify(made, chosen)
    assert report.ok, report.violations
    found = evaluate(made, chosen)
    for name, key in (("energy", "energy_j"), ("cost", "cost"), ("peak_power", "peak_power_w")):
        assert report.objectives[name] == pytest.approx(found[key], rel=1e-12)
    return found


def test_a_board_draws_its_idle_power_once() -> None:
    found = both(box({"idle_power": 4.0}), plan([0.0, 0.0]))
    assert found["energy_j"] == pytest.approx(6 + 2 * 0.5 + 4)
    assert found["boards"][0]["energy_idle_j"] == pytest.approx(4)


def test_two_boards_are_on_where_units_on_both_are() -> None:
    made = box({"idle_power": 4.0, "price": 1.0}, 2)
    assert both(made, plan([0.0, 0.0], [0, 1]))["energy_j"] == pytest.approx(6 + 1 + 8)
    assert both(made, plan([0.0, 0.0], [1, 1]))["energy_j"] == pytest.approx(6 + 1 + 4)
    assert evaluate(made, plan([0.0, 0.0], [1, 1]))["cost"] == pytest.approx(2)  # both are had


def test_unit_i_stands_on_board_i_over_units_a_board() -> None:
    made = box({"idle_power": 4.0}, 2, 3)
    assert both(made, plan([0.0, 0.0], [2, 0]))["boards"][0]["on"] == 1
    assert both(made, plan([0.0, 0.0], [3, 0]))["boards"][0]["on"] == 2


def test_a_board_sleeps_where_nothing_on_it_runs() -> None:
    # The gap from 1 to 3 is of the board; each unit's own are not slept through.
    found = both(box(SLEEPY), plan([0.0, 3.0]))
    assert found["energy_j"] == pytest.approx(6 + 4 * 1 + 16 - 3 * 2 + 2)
    assert found["boards"][0]["sleep_s"] == 2
    assert both(box(SLEEPY), plan([0.0, 1.0]))["boards"][0]["sleep_s"] == 0


def test_nothing_runs_before_its_board_has_gone_on() -> None:
    made = box({"start_up": {"time": 2.0, "energy": 7.0, "cost": 5.0}})
    found = both(made, plan([2.0, 2.0]))
    assert found["energy_j"] == pytest.approx(6 + 3 + 7)
    assert found["cost"] == 5
    kinds = [v.kind for v in verify(made, plan([0.0, 2.0])).violations]
    assert kinds == ["start-up"]


def test_claims_of_a_board_counted_twice_are_told() -> None:
    report = verify(box({"idle_power": 4.0}), plan([0.0, 0.0]), {"energy": 6 + 1 + 8})
    assert "claimed-objective" in {v.kind for v in report.violations}


def test_work_gathers_on_one_board() -> None:
    solution = solve(box({"idle_power": 4.0}, 2), time_limit=20, workers=1)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(6 + 1 + 4)


DOCUMENT = """
hetopt: 1
regime: schedule
boards: [{boards}]
devices: [{{name: cpu, {fields}}}]
jobs: [{{name: a, deadline: 2 s, options: [{{device: cpu, time: 1 s, power: 9 W}}]}}]
"""


@pytest.mark.parametrize(
    ("boards", "fields", "expected"),
    [
        ("{name: box}", "board: bax", "A board: box (did you mean box?)."),
        ("{name: box, count: 2}", "board: box", "A multiple of the number of boards box, which"),
        ("{name: box, sleep: {power: 1 W}}", "board: box", "At most the idle power"),
        ("{name: box, start_up: {time: 3 s}}", "board: box", "At most the latest deadline, 2 s"),
    ],
)
def test_boards_that_cannot_be_are_refused(boards: str, fields: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_yaml(DOCUMENT.format(boards=boards, fields=fields), "x.yaml")
    assert any(p.expected.startswith(expected) for p in caught.value.problems)


def test_the_draw_of_an_option_is_that_of_its_board() -> None:
    boards, fields = "{name: box, idle_power: 4 W}", "board: box, idle_power: 1 W"
    made = read_yaml(DOCUMENT.format(boards=boards, fields=fields), "x.yaml")
    assert made.options.energy_j.tolist() == [4.0]


def test_catalogue_devices_of_a_board_leave_their_idle_power_to_it() -> None:
    entries = [f"mlperf-v3.0-open/firefly-armnn-v22.11-{name}" for name in ("neon", "opencl")]
    task = "mlperf-v3.0-open/singlestream/efficientnet-lite0-quantized"
    alone = Model("alone", regime="schedule")
    alone.device("cpu", catalogue=entries[0])
    alone.task("t", alone.profile("p", catalogue=task))
    single = alone.build()
    model = Model("both", regime="schedule")
    model.board(str(single.devices.board[0]))
    for name, entry in zip(("cpu", "gpu"), entries, strict=True):
        model.device(name, catalogue=entry, board=str(single.devices.board[0]))
    model.task("t", model.profile("p", catalogue=task))
    made = model.build()
    assert made.devices.idle_power_w.tolist() == [0.0, 0.0]
    assert made.boards.idle_power_w[0] == single.devices.idle_power_w[0] > 0
    assert made.options.energy_j[0] == pytest.approx(single.options.energy_j[0])
