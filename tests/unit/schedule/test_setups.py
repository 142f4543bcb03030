"""Schedules whose units are set up: proofs, plans and bounds on cases worked out by hand."""

from __future__ import annotations

import pytest

from hetopt import read_instance
from hetopt.analysis.explanation.critical_chain import critical_steps
from hetopt.evaluate.setups import setup_runs
from hetopt.formats.native.document import read_yaml
from hetopt.instance.overrides import scale_idle
from hetopt.schedule.bounds.objective_bounds import bound
from hetopt.solution import SchedulePlan
from tests.small_schedules import device, instance, option, solved, task

FAMILIES = """
hetopt: 1
objective: makespan
devices:
  - name: m
    count: 2
    setups:
      - {from: a, to: b, time: 4 min}
      - {from: b, to: a, time: 4 min}
      - {from: a, to: c, time: 1 min}
      - {from: c, to: a, time: 1 min}
      - {from: b, to: c, time: 3 min}
      - {from: c, to: b, time: 3 min}
profiles:
  a: [{device: m, time: 10 min, configuration: a}]
  b: [{device: m, time: 9 min, configuration: b}]
  c: [{device: m, time: 6 min, configuration: c}]
jobs:
  - {name: a1, profile: a}
  - {name: a2, profile: a}
  - {name: b1, profile: b}
  - {name: b2, profile: b}
  - {name: c1, profile: c}
"""
"""Two machines, three families: 27 min with set-ups (b b | c a a), 24 without, by enumeration."""


def test_families_on_two_machines_take_27_minutes() -> None:
    question = read_yaml(FAMILIES, "families.yaml")
    found = solved(question, 30)
    assert found.values == (27 * 60.0,)
    assert found.result.bounds[0] == pytest.approx(27 * 60)
    # 44 min of work and the least of three set-ups, as each unit has one for nothing.
    assert bound(question, "makespan") == pytest.approx(22.5 * 60, rel=1e-6)


def test_a_plan_says_what_its_set_ups_hold_up() -> None:
    question = read_yaml(FAMILIES, "families.yaml")
    plan = solved(question, 30).result.plan
    assert isinstance(plan, SchedulePlan)
    told = [step.because for step in critical_steps(question, plan)]
    assert len(setup_runs(question, plan)) == 0 or any("set up from" in text for text in told)


def test_the_bound_of_energy_counts_each_configuration_that_must_be_loaded() -> None:
    question = instance(
        [device("f", setup_time_s=2.0, setup_energy_j=5.0, initial_configuration="none")],
        [option(p, "f", 1.0, 1.0, configuration=p) for p in ("a", "b", "c")],
        [task(f"{p}{k}", p) for p in ("a", "b", "c") for k in range(2)],
        objective="energy",
    )
    assert bound(question, "energy") == pytest.approx(6 + 15, rel=1e-6)
    assert bound(question, "makespan") == pytest.approx(6 + 6, rel=1e-6)
    assert solved(question).values == (21.0,)


def test_a_set_up_may_come_before_release_and_inputs() -> None:
    question = instance(
        [device("f", setup_time_s=3.0, initial_configuration="none"), device("cpu")],
        [option("a", "f", 1.0, configuration="a"), option("src", "cpu", 4.0)],
        [task("src"), task("a")],
        transfers=[{"from": "src", "to": "a"}],
        objective="makespan",
    )
    assert solved(question).values == (5.0,)


def test_idle_power_that_is_scaled_moves_into_what_set_ups_draw() -> None:
    question = instance(
        [device("f", idle_power_w=2.0, setup_time_s=3.0, setup_energy_j=1.0)],
        [option("a", "f", 1.0, 1.0, configuration="a"), option("b", "f", 1.0, configuration="b")],
        [task("a"), task("b")],
        objective="energy",
    )
    assert scale_idle(question, 0.5).devices.setup_energy_j[0] == pytest.approx(1 + 3)


def test_the_shipped_fpga_is_loaded_three_times() -> None:
    question = read_instance("fpga-bitstreams")
    assert bound(question, "energy") == pytest.approx(0.33122, rel=1e-4)
