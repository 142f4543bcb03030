"""Streams planned anew on devices that slow each other: states at the rates of now, one move."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt import read_instance, solve
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.replan import replan
from hetopt.simulate.events import Route, State, SwitchOn, UnitState
from hetopt.solution import Solution, SteadyPlan
from hetopt.verify import verify
from tests.random_slow_streams import random_slow_stream
from tests.relations import at_rates

CHIP = """
hetopt: 1
regime: steady
objective: power
resources: [{name: dram, capacity: 10, sharing: slow}]
devices:
  - {name: cpu, kind: cpu, count: {min: 0, max: 1}, idle_power: 2 W}
  - name: gpu
    kind: gpu
    count: {min: 0, max: 2}
    idle_power: 5 W
    start_up: {time: 10 s, energy: 20 J}
profiles:
  see: [{device: gpu, time: 6 ms, energy: 120 mJ, uses: {dram: 6}}]
  say: [{device: cpu, time: 30 ms, energy: 200 mJ, uses: {dram: 5}}]
jobs:
  - {name: see, profile: see, rate: 80 /s}
  - {name: say, profile: say, rate: 10 /s}
"""


@pytest.fixture(scope="module")
def chip() -> Instance:
    return read_instance("chip.yaml", text=CHIP)


@pytest.fixture(scope="module")
def planned(chip: Instance) -> Solution:
    found = solve(chip, time_limit=30)
    assert isinstance(found.plan, SteadyPlan)
    assert found.plan.units_on.tolist() == [1, 1]
    return found


def test_the_plan_is_kept_at_other_rates_with_states_that_serve_them(
    chip: Instance, planned: Solution
) -> None:
    found = replan(at_rates(chip, 150.0, 10.0), planned, time_limit=10)
    assert found.kept
    assert isinstance(found.plan, SteadyPlan)
    assert found.plan.states is not None
    assert verify(found.instance, found.plan).ok
    assert found.gap == 0.0


def test_what_slowing_leaves_unserved_until_more_is_on_is_told(
    chip: Instance, planned: Solution
) -> None:
    # At r = 10 / 11 for both: 0.72 / r beside each other, 0.27 of the GPU alone, 1.062 in all.
    found = replan(at_rates(chip, 165.0, 24.0), planned, time_limit=10)
    assert isinstance(found.plan, SteadyPlan)
    assert verify(found.instance, found.plan).ok
    assert [type(step.action) for step in found.steps] == [SwitchOn]
    assert found.plan.units_on.tolist() == [1, 2]
    part = 1 - 1 / (0.72 * 1.1 + 0.27)
    assert found.shortfall == pytest.approx({"see": part * 1650.0, "say": part * 240.0})


def test_requests_move_all_at_once_when_all_that_is_needed_is_there(chip: Instance) -> None:
    both = CHIP.replace(
        "say: [", "say: [{device: gpu, time: 40 ms, energy: 1 J, uses: {dram: 9}}, "
    )
    both = read_instance("chip.yaml", text=both)
    first = solve(at_rates(both, 80.0, 1.0), time_limit=30)
    assert isinstance(first.plan, SteadyPlan)
    # A little of what is said goes to the GPU, so that the CPU may be off; then it may not.
    assert first.plan.units_on.tolist() == [0, 1]
    found = replan(
        at_rates(both, 130.0, 12.0), first, start_up={"cpu": 4.0, "gpu": 10.0}, time_limit=10
    )
    moves = [step.time_s for step in found.steps if isinstance(step.action, Route)]
    assert moves
    assert set(moves) == {4.0}
    # Of the GPU's time 6 ms × 130 + 40 ms × 12 = 1.26 would be asked until then.
    part = 1 - 1 / 1.26
    assert found.shortfall == pytest.approx({"say": part * 12 * 4.0})


def test_units_of_states_are_those_that_are_there(chip: Instance, planned: Solution) -> None:
    down = State(0.0, (UnitState("gpu", 0, "down"), UnitState("cpu", 0, "on")))
    found = replan(chip, planned, down, time_limit=10)
    placed = found.placed_plan()
    assert placed.states is not None
    on_gpu = chip.options.device[placed.states.option] == 1
    assert set(placed.states.unit[on_gpu].tolist()) == {1}


@pytest.mark.parametrize("first", [0])
def test_random_plans_are_carried_over_to_plans_that_the_checker_accepts(first: int) -> None:
    done = 0
    for seed in range(first, first + 16):
        instance = random_slow_stream(seed)
        if len(instance.scenarios) or not instance.limits.demand_known:
            continue
        rng = np.random.default_rng([seed, 9])
        try:
            plan = solve(instance, time_limit=10, workers=1).plan
            if not isinstance(plan, SteadyPlan):
                continue
            rates = instance.jobs.rate_per_s * rng.uniform(0.5, 1.3, len(instance.jobs))
            found = replan(at_rates(instance, *rates), plan, time_limit=10)
        except InputError:
            continue
        if found.plan is None:
            continue
        assert verify(found.instance, found.plan).ok, seed
        sign = -1.0 if instance.objective[0] in ("throughput", "accuracy", "value") else 1.0
        assert sign * found.score_bound <= sign * found.score + 1e-6 * abs(found.score), seed
        done += 1
    assert done >= 3
