"""Random tiny schedule instances by seed, features of docs/quantities.md on in some."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question

KB = 1000.0
OBJECTIVES = ("energy", "makespan", "cost", "carbon", "tardiness", "peak_power", "accuracy")
LIKELY = (0.3, 0.2, 0.1, 0.05, 0.15, 0.12, 0.08)


Twist = Callable[[dict[str, pd.DataFrame], dict[str, Any], Fraction], Fraction]
"""Changes tables and settings in place, given the tick of all times; returns the new one."""


def random_schedule(seed: int, twist: Twist | None = None) -> tuple[Instance, Fraction]:
    """Return an instance of at most 4 tasks, and the tick that all its times are multiples of."""
    rng = np.random.default_rng([seed, 1])
    # Draws of their own, so that what seeds made before stays as it was.
    supplies = Dice(np.random.default_rng([seed, 3]))
    sites = Dice(np.random.default_rng([seed, 8]))
    while True:
        made = _attempt(rng, supplies, sites, twist)
        if made is not None:
            return made


class Dice:
    """Short names for draws."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def whole(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


def _attempt(
    rng: np.random.Generator, supplies: Dice, sites: Dice, twist: Twist | None
) -> tuple[Instance, Fraction] | None:
    dice = Dice(rng)
    unit = dice.pick(1.0, 1.0, 0.1, 0.001)
    thirds = dice.chance(0.1)
    tick = Fraction(repr(unit)) / (3 if thirds else 1)
    n = dice.pick(1, 2, 2, 3, 3, 3, 4)
    memory = dice.chance(0.35)
    objective = _objective(dice)
    accuracy = "accuracy" in objective or dice.chance(0.15)
    devices, pools = _devices(dice, n, memory, unit)
    links = _links(dice, devices["name"], unit, thirds)
    options = _options(dice, n, devices, unit, memory, accuracy)
    jobs = _jobs(dice, n, unit, accuracy, "tardiness" in objective)
    tasks = _tasks(dice, n, options, devices, jobs)
    transfers = _transfers(dice, n)
    settings = _settings(dice, unit, objective, devices, tasks["name"])
    settings |= _prices_over_time(dice, unit, objective, len(tasks["name"]))
    frames = {
        "devices": pd.DataFrame(devices),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame(tasks),
        "jobs": pd.DataFrame(jobs),
    }
    for name, table in (("links", links), ("transfers", transfers), ("pools", pools)):
        if table:
            frames[name] = pd.DataFrame(table)
    frames |= random_resources(supplies, options, len(tasks["name"]), 1.0)
    if links:
        random_sites(sites, frames, settings, links[0])
    if any(row["staged"] for row in transfers):
        settings["host"] = devices["name"][0]
    if twist is not None:
        tick = twist(frames, settings, tick)
    try:
        instance = from_frames(frames, settings)
        check_question(instance)
    except InputError:
        # An objective without the figures that it needs and the like: draw again.
        return None
    return instance, tick


def random_sites(
    dice: Dice, frames: dict[str, pd.DataFrame], settings: dict[str, Any], link: dict[str, Any]
) -> None:
    """Put the devices of a third of the draws at two sites, with what may come of it.

    ``link`` is a link whose figures suit the instance.
    """
    if not dice.chance(0.35):
        return
    names = ["here", "there"]
    timed = [isinstance(settings.get(n), list) for n in ("energy_price_per_j", "carbon_kg_per_j")]

    def some(*values: float, unless: bool) -> list[float]:
        return [np.nan if unless or dice.chance(0.4) else dice.pick(*values) for _ in names]

    frames["sites"] = pd.DataFrame(
        {
            "name": names,
            "energy_price_per_j": some(0.0, 0.5, 2.0, unless=timed[0]),
            "carbon_kg_per_j": some(0.0, 0.25, 1.0, unless=timed[1]),
            "pue": some(1.0, 1.25, 2.0, unless=any(timed)),
        }
    )
    frames["devices"]["site"] = [
        dice.pick("here", "there", "there", "") for _ in range(len(frames["devices"]))
    ]
    if dice.chance(0.5):
        figures = {k: link[k] for k in ("bandwidth_b_per_s", "latency_s", "energy_j_per_b")}
        ends = dice.pick(("here", "there"), ("there", "there"), ("there", "here"))
        frames["networks"] = pd.DataFrame(
            [
                {
                    "from": ends[0],
                    "to": ends[1],
                    **figures,
                    "channels": dice.pick(1, 1, 2, 0),
                    "both_ways": dice.chance(0.5),
                }
            ]
        )
    if dice.chance(0.4):
        frames["tasks"]["allowed_sites"] = [
            dice.pick([], [], ["here"], ["there"], ["here", "there"])
            for _ in range(len(frames["tasks"]))
        ]


def random_resources(
    dice: Dice, options: list[dict[str, Any]], n: int, size: float
) -> dict[str, pd.DataFrame]:
    """Return tables of resources and of their uses, in a third of the draws.

    Parameters
    ----------
    n, size
        Tasks, and the scale of capacities and budgets beside that of amounts.
    """
    if not dice.chance(0.35):
        return {}
    unit = dice.pick(1.0, 1.0, 0.1, 0.7)
    resources, uses = [], []
    for k in range(dice.pick(1, 1, 2)):
        kind = dice.pick("renewable", "renewable", "budget", "both")
        capacity = dice.pick(1, 2, 3, 4) if kind != "budget" else np.inf
        budget = dice.whole(n, 3 * n) if kind != "renewable" else np.inf
        name = f"r{k}"
        resources.append(
            {
                "name": name,
                "capacity": float(f"{capacity * unit * size:.6g}"),
                "budget": float(f"{budget * unit * size:.6g}"),
            }
        )
        uses += [
            {
                **{key: row[key] for key in ("profile", "device", "label")},
                "resource": name,
                "amount": round(dice.pick(0, 1, 1, 2, 3) * unit, 9),
            }
            for row in options
            if dice.chance(0.8)
        ]
    frames = {"resources": pd.DataFrame(resources), "uses": pd.DataFrame(uses)}
    return {name: frame for name, frame in frames.items() if len(frame)}


def _objective(dice: Dice) -> list[str]:
    first = str(dice.rng.choice(OBJECTIVES, p=LIKELY))
    if not dice.chance(0.25):
        return [first]
    return [first, str(dice.rng.choice([o for o in OBJECTIVES if o != first]))]


def _devices(dice: Dice, n: int, memory: bool, unit: float) -> tuple[dict[str, Any], Any]:
    wide = dice.whole(1, 3)
    most = 3 if n == 4 else 4
    pools = []
    if dice.chance(0.25):
        pools.append(
            {
                "name": "dram",
                "memory_b": dice.pick(5, 8, 12) * KB if memory else np.inf,
                "zero_copy": dice.chance(0.6),
            }
        )
    rows = []
    for d in range(wide):
        left = max(1, most - sum(r["count_max"] for r in rows) - (wide - 1 - d))
        high = dice.whole(1, min(2, left))
        rows.append(
            {
                "name": f"{'cgnf'[d]}pu",
                "kind": ("cpu", "gpu", "npu")[d],
                "count_min": dice.pick(high, high, high, 0, 1),
                "count_max": high,
                "slots": dice.pick(1, 1, 1, 2),
                "idle_power_w": dice.pick(0, 0.5, 1, 2, 3.3),
                "off_when_unused": dice.chance(0.7),
                "overlap": dice.chance(0.75),
                "price_per_s": dice.pick(0.0, 0.5, 2.0),
                "memory_b": dice.pick(np.inf, 4 * KB, 6 * KB, 9 * KB) if memory else np.inf,
                "memory_pool": "dram" if pools and dice.chance(0.6) else "",
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}, pools


def _links(dice: Dice, names: list[str], unit: float, thirds: bool) -> list[dict[str, Any]]:
    density = dice.pick(0.4, 0.8, 1.0)
    contended = dice.chance(0.4)
    bus = contended and dice.chance(0.4)
    channels = dice.pick(1, 1, 2)
    speed = KB / unit * (3 if thirds else 1)
    rows = []
    for a in names:
        for b in names:
            if not dice.chance(density if a != b else 0.5):
                continue
            for _ in range(2 if dice.chance(0.1) else 1):
                own = contended and dice.chance(0.7)
                rows.append(
                    {
                        "from": a,
                        "to": b,
                        "bandwidth_b_per_s": dice.pick(speed, speed, np.inf),
                        "latency_s": round(dice.pick(0, 0, 1, 2) * unit, 9),
                        "energy_j_per_b": dice.pick(0, 0, 0.0002, 0.001),
                        "channels": channels if own else 0,
                        "bus": "bus" if own and bus else "",
                    }
                )
    return rows


def _options(
    dice: Dice, n: int, devices: dict[str, Any], unit: float, memory: bool, accuracy: bool
) -> list[dict[str, Any]]:
    rows = []
    models = ["", "", "shared"] if memory else [""]
    sizes = {(m, v): dice.whole(1, 3) * KB for m in ("shared",) for v in ("a", "b")}
    for r in range(dice.whole(max(1, n - 1), n)):
        names = [d for d in devices["name"] if dice.chance(0.75)] or [dice.pick(*devices["name"])]
        with_weights = memory and dice.chance(0.6)
        stated = accuracy and dice.chance(0.85)
        for name in names:
            for k in range(2 if dice.chance(0.3) else 1):
                ticks = dice.pick(0, 1, 1, 2, 2, 3, 3, 4, 5)
                row: dict[str, Any] = {
                    "profile": f"p{r}",
                    "device": name,
                    "label": ("slow", "fast")[k],
                    "time_s": round(ticks * unit, 9),
                    "energy_j": round(dice.whole(0, 30) / 2 * unit, 9) if ticks else 0.0,
                    "memory_b": dice.pick(0, 0, 1, 2) * KB if memory else 0.0,
                    "weights_b": 0.0,
                    "model": "",
                    "variant": "",
                    "accuracy": dice.pick(0.5, 0.7, 0.75, 0.9) if stated else np.nan,
                }
                if with_weights:
                    row["model"] = dice.pick(*models)
                    if row["model"]:
                        row["variant"] = dice.pick("a", "b")
                        row["weights_b"] = sizes[row["model"], row["variant"]]
                    else:
                        row["model"], row["variant"] = f"m{r}{k}", name
                        row["weights_b"] = dice.whole(0, 3) * KB
                rows.append(row)
    return rows


def _jobs(dice: Dice, n: int, unit: float, accuracy: bool, due: bool) -> list[dict[str, Any]]:
    rows = []
    for j in range(dice.pick(1, 1, 2) if n > 1 else 1):
        release = dice.pick(0, 0, 0, 1, 3)
        rows.append(
            {
                "name": f"j{j}",
                "release_s": round(release * unit, 9),
                "deadline_s": round((release + dice.whole(4, 12)) * unit, 9)
                if dice.chance(0.4)
                else np.inf,
                "due_s": round((release + dice.whole(1, 6)) * unit, 9)
                if due and (j == 0 or dice.chance(0.6))
                else np.inf,
                "weight": dice.pick(1.0, 1.0, 2.0, 0.5),
                "min_accuracy": dice.pick(0.0, 0.6, 0.7) if accuracy and dice.chance(0.3) else 0.0,
            }
        )
    return rows


def _tasks(
    dice: Dice,
    n: int,
    options: list[dict[str, Any]],
    devices: dict[str, Any],
    jobs: list[dict[str, Any]],
) -> dict[str, list[Any]]:
    profiles = list(dict.fromkeys(row["profile"] for row in options))
    columns: dict[str, list[Any]] = {
        "name": [f"t{t}" for t in range(n)],
        "profile": [dice.pick(*profiles) for _ in range(n)],
        "work": [dice.pick(1.0, 1.0, 1.0, 2.0) for _ in range(n)],
        "job": [dice.pick(*jobs)["name"] for _ in range(n)],
        "pin": [""] * n,
        "forbid": [[] for _ in range(n)],
    }
    for t in range(n):
        d = dice.whole(0, len(devices["name"]) - 1)
        if dice.chance(0.1):
            columns["pin"][t] = devices["name"][d]
            if dice.chance(0.5):
                columns["pin"][t] += f"#{dice.whole(0, devices['count_max'][d] - 1)}"
        elif dice.chance(0.1):
            columns["forbid"][t] = [devices["name"][d]]
    return columns


def _transfers(dice: Dice, n: int) -> list[dict[str, Any]]:
    rows = []
    density = dice.pick(0.0, 0.4, 0.7)
    shared = dice.chance(0.4)
    staged = shared and dice.chance(0.5)
    for a in range(n):
        size = dice.pick(0, 1, 1, 2, 3) * KB
        for b in range(a + 1, n):
            if not dice.chance(density):
                continue
            row: dict[str, Any] = {
                "from": f"t{a}",
                "to": f"t{b}",
                "bytes": np.nan,
                "tensor": "",
                "staged": False,
            }
            kind = dice.pick("precedence", "message", "tensor" if shared else "message", "tensor")
            if kind == "message":
                row["bytes"] = dice.pick(1, 1, 2, 3) * KB
                row["staged"] = staged and dice.chance(0.3)
            elif kind == "tensor" and shared:
                row |= {"bytes": size, "tensor": f"x{a}", "staged": staged}
            rows.append(row)
    return rows


def _prices_over_time(
    dice: Dice, unit: float, objective: list[str], n: int
) -> dict[str, list[dict[str, float]]]:
    """Prices that change, in some of the instances that they matter for.

    Few tasks only, as the oracle has to try all starts.
    """
    found = {}
    for name, setting, field, levels in (
        ("cost", "energy_price_per_j", "price_per_j", (0.0, 0.25, 0.5, 1.0, 3.0)),
        ("carbon", "carbon_kg_per_j", "kg_per_j", (0.0, 0.125, 0.25, 0.5)),
    ):
        if name not in objective or n > 3 or not dice.chance(0.6):
            continue
        at, pieces = 0, []
        for _ in range(dice.whole(2, 4)):
            pieces.append({"from_s": round(at * unit, 9), field: dice.pick(*levels)})
            at += dice.whole(1, 4)
        found[setting] = pieces
    return found


def _settings(
    dice: Dice, unit: float, objective: list[str], devices: dict[str, Any], tasks: list[str]
) -> dict[str, Any]:
    settings: dict[str, Any] = {"regime": "schedule", "objective": objective}
    if dice.chance(0.3):
        settings["horizon_s"] = round(dice.whole(7, 14) * unit, 9)
    if dice.chance(0.25):
        idle = sum(
            w * c for w, c in zip(devices["idle_power_w"], devices["count_max"], strict=True)
        )
        settings["power_cap_w"] = round(dice.pick(0.5, 1.0) * idle + dice.whole(4, 20), 3)
    if "cost" in objective or dice.chance(0.2):
        settings["energy_price_per_j"] = dice.pick(0.25, 1.0)
        settings["pue"] = dice.pick(1.0, 1.5)
    if "carbon" in objective:
        settings["carbon_kg_per_j"] = 0.125
        settings["pue"] = dice.pick(1.0, 1.5)
    for kind, chance in (("together", 0.12), ("apart", 0.12)):
        if len(tasks) > 1 and dice.chance(chance):
            size = dice.whole(2, min(3, len(tasks)))
            settings[kind] = [[str(t) for t in dice.rng.permutation(tasks)[:size]]]
    return settings
