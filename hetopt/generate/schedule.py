"""Random instances of the schedule regime, with the distributions of docs/generate.md.

Every time is a multiple of ``GRID_S``, every energy of ``ENERGY_GRID_J``, and sizes and bandwidths
are such that every message takes a multiple of ``GRID_S`` too, so that an exact integer grid
exists and is coarse.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.compile import from_frames
from hetopt.compile.to_columns import MOST_SLOTS
from hetopt.errors import InputError, Problem
from hetopt.generate.graphs import SHAPES, graph
from hetopt.instance import Edges, Floats, Instance, Ints, Tensors

if TYPE_CHECKING:
    import pandas as pd

GENERATOR = 2
"""Number of the generator: equal arguments and seed may mean another instance under another one."""

KIND_CYCLE = ("cpu", "gpu", "npu", "fpga")
GRID_S = 1e-5
TICKS_PER_S = 100_000
ENERGY_GRID_J = 1e-6
BASE_TIME_S = 0.020
BASE_TIME_SIGMA = 0.6
SPEED = (0.5, 4.0)
AFFINITY_SIGMA = 0.4
MISSING = 0.1
ACTIVE_POWER_W = (10.0, 100.0)
POWER_SIGMA = 0.2
IDLE_FRACTION = (0.05, 0.15)
MOST_PROFILES = 1000
MESSAGE_SPREAD = (0.5, 1.5)
BANDWIDTH_B_PER_S = 1e9
BYTES_PER_TICK = 10_000
"""A message of so many bytes takes one tick at ``BANDWIDTH_B_PER_S``."""
LINK_ENERGY_J_PER_B = 1e-10
"""12.5 pJ/bit, the order of a PCIe link."""
WEIGHTS_B = 100e6
WEIGHTS_SIGMA = 0.5
WORKING_FRACTION = 0.1
TIGHT_FRACTION = 0.35
"""Share of all weights that an accelerator's unit holds under ``memory="tight"``."""

BUFFERS = 4
"""Largest messages that such a unit holds besides."""


MOST = {
    "tasks": 10_000_000,
    "devices": 2_000,
    "profiles": 1_000_000,
    "slots": 1_000_000,
    "count": 1_000_000,
}
"""Largest arguments; there is a link from each device to each other."""
MOST_ROWS = 20_000_000
MOST_FACTOR = 1e9


def generate_schedule(
    tasks: int,
    devices: int,
    shape: str = "layered",
    ccr: float = 0.1,
    deadline_factor: float | None = 1.5,
    profiles: int | None = None,
    seed: int = 0,
    memory: str = "none",
    slots: int = 1,
    count: int = 1,
    power_cap_factor: float | None = None,
) -> Instance:
    """Generate one job of random tasks on random devices, objective ``energy``.

    Parameters
    ----------
    tasks, devices
        How many; kinds of device cycle cpu, gpu, npu, fpga.
    shape
        ``layered``, ``random``, ``fork-join``, ``chains`` or ``independent``.
    ccr
        Mean message time over mean task time; 0 makes edges pure precedence.
    deadline_factor
        The deadline is so many times HEFT's makespan, rounded up to the grid; None: no deadline.
    profiles
        Number of profiles that tasks share; default the lesser of ``tasks`` and 1000.
    seed
        Equal arguments and seed give an equal instance.
    memory
        ``tight`` gives options weights and working memory, and accelerators too little to hold
        the weights of all profiles; ``none`` has no memory at all.
    slots, count
        Of every device.
    power_cap_factor
        Caps power at idle of all units plus this fraction of what all slots can draw above it,
        but at no less than the weakest cpu needs to run any task alone.

    Raises
    ------
    InputError
        Naming every argument out of range.
    """
    profiles = min(tasks, MOST_PROFILES) if profiles is None else profiles
    counts = {"tasks": tasks, "devices": devices, "profiles": profiles}
    factors = {"deadline_factor": deadline_factor, "power_cap_factor": power_cap_factor}
    _check({**counts, "slots": slots, "count": count}, factors, shape, ccr, memory, seed)
    rng = np.random.default_rng(seed)
    platform = _devices(devices, slots, count, rng)
    options = _options(profiles, platform, rng)
    profile = np.concatenate(
        [rng.permutation(min(profiles, tasks)), rng.integers(0, profiles, max(0, tasks - profiles))]
    )
    src, dst = graph(tasks, shape, rng)
    size = _sizes(options, profile, len(src), ccr, rng)
    frames = _tables(platform, options, joined=len(size) > 0)
    if memory == "tight":
        _add_memory(frames, options, platform, size, rng)
    settings: dict[str, Any] = {
        "regime": "schedule",
        "objective": "energy",
        "name": f"{shape}-{tasks}x{devices}-seed{seed}",
        "description": f"Synthetic: hetopt generate schedule, {shape}, {tasks} tasks, {devices} "
        f"devices, ccr {ccr:g}, deadline factor {deadline_factor}, {profiles} profiles, "
        f"seed {seed}, generator {GENERATOR}.",
    }
    if power_cap_factor is not None:
        settings["power_cap_w"] = _power_cap(platform, options, power_cap_factor)
    instance = _with_graph(from_frames(frames, settings), profile, src, dst, size)
    if deadline_factor is None:
        return instance
    return _with_deadline(instance, deadline_factor)


def _check(
    counts: dict[str, int],
    factors: dict[str, float | None],
    shape: str,
    ccr: float,
    memory: str,
    seed: int,
) -> None:
    problems = []
    for name, value in counts.items():
        if value < 1:
            problems.append(Problem(name, f"{value}", "At least 1."))
        elif value > MOST[name]:
            problems.append(Problem(name, f"{value}", f"At most {MOST[name]:,}."))
    devices = counts["devices"]
    together = {
        "options, profiles x devices": (counts["profiles"] * devices, MOST_ROWS),
        "slots of all units": (counts["slots"] * counts["count"] * devices, MOST_SLOTS),
    }
    if not problems:
        for name, (value, most) in together.items():
            if value > most:
                problems.append(Problem(name, f"{value:,}", f"At most {most:,}."))
    if shape not in SHAPES:
        problems.append(Problem("shape", shape, f"One of {', '.join(SHAPES)}."))
    if not 0 <= ccr <= MOST_FACTOR:
        text = f"At least 0, at most {MOST_FACTOR:g}."
        problems.append(Problem("ccr", f"{ccr}", text))
    for name, factor in factors.items():
        if factor is not None and not 0 < factor <= MOST_FACTOR:
            text = f"More than 0, at most {MOST_FACTOR:g}."
            problems.append(Problem(name, f"{factor}", text))
    if memory not in ("none", "tight"):
        problems.append(Problem("memory", memory, "none or tight."))
    if seed < 0:
        problems.append(Problem("seed", f"{seed}", "At least 0."))
    if problems:
        raise InputError(problems)


def _devices(n: int, slots: int, count: int, rng: np.random.Generator) -> dict[str, Any]:
    kind = [KIND_CYCLE[d % len(KIND_CYCLE)] for d in range(n)]
    active = rng.uniform(*ACTIVE_POWER_W, n).round(3)
    always_on = np.zeros(n, dtype=bool)
    always_on[rng.permutation(n)[: n // 2]] = True
    return {
        "name": [f"{k}{d // len(KIND_CYCLE)}" for d, k in enumerate(kind)],
        "kind": kind,
        "count": np.full(n, count),
        "slots": np.full(n, slots),
        "active_power_w": active,
        "idle_power_w": (active * rng.uniform(*IDLE_FRACTION, n)).round(3),
        "off_when_unused": ~always_on,
        "speed": rng.uniform(*SPEED, n),
    }


def _options(profiles: int, platform: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Columns of all options, by profile and then device."""
    wide = len(platform["name"])
    base = BASE_TIME_S * rng.lognormal(0.0, BASE_TIME_SIGMA, profiles)
    affinity = rng.lognormal(0.0, AFFINITY_SIGMA, (profiles, wide))
    noise = rng.lognormal(0.0, POWER_SIGMA, (profiles, wide))
    cpu = np.array([k == "cpu" for k in platform["kind"]])
    exists = (rng.random((profiles, wide)) >= MISSING) | cpu
    ticks = np.maximum(1, np.rint(base[:, None] / (platform["speed"] * affinity) * TICKS_PER_S))
    above_idle = np.maximum(0.0, platform["active_power_w"] * noise - platform["idle_power_w"])
    energy = np.rint(above_idle * ticks / TICKS_PER_S / ENERGY_GRID_J) * ENERGY_GRID_J
    profile, device = np.nonzero(exists)
    return {
        "profile": profile,
        "device": device,
        "ticks": ticks[exists],
        "time_s": (ticks[exists] / TICKS_PER_S).round(5),
        "energy_j": energy[exists].round(6),
    }


def _tables(
    platform: dict[str, Any], options: dict[str, Any], *, joined: bool
) -> dict[str, pd.DataFrame]:
    """Tables of the platform, with one task that stands for all."""
    import pandas as pd

    names = np.array(platform["name"], dtype=object)
    profiles = np.array([f"p{r}" for r in range(int(options["profile"][-1]) + 1)], dtype=object)
    shown = ("name", "kind", "count", "slots", "idle_power_w", "off_when_unused")
    frames = {
        "devices": pd.DataFrame({name: platform[name] for name in shown}),
        "options": pd.DataFrame(
            {
                "profile": profiles[options["profile"]],
                "device": names[options["device"]],
                "time_s": options["time_s"],
                "energy_j": options["energy_j"],
            }
        ),
        "tasks": pd.DataFrame({"name": ["t0"], "profile": profiles[:1]}),
    }
    if joined:
        frames["links"] = _links(names, int(platform["count"][0]))
    return frames


def _with_graph(instance: Instance, profile: Ints, src: Ints, dst: Ints, size: Floats) -> Instance:
    """Replace the one task by all of them.

    A graph of a million tasks has no need to go by way of tables of names: it is acyclic and its
    references are right by construction.
    """
    n, messages = len(profile), len(size)
    none = np.full(n, -1, dtype=np.int64)
    return replace(
        instance,
        tasks=replace(
            instance.tasks,
            name=np.array([f"t{t}" for t in range(n)], dtype=np.dtypes.StringDType()),
            profile=profile.astype(np.int64),
            work=np.ones(n),
            job=np.zeros(n, dtype=np.int64),
            pin_device=none,
            pin_unit=none,
        ),
        tensors=Tensors(
            name=np.full(messages, "", dtype=np.dtypes.StringDType()),
            producer=src[:messages],
            bytes_b=size,
            staged=np.zeros(messages, dtype=bool),
        ),
        edges=Edges(
            src=src,
            dst=dst,
            tensor=np.arange(len(src)) if messages else np.full(len(src), -1, dtype=np.int64),
        ),
    )


def _sizes(
    options: dict[str, Any], profile: Ints, edges: int, ccr: float, rng: np.random.Generator
) -> Floats:
    """Bytes of each message: whole ticks, on average CCR times the mean task's time."""
    if ccr == 0:
        return np.empty(0)
    rows = np.bincount(options["profile"])
    mean = np.bincount(options["profile"], options["ticks"]) / rows
    ticks = ccr * mean[profile].mean() * rng.uniform(*MESSAGE_SPREAD, edges)
    return np.asarray(np.maximum(1, np.rint(ticks)) * BYTES_PER_TICK)


def _links(names: Any, count: int) -> pd.DataFrame:
    """One link for each ordered pair of devices, and one to itself where units are several."""
    import pandas as pd

    src, dst = (index.ravel() for index in np.indices((len(names), len(names))))
    joined = (src != dst) | (count > 1)
    return pd.DataFrame(
        {
            "from": names[src[joined]],
            "to": names[dst[joined]],
            "bandwidth_b_per_s": BANDWIDTH_B_PER_S,
            "energy_j_per_b": LINK_ENERGY_J_PER_B,
        }
    )


def _add_memory(
    frames: dict[str, pd.DataFrame],
    options: dict[str, Any],
    platform: dict[str, Any],
    size: Floats,
    rng: np.random.Generator,
) -> None:
    """Weights per profile, working memory a tenth of them; accelerators cannot hold all."""
    profiles = int(options["profile"][-1]) + 1
    weights = np.rint(WEIGHTS_B * rng.lognormal(0.0, WEIGHTS_SIGMA, profiles))
    working = np.rint(WORKING_FRACTION * weights)
    frames["options"]["weights_b"] = weights[options["profile"]]
    frames["options"]["memory_b"] = working[options["profile"]]
    largest = weights.max() + int(platform["slots"][0]) * working.max()
    buffers = BUFFERS * size.max(initial=0.0)
    tight = np.rint(max(TIGHT_FRACTION * weights.sum(), largest) + buffers)
    cpu = np.array([kind == "cpu" for kind in platform["kind"]])
    frames["devices"]["memory_b"] = np.where(cpu, np.inf, tight)


def _power_cap(platform: dict[str, Any], options: dict[str, Any], factor: float) -> float:
    idle = float((platform["idle_power_w"] * platform["count"]).sum())
    dynamic = options["energy_j"] / options["time_s"]
    device = options["device"]
    most = np.zeros(len(platform["name"]))
    np.maximum.at(most, device, dynamic)
    drawn = float((most * platform["count"] * platform["slots"]).sum())
    cpus = [d for d, kind in enumerate(platform["kind"]) if kind == "cpu"]
    return math.ceil((idle + max(factor * drawn, float(most[cpus].min()))) * 1000) / 1000


def _with_deadline(instance: Instance, factor: float) -> Instance:
    """Set the deadline to ``factor`` times HEFT's makespan, rounded up to the grid."""
    # The factor is a decimal; the small term undoes its rounding.
    ticks = math.ceil(heft_makespan(instance) * factor * TICKS_PER_S - 1e-4)
    deadline = np.full(len(instance.jobs), round(ticks / TICKS_PER_S, 5))
    return replace(instance, jobs=replace(instance.jobs, deadline_s=deadline))


def heft_makespan(instance: Instance) -> float:
    """Makespan of HEFT in seconds without limits and contention; inf where a task fits nowhere."""
    from hetopt.schedule.list_scheduling.dispatching_rules import heft
    from hetopt.schedule.list_scheduling.packed_scheduler import place
    from hetopt.schedule.model.packed import pack

    columns = pack(instance)
    placement = place(columns, heft(columns))
    return math.inf if placement is None else float(columns.seconds(placement.end).max(initial=0.0))
