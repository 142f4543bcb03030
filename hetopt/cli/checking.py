"""``hetopt verify``: what the independent checker finds, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hetopt.cli.exits import OK, VIOLATED
from hetopt.cli.options import Json, argument, option
from hetopt.cli.printing import print_json
from hetopt.cli.question import Question
from hetopt.cli.values import positive

if TYPE_CHECKING:
    from hetopt.instance import Instance
    from hetopt.solution import Plan


SHOWN_ALIKE = 5
"""Violations of one kind that are printed."""


def verify(
    question: Question,
    plan: Annotated[
        str, argument("PLAN", "Plan or result: JSON, CSV with a row a task, or a folder.")
    ],
    bound: Annotated[
        str | None, option("TIME", "Prove a bound for so long, and tell the plan's gap.")
    ] = None,
    json: Json = False,
) -> int:
    """Check a plan with the independent checker; exit code 5 if anything is violated."""
    from hetopt.formats.plans import read_result, to_json
    from hetopt.verify import verify as check

    seconds = None if bound is None else positive("--bound", bound, "time")
    instance = question.instance()
    found = read_result(instance, plan)
    report = check(
        instance, found.plan, found.claimed, bounds=found.bounds, status=found.status or None
    )
    proven = None if seconds is None or not report.ok else _proven(instance, found.plan, seconds)
    if json:
        violations = [
            {"kind": v.kind, "message": v.message, "subject": v.subject} for v in report.violations
        ]
        answer = {
            "ok": report.ok,
            "violations": violations,
            "objectives": to_json(report.objectives),
            "arithmetic": report.mode,
        }
        if proven is not None:
            answer |= {"bound": to_json(proven[0]), "gap": to_json(proven[1])}
        print_json(answer)
        return OK if report.ok else VIOLATED
    if report.ok:
        from hetopt.evaluate.with_units import quantity
        from hetopt.report.terminal.solution import small_gap

        values = ", ".join(
            f"{name} {quantity(instance, name, value)}"
            for name, value in report.objectives.items()
            if value == value
        )
        typer.echo(f"The plan holds every limit. {values}")
        if proven is not None:
            name = instance.objective[0]
            least = quantity(instance, name, proven[0])
            typer.echo(
                f"No plan has a better {name} than {least}: a gap of {small_gap(proven[1])}."
            )
        return OK
    typer.echo(f"error: the plan violates {len(report.violations)} rule(s)", err=True)
    for kind in report.kinds:
        alike = [v.message for v in report.violations if v.kind == kind]
        typer.echo(f"{kind} ({len(alike)}):" if len(alike) > 1 else f"{kind}: {alike[0]}")
        if len(alike) > 1:
            for message in alike[:SHOWN_ALIKE]:
                typer.echo(f"  {message}")
            if len(alike) > SHOWN_ALIKE:
                typer.echo(f"  and {len(alike) - SHOWN_ALIKE} more; --json lists them")
    return VIOLATED


def _proven(instance: Instance, plan: Plan, seconds: float) -> tuple[float, float]:
    """Return the bound that hetopt proves in so many seconds, and the plan's gap to it."""
    from hetopt.evaluate import objectives
    from hetopt.solution import relative_gap
    from hetopt.solve import SolveOptions, solve_with

    found = solve_with(instance, SolveOptions(time_limit_s=seconds), start=plan)
    return found.bound, relative_gap(objectives(instance, plan)[0], found.bound)
