"""Random instances of the steady regime, with the distributions of docs/generate.md."""

from __future__ import annotations

import numpy as np

from hetopt.compile import from_frames
from hetopt.errors import InputError, Problem
from hetopt.generate.schedule import KIND_CYCLE
from hetopt.instance import Bools, Instance

RUNS = 0.7
"""Probability that a workload runs on a device."""
BATCH_EXPONENT = 0.7
BASE_TIME_S = 0.005
BASE_TIME_SIGMA = 0.8
SPEED = (0.5, 4.0)
AFFINITY_SIGMA = 0.4
PEAK_POWER_W = (50.0, 400.0)
POWER_SIGMA = 0.2
IDLE_FRACTION = (0.10, 0.30)
RATE_PER_S = 500.0
RATE_SIGMA = 1.0
KEPT_BY_SLO = 2 / 3
"""Quantile of the latencies of a workload's options at which its latency limit stands."""


MOST, MOST_OPTIONS, MOST_ROWS = 1_000_000, 40, 10_000_000
"""Largest arguments: batches double from option to option, and all options fit into memory."""


def generate_steady(workloads: int, devices: int, options: int = 3, seed: int = 0) -> Instance:
    """Generate streams of single-task requests on devices with free counts, objective ``power``.

    Parameters
    ----------
    workloads, devices
        How many; kinds of device cycle cpu, gpu, npu, fpga.
    options
        Options of a workload on a device that runs it: batches 1, 2, 4, ...
    seed
        Equal arguments and seed give an equal instance.

    Raises
    ------
    InputError
        Naming every argument out of range.
    """
    import pandas as pd

    wanted = {"workloads": workloads, "devices": devices, "options": options}
    problems = [Problem(name, f"{v}", "At least 1.") for name, v in wanted.items() if v < 1]
    most = {"workloads": MOST, "devices": MOST, "options": MOST_OPTIONS}
    problems += [
        Problem(name, f"{v}", f"At most {most[name]:,}.")
        for name, v in wanted.items()
        if v > most[name]
    ]
    rows = workloads * devices * options
    if not problems and rows > MOST_ROWS:
        problems.append(Problem("workloads", f"{rows:,} options", f"At most {MOST_ROWS:,} in all."))
    if seed < 0:
        problems.append(Problem("seed", f"{seed}", "At least 0."))
    if problems:
        raise InputError(problems)
    rng = np.random.default_rng(seed)
    kind = [KIND_CYCLE[d % len(KIND_CYCLE)] for d in range(devices)]
    names = np.array([f"{k}{d // len(KIND_CYCLE)}" for d, k in enumerate(kind)], dtype=object)
    peak = rng.uniform(*PEAK_POWER_W, devices)
    idle = (peak * rng.uniform(*IDLE_FRACTION, devices)).round(3)
    batch = 2 ** np.arange(options)
    speed = rng.uniform(*SPEED, devices)
    base = BASE_TIME_S * rng.lognormal(0.0, BASE_TIME_SIGMA, workloads)
    single = base[:, None] / (speed * rng.lognormal(0.0, AFFINITY_SIGMA, (workloads, devices)))
    time = np.maximum(1e-6, single[:, :, None] * batch**BATCH_EXPONENT).round(6)
    draw = peak[:, None] * rng.lognormal(0.0, POWER_SIGMA, (workloads, devices, options))
    energy = (np.maximum(0.0, draw - idle[:, None]) * time).round(6)
    runs = np.repeat(_runs(workloads, devices, rng)[:, :, None], options, axis=2)
    workload, device, size = np.nonzero(runs)
    latency = np.where(batch > 1, 2.0, 1.0) * time
    slo = [np.quantile(latency[w][runs[w]], KEPT_BY_SLO) for w in range(workloads)]
    task_names = np.array([f"w{w}" for w in range(workloads)], dtype=object)
    frames = {
        "devices": pd.DataFrame(
            {"name": names, "kind": kind, "count_min": 0, "count_max": -1, "idle_power_w": idle}
        ),
        "options": pd.DataFrame(
            {
                "profile": task_names[workload],
                "device": names[device],
                "label": [f"batch{batch[k]}" for k in size],
                "time_s": time[runs],
                "energy_j": energy[runs],
                "batch": batch[size],
            }
        ),
        "tasks": pd.DataFrame({"name": task_names, "job": task_names}),
        "jobs": pd.DataFrame(
            {
                "name": task_names,
                "rate_per_s": (RATE_PER_S * rng.lognormal(0.0, RATE_SIGMA, workloads)).round(3),
                "latency_slo_s": np.ceil(np.array(slo) * 1e6) / 1e6,
            }
        ),
    }
    settings = {
        "name": f"steady-{workloads}x{devices}x{options}-seed{seed}",
        "description": f"Synthetic: hetopt generate steady, {workloads} workloads, {devices} "
        f"devices, {options} options each, seed {seed}.",
        "regime": "steady",
        "objective": "power",
    }
    return from_frames(frames, settings)


def _runs(workloads: int, devices: int, rng: np.random.Generator) -> Bools:
    """Whether each workload runs on each device; each on at least one."""
    runs = rng.random((workloads, devices)) < RUNS
    rescue = rng.integers(0, devices, workloads)
    lost = ~runs.any(axis=1)
    runs[lost, rescue[lost]] = True
    return runs
