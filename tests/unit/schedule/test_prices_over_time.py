"""Prices and carbon intensities that change over time, from the file to the proven optimum."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.build import Model
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate, objective_value
from hetopt.formats import read_instance
from hetopt.formats.native.document_text import write_json, write_yaml
from hetopt.formats.native.tables_folder import read_folder, write_csv, write_parquet
from hetopt.instance import Instance, Series
from hetopt.instance.tariffs import ExactSeries, at_mean_prices, integral, least_mean, mean_price
from hetopt.schedule.bounds.objective_bounds import bound, load_of
from hetopt.schedule.bounds.tariff_load_bound import priced_bound
from hetopt.schedule.cpsat.tariff_objective import stretches
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS, plan_problem
from hetopt.schedule.polish.price_shifting import shift
from hetopt.solution import Hops, SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify
from hetopt.verify.exact import Scale
from hetopt.verify.schedule.tariffs import priced
from tests.comparing import differences
from tests.small_schedules import device, edge, instance, link, option, solved, task

DOCUMENT = """\
hetopt: 1
objective: cost
energy_price:
  - {from: 0, price: 0.36 EUR/kWh}
  - {from: 1 h, price: 0.72 EUR/kWh}
carbon_intensity: [{from: 0 s, intensity: 360 g/kWh}, {from: 30 min, intensity: 720 g/kWh}]
devices: [{name: cpu}]
tasks: [{name: t, options: [{device: cpu, time: 1 s, energy: 2 J}]}]
"""
CHEAP_NOON = [{"from": 0, "price": 3}, {"from": 4, "price": 1}, {"from": 7, "price": 5}]
SERIES = Series((0.0, 4.0, 7.0), (3.0, 1.0, 5.0))


def pair(**settings) -> Instance:
    """Two tasks of 2 s and 10 J on one unit."""
    tasks = [task("a"), task("b", "a")]
    settings = {"objective": "cost", "energy_price": CHEAP_NOON, **settings}
    return instance(
        [device("cpu", idle_power_w=1.0)], [option("a", "cpu", 2, 10.0)], tasks, **settings
    )


def plan(starts, hops=None, options=None) -> SchedulePlan:
    n = len(starts)
    chosen = np.array(options if options is not None else [0] * n)
    return SchedulePlan(
        chosen, np.zeros(n, np.int64), np.array(starts, float), hops or Hops.empty()
    )


def of_three(unit: float) -> Instance:
    """Three tasks in a row that end as a free joule becomes a dear one, up to a rounding."""
    return instance(
        [device("cpu", idle_power_w=0.5)],
        [option("a", "cpu", unit, 2.5)],
        [task("a"), task("b", "a"), task("c", "a")],
        transfers=[edge("a", "b"), edge("b", "c")],
        objective="carbon",
        carbon_intensity=[{"from": 0, "intensity": 0}, {"from": 3 * unit, "intensity": 0.125}],
    )


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 0.1, 1.1, 7e5])
def test_what_ends_as_prices_rise_pays_nothing_of_them_by_rounding(unit):
    question = of_three(float(repr(unit)))
    if unit == 1e-9:
        assert 2e-9 + 1e-9 > 3e-9
    found = solve(question, time_limit=10, workers=1)
    assert (found.status, found.objective, found.bound) == ("optimal", 0.0, 0.0)
    assert verify(question, found.plan, {"carbon": 0.0}).ok


def test_a_short_run_late_may_miss_a_change_by_the_rounding_of_its_time():
    late = instance(
        [device("cpu")],
        [option("a", "cpu", 1e-9, 1.0)],
        [task("a", job="j")],
        jobs=[{"name": "j", "release_s": 1.0}],
        objective="cost",
        energy_price=[{"from": 0, "price": 3}, {"from": 1.0000000005, "price": 1}],
    )
    missed = []
    for k in range(1, 40):
        at = plan([round(1.0 + k * 1.01e-11, 13)])
        value, exact = objective_value(late, at, "cost"), verify(late, at).objectives["cost"]
        missed.append(abs(value - exact))
        assert exact == pytest.approx(2.0 - 2.02e-2 * k, rel=1e-9)
        assert verify(late, at, {"cost": value}).ok
        assert not verify(late, at, {"cost": exact + 1e-4}).ok
    assert max(missed) > 1e-8


def test_a_claim_of_priced_energy_is_held_to_a_billionth_of_what_it_sums():
    question = pair()
    value = objective_value(question, plan([0, 4]), "cost")
    assert verify(question, plan([0, 4]), {"cost": value * (1 + 1e-10)}).ok
    assert not verify(question, plan([0, 4]), {"cost": value * (1 + 1e-8)}).ok


def test_a_list_of_prices_is_read_with_units_and_its_currency():
    read = read_instance("x.yaml", text=DOCUMENT)
    assert read.limits.energy_price_over_time == Series((0.0, 3600.0), (1e-7, 2e-7))
    assert read.limits.carbon_over_time == Series((0.0, 1800.0), (1e-7, 2e-7))
    assert read.limits.energy_price_per_j == 1e-7, "the least price, for bounds"
    assert read.currency == "EUR"


def test_prices_that_never_change_are_a_plain_number():
    text = DOCUMENT.replace("0.72 EUR", "0.36 EUR")
    limits = read_instance("x.yaml", text=text).limits
    assert (limits.energy_price_per_j, limits.energy_price_over_time) == (1e-7, None)


def test_every_form_of_an_instance_carries_prices_over_time(tmp_path):
    read = read_instance("x.yaml", text=DOCUMENT)
    again = from_frames(to_frames(read), to_settings(read))
    write_parquet(read, tmp_path / "parquet")
    write_csv(read, tmp_path / "csv")
    model = Model(
        objective="cost",
        energy_price=[
            {"from": 0, "price": "0.36 EUR/kWh"},
            {"from": "1 h", "price": "0.72 EUR/kWh"},
        ],
        carbon_intensity=[
            {"from_s": 0, "kg_per_j": 1e-7},
            {"from_s": 1800, "kg_per_j": 2e-7},
        ],
    )
    cpu = model.device("cpu")
    model.task("t", options=[cpu.option(time=1, energy=2)])
    for other in (
        again,
        read_instance("x.yaml", text=write_yaml(read)),
        read_instance("x.json", text=write_json(read)),
        read_folder(tmp_path / "parquet"),
        read_folder(tmp_path / "csv"),
        model.build(),
    ):
        assert differences(read, other) == []


def test_a_list_can_be_set_on_the_command_line():
    text = 'energy_price=[{"from": 0, "price": 1}, {"from": "3 s", "price": 2}]'
    limits = set_values(read_instance("x.yaml", text=DOCUMENT), [text]).limits
    assert limits.energy_price_over_time == Series((0.0, 3.0), (1.0, 2.0))


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ("[]", "energy_price: .*A number, or a list of pieces"),
        ("[3]", "energy_price: .*a list of mappings"),
        ("[{from: 1, price: 1}]", r"energy_price\[0\]: .*begins at 0"),
        ("[{from: 0, price: 1}, {from: 0, price: 2}]", r"energy_price\[1\]: .*begins later"),
        ("[{from: 0, price: 1}, {from: 5, price: 2}, {from: 4, price: 3}]", r"\[2\]: .*later"),
        ("[{from: 0, pric: 1}]", r"energy_price\[0\]: got pric; .*Did you mean price\?"),
        ("[{from: 0}]", r"energy_price\[0\]: price_per_j: A value is required"),
        ("[{price: 1}]", r"energy_price\[0\]: from_s: A value is required"),
        ("[{from: 0, price: -1}]", r"energy_price\[0\]: got -1; price_per_j: .*at least 0"),
        ("[{from: 0, price: 1}, {from: x, price: 1}]", r"\[1\]: got x; from_s: A time"),
        ("[{from: inf, price: 1}]", r"energy_price\[0\]: got inf"),
        ("[{from: 0, from_s: 0, price: 2}]", r"energy_price\[0\]: got 0; from_s once"),
        ("{from: 0}", "energy_price: got a mapping"),
    ],
)
def test_malformed_lists_are_refused_at_their_piece(pieces, expected):
    head, tail = DOCUMENT.split("energy_price:")[0], DOCUMENT[DOCUMENT.index("carbon") :]
    with pytest.raises(InputError, match=expected):
        read_instance("x.yaml", text=f"{head}energy_price: {pieces}\n{tail}")


def test_the_steady_regime_takes_one_number_only():
    text = DOCUMENT.replace("tasks: [", "jobs: [").replace("{name: t,", "{name: t, rate: 1,")
    with pytest.raises(InputError, match=r"energy_price: got a list; One number"):
        read_instance("x.yaml", text=text)


def test_two_currencies_in_one_list_are_refused():
    with pytest.raises(InputError, match="One currency in all prices"):
        read_instance("x.yaml", text=DOCUMENT.replace("0.72 EUR", "0.72 USD"))


def test_the_mean_price_of_a_run_is_its_integral_over_its_time():
    starts, ends = np.array([0.0, 2.0, 3.0, 6.5, 8.0]), np.array([4.0, 5.0, 8.0, 6.75, 9.0])
    means = mean_price(SERIES, starts, ends)
    assert means.tolist() == pytest.approx([3.0, 7 / 3, (3 + 3 + 5) / 5, 1.0, 5.0])
    assert integral(SERIES, np.array([0.0, 4.0, 5.0, 10.0])).tolist() == [0.0, 12.0, 13.0, 30.0]


def test_a_price_is_not_lost_behind_an_earlier_one_of_1e19():
    dear = Series((0.0, 4.0, 7.0, 9.0), (2.0**64, 1.0, 5.0, 2.0))
    starts, ends = np.array([5.0, 4.0, 6.5, 7.0]), np.array([8.0, 10.0, 9.5, 10.0])
    right = [(2 + 5) / 3, (3 + 10 + 2) / 6, (0.5 + 10 + 1) / 3, (10 + 2) / 3]
    assert mean_price(dear, starts, ends).tolist() == pytest.approx(right)
    joules = np.ones(4)
    paid = priced(dear, Scale("float"), (starts, ends), joules, 0.0, 10.0)
    assert paid == pytest.approx(sum(right))


def test_an_instant_at_a_change_pays_the_lower_price():
    at = np.array([0.0, 3.9, 4.0, 7.0, 7.1])
    assert mean_price(SERIES, at, at).tolist() == [3.0, 3.0, 1.0, 1.0, 5.0]
    exact = ExactSeries(SERIES)
    assert [exact.area(t, 0) for t in (0, 4, 7, 8)] == [3, 1, 1, 5]
    assert exact.unit == 1


def test_the_least_mean_from_0_is_at_an_end_or_a_change():
    assert least_mean(SERIES, 0.0, math.inf) == pytest.approx(15 / 7)
    assert least_mean(SERIES, 0.0, 5.0) == pytest.approx(13 / 5)
    assert least_mean(SERIES, 8.0, 8.0) == pytest.approx(20 / 8)
    assert least_mean(Series((0.0, 1.0), (2.0, 0.5)), 0.0, math.inf) == 0.5


def test_cost_and_carbon_are_what_is_drawn_when():
    question = pair(
        pue=1.5, carbon_intensity=[{"from": 0, "intensity": 1}, {"from": 2, "intensity": 4}]
    )
    # Tasks: [3, 5) at mean 2 and [6, 8) at mean 3; idle 1 W over [0, 8) at 3·4 + 1·3 + 5.
    made = plan([3.0, 6.0])
    assert objective_value(question, made, "cost") == pytest.approx(1.5 * (20 + 30 + 20))
    assert objective_value(question, made, "carbon") == pytest.approx(1.5 * (40 + 40 + 2 + 24))
    assert evaluate(question, made)["energy_j"] == 28.0, "energy has no price"
    assert verify(question, made).objectives["cost"] == pytest.approx(105.0)
    within = pair(horizon_s=10.0)
    assert objective_value(within, made, "cost") == pytest.approx(20 + 30 + 12 + 3 + 15)


def test_the_checker_refuses_a_cost_at_another_price():
    question = pair()
    right = objective_value(question, plan([3.0, 5.0]), "cost")
    assert verify(question, plan([3.0, 5.0]), {"cost": right}).ok
    report = verify(question, plan([3.0, 5.0]), {"cost": right - 1})
    assert [v.kind for v in report.violations] == ["claimed-objective"]
    assert not verify(question, plan([0.0, 5.0]), {"cost": right}).ok


def test_the_checkers_fractions_and_floats_agree():
    dice = random.Random(5)
    for _ in range(50):
        k = dice.randint(2, 6)
        begin = tuple(sorted({0.0, *(dice.randint(1, 40) / 4 for _ in range(k))}))
        series = Series(begin, tuple(dice.randint(0, 9) / 8 for _ in begin))
        start = np.array([dice.randint(0, 40) for _ in range(20)])
        end = start + np.array([dice.choice([0, 1, 5, 9]) for _ in range(20)])
        joules = np.array([dice.randint(0, 5) / 2 for _ in range(20)])
        exact = priced(series, Scale("ticks", 4), (start, end), joules, 2.0, 12.5)
        rounded = priced(series, Scale("float"), (start / 4, end / 4), joules, 2.0, 12.5)
        assert exact == pytest.approx(rounded, rel=1e-12)
        own = mean_price(series, start / 4, end / 4) @ joules
        own += 2.0 * integral(series, np.array([12.5]))[0]
        assert exact == pytest.approx(own, rel=1e-12)


def test_tasks_wait_for_cheap_energy_but_idle_power_counts():
    found = solved(pair())
    # [3, 5) and [5, 7): 20 + 10, idle over [0, 7): 15.
    assert sorted(found.result.plan.start_s.tolist()) == [3.0, 5.0]
    assert found.values == pytest.approx((45.0,))
    assert found.result.bounds[0] == pytest.approx(45.0)


def test_with_a_horizon_idle_is_the_same_for_all_plans():
    found = solved(pair(horizon_s=10))
    assert found.values == pytest.approx((60.0,))
    assert found.result.bounds[0] == pytest.approx(60.0)


def test_a_slower_option_on_the_same_device_may_be_the_cheaper_one():
    # In [0, 1) energy is dear: 4 J over 4 s cost less than 4 J over 1 s, at the deadline 4.
    options = [option("a", "cpu", 1, 4.0, label="fast"), option("a", "cpu", 4, 4.0, label="slow")]
    options += [option("b", "cpu", 3, 0.0)]
    price = [{"from": 0, "price": 5}, {"from": 1, "price": 1}]
    question = instance(
        [device("cpu", slots=2)],
        options,
        [task("a"), task("b")],
        transfers=[edge("a", "b", None)],
        objective="cost",
        energy_price=price,
        horizon_s=7,
    )
    found = solved(question)
    assert found.values == pytest.approx((4.0,))
    squeezed = instance(
        [device("cpu")],
        options[:2],
        [task("a")],
        objective="cost",
        energy_price=[{"from": 0, "price": 5}, {"from": 1, "price": 1}, {"from": 1.5, "price": 5}],
        horizon_s=4,
    )
    # fast: half of [1, 1.5), 4 × 3 = 12; slow: half a second of four at 1, 4 × 4.5 = 18.
    assert solved(squeezed).values == pytest.approx((12.0,))


def test_hops_wait_for_cheap_energy_too():
    question = instance(
        [device("cpu"), device("gpu")],
        [option("a", "cpu", 1, 1.0), option("b", "gpu", 1, 1.0)],
        [task("a"), task("b")],
        links=[link("cpu", "gpu", 1.0, energy_j_per_b=10.0)],
        transfers=[edge("a", "b", 1.0)],
        objective="cost",
        energy_price=[{"from": 0, "price": 2}, {"from": 5, "price": 1}, {"from": 6, "price": 3}],
        horizon_s=8,
    )
    found = solved(question)
    assert found.result.plan.hops.start_s.tolist() == [5.0]
    assert found.values == pytest.approx((2 + 10 + 3,))
    assert found.result.bounds[0] == pytest.approx(15.0)


def test_times_without_a_common_decimal_keep_a_valid_bound():
    question = instance(
        [device("cpu"), device("gpu")],
        [option("a", "cpu", 2, 10.0), option("b", "gpu", 1 / 3, 10.0)],
        [task("a"), task("b")],
        links=[link("cpu", "gpu", 3.0, energy_j_per_b=2.0)],
        transfers=[edge("a", "b", 1.0)],
        objective="cost",
        energy_price=CHEAP_NOON,
        horizon_s=10,
    )
    found = solved(question)
    # All of it fits into the cheap [4, 7).
    assert found.values == pytest.approx((22.0,), rel=1e-9)
    assert found.result.bounds[0] <= 22.0
    assert found.result.bounds[0] == pytest.approx(22.0, rel=1e-6)


def test_makespan_first_then_the_cheapest_of_the_shortest():
    found = solved(pair(objective=["makespan", "cost"]))
    assert found.values == pytest.approx((4.0, 10 * 6 + 12))


@pytest.mark.parametrize("length", [Fraction(0), Fraction(2), Fraction(7, 3), Fraction(20)])
@pytest.mark.parametrize("rounded", [False, True])
def test_stretches_are_the_area_of_every_start_or_below_it(length, rounded):
    begin = (0.0, 4.0, 7.0, 7.5, 30.25) if rounded else (0.0, 4.0, 7.0, 9.0, 30.0)
    series = ExactSeries(Series(begin, (3.0, 1.0, 5.0, 0.5, 2.0)))
    parts = stretches(series, length, 1, 40, rounded=rounded)
    for k in range(1, 41):
        values = [p.at_first + p.slope * (k - p.first) for p in parts if p.first <= k <= p.last]
        starts = [Fraction(k) + Fraction(i, 12) for i in range(13 if rounded else 1)]
        least = min(series.area(s, length) for s in starts)
        if rounded:
            assert min(values) <= least
        else:
            assert min(values) == least


def test_few_stretches_cover_prices_that_seldom_change():
    series = ExactSeries(Series((0.0, 100.0), (1.0, 2.0)))
    assert len(stretches(series, Fraction(10), 0, 1000, rounded=False)) == 3


def test_the_load_bound_counts_how_much_fits_into_cheap_hours():
    question = instance(
        [device("cpu", idle_power_w=1.0, off_when_unused=False)],
        [option("a", "cpu", 2, 10.0)],
        [task("a"), task("b", "a")],
        objective="cost",
        energy_price=[{"from": 0, "price": 3}, {"from": 8, "price": 1}],
        horizon_s=10,
    )
    series = question.limits.energy_price_over_time
    # Only 2 of the 4 s fit at price 1: 10 + 30, idle 8 · 3 + 2.
    found = priced_bound(question, load_of(question), "cost", series, (4.0, 10.0))
    assert found == pytest.approx(66.0)
    assert bound(question, "cost") == pytest.approx(66.0)
    assert solved(question).values == pytest.approx((66.0,))


def test_shifting_keeps_the_order_and_costs_less():
    question = pair(horizon_s=10)
    early = plan([0.0, 2.0])
    later = shift(question, early)
    assert later is not None
    assert verify(question, later).ok
    assert later.start_s[0] < later.start_s[1]
    assert objective_value(question, later, "cost") < objective_value(question, early, "cost")


def test_shifting_leaves_plans_alone_where_prices_are_constant():
    assert shift(pair(energy_price=2.0), plan([0.0, 2.0])) is None


def test_list_schedules_wait_for_cheap_energy():
    question = pair(horizon_s=20, energy_price=[{"from": 0, "price": 9}, {"from": 12, "price": 1}])
    made = CONSTRUCTORS["energy-greedy"](question)
    assert made is not None
    assert made.start_s.min() >= 12
    assert verify(question, made).ok


def test_no_option_is_dominated_under_changing_prices():
    options = [option("a", "cpu", 1, 4.0, label="fast"), option("a", "cpu", 4, 5.0, label="slow")]
    make = {"objective": "cost", "energy_price": CHEAP_NOON}
    changing = instance([device("cpu")], options, [task("a")], **make)
    constant = instance([device("cpu")], options, [task("a")], objective="cost", energy_price=1.0)
    assert len(plan_problem(changing).modes[0]) == 2
    assert len(plan_problem(constant).modes[0]) == 1


def test_annealing_sees_mean_prices_and_its_plan_is_priced_as_it_is():
    flat = at_mean_prices(pair(horizon_s=10))
    assert flat.limits.energy_price_over_time is None
    assert flat.limits.energy_price_per_j == pytest.approx((12 + 3 + 15) / 10)
    solution = solve(pair(horizon_s=10), method="anneal", time_limit=5)
    # List schedules and shifting alone already take all of the cheap hours.
    assert solution.objective == pytest.approx(60.0)
    assert verify(pair(horizon_s=10), solution.plan, {"cost": solution.objective}).ok


TARIFF = (0.1155, 0.1045, 0.21, 0.1697, 0.1037, 0.12, 0.34, 0.2)
"""EUR/kWh of half hours: in EUR/J they have no common divisor."""


def loads(seed: int, **settings) -> Instance:
    """Three loads of whole half hours, of which a power cap keeps some apart."""
    draw = random.Random(seed)
    model = Model(
        objective="cost",
        power_cap="5 kW",
        energy_price=[
            {"from": f"{30 * k} min", "price": f"{draw.choice(TARIFF)} EUR/kWh"} for k in range(7)
        ],
        **settings,
    )
    for j in range(3):
        box = model.device(f"d{j}", idle_power=f"{draw.choice((0, 40, 70))} W")
        time, power = draw.choice((30, 60, 90)), draw.choice((1500, 2750, 3750, 4000))
        job = model.job(f"j{j}", deadline="4 h")
        job.task(f"t{j}", options=[box.option(time=f"{time} min", power=f"{power} W")])
    return model.build()


@pytest.mark.parametrize("seed", range(8))
def test_prices_in_eur_per_kwh_leave_no_gap(seed):
    question = loads(seed, **({"horizon": "4 h"} if seed % 2 else {}))
    half_hours = [1800.0 * k for k in range(8)]
    costs = [
        objective_value(question, tried, "cost")
        for starts in itertools.product(half_hours, repeat=3)
        if verify(question, tried := plan(list(starts), options=[0, 1, 2])).ok
    ]
    solution = solve(question, time_limit=20, workers=1)
    assert (solution.status == "infeasible") == (not costs)
    if costs:
        assert solution.objective == pytest.approx(min(costs), rel=1e-6)
        assert (solution.status, solution.termination) == ("optimal", "proved")


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("input", 0.41), ("bad_1", 1.0971875), ("bad_4", 2.1183875), ("bad_6", 0.6627875),
        ("carbon", 0.41), ("docs_example", 9.01),
    ],
)  # fmt: skip
def test_tariffs_that_people_asked_about_are_proved(name, optimum, shared_path):
    question = read_instance(shared_path("cases", "16b-tariff-min", f"{name}.yaml"))
    solution = solve(question, time_limit=20, workers=1)
    assert solution.objective == pytest.approx(optimum, rel=1e-6)
    assert solution.status == "optimal"
