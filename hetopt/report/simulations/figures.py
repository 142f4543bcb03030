"""Figures and tables of simulations of both regimes, as terminals show them."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.formats.plans import to_json
from hetopt.report.lines import Curve, lines
from hetopt.report.parts import document, table
from hetopt.simulate import ScheduleSimulation, Simulation
from hetopt.version import __version__

Simulated = Simulation | ScheduleSimulation

Row = tuple[str, ...]
BOUND = "proven bound"


def view(
    simulation: Simulated, tables: Sequence[tuple[Row, list[Row]] | None], sentences: list[str]
) -> RenderableType:
    """Show tables of a simulation, sentences, and the policies that failed."""
    name = simulation.instance.name or "instance"
    lines = [Text(line, style="dim") for line in sentences]
    lines += [Text(f"{policy}: {why}") for policy, why in simulation.failed.items()]
    shown = [drawn(*made) for made in tables if made]
    return Group(Text(f"{name}: simulated", style="bold"), *shown, *lines)


def page(
    simulation: Simulated,
    tables: Sequence[tuple[Row, list[Row]] | None],
    sentences: list[str],
    sections: Sequence[str],
) -> str:
    """Return a page: its head, tables, sentences, the policies that failed, and sections."""
    instance = simulation.instance
    title = html.escape(f"{instance.name or 'instance'}: simulated")
    about = [instance.description] if instance.description else []
    parts = [
        f"<h1>{title}</h1>",
        *(f'<p class="note">{html.escape(text)}</p>' for text in about),
        *(table(*made, bold=BOUND, most=None) for made in tables if made),
        *(f'<p class="note">{html.escape(line)}</p>' for line in sentences),
        *(f"<p>{html.escape(f'{p}: {why}')}</p>" for p, why in simulation.failed.items()),
        *sections,
    ]
    return document(title, "".join(parts))


def priced_table(
    simulation: Simulated,
    names: Sequence[str],
    least: Callable[[str], float],
) -> tuple[Row, list[Row]] | None:
    """Return heads and one row a policy of the totals with some price; None where all are 0.

    Parameters
    ----------
    names
        Of totals.
    least
        Bound of one of them.
    """
    used = [n for n in names if any(simulation.mean(p, n) > 0 for p in simulation.policies)]
    if not used:
        return None
    rows: list[Row] = []
    for policy in simulation.policies:
        row = [policy]
        for name in used:
            row.append(priced(simulation, name, simulation.mean(policy, name)))
            row.append(times(simulation.over_bound(policy, name)))
        rows.append(tuple(row))
    if simulation.bounds:
        bounds = [(priced(simulation, name, least(name)), "") for name in used]
        rows.append((BOUND, *(cell for cells in bounds for cell in cells)))
    heads = [part for n in used for part in (n.removesuffix("_kg").removesuffix("_s"), "/ bound")]
    return ("policy", *heads), rows


def policy_sentences(simulation: Simulated, never: Callable[[list[Any]], str]) -> list[str]:
    """Say of each policy what ``never`` ran, what it exceeded, lost, and planned anew."""
    found = list(simulation.notes)
    for policy in simulation.policies:
        runs: list[Any] = [o for o in simulation.outcomes if o.policy == policy]
        undone = sum(o.totals["unserved"] or 0.0 for o in runs)
        if undone:
            found.append(f"{policy}: {undone:,.0f} {never(runs)}.")
        over = max(o.totals["over_cap_s"] or 0.0 for o in runs)
        if over > 0:
            found.append(f"{policy}: above the power cap for {units.format(over, 'time')}.")
        lost = sum(o.totals.get("lost_runs") or 0.0 for o in runs)
        if lost:
            found.append(f"{policy}: {lost:,.0f} runs were lost to failures and began anew.")
        if runs[0].decided:
            solves, changes = (sum(o.decided[k] for o in runs) for k in ("solves", "changes"))
            found.append(
                f"{policy}: planned anew {solves} times, changed its plan {changes} times."
            )
    return found


def to_dict(
    simulation: Simulated,
    over_bound: dict[str, str],
    rows: Sequence[str],
    bounds: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return what the JSON objects of both regimes share; SI units.

    Parameters
    ----------
    over_bound
        Totals that are compared with the bound, by the name of the ratio.
    rows
        Tables of each run.
    bounds
        The bound of each replication.
    """
    return {
        "settings": simulation.settings,
        "policies": [
            {
                "policy": policy,
                **{n: to_json(simulation.mean(policy, n)) for n in simulation.outcomes[0].totals},
                **{k: to_json(simulation.over_bound(policy, n)) for k, n in over_bound.items()},
                "replications": [
                    {
                        **o.totals,
                        "wall_time_s": o.wall_time_s,
                        **o.decided,
                        **{name: getattr(o, name) for name in rows},
                    }
                    for o in simulation.outcomes
                    if o.policy == policy
                ],
            }
            for policy in simulation.policies
        ],
        "bounds": bounds,
        "failed": simulation.failed,
        "notes": list(simulation.notes),
        "version": __version__,
    }


def power_curves(
    simulation: Simulated, curves: list[Curve], end: float, alone: bool = False
) -> str:
    """Draw the power of each policy over time, under the cap where there is one."""
    begins = np.array([begin for begin, _ in simulation.caps] + [end])
    caps = np.array([cap for _, cap in simulation.caps] + [simulation.caps[-1][1]])
    if np.isfinite(caps).any():
        curves = [*curves, Curve("power cap", begins, caps, stepped=True, dashed=True)]
    return lines(curves, "Power of each policy over time", axis_s, axis_w, alone=alone)


def axis_s(value: float) -> str:
    """Show s along an axis."""
    return units.format(value, "time", digits=3) if value else "0"


def axis_w(value: float) -> str:
    """Show W along an axis."""
    return units.format(value, "power", digits=3) if value else "0"


def axis_share(value: float) -> str:
    """Show a share along an axis."""
    return f"{100 * value:.3g} %"


def drawn(heads: Row, rows: list[Row]) -> Table:
    """Return a table; the row of the bound is dimmed."""
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="dim" if row[0] == BOUND else "")
    return table


def energy(value: float) -> str:
    """Show J; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "energy", digits=5)


def time(value: float) -> str:
    """Show s; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "time", digits=4)


def priced(simulation: Simulated, name: str, value: float) -> str:
    """Show a cost, carbon or tardiness; a dash where there is no value."""
    if np.isnan(value) or name == "tardiness_s":
        return time(value)
    if name == "cost":
        return f"{value:.5g} {simulation.instance.currency or 'money'}"
    return f"{value:.5g} kg"


def watts(value: float) -> str:
    """Show W; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "power", digits=4)


def times(value: float) -> str:
    """Show a ratio; a dash where there is no value."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def share(value: float) -> str:
    """Show a share as a percentage; a dash where there is no value."""
    return "–" if np.isnan(value) else f"{value:.2%}".replace("%", " %")
