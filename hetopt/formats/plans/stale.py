"""Plans of an instance as it was: what they name that is not there any more is left out, and told.

Only names are judged: a field of the wrong type is an input error as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hetopt.errors import InputError
from hetopt.formats.json_text import parse_json, read_text
from hetopt.formats.plans.foreign import is_csv, read_csv_plan
from hetopt.formats.plans.reading import plan_from_dict, read_plan
from hetopt.formats.plans.rows import Names, shown
from hetopt.instance import Instance
from hetopt.solution import Plan

MOST_NAMES = 5


def read_stale_plan(instance: Instance, source: str | Path) -> tuple[Plan, list[str]]:
    """Read a plan that may be of another fleet or workload.

    Returns
    -------
    Plan
        Of what the instance knows; for the checker or a repair to judge.
    list
        What was left out, in words; empty where nothing was.

    Raises
    ------
    InputError
        Where the file is no plan.
    """
    try:
        return read_plan(instance, source), []
    except InputError:
        path = Path(source)
        if path.is_dir():
            from hetopt.formats.plans.tables import read_tables

            obj: Any = read_tables(path)
        elif is_csv(path):
            obj, _ = read_csv_plan(instance, path)
        else:
            obj = parse_json(read_text(path), str(path))
        if not isinstance(obj, Mapping):
            raise
        plan = obj.get("plan", obj)
        needed = "assignments" if instance.regime == "schedule" else "routes"
        if not isinstance(plan, Mapping) or not isinstance(plan.get(needed), list):
            raise
        left, told = without_unknown(instance, plan)
        if not told:
            raise
        return plan_from_dict(instance, left, f"{path}: "), told


def without_unknown(
    instance: Instance, plan: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return a plan object without the rows that name what the instance does not have."""
    names = Names(instance)
    found = dict(plan)
    out: dict[str, list[str]] = {}
    if instance.regime == "schedule":
        rows = plan["assignments"]
        found["assignments"] = [row for row in rows if _assigned(row, names, out)]
        # Messages follow from where tasks run: they are placed anew.
        found.pop("transfers", None)
    else:
        found["routes"] = [row for row in plan["routes"] if _routed(row, names, out)]
        units = plan.get("units", [])
        if isinstance(units, list):
            found["units"] = [row for row in units if _known(row, "device", names.devices, out)]
    told = []
    for what, listed in out.items():
        distinct = list(dict.fromkeys(listed))
        more = f" and {len(distinct) - MOST_NAMES} more" if len(distinct) > MOST_NAMES else ""
        told.append(
            f"{len(listed)} rows left out: {what} {', '.join(distinct[:MOST_NAMES])}{more} is "
            "not in the instance"
        )
    return found, told


def _known(
    row: Any, field: str, known: Mapping[str, int], out: dict[str, list[str]], what: str = ""
) -> bool:
    value = row.get(field) if isinstance(row, Mapping) else None
    # Rows of another type are for the reader to refuse.
    if not isinstance(value, str) or value in known:
        return True
    out.setdefault(what or field, []).append(value)
    return False


def _assigned(row: Any, names: Names, out: dict[str, list[str]]) -> bool:
    if not _known(row, "task", names.tasks, out):
        return False
    return _placed(row, names, out)


def _placed(row: Any, names: Names, out: dict[str, list[str]]) -> bool:
    if not isinstance(row, Mapping) or not _known(row, "device", names.devices, out):
        return False
    unit = row.get("unit")
    place = names.unit(unit)
    if isinstance(unit, str):
        named = names.devices.get(str(row.get("device")), -1)
        if place is None or (named >= 0 and named != place[0]):
            out.setdefault("unit", []).append(unit)
            return False
    device = place[0] if place is not None else names.devices.get(str(row.get("device")), -1)
    task, label = names.tasks.get(str(row.get("task")), -1), row.get("option")
    if task >= 0 and device >= 0:
        labels = names.labels(task, device)
        if (isinstance(label, str) and label not in labels) or not labels:
            out.setdefault("option", []).append(f"{shown(label)} of {row['task']}")
            return False
    return True


def _routed(row: Any, names: Names, out: dict[str, list[str]]) -> bool:
    if not _known(row, "job", names.jobs, out):
        return False
    parts = row.get("tasks") if isinstance(row, Mapping) else None
    if not isinstance(parts, list):
        return True
    return all(
        _known(part, "task", names.tasks, out) and _placed(part, names, out) for part in parts
    )
