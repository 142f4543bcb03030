"""Plans of joint programs over the kinds of unit that their relaxation uses.

Of the sets of weights that fit into units, times the periods, a relaxation uses few. Without the
others a program of a hundred thousand variables has some thousands. Two plans come of it: all
counts rounded up, which is one wherever nothing but the number of units limits it, and the best
that a MIP solver finds there. What is proved of the smaller program is dropped (restricted master
heuristic; e.g. Joncour et al., "Column generation based primal heuristics", ENDM 36, 2010).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.instance import Bools, Floats
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.solvers.smaller import Smaller, without
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.program.joint.scenario_model import ScenarioModel
from hetopt.steady.program.scenarios import StreamModel, blocks_of

MANY_INTEGERS = 1_000
"""Integer variables from which a program is first solved over few kinds of unit."""
NONE = 1e-7
"""Units below which a relaxation uses none of a kind."""


def has_many_kinds(model: StreamModel, arrays: MipArrays) -> bool:
    """Whether a joint program is worth solving over few kinds of unit first."""
    return isinstance(model, ScenarioModel) and int(arrays.integer.sum()) >= MANY_INTEGERS


def over_few_kinds(
    model: StreamModel, arrays: MipArrays, point: Floats, known: Mapping[str, float] | None
) -> Smaller:
    """Return the program without the kinds of unit, and devices, that no demand's point uses.

    Parameters
    ----------
    point
        The relaxation's best point.
    known
        Values of a known plan, whose kinds stay, too.
    """
    place = {name: j for j, name in enumerate(arrays.names)}
    used = point > NONE
    if known is not None:
        used |= np.array([known.get(name, 0.0) > NONE for name in arrays.names])
    gone = np.zeros(len(point), dtype=bool)
    blocks = blocks_of(model)
    columns: list[dict[Any, Any]] = [dict(enumerate(block.count)) for block in blocks]
    _drop(gone, place, used, columns)
    _drop(gone, place, used, [block.work for block in blocks])
    return without(arrays, gone & arrays.integer & (arrays.lower == 0))


def _drop(gone: Bools, place: Mapping[str, int], used: Bools, parts: list[dict[Any, Any]]) -> None:
    """Mark what of each key has variables in any part and is used in none."""
    for key in parts[0]:
        mine = [place[part[key].name] for part in parts if hasattr(part[key], "name")]
        if mine and not used[mine].any():
            gone[mine] = True


def rounded_up(model: StreamModel, small: Smaller, relaxation: Relaxation) -> Relaxed | None:
    """Return the best point whose counts are those of the relaxation, rounded up; None without."""
    first = relaxation.solve()
    if first.outcome != "optimal":
        return None
    arrays = small.arrays
    place = {name: j for j, name in enumerate(arrays.names)}
    point = np.where(arrays.integer, np.ceil(first.x - NONE), first.x)
    for block in blocks_of(model):
        _fit_units(block, place, point)
    found = relaxation.fixed(np.minimum(point, np.where(arrays.integer, arrays.upper, point)))
    return found if found.outcome == "optimal" else None


def _fit_units(block: SteadyModel, place: Mapping[str, int], point: Floats) -> None:
    """Have as many units of each device on as there are of all its kinds."""
    counted: dict[int, float] = {}
    for kind, count in zip(block.kinds, block.count, strict=True):
        on = block.work[kind.device]
        if hasattr(count, "name") and count is not on and count.name in place:
            total = counted.get(kind.device, 0.0) + float(point[place[count.name]])
            counted[kind.device] = total
    for device, units in counted.items():
        on = block.work[device]
        if hasattr(on, "name") and on.name in place:
            at = place[on.name]
            point[at] = max(point[at], units)
