"""What a text surely is, for files whose extension does not tell.

Each reader says how its files are known, by what is here. Number files have no mark, so all their
lines are counted: a text is of a format only where the whole of it has that structure.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

Rows = list[list[float]]


def has_keys(text: str, *keys: str) -> bool:
    """Whether a text is a JSON object, not one of hetopt's own, that has all these keys."""
    if not text.lstrip().startswith("{"):
        return False
    return all(re.search(rf'"{key}"\s*:', text) is not None for key in keys) and not re.search(
        r'"hetopt"\s*:', text
    )


def is_operations(row: list[float], count: float) -> bool:
    """Whether a line is so many operations: k, then k pairs."""
    at = 0
    while at < len(row):
        if row[at] < 1 or row[at] != int(row[at]):
            return False
        at += 1 + 2 * int(row[at])
        count -= 1
    return at == len(row) and count == 0


@lru_cache(maxsize=1)
def rows_of(text: str) -> Rows:
    """Return the numbers of all lines, nothing where there is anything else."""
    rows: Rows = []
    head, mark, rest = text.partition("\n")
    text = re.sub(r"(?<=[0-9]),(?=[0-9])", ".", head) + mark + rest  # a mean, written 1,9
    for line in text.split("\n"):
        words = line.partition("#")[0].partition("//")[0].split()
        try:
            row = [float(word) for word in words]
        except ValueError:
            return []
        if not all(map(math.isfinite, row)):
            return []
        if row:
            rows.append(row)
    return rows
