"""A comparison with homogeneous placements as a page, and as a part of the page of a plan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hetopt.evaluate.with_units import bound_with_unit, quantity
from hetopt.instance import Instance, is_maximised
from hetopt.report import charts
from hetopt.report.parts import ROWS_SHOWN, Cells, document, escaped, first, fraction, table
from hetopt.report.terminal.solution import percent, small_gap


def comparison_page(instance: Instance, comparison: Mapping[str, Any], command: str = "") -> str:
    """Return a comparison as one page that reads offline: picture, table, how firm it is.

    Parameters
    ----------
    instance
        What was compared.
    comparison
        The object of ``hetopt compare``.
    command
        What made the page.
    """
    notes = "".join(f"<li>{escaped(note)}</li>" for note in comparison.get("notes") or [])
    made = f'<p class="note">Made by <code>{escaped(command)}</code>.</p>' if command else ""
    about = f'<p class="note">{escaped(instance.description)}</p>' if instance.description else ""
    body = "".join(
        [
            f"<h1>{escaped(instance.name or 'instance')}</h1>{about}",
            *gains(instance, comparison),
            f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "",
            made,
        ]
    )
    title = escaped(f"{instance.name or 'instance'}: mixed against homogeneous")
    return document(title, body)


def gains(instance: Instance, comparison: Mapping[str, Any]) -> list[str]:
    """Return the parts of a page: the gain in words, a picture, a table, and how firm it is."""
    ours = comparison["heterogeneous"]
    name = ours["objective_name"]
    name = name[0] if isinstance(name, list) else name
    more = "more" if is_maximised(name) else "less"
    lines = []
    if comparison.get("best_homogeneous"):
        lines.append(f"Best homogeneous placement: {comparison['best_homogeneous']}.")
    told = [("gain", "Gain over its plan"), ("gain_proven", "Proven over all rivals")]
    if comparison.get("gain_reason") or not comparison.get("best_homogeneous"):
        lines.append(f"No gain: {comparison.get('gain_reason') or 'no rival serves the work'}.")
        told = []
    for key, text in told:
        value = comparison.get(key)
        if value is None:
            shown = "none"
        elif comparison.get("gain_is_difference"):
            shown = quantity(instance, name, value)
        else:
            shown = f"{percent(value)} {more} {name}"
        lines.append(f"{text}: {shown}.")
    rows = [
        (side.get("name", "heterogeneous"), *_side(instance, name, side))
        for side in (*comparison["homogeneous"], ours)
    ]
    firm = [
        (s["change"], fraction(s["gain"]), fraction(s["gain_proven"]))
        for s in comparison.get("sensitivity", [])
    ]
    parts = ["<h2>Against homogeneous placements</h2>", *(f"<p>{escaped(t)}</p>" for t in lines)]
    parts.append(_placements(instance, name, comparison))
    parts.append(table(("placement", name, "bound", "gap", "status"), rows, text=(0, 4)))
    if firm and not comparison.get("gain_is_difference"):
        parts += ["<h3>How firm is it?</h3>", table(("change", "gain", "proven"), firm)]
    return parts


def _placements(instance: Instance, name: str, comparison: Mapping[str, Any]) -> str:
    """Draw a bar for each placement that serves the work, the heterogeneous one first."""
    bars = []
    sides = [("heterogeneous", comparison["heterogeneous"])]
    sides += [(side["name"], side) for side in comparison["homogeneous"]]
    for title, side in sides:
        value = first(side["objective"])
        if not math.isnan(value):
            bars.append((title, (value,), quantity(instance, name, value)))
        else:
            bars.append((title, (0.0,), str(side["status"])))
    return charts.stacked(bars[:ROWS_SHOWN], f"{name} of each placement")


def _side(instance: Instance, name: str, side: Mapping[str, Any]) -> Cells:
    value, bound, gap = (first(side[key]) for key in ("objective", "bound", "gap"))
    lacks = ", ".join(side.get("cannot_run") or ())
    why = f"cannot run {lacks}" if lacks else str(side.get("reason") or "")
    return (
        quantity(instance, name, value),
        bound_with_unit(instance, name, bound, value, gap),
        small_gap(gap),
        f"{side['status']}: {why}" if why else str(side["status"]),
    )
