"""Random tiny schedules whose units are set up between configurations, among all other features."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from hetopt.instance import Instance
from hetopt.instance.states.setups import device_setups
from tests.random_schedules import Dice, random_schedule

CONFIGURATIONS = ("x", "y", "z")


def setup_schedule(seed: int) -> tuple[Instance, Fraction]:
    """Return an instance by its seed, and the tick that all its times are multiples of."""
    dice = Dice(np.random.default_rng([seed, 41]))

    def twist(frames: dict[str, Any], settings: dict[str, Any], tick: Fraction) -> Fraction:
        if dice.chance(0.75):
            _crowd(dice, frames, settings)
        add_setups(dice, frames, settings, tick)
        return tick

    for again in range(100):
        instance, tick = random_schedule(seed + again * 1_000_003, twist)
        # Mostly several tasks that need one of a few configurations of a unit.
        if device_setups(instance) and (again > 3 or _shared(instance)):
            return instance, tick
    raise AssertionError(f"no set-ups with seed {seed}")


def _shared(instance: Instance) -> bool:
    """Whether some device has set-ups of several configurations, and several tasks."""
    several = [len(setups.names) > 1 for setups in device_setups(instance).values()]
    return any(several) and len(instance.tasks) > 1


def _crowd(dice: Dice, frames: dict[str, pd.DataFrame], settings: dict[str, Any]) -> None:
    """Leave few units and more time, so that tasks of different configuration share them."""
    devices, options = frames["devices"], frames["options"]
    name = str(dice.pick(*devices["name"]))
    there = set(options["profile"][options["device"] == name])
    if dice.chance(0.7):
        elsewhere = (options["device"] != name) & options["profile"].isin(there)
        kept = options[~elsewhere].reset_index(drop=True)
        frames["options"] = kept
        if "uses" in frames:
            keys = ["profile", "device", "label"]
            frames["uses"] = frames["uses"].merge(kept[keys], on=keys)
            if not len(frames["uses"]):
                del frames["uses"]
        frames["tasks"]["pin"] = ""
        frames["tasks"]["forbid"] = [[] for _ in frames["tasks"].index]
        settings.pop("apart", None)
    devices[["count_min", "count_max"]] = 1
    settings.pop("horizon_s", None)
    jobs = frames["jobs"]
    longer = dice.pick(1.0, 2.0, np.inf)
    jobs["deadline_s"] = [d * longer if np.isfinite(d) else d for d in jobs["deadline_s"]]


def add_setups(
    dice: Dice, frames: dict[str, pd.DataFrame], settings: dict[str, Any], tick: Fraction
) -> None:
    """Give devices set-ups, in one of their two spellings, and options configurations."""
    devices, options = frames["devices"], frames["options"]
    unit = tick * 3 if tick.denominator % 3 == 0 else tick  # a third has no last decimal
    share = dice.pick(0.5, 0.8, 1.0)
    few = dice.pick(2, 2, 3)
    by_profile = dice.chance(0.6)
    options["configuration"] = [
        (CONFIGURATIONS[int(p[1:]) % few] if by_profile else dice.pick(*CONFIGURATIONS[:few]))
        if time > 0 and dice.chance(share)
        else ""
        for p, time in zip(options["profile"], options["time_s"], strict=True)
    ]
    rows = []
    for d, name in enumerate(devices["name"].tolist()):
        own = sorted({c for c in options["configuration"][options["device"] == name] if c})
        if not own or dice.chance(0.15):
            continue
        devices.loc[d, "slots"] = 1
        if dice.chance(0.4):
            devices.loc[d, "initial_configuration"] = dice.pick("none", *own)
        if dice.chance(0.3):
            devices.loc[d, "setup_time_s"] = float(dice.whole(0, 3) * unit)
            devices.loc[d, "setup_energy_j"] = dice.whole(0, 12) / 2 * float(unit)
            continue
        for source in ("none", *own):
            for target in own:
                if source == target or dice.chance(0.2):
                    continue
                rows.append(
                    {
                        "device": name,
                        "from": source,
                        "to": target,
                        "time_s": float(dice.pick(0, 1, 1, 2, 3) * unit),
                        "energy_j": dice.pick(0, 0.5, 2, 6) * float(unit),
                    }
                )
    if "initial_configuration" in devices:
        devices["initial_configuration"] = devices["initial_configuration"].fillna("")
    if rows:
        frames["setups"] = pd.DataFrame(rows)
    if dice.chance(0.25):
        settings["power_cap_w"] = float(
            (devices["idle_power_w"] * devices["count_max"]).sum() + dice.whole(3, 14)
        )
