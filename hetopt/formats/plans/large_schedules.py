"""Large schedules written piece by piece: no object per row of the whole plan is ever alive.

A plan of 1,000,000 tasks is about 3,000,000 rows. As dictionaries they take several GiB, and
indented JSON of them minutes; in pieces the columns of the plan stay the largest thing in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from hetopt.formats.plans.columns import Column, slices, to_lists
from hetopt.formats.plans.writing import (
    assignment_table,
    rows,
    solution_to_dict,
    transfer_table,
)
from hetopt.instance import Instance
from hetopt.solution import SchedulePlan, Solution

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
    yield from _lines(assignment_table(instance, plan))
    yield '],\n  "transfers": ['
    yield from _lines(transfer_table(instance, plan))
    yield "]\n }\n}\n"


def _lines(table: dict[str, Column]) -> Iterator[str]:
    """Write the rows of a table, one piece a line, what stands between them included."""
    before = "\n   "
    for columns in slices(table, PIECE_ROWS):
        # One call for all rows: a call for each makes a new encoder, at several times the cost.
        text = json.dumps(rows(to_lists(columns)), ensure_ascii=False, allow_nan=False)[1:-1]
        if text:
            yield before + text
            before = ",\n   "
