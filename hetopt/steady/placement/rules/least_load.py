"""Least loads of units that are on, in the placement model.

    least load  Σ_t R_j busy_to x_{t,o,U} + transfers that do not overlap ≥ low_d T   where on_U

with low_d = ``min_load`` (1 − reserved) slots. Demands are rounded up and the least down, T by a
part of its own, so that rounding only relaxes: bounds and ``infeasible`` hold, and a plan in the
narrow space between is the checker's to refuse.

A transfer that takes a slot loads its units, so it must not be there without need: its literal,
which need only be implied elsewhere, implies a producer and a consumer that ask for it.

Spare units stand by and need no load; all other units on do, so that on a device that is never off
every unit had, its spares aside, works.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.steady.placement.variables import BREAKS, GRID, MOST_PARTS

if TYPE_CHECKING:
    from hetopt.steady.placement.variables import PlacementModel, Terms

HELD = 1e-9
"""Relative room with which throughput is held for later objectives (`placement.solve`)."""
STEPS = 10**7
"""Largest denominator of a least load, as a part of the capacity, that is multiplied by T."""


def add(m: PlacementModel) -> None:
    """Keep units on busy enough."""
    devices = m.instance.devices
    asked = devices.min_load > 0
    if (asked & ~devices.overlap).any():
        _no_needless_moves(m)
    for device in np.flatnonzero(asked).tolist():
        share = Fraction(repr(float(devices.min_load[device])))
        share /= Fraction(repr(float(devices.max_utilization[device])))
        if not devices.off_when_unused[device]:
            _all_work(m, device)
        for unit in range(m.units[device]):
            _busy_enough(m, (device, unit), share)


def _no_needless_moves(m: PlacementModel) -> None:
    """Let every transfer have a reason: a producer and a consumer placed where it is needed."""
    reasons: dict[int, list[Any]] = {}
    for wa, wb, move in m.reasons:
        both = m.model.new_bool_var(f"both_{wa.index}_{wb.index}_{move.index}")
        m.model.add_implication(both, wa)
        m.model.add_implication(both, wb)
        reasons.setdefault(move.index, []).append(both)
    for move in m.moves.values():
        m.model.add_bool_or([move.negated(), *reasons.get(move.index, [])])


def _all_work(m: PlacementModel, device: int) -> None:
    """Let every unit had work, as it is never off, but the spare ones."""
    devices = m.instance.devices
    spare, least = int(devices.spare[device]), int(devices.count_min[device])
    if least - spare > m.units[device]:
        # More units than tasks could keep busy.
        m.model.add_bool_or([])
        return
    if not spare:
        return
    for u in range(m.counted_units(device)):
        had = m.had[device, u]
        m.model.add_implication(had, m.on[device, max(0, u - spare)] if m.units[device] else ~had)


def _busy_enough(m: PlacementModel, unit: tuple[int, int], share: Fraction) -> None:
    """Hold load ≥ share × capacity where a unit is on."""
    on, capacity = m.on[unit], float(m.capacity[unit[0]])
    terms = m.totals.load.get(unit, [])
    if capacity <= 0 or not any(amount > 0 for _, amount in terms):
        m.model.add(on == 0)
    elif m.time is None:
        # Rates that settled at a throughput are held a hair below it.
        held = 1 - Fraction(2 * HELD) if "throughput" in m.instance.objective else 1
        low = math.floor(share * held * GRID)
        m.model.add(_parts(terms, capacity, GRID, BREAKS) >= low).only_enforce_if(on)
    else:
        part = share if share.denominator <= STEPS else Fraction(math.floor(share * STEPS), STEPS)
        given = _parts(terms, capacity, m.second * part.denominator, m.beyond())
        low = part.numerator * (m.time - 1)
        m.model.add(given >= low).only_enforce_if(on)


def _parts(terms: Terms, limit: float, grid: float, cut: float) -> Any:
    """Return Σ terms in parts of ``limit``, each rounded up; what breaks the limit may be cut."""
    whole: Any = 0
    for literal, amount in terms:
        whole = whole + literal * min(MOST_PARTS, math.ceil(min(amount / limit, cut) * grid))
    return whole
