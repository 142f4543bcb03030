"""An instance of several demands, where one is expected, is refused with advice that works."""

from __future__ import annotations

import pytest

from hetopt import deploy, replan, simulate, solve
from hetopt.errors import InputError
from hetopt.evaluate.with_units import counted, quantity
from hetopt.formats.native.document import read_yaml
from hetopt.instance import Instance

DOCUMENT = """
hetopt: 1
regime: steady
objective: power
devices: [{name: gpu, count: 2, idle_power: 5 W, start_up: {energy: 1 J}}]
jobs: [{name: j, rate: 10 /s, options: [{device: gpu, time: 10 ms, energy: 1 J}]}]
periods:
  - {name: day, duration: 1 h, rates: {j: 150 /s}}
  - {name: night, duration: 2 h}
"""


@pytest.fixture(scope="module")
def day() -> Instance:
    return read_yaml(DOCUMENT, "day.yaml")


def test_simulation_and_replanning_name_the_periods_and_what_to_do(day: Instance) -> None:
    advice = "periods: got day, night; .* leave periods out, and write the rates of one period"
    with pytest.raises(InputError, match=advice):
        simulate(day)
    with pytest.raises(InputError, match=advice):
        replan(day, solve(day, time_limit=10))
    one = read_yaml(DOCUMENT.split("periods:")[0].replace("10 /s", "150 /s"), "one.yaml")
    assert simulate(one, policies=["greedy"], requests=20, bound=False).policies == ("greedy",)


def test_folders_of_periods_have_a_page_of_their_order_and_switching(day: Instance) -> None:
    solution = solve(day, time_limit=10)
    made = deploy(solution, day, "kubernetes", image="x", command="y")
    page = made.files["README.md"].decode()
    assert "1. `day/` for 60 min; switch before it: gpu: 1 start.\n2. `night/` for 2 h" in page
    assert "gpu: 1 stop." in page
    assert "the first one follows" in page


def test_one_thing_is_written_as_one(day: Instance) -> None:
    assert counted(1, "start") == "1 start"
    assert counted(2, "load", " of weights") == "2 loads of weights"
    assert quantity(day, "cost", 0.0) == "0/s"
