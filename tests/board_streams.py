"""Random tiny streams on boards, by seed: streams that others draw, and boards added here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from tests.random_schedules import Dice

MOST_UNITS = 4
TRIES = 40


def with_boards(instance: Instance, seed: int, *, fixed: bool = False) -> Instance | None:
    """Put devices of an instance on boards; None where its pins and sites allow none that is drawn.

    Parameters
    ----------
    fixed
        Whether boards that are never off come in fixed numbers.
    """
    dice = Dice(np.random.default_rng([seed, 31]))
    for _ in range(TRIES):
        made = _attempt(instance, dice, fixed)
        if made is not None:
            return made
    return None


def _attempt(instance: Instance, dice: Dice, fixed: bool) -> Instance | None:
    frames, settings = to_frames(instance), to_settings(instance)
    devices = frames["devices"].copy()
    for column in ("count_min", "count_max"):
        devices[column] = getattr(instance.devices, column)
    boards: list[dict[str, Any]] = []
    names = [f"b{k}" for k in range(dice.pick(1, 1, 2))]
    home = [dice.pick(*names, *names, "") for _ in range(len(devices))]
    periods = len(instance.periods) > 0
    for name in names:
        off = dice.chance(0.8)
        low, high = dice.pick((1, 1), (0, 1), (0, 2), (0, 2), (1, 2), (2, 2))
        if fixed and not off:
            low = high
        idle = dice.pick(0.0, 0.5, 1.0, 2.0, 5.0) * (10.0 if periods else 1.0)
        boards.append(
            {
                "name": name,
                "count_min": low,
                "count_max": high,
                "idle_power_w": idle,
                "off_when_unused": off,
                "price_per_s": dice.pick(0.0, 0.0, 0.25, 1.0),
                "start_up_time_s": dice.pick(0.0, 5.0) if periods else 0.0,
                "start_up_energy_j": dice.pick(0.0, 100.0, 2000.0) if periods else 0.0,
                "start_up_cost": dice.pick(0.0, 0.0, 5.0) if periods else 0.0,
            }
        )
        for row in [k for k, board in enumerate(home) if board == name]:
            each = dice.pick(*(n for n in (1, 1, 2, 3) if n * high <= MOST_UNITS))
            if int(instance.devices.spare[row]) >= each * high:
                home[row] = ""
                continue
            devices.loc[devices.index[row], "count_min"] = each * low
            devices.loc[devices.index[row], "count_max"] = each * high
    devices["board"] = home
    frames["devices"], frames["boards"] = devices, pd.DataFrame(boards)
    if not any(home):
        return None
    for limit in ("power_cap_w", "budget_per_s"):
        if limit in settings:
            # Boards draw and cost beside what the limit was drawn for.
            settings[limit] = settings[limit] * dice.pick(1.0, 2.0, 4.0)
    try:
        made = from_frames(frames, settings)
        check_question(made)
    except InputError:
        return None
    return made
