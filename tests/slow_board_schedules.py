"""Random tiny schedules in which each board has capacities of its own, by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.instance import Instance
from tests.random_schedules import Dice
from tests.slow_schedules import slow_schedule


def slow_board_schedule(seed: int) -> Instance:
    """Return a schedule of `slow_schedule` some of whose devices stand on one or two boards."""
    dice = Dice(np.random.default_rng([seed, 72]))
    for draw in range(200):
        made = _on_boards(slow_schedule(seed + 100_000 * draw), dice)
        if made is not None:
            return made
    raise ValueError(f"Seed {seed} draws no boards.")


def _on_boards(instance: Instance, dice: Dice) -> Instance | None:
    frames, settings = to_frames(instance), to_settings(instance)
    devices, resources = frames["devices"].copy(), frames["resources"].copy()
    high = dice.pick(1, 2, 2, 2)
    low = dice.pick(high, high, 0)
    board: dict[str, Any] = {
        "name": "box",
        "count_min": low,
        "count_max": high,
        "idle_power_w": dice.pick(0.0, 0.5, 1.0, 2.0),
        "off_when_unused": dice.chance(0.8),
        "price_per_s": dice.pick(0.0, 0.0, 0.2),
    }
    on = [dice.chance(0.8) for _ in range(len(devices))]
    for column in ("count_min", "count_max"):
        devices[column] = getattr(instance.devices, column)
    each = [dice.pick(1, 1, 2) if high == 1 else 1 for _ in on]
    devices["board"] = ["box" if mine else "" for mine in on]
    for row, mine in enumerate(on):
        if mine:
            devices.loc[devices.index[row], ["count_min", "count_max"]] = (
                each[row] * low,
                each[row] * high,
            )
    own = [s == "slow" and dice.chance(0.75) for s in resources["sharing"]]
    if "budget" in resources:
        own = [o and not np.isfinite(b) for o, b in zip(own, resources["budget"], strict=True)]
    if not any(own) or "uses" not in frames:
        return None
    resources["board"] = ["box" if mine else "" for mine in own]
    there = set(devices["name"][on])
    boarded = set(resources["name"][own])
    uses = frames["uses"]
    kept = [
        d in there or r not in boarded
        for d, r in zip(uses["device"], uses["resource"], strict=True)
    ]
    frames |= {
        "devices": devices,
        "resources": resources,
        "boards": pd.DataFrame([board]),
        "uses": uses[kept].reset_index(drop=True),
    }
    if not frames["uses"]["resource"].isin(boarded).any():
        return None
    try:
        return from_frames(frames, settings)
    except InputError:
        return None
