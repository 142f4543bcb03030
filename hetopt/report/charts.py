"""Small pictures in SVG, without scripts: stacked bars, utilisation, and progress over time."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

from hetopt import units
from hetopt.report.axes import exact, fitted, ticks

WIDTH, LABEL, ROW, VALUE = 720, 170, 26, 190
"""Pixels of a picture, of its labels, of a row, and of the values at its right."""

LEAST_SPREAD = 1e-3
"""Least height of the axis of a curve, relative to its values."""

CURVE_HEIGHT, LEFT, BOTTOM = 220, 90, 34


def stacked(
    rows: Sequence[tuple[str, Sequence[float], str]], title: str, whole: float = 0.0
) -> str:
    """Return bars of up to three parts, one row each: label, parts, and the value in words.

    The longest bar fills the width, unless one of ``whole`` would be longer.
    """
    most = max([whole, *(math.fsum(parts) for _, parts, _ in rows)]) or 1.0
    height = ROW * len(rows) + 8
    lines = [opened(WIDTH, height, title)]
    for i, (label, parts, text) in enumerate(rows):
        y = i * ROW + 4
        lines.append(f'<text x="0" y="{y + 15}">{html.escape(fitted(label, 24))}</text>')
        x = float(LABEL)
        for part, fill in zip(parts, "abc", strict=False):
            wide = part / most * (WIDTH - LABEL - VALUE)
            lines.append(
                f'<rect class="f{fill}" x="{x:.1f}" y="{y + 2}" width="{wide:.1f}" height="17"/>'
            )
            x += wide
        lines.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{html.escape(text)}</text>')
    return "".join([*lines, "</svg>"])


def progress(
    time_s: Sequence[float],
    objective: Sequence[float],
    bound: Sequence[float],
    title: str,
    shown: Callable[[float], str] = "{:.5g}".format,
    factor: float = 1.0,
) -> str:
    """Return objective and bound over time as two stepped lines; missing values are NaN.

    ``shown`` writes a value with its unit, of which ``factor`` are in one.
    """
    known = [v for v in (*objective, *bound) if math.isfinite(v)]
    if not known or not time_s:
        return ""
    low, high = _widened(known)
    end = max(time_s) or 1.0

    def x(t: float) -> float:
        return LEFT + t / end * (WIDTH - LEFT - 10)

    def y(v: float) -> float:
        return 8 + (high - v) / (high - low) * (CURVE_HEIGHT - BOTTOM - 8)

    lines = [opened(WIDTH, CURVE_HEIGHT, title)]
    lines += [_level(v, y(v), shown) for v in ticks(low, high, 5, factor)]
    lines += [_time(t, x(t)) for t in ticks(0.0, end, 6)]
    for values, style in ((objective, "la"), (bound, "lb")):
        path, last = [], math.nan
        for t, v in zip(time_s, values, strict=True):
            if math.isnan(v):
                continue
            path.append(
                f"M{x(t):.1f},{y(v):.1f}" if math.isnan(last) else f"H{x(t):.1f}V{y(v):.1f}"
            )
            last = v
        if path:
            lines.append(f'<path class="{style}" d="{"".join(path)}H{x(end):.1f}"/>')
    return "".join([*lines, "</svg>"])


def columns(
    rows: Sequence[tuple[str, Sequence[float]]],
    title: str,
    shown: Callable[[float], str],
    limit: float = math.inf,
    limit_name: str = "",
) -> str:
    """Return stacked columns side by side, such as scenarios or hours, and a dashed limit.

    Parameters
    ----------
    rows
        Label and up to three parts of each column.
    title
        For those who cannot see it.
    shown
        Writes a value of the axis with its unit.
    limit, limit_name
        Where the dashed line is, and what it is called; none where infinite.
    """
    if not rows:
        return ""
    most = max(math.fsum(parts) for _, parts in rows)
    top = max(most, limit if math.isfinite(limit) else 0.0) * 1.06 or 1.0
    wide = (WIDTH - LEFT - 10) / len(rows)
    low, high = CURVE_HEIGHT - BOTTOM, 8

    def y(v: float) -> float:
        return low - v / top * (low - high)

    lines = [opened(WIDTH, CURVE_HEIGHT, title)]
    lines += [_level(v, y(v), shown) for v in ticks(0.0, top, 5)]
    every = max(1, math.ceil(len(rows) / max(1, int((WIDTH - LEFT) / 56))))
    for i, (label, parts) in enumerate(rows):
        left, below = LEFT + i * wide + wide * 0.12, 0.0
        for part, fill in zip(parts, "abc", strict=False):
            height = y(below) - y(below + part)
            tip = html.escape(f"{label}: {shown(math.fsum(parts))}")
            lines.append(
                f'<rect class="f{fill}" x="{left:.1f}" y="{y(below + part):.1f}" '
                f'width="{wide * 0.76:.1f}" height="{height:.1f}"><title>{tip}</title></rect>'
            )
            below += part
        if i % every == 0:
            name = html.escape(fitted(label, max(wide * every, 40.0) / 6.6))
            at = left + wide * 0.38
            lines.append(f'<text class="mid" x="{at:.1f}" y="{CURVE_HEIGHT - 14}">{name}</text>')
    if math.isfinite(limit):
        at = y(limit)
        lines.append(f'<line class="limit" x1="{LEFT}" x2="{WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>')
        words = html.escape(f"{limit_name} {shown(limit)}".strip())
        lines.append(f'<text class="end bad" x="{WIDTH - 4}" y="{at - 5:.1f}">{words}</text>')
    return "".join([*lines, "</svg>"])


def _level(value: float, at: float, shown: Callable[[float], str]) -> str:
    """Return a line of the grid with its value at the left."""
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text class="end" x="{LEFT - 8}" y="{at + 4:.1f}">'
        f"{html.escape(shown(exact(value)))}</text>"
    )


def _time(t: float, at: float) -> str:
    """Return the label of a time under a curve."""
    style = "end" if at > WIDTH - 30 else "mid"
    label = html.escape(units.format(t, "time", digits=3) if t else "0")
    return f'<text class="{style}" x="{min(at, WIDTH):.1f}" y="{CURVE_HEIGHT - 8}">{label}</text>'


def _widened(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    spread = max(high - low, LEAST_SPREAD * abs(high)) or 1.0
    return low - 0.05 * spread, high + 0.05 * spread


def opened(width: float, height: float, title: str) -> str:
    """Return the opening tag of a picture that takes its style from the page, and its title."""
    name = html.escape(title, quote=True)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
    )
