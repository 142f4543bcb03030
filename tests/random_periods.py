"""Random tiny instances with periods by seed, what ties them in unusual combinations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from tests.random_schedules import Dice

GB = 1e9
YEAR_S = 8760 * 3600.0
MONTHS = 2e5
"""How many times longer periods in which units are bought last than others."""


def random_periods(seed: int) -> Instance:
    """Return an instance of at most three jobs, three devices and four periods."""
    dice = Dice(np.random.default_rng([seed, 21]))
    # Draws of their own, so that what seeds made before stays as it was.
    more = Dice(np.random.default_rng([seed, 22]))
    bought = Dice(np.random.default_rng([seed, 23]))
    while True:
        frames, settings = _tables(dice, more)
        if bought.chance(0.35):
            _invest(bought, frames, settings)
        try:
            instance = from_frames(frames, settings)
            check_question(instance)
        except InputError:
            # A period that asks for nothing, an objective without its figures: draw again.
            continue
        return instance


def _tables(dice: Dice, more: Dice) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    memory = dice.chance(0.7)
    devices = _devices(dice, memory)
    jobs, tasks, options = _work(dice, devices, memory)
    settings: dict[str, Any] = {
        "regime": "steady",
        "objective": dice.pick("power", "power", "cost", "cost", "carbon", "throughput"),
        "energy_price_per_j": dice.pick(0.0, 1e-3, 1e-2),
        "carbon_kg_per_j": 1e-4,
        "pue": dice.pick(1.0, 1.5),
    }
    if settings["objective"] == "cost" and dice.chance(0.3):
        settings["budget_per_s"] = dice.pick(0.5, 1.0, 2.0)
    if dice.chance(0.2):
        settings["power_cap_w"] = dice.pick(40.0, 80.0, 120.0)
    if dice.chance(0.35):
        settings["periods_max_changes"] = dice.pick(0, 1, 2, 2, 3, 4)
    frames = {"options": pd.DataFrame(options), "tasks": pd.DataFrame(tasks)}
    frames["jobs"] = pd.DataFrame(jobs)
    durations = _periods(dice, frames, settings, [job["name"] for job in jobs])
    for device in devices:
        device["start_up_time_s"] = min(device["start_up_time_s"], min(durations))
    if dice.chance(0.35):
        settings["periods_min_up_s"] = dice.pick(0.5, 1.0, 1.5, 2.5) * dice.pick(*durations)
    if dice.chance(0.3):
        settings["periods_cyclic"] = False
        _initial(dice, frames, devices, options)
    if dice.chance(0.15):
        frames["sites"] = pd.DataFrame(
            [{"name": "away", "energy_price_per_j": 5e-3, "carbon_kg_per_j": 3e-4}]
        )
        devices[-1]["site"] = "away"
    if memory and len(devices) > 1 and dice.chance(0.15):
        frames["pools"] = pd.DataFrame([{"name": "dram", "memory_b": dice.pick(3, 4, 6) * GB}])
        for device in devices[:2]:
            device["memory_pool"] = "dram"
        frames["options"]["memory_b"] = 0.0
    if settings["objective"] != "throughput" and more.chance(0.1):
        device = more.pick(*devices)
        device["min_load"] = more.pick(0.1, 0.3) * device["max_utilization"]
        device["off_when_unused"] = True
    if settings["objective"] == "power" and more.chance(0.2):
        settings["objective"] = "value"
        frames["jobs"]["value"] = [more.pick(0.0, 1.0, 3.0) for _ in jobs]
        frames["jobs"]["min_share"] = [more.pick(0.0, 0.0, 0.4) for _ in jobs]
    frames["devices"] = pd.DataFrame(devices)
    return frames, settings


def _invest(dice: Dice, frames: dict[str, pd.DataFrame], settings: dict[str, Any]) -> None:
    """Let units be bought over periods of some months, by rent or with a lifetime."""
    devices, periods = frames["devices"], frames["periods"]
    settings.pop("periods_cyclic", None)
    settings["periods_invest"] = True
    settings["periods_discount_rate"] = dice.pick(0.0, 0.05, 0.4, 3.0)
    if settings["objective"] != "value" and dice.chance(0.7):
        settings["objective"] = "cost"
    # All that takes a time or happens once, for so much longer periods.
    periods["duration_s"] *= MONTHS
    for name in ("start_up_time_s", "start_up_energy_j", "start_up_cost", "load_energy_j_per_b"):
        devices[name] *= MONTHS
    if "periods_min_up_s" in settings:
        settings["periods_min_up_s"] *= MONTHS
    rent = [dice.pick(0.0, 0.2, 1.0, 5.0) for _ in range(len(devices))]
    life = [dice.pick(np.nan, 0.2, 1.0, 3.0, 8.0) * YEAR_S for _ in rent]
    # With a lifetime the column is what one unit is bought for.
    devices["lifetime_s"] = life
    devices["price_per_s"] = [p if t != t else p * t for p, t in zip(rent, life, strict=True)]
    if settings["objective"] == "cost" and dice.chance(0.5):
        devices["count_min"] = 0
    if "budget_per_s" in settings:
        settings["budget_per_s"] *= dice.pick(1.0, 5.0, 20.0)


def _devices(dice: Dice, memory: bool) -> list[dict[str, Any]]:
    rows = []
    for d in range(dice.pick(1, 1, 2, 2, 3)):
        most = dice.pick(1, 2, 2, 3) if d == 0 else dice.pick(1, 1, 2)
        limited = memory and (d == 0 or dice.chance(0.5))
        off = dice.chance(0.85)
        rows.append(
            {
                "name": f"d{d}",
                "kind": ("cpu", "gpu", "npu")[d],
                "count_min": dice.pick(most, most, 0),
                "count_max": most,
                "spare": 1 if off and most > 1 and dice.chance(0.12) else 0,
                "slots": dice.pick(1, 1, 2),
                "memory_b": dice.pick(2, 3, 4, 5) * GB if limited else np.inf,
                "memory_pool": "",
                "idle_power_w": dice.pick(0.0, 5.0, 10.0, 20.0),
                "off_when_unused": off,
                "exclusive": dice.chance(0.3),
                "price_per_s": dice.pick(0.0, 0.0, 0.2),
                "max_utilization": dice.pick(1.0, 0.8),
                "start_up_time_s": dice.pick(0.0, 0.0, 5.0, 20.0),
                "start_up_energy_j": dice.pick(0.0, 50.0, 300.0, 2000.0),
                "start_up_cost": dice.pick(0.0, 0.0, 1.0, 10.0),
                "load_energy_j_per_b": dice.pick(0.0, 1e-7, 5e-7) if limited else 0.0,
                "site": "",
                "min_load": 0.0,
            }
        )
    return rows


def _work(
    dice: Dice, devices: list[dict[str, Any]], memory: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    jobs: list[dict[str, Any]] = []
    tasks: list[dict[str, Any]] = []
    options: list[dict[str, Any]] = []
    shared = dice.chance(0.25)
    for j in range(dice.pick(1, 2, 2, 2, 3)):
        jobs.append({"name": f"j{j}", "rate_per_s": dice.pick(3.0, 5.0, 8.0, 12.0)})
        for t in range(2 if dice.chance(0.15) else 1):
            name = f"j{j}t{t}"
            tasks.append({"name": name, "job": f"j{j}", "profile": name})
            able = [d for d in devices if dice.chance(0.8)] or [dice.pick(*devices)]
            for device in able:
                heavy = np.isfinite(device["memory_b"]) and dice.chance(0.85)
                for label in ("a", "b") if dice.chance(0.15) else ("a",):
                    model = "base" if shared and dice.chance(0.6) else name
                    options.append(
                        {
                            "profile": name,
                            "device": device["name"],
                            "label": label,
                            "time_s": dice.pick(0.05, 0.08, 0.1, 0.15),
                            "energy_j": dice.pick(0.5, 1.0, 2.0, 4.0),
                            "weights_b": (2 if model == "base" else dice.pick(1, 1, 2, 3)) * GB
                            if heavy
                            else 0.0,
                            "memory_b": dice.pick(0, 0, 0, 1) * GB if memory else 0.0,
                            "model": model if heavy else "",
                            "variant": ("x" if model == "base" else f"{device['name']}{label}")
                            if heavy
                            else "",
                        }
                    )
    return jobs, tasks, options


def _periods(
    dice: Dice, frames: dict[str, pd.DataFrame], settings: dict[str, Any], jobs: list[str]
) -> list[float]:
    count = dice.pick(1, 2, 2, 3, 3, 3, 4)
    base = dice.pick(10.0, 60.0, 100.0)
    durations = [base * dice.pick(1.0, 1.0, 2.0, 0.5) for _ in range(count)]
    rows = []
    for p, duration in enumerate(durations):
        rows.append(
            {
                "name": f"p{p}",
                "duration_s": duration,
                "demand": dice.pick(0.0, 0.3, 0.6, 1.0, 1.0, 1.5),
                "energy_price_per_j": dice.pick(np.nan, 1e-3, 2e-2) if dice.chance(0.5) else np.nan,
                "carbon_kg_per_j": dice.pick(np.nan, 1e-3) if dice.chance(0.3) else np.nan,
                "power_cap_w": dice.pick(30.0, 60.0, 100.0) if dice.chance(0.15) else np.nan,
            }
        )
    frames["periods"] = pd.DataFrame(rows)
    rates = [
        {"period": row["name"], "job": job, "rate_per_s": dice.pick(0.0, 4.0, 15.0)}
        for row in rows
        for job in jobs
        if dice.chance(0.15)
    ]
    if rates:
        frames["rates"] = pd.DataFrame(rates)
    return durations


def _initial(
    dice: Dice,
    frames: dict[str, pd.DataFrame],
    devices: list[dict[str, Any]],
    options: list[dict[str, Any]],
) -> None:
    rows = []
    for device in devices:
        mine = sorted(
            {
                (f"{o['model']}/{o['variant']}", o["weights_b"])
                for o in options
                if o["device"] == device["name"] and o["weights_b"]
            }
        )
        for _ in range(dice.pick(0, 0, 1, device["count_max"])):
            held, room = [], device["memory_b"]
            for name, size in mine:
                if size <= room and dice.chance(0.5):
                    held.append(name)
                    room -= size
            rows.append({"device": device["name"], "units": 1, "weights": held})
    if rows:
        frames["initial"] = pd.DataFrame(rows)
