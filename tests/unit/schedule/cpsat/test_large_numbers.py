"""Numbers that a CP-SAT model of 64-bit integers cannot hold."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest

from hetopt.formats.native.document import read_yaml
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import Grid
from hetopt.schedule.model.problem import Problem
from hetopt.solve import solve
from tests.small_schedules import device, instance, option, task

ROOT = Path(__file__).parents[4]


def nine_on_two() -> Instance:
    """Nine tasks of 3 s on two units, beside an option of 2^64 s for each."""
    options = [option("a", "cpu", 3.0, 2.0), option("a", "npu", 2.0**64, 1.0)]
    tasks = [task(name, "a") for name in "abcdefghi"]
    devices = [device("cpu", count=2), device("npu")]
    return instance(devices, options, tasks, objective="makespan")


@pytest.mark.parametrize("method", ["cpsat", "lns"])
def test_an_option_of_more_ticks_than_64_bits_hold_leaves_an_answer(method: str) -> None:
    found = solve(nine_on_two(), method=method, time_limit=1, workers=1)
    assert found.plan is not None
    assert found.bound <= 15.0 <= found.objective


def test_a_model_that_does_not_fit_says_nothing_of_plans() -> None:
    question = nine_on_two()
    budget = Budget(time.monotonic() + 9, workers=1, deterministic=True)
    level = Level(
        Incumbent(question, budget), Problem(question, Grid(Fraction(1), "exact")), 0, 5.0
    )
    assert not level.solve()
    assert level.unbuilt


def test_a_price_that_ends_beyond_all_numbers_of_cp_sat_is_one_that_lasts() -> None:
    text = """
hetopt: 1
objective: cost
horizon: 24 h
power_cap: 5 kW
energy_price:
  - {from: 0 s, price: 0.20 EUR/kWh}
  - {from: 7 h, price: 0.34 EUR/kWh}
  - {from: 9223372036854775808 h, price: 0.20 EUR/kWh}
devices: [{name: d0}, {name: d1}, {name: d2}]
jobs:
  - {name: j0, options: [{device: d0, time: 6 h, power: 4 kW}]}
  - {name: j1, options: [{device: d1, time: 3 h, power: 3.5 kW}]}
  - {name: j2, options: [{device: d2, time: 2 h, power: 3 kW}]}
"""
    found = solve(read_yaml(text, "prices"), time_limit=20, method="cpsat")
    # One after another: 24 kWh and the first hour of the second task in the cheap time.
    assert found.status == "optimal"
    assert found.objective == pytest.approx(0.20 * (24 + 3.5) + 0.34 * (7 + 6))


def test_a_set_up_of_no_tick_on_a_coarse_grid_draws_no_power_there() -> None:
    text = (ROOT / "instances" / "synthetic" / "set-ups.yaml").read_text(encoding="utf-8")
    late = text.replace(
        "{name: first, profile: see}", "{name: first, profile: see, release: 1e19 s}"
    )
    late = late.replace(", deadline: 20 ms", "")
    assert late != text
    found = solve(read_yaml(late, "late"), time_limit=3, workers=1)
    assert found.plan is None or found.verified
