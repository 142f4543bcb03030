"""An explanation as people read it on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.analysis.explanation import Explanation, Group, repair_text
from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.analysis.explanation.plan_explanation import Alternative, Effect, PlanExplanation
from hetopt.analysis.explanation.repairs import Move, Repair
from hetopt.analysis.explanation.wording import limit_text, number
from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate.with_units import quantity, sizes
from hetopt.instance import Instance
from hetopt.report.terminal.listing import listing
from hetopt.report.terminal.solution import percent, small_gap

LIMITS_NAMED = 4
"""Lifted limits that a sentence names; the others are counted, and in ``--json``."""
ROWS_SHOWN = 12
"""Rows of a table that are printed; ``--json`` has all of them."""


def explanation_view(explanation: Explanation) -> RenderableType:
    """Show why there is no plan and what would help, or what the plan rests on."""
    instance = explanation.instance
    name = instance.name or "instance"
    size = f"{sizes(instance)}, {instance.regime}"
    parts: list[RenderableType] = [Text(f"{name}: {size}", style="bold")]
    if explanation.status == "feasible":
        parts += _of_plan(explanation)
    else:
        parts += _of_none(explanation)
    notes = list(explanation.notes)
    if explanation.interrupted:
        notes.append("Interrupted: what was not asked by then is missing.")
    wall = explanation.wall_time_s
    took = "" if wall is None else f" in {wall:.1f} s"
    notes.append(f"{explanation.solves} solves{took}.")
    return Stack(*parts, Text(""), *[Text(note, style="dim") for note in notes])


def _of_none(explanation: Explanation) -> list[RenderableType]:
    instance = explanation.instance
    head = "There is no plan: this is proven."
    if explanation.status == "unknown":
        head = "No plan is known, and none is proven not to exist."
    parts: list[RenderableType] = [Text(head)]
    if explanation.screens:
        parts += [Text(""), Text("At a glance", style="bold")]
        parts += [Text(f"  • {screen.text}") for screen in explanation.screens]
    for i, group in enumerate(explanation.conflicts):
        parts += [Text(""), *_conflict(instance, group, first=i == 0)]
    if explanation.status == "infeasible":
        parts += [Text(""), Text("What would help", style="bold"), *_repairs(explanation)]
    return parts


def _conflict(instance: Instance, group: Group, *, first: bool) -> list[RenderableType]:
    """Say which limits conflict, and which were lifted when that was proven: no more is known."""
    count = len(group.limits)
    lifted = _lifted_text(group.lifted)
    if not count:
        blame = "No limit can be blamed: there is no plan" if lifted else "There is no plan"
        facts = "devices, options and the graph of tasks alone rule it out"
        return [Text(f"{blame}{lifted or f', as {facts}'}.")]
    head = "Why" if first else "And also"
    kind = group.limits[0].kind
    if count == 1:
        words = f"{limit_text(instance, group.limits[0])} cannot be met"
        if kind == "demand":
            words = "The demand is too much for these devices"
        elif kind == "no_link":
            words = f"There is {group.limits[0].words}, and so no plan"
        lines = [Text(f"  {words[0].upper()}{words[1:]}{lifted}.")]
    else:
        lines = [Text(f"  These cannot be met together{lifted}:")]
        lines += [Text(f"    – {limit_text(instance, limit)}") for limit in group.limits]
    sure = []
    if count > 1:
        sure.append(
            "without any one of them, the others can be met"
            if group.minimal
            else "not proven minimal: there was not the time to test each of them"
        )
    sure.append("proven twice" if group.reproved else "proven once, no time for the second proof")
    return [Text(head, style="bold"), *lines, Text(f"  ({'; '.join(sure)})", style="dim")]


def _lifted_text(limits: tuple[Limit, ...]) -> str:
    """Say which limits were lifted: some by name, the others counted."""
    if not limits:
        return ""
    rules = [limit.words for limit in limits if limit.kind != "no_link"]
    links = [limit.words.removeprefix("no ") for limit in limits if limit.kind == "no_link"]
    parts = [f"without {_listed(rules)}"] if rules else []
    if links:
        parts.append(f"with a {_listed(links)}")
    return f", even {' and '.join(parts)}"


def _listed(names: list[str]) -> str:
    """Name some, and count the others."""
    rest = len(names) - LIMITS_NAMED
    if rest > 1:
        return f"{', '.join(names[:LIMITS_NAMED])} and {rest} other limits"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _repairs(explanation: Explanation) -> list[RenderableType]:
    instance = explanation.instance
    if not explanation.repairs:
        if any(not group.limits for group in explanation.conflicts):
            return [Text("  No change of the limits does.")]
        return [Text("  No change of the limits that gives a plan was found in the time.")]
    lines: list[RenderableType] = []
    for i, repair in enumerate(explanation.repairs):
        lead = "  " if i == 0 else "  or "
        lines.append(Text(f"{lead}{repair_text(instance, repair)}"))
        lines.append(Text(f"       {_proof(instance, repair)}", style="dim"))
    if not explanation.complete:
        lines.append(Text("  The time ended: there may be other changes as small.", style="dim"))
    return lines


def _proof(instance: Instance, repair: Repair) -> str:
    """Say what is proven of a repair."""
    numbered = [move for move in repair.moves if move.value is not None]
    parts = ["a checked plan does with it"]
    if repair.blend:
        parts.append("half of the one's need, and the least of the other then")
    elif numbered and all(move.exact for move in numbered):
        each = "no less does" if len(repair.moves) == 1 else "none of them can be less alone"
        if numbered[0].limit.kind == "demand":
            each = "no more can be served"
        parts.append(f"{each} (proven)")
    else:
        parts += [_bracket(instance, move) for move in numbered if not move.exact]
    if not repair.minimal:
        parts.append("perhaps fewer changes do")
    return "; ".join(parts)


def _bracket(instance: Instance, move: Move) -> str:
    amount = move.limit.amount
    if amount is None or move.bound is None:
        return "not proven least"
    least = number(instance, amount.dimension, move.bound)
    side = "at least" if amount.sign > 0 else "at most"
    return f"{side} {least} is needed (proven), so the least is not known exactly"


def _of_plan(explanation: Explanation) -> list[RenderableType]:
    instance, solution, told = explanation.instance, explanation.solution, explanation.plan
    if solution is None or told is None:
        return []
    name = solution.objective_names[0]
    value = quantity(instance, name, solution.objective)
    if solution.status == "optimal":
        text = f"The plan's {name} is {value}: the best there is (proven)."
    else:
        bound, gap = quantity(instance, name, solution.bound), small_gap(solution.gap)
        text = f"The plan's {name} is {value}; at best {bound} is possible (gap {gap})."
    parts: list[RenderableType] = [Text(text), Text(""), *_binding(instance, told)]
    if told.steps:
        parts += [Text(""), _steps(told)]
    if told.alternatives:
        parts += [Text(""), _alternatives(instance, name, told.alternatives)]
    if told.effects:
        parts += [Text(""), Text("What the limits cost", style="bold")]
        parts += [Text(f"  • {line}") for line in _effects(explanation, name)]
    return parts


def _binding(instance: Instance, told: PlanExplanation) -> list[RenderableType]:
    table = _table("What room the limits leave", ("limit",), ("used", "of", "room"))
    for slack in told.slacks[:ROWS_SHOWN]:
        amount = slack.limit.amount
        if amount is None:
            continue
        words = slack.limit.words.removeprefix("the ")
        room = "none"
        if not slack.binding:
            room = number(instance, amount.dimension, slack.slack)
        table.add_row(
            words,
            number(instance, amount.dimension, slack.use),
            number(instance, amount.dimension, amount.value),
            room,
            style="bold" if slack.binding else "",
        )
    busy = _table("How busy", ("device or link",), ("time used",))
    for row in told.busy[:ROWS_SHOWN]:
        busy.add_row(row.name, percent(row.share), style="bold" if row.share > 1 - 1e-6 else "")
    shown: list[RenderableType] = [table, Text("")] if told.slacks else []
    return [*shown, busy]


def _table(
    title: str, left: Iterable[str], right: Iterable[str], after: Iterable[str] = ()
) -> Table:
    return listing(left, right, after, title=title, title_style="bold", pad_edge=True)


def _steps(told: PlanExplanation) -> Table:
    heads = ("starts then because",)
    table = _table("Why it takes that long", ("task", "unit"), ("start", "end"), heads)
    rows = told.steps
    shown = rows if len(rows) <= ROWS_SHOWN else [*rows[: ROWS_SHOWN // 2], *rows[-6:]]
    for step in shown:
        start, end = units.format(step.start_s, "time"), units.format(step.end_s, "time")
        table.add_row(step.task, step.unit, start, end, step.because)
    if len(shown) < len(rows):
        table.caption = f"{len(rows) - len(shown)} steps between are left out"
    return table


def _alternatives(instance: Instance, name: str, alternatives: tuple[Alternative, ...]) -> Table:
    title = "What if a task ran elsewhere (all others placed anew)"
    table = _table(title, ("task", "place"), (name, "worse by", "proven: at least"))
    for row in alternatives:
        if row.status == "infeasible":
            table.add_row(row.task, row.place, "no plan (proven)", "", "")
            continue
        table.add_row(
            row.task,
            row.place,
            quantity(instance, name, row.objective),
            quantity(instance, name, row.difference),
            quantity(instance, name, row.at_least) if row.at_least > 0 else "–",
        )
    return table


def _effects(explanation: Explanation, name: str) -> list[str]:
    """One line for each limit that matters, and one for all that do not."""
    instance, solution, told = explanation.instance, explanation.solution, explanation.plan
    if solution is None or told is None:
        return []
    use = {slack.limit.key: slack.use for slack in told.slacks}
    lines, idle = [], []
    for effect in told.effects:
        words = effect.limit.words
        same = _same(solution.objective, effect.tighter) or not effect.tighter_status
        if effect.free and same:
            idle.append(words.removeprefix("the "))
            continue
        parts = [_lifted(instance, name, solution.objective, effect)]
        if not same:
            parts.append(_tighter(instance, name, effect, use[effect.limit.key]))
        text = limit_text(instance, effect.limit)
        lines.append(f"{text[0].upper()}{text[1:]}: {'; '.join(parts)}.")
    if idle:
        lines.append(f"Lifting these changes nothing (proven): {', '.join(idle)}.")
    return lines


def _same(value: float, other: float) -> bool:
    return abs(value - other) <= 2 * GAP_TOLERANCE * abs(value)


def _lifted(instance: Instance, name: str, value: float, effect: Effect) -> str:
    amount = effect.limit.amount
    if effect.free:
        return (
            f"lifting it changes nothing (proven), {name} stays {quantity(instance, name, value)}"
        )
    if math.isnan(effect.without) or _same(value, effect.without):
        bound = quantity(instance, name, effect.without_bound)
        return f"without it nothing better was found, and at best {bound} is possible"
    text = f"without it, {name} would be {quantity(instance, name, effect.without)}"
    if effect.threshold is not None and amount is not None:
        text += (
            f", and better than now from {number(instance, amount.dimension, effect.threshold)} on"
        )
        if effect.refuted is not None and effect.refuted != amount.value:
            upto = number(instance, amount.dimension, effect.refuted)
            text += f" (not up to {upto}: proven)"
    return text


def _tighter(instance: Instance, name: str, effect: Effect, use: float) -> str:
    amount = effect.limit.amount
    dimension = "" if amount is None else amount.dimension
    where = "any tighter than the plan's " + number(instance, dimension, use)
    if effect.tighter_status == "infeasible":
        return f"{where}, there is no plan (proven)"
    if math.isnan(effect.tighter):
        return f"{where}, no plan was found in the time"
    then, bound = (quantity(instance, name, v) for v in (effect.tighter, effect.tighter_bound))
    sure = "" if _same(effect.tighter, effect.tighter_bound) else f" (at best {bound})"
    return f"{where}, {name} is {then}{sure}"
