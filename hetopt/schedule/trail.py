"""What each step of a solve reached, told in one note."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hetopt.evaluate.with_units import quantity
from hetopt.instance import Instance


@dataclass(slots=True)
class Trail:
    """The steps of a solve in their order, and what each level's bound follows from.

    Attributes
    ----------
    steps
        (level, name of the step, objective of that level known afterwards, NaN: no plan).
    bound_by
        Per level: what gave its best bound.
    """

    steps: list[tuple[int, str, float]] = field(default_factory=list)
    bound_by: dict[int, str] = field(default_factory=dict)

    def add(self, level: int, name: str, value: float) -> None:
        """Note that a step is over, and what is known now."""
        self.steps.append((level, name, value))

    def told(self, instance: Instance, bounds: tuple[float, ...]) -> str:
        """Return the note; empty where no step ran."""
        parts = []
        for level, objective in enumerate(instance.objective):
            steps = [(name, value) for at, name, value in self.steps if at == level]
            if not steps:
                continue
            said, known = [], math.nan
            for name, value in steps:
                said.append(f"{name} {_reached(instance, objective, value, known)}")
                known = value
            text = ", ".join(said)
            if not math.isnan(bounds[level]):
                by = self.bound_by.get(level, "")
                text += f"; bound {quantity(instance, objective, bounds[level])}"
                text += f" from {by}" if by else ""
            parts.append(f"{objective}: {text}" if len(instance.objective) > 1 else text)
        return f"Steps: {'. '.join(parts)}." if parts else ""


def _reached(instance: Instance, objective: str, value: float, known: float) -> str:
    if math.isnan(value):
        return "no plan"
    return "nothing better" if value == known else quantity(instance, objective, value)
