"""What commands print: JSON, tables, notes of an instance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from hetopt.instance import Instance


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object to stdout."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def print_answer(
    told: Mapping[str, Any], view: Callable[[], Any], as_json: bool, output: str | None = None
) -> None:
    """Print an answer as a JSON object or as people read it; write the object where asked to."""
    from hetopt.formats.plans.tables import write_result

    if output is not None:
        write_result(output, told)
    if as_json:
        print_json(told)
    else:
        print_view(view())


def print_view(view: Any) -> None:
    """Print a table or text to stdout; piped, lines are as long as they need."""
    from rich.console import Console

    terminal = Console()
    if not terminal.is_terminal:
        terminal = Console(width=200)
    terminal.print(view, highlight=False)


def tell_warnings(instance: Instance) -> None:
    """Say on stderr what results of other commands have among their notes."""
    from hetopt.profiling.caveats import warnings

    for note in warnings(instance):
        typer.echo(f"note: {note}", err=True)
