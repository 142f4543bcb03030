"""Micro-benchmarks of hot paths at sizes that show growth; not part of the tests.

    python -m pytest bench/micro/bench_hot_paths.py                 everything, some minutes
    python -m pytest bench/micro/bench_hot_paths.py -k "load and 1000"
    HETOPT_MICRO=small python -m pytest bench/micro/bench_hot_paths.py

Only names that hetopt has had for long are used here, as the same file measures older commits.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from hetopt import (
    Instance,
    from_frames,
    read_instance,
    to_frames,
    to_settings,
    verify,
    write_instance,
)
from hetopt.generate import generate_schedule, generate_steady

SMALL = os.environ.get("HETOPT_MICRO") == "small"
DEVICES = 8


def sizes(*all_of_them: int) -> list[int]:
    """All sizes, or the first one only."""
    return list(all_of_them[:1] if SMALL else all_of_them)


@lru_cache(maxsize=8)
def schedule(tasks: int, shape: str = "layered") -> Instance:
    """Return a generated instance without deadline, objective makespan."""
    return generate_schedule(
        tasks=tasks,
        devices=DEVICES,
        shape=shape,
        ccr=0.0 if shape == "independent" else 0.5,
        deadline_factor=None,
        seed=0,
    )


@lru_cache(maxsize=8)
def heft_plan(tasks: int) -> tuple[Instance, Any]:
    """Return an instance and its HEFT plan."""
    from hetopt.schedule.list_scheduling.constructors import heft

    instance = schedule(tasks)
    return instance, heft(instance)


@pytest.mark.parametrize("tasks", sizes(1_000, 10_000, 100_000))
@pytest.mark.benchmark(group="load parquet")
def test_load_parquet(benchmark: Any, tmp_path: Path, tasks: int) -> None:
    path = tmp_path / "tables"
    write_instance(schedule(tasks), path)
    found = benchmark(read_instance, path)
    assert len(found.tasks) == tasks


@pytest.mark.parametrize("tasks", sizes(100, 1_000))
@pytest.mark.benchmark(group="load yaml")
def test_load_yaml(benchmark: Any, tmp_path: Path, tasks: int) -> None:
    path = tmp_path / "instance.yaml"
    write_instance(schedule(tasks), path)
    found = benchmark.pedantic(read_instance, (path,), rounds=3)
    assert len(found.tasks) == tasks


@pytest.mark.parametrize("tasks", sizes(1_000, 10_000, 100_000))
@pytest.mark.benchmark(group="compile columns")
def test_compile_columns(benchmark: Any, tasks: int) -> None:
    instance = schedule(tasks)
    frames, settings = to_frames(instance), to_settings(instance)
    found = benchmark(from_frames, frames, settings)
    assert len(found.tasks) == tasks


@pytest.mark.parametrize("tasks", sizes(100, 400, 1_600))
@pytest.mark.benchmark(group="list schedule")
def test_list_schedule(benchmark: Any, tasks: int) -> None:
    from hetopt.schedule.list_scheduling.constructors import heft

    instance = schedule(tasks)
    heft(instance)
    plan = benchmark.pedantic(heft, (instance,), rounds=3)
    assert plan is not None


@pytest.mark.parametrize("tasks", sizes(100, 1_000, 10_000))
@pytest.mark.parametrize("objective", ["makespan", "energy"])
@pytest.mark.benchmark(group="bound")
def test_bound(benchmark: Any, tasks: int, objective: str) -> None:
    from dataclasses import replace

    from hetopt.schedule.bounds.objective_bounds import bound

    instance = schedule(tasks)
    # A fresh copy each time: bounds remember their instance.
    value = benchmark.pedantic(bound, setup=lambda: ((replace(instance), objective), {}), rounds=3)
    assert value > 0


@pytest.mark.parametrize("tasks", sizes(100, 400, 1_600))
@pytest.mark.benchmark(group="verify")
def test_verify(benchmark: Any, tasks: int) -> None:
    instance, plan = heft_plan(tasks)
    report = benchmark.pedantic(verify, (instance, plan), rounds=3)
    assert report.ok


@pytest.mark.parametrize("tasks", sizes(30, 100, 300))
@pytest.mark.benchmark(group="build schedule model")
def test_build_schedule_model(benchmark: Any, tasks: int) -> None:
    import inspect

    from hetopt.schedule.cpsat.model import build_model
    from hetopt.schedule.model.grid import model_grid, span_s
    from hetopt.schedule.model.problem import Problem

    instance = schedule(tasks)
    grid = model_grid(instance, span_s(instance))
    # Older versions took a known bound as a fourth argument.
    known = [0.0] * (len(inspect.signature(build_model).parameters) - 3)
    made = benchmark.pedantic(
        build_model, setup=lambda: ((Problem(instance, grid), 0, [], *known), {}), rounds=3
    )
    assert made is not None


@pytest.mark.parametrize("workloads", sizes(10, 40, 160))
@pytest.mark.benchmark(group="build steady model")
def test_build_steady_model(benchmark: Any, workloads: int) -> None:
    from hetopt.steady.program.formulation import SteadyModel
    from hetopt.steady.routes.packings import unit_kinds
    from hetopt.steady.routes.routes import enumerate_routes

    instance = generate_steady(workloads, DEVICES, seed=0)
    routes = enumerate_routes(instance)
    kinds = unit_kinds(instance, routes.routes)
    model = benchmark.pedantic(SteadyModel, (instance, routes, kinds), rounds=3)
    assert len(model.routes) > 0
