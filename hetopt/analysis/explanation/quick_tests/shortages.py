"""A sentence about something that there is too little of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Floats, Instance

NAMES_SHOWN = 4
"""Names listed in a sentence; the others are counted."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One impossibility found by arithmetic.

    Attributes
    ----------
    kind
        A slug: ``critical_path``, ``memory``, ``no_option``, ``load``, ...
    subject
        The task, job or device that it is about.
    text
        A full sentence with both figures.
    limits
        Keys of the limits that it speaks of
        (:attr:`hetopt.analysis.explanation.limits.limit.Limit.key`); they conflict on their own,
        or together with pins, bans and missing links.
    excess
        Need over what there is, to put the worst first.
    """

    kind: str
    subject: str
    text: str
    limits: tuple[str, ...] = ()
    excess: float = np.inf


def short(need: Any, room: Any) -> Any:
    """Whether what is needed is more than there is, by more than rounding."""
    return need > room + GAP_TOLERANCE * np.abs(np.where(np.isfinite(room), room, 0.0))


def named(names: list[str]) -> str:
    """List some names and count the others."""
    rest = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def least(instance: Instance, value: Floats, work: bool = False) -> Floats:
    """Return the least value of each task's admissible options (T); inf where it has none."""
    classes = instance.classes
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    best = np.full(len(classes), np.inf)
    np.minimum.at(best, owner, value[classes.option])
    each = best[classes.member]
    return each * instance.tasks.work if work else each
