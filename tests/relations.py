"""Instances changed in ways whose effect on the optimum is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.instance import Instance

TIME, ENERGY = 4.0, 2.0
"""Factors of the scaled instance: powers of 2, so that decimals stay exact."""
POWERS: dict[str, dict[str, tuple[int, int]]] = {
    "devices": {
        "idle_power_w": (-1, 1),
        "price_per_s": (-1, 0),
        "start_up_time_s": (1, 0),
        "start_up_energy_j": (0, 1),
        "sleep_power_w": (-1, 1),
        "wake_time_s": (1, 0),
        "wake_energy_j": (0, 1),
        "load_time_s": (1, 0),
        "load_energy_j_per_b": (0, 1),
    },
    "boards": {
        "idle_power_w": (-1, 1),
        "price_per_s": (-1, 0),
        "start_up_time_s": (1, 0),
        "start_up_energy_j": (0, 1),
        "sleep_power_w": (-1, 1),
        "wake_time_s": (1, 0),
        "wake_energy_j": (0, 1),
    },
    "setups": {"time_s": (1, 0), "energy_j": (0, 1)},
    "links": {"latency_s": (1, 0), "bandwidth_b_per_s": (-1, 0), "energy_j_per_b": (0, 1)},
    "options": {"time_s": (1, 0), "latency_s": (1, 0), "energy_j": (0, 1)},
    "jobs": {
        "release_s": (1, 0),
        "deadline_s": (1, 0),
        "due_s": (1, 0),
        "rate_per_s": (-1, 0),
        "latency_slo_s": (1, 0),
    },
    "settings": {
        "horizon_s": (1, 0),
        "power_cap_w": (-1, 1),
        "budget_per_s": (-1, 0),
        "energy_price_per_j": (0, -1),
        "carbon_kg_per_j": (0, -1),
        "demand_per_s": (-1, 0),
    },
}
"""Powers of the time factor and of the energy factor by table and column; money is the same."""
OBJECTIVE_POWERS = {
    "schedule": {
        "energy": (0, 1),
        "makespan": (1, 0),
        "cost": (0, 0),
        "carbon": (0, 0),
        "tardiness": (1, 0),
        "peak_power": (-1, 1),
        "accuracy": (0, 0),
        "value": (0, 0),
    },
    "steady": {
        "throughput": (-1, 0),
        "power": (-1, 1),
        "cost": (-1, 0),
        "carbon": (-1, 0),
        "accuracy": (0, 0),
        "value": (-1, 0),
    },
}


def at_rates(instance: Instance, *rates: float) -> Instance:
    """Return streams whose jobs ask at other rates (1/s), in their order."""
    return replace(instance, jobs=replace(instance.jobs, rate_per_s=np.array(rates)))


def scaled(instance: Instance) -> Instance:
    """Multiply all times by ``TIME`` and all energies by ``ENERGY``, in other units as it were."""
    frames, settings = to_frames(instance), dict(to_settings(instance))
    for table, columns in POWERS.items():
        for name, powers in columns.items():
            factor = _factor(powers)
            if table == "settings":
                if name in settings:
                    settings[name] = _times(settings[name], factor)
            elif table in frames and name in frames[table]:
                # Shares of an unknown demand mean nothing but their ratios.
                if name == "rate_per_s" and not instance.limits.demand_known:
                    continue
                frames[table][name] = frames[table][name] * factor
    # Streams take their budgets by the second, schedules once.
    if instance.regime == "steady" and "budget" in frames.get("resources", ()):
        frames["resources"]["budget"] = frames["resources"]["budget"] * _factor((-1, 0))
    return from_frames(frames, settings)


def _times(value: Any, factor: float) -> Any:
    """Multiply a setting; the pieces of one that changes over time begin later too."""
    if not isinstance(value, list):
        return value * factor
    return [
        {name: v * (TIME if name == "from_s" else factor) for name, v in piece.items()}
        for piece in value
    ]


def objective_factor(instance: Instance, name: str) -> float:
    """Return what scaling multiplies the optimum of an objective by."""
    if name == "throughput" and not instance.limits.demand_known:
        return _factor((-1, 0))
    return _factor(OBJECTIVE_POWERS[instance.regime][name])


def _factor(powers: tuple[int, int]) -> float:
    return TIME ** powers[0] * ENERGY ** powers[1]


NAMES = {
    "devices": ("name", "memory_pool"),
    "pools": ("name",),
    "links": ("from", "to", "bus"),
    "options": ("profile", "device", "label", "model", "variant"),
    "tasks": ("name", "profile", "job", "pin"),
    "transfers": ("from", "to", "tensor"),
    "jobs": ("name",),
    "resources": ("name",),
    "uses": ("profile", "device", "label", "resource"),
}


def renamed(instance: Instance) -> Instance:
    """Give everything another name."""
    frames, settings = to_frames(instance), dict(to_settings(instance))
    for table, columns in NAMES.items():
        for name in columns:
            if table in frames and name in frames[table]:
                cells = frames[table][name]
                frames[table][name] = [_other(c) for c in cells]
    if "forbid" in frames["tasks"]:
        forbids = frames["tasks"]["forbid"]
        frames["tasks"]["forbid"] = [[_other(d) for d in row] for row in forbids.map(_listed)]
    for name in ("together", "apart"):
        if name in settings:
            settings[name] = [[_other(t) for t in group] for group in settings[name]]
    if settings.get("host"):
        settings["host"] = _other(settings["host"])
    return from_frames(frames, settings)


def _other(name: Any) -> Any:
    if not isinstance(name, str) or not name:
        return name
    device, mark, unit = name.partition("#")
    return f"{device[::-1]}-z{mark}{unit}"


def _listed(cell: Any) -> list[str]:
    if isinstance(cell, str):
        return [part.strip() for part in cell.split(",") if part.strip()]
    return list(cell) if isinstance(cell, (list, tuple, np.ndarray)) else []


def with_later_limits(instance: Instance) -> Instance:
    """Put off deadlines, due dates, and latency limits."""
    frames, settings = to_frames(instance), dict(to_settings(instance))
    for name in ("deadline_s", "due_s", "latency_slo_s"):
        if name in frames["jobs"]:
            frames["jobs"][name] = frames["jobs"][name] * 2
    return from_frames(frames, settings)


def with_more_memory(instance: Instance) -> Instance:
    """Double every memory."""
    frames, settings = to_frames(instance), dict(to_settings(instance))
    for table in ("devices", "pools"):
        if table in frames and "memory_b" in frames[table]:
            frames[table]["memory_b"] = frames[table]["memory_b"] * 2
    return from_frames(frames, settings)


def with_one_more_device(instance: Instance) -> Instance:
    """Add a device that need not be had, with options for every profile, joined to nothing."""
    frames, settings = to_frames(instance), dict(to_settings(instance))
    row: dict[str, Any] = {
        "name": "extra",
        "kind": "other",
        "count_min": 0,
        "count_max": 1,
        "idle_power_w": 0.5,
    }
    frames["devices"] = pd.concat([frames["devices"], pd.DataFrame([row])], ignore_index=True)
    options = frames["options"]
    first = options.drop_duplicates("profile")
    added = pd.DataFrame(
        {
            "profile": first["profile"],
            "device": "extra",
            "time_s": first["time_s"] * 2,
            "energy_j": first["energy_j"] / 2,
        }
    )
    if "accuracy" in options:
        added["accuracy"] = first["accuracy"]
    frames["options"] = pd.concat([options, added], ignore_index=True)
    return from_frames(frames, settings)
