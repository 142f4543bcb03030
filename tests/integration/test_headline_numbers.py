"""Every figure of the headline scenario, from the shared measurements (scenarios.md there)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import objective_value
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.budget import Budget
from hetopt.solution import SteadyPlan, relative_gap
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify

Locate = Callable[..., Path]

GAP = 1e-4
POINTS = 1e-3
"""A tenth of a percentage point: how near each figure of the table must be."""

NETWORKS = ("resnet50", "retinanet", "bert-99", "rnnt", "dlrm-99")
SERVERS = {
    "a100": ("A100-PCIe-80GBx8_TRT_MaxQ", "gpu"),
    "ai100": ("r282_z93_q8e-qaic-v1.8.3.7-aic100", "npu"),
    "ai100x16": ("g292_z43_q16e-qaic-v1.8.3.7-aic100", "npu"),
    "n3000": ("RecAccel-N3000-32GB-PCIEx8", "npu"),
}
H100 = {"h100": ("H100-PCIe-80GBx8_TRT_MaxQ", "gpu")}


def headline(csv: Path, *, h100: bool = False, preview: bool = True, **device: object) -> Instance:
    """Throughput instance without a cap; `ask` makes a question of it."""
    servers = SERVERS | (H100 if h100 else {})
    if not preview:
        servers = {name: row for name, row in servers.items() if name != "n3000"}
    table = pd.read_csv(csv)
    table = table[
        (table["version"] == "v3.0")
        & (table["division"] == "closed")
        & (table["scenario"] == "Server")
        & (table["valid"] == "VALID")
        & table["model_c"].isin(NETWORKS)
    ]
    devices, options, joules = [], [], []
    for name, (system, kind) in servers.items():
        rows = table[table["system"] == system].set_index("model_c")
        devices.append(
            {
                "name": name,
                "kind": kind,
                "count_min": 0,
                "count_max": -1,
                "idle_power_w": rows["floor_w"].min(),
            }
            | device
        )
        for network in NETWORKS:
            if network in rows.index:
                row = rows.loc[network]
                options.append(
                    {
                        "profile": network,
                        "device": name,
                        "time_s": 1.0 / row["throughput_sps"],
                        "power_w": row["power_w"],
                    }
                )
        if set(NETWORKS) <= set(rows.index):
            rows = rows.loc[list(NETWORKS)]
            joules.append((rows["power_w"] / rows["throughput_sps"]).to_numpy())
    inverse = 1.0 / np.exp(np.log(joules).mean(axis=0))
    share = inverse / inverse.sum()
    frames = {
        "devices": pd.DataFrame(devices),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame({"name": NETWORKS, "job": NETWORKS}),
        "jobs": pd.DataFrame({"name": NETWORKS, "share": share}),
    }
    return from_frames(frames, {"objective": "throughput", "power_cap_w": 7000.0})


def ask(
    instance: Instance,
    *,
    demand: float = 0.0,
    cap_w: float = np.inf,
    devices: tuple[str, ...] | None = None,
) -> Instance:
    """Least power at a demand, or most throughput under a cap; only ``devices`` run tasks."""
    if devices is not None:
        allowed = [str(n) in devices for n in instance.devices.name]
        banned = [d for d, ok in enumerate(allowed) if not ok]
        pairs = [(t, d) for t in range(len(instance.tasks)) for d in banned]
        instance = replace(
            instance,
            tasks=replace(
                instance.tasks,
                forbid_task=np.array([p[0] for p in pairs], dtype=np.int64),
                forbid_device=np.array([p[1] for p in pairs], dtype=np.int64),
            ),
        )
    if demand:
        jobs = replace(instance.jobs, rate_per_s=instance.jobs.rate_per_s * demand)
        instance = replace(instance, jobs=jobs, objective=("power",))
        return instance.with_limits(power_cap_w=np.inf, demand_known=True)
    return instance.with_limits(power_cap_w=cap_w)


def solve(instance: Instance) -> tuple[float, float, list[int]] | None:
    """Objective, bound and units on of the checked plan; None where it is proven infeasible."""
    result = solve_steady(instance, Budget(deadline=time.monotonic() + 30))
    if result.infeasible:
        return None
    assert isinstance(result.plan, SteadyPlan)
    report = verify(instance, result.plan)
    assert report.ok, report.violations
    value = objective_value(instance, result.plan, instance.objective[0])
    assert relative_gap(value, result.bounds[0]) <= GAP
    return value, result.bounds[0], result.plan.units_on.tolist()


def gain(base: Instance, **question: float) -> tuple[float, str, list[int], list[int]]:
    """Gain over the best homogeneous fleet, its device, and the units of both."""
    ours = solve(ask(base, **question))
    assert ours is not None
    best: tuple[float, str, list[int]] | None = None
    for name in map(str, base.devices.name):
        rival = solve(ask(base, devices=(name,), **question))
        if rival is None:
            continue
        sign = 1 if is_maximised(ask(base, **question).objective[0]) else -1
        if best is None or sign * rival[0] > sign * best[0]:
            best = (rival[0], name, rival[2])
    assert best is not None
    ratio = ours[0] / best[0]
    saving = 1 - ratio if "demand" in question else ratio - 1
    return saving, best[1], ours[2], best[2]


WITHOUT = 285044.95
WITH = 527000.41


@pytest.mark.parametrize(
    ("question", "expected", "units", "rival"),
    [
        ({"cap_w": 7e3}, 0.5707, [2, 4, 0, 1], 4),
        ({"cap_w": 50e3}, 0.5354, [7, 51, 0, 9], 24),
        ({"cap_w": 200e3}, 0.5392, [28, 202, 0, 36], 96),
        ({"demand": WITHOUT}, 0.2900, [1, 1, 0, 0], 2),
        ({"demand": 4 * WITHOUT}, 0.3654, [1, 6, 0, 1], 5),
        ({"demand": 16 * WITHOUT}, 0.3501, [4, 22, 0, 4], 18),
    ],
)
def test_gain_without_h100(
    shared_path: Locate,
    question: dict[str, float],
    expected: float,
    units: list[int],
    rival: int,
) -> None:
    base = headline(shared_path("data", "mlperf_inference_power.csv"))
    found, name, ours, theirs = gain(base, **question)
    assert found == pytest.approx(expected, abs=POINTS)
    assert (name, ours, theirs) == ("a100", units, [rival, 0, 0, 0])


@pytest.mark.parametrize(
    ("question", "expected", "units", "rival"),
    [
        ({"cap_w": 7e3}, 0.2680, None, 3),
        ({"cap_w": 50e3}, 0.3420, [0, 31, 0, 10, 10], 21),
        ({"cap_w": 200e3}, 0.3515, None, 84),
        ({"demand": WITH}, 0.2288, None, None),
        ({"demand": 4 * WITH}, 0.2706, [0, 6, 0, 2, 2], 6),
        ({"demand": 16 * WITH}, 0.2615, None, None),
    ],
)
def test_gain_with_h100(
    shared_path: Locate,
    question: dict[str, float],
    expected: float,
    units: list[int] | None,
    rival: int | None,
) -> None:
    base = headline(shared_path("data", "mlperf_inference_power.csv"), h100=True)
    found, name, ours, theirs = gain(base, **question)
    assert found == pytest.approx(expected, abs=POINTS)
    assert name == "h100"
    assert units is None or ours == units
    assert rival is None or theirs == [0, 0, 0, 0, rival]


@pytest.mark.parametrize(
    ("question", "watts", "rival_watts"),
    [
        ({"demand": WITHOUT}, 2008.6, 2829.1),
        ({"demand": 4 * WITHOUT}, 5984.9, 9430.6),
        ({"demand": 16 * WITHOUT}, 23697.8, 36465.0),
    ],
)
def test_watts_of_the_table(
    shared_path: Locate, question: dict[str, float], watts: float, rival_watts: float
) -> None:
    base = headline(shared_path("data", "mlperf_inference_power.csv"))
    ours, theirs = solve(ask(base, **question)), solve(ask(base, devices=("a100",), **question))
    assert ours is not None
    assert theirs is not None
    assert ours[0] == pytest.approx(watts, abs=0.06)
    assert theirs[0] == pytest.approx(rival_watts, abs=0.06)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"demand": 4 * WITHOUT}, 0.2697),
        ({"demand": 16 * WITHOUT}, 0.2527),
        ({"cap_w": 5e4}, 0.3190),
    ],
)
def test_gain_without_the_preview_server(
    shared_path: Locate, question: dict[str, float], expected: float
) -> None:
    base = headline(shared_path("data", "mlperf_inference_power.csv"), preview=False)
    assert gain(base, **question)[0] == pytest.approx(expected, abs=POINTS)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"demand": 4 * WITHOUT}, 0.3045),
        ({"demand": 16 * WITHOUT}, 0.3571),
        ({"cap_w": 5e4}, 0.5552),
        ({"cap_w": 7e3}, 0.7425),
    ],
)
def test_gain_where_a_server_serves_one_network(
    shared_path: Locate, question: dict[str, float], expected: float
) -> None:
    base = headline(shared_path("data", "mlperf_inference_power.csv"), exclusive=True)
    assert gain(base, **question)[0] == pytest.approx(expected, abs=POINTS)
