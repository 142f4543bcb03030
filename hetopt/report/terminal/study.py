"""Changed instances beside the one given, as a table on a terminal and as a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from hetopt.evaluate.with_units import quantity
from hetopt.formats.plans import solution_to_dict, to_json
from hetopt.instance import is_maximised
from hetopt.report.terminal.listing import listing
from hetopt.report.terminal.solution import signed_share, small_gap
from hetopt.solution import contradictions

if TYPE_CHECKING:
    from hetopt.analysis.whatif import Outcome, Study


def study_view(study: Study) -> RenderableType:
    """Show the base and every case: value, gap, difference found, and its proven range."""
    instance, name = study.instance, study.base.objective_names[0]
    table = listing(("case",), (name, "gap", "difference", "proven range"), ("status",))
    value = quantity(instance, name, study.base.objective)
    table.add_row(
        "as given", value, small_gap(study.base.gap), "", "", study.base.status, style="bold"
    )
    for outcome in study.outcomes:
        solution = outcome.solution
        table.add_row(
            outcome.name,
            quantity(outcome.instance, name, solution.objective),
            small_gap(solution.gap),
            signed_share(outcome.difference, study.base.objective),
            _range(outcome, study.base.objective),
            solution.status,
        )
    more = "more" if is_maximised(name) else "less"
    lines = [Text(f"Differences are of the {name}; {more} is better.", style="dim")]
    lines += [
        Text(f"{o.name}: {o.solution.reason}", style="dim")
        for o in study.outcomes
        if o.solution.plan is None and o.solution.reason
    ]
    told = [("as given", study.base), *((o.name, o.solution) for o in study.outcomes)]
    lines += [Text(f"{name}: {note}") for name, s in told for note in contradictions(s)]
    if study.interrupted:
        lines.append(Text("Interrupted: cases that were not solved by then are missing."))
    title = Text(f"{instance.name or 'instance'}: what if", style="bold")
    return Group(title, table, *lines)


def study_to_dict(study: Study) -> dict[str, Any]:
    """Return the JSON object of ``hetopt whatif``; differences in SI units."""
    return {
        "base": solution_to_dict(study.instance, study.base),
        "cases": [
            {
                "case": outcome.name,
                "difference": to_json(outcome.difference),
                "difference_least": to_json(outcome.least),
                "difference_most": to_json(outcome.most),
                **solution_to_dict(outcome.instance, outcome.solution),
            }
            for outcome in study.outcomes
        ],
        "interrupted": study.interrupted,
    }


def _range(outcome: Outcome, base: float) -> str:
    least, most = (signed_share(end, base) for end in (outcome.least, outcome.most))
    return least if least == most else f"{least} to {most}"
