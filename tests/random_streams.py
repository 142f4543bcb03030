"""Random tiny steady instances by seed, every feature of docs/quantities.md switched on in some."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from tests.random_schedules import Dice, random_resources, random_sites

KB = 1000.0
SINGLE, SPLIT = "single", "split"


def random_stream(seed: int, often: str = "") -> Instance:
    """Return a steady instance of at most 4 tasks in at most 3 jobs.

    Parameters
    ----------
    often
        A feature that all instances have in which it can be: ``min_load``, ``value``.
    """
    rng = np.random.default_rng([seed, 2])
    # Draws of their own, so that what seeds made before stays as it was.
    supplies = Dice(np.random.default_rng([seed, 4]))
    slices = Dice(np.random.default_rng([seed, 5]))
    fleet = Dice(np.random.default_rng([seed, 6]))
    scenarios = Dice(np.random.default_rng([seed, 7]))
    sites = Dice(np.random.default_rng([seed, 8]))
    loads = Dice(np.random.default_rng([seed, 9]))
    values = Dice(np.random.default_rng([seed, 10]))
    worth = values.chance(1.0 if often == "value" else 0.08)
    least = loads.chance(1.0 if often == "min_load" else 0.1)
    while True:
        made = _attempt(Dice(rng), supplies, slices, fleet, sites, loads if least else None)
        if made is not None and worth:
            made = _with_value(made, values)
        if made is not None:
            return _with_scenarios(made, scenarios)


def _with_value(instance: Instance, dice: Dice) -> Instance | None:
    """Ask for the most valuable part of the demand, of instances that can be asked; else None."""
    frames, settings = to_frames(instance), to_settings(instance)
    count = len(instance.jobs)
    frames["jobs"]["value"] = [dice.pick(0.0, 1.0, 2.0, 5.0) for _ in range(count)]
    frames["jobs"]["min_share"] = [dice.pick(0.0, 0.0, 0.0, 0.25, 0.5, 1.0) for _ in range(count)]
    others = [name for name in instance.objective if name in ("power", "cost", "carbon")]
    settings["objective"] = dice.pick(["value"], ["value"], ["value", *others], [*others, "value"])
    if dice.chance(0.5):
        settings["power_cap_w"] = dice.pick(2.0, 3.0, 4.0, 6.0)
    if not instance.limits.demand_known:
        settings["demand_per_s"] = dice.pick(0.5, 2.0) * float(instance.jobs.rate_per_s.sum())
    try:
        made = from_frames(frames, settings)
        check_question(made)
    except InputError:
        return None
    return made


def _with_scenarios(instance: Instance, dice: Dice) -> Instance:
    """Add scenarios to some instances of one objective without a budget."""
    simple = len(instance.objective) == 1 and not np.isfinite(instance.limits.budget_per_s)
    if instance.routing == SINGLE or not simple or not dice.chance(0.12):
        return instance
    frames, settings = to_frames(instance), to_settings(instance)
    names = ["day", "night", "peak"][: dice.pick(1, 2, 2, 3)]
    frames["scenarios"] = pd.DataFrame(
        {
            "name": names,
            "weight": [dice.pick(1.0, 2.0, 0.5)] + [dice.pick(0.0, 1.0, 3.0) for _ in names[1:]],
            "demand": [dice.pick(0.2, 0.5, 1.0, 1.5) for _ in names],
        }
    )
    rates = [
        {"scenario": s, "job": j, "rate_per_s": dice.pick(0.0, 0.5, 2.0) * float(rate)}
        for s in names
        for j, rate in zip(instance.jobs.name, instance.jobs.rate_per_s, strict=True)
        if instance.limits.demand_known and len(instance.jobs) > 1 and dice.chance(0.2)
    ]
    if rates:
        frames["rates"] = pd.DataFrame(rates)
    try:
        return from_frames(frames, settings)
    except InputError:
        # A scenario that asks for nothing at all.
        return instance


def _attempt(
    dice: Dice, supplies: Dice, slices: Dice, fleet: Dice, sites: Dice, loads: Dice | None
) -> Instance | None:
    routing = SINGLE if dice.chance(0.35) else SPLIT
    unit = dice.pick(1.0, 1.0, 0.01, 1e-5)
    memory = dice.chance(0.4)
    shares = dice.chance(0.2)
    objective = _objective(dice)
    accuracy = "accuracy" in objective or dice.chance(0.15)
    devices, pools = _devices(dice, routing, memory)
    links = _links(dice, devices["name"], unit)
    jobs, job_of = _jobs(dice, unit, accuracy, shares)
    options = _options(dice, len(job_of), devices, unit, memory, accuracy)
    if routing == SPLIT and "throughput" not in objective and slices.chance(0.2):
        for job in jobs:
            job["slices"] = slices.pick(0, 1, 1, 2, 3)
    tasks = _tasks(dice, job_of, options, devices, memory or routing == SINGLE)
    transfers = _transfers(dice, job_of)
    settings = _settings(dice, objective, routing, devices, tasks, jobs, shares, unit)
    if any(row["staged"] for row in transfers):
        settings["host"] = devices["name"][0]
    frames = {
        "devices": pd.DataFrame(devices),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame(tasks),
        "jobs": pd.DataFrame(jobs),
    }
    for name, table in (("links", links), ("transfers", transfers), ("pools", pools)):
        if table:
            frames[name] = pd.DataFrame(table)
    frames |= random_resources(
        supplies, options, len(jobs), supplies.pick(0.3, 1.0, 1.0, 3.0) / unit
    )
    if "resources" in frames:
        # A capacity is used for as long as requests take, whatever the unit of time.
        frames["resources"]["capacity"] *= unit
    shares_of = _fleet(fleet, devices, routing)
    if loads is not None:
        devices["min_load"] = [
            loads.pick(0.0, 0.0, 0.05, 0.1, 0.25, 0.5, most) for most in devices["max_utilization"]
        ]
    frames["devices"] = pd.DataFrame(devices)
    if shares_of:
        frames["kind_shares"] = pd.DataFrame(shares_of)
    if links:
        random_sites(sites, frames, settings, links[0])
    try:
        instance = from_frames(frames, settings)
        check_question(instance)
    except InputError:
        # An objective without the figures that it needs and the like: draw again.
        return None
    return instance


def _objective(dice: Dice) -> list[str]:
    first = dice.pick("power", "power", "power", "throughput", "throughput", "cost", "carbon")
    first = "accuracy" if dice.chance(0.1) else first
    if not dice.chance(0.25):
        return [first]
    # Throughput comes first or not at all: with it no demand need be served.
    others = [o for o in ("power", "cost", "carbon", "accuracy") if o != first]
    return [first, dice.pick(*others)]


def _devices(dice: Dice, routing: str, memory: bool) -> tuple[dict[str, Any], Any]:
    wide = dice.whole(1, 3)
    pools = []
    if dice.chance(0.2):
        pools.append(
            {
                "name": "dram",
                "memory_b": dice.pick(4, 6, 9) * KB if memory else np.inf,
                "zero_copy": dice.chance(0.5),
            }
        )
    free = not memory and routing == SPLIT and dice.chance(0.3)
    rows = []
    for d in range(wide):
        high = -1 if free and dice.chance(0.6) else dice.whole(1, 2 if memory else 3)
        rows.append(
            {
                "name": f"{'cgn'[d]}pu",
                "kind": ("cpu", "gpu", "npu")[d],
                "count_min": dice.pick(0, 0, 1) if high < 0 else dice.pick(high, 0, 1),
                "count_max": high,
                "slots": dice.pick(1, 1, 1, 2),
                "idle_power_w": dice.pick(0.5, 1, 2, 3.3) if free else dice.pick(0, 0.5, 1, 2, 3.3),
                "off_when_unused": dice.chance(0.7),
                "overlap": dice.chance(0.75),
                "price_per_s": dice.pick(0.0, 0.5, 2.0),
                "max_utilization": dice.pick(1.0, 1.0, 0.8),
                "reserved": dice.pick(0.0, 0.0, 0.25),
                "exclusive": dice.chance(0.2),
                "memory_b": dice.pick(np.inf, 3 * KB, 4 * KB, 6 * KB) if memory else np.inf,
                "memory_pool": "dram" if pools and dice.chance(0.6) else "",
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}, pools


def _fleet(dice: Dice, devices: dict[str, Any], routing: str) -> list[dict[str, Any]]:
    """Give some devices spare units; return limits on shares of kinds."""
    wide = len(devices["name"])
    devices["spare"] = [0] * wide
    if dice.chance(0.25):
        for d in range(wide):
            high = devices["count_max"][d]
            devices["spare"][d] = dice.pick(0, 1, 1, 2) if high != 1 else 0
            if 0 <= high <= devices["spare"][d]:
                devices["spare"][d] = high - 1
    # Shares may need units that nothing else has a use for, so that only maxima end the search.
    if routing != SPLIT or wide < 2 or min(devices["count_max"]) < 0 or not dice.chance(0.25):
        return []
    limits = dice.pick((0.0, 0.5), (0.0, 0.6), (0.25, 1.0), (0.5, 1.0), (0.3, 0.7))
    of = dice.pick("units", "units", "price")
    if of == "price" and not any(devices["price_per_s"]):
        of = "units"
    kind = devices["kind"][dice.whole(0, wide - 1)]
    return [{"kind": kind, "min": limits[0], "max": limits[1], "of": of}]


def _links(dice: Dice, names: list[str], unit: float) -> list[dict[str, Any]]:
    density = dice.pick(0.5, 0.9, 1.0)
    contended = dice.chance(0.5)
    bus = contended and dice.chance(0.3)
    channels = dice.pick(1, 1, 2)
    rows = []
    for a in names:
        for b in names:
            if not dice.chance(density):
                continue
            own = contended and dice.chance(0.7)
            rows.append(
                {
                    "from": a,
                    "to": b,
                    "bandwidth_b_per_s": float(f"{dice.pick(1, 2, 5, 20) * KB / unit:.6g}"),
                    "latency_s": float(f"{dice.pick(0, 0, 0.1, 0.5) * unit:.6g}"),
                    "energy_j_per_b": dice.pick(0, 0, 0.0002, 0.001),
                    "channels": channels if own else 0,
                    "bus": "bus" if own and bus else "",
                    # Shares of one bus by units of several devices are refused.
                    "per_unit": dice.chance(0.25) and not (own and bus),
                }
            )
    return rows


def _jobs(
    dice: Dice, unit: float, accuracy: bool, shares: bool
) -> tuple[list[dict[str, Any]], list[int]]:
    sizes = dice.pick([1], [2], [1, 1], [1, 1], [1, 2], [3], [1, 1, 1], [2, 2])
    rows = []
    parts = {1: [1.0], 2: [0.25, 0.75], 3: [0.5, 0.25, 0.25]}[len(sizes)]
    for j in range(len(sizes)):
        rate = float(f"{dice.pick(0.05, 0.1, 0.3, 0.5, 0.9) / unit:.6g}")
        rows.append(
            {
                "name": f"j{j}",
                "rate_per_s": np.nan if shares else rate,
                "share": parts[j] if shares else np.nan,
                "weight": dice.pick(1.0, 1.0, 2.0),
                "latency_slo_s": float(f"{dice.pick(1.0, 2.0, 4.0, 6.0) * unit:.6g}")
                if dice.chance(0.3)
                else np.inf,
                "min_accuracy": dice.pick(0.0, 0.6, 0.7) if accuracy and dice.chance(0.3) else 0.0,
            }
        )
    return rows, [j for j, size in enumerate(sizes) for _ in range(size)]


def _options(
    dice: Dice, n: int, devices: dict[str, Any], unit: float, memory: bool, accuracy: bool
) -> list[dict[str, Any]]:
    rows = []
    sizes = {v: dice.whole(1, 3) * KB for v in ("a", "b")}
    for r in range(dice.whole(max(1, n - 1), n)):
        names = [d for d in devices["name"] if dice.chance(0.8)] or [dice.pick(*devices["name"])]
        with_weights = memory and dice.chance(0.75)
        stated = accuracy and dice.chance(0.85)
        for name in names:
            for k in range(2 if dice.chance(0.3) and n < 4 else 1):
                batch = dice.pick(1, 1, 2, 4)
                time = dice.pick(0.2, 0.5, 0.7, 1.0, 1.6) * (1 + 0.5 * (batch > 1))
                # A request of no time takes no share of an exclusive unit, and is not tried there.
                timeless = dice.chance(0.03) and not any(devices["exclusive"])
                time = 0.0 if timeless else float(f"{time * unit:.6g}")
                row: dict[str, Any] = {
                    "profile": f"p{r}",
                    "device": name,
                    "label": ("slow", "fast")[k],
                    "time_s": time,
                    "energy_j": float(f"{dice.whole(0, 30) / 2 * unit:.6g}") if time else 0.0,
                    "batch": batch,
                    "latency_s": float(f"{dice.pick(0.5, 1.0, 3.0) * unit:.6g}")
                    if dice.chance(0.15)
                    else np.nan,
                    "memory_b": dice.pick(0, 0, 1) * KB if memory else 0.0,
                    "weights_b": 0.0,
                    "model": "",
                    "variant": "",
                    "accuracy": dice.pick(0.5, 0.7, 0.75, 0.9) if stated else np.nan,
                }
                if with_weights:
                    if dice.chance(0.4):
                        row["model"], row["variant"] = "shared", dice.pick("a", "b")
                        row["weights_b"] = sizes[row["variant"]]
                    else:
                        row["model"], row["variant"] = f"m{r}", f"{name}{k}"
                        row["weights_b"] = dice.whole(1, 3) * KB
                rows.append(row)
    return rows


def _tasks(
    dice: Dice,
    job_of: list[int],
    options: list[dict[str, Any]],
    devices: dict[str, Any],
    units: bool,
) -> dict[str, list[Any]]:
    profiles = list(dict.fromkeys(row["profile"] for row in options))
    n = len(job_of)
    columns: dict[str, list[Any]] = {
        "name": [f"t{t}" for t in range(n)],
        "profile": [dice.pick(*profiles) for _ in range(n)],
        "work": [dice.pick(1.0, 1.0, 1.0, 2.0, 0.3) for _ in range(n)],
        "job": [f"j{j}" for j in job_of],
        "pin": [""] * n,
        "forbid": [[] for _ in range(n)],
    }
    for t in range(n):
        d = dice.whole(0, len(devices["name"]) - 1)
        if dice.chance(0.08):
            columns["pin"][t] = devices["name"][d]
            if units and dice.chance(0.5) and devices["count_max"][d] > 0:
                columns["pin"][t] += f"#{dice.whole(0, devices['count_max'][d] - 1)}"
        elif dice.chance(0.1):
            columns["forbid"][t] = [devices["name"][d]]
    return columns


def _transfers(dice: Dice, job_of: list[int]) -> list[dict[str, Any]]:
    rows = []
    density = dice.pick(0.4, 0.8)
    shared = dice.chance(0.4)
    staged = shared and dice.chance(0.5)
    for a in range(len(job_of)):
        size = dice.pick(1, 2, 3) * KB
        for b in range(a + 1, len(job_of)):
            if job_of[a] != job_of[b] or not dice.chance(density):
                continue
            row: dict[str, Any] = {
                "from": f"t{a}",
                "to": f"t{b}",
                "bytes": np.nan,
                "tensor": "",
                "staged": False,
            }
            if shared and dice.chance(0.6):
                row |= {"bytes": size, "tensor": f"x{a}", "staged": staged}
            elif dice.chance(0.8):
                row["bytes"] = dice.pick(0, 1, 1, 2, 3) * KB
                row["staged"] = staged and dice.chance(0.3)
            rows.append(row)
    return rows


def _settings(
    dice: Dice,
    objective: list[str],
    routing: str,
    devices: dict[str, Any],
    tasks: dict[str, list[Any]],
    jobs: list[dict[str, Any]],
    shares: bool,
    unit: float,
) -> dict[str, Any]:
    settings: dict[str, Any] = {"regime": "steady", "objective": objective, "routing": routing}
    unbounded = min(devices["count_max"]) < 0
    if dice.chance(0.2) or (unbounded and objective[0] == "throughput"):
        settings["power_cap_w"] = float(dice.pick(4, 6, 10, 15))
    if dice.chance(0.15):
        settings["budget_per_s"] = float(dice.pick(1, 3, 6, 12))
    if "cost" in objective or dice.chance(0.2):
        settings["energy_price_per_j"] = dice.pick(0.25, 1.0)
        settings["pue"] = dice.pick(1.0, 1.5)
    if "carbon" in objective:
        settings["carbon_kg_per_j"] = 0.125
        settings["pue"] = dice.pick(1.0, 1.5)
    if shares and (objective[0] != "throughput" or dice.chance(0.5)):
        settings["demand_per_s"] = float(f"{math.prod([dice.pick(0.3, 1.0, 2.0), 1 / unit]):.6g}")
    names = tasks["name"]
    for kind, chance in (("together", 0.15), ("apart", 0.15)):
        if not dice.chance(chance):
            continue
        group = [str(t) for t in dice.rng.permutation(names)[: dice.whole(2, 3)]]
        if routing == SPLIT:
            job = tasks["job"][names.index(group[0])]
            group = [t for t in names if tasks["job"][names.index(t)] == job]
        if len(group) > 1:
            settings[kind] = [group]
    return settings
