"""What is wrong with a plan that is a table: lines of the file, alike problems told once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.plans.foreign import NAMES, whole
from hetopt.instance import Instance

_PLACE = re.compile(r".*\bassignments\[(\d+)\](?:\.(\w+))?")
_VARIES = re.compile(r"(; did you mean|; there: | that the task has on device ).*|\.$")


def in_lines(
    instance: Instance, obj: Mapping[str, Any], error: InputError, path: Path, lines: list[int]
) -> InputError:
    """Return an error on a plan's rows as one on the lines of its table.

    Parameters
    ----------
    instance
        The instance that the plan is for.
    obj
        The plan as read, in the words of the file.
    error
        What is wrong, with places such as ``assignments[2].device``.
    path
        The table.
    lines
        Line of each row in it.
    """
    rows = obj["assignments"]
    first: dict[tuple[str, str], Problem] = {}
    count: dict[tuple[str, str], int] = {}
    for problem in error.problems:
        place, field = problem.place, ""
        found = _PLACE.fullmatch(place)
        if found:
            row, field = int(found[1]), found[2] or ""
            place = f"{path}:{lines[row]}"
            if field:
                place += f", column {_written(rows[row], field)}"
        # What was meant may differ from row to row; what is wrong does not.
        kind = (field or place, _VARIES.sub("", problem.expected))
        first.setdefault(kind, Problem(place, problem.value, problem.expected))
        count[kind] = count.get(kind, 0) + 1
    told = []
    # A device that is none comes first: where its number is off, options are wrong for that.
    for alike, p in sorted(first.items(), key=lambda item: item[0][0] != "device"):
        text = p.expected
        if alike[0] == "device" and p.value:
            text += _devices(instance, rows)
        if count[alike] > 1:
            text += f" (The first of {count[alike]} lines with this problem.)"
        told.append(Problem(p.place, p.value, text))
    return InputError(told)


def _written(row: Mapping[str, Any], field: str) -> str:
    """Return the column of the file that a field was read from."""
    known = (field, *NAMES.get(field, ()))
    return next((k for k in row if k.strip().lower().replace(" ", "_") in known), field)


def _devices(instance: Instance, rows: list[Mapping[str, Any]]) -> str:
    """Say so where the machines seem to be counted from 1."""
    names = instance.devices.name.tolist()
    counted = names == [f"M{d}" for d in range(len(names))]
    numbers = [whole(str(row.get(_written(row, "device"))).lstrip("Mm")) for row in rows]
    known = [number for number in numbers if number is not None]
    if counted and len(known) == len(numbers) and min(known) >= 1 and max(known) == len(names):
        return (
            f" Machines count from 0: this plan seems to count from 1, so write 0 to "
            f"{len(names) - 1} for 1 to {len(names)}."
        )
    return ""
