"""Small pictures in SVG, without scripts: stacked bars, utilisation, and progress over time."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH, LABEL, ROW, VALUE = 720, 170, 26, 190
"""Pixels of a picture, of its labels, of a row, and of the values at its right."""

LEAST_SPREAD = 1e-3
"""Least height of the axis of a curve, relative to its values."""

CURVE_HEIGHT, LEFT, BOTTOM = 220, 90, 34


def stacked(rows: Sequence[tuple[str, Sequence[float], str]], title: str) -> str:
    """Return bars of up to three parts, one row each: label, parts, and the value in words."""
    most = max((math.fsum(parts) for _, parts, _ in rows), default=0.0) or 1.0
    height = ROW * len(rows) + 8
    lines = [opened(WIDTH, height, title)]
    for i, (label, parts, text) in enumerate(rows):
        y = i * ROW + 4
        lines.append(f'<text x="0" y="{y + 15}">{html.escape(_cut(label, 24))}</text>')
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
    time_s: Sequence[float], objective: Sequence[float], bound: Sequence[float], title: str
) -> str:
    """Return objective and bound over time as two stepped lines; missing values are NaN."""
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
    for k in range(5):
        v = low + (high - low) * k / 4
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        )
        lines.append(f'<text x="0" y="{y(v) + 4:.1f}">{v:.5g}</text>')
        t = end * k / 4
        lines.append(
            f'<text x="{min(x(t), WIDTH - 50):.1f}" y="{CURVE_HEIGHT - 8}">{t:.3g} s</text>'
        )
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


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
