"""Periods over time, each as wide as it lasts: power against its cap, and units on by device."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from hetopt import units
from hetopt.evaluate.with_units import counted
from hetopt.instance import Floats, Instance
from hetopt.report.axes import fitted, ticks
from hetopt.report.charts import BOTTOM, CURVE_HEIGHT, LEFT, WIDTH, opened
from hetopt.report.parts import table
from hetopt.report.terminal.money import bought_rows

SMALL = 92
"""Height of the picture of one device."""

MOST_DEVICES = 12

KEY = (
    '<p class="key"><span><i class="ka"></i>work, above idle</span>'
    '<span><i class="kb"></i>idle</span><span><i class="kc"></i>starts and loading</span></p>'
)

Shown = Callable[[float], str]


def period_pictures(instance: Instance, quantities: Mapping[str, Any]) -> list[str]:
    """Draw power over the periods, requests served, and the units on of each device."""
    rows, names = quantities["periods"], instance.devices.name.tolist()
    edges = np.concatenate([[0.0], np.cumsum([row["duration_s"] for row in rows])])
    labels = [str(row["period"]) for row in rows]
    power = [
        (
            row["running_power_w"] - row["idle_power_w"],
            row["idle_power_w"],
            row["power_w"] - row["running_power_w"],
        )
        for row in rows
    ]
    caps = [float(instance.in_scenario(s).limits.power_cap_w) for s in range(len(rows))]
    watts = partial(units.format, dimension="power")
    rates = [(row["throughput_per_s"],) for row in rows]
    found = [
        "<h2>Power over the periods</h2>",
        KEY,
        over_time(edges, labels, power, "Power of each period", watts, caps),
        "<h2>Requests served over the periods</h2>",
        over_time(
            edges,
            labels,
            rates,
            "Throughput of each period",
            partial(units.format, dimension="rate"),
        ),
        "<h2>Units on over the periods</h2>",
    ]
    on = {(r["period"], r["device"]): r["on"] for r in quantities["devices"]}
    changed = {(r["period"], r["device"]): r for r in quantities["switching"]}
    used = [n for n in names if any(on[label, n] for label in labels)]
    for name in used[:MOST_DEVICES]:
        tips = [_changes(changed.get((label, name))) for label in labels]
        counts = [(float(on[label, name]),) for label in labels]
        found.append(f"<h3>{html.escape(str(name))}</h3>")
        found.append(
            over_time(
                edges, labels, counts, f"Units of {name} that are on", "{:.0f}".format, None, tips
            )
        )
    return [*found, *_switching(instance, quantities)]


def over_time(
    edges: Floats,
    labels: Sequence[str],
    values: Sequence[Sequence[float]],
    title: str,
    shown: Shown,
    caps: Sequence[float] | None = None,
    tips: Sequence[str] | None = None,
) -> str:
    """Return stacked columns as wide as what they stand for lasts.

    Parameters
    ----------
    edges
        Begins of the columns, and the end of the last (one more than columns).
    labels, values
        Name and up to three parts of each column.
    title
        For those who cannot see it.
    shown
        Writes a value of the axis with its unit.
    caps
        A dashed limit over each column, infinite where there is none.
    tips
        What is said of each column beside its value; the picture is small then.
    """
    tall = CURVE_HEIGHT if tips is None else SMALL
    finite = [cap for cap in caps or () if math.isfinite(cap)]
    most = max([math.fsum(parts) for parts in values] + finite, default=0.0)
    top, low, high = most * 1.06 or 1.0, tall - BOTTOM, 8

    def x(t: float) -> float:
        return LEFT + t / float(edges[-1]) * (WIDTH - LEFT - 10)

    def y(v: float) -> float:
        return low - v / top * (low - high)

    lines = [opened(WIDTH, tall, title)]
    for v in ticks(0.0, top, 5) if tips is None else (0.0, most):
        level, value = f"{y(v):.1f}", html.escape(shown(float(f"{v:.9g}")))
        lines += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{level}" y2="{level}"/>',
            f'<text class="end" x="{LEFT - 8}" y="{y(v) + 4:.1f}">{value}</text>',
        ]
    free = -math.inf
    for s, ((begin, end), parts) in enumerate(zip(pairwise(edges.tolist()), values, strict=True)):
        left, wide, below = x(begin), x(end) - x(begin), 0.0
        tip = f"{labels[s]}: {shown(math.fsum(parts))}" + (tips[s] if tips is not None else "")
        for part, fill in zip(parts, "abc", strict=False):
            height = y(below) - y(below + part)
            lines.append(
                f'<rect class="f{fill}" x="{left:.1f}" y="{y(below + part):.1f}" '
                f'width="{max(0.5, wide - 1):.1f}" height="{height:.1f}">'
                f"<title>{html.escape(tip)}</title></rect>"
            )
            below += part
        if left >= free:
            name = fitted(labels[s], max(wide, 40.0) / 6.6)
            lines.append(
                f'<text class="mid" x="{left + wide / 2:.1f}" y="{tall - 14}">'
                f"{html.escape(name)}</text>"
            )
            free = left + max(wide, 46.0)
        if caps is not None and math.isfinite(caps[s]):
            at = y(caps[s])
            lines.append(
                f'<line class="limit" x1="{left:.1f}" x2="{left + wide:.1f}" '
                f'y1="{at:.1f}" y2="{at:.1f}"><title>{html.escape(shown(caps[s]))}</title></line>'
            )
    if finite:
        words = f"power cap {shown(max(finite))}" if len(set(finite)) == 1 else "power cap"
        lines.append(
            f'<text class="end bad" x="{WIDTH - 12}" y="{y(max(finite)) - 5:.1f}">'
            f"{html.escape(words)}</text>"
        )
    return "".join([*lines, "</svg>"])


def _changes(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    parts = [f"{row[key]} {key}" for key in ("starts", "stops", "loads") if row[key]]
    return f" on; {', '.join(parts)}" if parts else " on"


def _switching(instance: Instance, quantities: Mapping[str, Any]) -> list[str]:
    """Show what is bought, switched and loaded as each period begins."""
    if "bought" in quantities:
        return [*_bought(instance, quantities), *_switched(instance, quantities)]
    return _switched(instance, quantities)


def _bought(instance: Instance, quantities: Mapping[str, Any]) -> list[str]:
    """Show what is bought as each period begins."""
    head = ("period", "device", "units", "price of one", "paid then", "in money of today")
    cells = bought_rows(instance, quantities["bought"])
    return ["<h2>What to buy, and when</h2>", table(head, cells, text=(0, 1))]


def _switched(instance: Instance, quantities: Mapping[str, Any]) -> list[str]:
    """Show what is switched and loaded as each period begins."""
    rows = quantities["switching"]
    if not rows:
        return ["<p>Nothing is switched or loaded from period to period.</p>"]
    cells = [
        (
            str(row["period"]),
            str(row["device"]),
            *(str(row[key] or "–") for key in ("starts", "stops", "loads")),
            units.format(row["loaded_b"], "bytes") if row["loads"] else "–",
            units.format(row["energy_j"], "energy"),
        )
        for row in rows
    ]
    whole = "a cycle" if instance.periods.cyclic else "in all"
    text = (
        f"<p>{counted(quantities['starts'], 'start')} and "
        f"{counted(quantities['loads'], 'load', ' of weights')} {whole}: "
        f"{units.format(quantities['switching_power_w'], 'power')} of the mean power.</p>"
    )
    head = ("period", "device", "starts", "stops", "loads", "loaded", "energy")
    return ["<h2>What is switched and loaded</h2>", text, table(head, cells, text=(0, 1))]
