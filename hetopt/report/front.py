"""A front of two objectives as a table, a JSON object, and a picture in one offline page."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from hetopt.evaluate.with_units import quantity
from hetopt.formats.plans import plan_to_dict, to_json
from hetopt.instance import is_maximised
from hetopt.report import charts
from hetopt.report.front_drawing import WIDTH
from hetopt.report.parts import document, table
from hetopt.report.pictures import drawn_front
from hetopt.report.terminal.listing import listing
from hetopt.report.terminal.solution import small_gap
from hetopt.solution import relative_gap

if TYPE_CHECKING:
    from hetopt.analysis.pareto import Front, Point

BAR = 24
"""Characters of the longest bar beside the table."""


def front_view(front: Front) -> RenderableType:
    """Show every point with its bound, and what the front as a whole is known to be."""
    instance = front.instance
    title = f"{instance.name or 'instance'}: {front.optimised} against {front.held}"
    table = listing((), (front.held, front.optimised, "bound", "gap"), ("status", ""))
    largest = max((abs(p.value) for p in front.points if not np.isnan(p.value)), default=0.0)
    for point in front.points:
        table.add_row(*_cells(front, point, largest), style="" if point.efficient else "dim")
    return Group(Text(title, style="bold"), table, *[Text(line) for line in summary(front)])


def summary(front: Front) -> list[str]:
    """Say in words what the points prove."""
    efficient = front.efficient()
    if not efficient:
        if any(p.solution.status == "infeasible" and math.isnan(p.limit) for p in front.points):
            return ["There is no plan at all: this is proven. `hetopt explain` says why."]
        return ["No plan was found."]
    lines = [f"{len(efficient)} of {len(front.points)} points are dominated by no other."]
    proven = sum(p.proven for p in efficient)
    if front.complete:
        lines.append(
            "The front is complete, each point proven"
            + (
                f"; {front.held} in steps of "
                f"{quantity(front.instance, front.held, front.resolution)}."
                if not np.isnan(front.resolution)
                else "."
            )
        )
    else:
        lines.append(
            f"{proven} of them are proven; no plan lies below the bounds, at their "
            f"{front.held} or a tighter one."
        )
    if not np.isnan(front.best_held):
        least = "more" if is_maximised(front.held) else "less"
        lines.append(
            f"No plan at all has {least} {front.held} than "
            f"{quantity(front.instance, front.held, front.best_held)}."
        )
    lines += front.notes
    if front.interrupted:
        lines.append("Interrupted: the points that were not solved by then are missing.")
    return lines


def front_to_dict(front: Front) -> dict[str, Any]:
    """Return the JSON object of ``hetopt pareto``: values in SI units, plans in full."""
    return {
        "optimised": front.optimised,
        "held": front.held,
        "complete": front.complete,
        "best_held": to_json(front.best_held),
        "resolution": to_json(front.resolution),
        "interrupted": front.interrupted,
        "points": [_point_dict(front, point) for point in front.points],
        "notes": summary(front),
    }


def _point_dict(front: Front, point: Point) -> dict[str, Any]:
    solution = point.solution
    return {
        front.held: to_json(point.held),
        front.optimised: to_json(point.value),
        "limit": to_json(point.limit),
        "bound": to_json(point.bound),
        "gap": to_json(relative_gap(point.value, point.bound)),
        "efficient": point.efficient,
        "status": solution.status,
        "termination": solution.termination,
        "verified": solution.verified,
        "wall_time_s": to_json(solution.wall_time_s),
        "plan": None if solution.plan is None else plan_to_dict(front.instance, solution.plan),
    }


def front_page(front: Front, command: str) -> str:
    """Return the picture as one HTML page that needs no network.

    The line of bounds is proven: below it (above, where more is better) there is no plan. What
    lies beyond a point in both objectives is dominated by it.
    """
    title = f"{front.instance.name or 'instance'}: {front.optimised} against {front.held}"
    height, drawn = drawn_front(front)
    picture = f"{charts.opened(WIDTH, height, title)}{drawn}</svg>"
    heads = (front.held, front.optimised, "bound", "gap", "status")
    rows = [_cells(front, p, 0.0)[:5] for p in front.points]
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in summary(front))
    made = f'<p class="note">Made by <code>{html.escape(command)}</code></p>'
    body = f"<h1>{html.escape(title)}</h1>{lines}{picture}{table(heads, rows, text=(4,))}{made}"
    return document(html.escape(title), body)


def _cells(front: Front, point: Point, largest: float) -> list[str]:
    instance = front.instance
    limit = "" if np.isnan(point.limit) else f" ≤ {quantity(instance, front.held, point.limit)}"
    if is_maximised(front.held):
        limit = limit.replace("≤", "≥")
    length = 0 if np.isnan(point.value) or not largest else round(BAR * abs(point.value) / largest)
    held = quantity(instance, front.held, point.held)
    return [
        held if not np.isnan(point.held) else limit.strip() or "free",
        quantity(instance, front.optimised, point.value),
        quantity(instance, front.optimised, point.bound),
        small_gap(relative_gap(point.value, point.bound)),
        point.solution.status + _beaten(front, point),
        "█" * length,
    ]


def _beaten(front: Front, point: Point) -> str:
    if point.efficient or np.isnan(point.value):
        return ""
    same = any((p.value, p.held) == (point.value, point.held) for p in front.efficient())
    return ", the same point" if same else ", dominated"
