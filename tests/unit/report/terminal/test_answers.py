"""What people budget with: values in their units, a year, what to buy; why nothing is possible."""

from __future__ import annotations

from hetopt import Model, read_instance, solve
from hetopt.analysis.explanation.shortfall import shortfalls
from hetopt.evaluate.with_units import as_published, bound_with_unit, quantity
from hetopt.report.terminal.text import view_text
from hetopt.solve import SolveOptions


def rack(**settings) -> Model:
    m = Model("rack", objective="cost", energy_price="0.3 EUR/kWh", **settings)
    gpu = m.device("gpu", count=(0, 9), idle_power="100 W", price="8760 EUR", lifetime="1 year")
    npu = m.device("npu", count=(0, 9), idle_power="10 W", price="2 EUR/h")
    m.job("a", rate=15, options=[gpu.option(time="0.1 s", power="200 W")])
    m.job("b", rate=5, options=[npu.option(time="0.1 s", power="20 W")])
    return m


def test_a_year_has_energy_capital_and_carbon_beside_each_other() -> None:
    solution = solve(rack(carbon_intensity="400 g/kWh").build())
    text = view_text(solution)
    # 1.5 busy GPUs of 2 that idle, and half of an NPU: 100 x 2 + 1.5 x 100 + 10 + 5 W.
    assert "a year: 3.197 MWh, 35999.2 EUR (devices 35040 EUR, energy 959.22 EUR)" in text
    assert "1.279 t CO2" in text


def test_the_shopping_list_multiplies_units_and_prices() -> None:
    lines = view_text(solve(rack().build())).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("What it takes"))
    cells = [line.split("  ") for line in lines[at + 2 : at + 5]]
    rows = [[cell.strip() for cell in row if cell.strip()] for row in cells]
    assert rows == [
        ["gpu", "2", "8760 EUR", "17520 EUR", "17520 EUR"],
        ["npu", "1", "2 EUR/h", "–", "17520 EUR"],
        ["all", "3", "17520 EUR", "35040 EUR"],
    ]


def test_shadow_prices_are_in_the_unit_of_the_inputs() -> None:
    assert "EUR/h per request/s" in view_text(solve(rack().build()))


def test_a_repetition_has_its_own_energy() -> None:
    m = Model("box", objective="energy", horizon="100 ms")
    cpu = m.device("cpu", idle_power="1 W")
    job = m.job("frame", period="25 ms", deadline="25 ms")
    job.task("t", options=[cpu.option(time="5 ms", power="3 W")])
    assert "35 mJ a repetition of frame (4 in the window)" in view_text(solve(m.build()))


def test_values_of_files_without_units_are_as_published() -> None:
    text = "1 2\n2 2 1 205 2 204 1 1 199\n"
    solution = solve(read_instance("x.fjs", text=text))
    shown = view_text(solution)
    assert "403" in shown
    assert "min" not in shown.split("Tasks")[0]
    assert quantity(solution.instance, "makespan", 1234567.0) == "1234567"
    assert as_published(2.5) == "2.5"


def test_a_bound_that_proves_the_value_is_written_as_the_value() -> None:
    instance = rack().build()
    assert bound_with_unit(instance, "power", 5.99999, 6.0, 0.0) == "6 W"
    assert bound_with_unit(instance, "power", 5.9, 6.0, 0.017) == "5.9 W"


def test_the_scenario_whose_limit_fails_is_named_with_value_and_limit() -> None:
    m = rack(power_cap="300 W")
    m.scenario("night", weight=1, demand=0.1)
    m.scenario("day", weight=1, demand=1)
    found = shortfalls(m.build(), SolveOptions(time_limit_s=5))
    assert found == [
        "Scenario day: To serve the demand takes at least 310 W; the power cap is 300 W."
    ]


def test_what_no_arithmetic_finds_is_how_much_can_be_served() -> None:
    m = Model("rack", objective="power")
    devices = [m.device(name, count=1, memory="10 GB") for name in ("a", "b")]
    for name in ("x", "y", "z"):  # three models, each of which fills a unit, on two units
        ways = [d.option(time="0.1 s", energy=1, weights="9 GB") for d in devices]
        m.job(name, rate=4, options=ways)
    (text,) = shortfalls(m.build(), SolveOptions(time_limit_s=5))
    assert text.startswith("At most 0 % of the demand can be served")


def test_a_right_instance_lacks_nothing() -> None:
    assert shortfalls(rack().build(), SolveOptions(time_limit_s=5)) == []
