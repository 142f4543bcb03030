"""Random small projects: precedence, modes, renewable resources and budgets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames
from hetopt.instance import Instance

TIMES = {"whole": 1.0, "decimal": 0.013, "rough": 1 / 3}
"""Units of time; of a third there is no exact grid that floats can carry."""


def random_project(seed: int, tasks: int = 0, kind: str = "") -> Instance:
    """Draw a project with a makespan; budgets leave room between least and most.

    Parameters
    ----------
    tasks, kind
        Number of tasks (0: 2 to 14) and unit of time (empty: any of ``TIMES``).
    """
    rng = np.random.default_rng([seed, 23])
    n = tasks or int(rng.integers(2, 15))
    unit = TIMES[kind or str(rng.choice(list(TIMES)))]
    devices: list[dict[str, Any]] = [
        {
            "name": f"d{d}",
            "count": int(rng.integers(1, 3)),
            "slots": int(rng.integers(1, 4)),
            "idle_power_w": 0.0,
        }
        for d in range(int(rng.integers(1, 4)))
    ]
    options: list[dict[str, Any]] = []
    uses: list[dict[str, Any]] = []
    names = ["r0", "r1", "n0"]
    amounts = np.zeros((n, 2))
    for t in range(n):
        spent = []
        for m in range(int(rng.integers(1, 4))):
            option = {
                "profile": f"t{t}",
                "device": str(rng.choice([d["name"] for d in devices])),
                "label": str(m),
            }
            time = float(rng.integers(0 if t == 0 else 1, 9)) * unit
            energy = float(rng.integers(0, 5)) if time else 0.0
            options.append({**option, "time_s": time, "energy_j": energy})
            held = rng.integers(0, 6, 3).tolist()
            spent.append(held[2])
            uses += [
                {**option, "resource": name, "amount": float(amount)}
                for name, amount in zip(names, held, strict=True)
                if amount
            ]
        amounts[t] = min(spent), max(spent)
    least, most = amounts.sum(axis=0)
    resources = [
        {"name": "r0", "capacity": float(rng.integers(5, 12)), "budget": np.inf},
        {"name": "r1", "capacity": 5.0 + float(rng.random()), "budget": np.inf},
        {"name": "n0", "capacity": np.inf, "budget": float(least + 0.4 * (most - least))},
    ]
    edges = [
        {"from": f"t{a}", "to": f"t{b}"}
        for b in range(n)
        for a in range(max(0, b - 5), b)
        if rng.random() < 0.25
    ]
    late = float(rng.integers(0, 4)) * unit
    jobs = [{"name": "early", "release_s": 0.0}, {"name": "late", "release_s": late}]
    settings: dict[str, Any] = {"regime": "schedule", "objective": "makespan"}
    if rng.random() < 0.3:
        settings["power_cap_w"] = 6.0 / unit
    tables = {
        "devices": devices,
        "options": options,
        "resources": resources,
        "uses": uses,
        "tasks": [{"name": f"t{t}", "job": ["early", "late"][t % 2]} for t in range(n)],
        "transfers": edges,
        "jobs": jobs,
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}
    return from_frames(frames, settings)
