"""Step curves of several solvers as an SVG drawing for the documentation, in light and dark."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping

Curve = tuple[list[float], list[float]]

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 360, 64, 34, 46, 170
COLOURS = ("#0b62a4", "#c8501e", "#2e8540", "#8a4fbf", "#b8860b", "#5b6770", "#d6336c", "#0f8a8a")
MOST_POINTS = 240
"""Corners of a curve that are drawn, evenly spaced."""


def drawing(
    title: str,
    x_title: str,
    y_title: str,
    curves: Mapping[str, Curve],
    *,
    log: bool = False,
    most_x: float = math.inf,
) -> str:
    """Return a drawing; y is a share of 1, x is linear or (``log``) logarithmic.

    Parameters
    ----------
    curves
        Per solver the corners (x, y) of a curve of steps, x ascending.
    most_x
        Where the x axis ends at most.
    """
    known = {name: curve for name, curve in curves.items() if curve[0]}
    low = min((x[0] for x, _ in known.values()), default=0.01)
    high = max(min(most_x, max((x[-1] for x, _ in known.values()), default=1.0)), low * 1.01)
    top = 1.0 if not log else max((max(y) for _, y in known.values()), default=1.0)

    def across(v: float) -> float:
        part = math.log(v / low) / math.log(high / low) if log else (v - low) / (high - low)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, part))

    def up(v: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, v / top)

    about = html.escape(title)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
    lines = [
        f'{head}aria-label="{about}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, title, "start", 14),
    ]
    for k in range(6):
        y = top * k / 5
        lines.append(_line(LEFT, up(y), WIDTH - RIGHT, up(y), "#dddddd"))
        lines.append(_text(LEFT - 6, up(y) + 4, f"{y:.0%}", "end"))
    for x in _marks(low, high, log=log):
        lines.append(_line(across(x), up(0), across(x), up(0) + 4, "#555555"))
        lines.append(_text(across(x), up(0) + 18, f"{x:g}", "middle"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(_text(middle, HEIGHT - 8, x_title, "middle"))
    at = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'text-anchor="middle" transform="rotate(-90 14 {at:.0f})"'
    lines.append(f'<text x="14" y="{at:.0f}" fill="#222222" {turned}>{html.escape(y_title)}</text>')
    for k, (name, curve) in enumerate(known.items()):
        colour = COLOURS[k % len(COLOURS)]
        lines.append(
            f'<path d="{_path(curve, across, up, high)}" fill="none" stroke="{colour}" '
            f'stroke-width="{2.6 if name == "hetopt" else 1.6}"/>'
        )
        at = TOP + 14 + 18 * k
        lines.append(_line(WIDTH - RIGHT + 12, at - 4, WIDTH - RIGHT + 34, at - 4, colour, 3))
        lines.append(_text(WIDTH - RIGHT + 40, at, name, "start"))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _path(
    curve: Curve, across: Callable[[float], float], up: Callable[[float], float], high: float
) -> str:
    """Return the steps of a curve up to an end."""
    points = [(x, y) for x, y in zip(*curve, strict=True) if x <= high]
    step = max(1, len(points) // MOST_POINTS)
    points = [*points[::step], *points[-1:]]
    parts = [f"M{across(points[0][0]):.1f} {up(points[0][1]):.1f}"]
    for x, y in points[1:]:
        parts.append(f"H{across(x):.1f}V{up(y):.1f}")
    return "".join([*parts, f"H{across(high):.1f}"])


def _marks(low: float, high: float, *, log: bool) -> list[float]:
    if log:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        return [10.0**k for k in range(first, last + 1)]
    return [round(low + (high - low) * k / 5, 3) for k in range(6)]


def _text(x: float, y: float, words: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="#222222" text-anchor="{anchor}" '
        f'font-size="{size}">{html.escape(words)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, width: int = 1) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )
