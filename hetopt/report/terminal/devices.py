"""The catalogue as people and programs read it: what ``hetopt devices`` prints.

Every row says where it comes from, under which licence, and what the power meter covered.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.profiling import catalogue

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

NOT_STATED = "–"
DEVICE_FIELDS = (
    *("device", "dataset", "name", "board", "kind", "suite", "options", "tasks"),
    *("idle_power_w", "idle_known", "scope", "preview", "source", "licence", "caution"),
)
OPTION_FIELDS = (
    *("task", "label", "time_s", "energy_j", "power_w", "batch", "unit", "latency_s"),
    *("accuracy", "memory_b", "scope", "preview", "division", "suite", "round", "submitter"),
    *("system", "source", "licence", "note"),
)


def devices_view(limit: int = 40, **filters: Any) -> RenderableType:
    """Return the devices that match, as a table with the lines that say whose figures they are.

    Parameters
    ----------
    limit
        Rows shown; 0 shows all.
    **filters
        ``text``, ``kind``, ``dataset``, ``task``, ``scope``: see
        :func:`hetopt.profiling.catalogue.find`. A device matches if one of its options does.

    Raises
    ------
    InputError
        If ``limit`` is negative.
    """
    from rich.console import Group
    from rich.text import Text

    from hetopt.report.terminal.listing import listing

    if limit < 0:
        raise InputError([Problem("--limit", str(limit), "A number of rows, or 0 for all.")])
    found = _matching(filters)
    if not found:
        return Text("The catalogue has no such device. hetopt devices lists all that it has.")
    shown = found if limit == 0 else found[:limit]
    table = listing(
        ("device", "hardware", "board", "kind", "suite"),
        ("options", "tasks", "idle"),
        ("scope", "licence", "source"),
        overflow="fold",
        no_wrap=True,
    )
    for entry in shown:
        table.add_row(
            Text(entry["device"] + _marks(entry)),
            Text(entry["name"]),
            Text(entry["board"]),
            entry["kind"],
            entry["suite"],
            str(entry["options"]),
            str(entry["tasks"]),
            _idle(entry),
            entry["scope"] or NOT_STATED,
            entry["licence"],
            Text(entry["source"]),
        )
    counted = f"{len(shown)} of {len(found)} devices" if len(shown) < len(found) else "All"
    hint = "--limit 0 shows all, --show ID the options of one"
    doubts = [f"! {e['device']}: {e['caution']}." for e in shown if e["caution"]]
    lines = [f"{counted} that match; {hint}.", SCOPE_NOTE, *doubts, *_attribution(shown)]
    return Group(table, Text(), *map(Text, lines))


def devices_to_dict(**filters: Any) -> dict[str, Any]:
    """Return the devices that match, for JSON: ``devices`` and ``attribution``.

    An idle power that the source does not state is null. Filters are those of
    :func:`devices_view`.
    """
    found = _matching(filters)
    return {"devices": found, "attribution": _attribution(found)}


def details_view(device_id: str) -> RenderableType:
    """Return every option of one device, and how an instance refers to it.

    Raises
    ------
    InputError
        If the catalogue has no device of that ID; the message names close ones.
    """
    from rich.console import Group
    from rich.text import Text

    from hetopt.report.terminal.listing import listing

    device = details_to_dict(device_id)
    heads = ("time", "energy", "power", "batch")
    table = listing(("task", "label"), heads, overflow="fold", no_wrap=True)
    table.add_column("of", no_wrap=True)
    for heading in ("latency", "accuracy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for option in device["options"]:
        table.add_row(
            Text(option["task"]),
            Text(option["label"]),
            _quantity(option["time_s"], "time"),
            _quantity(option["energy_j"], "energy"),
            _quantity(option["power_w"], "power"),
            str(option["batch"]),
            option["unit"],
            _quantity(option["latency_s"], "time"),
            _quantity(option["accuracy"], "fraction"),
        )
    facts = {
        "device": device["device"] + _marks(device),
        "hardware": device["name"],
        "board": device["board"] or NOT_STATED,
        "kind": device["kind"],
        "suite": device["suite"] or NOT_STATED,
        "idle power": _idle(device),
        "power covers": device["scope"] or "not measured",
        "source": device["source"],
        "licence": device["licence"],
    }
    meaning = [f"{name:13}{value}" for name, value in facts.items()]
    energy = "above idle" if device["idle_known"] else "the whole energy, as no idle is stated"
    notes = set.intersection(*({o["note"]} - {""} for o in device["options"]))
    first = device["options"][0]["task"]
    use = [
        f"Energy is {energy}; time, energy and power are per execution.",
        *sorted(notes),
        *([f"In doubt: {device['caution']}."] if device["caution"] else []),
        "",
        "In an instance:",
        f"  devices: [{{name: mine, from: catalogue, entry: {_flow(device['device'])}}}]",
        f"  profiles: {{work: {{from: catalogue, task: {_flow(first)}}}}}",
        "",
        *device["attribution"],
    ]
    return Group(*map(Text, meaning), Text(), table, Text(), *map(Text, use))


def details_to_dict(device_id: str) -> dict[str, Any]:
    """Return one device with all its options, for JSON.

    Raises
    ------
    InputError
        If the catalogue has no device of that ID; the message names close ones.
    """
    try:
        device_id = catalogue.device_entry(device_id).id
    except catalogue.UnknownEntry as error:
        raise InputError([Problem("--show", device_id, str(error))]) from None
    rows = catalogue.catalogue()
    rows = rows[rows["device"] == device_id]
    device = _summary(rows, device_id)
    device["options"] = [
        {field: _plain(row[field]) for field in OPTION_FIELDS} for row in rows.to_dict("records")
    ]
    device["attribution"] = list(catalogue.attribution([device_id]))
    return device


SCOPE_NOTE = (
    "Powers of different scope must not be compared (wall: the whole system; gpu: the card alone); "
    "nor energy above a stated idle power with whole energy (idle –)."
)


def _matching(filters: dict[str, Any]) -> list[dict[str, Any]]:
    rows = catalogue.find(**filters)
    groups = rows.groupby("device", sort=False)
    return [_summary(group, str(device)) for device, group in groups]


def _summary(rows: pd.DataFrame, device_id: str) -> dict[str, Any]:
    """Return what is known of a device, with the numbers of its options and tasks in the rows."""
    entry = catalogue.device_entry(device_id)
    own = {
        "device": device_id,
        "dataset": str(rows["dataset"].iloc[0]),
        "options": len(rows),
        "tasks": int(rows["task"].nunique()),
        "idle_power_w": entry.idle_power_w if entry.idle_known else None,
    }
    return {field: own[field] if field in own else getattr(entry, field) for field in DEVICE_FIELDS}


def _attribution(entries: list[dict[str, Any]]) -> list[str]:
    """Return one line for each repository among the devices; :func:`details_view` says more."""
    repositories: dict[str, dict[str, None]] = {}
    for entry in entries:
        licence = catalogue.licence_text(entry["licence"])
        key = f"{entry['source'].split(':')[0]} ({licence})"
        repositories.setdefault(key, {})[entry["dataset"]] = None
    lines = [f"Figures of {', '.join(names)}: {key}." for key, names in repositories.items()]
    if any(entry["dataset"].startswith("mlperf-") for entry in entries):
        lines.append(catalogue.MLPERF_NOTICE)
    return lines


def _marks(entry: dict[str, Any]) -> str:
    """Return what stands beside a device's ID: that it is a preview, or in doubt."""
    return (" (preview)" if entry["preview"] else "") + (" !" if entry["caution"] else "")


def _idle(entry: dict[str, Any]) -> str:
    if entry["idle_power_w"] is None:
        return NOT_STATED
    # MLPerf Inference states no idle power; the least reading of the meter bounds it from above.
    bound = "≤ " if entry["dataset"].startswith("mlperf-inference") else ""
    return bound + units.format(entry["idle_power_w"], "power")


def _quantity(value: float | None, dimension: str) -> str:
    return NOT_STATED if value is None else units.format(value, dimension)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _flow(text: str) -> str:
    """Return a text that reads as itself inside YAML's braces."""
    return f'"{text}"' if any(c in text for c in "{}[],:#&*!|>'\"%@`") else text
