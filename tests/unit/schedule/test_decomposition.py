"""Parts that share nothing: what joins tasks, and that apart is as good as together."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.evaluate import objective_value
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import Instance
from hetopt.runtime.executors.processes import ProcessExecutor
from hetopt.schedule.decomposition import join_bounds, join_plans, parts_of, plan_part
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.solve import solve
from hetopt.verify import verify


def two_boxes(objective: str, **changes) -> Instance:
    """Two jobs, each on a CPU and an NPU of its own, with messages between them."""
    m = Model("boxes", objective=objective, **changes.pop("settings", {}))
    host = changes.pop("idle_power", 0.0)
    for b in range(2):
        cpu = m.device(f"cpu{b}", kind="cpu", idle_power=host, **changes)
        npu = m.device(f"npu{b}", kind="npu", off_when_unused=False, idle_power=host)
        m.link(cpu, npu, bandwidth=10, both_ways=True, energy_per_byte=0.1)
        job = m.job(f"job{b}", deadline=40, due=5 + b, weight=1 + b)
        # Tasks of the two jobs take turns, so that their numbers are mixed.
        for k in range(3):
            options = [cpu.option(time=3 + k, energy=2 + b), npu.option(time=2, energy=3 + k)]
            job.task(f"t{b}{k}", options=options)
        m.transfer(f"t{b}0", f"t{b}1", bytes=10)
        m.transfer(f"t{b}1", f"t{b}2", bytes=5)
    return m.build()


def whole(instance: Instance) -> Instance:
    """Return the same with a power cap that binds nothing, and keeps it in one piece."""
    return instance.with_limits(power_cap_w=1e6)


@pytest.mark.parametrize("objective", ["makespan", "energy", "tardiness"])
def test_apart_is_as_good_as_together(objective: str) -> None:
    instance = two_boxes(objective)
    assert [part.tolist() for part in parts_of(instance)] == [[0, 1, 2], [3, 4, 5]]
    assert len(parts_of(whole(instance))) == 1
    apart, together = solve(instance, time_limit=10), solve(whole(instance), time_limit=10)
    assert apart.status == together.status == "optimal"
    assert apart.objective == pytest.approx(together.objective)
    assert apart.bound == pytest.approx(together.bound)
    assert apart.notes[0].startswith("The tasks fall into 2 parts")


def test_idle_power_counts_once_over_a_horizon_and_joins_without_one() -> None:
    horizon = two_boxes("energy", idle_power=1.0, settings={"horizon": 50})
    assert len(parts_of(horizon)) == 2
    apart, together = solve(horizon, time_limit=10), solve(whole(horizon), time_limit=10)
    assert apart.status == "optimal"
    assert apart.objective == pytest.approx(together.objective)
    assert len(parts_of(two_boxes("energy", idle_power=1.0))) == 1


def test_shared_things_join() -> None:
    instance = two_boxes("makespan")
    links = replace(instance.links, channel_group=np.zeros(len(instance.links), dtype=np.int64))
    shared = replace(links, group_channels=np.ones(1, dtype=np.int64))
    assert len(parts_of(replace(instance, links=shared))) == 1
    assert len(parts_of(replace(instance, objective=("makespan", "energy")))) == 1
    edges = instance.edges
    joined = replace(
        edges,
        src=np.append(edges.src, 0),
        dst=np.append(edges.dst, 4),
        tensor=np.append(edges.tensor, -1),
    )
    assert len(parts_of(replace(instance, edges=joined))) == 1
    one_job = replace(instance, tasks=replace(instance.tasks, job=instance.tasks.job * 0))
    assert len(parts_of(one_job)) == 2
    assert len(parts_of(replace(one_job, objective=("tardiness",)))) == 1


def test_pools_groups_and_resources_join() -> None:
    for shared in ("pool", "apart", "resource", "device"):
        m = Model("shared", objective="makespan")
        pool = m.pool("dram", memory="8 GiB") if shared == "pool" else None
        uses = {m.resource("bus", capacity=2).name: 1} if shared == "resource" else {}
        more = {} if pool is None else {"memory_pool": pool}
        devices = [m.device(f"cpu{k}", kind="cpu", **more) for k in range(2)]
        for k in range(2):
            device = devices[0] if shared == "device" else devices[k]
            m.task(f"t{k}", options=[device.option(time=1, energy=1, uses=uses)])
        if shared == "apart":
            m.apart("t0", "t1")
        assert len(parts_of(m.build())) == 1, shared


def test_a_plan_taken_apart_and_joined_is_the_same_plan() -> None:
    instance = two_boxes("makespan")
    plan = heft(instance)
    assert plan is not None
    parts = parts_of(instance)
    again = join_plans(instance, parts, [plan_part(instance, plan, part) for part in parts])
    assert verify(instance, again).ok
    assert again.option.tolist() == plan.option.tolist()
    assert sorted(again.hops.start_s.tolist()) == sorted(plan.hops.start_s.tolist())
    value = objective_value(instance, plan, "makespan")
    assert objective_value(instance, again, "makespan") == value


def test_a_start_is_taken_apart_and_an_infeasible_part_makes_all_infeasible() -> None:
    instance = two_boxes("makespan")
    known = solve(instance, time_limit=10)
    assert solve(instance, time_limit=10, start=known.plan).objective == known.objective
    late = replace(instance.jobs, deadline_s=np.array([40.0, 3.0]))
    assert solve(replace(instance, jobs=late), time_limit=10).status == "infeasible"


def test_a_missing_bound_leaves_none() -> None:
    assert math.isnan(join_bounds(two_boxes("makespan"), [1.0, math.nan]))


def test_parts_that_an_executor_solves_have_the_same_answer() -> None:
    with ProcessExecutor(2) as processes:
        for objective in ("makespan", "tardiness"):
            instance = two_boxes(objective)
            asked: dict[str, Any] = {"time_limit": 4, "deterministic": True}
            alone = solution_to_dict(instance, solve(instance, **asked))
            apart = solution_to_dict(instance, solve(instance, executor=processes, **asked))
            assert apart == alone
        # The clock's limit holds for all parts together.
        began = time.monotonic()
        solution = solve(two_boxes("makespan"), time_limit=10, executor=processes)
        assert solution.status == "optimal"
        assert time.monotonic() - began < 11


def test_a_part_without_a_plan_is_proven_wherever_it_is_solved() -> None:
    instance = two_boxes("makespan")
    jobs = replace(instance.jobs, deadline_s=np.array([40.0, 3.0]))
    late = replace(instance, jobs=jobs)
    with ThreadPoolExecutor(2) as threads:
        for executor in (None, threads):
            assert solve(late, time_limit=10, executor=executor).status == "infeasible"


def test_parts_that_a_stop_left_out_leave_no_plan_and_no_bound() -> None:
    stop = threading.Event()
    stop.set()
    instance = two_boxes("makespan")
    with ThreadPoolExecutor(1) as threads:
        solution = solve(instance, time_limit=10, executor=threads, stop=stop)
    assert (solution.status, solution.termination) == ("unknown", "interrupted")
    assert solution.plan is None
    assert math.isnan(solution.bound)
