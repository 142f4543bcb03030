"""Quantities of a plan for several scenarios: those of each, and their means by weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar

from hetopt.errors import InputError
from hetopt.evaluate.queueing import queue_rows
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan

MEANS = (
    *("power_w", "power_options_w", "power_transfers_w", "idle_power_w"),
    *("cost_per_s", "cost_units_per_s", "cost_energy_per_s", "carbon_kg_per_s"),
)


class ScenarioQuantities:
    """Quantities of one plan with a part per scenario.

    Power, cost, carbon and accuracy are means by weight (accuracy over the scenarios that have
    one), the scale θ is the least of all scenarios, latency and worst power are the largest.

    Parameters
    ----------
    instance
        An instance with scenarios.
    plan
        A plan for each of them.

    Raises
    ------
    InputError
        If the plan has another number of scenarios.
    """

    OBJECTIVES: ClassVar[dict[str, str]] = SteadyQuantities.OBJECTIVES

    def __init__(self, instance: Instance, plan: ScenarioPlan) -> None:
        if len(plan.plans) != len(instance.scenarios):
            raise InputError(
                f"The instance has {len(instance.scenarios)} scenarios; the plan is for "
                f"{len(plan.plans)}."
            )
        self.instance = instance
        self.parts = [
            SteadyQuantities(instance.in_scenario(s), part) for s, part in enumerate(plan.plans)
        ]

    @cached_property
    def scale(self) -> float:
        """θ: the least over scenarios and jobs of served / demanded rate."""
        return min(part.scale for part in self.parts)

    @cached_property
    def throughput_per_s(self) -> float:
        """θ × the mean over scenarios of the sum of demanded rates."""
        rates = self.instance.scenarios.rate_per_s.sum(axis=1)
        return self.scale * float(self.instance.scenarios.share @ rates)

    @property
    def power_w(self) -> float:
        """Mean power."""
        return self._mean(lambda part: part.power_w)

    @property
    def cost_per_s(self) -> float:
        """Mean cost."""
        return self._mean(lambda part: part.cost_per_s)

    @property
    def carbon_kg_per_s(self) -> float:
        """Mean carbon."""
        return self._mean(lambda part: part.carbon_kg_per_s)

    @property
    def value_per_s(self) -> float:
        """Mean worth of what is served."""
        return self._mean(lambda part: part.value_per_s)

    @property
    def accuracy(self) -> float:
        """Mean accuracy over the scenarios that have one; NaN where none has."""
        return self._mean(lambda part: part.accuracy)

    def as_dict(self) -> dict[str, Any]:
        """Return all quantities as plain values, rows of tables with their ``scenario``."""
        tables = [part.as_dict() | queue_rows(part) for part in self.parts]
        names, when = [str(name) for name in self.instance.scenarios.name], self.instance.when
        latency = [t["latency_s"] for t in tables if t["latency_s"] is not None]
        whole: dict[str, Any] = {
            "throughput_per_s": plain(self.throughput_per_s),
            "scale": plain(self.scale),
            "latency_s": max(latency, default=None),
            "accuracy": plain(self.accuracy),
        }
        whole |= {name: plain(self._mean(attrgetter(name))) for name in MEANS}
        if self.instance.jobs.value.any():
            whole["value_per_s"] = plain(self.value_per_s)
        whole["worst_power_w"] = max(t["worst_power_w"] for t in tables)
        rows = [name for name, value in tables[0].items() if isinstance(value, list)]
        for name in rows:
            whole[name] = [
                {when: scenario} | row
                for scenario, table in zip(names, tables, strict=True)
                for row in table[name]
            ]
        weights = self.instance.scenarios.weight.tolist()
        whole[f"{when}s"] = [
            {when: name, "weight": weight}
            | {key: value for key, value in table.items() if not isinstance(value, list)}
            for name, weight, table in zip(names, weights, tables, strict=True)
        ]
        return whole

    def _mean(self, value: Callable[[SteadyQuantities], float]) -> float:
        """Mean by weight over the scenarios in which the value exists."""
        pairs = [
            (float(w), value(part))
            for w, part in zip(self.instance.scenarios.weight, self.parts, strict=True)
        ]
        pairs = [(w, v) for w, v in pairs if w > 0 and not math.isnan(v)]
        if not pairs:
            return math.nan
        return math.fsum(w * v for w, v in pairs) / math.fsum(w for w, _ in pairs)


def plain(value: float) -> float | None:
    """Return a number, or None where it is none."""
    return value if math.isfinite(value) else None
