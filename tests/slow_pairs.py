"""Small instances in which a resource slows what runs, for tests, and plans of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hetopt import Model
from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan

Demand = tuple[float, float] | tuple[float, float, float]
"""Time and demand of a task, and its energy."""


def sharing(
    tasks: Sequence[Demand], *, capacity: float = 100.0, loss: float = 0.0, **settings: Any
) -> Instance:
    """Tasks t0, t1, ... with one option each, on a device with a slot for each of them."""
    settings = {"objective": "makespan"} | settings
    m = Model("sharing", **settings)
    m.resource("dram", capacity=capacity, sharing="slow", loss=loss)
    device = m.device("soc", slots=len(tasks))
    for i, (time, demand, *energy) in enumerate(tasks):
        uses = {"dram": demand} if demand else {}
        drawn = energy[0] if energy else 0.0
        m.task(f"t{i}", options=[device.option(time=time, energy=drawn, uses=uses)])
    return m.build()


def started(instance: Instance, starts: Sequence[float]) -> SchedulePlan:
    """Return the plan in which each task takes its first option on unit 0 at its time."""
    option = instance.profiles.ptr[instance.tasks.profile]
    return SchedulePlan(
        option.astype(np.int64),
        np.zeros(len(option), dtype=np.int64),
        np.array(starts, dtype=np.float64),
        Hops.empty(),
    )
