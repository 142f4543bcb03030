"""Schedules in which resources slow what runs: optima, bounds, decoders, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt import Model, read_instance, solve
from hetopt.evaluate import objectives
from hetopt.instance import Instance
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.model.packed import packed
from hetopt.schedule.model.without_slowdown import relaxed, strict
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.list_annealing import LimitedAnnealing
from hetopt.verify import verify
from tests.oracles.campaign import SLOW, SLOW_MIXED, judge
from tests.slow_pairs import sharing, started

FRAME = """hetopt: 1
objective: makespan
devices: [{name: gpu, kind: gpu}, {name: dla, kind: npu, count: 2}]
resources: [{name: dram, capacity: 100, sharing: slow}]
jobs:
  - name: frame
    period: 50 ms
    deadline: 50 ms
    tasks:
      - {name: detect, options: [{device: gpu, time: 45 ms, uses: {dram: 60}}]}
      - {name: lanes, options: [{device: dla, time: 17 ms, uses: {dram: 25}}]}
      - {name: signs, options: [{device: dla, time: 17 ms, uses: {dram: 25}}]}
"""


def test_the_two_accelerators_take_turns() -> None:
    found = solve(read_instance("x.yaml", text=FRAME), time_limit=1, deterministic=True)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(0.045, rel=1e-9)


def test_slowing_is_worth_it_where_waiting_is_worse() -> None:
    # In turn 8; together at 10/12: 4.8, with the third beside them all the time.
    instance = sharing([(4.0, 6.0), (4.0, 6.0)], capacity=10.0)
    found = solve(instance, time_limit=1, deterministic=True)
    assert found.objective == pytest.approx(4.8, rel=1e-9)
    # The work on the resource takes as long: that proves it.
    assert found.status == "optimal"


def test_what_is_lost_makes_turns_better() -> None:
    # Together at (10 / 12) × 0.8 = 2/3: 6; in turn 8. With a loss of half: 9.6, so in turn.
    assert solve(
        sharing([(4.0, 6.0), (4.0, 6.0)], capacity=10.0, loss=0.2), time_limit=1, deterministic=True
    ).objective == pytest.approx(6.0)
    assert solve(
        sharing([(4.0, 6.0), (4.0, 6.0)], capacity=10.0, loss=0.5), time_limit=1, deterministic=True
    ).objective == pytest.approx(8.0)


def test_a_cap_that_only_slowed_tasks_keep_forbids_nothing_by_its_bound() -> None:
    # Each draws 4 W alone, 2 W beside the other: a cap of 4 W allows both at once.
    instance = sharing([(2.0, 10.0, 8.0), (2.0, 10.0, 8.0)], capacity=10.0, power_cap=4.0)
    plan = started(instance, [0, 0])
    assert verify(instance, plan).ok
    assert objective_bounds.bound(instance, "makespan") <= 4.0
    found = solve(instance, time_limit=1, deterministic=True)
    assert found.objective == pytest.approx(4.0)
    capped = replace(instance, objective=("peak_power",))
    assert objective_bounds.bound(capped, "peak_power") <= 4.0


def test_energy_under_a_cap_bounds_the_makespan() -> None:
    # 16 J at no more than 2 W take 8 s, though no task keeps to 2 W alone.
    instance = sharing([(2.0, 10.0, 8.0), (2.0, 10.0, 8.0)], capacity=10.0, power_cap=2.0)
    assert objective_bounds.bound(instance, "makespan") == pytest.approx(8.0, rel=1e-5)
    late = sharing([(2.0, 10.0, 8.0), (2.0, 10.0, 8.0)], capacity=10.0, power_cap=2.0, horizon=7.0)
    assert solve(late, time_limit=1, deterministic=True).status == "infeasible"


def test_strict_instances_forbid_and_keep_budgets() -> None:
    m = Model(objective="makespan")
    m.resource("dram", capacity=10, budget=30, sharing="slow", loss=0.1)
    soc = m.device("soc", slots=2)
    for name in "ab":
        m.task(name, options=[soc.option(time=2, uses={"dram": 4})])
    instance = m.build()
    made = strict(instance)
    assert not made.resources.slow.any()
    assert made.resources.budget.tolist() == [np.inf, 30.0]
    assert not verify(made, started(made, [0, 0])).ok, "something is lost, so any two are apart"
    assert verify(made, started(made, [0, 2])).ok
    assert strict(made) is made
    assert relaxed(instance).resources.slow.tolist() == [True]


def test_decoding_goes_forward_and_patient_tasks_wait() -> None:
    instance = sharing([(4.0, 6.0), (4.0, 6.0), (1.0, 0.0)], capacity=10.0)
    eager = within_limits(instance, started(instance, [0, 2, 1]))
    assert eager is not None
    assert eager.start_s.tolist() == [0.0, 0.0, 0.0]
    assert objectives(instance, eager)[0] == pytest.approx(4.8)
    patient = within_limits(instance, started(instance, [0, 2, 1]), patient=True)
    assert patient is not None
    assert patient.start_s.tolist() == [0.0, 4.0, 0.0]


def test_a_mapping_without_a_path_is_not_decoded() -> None:
    m = Model(objective="makespan")
    m.resource("dram", capacity=10, sharing="slow")
    cpu, gpu = m.device("cpu"), m.device("gpu")
    for name in "ab":
        options = [d.option(time=1, uses={"dram": 6}) for d in (cpu, gpu)]
        m.task(name, options=options)
    m.transfer("a", "b", bytes=5)
    instance = m.build()
    plan = started(instance, [0, 1])
    assert within_limits(instance, plan) is not None
    apart = replace(plan, option=np.array([0, 3]))
    assert within_limits(instance, apart) is None


def chain_of(count: int, seed: int) -> Instance:
    rng = np.random.default_rng(seed)
    m = Model(objective="makespan")
    m.resource("dram", capacity=10, sharing="slow", loss=0.05)
    cpu, gpu = m.device("cpu", slots=2), m.device("gpu", count=2)
    m.link(cpu, gpu, bandwidth=100, both_ways=True, channels=1)
    for i in range(count):
        demand = [float(x) for x in rng.integers(2, 9, 2)]
        time = [float(x) for x in rng.integers(1, 6, 2)]
        m.task(
            f"t{i}",
            options=[
                cpu.option(time=time[0] * 2, uses={"dram": demand[0]}),
                gpu.option(time=time[1], uses={"dram": demand[1]}),
            ],
        )
        if i >= 3:
            m.transfer(f"t{i - int(rng.integers(1, 4))}", f"t{i}", bytes=50)
    return m.build()


def test_annealing_over_lists_knows_slowing_with_messages_and_channels() -> None:
    instance = chain_of(30, 1)
    assert fits(instance)
    assert packed(instance) is None, "compiled list schedulers do not know it"
    first = within_limits(
        instance, solve(strict(instance), method="heft", time_limit=1, deterministic=True).plan
    )
    assert first is not None
    assert verify(instance, first).ok
    better = LimitedAnnealing.improve(instance, first, iterations=3000, seed=1).plan
    assert better is not None
    report = verify(instance, better)
    assert report.ok, report.violations
    assert objectives(instance, better)[0] < objectives(instance, first)[0]


def test_every_method_answers_and_keeps_its_bound() -> None:
    instance = chain_of(12, 2)
    for method in ("heft", "portfolio", "anneal", "heuristic", "cpsat", "lns", "min-min"):
        found = solve(instance, method=method, time_limit=0.5, deterministic=True)
        assert found.plan is not None, method
        assert found.bound <= found.objective * (1 + 1e-6), method


@pytest.mark.parametrize("seed", range(12))
def test_enumeration_contradicts_nothing(seed: int) -> None:
    outcome = judge(SLOW, seed, 0.4)
    assert not outcome.wrong, outcome.wrong


@pytest.mark.parametrize("seed", [7, 13, 15, 16, 21, 26, 30, 35])
def test_methods_agree_beside_every_other_feature(seed: int) -> None:
    outcome = judge(SLOW_MIXED, seed, 0.2)
    assert not outcome.wrong, outcome.wrong


def test_what_is_lost_by_sharing_bounds_what_is_done_together() -> None:
    # Alone each does 5 a second, together too: (5 + 5) × (1 - 0.5). So 20 take 4 s.
    instance = sharing([(2.0, 5.0), (2.0, 5.0)], capacity=10.0, loss=0.5)
    assert objective_bounds.bound(instance, "makespan") == pytest.approx(4.0, rel=1e-6)
    # Of one that asks for more, that much may be done.
    instance = sharing([(2.0, 8.0), (2.0, 5.0)], capacity=10.0, loss=0.5)
    assert objective_bounds.bound(instance, "makespan") == pytest.approx((16 + 10) / 8, rel=1e-6)
    # Without a loss they share all of the capacity.
    instance = sharing([(2.0, 5.0), (2.0, 5.0)], capacity=10.0)
    assert objective_bounds.bound(instance, "makespan") == pytest.approx(2.0, rel=1e-6)
