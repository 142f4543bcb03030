"""Options chosen anew for fixed units and orders: closed forms, enumeration, limits kept."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from hetopt.build import Model
from hetopt.evaluate import objective_value, objectives
from hetopt.formats import read_instance
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.constructors import heft, plan_problem
from hetopt.schedule.model.tick_schedule import retime, tick_schedule_of
from hetopt.schedule.polish.slack_reclamation import reclaim
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify


def started(instance: Instance) -> SchedulePlan:
    plan = heft(instance)
    assert plan is not None
    return plan


def clocks(device, work: float, speeds: list[float]):
    """Work at several speeds: time w / s, energy w s², as power grows with the cube of a clock."""
    return [device.option(f"s{s}", time=work / s, energy=work * s**2) for s in sorted(speeds)]


def test_a_chain_runs_at_the_one_speed_that_just_meets_the_deadline() -> None:
    works, deadline = [1.0, 2.0, 3.0], 12.0
    speed = sum(works) / deadline
    m = Model("chain", objective="energy")
    cpu = m.device("cpu", kind="cpu")
    job = m.job("job", deadline=deadline)
    before = ()
    for k, work in enumerate(works):
        options = clocks(cpu, work, [0.8 * speed, speed, 1.5 * speed, 2 * speed])
        before = job.task(f"t{k}", options=options, after=before)
    instance = m.build()
    plan = reclaim(instance, started(instance))
    assert plan is not None
    assert objective_value(instance, plan, "energy") == pytest.approx(sum(works) * speed**2)
    assert verify(instance, plan).ok


def test_a_fork_runs_at_the_speeds_of_the_closed_form() -> None:
    first, works, deadline = 2.0, [3.0, 4.0, 5.0], 8.0
    cube = sum(w**3 for w in works) ** (1 / 3)
    root = (cube + first) / deadline
    speeds = [root, *(root * w / cube for w in works)]
    m = Model("fork", objective="energy")
    cpu = m.device("cpu", kind="cpu", count=3)
    job = m.job("job", deadline=deadline + 1e-9)
    tasks = []
    for k, (work, speed) in enumerate(zip([first, *works], speeds, strict=True)):
        options = clocks(cpu, work, [0.7 * speed, speed, 1.2 * speed, 2.0])
        tasks.append(job.task(f"t{k}", options=options, after=tasks[:1]))
    instance = m.build()
    plan = reclaim(instance, started(instance))
    assert plan is not None
    best = sum(w * s**2 for w, s in zip([first, *works], speeds, strict=True))
    assert objective_value(instance, plan, "energy") == pytest.approx(best)


def random_clocks(seed: int, idle: float) -> Instance:
    """Six tasks with three clocks each on three units, messages over a bus of one channel."""
    draw = random.Random(seed)
    m = Model("random", objective="energy")
    cpu = m.device("cpu", kind="cpu", count=2, idle_power=idle)
    npu = m.device("npu", kind="npu", idle_power=idle)
    m.link(cpu, npu, bandwidth=10, both_ways=True, channels=1, bus="bus", energy_per_byte=0.01)
    m.link(cpu, cpu, bandwidth=10, channels=1, bus="bus")
    job = m.job("job", deadline=draw.randint(14, 24))
    tasks = []
    for k in range(6):
        work = draw.randint(1, 5)
        options = [
            device.option(f"{c}", time=work * c, energy=work * (4 - c) * draw.randint(2, 4))
            for device in (cpu, npu)
            for c in (1, 2, 3)
        ]
        tasks.append(job.task(f"t{k}", options=options))
        for before in tasks[:-1]:
            if draw.random() < 0.3:
                m.transfer(before, tasks[-1], bytes=draw.randint(1, 20))
    return m.build()


@pytest.mark.parametrize("idle", [0.0, 1.5])
def test_small_plans_get_the_best_options_of_their_orders(idle: float) -> None:
    for seed in range(4):
        instance = random_clocks(seed, idle)
        start = heft(instance)
        if start is None:
            continue
        problem = plan_problem(instance)
        schedule = tick_schedule_of(problem, start)
        assert schedule is not None
        own = [
            [m.option for m in problem.modes[t] if m.device == schedule.mode[t].device]
            for t in range(problem.n_tasks)
        ]
        timed = (retime(schedule, problem, options=list(k)) for k in itertools.product(*own))
        best = min(objective_value(instance, d.plan(), "energy") for d in timed if d is not None)
        plan = reclaim(instance, start)
        value = objective_value(instance, plan or start, "energy")
        assert value == pytest.approx(best), seed
        assert plan is None or verify(instance, plan).ok


def test_a_makespan_of_an_earlier_level_is_kept() -> None:
    instance = replace(random_clocks(1, 0.0), objective=("makespan", "energy"))
    start = started(instance)
    plan = reclaim(instance, start, level=1)
    assert plan is not None
    before, after = objectives(instance, start), objectives(instance, plan)
    assert after[0] <= before[0] * (1 + 1e-9)
    assert after[1] < before[1]


def test_the_proven_optimum_of_the_pipeline_is_found_without_a_solver(repo_path: Path) -> None:
    instance = read_instance(repo_path / "instances" / "pipeline-clocks.yaml")
    plan = reclaim(instance, started(instance))
    assert plan is not None
    assert objective_value(instance, plan, "energy") == pytest.approx(675.0576, abs=1e-6)


def test_there_is_nothing_to_choose_where_each_device_has_one_option() -> None:
    m = Model("plain", objective="energy")
    cpu = m.device("cpu", kind="cpu")
    m.task("t", options=[cpu.option(time=1, energy=1)])
    instance = m.build()
    assert reclaim(instance, started(instance)) is None


def test_solve_tells_when_options_were_chosen_anew() -> None:
    solution = solve(random_clocks(11, 0.0), method="heuristic", time_limit=5)
    assert any("reclaim" in note for note in solution.notes)
