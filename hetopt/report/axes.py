"""Axes of pictures: round numbers along them, in the unit that people read."""

from __future__ import annotations

import math

from hetopt.instance import Instance

HOUR = 3600.0


def ticks(low: float, high: float, most: int = 6, factor: float = 1.0) -> list[float]:
    """Return round values within a range: steps of 1, 2, 2.5 or 5 times a power of ten.

    Parameters
    ----------
    low, high
        The range.
    most
        Most values.
    factor
        How many of the unit shown are in one of the values, so that they are round as shown.
    """
    spread = (high - low) * factor
    if not spread > 0 or not math.isfinite(spread):
        return [low]
    rough = spread / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low * factor / step - 1e-9)
    last = math.floor(high * factor / step + 1e-9)
    return [k * step / factor for k in range(first, last + 1)]


def shown_per_si(instance: Instance, name: str) -> float:
    """Return how many of the unit that an objective is shown in are in one of SI, as to powers."""
    if instance.regime == "steady" and (name == "carbon" or (name == "cost" and instance.currency)):
        return HOUR
    return 1.0


def fitted(text: str, letters: float) -> str:
    """Return a text cut to so many letters, with an ellipsis where something is left out."""
    most = max(1, int(letters))
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def exact(value: float) -> float:
    """Return a round value without the digits that its steps summed up."""
    return float(f"{value:.9g}")
