"""Contiguous jobs: stages in an order, by the checker, the model, and the program over ideals."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget
from hetopt.runtime.jit import plain
from hetopt.steady.placement.clusters import clusters_of
from hetopt.steady.placement.extract_plan import served_most
from hetopt.steady.placement.greedy import plan_of
from hetopt.steady.placement.ideals import best_pipeline, ideals_along_orders, list_ideals
from hetopt.steady.placement.load_bound import load_bound
from hetopt.steady.placement.search.annealing import FEW_IDEALS, plan_of_state
from hetopt.steady.placement.search.table import placement_columns
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify
from tests.random_streams import random_stream


def graph(
    times: list[float],
    edges: list[tuple[int, int]],
    *,
    units: int = 2,
    cost: float = 0.0,
    backward: tuple[int, ...] = (),
    **more: Any,
) -> Instance:
    """Tasks on alike units that pay ``cost`` seconds at both ends of a message, and one host."""
    names = [f"t{k}" for k in range(len(times))]
    frames: dict[str, Any] = {
        "devices": [
            {"name": "acc", "count_min": units, "count_max": units, "overlap": False},
            {"name": "cpu", "kind": "cpu"},
        ],
        "options": [
            {"profile": n, "device": d, "time_s": t * slow, "energy_j": 0.0}
            for n, t in zip(names, times, strict=True)
            for d, slow in (("acc", 1.0), ("cpu", 4.0))
        ],
        "tasks": [{"name": n, "backward": k in backward} for k, n in enumerate(names)],
        "transfers": [
            {"from": names[a], "to": names[b], "bytes": cost, "tensor": names[a], "staged": True}
            for a, b in edges
        ],
        "links": [
            {"from": "acc", "to": "cpu", "bandwidth_b_per_s": 1.0, "both_ways": True},
        ],
        "jobs": [{"name": "j", "rate_per_s": 1.0, "contiguous": more.pop("contiguous", True)}],
    }
    settings = {
        "regime": "steady", "routing": "single", "objective": "throughput", "host": "cpu",
    }  # fmt: skip
    tables = {k: pd.DataFrame(rows) for k, rows in frames.items()}
    return from_frames(tables, settings | more)


def rejected(instance: Instance, places: list[tuple[int, int]]) -> bool:
    """Whether the checker finds fault with the order of stages: (device, unit) of each task."""
    option = [
        next(int(o) for o in instance.task_options(t) if instance.options.device[o] == places[t][0])
        for t in range(len(places))
    ]
    unit = np.array([u for _, u in places], dtype=np.int64)
    plan = plan_of(instance, np.array(option, dtype=np.int64), unit)
    kinds = {v.kind for v in verify(instance, plan).violations}
    assert kinds <= {"contiguous", "capacity", "demand", "link"}
    return "contiguous" in kinds


def test_a_unit_that_is_left_and_entered_again_is_no_stage() -> None:
    instance = graph([1.0] * 3, [(0, 1), (1, 2)])
    assert rejected(instance, [(0, 0), (0, 1), (0, 0)])
    assert not rejected(instance, [(0, 1), (0, 1), (0, 0)])
    assert not rejected(replace_jobs(instance, contiguous=False), [(0, 0), (0, 1), (0, 0)])


def test_units_that_wait_for_each_other_are_no_stages() -> None:
    # Each set is convex, but neither unit can be the first one.
    instance = graph([1.0] * 4, [(0, 1), (2, 3)])
    assert rejected(instance, [(0, 0), (0, 1), (0, 1), (0, 0)])


def test_the_backward_pass_may_come_back() -> None:
    edges = [(0, 1), (1, 2), (2, 3)]
    assert not rejected(graph([1.0] * 4, edges, backward=(2, 3)), [(0, 0), (0, 1), (0, 1), (0, 0)])


def test_stages_need_single_routing() -> None:
    with pytest.raises(InputError, match="contiguous"):
        graph([1.0], [], routing="split", host="")
    with pytest.raises(InputError, match="steady"):
        graph([1.0], [], regime="schedule", routing="", objective="makespan")


@pytest.mark.parametrize("seed", range(3))
def test_the_model_finds_the_best_pipeline(seed: int) -> None:
    instance = random_graph(seed, tasks=5)
    found = solve_steady(instance, Budget(deadline=time.monotonic() + 20))
    assert found.plan is not None
    assert verify(instance, found.plan).ok
    best = 0.0
    for places in itertools.product([(0, 0), (0, 1), (1, 0)], repeat=5):
        if not rejected(instance, list(places)):
            best = max(best, throughput(instance, list(places)))
    assert objective_value(instance, found.plan, "throughput") == pytest.approx(best)
    assert found.bounds[0] == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_the_program_over_ideals_finds_what_the_model_finds(seed: int) -> None:
    instance = random_graph(seed + 10, tasks=8)
    clusters = clusters_of(instance, pipeline=True)
    columns = placement_columns(instance, clusters)
    assert columns is not None
    family = list_ideals(clusters, math.inf, FEW_IDEALS)
    assert family is not None
    bound = load_bound(columns)
    found = best_pipeline(columns, family, bound, math.inf, lambda: False)
    proven = solve_steady(instance, Budget(deadline=time.monotonic() + 20))
    assert found.finished
    assert 1.0 / found.load == pytest.approx(proven.bounds[0])
    assert bound.load <= found.load * (1 + 1e-9)
    again = best_pipeline(columns, family, bound, found.load * (1 + 1e-9), lambda: False)
    assert again.load == pytest.approx(found.load)
    with np.errstate(all="raise"):
        nothing = best_pipeline(columns, family, bound, 0.0, lambda: False)
    assert (nothing.stages, nothing.load, nothing.finished) == ([], math.inf, True)
    along = ideals_along_orders(clusters, 0)
    assert best_pipeline(columns, along, bound, math.inf, lambda: False).load >= found.load - 1e-9


@pytest.mark.parametrize("seed", range(300, 330))
def test_the_search_counts_rows_as_evaluation_does(seed: int) -> None:
    instance = random_stream(seed)
    limits = instance.limits
    if instance.routing != "single" or np.isfinite([limits.power_cap_w, limits.budget_per_s]).any():
        return
    if instance.devices.exclusive.any() or np.isfinite(instance.jobs.latency_slo_s).any():
        return
    instance = replace(instance, objective=("throughput",))
    columns = placement_columns(instance, clusters_of(instance))
    if columns is None or instance.links.per_unit.any():
        return
    kernels = plain("hetopt.steady.placement.search.kernels")
    state, rng = columns.state(), np.random.default_rng(seed)
    table, wide = columns.table, len(columns.units)
    for c in range(len(columns.clusters)):
        cells = c * wide + table.device
        units = np.flatnonzero(table.way_ptr[cells] < table.way_ptr[cells + 1])
        unit = int(table.pinned[c]) if table.pinned[c] >= 0 else int(rng.choice(units))
        state.place[c] = unit
        state.way[c] = table.way_ptr[c * wide + int(table.device[unit])]
    best = state.ints.copy()
    plan = np.array([60.0, 0.05, 0.001, 3, 0, 4, np.inf])
    random = np.array([seed], dtype=np.uint64)
    room = np.zeros(len(state.reals))
    kernels.anneal(columns.packed(), state, best, columns.scratch(), room, plan, random)
    if not 0 < plan[6] < math.inf:
        return
    state.ints[:] = best
    made = plan_of_state(instance, columns, state)
    most = served_most(instance, made)
    assert most == pytest.approx(1.0 / plan[6])
    report = verify(instance, replace(made, rate_per_s=made.rate_per_s * most))
    assert report.ok or {v.kind for v in report.violations} == {"memory"}


def random_graph(seed: int, tasks: int) -> Instance:
    """Return a contiguous job of random times, edges and messages on two units and a host."""
    rng = np.random.default_rng(seed)
    edges = [(a, b) for b in range(tasks) for a in range(b) if rng.random() < 0.4]
    times = rng.integers(1, 9, tasks).astype(float).tolist()
    return graph(times, edges, cost=float(rng.integers(0, 3)))


def throughput(instance: Instance, places: list[tuple[int, int]]) -> float:
    """Return the throughput of a placement."""
    option = np.array(
        [
            next(int(o) for o in instance.task_options(t) if instance.options.device[o] == d)
            for t, (d, _) in enumerate(places)
        ]
    )
    plan = plan_of(instance, option, np.array([u for _, u in places]))
    return served_most(instance, plan)


def replace_jobs(instance: Instance, *, contiguous: bool) -> Instance:
    """Return an instance whose jobs are all contiguous, or none."""
    flags = np.full(len(instance.jobs), contiguous)
    return replace(instance, jobs=replace(instance.jobs, contiguous=flags))


def test_a_contiguous_job_without_a_unit_to_serve_it_is_infeasible() -> None:
    instance = graph([1.0, 1.0], [(0, 1)], cost=1.0)
    none = replace(instance.devices, count_min=np.zeros(2, int), count_max=np.zeros(2, int))
    found = solve_steady(replace(instance, devices=none), Budget(deadline=time.monotonic() + 20))
    assert found.infeasible
