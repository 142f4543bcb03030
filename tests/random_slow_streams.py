"""Random tiny instances of streams on devices that slow each other down, by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from tests.random_schedules import Dice


def random_slow_stream(seed: int) -> Instance:
    """Return a steady instance of at most 3 jobs, on at most 3 devices that may slow each other."""
    dice = Dice(np.random.default_rng([seed, 21]))
    while True:
        made = _attempt(dice)
        if made is not None:
            return made


def _attempt(dice: Dice) -> Instance | None:
    unit = dice.pick(0, 0, -3, -6)
    memory, accuracy = dice.chance(0.2), dice.chance(0.15)
    objective = [dice.pick("throughput", "throughput", "power", "power", "cost", "carbon")]
    if dice.chance(0.15):
        objective.append(dice.pick(*[o for o in ("power", "cost") if o != objective[0]]))
    devices = _devices(dice, memory)
    resources, names = [], []
    for k in range(dice.pick(1, 1, 2)):
        names.append(f"r{k}")
        resources.append(
            {
                "name": names[k],
                "capacity": dice.pick(1.0, 10.0, 3e10),
                "sharing": "slow",
                "loss": dice.pick(0.0, 0.0, 0.1, 0.25),
            }
        )
    if dice.chance(0.2):
        resources.append({"name": "calls", "budget": _at(dice.pick(2.0, 5.0), -unit)})
    jobs, tasks, edges = _work(dice, unit, accuracy)
    options, uses = _options(dice, len(tasks["name"]), devices, resources, unit, memory, accuracy)
    settings: dict[str, Any] = {"regime": "steady", "objective": objective}
    if dice.chance(0.4):
        settings["power_cap_w"] = dice.pick(4.0, 8.0, 15.0)
    if {"cost", "carbon"} & set(objective):
        settings["energy_price"] = dice.pick(0.0, 1e-3)
        settings["carbon_intensity"] = 1e-4
        settings["pue"] = dice.pick(1.0, 1.25)
    frames = {
        "devices": pd.DataFrame(devices),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame(tasks),
        "jobs": pd.DataFrame(jobs),
        "resources": pd.DataFrame(resources),
        "uses": pd.DataFrame(uses),
    }
    if edges:
        frames["transfers"] = pd.DataFrame(edges)
    try:
        instance = from_frames(frames, settings)
        check_question(instance)
    except InputError:
        return None
    return instance


def _at(value: float, exponent: int) -> float:
    """Return value × 10^exponent as the decimal that it is, so that sums meet limits exactly."""
    return value if np.isinf(value) else float(f"{value}e{exponent}")


def _devices(dice: Dice, memory: bool) -> list[dict[str, Any]]:
    rows = []
    for d in range(dice.pick(2, 2, 2, 3)):
        limited = memory and dice.chance(0.6)
        high = 1 if limited else dice.pick(1, 1, 1, 2)
        rows.append(
            {
                "name": f"d{d}",
                "kind": ("cpu", "gpu", "npu")[d],
                "count_min": dice.whole(0, high),
                "count_max": high,
                "slots": dice.pick(1, 1, 1, 2),
                "memory_b": dice.pick(2.0, 3.0) if limited else np.inf,
                "idle_power_w": dice.pick(0.0, 1.0, 2.0),
                "max_utilization": dice.pick(1.0, 1.0, 0.7),
                "reserved": dice.pick(0.0, 0.0, 0.25),
                "off_when_unused": dice.chance(0.7),
                "price_per_s": dice.pick(0.0, 1e-3, 2e-3),
            }
        )
    return rows


def _work(dice: Dice, unit: int, accuracy: bool) -> tuple[list[Any], dict[str, Any], list[Any]]:
    jobs: list[dict[str, Any]] = []
    tasks: dict[str, list[Any]] = {"name": [], "profile": [], "job": [], "work": []}
    edges: list[dict[str, Any]] = []
    for j in range(dice.pick(1, 1, 2, 2, 3)):
        jobs.append(
            {
                "name": f"j{j}",
                "rate_per_s": _at(dice.pick(0.1, 0.3, 0.5, 1.0), -unit),
                "latency_slo_s": _at(dice.pick(np.inf, np.inf, 2.5, 4.0, 5.0), unit),
                "min_accuracy": 0.5 if accuracy and dice.chance(0.3) else 0.0,
            }
        )
        mine = dice.pick(1, 1, 2) if len(tasks["name"]) < 3 else 1
        for i in range(mine):
            name = f"t{len(tasks['name'])}"
            if i:
                edges.append({"from": tasks["name"][-1], "to": name})
            tasks["name"].append(name)
            tasks["profile"].append(f"p{dice.whole(0, len(tasks['name']) - 1)}")
            tasks["job"].append(f"j{j}")
            tasks["work"].append(dice.pick(1.0, 1.0, 0.5, 2.0))
    return jobs, tasks, edges


def _options(
    dice: Dice,
    profiles: int,
    devices: list[dict[str, Any]],
    resources: list[dict[str, Any]],
    unit: int,
    memory: bool,
    accuracy: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    options, uses = [], []
    for p in range(profiles):
        for device in devices:
            for label in ("a", "b")[: dice.pick(0, 1, 1, 1, 1, 2)]:
                batch = dice.pick(1, 1, 1, 2)
                row = {
                    "profile": f"p{p}",
                    "device": device["name"],
                    "label": label,
                    "time_s": _at(dice.pick(0.0, 0.5, 1.0, 1.0, 1.5, 2.0), unit),
                    "batch": batch,
                }
                if memory and row["time_s"] == 0:
                    # Work that takes no time makes throughput endless for a program that packs
                    # parts of units, whatever their memory.
                    row["time_s"] = _at(0.5, unit)
                row["energy_j"] = row["time_s"] * dice.pick(1.0, 2.0, 4.0)
                if memory:
                    row |= {
                        "model": f"m{p}",
                        "variant": label,
                        "weights_b": 1.0,
                        "memory_b": dice.pick(0.0, 0.5),
                    }
                if accuracy:
                    row["accuracy"] = dice.pick(0.4, 0.6, 0.8)
                options.append(row)
                uses += _uses(dice, row, resources)
    return options, uses


def _uses(dice: Dice, row: dict[str, Any], resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for resource in resources:
        if not dice.chance(0.85):
            continue
        amount = dice.pick(1.0, 2.0)
        if resource.get("sharing") == "slow":
            # Sums that meet the capacity exactly, and rates like 1/2, are among them.
            amount = resource["capacity"] * dice.pick(0.2, 0.5, 0.6, 0.75, 1.0)
        names = {key: row[key] for key in ("profile", "device", "label")}
        found.append(names | {"resource": resource["name"], "amount": amount})
    return found
