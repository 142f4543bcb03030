"""Streams that share nothing: what joins them, and that apart is as good as together."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.evaluate import objective_value
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import Instance
from hetopt.runtime.executors.processes import ProcessExecutor
from hetopt.solve import solve
from hetopt.steady import solve as steady_solve
from hetopt.steady.parts.find_parts import JUDGED, beyond_judged, parts_of
from hetopt.steady.parts.joining import join_bounds, join_plans, plan_part
from hetopt.verify import verify
from tests.oracles.campaign import RACKS, run_chunk

OBJECTIVES = ("power", "cost", "carbon", "throughput", "accuracy")


def racks(objective: Any = "power", most: int = 6, **settings: Any) -> Instance:
    """Two racks of two devices each; their three jobs take turns, so that numbers are mixed."""
    settings = {"energy_price": 1e-7, "carbon_intensity": 1e-7, "regime": "steady", **settings}
    m = Model("racks", objective=objective, **settings)
    devices = []
    for r in range(2):
        gpu = m.device(f"gpu{r}", kind="gpu", count=(0, most), idle_power=50, price=2.0 + r)
        npu = m.device(f"npu{r}", kind="npu", count=(1, most), idle_power=9 + r, price=1.0)
        m.link(gpu, npu, bandwidth=1e6, both_ways=True)
        devices.append((gpu, npu))
    for k in range(3):
        for r, (gpu, npu) in enumerate(devices):
            job = m.job(f"job{r}{k}", rate=1.0 + k + r, weight=1 + r)
            stages = [
                job.task(
                    f"{stage}{r}{k}",
                    options=[
                        gpu.option(time=0.05 + 0.02 * k, energy=9 + r, accuracy=0.9),
                        npu.option(time=0.2, energy=4 + k, accuracy=0.8),
                    ],
                )
                for stage in ("a", "b")
            ]
            m.transfer(*stages, bytes=1000)
    return m.build()


@contextlib.contextmanager
def in_one() -> Iterator[None]:
    """Solve instances whole."""
    with mock.patch.object(steady_solve, "parts_of", return_value=[None]):
        yield


def solved(instance: Instance, **options: Any) -> Any:
    return solve(instance, time_limit=20, workers=1, **options)


def whole(instance: Instance) -> Any:
    with in_one():
        return solved(instance)


def apart(solution: Any) -> bool:
    return any(note.startswith("The streams fall into") for note in solution.notes)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_apart_is_as_good_as_together(objective: str) -> None:
    instance = racks(objective)
    jobs = [part.tolist() for part, _ in parts_of(instance)]
    assert jobs == [[0, 2, 4], [1, 3, 5]]
    assert [own.tolist() for _, own in parts_of(instance)] == [[0, 1], [2, 3]]
    found, known = solved(instance), whole(instance)
    assert apart(found)
    assert not apart(known)
    assert found.status == known.status == "optimal"
    assert found.objective == pytest.approx(known.objective, rel=1e-6)
    assert found.bound == pytest.approx(known.bound, rel=3e-6)
    assert found.marginal["relaxed"] == pytest.approx(known.marginal["relaxed"])
    for table, key in (("jobs", "rate_per_s"), ("devices", "unit")):
        for one, other in zip(found.marginal[table], known.marginal[table], strict=True):
            assert one == {**other, key: pytest.approx(other[key], abs=1e-7)}


def test_streams_of_throughput_are_all_served_alike() -> None:
    instance = racks("throughput")
    plan = solved(instance).plan
    served = np.bincount(plan.route_job, plan.rate_per_s, len(instance.jobs))
    assert served / instance.jobs.rate_per_s == pytest.approx([served[0]] * 6)


def test_what_is_shared_joins() -> None:
    assert len(parts_of(racks(["cost", "power"]))) == 1
    instance = racks()
    assert len(parts_of(instance)) == 2
    links = instance.links
    bus = replace(
        links,
        channel_group=np.zeros(len(links), dtype=np.int64),
        group_channels=np.ones(1, dtype=np.int64),
    )
    assert len(parts_of(replace(instance, links=bus))) == 1
    assert len(parts_of(replace(racks("throughput"), limits=instance.limits))) == 2
    assert len(parts_of(racks("throughput").with_limits(power_cap_w=900.0))) == 1
    for shared in ("pool", "resource", "device", "nothing"):
        m = Model("shared", objective="power", regime="steady")
        pool = {"memory_pool": m.pool("dram", memory="8 GiB")} if shared == "pool" else {}
        uses = {m.resource("bus", capacity=2).name: 1} if shared == "resource" else {}
        devices = [m.device(f"cpu{k}", kind="cpu", **pool) for k in range(2)]
        for k in range(2):
            device = devices[0] if shared == "device" else devices[k]
            options = [device.option(time=1, energy=1, uses=uses)]
            m.job(f"j{k}", rate=0.1).task(f"t{k}", options=options)
        assert len(parts_of(m.build())) == (2 if shared == "nothing" else 1), shared


def test_jobs_whose_messages_cross_one_link_are_of_one_part() -> None:
    m = Model("crossing", objective="power", regime="steady")
    cpus = [m.device(f"cpu{k}", kind="cpu") for k in range(4)]
    hub = m.device("hub", kind="cpu")
    for k, cpu in enumerate(cpus):
        m.link(cpu, hub, bandwidth=1e6 + k, both_ways=True)
    for r in range(2):
        job = m.job(f"j{r}", rate=0.1)
        ends = [job.task(f"t{r}{k}", options=[cpus[2 * r + k].option(time=1)]) for k in range(2)]
        m.transfer(*ends, bytes=10)
    instance = m.build()
    assert len(parts_of(instance)) == 2
    # From the hub on, both jobs' messages take one of two links that are of one bus.
    links = instance.links
    into = links.src == 4
    shared = replace(
        links,
        channel_group=np.where(into, 0, -1),
        group_channels=np.ones(1, dtype=np.int64),
    )
    assert len(parts_of(replace(instance, links=shared))) == 1
    grown = replace(links, per_unit=into)
    assert len(parts_of(replace(instance, links=grown))) == 1


def test_a_cap_that_binds_nothing_leaves_parts_apart_and_one_that_binds_joins_them() -> None:
    instance = racks("cost")
    free = solved(instance)
    power = free.quantities["power_w"]
    loose = solved(instance.with_limits(power_cap_w=1.01 * power))
    assert apart(loose)
    assert loose.objective == pytest.approx(free.objective)
    assert loose.marginal is None
    tight = instance.with_limits(power_cap_w=0.93 * power)
    found, known = solved(tight), whole(tight)
    assert found.status == known.status
    assert not apart(found)
    if found.plan is not None:
        assert found.objective == pytest.approx(known.objective, rel=1e-6)
        assert any("ties streams together" in note for note in found.notes)


def test_a_cap_below_what_the_parts_need_together_is_proven_infeasible() -> None:
    instance = racks("power")
    power = solved(instance).objective
    found = solved(instance.with_limits(power_cap_w=0.999 * power))
    assert found.status == "infeasible"
    assert "together need more than the power cap" in found.reason
    assert solved(instance.with_limits(power_cap_w=1.001 * power)).status == "optimal"


def test_one_part_without_a_plan_makes_all_infeasible() -> None:
    instance = racks("power", most=1)
    jobs = replace(instance.jobs, rate_per_s=instance.jobs.rate_per_s * [1, 9, 1, 9, 1, 9])
    assert solved(replace(instance, jobs=jobs)).status == "infeasible"


def test_a_plan_taken_apart_and_joined_is_the_same_plan() -> None:
    for objective in ("power", "throughput"):
        instance = racks(objective)
        plan = whole(instance).plan
        parts = parts_of(instance)
        again = join_plans(instance, parts, [plan_part(instance, plan, *part) for part in parts])
        assert verify(instance, again).ok
        value = objective_value(instance, plan, objective)
        assert objective_value(instance, again, objective) == pytest.approx(value)
        assert again.units_on.tolist() == plan.units_on.tolist()
    assert solved(instance, start=plan).objective == pytest.approx(value)


def test_a_missing_bound_leaves_none_but_of_throughput_the_others() -> None:
    for objective in ("power", "accuracy"):
        instance = racks(objective)
        assert math.isnan(join_bounds(instance, parts_of(instance), [1.0, math.nan]))
    instance = racks("throughput")
    rate = instance.jobs.rate_per_s
    bound = join_bounds(instance, parts_of(instance), [6.0, math.nan])
    assert bound == pytest.approx(6.0 / rate[::2].sum() * rate.sum())


def test_parts_that_an_executor_solves_have_the_same_answer() -> None:
    with ProcessExecutor(2) as processes:
        instance = racks("throughput")
        asked: dict[str, Any] = {"time_limit": 4, "deterministic": True}
        alone = solution_to_dict(instance, solve(instance, **asked))
        found = solution_to_dict(instance, solve(instance, executor=processes, **asked))
        assert found == alone
        assert processes.used


def test_too_many_parts_are_put_together() -> None:
    m = Model("many", objective="power", regime="steady")
    for k in range(70):
        device = m.device(f"d{k}", kind="cpu", count=(0, 3), idle_power=1)
        job = m.job(f"j{k}", rate=0.5)
        job.task(f"t{k}", options=[device.option(time=1, energy=1 + k % 3)])
    instance = m.build()
    parts = parts_of(instance)
    assert len(parts) == 64
    assert sorted(j for jobs, _ in parts for j in jobs.tolist()) == list(range(70))
    assert solve(instance, time_limit=60, workers=1).status == "optimal"


def test_what_this_module_does_not_know_keeps_an_instance_whole() -> None:
    instance = racks()
    few = {**JUDGED, "jobs": JUDGED["jobs"].replace("weight", "")}
    with mock.patch.dict(JUDGED, few):
        assert beyond_judged(instance) == ["jobs.weight"]
        assert len(parts_of(instance)) == 1


def test_random_streams_beside_each_other_have_the_optima_of_each_alone() -> None:
    run_chunk(RACKS, range(25))
