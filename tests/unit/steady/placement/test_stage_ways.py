"""Stages of pipelines where tasks have several options on a device, against enumeration."""

from __future__ import annotations

import importlib
import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solve import solve
from hetopt.steady.placement import ideals
from hetopt.steady.placement.clusters import clusters_of
from hetopt.steady.placement.ideals import best_pipeline, list_ideals
from hetopt.steady.placement.load_bound import load_bound
from hetopt.steady.placement.search.table import placement_columns
from hetopt.steady.placement.stage_ways import MOST_WAYS, front_of, thinned
from hetopt.verify import verify

EDGES = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]


def random_pipeline(
    seed: int, *, tasks: int = 5, shared: bool = False, together: bool = False
) -> Instance:
    """A contiguous job on two units of one device and one of another, with small memories."""
    rng = np.random.default_rng(seed)
    names = [f"t{k}" for k in range(tasks)]
    edges = EDGES if tasks == 5 else [(k, k + 1) for k in range(tasks - 1)]
    options: list[dict[str, Any]] = []
    for name in names:
        for device, most in (("acc", 3), ("cpu", 2)):
            for k in range(int(rng.integers(1, most + 1))):
                common = shared and rng.random() < 0.5
                options.append(
                    {
                        "profile": name,
                        "device": device,
                        "label": f"o{k}",
                        "time_s": round(float(rng.uniform(1.0, 3.0)), 3),
                        "energy_j": 0.0,
                        "model": "all" if common else name,
                        "variant": f"v{rng.integers(2)}" if common else f"{device}{k}",
                        "weights_b": float(rng.integers(1, 4) * 1000),
                    }
                )
    sizes = {row["variant"]: row["weights_b"] for row in options if row["model"] == "all"}
    for row in options:
        if row["model"] == "all":
            row["weights_b"] = sizes[row["variant"]]
    frames: dict[str, Any] = {
        "devices": [
            {"name": "acc", "count_min": 2, "count_max": 2, "memory_b": 5000.0},
            {"name": "cpu", "kind": "cpu", "memory_b": 4000.0},
        ],
        "options": options,
        "tasks": [{"name": n, "profile": n} for n in names],
        "transfers": [{"from": names[a], "to": names[b]} for a, b in edges],
        "jobs": [{"name": "j", "rate_per_s": 0.01, "contiguous": True}],
    }
    settings: dict[str, Any] = {
        "regime": "steady",
        "routing": "single",
        "objective": "throughput",
    }
    if together:
        settings["together"] = [[names[1], names[2]]]
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def least_load(instance: Instance) -> float:
    """Least largest load of all placements with stages in order; inf where there is none."""
    n, options = len(instance.tasks), instance.options
    units = [(0, 0), (0, 1), (1, 0)]
    best = math.inf
    for places in itertools.product(range(3), repeat=n):
        if any(len({places[t] for t in group}) > 1 for group in instance.together):
            continue
        if not in_order(instance, places):
            continue
        worst = 0.0
        for u, (device, _) in enumerate(units):
            mine = [t for t in range(n) if places[t] == u]
            able = [
                [int(o) for o in instance.task_options(t) if options.device[o] == device]
                for t in mine
            ]
            loads = []
            for chosen in itertools.product(*able):
                held = {int(options.weights_key[o]): float(options.weights_b[o]) for o in chosen}
                if sum(held.values()) <= instance.devices.memory_b[device]:
                    loads.append(sum(float(options.time_s[o]) for o in chosen))
            worst = max(worst, min(loads, default=math.inf))
        best = min(best, worst)
    return best * 0.01


def in_order(instance: Instance, places: tuple[int, ...]) -> bool:
    pairs = {
        (places[a], places[b])
        for a, b in zip(instance.edges.src, instance.edges.dst, strict=True)
        if places[a] != places[b]
    }
    return any(
        all(order.index(a) < order.index(b) for a, b in pairs)
        for order in itertools.permutations(range(3))
    )


def pipeline_load(instance: Instance) -> tuple[float, float]:
    """The load bound, and the least load that the program over all ideals finds."""
    clusters = clusters_of(instance, pipeline=True)
    columns = placement_columns(instance, clusters)
    assert columns is not None
    family = list_ideals(clusters, math.inf)
    assert family is not None
    bound = load_bound(columns)
    found = best_pipeline(columns, family, bound, math.inf, lambda: False)
    assert found.finished
    return bound.load, found.load


@pytest.mark.parametrize("seed", range(12))
def test_a_stage_takes_the_fastest_options_that_fit_into_its_memory(seed: int) -> None:
    instance = random_pipeline(seed, together=seed % 3 == 0)
    least = least_load(instance)
    bound, found = pipeline_load(instance)
    assert found == pytest.approx(least)
    assert bound <= least * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_weights_that_stages_may_share_never_lift_the_bound_above_a_placement(seed: int) -> None:
    instance = random_pipeline(seed, shared=True, together=seed % 3 == 0)
    least = least_load(instance)
    bound, found = pipeline_load(instance)
    assert found <= least * (1 + 1e-9)
    assert bound <= least * (1 + 1e-9)


def test_compiled_and_plain_loops_find_the_same_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = random_pipeline(3, tasks=6)
    plain = pipeline_load(instance)
    compiled = importlib.import_module("hetopt.steady.placement.ideals_kernels")
    monkeypatch.setattr(ideals, "_kernels", lambda _: compiled)
    assert pipeline_load(instance) == plain


@pytest.mark.parametrize(("memory_b", "best_per_s"), [(8000.0, 0.0760456), (13000.0, 0.070922)])
def test_a_stage_that_only_lighter_options_fit_is_not_refused(
    memory_b: float, best_per_s: float
) -> None:
    times = {
        8000.0: [1.5, 1.0, 2.0, 1.0, 3.0, 3.0, 3.0, 3.0, 1.5, 1.0, 3.0, 1.0],
        13000.0: [3.0, 3.0, 1.0, 2.0, 3.0, 3.0, 2.0, 3.0, 2.0, 1.0, 1.0, 2.0],
    }[memory_b]
    names = [f"t{k}" for k in range(12)]
    frames: dict[str, Any] = {
        "devices": [{"name": "npu", "count_min": 2, "count_max": 2, "memory_b": memory_b}],
        "options": [
            {
                "profile": name,
                "device": "npu",
                "label": label,
                "time_s": round(time * slower, 3),
                "energy_j": 1.0,
                "weights_b": weights,
                "model": name,
                "variant": label,
            }
            for name, time in zip(names, times, strict=True)
            for label, slower, weights in (("fast", 1.0, 2000.0), ("slow", 1.1, 1000.0))
        ],
        "tasks": [{"name": n, "profile": n} for n in names],
        "transfers": [{"from": a, "to": b} for a, b in itertools.pairwise(names)],
        "jobs": [{"name": "j", "rate_per_s": 0.01, "contiguous": True}],
    }
    settings = {"regime": "steady", "routing": "single", "objective": "throughput"}
    instance = from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)
    found = solve(instance, time_limit=8.0, workers=1)
    assert found.status == "optimal"
    assert verify(instance, found.plan).ok
    assert found.objective == pytest.approx(best_per_s, rel=1e-5)


def test_a_thinned_front_lies_below_the_whole_one() -> None:
    rng = np.random.default_rng(0)
    front = front_of(zip(rng.random(4000).tolist(), rng.random(4000).tolist(), strict=True))
    front = front_of([*front, *((k / 100, 2.0 - k / 100) for k in range(-200, 0))])
    assert len(front) > MOST_WAYS
    few = thinned(front)
    assert len(few) <= MOST_WAYS
    assert all(any(a <= load and b <= held for a, b in few) for load, held in front)
