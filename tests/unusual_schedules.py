"""Random tiny schedules in which features meet as they seldom do, at any scale of time.

The instances of :mod:`tests.random_schedules` are changed before they are built: scales from
nanoseconds to days, limits between ticks, periodic jobs, idle power next to the cap, staged tensors
in pools that the host reads, and budgets that a few units share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from hetopt.instance import Instance
from hetopt.schedule.bounds import load_bound
from hetopt.schedule.model import grid
from tests.random_schedules import Dice, random_schedule
from tests.setup_schedules import add_setups

Frames = dict[str, pd.DataFrame]
SCALES = (*("1", "1", "1e-9", "1e-9"), *("1e-12", "1e-6", "1e3", "1e6", "86400", "3.3333e-6"))
"""Factors of every time; powers stay as they are."""
GRID = "rounding grid"
TIMES = {
    "options": ("time_s",),
    "devices": ("setup_time_s",),
    "setups": ("time_s",),
    "jobs": ("release_s", "deadline_s", "due_s", "period_s"),
    "links": ("latency_s",),
    "networks": ("latency_s",),
}
ENERGIES = {
    "options": ("energy_j",),
    "devices": ("setup_energy_j",),
    "setups": ("energy_j",),
    "links": ("energy_j_per_b",),
    "networks": ("energy_j_per_b",),
}


def unusual_schedule(seed: int) -> tuple[Instance, Fraction]:
    """Return an instance by its seed, and the tick that all its times are multiples of."""
    dice = Dice(np.random.default_rng([seed, 21]))

    def twist(frames: Frames, settings: dict[str, Any], tick: Fraction) -> Fraction:
        for change, chance in (
            (_share_pools, 0.45),
            (_limit_idle_power, 0.2),
            (_free_of_orders, 0.2),
            (_leave_no_room, 0.15),
            (_repeat, 0.25),
            (_miss_ticks, 0.3),
        ):
            if dice.chance(chance):
                change(dice, frames, settings, tick)
        # A draw of its own, so that what seeds made before stays as it was.
        own = Dice(np.random.default_rng([seed, 24]))
        if own.chance(0.2) and "period_s" not in frames["jobs"]:
            add_setups(own, frames, settings, tick)
        factor = Fraction(dice.pick(*SCALES))
        if "links" in frames and factor.numerator % 3 == 0:
            factor = Fraction("1e-9")  # a bandwidth over such a factor has no last decimal
        _rescale(frames, settings, factor)
        return tick * factor

    return random_schedule(seed, twist)


@contextmanager
def forced(seed: int) -> Iterator[str]:
    """Force what only large instances meet: rounding grids of few ticks, the smoothed dual."""
    dice = Dice(np.random.default_rng([seed, 22]))
    with ExitStack() as stack:
        names = []
        if dice.chance(0.35):
            names.append(GRID)
            ticks = dice.pick(10, 100, 10_000)
            stack.enter_context(patch.object(grid, "EXACT_TICKS", 1))
            stack.enter_context(patch.object(grid, "ROUNDING_TICKS", ticks))
        if dice.chance(0.35):
            names.append("smoothed dual")
            stack.enter_context(patch.object(load_bound, "LP_SIZE", 0))
            stack.enter_context(patch.object(load_bound, "ENDLESS_LP_SIZE", 0))
        yield " and ".join(names)


def _share_pools(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Put devices, the host among them, into one zero-copy pool, and stage what is sent."""
    devices = frames["devices"]
    frames["pools"] = pd.DataFrame(
        {
            "name": ["dram"],
            "memory_b": [dice.pick(np.inf, np.inf, 6000.0, 9000.0)],
            "zero_copy": [dice.chance(0.8)],
        }
    )
    devices["memory_pool"] = [dice.pick("dram", "dram", "") for _ in range(len(devices))]
    devices["memory_b"] = [dice.pick(np.inf, 2000.0, 3000.0, 5000.0) for _ in range(len(devices))]
    settings["host"] = dice.pick(*devices["name"])
    frames["options"]["memory_b"] = [dice.pick(0.0, 1e3, 2e3) for _ in frames["options"].index]
    if "transfers" not in frames:
        return
    transfers = frames["transfers"]
    sent = transfers["bytes"].notna()
    transfers["staged"] = sent & bool(dice.chance(0.7))
    if dice.chance(0.7):
        # The host reaches all devices, so that staging is seldom impossible.
        width = float(Fraction(1000) / tick)
        ends = [(a, b) for a in devices["name"] for b in devices["name"] if a != b]
        frames["links"] = pd.DataFrame(
            {
                "from": [a for a, _ in ends] or [devices["name"][0]],
                "to": [b for _, b in ends] or [devices["name"][0]],
                "bandwidth_b_per_s": width,
                "latency_s": 0.0,
                "energy_j_per_b": dice.pick(0.0, 0.001),
                "channels": dice.pick(0, 0, 1),
                "bus": "",
            }
        )


def _limit_idle_power(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Put the power cap next to what is always on, and let some tasks take no time."""
    devices, options = frames["devices"], frames["options"]
    devices["off_when_unused"] = [dice.chance(0.3) for _ in range(len(devices))]
    idle = [
        Fraction(repr(float(w))) * int(n)
        for w, n, off in zip(
            devices["idle_power_w"], devices["count_min"], devices["off_when_unused"], strict=True
        )
        if not off
    ]
    settings["power_cap_w"] = float(sum(idle, Fraction(0)) + dice.pick(0, 0, 1, 4, 10, -1))
    if settings["power_cap_w"] <= 0:
        settings["power_cap_w"] = 0.5
    share = dice.pick(0.0, 0.5, 1.0)
    still = np.array([dice.chance(share) for _ in range(len(options))])
    options.loc[still, ["time_s", "energy_j"]] = 0.0


def _free_of_orders(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Leave all orders out, and let many tasks run at once."""
    frames.pop("transfers", None)
    devices, options = frames["devices"], frames["options"]
    devices["slots"] = dice.pick(1, 2, 4)
    if dice.chance(0.5):
        # Slow and cheap beside fast and dear, and nothing that limits time.
        devices["idle_power_w"] = 0.0
        frames["jobs"]["deadline_s"] = np.inf
        settings.pop("horizon_s", None)
        options = options[options["label"] == "slow"]
        fast = options.assign(
            label="fast", time_s=options["time_s"] * 2, energy_j=options["energy_j"] / 2
        )
        frames["options"] = pd.concat([options, fast], ignore_index=True)


def _leave_no_room(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Leave one device and one option a task, and a deadline without a tick to spare."""
    frames.pop("transfers", None)
    frames.pop("uses", None)
    frames.pop("resources", None)
    device = str(frames["devices"]["name"][0])
    options = frames["options"].drop_duplicates("profile").assign(device=device)
    whole_tick = tick * 3 if tick.denominator % 3 == 0 else tick
    options.loc[options["time_s"] == 0, "time_s"] = float(whole_tick)
    frames["options"] = options
    frames["devices"][["slots", "count_min", "count_max"]] = 1
    frames["tasks"]["pin"] = ""
    frames["tasks"]["forbid"] = [[] for _ in frames["tasks"].index]
    time = {
        p: Fraction(repr(float(t)))
        for p, t in zip(options["profile"], options["time_s"], strict=True)
    }
    whole = sum(
        time[p] * Fraction(repr(float(w)))
        for p, w in zip(frames["tasks"]["profile"], frames["tasks"]["work"], strict=True)
    )
    frames["jobs"]["release_s"] = 0.0
    frames["jobs"]["deadline_s"] = float(whole)
    settings.pop("horizon_s", None)


def _repeat(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Repeat the jobs of small instances twice over the horizon."""
    if len(frames["tasks"]) > 2 or _priced(settings):
        return
    thirds = tick.denominator % 3 == 0  # a third of a tick has no last decimal
    period = tick * (6 if thirds else dice.whole(3, 7))
    frames["jobs"]["period_s"] = float(period)
    frames["jobs"]["release_s"] = 0.0
    settings["horizon_s"] = float(2 * period)
    for name in ("deadline_s", "due_s"):
        limit = frames["jobs"][name]
        frames["jobs"][name] = np.where(np.isfinite(limit), limit.clip(upper=float(period)), limit)


def _miss_ticks(dice: Dice, frames: Frames, settings: dict[str, Any], tick: Fraction) -> None:
    """Move deadlines and the horizon off the ticks, which then cannot be used to the full."""

    def moved(value: float) -> float:
        if not np.isfinite(value):
            return value
        part = Fraction(dice.pick("0.5", "0.37", "1e-6"))
        return float(Fraction(repr(float(value))) + part * tick)

    if "period_s" in frames["jobs"] or _priced(settings):
        return
    frames["jobs"]["deadline_s"] = [moved(v) for v in frames["jobs"]["deadline_s"]]
    if "horizon_s" in settings:
        settings["horizon_s"] = moved(settings["horizon_s"])


def _priced(settings: dict[str, Any]) -> bool:
    """Whether prices change over time: the oracle tries all starts then."""
    return any(isinstance(settings.get(n), list) for n in ("energy_price_per_j", "carbon_kg_per_j"))


def _rescale(frames: Frames, settings: dict[str, Any], factor: Fraction) -> None:
    """Count every time in another unit of time; powers, and prices of joules, stay."""

    def scaled(value: float, by: Fraction) -> float:
        return float(Fraction(repr(float(value))) * by) if np.isfinite(value) else value

    for tables, by in ((TIMES, factor), (ENERGIES, factor)):
        for name, columns in tables.items():
            for column in columns if name in frames else ():
                if column in frames[name]:
                    frames[name][column] = [scaled(v, by) for v in frames[name][column]]
    for name in ("links", "networks"):
        if name in frames:
            width = frames[name]["bandwidth_b_per_s"]
            frames[name]["bandwidth_b_per_s"] = [scaled(v, 1 / factor) for v in width]
    if "horizon_s" in settings:
        settings["horizon_s"] = scaled(settings["horizon_s"], factor)
    for pieces in settings.values():
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict):
                piece["from_s"] = scaled(piece["from_s"], factor)
