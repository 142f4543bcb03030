"""Columns that a reader made to an instance, with problems at places of the reader's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hetopt.compile import from_frames
from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Instance, Ints

Place = Callable[[int], str]
"""From a row of a table to what problems call it."""


def assemble(
    name: str,
    tables: Mapping[str, Any],
    settings: Mapping[str, Any],
    places: Mapping[str, Place] | None = None,
) -> Instance:
    """Build an instance from columns.

    Parameters
    ----------
    name
        What problems call the file.
    tables
        Columns by table and name (or frames), as :func:`hetopt.compile.from_frames` takes them.
    settings
        Settings of the instance.
    places
        By table: where a row stands in the file.

    Raises
    ------
    InputError
        With every problem, at its place in the file.
    """
    import pandas as pd

    frames = {
        table: pd.DataFrame(columns) for table, columns in tables.items() if columns is not None
    }
    try:
        return from_frames(frames, settings)
    except InputError as error:
        known = places or {}
        raise InputError([_placed(name, problem, known) for problem in error.problems]) from None


def _placed(name: str, problem: Problem, places: Mapping[str, Place]) -> Problem:
    if problem.table in places and problem.row >= 0:
        place = places[problem.table](problem.row)
    elif problem.place:
        place = f"{name}, {problem.place}"
    else:
        place = name
    return Problem(place, problem.value, problem.expected)


def lines_of(name: str, line: Ints) -> Place:
    """Return the places of rows whose lines are known."""
    return lambda row: f"{name}:{line[row]}"


def mesh(devices: list[str]) -> dict[str, Any]:
    """Return one link, without contention, from each device to each other one."""
    at, to = np.nonzero(~np.eye(len(devices), dtype=bool))
    names = np.array(devices, dtype=object)
    return {"from": names[at], "to": names[to], "bandwidth_b_per_s": np.ones(len(at))}


def grid_options(tasks: list[str], devices: list[str], time_s: Floats) -> dict[str, Any]:
    """Return one option for every task on every device.

    Parameters
    ----------
    time_s
        Times (tasks × devices); NaN where the device cannot run the task.
    """
    task, device = np.nonzero(~np.isnan(time_s))
    return {
        "profile": np.array(tasks, dtype=object)[task],
        "device": np.array(devices, dtype=object)[device],
        "time_s": time_s[task, device],
    }
