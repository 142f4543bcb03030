"""``hetopt rounds``: the gain in every public round of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hetopt.cli.executors import Loops
from hetopt.cli.exits import INTERRUPTED, OK
from hetopt.cli.options import Json, to_file
from hetopt.cli.printing import print_answer
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.analysis.rounds import Round

ENDINGS = (".csv", ".md", ".html", ".json")


def rounds(
    loops: Loops,
    text: Annotated[
        str | None, typer.Argument(help="Part of round/division/suite/scenario: v3.0/closed.")
    ] = None,
    output: Annotated[str | None, to_file(".csv, .md, .html, .json.")] = None,
    json: Json = False,
) -> int:
    """Tell the gain of mixed over homogeneous in every public round of the catalogue."""
    from hetopt.analysis import rounds as analysis
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.profiling.rounds import slices
    from hetopt.report import rounds as report

    ending = "" if output is None else Path(output).suffix.lower()
    check_writable(output, *ENDINGS)
    wanted = (text or "").casefold()
    chosen = [piece for piece in slices() if wanted in piece.name]
    if not chosen:
        names = ", ".join(dict.fromkeys(piece.round for piece in slices()))
        text_ = f"Part of round/division/suite/scenario, such as v3.0/closed; rounds: {names}."
        raise InputError([Problem("rounds", text or "", text_)])
    with loops.running(1, most=len(chosen)) as running:
        found = list(analysis.rounds(chosen, **running))
    if running["stop"].is_set():
        return INTERRUPTED
    if output is not None:
        write_whole(Path(output), _writers()[ending](found))
    print_answer(report.rounds_to_dict(found), lambda: report.rounds_view(found), json)
    return OK


def _writers() -> Mapping[str, Callable[[Sequence[Round]], str]]:
    import json

    from hetopt.report import rounds as report

    return {
        ".csv": report.rounds_csv,
        ".md": report.rounds_markdown,
        ".html": report.rounds_page,
        ".json": lambda found: json.dumps(report.rounds_to_dict(found), indent=1) + "\n",
    }
