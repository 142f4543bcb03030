"""A front as an SVG drawing, for pictures that stand alone and for pages with their own style."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hetopt.evaluate.with_units import quantity
from hetopt.instance import Instance, is_maximised
from hetopt.report.axes import exact, shown_per_si, ticks

Scale = Callable[[float], float]

WIDTH, HEIGHT, LEFT, BOTTOM, MARGIN, TICKS = 760, 330, 92, 66, 10, 4


class Mark(NamedTuple):
    """One point of a front as it is drawn; SI units, NaN where there is no value.

    ``limit`` is what the objective held was to keep, ``efficient`` whether no other point beats
    the plan, ``proven`` whether its solve ended with a proof.
    """

    held: float
    value: float
    limit: float
    bound: float
    efficient: bool
    proven: bool
    status: str

    @property
    def place(self) -> float:
        """Where on the axis of the objective held the bound is proven."""
        return self.held if np.isnan(self.limit) else self.limit

    @property
    def bounded(self) -> bool:
        """Whether there is a bound, and a place for it."""
        return not np.isnan([self.place, self.bound]).any()


def front_drawing(
    instance: Instance, held: str, optimised: str, marks: Sequence[Mark]
) -> tuple[float, str]:
    """Return height (pixels) and content of the drawing.

    Plans are dots (filled where proven, crosses where another point beats them); the dotted line
    is the bound, which no plan crosses.
    """
    plans = sorted((m for m in marks if m.efficient), key=lambda m: m.held)
    if not plans:
        return 40, text(LEFT, 24, "No plan was found.", "")
    dominated = [m for m in marks if not m.efficient and not np.isnan([m.held, m.value]).any()]
    bounded = [m for m in marks if m.bounded]
    x_low, x_high = _range([*(m.held for m in (*plans, *dominated)), *(m.place for m in bounded)])
    y_low, y_high = _range(
        [
            *(m.value for m in (*plans, *dominated)),
            *(m.bound for m in marks if not np.isnan(m.bound)),
        ]
    )

    def x(v: float) -> float:
        return LEFT + (v - x_low) / (x_high - x_low) * (WIDTH - LEFT - 30)

    def y(v: float) -> float:
        return MARGIN + (y_high - v) / (y_high - y_low) * (HEIGHT - BOTTOM - MARGIN)

    lines = []
    for up in ticks(y_low, y_high, TICKS + 2, shown_per_si(instance, optimised)):
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y(up):.1f}" y2="{y(up):.1f}"/>'
        )
        label = quantity(instance, optimised, exact(up))
        lines.append(text(LEFT - 8, y(up) + 4, label, "soft end"))
    for across in ticks(x_low, x_high, TICKS + 2, shown_per_si(instance, held)):
        at = x(across)
        lines.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{MARGIN}" y2="{HEIGHT - BOTTOM}"/>'
        )
        label = quantity(instance, held, exact(across))
        lines.append(text(at, HEIGHT - BOTTOM + 20, label, "soft mid"))
    downwards = is_maximised(held)
    lines.append(
        f'<path class="lb" stroke-dasharray="2 4" d="{_bound_line(bounded, x, y, downwards)}"/>'
    )
    lines.append(f'<path class="la" d="{_plan_line(plans, x, y, downwards)}"/>')
    for m in (*dominated, *plans):
        tip = f"{quantity(instance, held, m.held)}, {quantity(instance, optimised, m.value)}"
        tip = f"<title>{html.escape(f'{tip}, {m.status}')}</title>"
        at_x, at_y = x(m.held), y(m.value)
        if m.efficient:
            style = "fa" if m.proven else "open"
            lines.append(
                f'<circle class="{style}" cx="{at_x:.1f}" cy="{at_y:.1f}" r="5">{tip}</circle>'
            )
        else:
            cross = f"M{at_x - 4:.1f},{at_y - 4:.1f}l8,8m0,-8l-8,8"
            lines.append(f'<path class="dominated" d="{cross}">{tip}</path>')
    legend = f"right: {held}, up: {optimised}; filled: proven; dotted: the bound"
    if dominated:
        legend += "; crosses: dominated by another point"
    lines.append(text((LEFT + WIDTH) / 2, HEIGHT - 14, legend, "mid"))
    return HEIGHT, "".join(lines)


def text(x: float, y: float, words: str, style: str) -> str:
    """Return a text of a drawing."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{html.escape(words)}</text>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    spread = high - low or abs(high) or 1.0
    return low - 0.05 * spread, high + 0.05 * spread


def _plan_line(plans: Sequence[Mark], x: Scale, y: Scale, downwards: bool) -> str:
    """Draw what the plans reach: each counts at looser limits too, up to the next better one."""
    path = ""
    for m in plans[::-1] if downwards else plans:
        step = f"H{x(m.held):.1f}V{y(m.value):.1f}"
        path += step if path else f"M{x(m.held):.1f},{y(m.value):.1f}"
    return path


def _bound_line(bounded: Sequence[Mark], x: Scale, y: Scale, downwards: bool) -> str:
    """Draw what is proven: the bound of a limit holds at tighter limits too, up to the next one."""
    path = ""
    for m in sorted(bounded, key=lambda m: (m.place, m.bound), reverse=downwards):
        step = f"V{y(m.bound):.1f}H{x(m.place):.1f}"
        path += step if path else f"M{x(m.place):.1f},{y(m.bound):.1f}"
    return path
