"""Curves in SVG, without scripts: several over one axis, linear or logarithmic, with a legend."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats
from hetopt.report.charts import opened
from hetopt.report.pictures import COLOURS, STYLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 260, 86, 12, 10, 40
TICKS = 5
LEGEND_COLUMNS, LEGEND_ROW = 4, 20
MOST_POINTS = 480
"""Points of a curve; more are not seen at this width."""


@dataclass(frozen=True)
class Curve:
    """One curve: its name, its points, and whether it stays level until the next point."""

    name: str
    x: Floats
    y: Floats
    stepped: bool = False
    dashed: bool = False


def lines(
    curves: Sequence[Curve],
    title: str,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    *,
    log_x: bool = False,
    log_y: bool = False,
    counts: bool = False,
    alone: bool = False,
) -> str:
    """Return curves and their legend.

    Parameters
    ----------
    title
        What the picture shows, for those who cannot see it.
    x_text, y_text
        Write a value of an axis.
    log_x, log_y
        Whether an axis is logarithmic; points of 0 or less are left out there.
    counts
        Whether values are numbers of things, so that levels are whole.
    alone
        Whether the picture has its own style, a white ground and the legend inside.
    """
    shown = [_kept(c, log_x, log_y) for c in curves]
    shown = [c for c in shown if len(c.x)]
    if not shown:
        return ""
    xs = np.concatenate([c.x for c in shown])
    ys = np.concatenate([c.y for c in shown])
    across = _Axis(float(xs.min()), float(xs.max()), LEFT, WIDTH - RIGHT, log_x)
    low = float(ys.min()) if log_y else min(0.0, float(ys.min()))
    up = _Axis(low, float(ys.max()) * (1.0 if log_y else 1.04), HEIGHT - BOTTOM, TOP, log_y)
    rows = -(-len(shown) // LEGEND_COLUMNS) if alone else 0
    height = HEIGHT + LEGEND_ROW * rows
    parts = [opened(WIDTH, height, title)]
    if alone:
        ground = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        parts += [f"<style>{STYLE}</style>", ground]
    for value in up.ticks(1.0 if counts else 0.0):
        y = up.at(value)
        line = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="grid" {line}/>')
        label = f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
        parts.append(f"{label}{html.escape(y_text(value))}</text>")
    for value in across.ticks():
        at = min(max(across.at(value), LEFT + 14), WIDTH - 30)
        label = f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
        parts.append(f"{label}{html.escape(x_text(value))}</text>")
    for n, curve in enumerate(shown):
        dash = ' stroke-dasharray="6 4"' if curve.dashed else ""
        colour = "#b3261e" if curve.dashed else COLOURS[n % len(COLOURS)]
        style = f'fill="none" stroke="{colour}" stroke-width="1.8"{dash}'
        parts.append(f'<path {style} d="{_path(curve, across, up)}"/>')
    if alone:
        return "".join([*parts, *_legend_inside(shown), "</svg>"])
    return "".join([*parts, "</svg>", _legend(shown)])


class _Axis:
    def __init__(self, low: float, high: float, begin: float, end: float, log: bool) -> None:
        if log:
            low, high = math.log10(low), math.log10(high)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        self.low, self.high, self.begin, self.end, self.log = low, high, begin, end, log

    def at(self, value: float) -> float:
        place = math.log10(value) if self.log else value
        return self.begin + (place - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self, least: float = 0.0) -> list[float]:
        if not self.log:
            step = max(least, _round_step((self.high - self.low) / TICKS))
            first = math.ceil(self.low / step)
            return [k * step for k in range(first, math.floor(self.high / step) + 1)]
        first, last = math.floor(self.low), math.ceil(self.high)
        every = max(1, (last - first) // 6)
        whole = [10.0**k for k in range(first, last + 1, every)]
        inside = [v for v in whole if self.low <= math.log10(v) <= self.high]
        if len(inside) >= 2:
            return inside
        return [10.0 ** (self.low + (self.high - self.low) * k / 3) for k in range(4)]


def _round_step(step: float) -> float:
    size: float = 10.0 ** math.floor(math.log10(step))
    return next(size * f for f in (1.0, 2.0, 5.0, 10.0) if size * f >= step * (1 - 1e-9))


def _kept(curve: Curve, log_x: bool, log_y: bool) -> Curve:
    fine = np.isfinite(curve.x) & np.isfinite(curve.y)
    if log_x:
        fine &= curve.x > 0
    if log_y:
        fine &= curve.y > 0
    at = np.flatnonzero(fine)
    if len(at) > MOST_POINTS:
        at = at[np.unique(np.linspace(0, len(at) - 1, MOST_POINTS).astype(np.int64))]
    return Curve(curve.name, curve.x[at], curve.y[at], curve.stepped, curve.dashed)


def _path(curve: Curve, across: _Axis, up: _Axis) -> str:
    parts: list[str] = []
    for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True):
        px, py = across.at(x), up.at(y)
        if not parts:
            parts.append(f"M{px:.1f},{py:.1f}")
        elif curve.stepped:
            parts.append(f"H{px:.1f}V{py:.1f}")
        else:
            parts.append(f"L{px:.1f},{py:.1f}")
    return "".join(parts)


def _legend_inside(curves: Sequence[Curve]) -> list[str]:
    wide = (WIDTH - LEFT) / LEGEND_COLUMNS
    parts = []
    for n, curve in enumerate(curves):
        x = LEFT + n % LEGEND_COLUMNS * wide
        y = HEIGHT + n // LEGEND_COLUMNS * LEGEND_ROW + 4
        colour = "#b3261e" if curve.dashed else COLOURS[n % len(COLOURS)]
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20:.0f}" y="{y + 6}">{html.escape(curve.name)}</text>')
    return parts


def _legend(curves: Sequence[Curve]) -> str:
    spans = []
    for n, curve in enumerate(curves):
        colour = "#b3261e" if curve.dashed else COLOURS[n % len(COLOURS)]
        mark = f'<i style="background:{colour}"></i>'
        spans.append(f"<span>{mark}{html.escape(curve.name)}</span>")
    return f'<p class="key">{"".join(spans)}</p>'
