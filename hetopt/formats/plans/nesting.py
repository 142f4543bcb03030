"""Routes of a plan as nested objects and as flat rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hetopt.instance.tables import WHEN


def without_plan(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result object without its plan."""
    return {key: value for key, value in result.items() if key != "plan"}


def group_routes(table: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the nested routes of a table with one row per task of a route."""
    routes: dict[Any, dict[str, Any]] = {}
    for row in table:
        route = routes.setdefault(
            row.get("route"),
            {
                **{name: row[name] for name in WHEN if name in row},
                "job": row.get("job"),
                "rate_per_s": row.get("rate_per_s"),
                "tasks": [],
            },
        )
        task = {k: row.get(k) for k in ("task", "device", "unit", "option")}
        more = (k for k in ("least_rate", "estimated") if row.get(k) is not None)
        route["tasks"].append(task | {k: row[k] for k in more})
    return list(routes.values())
