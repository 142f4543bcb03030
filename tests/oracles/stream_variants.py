"""Streams in unusual variants: numbers far apart, stages in order, ways of solving that are forced.

`random_stream` draws instances of the size that users have, which are solved by the way that fits
them. Here the same instances get numbers that span ten orders of magnitude, jobs whose stages are
in order, and are solved by every method, over routes that are generated, columns that are tabulated
and packings that are chosen although they could be listed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.steady import solve
from hetopt.steady.placement.search import annealing
from hetopt.steady.program import search
from hetopt.steady.routes import single_task_routes
from hetopt.steady.routes.packings import TooManyPackingsError
from hetopt.steady.routes.routes import TooManyRoutesError
from tests.random_schedules import Dice
from tests.random_streams import SINGLE, random_stream

LIMIT_SLACK = 1e-7
"""Relative room by which limits are moved for the two oracles where numbers are far apart."""


@dataclass(frozen=True)
class Variant:
    """How a stream is solved.

    ``slack`` is above 0 where only oracles in fractions, with moved limits, can judge; ``forced``
    names a way of solving; ``proven`` says whether a proof is expected.
    """

    instance: Instance
    method: str = "auto"
    mip_solver: str = "highs"
    forced: str = ""
    slack: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether the optimum must be proven."""
        exact = self.forced in ("", "stages") and not self.slack
        return exact and self.method != "heuristic" and self.mip_solver == "highs"


def stream_variant(seed: int, often: str = "") -> Variant:
    """Return the variant of a seed; about a third are plain. ``often``: see `random_stream`."""
    instance = random_stream(seed, often)
    dice = Dice(np.random.default_rng([seed, 11]))
    if dice.chance(0.3):
        return Variant(instance)
    slack = 0.0
    if not len(instance.scenarios) and dice.chance(0.45):
        instance, slack = _stretched(instance, dice)
    if instance.routing == SINGLE and dice.chance(0.6):
        instance = _remade(instance, {"jobs": {"contiguous": True}}) or instance
    exact = "cpsat" if instance.routing == SINGLE else "mip"
    method = dice.pick("auto", "auto", exact, "heuristic")
    forced = ""
    if instance.routing == SINGLE:
        forced = dice.pick("", "stages", "stages")
    elif not len(instance.scenarios):
        forced = dice.pick("", "", "routes", "routes", "packings", "columns")
    solver = "cbc" if dice.chance(0.03) and instance.routing != SINGLE else "highs"
    return Variant(instance, method, solver, forced, slack)


@contextlib.contextmanager
def forcing(variant: Variant) -> Iterator[None]:
    """Solve by the way that a variant names."""
    with contextlib.ExitStack() as stack:
        if variant.forced == "stages":
            # The annealing that follows would use up its share of the time.
            stack.enter_context(mock.patch.object(annealing._Search, "anneal"))
            stack.enter_context(mock.patch.object(annealing, "LEAST_TASKS", 1))
            stack.enter_context(mock.patch.object(annealing, "_ready", return_value=True))
        if variant.forced == "routes":
            stack.enter_context(
                mock.patch.object(solve, "enumerate_routes", _raising(TooManyRoutesError))
            )
        if variant.forced == "packings":
            plain = search.unit_kinds
            memory = variant.instance.devices.memory_b

            def few_only(instance: Instance, routes: Any, *, few: bool = False) -> Any:
                if not few and np.array_equal(instance.devices.memory_b, memory):
                    raise TooManyPackingsError("forced")
                return plain(instance, routes, few=few)

            if np.isfinite(memory).any():
                stack.enter_context(mock.patch.object(search, "unit_kinds", few_only))
        if variant.forced == "columns":
            stack.enter_context(mock.patch.object(single_task_routes, "MANY", 1))
        yield


def _raising(error: type[Exception]) -> Any:
    def raise_it(*_: Any, **__: Any) -> None:
        raise error("forced")

    return raise_it


def _stretched(instance: Instance, dice: Dice) -> tuple[Instance, float]:
    """Bring costs, rates or amounts of an instance many orders of magnitude apart."""
    frames, settings = to_frames(instance), to_settings(instance)
    exponents = (3, 6, 9, 10) if dice.chance(0.7) else (-10, -6, -3)
    for _ in range(dice.pick(1, 1, 2)):
        factor = 10.0 ** dice.pick(*exponents)
        kind = dice.pick("energy", "energy", "rate", "idle", "price")
        if kind == "energy":
            options = frames["options"]
            row = dice.whole(0, len(options) - 1)
            options.loc[options.index[row], "energy_j"] *= factor
        elif kind == "rate":
            # A job of more requests that take less time each.
            jobs, tasks = frames["jobs"], frames["tasks"]
            row = dice.whole(0, len(jobs) - 1)
            if "rate_per_s" in jobs and instance.limits.demand_known and "share" not in jobs:
                jobs.loc[jobs.index[row], "rate_per_s"] *= factor
                mine = tasks["job"] == jobs["name"].iloc[row]
                work = tasks.get("work", 1.0)
                tasks["work"] = np.where(mine, work / factor, work)
        elif kind in ("idle", "price"):
            column = "idle_power_w" if kind == "idle" else "price_per_s"
            devices = frames["devices"]
            if column in devices:
                row = dice.whole(0, len(devices) - 1)
                devices[column] = devices[column].astype(float)
                devices.loc[devices.index[row], column] *= factor
    try:
        made = from_frames(frames, settings)
        check_question(made)
    except InputError:
        return instance, 0.0
    return made, LIMIT_SLACK


def _remade(instance: Instance, columns_of: dict[str, dict[str, Any]]) -> Instance | None:
    frames = to_frames(instance)
    for table, values in columns_of.items():
        for column, value in values.items():
            frames[table][column] = value
    try:
        made = from_frames(frames, to_settings(instance))
        check_question(made)
    except InputError:
        return None
    return made


def huge_fleet(seed: int) -> tuple[Instance, float, float]:
    """Return streams that need units by the billion, with their least power but for whole units.

    A request takes the option with the least energy and idle power of the time that it takes. With
    whole units each device has at most one unit more on. Throughput is asked for in some: then the
    power is a cap, and the values are those of the throughput.

    Returns
    -------
    tuple
        The instance, a value that no plan is better than, and one that a plan reaches.
    """
    rng = np.random.default_rng([seed, 12])
    names = ["cpu", "gpu", "npu"][: int(rng.integers(1, 4))]
    idle = {name: float(f"{10.0 ** rng.uniform(-3, 3):.3g}") for name in names}
    slots = {name: int(rng.integers(1, 3)) for name in names}
    frames: dict[str, Any] = {
        "devices": [
            {"name": n, "count_min": 0, "count_max": -1, "idle_power_w": idle[n], "slots": slots[n]}
            for n in names
        ],
        "options": [],
        "tasks": [],
        "jobs": [],
    }
    power = 0.0
    for j in range(int(rng.integers(1, 4))):
        rate = float(f"{10.0 ** rng.uniform(9, 13):.6g}")
        frames["jobs"].append({"name": f"j{j}", "rate_per_s": rate})
        frames["tasks"].append({"name": f"j{j}", "job": f"j{j}", "profile": f"j{j}"})
        least = np.inf
        for name in names:
            time = float(f"{10.0 ** rng.uniform(-1, 1):.3g}")
            energy = float(f"{10.0 ** rng.uniform(-6, 6):.3g}")
            option = {"profile": f"j{j}", "device": name, "time_s": time, "energy_j": energy}
            frames["options"].append(option)
            least = min(least, energy + idle[name] * time / slots[name])
        power += rate * least
    settings: dict[str, Any] = {"regime": "steady", "objective": "power"}
    whole = float(sum(idle.values()))
    best, sure = power, power + whole
    if rng.random() < 0.4:
        served = sum(row["rate_per_s"] for row in frames["jobs"])
        settings |= {"objective": "throughput", "power_cap_w": power}
        best, sure = served, served * (1.0 - whole / power)
    tables = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    return from_frames(tables, settings), best, sure
