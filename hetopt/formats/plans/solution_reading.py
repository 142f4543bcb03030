"""Solutions from the files that hold them, their plans checked anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from hetopt.errors import InputError, Problem
from hetopt.formats.json_text import parse_json, read_text
from hetopt.formats.plans.reading import plan_from_dict
from hetopt.instance import Instance
from hetopt.solution import HistoryEntry, Proof, Solution, Status, Termination
from hetopt.verify import verify_solution


def read_solution(path: str | Path, instance: Instance) -> Solution:
    """Read what ``Solution.save`` or ``hetopt solve -o`` wrote.

    What the file claims of its plan (objective, bound, limits) is checked by `verify`, so that a
    file that was made for another instance, or changed by hand, is not believed.

    Parameters
    ----------
    path
        A JSON file or a folder of tables.
    instance
        The instance that was solved.

    Raises
    ------
    InputError
        If the file is no result, or the checker does not accept its plan and claims.
    """
    place = Path(path)
    if place.is_dir():
        from hetopt.formats.plans.tables import read_tables

        found: Any = read_tables(place)
    else:
        found = parse_json(read_text(place), str(place))
    if not isinstance(found, Mapping) or "status" not in found:
        raise InputError([Problem(str(path), "", "A result of hetopt solve, not a bare plan.")])
    try:
        solution = _solution(found, instance, f"{path}: ")
    except (KeyError, TypeError, ValueError) as error:
        text = f"A whole result of hetopt solve ({error!r})."
        raise InputError([Problem(str(path), "", text)]) from None
    report = verify_solution(instance, solution)
    if not report.ok:
        raise InputError([Problem(str(path), v.kind, v.message) for v in report.violations[:3]])
    return solution


def _solution(found: Mapping[str, Any], instance: Instance, place: str) -> Solution:
    status, termination = found["status"], found["termination"]
    if status not in get_args(Status) or termination not in get_args(Termination):
        raise ValueError(f"status {status}, termination {termination}")
    proof = found.get("proof")
    if proof is not None and proof not in get_args(Proof):
        raise ValueError(f"proof {proof}")
    plan = found.get("plan")
    history = found.get("history") or []
    names = tuple(_listed(found["objective_name"]))
    return Solution(
        status=status,
        termination=termination,
        objective_names=names,
        objectives=tuple(map(_number, _listed(found["objective"]))),
        bounds=tuple(map(_number, _listed(found["bound"]))),
        plan=None if plan is None else plan_from_dict(instance, plan, f"{place}plan."),
        method=str(found["method"]),
        wall_time_s=found.get("wall_time_s"),
        verified=plan is not None,
        seed=int(found["seed"]),
        version=str(found["version"]),
        quantities=dict(found.get("quantities") or {}),
        history=tuple(
            HistoryEntry(*(_number(entry[key]) for key in ("time_s", "objective", "bound")))
            for entry in history
        ),
        notes=tuple(found.get("notes") or ()),
        reason=str(found.get("reason") or ""),
        marginal=found.get("marginal"),
        method_asked=str(found.get("method_asked") or ""),
        proof=proof,
        instance=replace(instance, objective=names),
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
