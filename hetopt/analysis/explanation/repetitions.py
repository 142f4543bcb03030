"""Repetitions of periodic jobs told as the one job, or task, that a file states.

A periodic job is unrolled before anything is solved; its repetitions are called ``NAME@k``. A user
wrote one deadline, one pin: limits of all repetitions move together.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

_REPETITION = re.compile(r"(.+)@[0-9]+")


def base_name(name: str) -> str:
    """Return the name without the number of the repetition."""
    found = _REPETITION.fullmatch(name)
    return found[1] if found else name


def grouped(names: Sequence[str], values: Sequence[Hashable]) -> dict[str, list[int]]:
    """Return rows by name, repetitions of equal value under their common name.

    Repetitions whose values differ keep their own names.
    """
    together: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        together.setdefault(base_name(name), []).append(row)
    found: dict[str, list[int]] = {}
    for name, rows in together.items():
        alike = len({values[row] for row in rows}) == 1
        free = name not in names or len(rows) == 1
        if alike and free:
            found[name] = rows
        else:
            found.update({names[row]: [row] for row in rows})
    return found
