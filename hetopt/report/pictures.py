"""Static pictures in SVG that stand alone: for notebooks, slides and pages without scripts.

Each is an ``<svg>`` with its own style and a white ground, so that it looks the same inside an
``<img>``, where the style of the page around it does not reach. Equal input gives equal bytes.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt import units
from hetopt.instance import Instance
from hetopt.report.axes import fitted, ticks
from hetopt.report.charts import stacked
from hetopt.report.front_drawing import WIDTH, Mark, front_drawing, text
from hetopt.report.gantt import gantt
from hetopt.solution import SchedulePlan

if TYPE_CHECKING:
    from hetopt.analysis.pareto import Front, Point

Bar = Sequence[Any]
"""Row, begin, end (s), name, group (-1: a hop or a set-up), more text."""

STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1b1f24}"
    "text.bad{fill:#b3261e}"
    "text.in{fill:#fff;font-size:11px}text.soft{fill:#57606a}text.end{text-anchor:end}"
    "text.mid{text-anchor:middle}"
    ".edge{stroke:#fff}"
    ".grid{stroke:#d5dae0}.limit{stroke:#b3261e;stroke-dasharray:5 3;stroke-width:1.5}"
    ".fa{fill:#1f6fb4}.fb{fill:#d9822b}.fc{fill:#8a94a0}"
    ".la{stroke:#1f6fb4;stroke-width:2;fill:none}"
    ".lb{stroke:#8a94a0;stroke-width:2;fill:none}"
    ".dominated{stroke:#8a94a0;stroke-width:1.5;fill:none}"
    ".open{fill:#fff;stroke:#1f6fb4;stroke-width:2}"
)

GROUND = 'style="background:#fff" '
"""Of pictures that stand alone."""

COLOURS = ("#1f6fb4", "#1a7f4b", "#a04a9c", "#b8561f", "#4d5fa8", "#94791a", "#a33a4f", "#3b7f86")
"""Of the groups of a schedule's bars, dark enough for white letters."""

HOP_COLOUR = "#8a94a0"

LEFT, RIGHT, ROW, MARGIN = 120, 14, 28, 10
"""Pixels of the names at the left of a schedule, at its right, of a row, and around it."""

LIMIT_ROWS = 3
"""Rows of names of limits below the time; what has no room there has a line alone."""

LETTER = 6.4
"""Pixels that a letter takes; names of bars that do not fit are left to the tooltip."""


def schedule_picture(instance: Instance, plan: SchedulePlan, *, deadline_s: float = np.nan) -> str:
    """Draw a schedule: a row per unit (per slot in use at once) and per link, time to the right.

    Parameters
    ----------
    instance, plan
        Of the schedule regime.
    deadline_s
        Where to draw a dashed line (s); NaN: the instance's own deadlines.
    """
    view = gantt(instance, plan)
    rows: list[str] = view["rows"]
    stated: list[Any] = view["limits"]
    if not np.isnan(deadline_s):
        stated = [[deadline_s, "deadline"]]
    end = max(float(view["end"]), 0.0 if np.isnan(deadline_s) else deadline_s) or 1.0
    limits: list[tuple[float, str]] = [(float(t), str(name)) for t, name in stated if t <= end]

    def x(t: float) -> float:
        return LEFT + t / end * (WIDTH - LEFT - RIGHT)

    bottom = MARGIN + ROW * len(rows)
    lines = []
    for t in ticks(0.0, end, 7):
        at = x(t)
        lines.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{MARGIN}" y2="{bottom}"/>'
        )
        place = "end" if at > WIDTH - RIGHT - 24 else "mid"
        label = units.format(t, "time", digits=4) if t else "0"
        lines.append(text(at, bottom + 18, label, f"soft {place}"))
    room = (LEFT - 12) / LETTER
    for i, row in enumerate(rows):
        name = text(LEFT - 8, MARGIN + i * ROW + 18, fitted(row, room), "end")
        lines.append(f"<g><title>{html.escape(row)}</title>{name}</g>")
    bars: list[Bar] = view["bars"]
    lines += _bars(bars, [(x(bar[1]), x(bar[2])) for bar in bars], [x(t) for t, _ in limits])
    free: list[float] = []
    for t, name in limits:
        at = x(t)
        lines.append(f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="2" y2="{bottom}"/>')
        words = f"{name}: {units.format(t, 'time', digits=4)}"
        left = min(at + 3, WIDTH - len(words) * LETTER)
        # Below those that it would run into.
        line = next((r for r, begin in enumerate(free) if left >= begin), len(free))
        if line < LIMIT_ROWS:
            lines.append(text(left, bottom + 36 + 15 * line, words, "bad"))
            free[line : line + 1] = [left + len(words) * LETTER + 8]
    height = bottom + 30 + (16 + 15 * (len(free) - 1) if free else 0)
    return _picture(height, f"Schedule of {instance.name or 'the instance'}", lines)


def in_page(picture: str) -> str:
    """Return a picture that stands alone as a part of a page, whose style it takes.

    Its own style would reach the whole page, and its white ground letters for a dark one.
    """
    return picture.replace(f"<style>{STYLE}</style>", "", 1).replace(GROUND, "", 1)


def front_picture(front: Front) -> str:
    """Draw a front: plans as dots (filled where proven), and the bound that no plan crosses."""
    height, content = drawn_front(front)
    return _picture(height, f"{front.optimised} against {front.held}", [content])


def drawn_front(front: Front) -> tuple[float, str]:
    """Return height (pixels) and content of the drawing of a front, without a style."""
    marks = [_mark(p) for p in front.points]
    return front_drawing(front.instance, front.held, front.optimised, marks)


def _mark(point: Point) -> Mark:
    return Mark(
        point.held,
        point.value,
        point.limit,
        point.bound,
        point.efficient,
        point.proven,
        point.solution.status,
    )


def bars_picture(rows: Sequence[tuple[str, Sequence[float], str]], title: str) -> str:
    """Draw bars of up to three parts, one row each: label, parts, and the value in words."""
    drawn = stacked(rows, title)
    return drawn.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" {GROUND}', 1).replace(
        "</title>", f"</title><style>{STYLE}</style>", 1
    )


def _bars(
    bars: Sequence[Bar], ends: Sequence[tuple[float, float]], limits: Sequence[float]
) -> list[str]:
    """Draw bars; names beside them keep to what bars and lines of limits leave free."""
    drawn = []
    for i, (bar, (left, right)) in enumerate(zip(bars, ends, strict=True)):
        after = ends[i + 1][0] if i + 1 < len(bars) and bars[i + 1][0] == bar[0] else WIDTH
        before = ends[i - 1][1] if i and bars[i - 1][0] == bar[0] else LEFT
        # The one before may have its name there.
        before += len(bars[i - 1][3]) * LETTER + 8 if before > LEFT else 0
        after = min([after, *(at for at in limits if at >= right)])
        before = max([before, *(at for at in limits if at <= left)])
        drawn.append(_bar(bar, left, right, before, after))
    return drawn


def _bar(bar: Bar, left: float, right: float, before: float, free: float) -> str:
    """Draw a bar with its name in it, else beside it where that is free; hops have no name."""
    row, _, _, name, group, more = bar
    top = MARGIN + row * ROW + 4
    colour = HOP_COLOUR if group < 0 else COLOURS[group % len(COLOURS)]
    wide = max(right - left, 1.0)
    tip = html.escape(f"{name}: {more}")
    label, room = "", len(name) * LETTER + 8
    if room <= wide:
        label = text(left + 4, top + 14, name, "in")
    elif group >= 0 and right + room <= free:
        label = text(right + 4, top + 14, name, "soft")
    elif group >= 0 and left - room >= before:
        label = text(left - 4, top + 14, name, "soft end")
    return (
        f'<g><title>{tip}</title><rect x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" '
        f'height="{ROW - 8}" rx="2" fill="{colour}" class="edge"/>{label}</g>'
    )


def _picture(height: float, title: str, lines: Sequence[str]) -> str:
    name = html.escape(title, quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" '
        f'{GROUND}role="img" aria-label="{name}"><title>{name}</title>'
        f"<style>{STYLE}</style>{''.join(lines)}</svg>"
    )
