"""Streams on boards, simulated: idle power once for a board, starts, and what no policy beats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import evaluate, read_instance, simulate, solve
from hetopt.instance import Instance
from hetopt.simulate.bounds.streams import clairvoyant_bound
from hetopt.simulate.events import DeviceDown, Event
from hetopt.simulate.policies.plan import plan_policy
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.requests import Requests
from hetopt.simulate.streams import Run, run_streams
from hetopt.simulate.world import Setting
from hetopt.solution import SteadyPlan
from tests.board_streams import with_boards
from tests.random_streams import random_stream

BOX = """
hetopt: 1
regime: steady
objective: power
energy_price: 0.36 EUR/kWh
boards: [{name: box, count: {min: 0, max: 2}, idle_power: 10 W, price: 3.6 EUR/h, START}]
devices:
  - {name: cpu, kind: cpu, board: box, count: {min: 0, max: 2}, idle_power: 1 W}
  - {name: npu, kind: npu, board: box, count: {min: 0, max: 4}, idle_power: 2 W}
profiles:
  see: [{device: npu, time: 10 ms, energy: 50 mJ}]
  say: [{device: cpu, time: 20 ms, energy: 100 mJ}]
jobs:
  - {name: see, profile: see, rate: 150 /s}
  - {name: say, profile: say, rate: 10 /s}
"""


def box(start: str = "") -> Instance:
    text = BOX.replace(", START", f", start_up: {start}" if start else "")
    return read_instance("box.yaml", text=text)


def in_step(instance: Instance, seconds: float) -> Requests:
    """Return requests of each job at equal times, as many as its rate asks for."""
    times, jobs = [], []
    for j, rate in enumerate(instance.jobs.rate_per_s.tolist()):
        count = round(rate * seconds)
        times.append((np.arange(count) + 0.5) / max(rate, 1e-12))
        jobs.append(np.full(count, j))
    time, job = np.concatenate(times), np.concatenate(jobs)
    order = np.argsort(time, kind="stable")
    wide = int(np.diff(instance.job_tasks[0]).max())
    return Requests(time[order], job[order], np.ones((1, wide)), seconds)


def ran(
    instance: Instance, plan: SteadyPlan, seconds: float, events: tuple[Event, ...] = ()
) -> Run:
    requests = in_step(instance, seconds)
    none = np.zeros((0, requests.work.shape[1]))
    shared = np.zeros(len(instance.devices), dtype=bool)
    start = StartUp.none(instance)
    setting = Setting(requests, none, events, start, shared, log=True)
    return run_streams(instance, plan_policy(instance, plan, start), setting)


def test_units_and_boards_draw_and_cost_what_the_plan_says() -> None:
    compared = 0
    for seed in range(12):
        drawn = random_stream(seed)
        instance = None if len(drawn.scenarios) else with_boards(drawn, seed)
        if instance is None or not instance.limits.demand_known:
            continue
        plan = solve(instance, method="heuristic", time_limit=10).plan
        if not isinstance(plan, SteadyPlan):
            continue
        served = np.bincount(plan.route_job, plan.rate_per_s, len(instance.jobs))
        instance = replace(instance, jobs=replace(instance.jobs, rate_per_s=served))
        run = ran(instance, plan, 40.0 / max(served.max(), 1e-9))
        told, boards = evaluate(instance, plan), instance.boards
        idle = (run.idle_j.sum() + run.board_idle_j.sum()) / run.end_s
        assert idle == pytest.approx(told["idle_power_w"], rel=1e-9, abs=1e-12)
        paid = run.had_s @ instance.devices.price_per_s + run.board_had_s @ boards.price_per_s
        assert paid / run.end_s == pytest.approx(told["cost_units_per_s"], rel=1e-9, abs=1e-12)
        compared += 1
    assert compared >= 4


def test_a_board_draws_its_idle_power_once_for_all_of_its_units() -> None:
    instance = box()
    plan = solve(instance, time_limit=30).plan
    assert isinstance(plan, SteadyPlan)
    assert plan.units_on.tolist() == [1, 2]
    run = ran(instance, plan, 10.0)
    assert run.board_on_s == pytest.approx([run.end_s])
    assert run.board_idle_j == pytest.approx([10.0 * run.end_s])
    assert run.peak_w.max() == pytest.approx(10.0 + 1.0 + 2 * 2.0 + 5.0 + 2 * 5.0)


def test_the_board_of_the_only_unit_goes_off_with_it_and_takes_its_time_to_go_on() -> None:
    instance = box("{time: 0.5 s, energy: 40 J}")
    plan = solve(instance, time_limit=30).plan
    assert isinstance(plan, SteadyPlan)
    units = np.array([1, 2])
    plan = replace(plan, units_had=np.array([2, 4]), units_on=units)
    down: tuple[Event, ...] = (DeviceDown(2.0, "cpu", 0), DeviceDown(2.0, "npu", 0))
    run = ran(instance, plan, 10.0, down)
    # The CPU is replaced by that of the other board; the NPUs left on the first one keep it on.
    assert run.board_on_s == pytest.approx([run.end_s + run.end_s - 2.0])
    assert run.board_idle_j == pytest.approx([10.0 * (2 * run.end_s - 2.0) + 40.0])
    starts = run.log[(run.log[:, 1] == 1) & (run.log[:, 3] == 1)]
    assert starts[0, 0] >= 2.5


def test_the_bound_counts_boards_that_must_be_on() -> None:
    instance = box()
    plan = solve(instance, time_limit=30).plan
    assert isinstance(plan, SteadyPlan)
    requests = in_step(instance, 10.0)
    none = np.zeros((0, 1))
    shared = np.zeros(2, dtype=bool)
    setting = Setting(requests, none, (), StartUp.none(instance), shared)
    bound = clairvoyant_bound(instance, setting, 10.0)
    # 1.5 units of NPU for 10 s: three quarters of a board of two; what runs there; the CPU's.
    busy = 1500 * 0.05 + 100 * 0.1
    assert bound.energy_j == pytest.approx(15.0 * 2.0 + 7.5 * 10.0 + 2.0 * 1.0 + busy, rel=1e-6)
    run = ran(instance, plan, 10.0)
    drawn = run.energy_j.sum() + run.idle_j.sum() + run.board_idle_j.sum()
    assert drawn >= bound.energy_j


def test_all_policies_run_on_boards_and_tell_their_energy() -> None:
    every = ("plan", "greedy", "energy-greedy", "price", "rolling", "homogeneous")
    found = simulate(box("{time: 50 ms}"), policies=every, requests=2000)
    boards = found.frames()["boards"]
    assert isinstance(boards, pd.DataFrame)
    for policy in found.policies:
        (row,) = [o for o in found.outcomes if o.policy == policy]
        parts = sum(d["energy_j"] for d in row.devices) + row.boards[0]["idle_energy_j"]
        assert row.totals["energy_j"] == pytest.approx(parts)
        assert found.over_bound(policy) >= 1.0
    assert set(boards["policy"]) == set(found.policies)
    assert set(found.policies) >= {"plan", "greedy", "energy-greedy", "price", "rolling"}
