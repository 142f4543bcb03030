"""Routes of graph jobs that are generated: the same relaxation as over all of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, solve
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.instance.overrides import scale_demand
from hetopt.runtime.budget import Budget
from hetopt.runtime.executors.processes import ProcessExecutor
from hetopt.solution import SteadyPlan
from hetopt.solvers.relaxation import Relaxation
from hetopt.steady.column_generation.column_generation import generate
from hetopt.steady.column_generation.graph_pricer import GraphPricer, master_of_graphs
from hetopt.steady.column_generation.lagrangian_bound import prices
from hetopt.steady.column_generation.solve_graphs import GeneratedSearch
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.routes.route_columns import ColumnPool, pool_of_routes
from hetopt.steady.routes.route_search import RouteSearch
from hetopt.steady.routes.routes import TooManyRoutesError, enumerate_routes
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify
from tests.random_streams import random_stream


def pipelines(
    seed: int, *, jobs: int = 2, tasks: int = 4, devices: int = 3, slo: float = 8.0, **settings: Any
) -> Instance:
    """Chains with edges that skip tasks, on linked devices; `slo` in tasks' shortest times."""
    rng = np.random.default_rng(seed)
    names = [f"d{d}" for d in range(devices)]
    options, rows, transfers, streams = [], [], [], []
    for j in range(jobs):
        quickest = 0.0
        for t in range(tasks):
            name = f"j{j}t{t}"
            rows.append({"name": name, "job": f"j{j}"})
            times = rng.uniform(0.2, 1.0, (devices, 2)).round(3)
            quickest += times.min()
            options += [
                {
                    "profile": name,
                    "device": names[d],
                    "label": f"o{k}",
                    "time_s": times[d, k],
                    "energy_j": round(float(rng.uniform(1, 5)), 3),
                    "accuracy": round(float(rng.uniform(0.6, 0.9)), 2),
                }
                for d in range(devices)
                for k in range(2)
            ]
            for back in (1, 3):
                if t >= back:
                    edge = {"from": f"j{j}t{t - back}", "to": name, "bytes": 10.0}
                    transfers.append(edge | {"tensor": f"x{j}{t - back}", "staged": t == 3})
        streams.append({"name": f"j{j}", "rate_per_s": 2.0, "latency_slo_s": slo * quickest})
    frames = {
        "devices": pd.DataFrame(
            {"name": names, "count_min": 0, "count_max": 9, "idle_power_w": 3.0, "overlap": False}
        ),
        "links": pd.DataFrame(
            [
                {"from": a, "to": b, "bandwidth_b_per_s": 400.0, "latency_s": 0.05}
                | {"energy_j_per_b": 0.02}
                for a in names
                for b in names
                if a != b
            ]
        ),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame(rows),
        "transfers": pd.DataFrame(transfers),
        "jobs": pd.DataFrame(streams),
    }
    given = {"regime": "steady", "objective": ["power"], "host": names[0]} | settings
    return from_frames(frames, given)


def relaxations(instance: Instance) -> tuple[float, float, float]:
    """The relaxation over all routes; with generated ones; the bound that comes with it."""
    every = pool_of_routes(instance, enumerate_routes(instance, limit=10**6).routes)
    pricer = GraphPricer(instance)
    master = master_of_graphs(instance, pricer.searches)
    scale = master.aim(instance.objective[0], every)
    whole = Relaxation(master.arrays(every)).solve()
    found = generate(master, pricer, until=time.monotonic() + 20, first=1, more=1)
    assert found.outcome == whole.outcome
    if found.relaxed is None:
        return 0.0, 0.0, 0.0
    return whole.objective / scale, found.relaxed.objective / scale, found.bound / scale


@pytest.mark.parametrize(
    ("slo", "settings"),
    [
        (2.2, {}),
        (1.3, {"objective": ["carbon"], "carbon_kg_per_j": 0.5}),
        (2.0, {"objective": ["throughput"], "power_cap_w": 60.0}),
        (2.0, {"objective": ["accuracy"], "power_cap_w": 120.0}),
        (np.inf, {"together": [["j0t0", "j0t2"]], "apart": [["j1t1", "j1t2"]]}),
    ],
)
def test_generated_routes_reach_the_relaxation_over_all(
    slo: float, settings: dict[str, Any]
) -> None:
    whole, found, bound = relaxations(pipelines(3, slo=slo, **settings))
    assert found == pytest.approx(whole, rel=1e-6)
    assert bound == pytest.approx(whole, rel=1e-6)


def test_generated_routes_reach_the_relaxation_of_random_streams() -> None:
    compared = 0
    for seed in range(40):
        instance = random_stream(seed)
        limited = np.isfinite(np.append(instance.devices.memory_b, instance.pools.memory_b)).any()
        if instance.routing == "single" or limited or len(instance.scenarios):
            continue
        if enumerate_routes(instance).reasons:
            continue
        whole, found, bound = relaxations(instance)
        assert found == pytest.approx(whole, rel=1e-6, abs=1e-9), seed
        assert bound == pytest.approx(whole, rel=1e-6, abs=1e-9), seed
        compared += 1
    assert compared >= 4


def searched(instance: Instance) -> tuple[RouteSearch, Master, ColumnPool]:
    every = pool_of_routes(instance, enumerate_routes(instance, limit=10**6).routes)
    pricer = GraphPricer(instance)
    master = master_of_graphs(instance, pricer.searches)
    master.aim("power", every)
    return pricer.searches[0], master, every


@pytest.mark.parametrize("width", [0, 3, 60, 1000])
def test_few_labels_still_bound_the_cheapest_route(width: int) -> None:
    search, master, every = searched(pipelines(5, jobs=1, slo=1.6))
    at = prices(master, np.linspace(0.0, 0.3, len(master.rows)))
    cheapest = float(at.of(every).min())
    found = search.cheapest(at, 2, width=width)
    assert found.least <= cheapest * (1 + 1e-12)
    assert all(cost >= cheapest * (1 - 1e-12) for cost in found.costs)
    if width == 1000:
        assert not found.cut
        assert found.costs[0] == pytest.approx(cheapest)


def test_nothing_dearer_than_asked_for_is_found() -> None:
    search, master, every = searched(pipelines(5, jobs=1, slo=1.6))
    at = prices(master, np.linspace(0.0, 0.3, len(master.rows)))
    cheapest = float(at.of(every).min())
    assert search.cheapest(at, 2, below=cheapest).least >= cheapest * (1 - 1e-12)
    assert not search.cheapest(at, 2, below=cheapest).options


def test_weights_that_no_unit_holds_together_are_not_routed_there() -> None:
    instance = pipelines(1, jobs=1, tasks=2, devices=1)
    heavy = replace(
        instance.options,
        weights_key=np.array([0, 0, 1, 1]),
        weights_b=np.array([3.0, 3.0, 3.0, 3.0]),
    )
    small = replace(instance.devices, memory_b=np.array([5.0]))
    tight = replace(instance, options=heavy, devices=small, model_keys=(("a", ""), ("b", "")))
    pricer = GraphPricer(tight)
    master = master_of_graphs(tight, pricer.searches)
    master.aim("power", pricer.chosen)
    assert generate(master, pricer, until=time.monotonic() + 5).outcome == "infeasible"


def test_plans_of_generated_routes_hold_and_are_within_their_bound() -> None:
    for seed in (1, 2):
        instance = pipelines(seed, slo=1.6)
        budget = Budget(deadline=time.monotonic() + 20)
        ours = GeneratedSearch(instance, budget, "auto", None, "highs").run()
        theirs = solve_steady(instance, Budget(deadline=time.monotonic() + 20))
        assert isinstance(ours.plan, SteadyPlan)
        assert isinstance(theirs.plan, SteadyPlan)
        assert verify(instance, ours.plan).ok
        best = objective_value(instance, theirs.plan, "power")
        assert ours.bounds[0] <= best * (1 + 1e-9)
        assert objective_value(instance, ours.plan, "power") <= best * 1.05


def test_more_routes_than_can_be_listed_are_solved_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instance = pipelines(4, jobs=2, slo=1.6)
    monkeypatch.setattr(enumerate_routes, "__kwdefaults__", {"limit": 100, "in_all": 5})
    with pytest.raises(TooManyRoutesError):
        enumerate_routes(instance)
    solution = solve(instance, objective=["power", "accuracy"], time_limit=20)
    assert solution.verified
    assert 0 < solution.bound <= solution.objective
    assert not np.isnan(solution.bounds[1])


@pytest.mark.parametrize("objective", ["throughput", "power", "accuracy"])
def test_a_job_that_has_no_route_is_infeasible_and_named(objective: str) -> None:
    instance = pipelines(0, objective=[objective])
    slo = np.array([np.inf, 1e-6])
    instance = replace(instance, jobs=replace(instance.jobs, latency_slo_s=slo))
    budget = Budget(deadline=time.monotonic() + 20)
    found = GeneratedSearch(instance, budget, "auto", None, "highs").run()
    assert found.infeasible
    assert "1 of 2 jobs: j1" in found.reason


def test_jobs_that_an_executor_prices_give_the_same_relaxation() -> None:
    instance = scale_demand(pipelines(5, jobs=16, tasks=3, slo=3.0), 0.3)
    found = []
    with ProcessExecutor(2) as processes, ThreadPoolExecutor(2) as threads:
        for executor in (None, threads, processes):
            pricer = GraphPricer(instance, executor=executor)
            master = master_of_graphs(instance, pricer.searches)
            master.aim(instance.objective[0], pricer.chosen)
            one = generate(master, pricer, until=time.monotonic() + 60, first=1, more=1)
            assert one.outcome == "optimal"
            found.append((one.bound, one.rounds, pricer.as_routes()))
    assert found[0] == found[1] == found[2]
