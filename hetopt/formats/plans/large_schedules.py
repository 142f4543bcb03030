"""Large schedules written piece by piece: no object per row of the whole plan is ever alive.

A plan of 1,000,000 tasks is about 3,000,000 rows. As dictionaries they take several GiB, and
indented JSON of them minutes; in pieces the columns of the plan stay the largest thing in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from hetopt.formats.plans.writing import (
    assignment_columns,
    rows,
    solution_to_dict,
    transfer_columns,
    unclear_edges,
)
from hetopt.instance import Instance
from hetopt.solution import Hops, SchedulePlan, Solution

PIECE_ROWS = 50_000
"""Rows that are turned into Python objects at a time."""
LARGE_ROWS = 10_000
"""Rows of a plan from which it is written in pieces."""


def is_large(solution: Solution) -> bool:
    """Whether the plan is a schedule of so many rows that it is written in pieces."""
    plan = solution.plan
    return isinstance(plan, SchedulePlan) and len(plan.option) + len(plan.hops) > LARGE_ROWS


def json_pieces(instance: Instance, solution: Solution) -> Iterator[str]:
    """Return the text of a result with a schedule as one JSON object, piece by piece.

    The object is that of ``solution_to_dict``.
    """
    plan = solution.plan
    if not isinstance(plan, SchedulePlan):
        raise TypeError("only schedules are written in pieces")
    head = solution_to_dict(instance, replace(solution, plan=None))
    del head["plan"]
    text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False)
    yield text[: text.rindex("\n")] + ',\n "plan": {\n  "assignments": ['
    yield from _lines(assignment_pieces(instance, plan))
    yield '],\n  "transfers": ['
    yield from _lines(transfer_pieces(instance, plan))
    yield "]\n }\n}\n"


def assignment_pieces(instance: Instance, plan: SchedulePlan) -> Iterator[dict[str, list[Any]]]:
    """Return the table of assignments in pieces (at least one) with the same columns."""
    tasks = np.arange(len(plan.option))
    for first in range(0, max(1, len(tasks)), PIECE_ROWS):
        yield assignment_columns(instance, plan, tasks[first : first + PIECE_ROWS])


def transfer_pieces(instance: Instance, plan: SchedulePlan) -> Iterator[dict[str, list[Any]]]:
    """Return the table of transfers in pieces (at least one) with the same columns."""
    unclear = unclear_edges(instance)
    some = bool((unclear[plan.hops.tensor] >= 0).any())
    for first in range(0, max(1, len(plan.hops)), PIECE_ROWS):
        piece = slice(first, first + PIECE_ROWS)
        hops = Hops(*(getattr(plan.hops, column.name)[piece] for column in fields(Hops)))
        columns = transfer_columns(instance, replace(plan, hops=hops), unclear)
        if some:
            columns.setdefault("edge", [None] * len(hops))
        yield columns


def _lines(pieces: Iterator[dict[str, list[Any]]]) -> Iterator[str]:
    """Write the rows of a list, one piece a line, what stands between them included."""
    before = "\n   "
    for columns in pieces:
        # One call for all rows: a call for each makes a new encoder, at several times the cost.
        text = json.dumps(rows(columns), ensure_ascii=False, allow_nan=False)[1:-1]
        if text:
            yield before + text
            before = ",\n   "
