"""Which fraction of its roofline a processor reaches, by runs of it or of similar processors.

Fractions (:mod:`hetopt.profiling.efficiencies`) of the processor itself are taken where it was
measured; else the weighted geometric mean of those of other processors of its kind. The weight of
one is exp(-d²/2) with

    d² = (ln(its power limit / the target's) / 0.5)² + (2 if its maker is another, else 0)²:

small power-limited cards stay far below their data sheet and large ones do not, so power is the
similarity that counts. The 0.5 (a factor of 1.65) was set once, for all kinds.

What is not known of it follows from leaving each of these processors out in turn: what the others
would have said of it, against what it did, weighted as above and shrunk to PRIOR_SD by one
observation. What runs of one processor scatter adds to it. Where a class or precision was not
measured on any processor of the kind, the nearest one that was is taken, and STEP_SD added for
each step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hetopt.profiling.capabilities import Capability, capability
from hetopt.profiling.efficiencies import KERNELS, Efficiency
from hetopt.profiling.operator_work import NEXT_CLASS, OperatorWork

POWER_SCALE = 0.5
"""Difference of ln power that counts as one step of dissimilarity."""
OTHER_MAKER = 2.0
"""Steps of dissimilarity between makers."""
UNKNOWN_POWER = 1.0
"""Steps where a processor states no power limit."""
PRIOR_SD = 0.35
"""Standard deviation of ln fraction between processors, before any was seen (one observation)."""
STEP_SD = 0.35
"""Added (in quadrature) for each step to another precision or class of operator."""


class Fraction(NamedTuple):
    """A fraction's logarithm, its deviations between and within processors, and whose it is."""

    log_fraction: float
    between_sd: float
    within_sd: float
    donors: tuple[str, ...]
    steps: str


def fraction_of(
    operator: str, precision: str, processor: Capability, rows: Sequence[Efficiency]
) -> Fraction | None:
    """Return the fraction for a class, of the nearest class and precision that was measured.

    ``rows`` are of the processor's kind, and counted alike.
    """
    steps, tried = 0, operator
    seen = {tried}
    while True:
        of_class = [row for row in rows if row.operator == tried]
        exact = [row for row in of_class if row.precision == precision]
        for found, step in ((exact, 0), (of_class, 1)):
            if found:
                said = "" if not steps + step else f"{operator} {precision} by "
                said += f"{tried} {found[0].precision}." if said else ""
                return weighted(found, processor, STEP_SD * math.sqrt(steps + step), said)
        tried, steps = NEXT_CLASS[tried], steps + 1
        if tried in seen:
            rest = [row for row in rows if row.operator not in seen]
            said = f"{operator} {precision} by whatever was measured."
            return weighted(rest, processor, STEP_SD * math.sqrt(steps), said) if rest else None
        seen.add(tried)


def counted_as(
    works: Sequence[OperatorWork], processor: Capability, rows: Sequence[Efficiency]
) -> str:
    """Return how works are to be counted: as the nearest rows of their main class were.

    Where nothing of the class and precision was measured, of any precision; ties go to kernels.
    """
    main = max(works, key=lambda w: (w.flop, w.bytes_b), default=None)
    if main is None or not rows:
        return KERNELS
    tried = main.operator
    for _ in NEXT_CLASS:
        of_class = [row for row in rows if row.operator == tried]
        exact = [row for row in of_class if row.precision == main.precision]
        for found in (exact, of_class):
            if found:
                best = max(
                    found, key=lambda row: (_nearness(row, processor), row.counted == KERNELS)
                )
                return best.counted
        tried = NEXT_CLASS[tried]
    return rows[0].counted


def _nearness(row: Efficiency, processor: Capability) -> float:
    return math.inf if row.device == processor.device else similarity(row, processor)


def weighted(
    rows: Sequence[Efficiency], processor: Capability, step_sd: float, said: str
) -> Fraction:
    """Return the mean of rows by similarity; of the processor itself alone where it has any."""
    own = [row for row in rows if row.device == processor.device]
    if own:
        rows = own
    weights = [similarity(row, processor) for row in rows]
    total = sum(weights)
    mean = sum(w * math.log(row.fraction) for w, row in zip(weights, rows, strict=True)) / total
    within = sum(w * row.spread for w, row in zip(weights, rows, strict=True)) / total
    donors = tuple(
        dict.fromkeys(
            row.device
            for w, row in sorted(zip(weights, rows, strict=True), key=lambda pair: -pair[0])
        )
    )
    between = 0.0 if own else _between(rows, weights)
    return Fraction(mean, math.hypot(between, step_sd), within, donors, said)


def _between(rows: Sequence[Efficiency], weights: Sequence[float]) -> float:
    """Return the standard deviation between processors, from leaving each one out."""
    largest = max(weights)
    squares, seen = PRIOR_SD**2, 1.0
    for row, weight in zip(rows, weights, strict=True):
        others = [other for other in rows if other.device != row.device]
        if not others:
            continue
        target = capability(row.device)
        near = [similarity(other, target) for other in others]
        said = sum(w * math.log(o.fraction) for w, o in zip(near, others, strict=True)) / sum(near)
        part = weight / largest
        squares += part * (math.log(row.fraction) - said) ** 2
        seen += part
    return math.sqrt(squares / seen)


def similarity(row: Efficiency, processor: Capability) -> float:
    """Return the weight of a row for a processor, 1 at the most."""
    other = capability(row.device)
    if math.isnan(other.power_w) or math.isnan(processor.power_w):
        steps = 0.0 if other.device == processor.device else UNKNOWN_POWER
    else:
        steps = math.log(other.power_w / processor.power_w) / POWER_SCALE
    maker = 0.0 if other.vendor == processor.vendor else OTHER_MAKER
    return max(math.exp(-(steps**2 + maker**2) / 2), 1e-12)


def power_steps(row: Efficiency, processor: Capability) -> float:
    """How far apart two power limits are, as the absolute logarithm of their quotient."""
    return abs(math.log(capability(row.device).power_w / processor.power_w))


def kind_of(row: Efficiency) -> str:
    """Return the kind of the processor that a row is of."""
    return capability(row.device).kind
