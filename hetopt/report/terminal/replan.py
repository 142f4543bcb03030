"""A plan made anew, and plans for losses, on a terminal and as JSON objects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from hetopt import units
from hetopt.evaluate.with_units import quantity
from hetopt.formats.plans import plan_to_dict, solution_to_dict, to_json
from hetopt.replan import Contingency, Loss, Replanned, Step
from hetopt.report.terminal.listing import listing
from hetopt.report.terminal.solution import percent, signed_share, small_gap
from hetopt.simulate.events import Route, to_dict
from hetopt.version import __version__

MOST_LINES = 30


def replanned_view(found: Replanned) -> RenderableType:
    """Show what changes, what that gains, how far it is proven, and the steps."""
    instance = found.instance
    name = instance.objective[0]
    title = Text(f"{instance.name or 'instance'}: plan from here", style="bold")
    if found.plan is None:
        return Group(title, Text(f"no plan: {found.reason}"), *_told(found))
    table = listing(("",), (name, "changes", "bound", "gap"))
    before = found.value_before
    if not math.isnan(before):
        table.add_row("as it runs", quantity(instance, name, before), "", "", "")
    table.add_row(
        "kept" if found.kept else "from here",
        quantity(instance, name, found.value),
        str(len(found.changes)),
        quantity(instance, name, found.solution.bound),
        small_gap(found.gap),
    )
    lines: list[RenderableType] = []
    if found.kept:
        lines.append(Text("Nothing changes: no change is proven to gain what it costs."))
    lines += [Text(step_line(step)) for step in found.steps[:MOST_LINES]]
    if len(found.steps) > MOST_LINES:
        lines.append(Text(f"... and {len(found.steps) - MOST_LINES} more steps (--json, -o)"))
    if found.shortfall:
        total = sum(found.shortfall.values())
        text = f"Not served in time meanwhile: {total:.4g} requests of {len(found.shortfall)} jobs."
        lines.append(Text(text))
    if found.charge:
        lines.append(Text(f"Changes are charged {quantity(instance, name, found.charge)}.", "dim"))
    return Group(title, table, *lines, *_told(found))


def _told(found: Replanned) -> list[Text]:
    lines = [Text(f"Of the plan given: {line}.", style="dim") for line in found.repaired]
    return lines + [Text(note, style="dim") for note in found.solution.notes]


def step_line(step: Step) -> str:
    """Return a step as one line."""
    action = to_dict(step.action)
    kind = str(action.pop("action")).replace("_", " ")
    if isinstance(step.action, Route):
        places = ", ".join(
            f"{p.task} on {p.device}{'' if p.unit is None else f'#{p.unit}'}"
            f"{f' as {p.option}' if p.option else ''}"
            for p in step.action.placements
        )
        what = f"{percent(step.action.share)} of {step.action.job}: {places}"
    else:
        what = " ".join(
            f"{action[k]}" for k in ("task", "model", "variant") if action.get(k) not in (None, "")
        )
        what = f"{what} {action['device']}#{action['unit']}".strip()
        if action.get("option"):
            what += f" as {action['option']}"
    ready = "" if step.ready_s <= step.time_s else f" (until {_time(step.ready_s)})"
    why = f", {step.why}" if step.why else ""
    return f"{_time(step.time_s):>10}  {kind} {what}{ready}{why}"


def _time(value: float) -> str:
    return units.format(value, "time", digits=5)


def replanned_to_dict(found: Replanned) -> dict[str, Any]:
    """Return the JSON object of ``hetopt replan``; SI units."""
    instance = found.instance
    return {
        "status": "feasible" if found.plan is not None else found.solution.status,
        "objective_name": instance.objective[0],
        "objective": to_json(found.value),
        "bound": to_json(found.solution.bound),
        "verified": found.plan is not None,
        "version": __version__,
        "reason": found.reason,
        "notes": list(found.solution.notes),
        "kept": found.kept,
        "value_before": to_json(found.value_before),
        "charge": to_json(found.charge),
        "score": to_json(found.score),
        "score_bound": to_json(found.score_bound),
        "gap": to_json(found.gap),
        "changes": list(found.changes),
        "repaired": list(found.repaired),
        "steps": [step.to_dict() for step in found.steps],
        "shortfall": found.shortfall,
        "wall_time_s": found.wall_time_s,
        "plan": None if found.plan is None else plan_to_dict(instance, found.plan),
    }


def contingency_view(found: Contingency) -> RenderableType:
    """Show each loss: what is planned then, what it costs more, what cannot be served."""
    instance, name = found.instance, found.base.objective_names[0]
    table = listing(("lost",), (name, "gap", "difference", "served"), ("cannot be served",))
    value = quantity(instance, name, found.base.objective)
    table.add_row("nothing", value, small_gap(found.base.gap), "", "", "", style="bold")
    for loss in found.losses:
        solution = loss.solution
        same = solution.objective_names[:1] == found.base.objective_names[:1]
        shown = quantity(loss.instance, name, solution.objective) if same else "–"
        table.add_row(
            loss.device if found.lose == "device" else f"1 of {loss.device}",
            shown,
            small_gap(solution.gap),
            signed_share(loss.difference, found.base.objective),
            _served(loss),
            ", ".join(loss.unserved[:4]) + (" ..." if len(loss.unserved) > 4 else ""),
        )
    lines = [
        Text(
            "served: of the jobs that something left can run; up to: the proven most.", style="dim"
        )
    ]
    lines += [
        Text(f"{loss.device}: {loss.solution.reason}", style="dim")
        for loss in found.losses
        if loss.solution.plan is None and loss.solution.reason
    ]
    if found.interrupted:
        lines.append(Text("Interrupted: losses that were not solved by then are missing."))
    title = Text(f"{instance.name or 'instance'}: what follows a loss", style="bold")
    return Group(title, table, *lines)


def _served(loss: Loss) -> str:
    if np.isnan(loss.part):
        return "not known"
    if loss.part >= 1 or np.isnan(loss.most) or loss.most <= loss.part * (1 + 1e-6):
        return percent(loss.part)
    return f"{percent(loss.part)} (up to {percent(loss.most)})"


def contingency_to_dict(found: Contingency) -> dict[str, Any]:
    """Return the JSON object of ``hetopt contingency``; differences in SI units."""
    return {
        "base": solution_to_dict(found.instance, found.base),
        "lose": found.lose,
        "losses": [
            {
                "device": loss.device,
                "unserved": list(loss.unserved),
                "served": to_json(loss.part),
                "served_most": to_json(loss.most),
                "difference": to_json(loss.difference),
                **solution_to_dict(loss.instance, loss.solution),
            }
            for loss in found.losses
        ],
        "interrupted": found.interrupted,
    }
