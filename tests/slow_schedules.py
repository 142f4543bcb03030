"""Random tiny schedules in which resources slow what runs, beside everything that meets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames
from hetopt.instance import Instance
from tests.random_schedules import Dice

OBJECTIVES = ("makespan", "makespan", "energy", "cost", "carbon", "tardiness", "peak_power")


def slow_schedule(seed: int) -> Instance:
    """Return the instance of a seed: whole times, few tasks, unequal demands."""
    dice = Dice(np.random.default_rng([seed, 71]))
    n = dice.pick(2, 3, 3, 4)
    devices = [
        {
            "name": f"d{i}",
            "kind": ("cpu", "gpu", "npu")[i],
            "count_min": 1,
            "count_max": dice.pick(1, 1, 2),
            "slots": dice.pick(1, 1, 2, 4),
            "idle_power_w": dice.pick(0.0, 0.0, 1.0, 2.5),
            "off_when_unused": dice.chance(0.8),
            "price_per_s": dice.pick(0.0, 0.1),
        }
        for i in range(dice.pick(1, 2, 2, 3))
    ]
    resources: list[dict[str, Any]] = [
        {
            "name": "dram",
            "capacity": 10.0,
            "sharing": "slow",
            "loss": dice.pick(0.0, 0.0, 0.1, 0.25),
            "budget": np.inf,
        }
    ]
    if dice.chance(0.4):
        resources.append(
            {
                "name": "watts",
                "capacity": 7.0,
                "sharing": "slow",
                "loss": dice.pick(0.0, 0.2),
                "budget": dice.pick(np.inf, 12.0),
            }
        )
    if dice.chance(0.4):
        resources.append({"name": "port", "capacity": 3.0, "sharing": "forbid", "loss": 0.0})
        resources[-1]["budget"] = dice.pick(np.inf, np.inf, 6.0)
    options, uses = [], []
    for t in range(n):
        for device in devices:
            labels = ["", "eco"] if dice.chance(0.25) else [""]
            for label in labels:
                if len(devices) > 1 and dice.chance(0.15):
                    continue
                time = dice.pick(0, 1, 2, 2, 3, 3, 4)
                row = {"profile": f"t{t}", "device": device["name"], "label": label}
                energy = 0.0 if time == 0 else float(dice.pick(0, 1, 2, 4, 6))
                options.append(row | {"time_s": float(time), "energy_j": energy})
                for resource, amounts in (
                    ("dram", (0, 3, 5, 6, 7.5, 10)),
                    ("watts", (0, 2, 4, 7)),
                    ("port", (0, 1, 2, 3)),
                ):
                    amount = float(dice.pick(*amounts))
                    if amount and any(r["name"] == resource for r in resources):
                        uses.append(row | {"resource": resource, "amount": amount})
        if not any(o["profile"] == f"t{t}" for o in options):
            row = {"profile": f"t{t}", "device": "d0", "label": ""}
            options.append(row | {"time_s": 2.0, "energy_j": 2.0})
            uses.append(row | {"resource": "dram", "amount": 6.0})
    jobs = [
        {
            "name": f"j{j}",
            "release_s": float(dice.pick(0, 0, 0, 1)),
            "deadline_s": float(dice.pick(np.inf, np.inf, 5, 7, 9)),
            "due_s": float(dice.pick(2, 3, 5)),
            "weight": float(dice.pick(1, 2)),
        }
        for j in range(dice.pick(1, 1, 2))
    ]
    tasks = [
        {"name": f"t{t}", "job": jobs[t % len(jobs)]["name"], "work": float(dice.pick(1, 1, 2))}
        for t in range(n)
    ]
    transfers = [
        {"from": f"t{a}", "to": f"t{b}"}
        for b in range(n)
        for a in range(b)
        if tasks[a]["job"] == tasks[b]["job"] and dice.chance(0.25)
    ]
    objective = [dice.pick(*OBJECTIVES)]
    if dice.chance(0.2):
        objective.append(dice.pick(*(o for o in OBJECTIVES if o != objective[0])))
    settings: dict[str, Any] = {"regime": "schedule", "objective": objective}
    settings["energy_price_per_j"] = 2.0
    settings["carbon_kg_per_j"] = 1.0
    if dice.chance(0.5):
        for name, field in (("energy_price_per_j", "price_per_j"), ("carbon_kg_per_j", "kg_per_j")):
            settings[name] = [
                {"from_s": 0.0, field: dice.pick(1.0, 3.0)},
                {"from_s": float(dice.pick(2, 3)), field: dice.pick(0.5, 2.0)},
                {"from_s": float(dice.pick(5, 6)), field: dice.pick(1.5, 4.0)},
            ]
    if dice.chance(0.35):
        settings["power_cap_w"] = float(dice.pick(2, 3, 4, 6))
    if dice.chance(0.3):
        settings["horizon_s"] = float(dice.pick(6, 8, 10))
    frames = {
        "devices": pd.DataFrame(devices),
        "resources": pd.DataFrame(resources),
        "options": pd.DataFrame(options),
        "jobs": pd.DataFrame(jobs),
        "tasks": pd.DataFrame(tasks),
    }
    if uses:
        frames["uses"] = pd.DataFrame(uses)
    if transfers:
        frames["transfers"] = pd.DataFrame(transfers)
    return from_frames(frames, settings)
