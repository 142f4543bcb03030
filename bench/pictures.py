"""Pictures of results in one self-contained page: performance profile, and gap over time."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from bench.rows import history_of

GRID_POINTS = 200
FIRST_S = 0.01
NO_PLAN_GAP = 1.0
"""Gap that a run counts with as long as it has no plan."""

Rows = Sequence[dict[str, Any]]
Curve = tuple[list[float], list[float]]


def page(rows: Rows, text: str) -> str:
    """Return the pictures and the report's text as one HTML page that needs no network."""
    import plotly.graph_objects as go

    figures = []
    for title, x_title, y_title, curves, log in (
        (
            "Performance profile: share of cases within a factor of the best value known",
            "factor of the best value",
            "share of cases",
            profiles(rows),
            False,
        ),
        (
            "Mean gap to the best value known over time",
            "seconds",
            "mean gap",
            gaps_over_time(rows),
            True,
        ),
    ):
        figure = go.Figure()
        for solver, (x, y) in curves.items():
            figure.add_scatter(x=x, y=y, name=solver, mode="lines", line_shape="hv")
        figure.update_layout(
            title=title,
            xaxis={"title": x_title, "type": "log" if log else "linear"},
            yaxis={"title": y_title, "tickformat": ".0%" if y_title != "mean gap" else ".1%"},
            template="plotly_white",
        )
        figures.append(figure.to_html(full_html=False, include_plotlyjs=not figures))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hetopt: results</title>'
        "<style>body{font-family:sans-serif;max-width:72em;margin:2em auto}"
        "pre{overflow-x:auto}</style></head><body>"
        + "".join(figures)
        + f"<pre>{html.escape(text)}</pre></body></html>\n"
    )


def profiles(rows: Rows) -> dict[str, Curve]:
    """Share of a solver's runs whose objective is within a factor of the best value known.

    The best value is the best-known one or the best of all runs of the case, whichever is better
    (Dolan and Moré 2002, with values in place of times). Runs without a plan are in no share.
    """
    best = _best(rows)
    factors: dict[str, list[float]] = {}
    for row in rows:
        if row["status"] == "unsupported" or _case(row) not in best:
            continue
        factor = _factor(row, row["objective"], best[_case(row)])
        factors.setdefault(row["solver"], []).append(factor)
    most = max((f for v in factors.values() for f in v if math.isfinite(f)), default=1.0)
    curves = {}
    for solver, values in sorted(factors.items()):
        steps = sorted(f for f in values if math.isfinite(f))
        x, y = [1.0], [sum(f <= 1.0 for f in steps) / len(values)]
        for k, factor in enumerate(steps, start=1):
            x.append(factor)
            y.append(k / len(values))
        curves[solver] = ([*x, most], [*y, y[-1]])
    return curves


def gaps_over_time(rows: Rows) -> dict[str, Curve]:
    """Mean gap to the best value known of all of a solver's runs, over time on a log grid.

    A run without a plan yet counts with a gap of 1 (and one with a larger gap as well).
    """
    best = _best(rows)
    runs: dict[str, list[list[tuple[float, float]]]] = {}
    last = FIRST_S
    for row in rows:
        if row["status"] == "unsupported" or _case(row) not in best:
            continue
        steps = [
            (seconds, min(NO_PLAN_GAP, _factor(row, value, best[_case(row)]) - 1))
            for seconds, value, _ in history_of(row)
            if not math.isnan(value)
        ]
        runs.setdefault(row["solver"], []).append(steps)
        last = max([last, row["time_limit_s"], *(t for t, _ in steps)])
    ratio = (last / FIRST_S) ** (1 / (GRID_POINTS - 1))
    grid = [FIRST_S * ratio**k for k in range(GRID_POINTS)]
    return {
        solver: (grid, [sum(_at(steps, t) for steps in found) / len(found) for t in grid])
        for solver, found in sorted(runs.items())
    }


def _at(steps: list[tuple[float, float]], seconds: float) -> float:
    return min((gap for t, gap in steps if t <= seconds), default=NO_PLAN_GAP)


def _best(rows: Rows) -> dict[tuple[str, ...], float]:
    """Best value known of each case (in its own sense), where it is positive."""
    best: dict[tuple[str, ...], float] = {}
    for row in rows:
        for value in (row["best_known"], row["objective"]):
            if math.isnan(value) or value <= 0:
                continue
            choose = max if row["sense"] == "max" else min
            best[_case(row)] = choose(best.get(_case(row), value), value)
    return best


def _factor(row: dict[str, Any], value: float, best: float) -> float:
    """How many times worse a value is than the best, infinite where there is none."""
    if math.isnan(value) or value <= 0:
        return math.inf
    return best / value if row["sense"] == "max" else value / best


def _case(row: dict[str, Any]) -> tuple[str, ...]:
    return row["family"], row["instance"]
