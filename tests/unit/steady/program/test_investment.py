"""Units bought over time: what they cost, what is read and written, and what the checker finds."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hetopt import from_frames, to_frames, to_settings
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.formats.native.document import read_json, read_yaml, write_json
from hetopt.formats.plans import plan_from_dict, plan_to_dict
from hetopt.instance import Instance
from hetopt.instance.states import investment
from hetopt.report.terminal.solution import solution_view
from hetopt.solution import PeriodPlan, Solution
from hetopt.solve import solve
from hetopt.verify import verify

YEARS = """
hetopt: 1
regime: steady
objective: cost
energy_price: 0.2 EUR/kWh
devices:
  - {name: old, count: {min: 0, max: 1}, price: 1000 EUR, lifetime: 4 years}
  - {name: new, count: {min: 0, max: 9}, idle_power: 50 W, price: 1000 EUR, lifetime: 4 years,
     start_up: {cost: 10 EUR}}
  - {name: rent, count: {min: 0, max: 9}, price: 0.05 EUR/h}
profiles:
  p:
    - {device: old, time: 1 s, energy: 0 J}
    - {device: new, time: 1 s, energy: 0 J}
    - {device: rent, time: 1 s, energy: 0 J}
jobs: [{name: j, profile: p, rate: 2 /s}]
periods:
  invest: true
  discount_rate: 10 %
  list:
    - {name: a, duration: 1 year}
    - {name: b, duration: 1 year, demand: 2}
initial: [{device: old}]
"""


def years(**changes: str) -> Instance:
    made = read_yaml(YEARS, "years")
    return set_values(
        made, [f"{path.replace('__', '.')}={value}" for path, value in changes.items()]
    )


@pytest.fixture(scope="module")
def known() -> tuple[Instance, Solution]:
    instance = years()
    return instance, solve(instance, time_limit=20)


def unit_costs(instance: Instance) -> Any:
    return investment.unit_costs(instance.periods, instance.scenarios.weight, instance.devices)


def with_had(plan: Any, period: int, device: int, units: int) -> PeriodPlan:
    parts = list(plan.plans)
    had = parts[period].units_had.copy()
    had[device] = units
    parts[period] = replace(parts[period], units_had=had)
    return replace(plan, plans=tuple(parts))


def kinds(instance: Instance, plan: Any) -> set[str]:
    return {violation.kind for violation in verify(instance, plan).violations}


def test_the_cost_is_that_of_the_formula(known: tuple[Instance, Solution]) -> None:
    _, solution = known
    q = solution.quantities
    assert solution.status == "optimal"
    # One old unit is there; one more in the first year, two in the second. New units idle.
    found = {(row["period"], row["device"]): row["units"] for row in q["bought"]}
    assert found == {("a", "new"): 1, ("b", "new"): 2}
    year, d1, d2 = 8760.0, 1 / 1.1, 1 / 1.1**2
    first = 1000 - 1000 * d2 * 0.5
    second = 1000 * d1 - 1000 * d2 * 0.75
    energy = 0.05 * year * 0.2
    running = energy + 10 + d1 * (3 * energy + 2 * 10)
    assert q["present_value"] == pytest.approx(first + 2 * second + running, rel=1e-9)
    assert solution.objective == pytest.approx(q["present_value"] / (2 * year * 3600), rel=1e-9)
    assert q["cost_units_per_s"] * 2 * year * 3600 == pytest.approx(first + 2 * second, rel=1e-9)


def test_without_discounting_a_unit_costs_its_price_for_the_time_it_is_had() -> None:
    instance = years(periods__discount_rate="0", devices__new__lifetime="9 months")
    whole = 2 * 365 * 86400.0
    price = instance.devices.price_per_s
    assert unit_costs(instance)[0] == pytest.approx(price * whole, rel=1e-12)
    assert unit_costs(instance)[1] == pytest.approx(price * whole / 2, rel=1e-12)


def test_what_wears_out_is_bought_again() -> None:
    instance = years(devices__new__lifetime="9 months")
    month = 365 / 12
    times, worth = (0, 9, 18), 1 / 3
    paid = sum(1000 * 1.1 ** -(k * month / 365) for k in times) - 1000 * worth / 1.1**2
    found = unit_costs(set_values(instance, [f"devices.new.lifetime={9 * month} d"]))
    assert found[0, 1] == pytest.approx(paid, rel=1e-9)


def test_rent_where_what_is_bought_is_too_dear() -> None:
    solution = solve(years(devices__new__price="9000 EUR"), time_limit=20)
    rows = solution.quantities["bought"]
    assert {row["device"] for row in rows} == {"rent"}
    each = 0.05 * 8760
    assert [row["cost"] for row in rows] == pytest.approx([each * (1 + 1 / 1.1), 2 * each / 1.1])


def test_what_is_bought_for_a_peak_is_paid_for_to_the_end() -> None:
    """No plan sells what it needs no more, and the bound knows that."""
    solution = solve(years(periods__a__demand="3", periods__b__demand="0.5"), time_limit=20)
    assert solution.status == "optimal"
    had = {(r["period"], r["device"]): r["had"] for r in solution.quantities["devices"]}
    on = {(r["period"], r["device"]): r["on"] for r in solution.quantities["devices"]}
    bought = [device for device in ("new", "rent") if had["a", device]]
    assert sum(had["a", device] for device in bought) == 5
    assert all(had["b", device] == had["a", device] for device in bought)
    assert all(on["b", device] == 0 for device in bought)


def test_a_budget_caps_what_purchases_and_energy_cost(known: tuple[Instance, Solution]) -> None:
    instance, solution = known
    assert solution.objective is not None
    enough = solution.objective * (1 + 1e-6)
    assert solve(instance.with_limits(budget_per_s=enough), time_limit=20).status == "optimal"
    short = instance.with_limits(budget_per_s=solution.objective * 0.999)
    assert solve(short, time_limit=20).status == "infeasible"
    assert kinds(short, solution.plan) == {"budget"}


def test_what_is_never_off_is_on_once_it_is_had() -> None:
    solution = solve(years(devices__new__off_when_unused="false"), time_limit=20)
    assert solution.verified
    on = {(r["period"], r["device"]): (r["on"], r["had"]) for r in solution.quantities["devices"]}
    assert on["a", "new"] == (1, 1)
    assert on["b", "new"] == (3, 3)


def test_the_checker_counts_alike_and_finds_units_that_do_not_stay(
    known: tuple[Instance, Solution],
) -> None:
    instance, solution = known
    report = verify(instance, solution.plan)
    assert report.ok
    assert report.objectives["cost"] == pytest.approx(solution.objective, rel=1e-12)
    # More than is needed in the first year, and none of them later; then no initial unit.
    assert kinds(instance, with_had(solution.plan, 0, 1, 5)) == {"had-stays"}
    assert "had-stays" in kinds(instance, with_had(solution.plan, 0, 0, 0))
    assert kinds(instance, with_had(solution.plan, 1, 2, 10)) == {"units-had"}
    more = with_had(solution.plan, 1, 2, 1)
    assert verify(instance, more).objectives["cost"] == pytest.approx(
        evaluate(instance, more)["cost_per_s"], rel=1e-12
    )
    claims = {"cost": float(solution.objective or 0.0)}
    found = verify(instance, more, claims).violations
    assert [violation.kind for violation in found] == ["claimed-objective"]


def test_plans_and_files_say_the_same_when_read_again(known: tuple[Instance, Solution]) -> None:
    instance, solution = known
    assert solution.plan is not None
    written = plan_to_dict(instance, solution.plan)
    again = plan_from_dict(instance, written)
    assert evaluate(instance, again) == evaluate(instance, solution.plan)
    for copy in (
        read_json(write_json(instance), "years"),
        from_frames(to_frames(instance), to_settings(instance)),
    ):
        assert copy.periods.invest
        assert copy.periods.discount_rate == 0.1
        assert not copy.periods.cyclic
        assert np.array_equal(unit_costs(copy), unit_costs(instance))


def test_people_read_what_to_buy_when(known: tuple[Instance, Solution]) -> None:
    instance, solution = known
    console = Console(width=160, file=StringIO(), record=True)
    console.print(solution_view(instance, solution))
    text = console.export_text()
    assert "What to buy, and when" in text
    assert "in money of today for all that is bought and run" in text
    assert "at 10 % a year" in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  invest: true", "  invest: true\n  cyclic: true", "units once bought stay"),
        ("  invest: true", "  cyclic: false", "invest: true beside it"),
        ("  discount_rate: 10 %", "  discount_rate: -1", "at least 0"),
        ("initial:", "kind_shares: [{kind: cpu, of: price, max: 0.5}]\ninitial:", "units: shares"),
        ("initial:", "boards: [{name: b}]\ninitial:", "No boards where units are bought"),
    ],
)
def test_what_does_not_go_with_investments_is_refused(old: str, new: str, expected: str) -> None:
    assert old in YEARS
    with pytest.raises(InputError, match=expected):
        read_yaml(YEARS.replace(old, new), "years")


def test_without_periods_nothing_is_bought_over_time() -> None:
    text = YEARS[: YEARS.index("periods:")]
    with pytest.raises(InputError, match="periods"):
        read_yaml(text + "periods_invest: true\n", "years")
