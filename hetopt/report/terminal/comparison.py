"""A comparison as a table on a terminal and as a JSON object."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hetopt.analysis.compare import Comparison
from hetopt.analysis.gain import Gain
from hetopt.analysis.rivals import Rival
from hetopt.evaluate.with_units import bound_with_unit, quantity
from hetopt.formats.plans import solution_to_dict, to_json
from hetopt.instance import Instance, is_maximised
from hetopt.report.terminal.listing import listing
from hetopt.report.terminal.solution import percent, small_gap
from hetopt.solution import Solution

TASKS_NAMED = 6
"""Tasks named in a row; the others are counted."""


def comparison_view(comparison: Comparison) -> RenderableType:
    """Show every side, the gain by plans and proven, and how firm it is."""
    instance, name = comparison.instance, comparison.heterogeneous.objective_names[0]
    question = f"{instance.name or 'instance'}: {name}, heterogeneous against homogeneous"
    if comparison.basis != "units":
        question += (
            f", counts free up to the {'power cap' if comparison.basis == 'power' else 'budget'}"
        )
    parts: list[RenderableType] = [Text(question, style="bold"), _sides(comparison), Text("")]
    reasons = _reasons(comparison)
    parts += [*(Text(line) for line in reasons), Text("")] if reasons else []
    parts += [Text(line) for line in gain_lines(comparison)]
    if comparison.sensitivity:
        parts += [Text(""), _firmness(comparison)]
    notes = list(comparison.notes)
    if comparison.interrupted:
        notes.append("Interrupted: what was not solved by then is missing.")
    parts += [Text(""), *[Text(note, style="dim") for note in notes]] if notes else []
    return Group(*parts)


def gain_lines(comparison: Comparison) -> list[str]:
    """Say the gain twice: by the plans found, and proven."""
    ours, gain = comparison.heterogeneous, comparison.gain
    name = ours.objective_names[0]
    who = "single kind" if comparison.rival == "kind" else "single device"
    if gain.reason or not comparison.best:
        return [f"No gain: {gain.reason or 'no rival serves the work'}."]
    best = next(r for r in comparison.rivals if r.name == comparison.best)
    value = quantity(comparison.instance, name, ours.objective)
    theirs = quantity(comparison.instance, name, best.solution.objective)
    lines = [f"Best {who}: {best.name} with {theirs}; heterogeneous {value}."]
    if gain.is_difference:
        better = quantity(comparison.instance, name, gain.value)
        proven = quantity(comparison.instance, name, gain.proven)
        return [*lines, f"Gain: {better} better (proven: at least {proven})."]
    verb = "more" if is_maximised(name) else "less"
    lines.append(f"Gain: {percent(gain.value)} {verb} {name}.")
    if np.isnan(gain.proven):
        lines.append("Proven: nothing, as some rival's bound is missing or zero.")
    else:
        lines.append(
            f"Proven: at least {percent(gain.proven)} {verb} than any {who} could ever reach."
        )
    return lines


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the JSON object of ``hetopt compare`` (docs/cli.md)."""
    instance = comparison.instance
    return {
        "basis": comparison.basis,
        "rival": comparison.rival,
        "host": comparison.host or None,
        "heterogeneous": solution_to_dict(instance, comparison.heterogeneous),
        "homogeneous": [_rival_dict(instance, r) for r in comparison.rivals],
        "best_homogeneous": comparison.best or None,
        "gain": to_json(comparison.gain.value),
        "gain_proven": to_json(comparison.gain.proven),
        "gain_is_difference": comparison.gain.is_difference,
        "gain_reason": comparison.gain.reason or None,
        "sensitivity": [
            {
                "change": s.change,
                "gain": to_json(s.gain.value),
                "gain_proven": to_json(s.gain.proven),
                "best_homogeneous": s.best or None,
                "reason": s.gain.reason or None,
            }
            for s in comparison.sensitivity
        ],
        "interrupted": comparison.interrupted,
        "notes": list(comparison.notes),
    }


def _rival_dict(instance: Instance, rival: Rival) -> dict[str, Any]:
    return {
        "name": rival.name,
        "kind": rival.kind,
        "rival": rival.type,
        "cannot_run": list(rival.cannot_run),
        "hosted": list(rival.hosted),
        **solution_to_dict(instance, rival.solution),
    }


def _sides(comparison: Comparison) -> Table:
    instance = comparison.instance
    name = comparison.heterogeneous.objective_names[0]
    table = listing(("placement", "units on"), (name, "bound", "gap"), ("status",))
    alone: dict[tuple[int, ...], str] = {}
    for rival in comparison.rivals:
        twin = alone.setdefault(rival.devices, rival.name)
        mark = " *" if rival.name == comparison.best else ""
        status = rival.solution.status if twin == rival.name else f"the same as {twin}"
        if rival.cannot_run:
            status += f": cannot run {_named(rival.cannot_run)}"
        if rival.hosted:
            status += f"; {comparison.host} runs {_named(rival.hosted)}"
        table.add_row(rival.name + mark, *_row(instance, rival.solution), status)
    ours = comparison.heterogeneous
    table.add_row("heterogeneous", *_row(instance, ours), ours.status, style="bold")
    return table


def _reasons(comparison: Comparison) -> list[str]:
    """Say why placements have no plan, alike ones in one line."""
    sides = [(r.name, r.devices, r.solution) for r in comparison.rivals if not r.cannot_run]
    sides.append(("The heterogeneous placement", (), comparison.heterogeneous))
    named: dict[str, dict[tuple[int, ...], str]] = {}
    for name, devices, solution in sides:
        if solution.status == "infeasible" and solution.reason:
            named.setdefault(solution.reason, {}).setdefault(devices, name)
    return [
        f"{', '.join(names.values())} {'has' if len(names) == 1 else 'have'} no plan: {reason}"
        for reason, names in named.items()
    ]


def _row(instance: Instance, solution: Solution) -> list[str]:
    name = solution.objective_names[0]
    units: dict[str, int] = {}
    for row in solution.quantities.get("devices", []):
        # With scenarios: the most that are on in any of them.
        units[row["device"]] = max(row["on"], units.get(row["device"], 0))
    on = ", ".join(f"{count} {device}" for device, count in units.items() if count)
    return [
        on or "–",
        quantity(instance, name, solution.objective),
        bound_with_unit(instance, name, solution.bound, solution.objective, solution.gap),
        small_gap(solution.gap),
    ]


def _firmness(comparison: Comparison) -> Table:
    heads = ("gain", "proven"), ("best homogeneous",)
    table = listing(("change",), *heads, title="How firm is it?", title_style="")
    for row in comparison.sensitivity:
        name = comparison.heterogeneous.objective_names[0]
        table.add_row(
            row.change,
            _gain_text(comparison, name, row.gain, row.gain.value),
            _gain_text(comparison, name, row.gain, row.gain.proven),
            row.best or row.gain.reason,
        )
    return table


def _gain_text(comparison: Comparison, name: str, gain: Gain, value: float) -> str:
    return quantity(comparison.instance, name, value) if gain.is_difference else percent(value)


def _named(tasks: tuple[str, ...]) -> str:
    rest = len(tasks) - TASKS_NAMED
    return ", ".join(tasks[:TASKS_NAMED]) + (f" and {rest} more" if rest > 0 else "")
