"""What a program of streams is asked, and what several programs share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.joule_prices import any_joule_price


@dataclass(frozen=True, slots=True)
class Question:
    """Which quantities matter: what may be left out of the model where nothing sees it."""

    throughput: bool
    value: bool
    power: bool
    price: bool
    switching: bool

    @staticmethod
    def of(instance: Instance) -> Question:
        """Read it from objective and limits."""
        limits, names = instance.limits, instance.objective
        money = "cost" in names or np.isfinite(limits.budget_per_s)
        watts = bool(np.isfinite(limits.power_cap_w)) or "power" in names or "carbon" in names
        return Question(
            throughput="throughput" in names,
            value="value" in names,
            power=watts or bool(money and any_joule_price(instance, "cost")),
            price=bool(money),
            switching=len(instance.periods) > 0,
        )


@dataclass(frozen=True, slots=True)
class Joint:
    """What the programs of several scenarios share (`hetopt.steady.program.joint`).

    Attributes
    ----------
    problem
        The problem that all of them are part of.
    prefix
        Begins the names of this one's variables and rows.
    theta
        The variable θ, None where the demand is fixed.
    unit
        What θ = 1 stands for, as a multiple of the demanded rates.
    price
        What follows the names of prices of joules that are this one's own.
    blank
        Devices of which it counts whether units that are on hold weights or none.
    kept
        Devices with units that are on before the first of periods, and need not go off.
    """

    problem: Any
    prefix: str
    question: Question
    theta: Any
    unit: float
    price: str = ""
    blank: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
