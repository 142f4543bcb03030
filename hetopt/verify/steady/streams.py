"""The streams of a plan, and the numbers that the checker counts in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.verify.exact import fraction
from hetopt.verify.report import Mode
from hetopt.verify.steady.routes import Number, Route


@dataclass(frozen=True, slots=True)
class Stream:
    """A readable route of the plan: its row, job, rate, (task, option, unit) rows and costs.

    ``least`` is the least part of full speed at which each row's option runs.
    """

    row: int
    job: int
    rate: Number
    rows: list[tuple[int, int, int]]
    cost: Route
    least: list[Number]

    @property
    def used(self) -> bool:
        """Whether requests take it."""
        return bool(self.rate > 0)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Exact fractions for small plans, floats for others."""

    mode: Mode

    def number(self, value: float | Fraction) -> Number:
        """Return a finite number in the form to calculate with."""
        if self.mode == "float":
            return float(value)
        return value if isinstance(value, Fraction) else fraction(value)


def names_units(instance: Instance, device: int) -> bool:
    """Whether plans must name the units of a device.

    Where memory is limited, units have different configurations, or a job has one placement.
    """
    pool = int(instance.devices.pool[device])
    limited = np.isfinite(instance.devices.memory_b[device]) or (
        pool >= 0 and np.isfinite(instance.pools.memory_b[pool])
    )
    if bool(limited) or instance.routing == "single":
        return True
    own = instance.options.configuration[instance.options.device == device]
    return len(np.unique(own[own != ""])) > 1


def working_units(instance: Instance, serves: Bools, on: Ints, had: Ints) -> Ints:
    """Return the units that the work must fit where spare units are to be left over (length D).

    A device that serves requests keeps its last ``spare`` units had out of use.
    """
    left = had - np.where(serves, instance.devices.spare, 0)
    working: Ints = np.maximum(np.minimum(on, left), 0)
    return working
