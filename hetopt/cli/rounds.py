"""What ``hetopt rounds`` does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hetopt.cli.exits import INTERRUPTED, OK
from hetopt.cli.printing import print_json, print_view
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.analysis.rounds import Round
    from hetopt.cli.executors import Loops

ENDINGS = (".csv", ".md", ".html", ".json")


def run_rounds(loops: Loops, text: str | None, output: str | None, as_json: bool) -> int:
    """Ask every public round for its gain and print the table; see ``hetopt rounds``."""
    from hetopt.analysis.rounds import rounds
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.profiling.rounds import slices
    from hetopt.report import rounds as report
    from hetopt.report.terminal.progress import line_display
    from hetopt.runtime.interrupt import interruptible

    ending = "" if output is None else Path(output).suffix.lower()
    if output is not None:
        if ending not in ENDINGS:
            raise InputError([Problem("-o", output, f"A file that ends in {', '.join(ENDINGS)}.")])
        check_writable(output)
    wanted = (text or "").casefold()
    chosen = [piece for piece in slices() if wanted in piece.name]
    if not chosen:
        names = ", ".join(dict.fromkeys(piece.round for piece in slices()))
        text_ = f"Part of round/division/suite/scenario, such as v3.0/closed; rounds: {names}."
        raise InputError([Problem("rounds", text or "", text_)])
    stop = threading.Event()
    with (
        interruptible(stop),
        line_display() as tell,
        loops.executor(1, most=len(chosen)) as executor,
    ):
        found = list(rounds(chosen, stop=stop, report=tell, executor=executor))
    if stop.is_set():
        return INTERRUPTED
    if output is not None:
        write_whole(Path(output), _writers()[ending](found))
    if as_json:
        print_json(report.rounds_to_dict(found))
    else:
        print_view(report.rounds_view(found))
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
