"""What ``hetopt simulate`` does."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hetopt.cli.commands import OK, Question, print_json, print_view, tell_warnings
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.solve import SolveOptions

OUTPUTS = (".html", ".htm", ".json", ".csv")


def run_simulate(
    question: Question,
    options: SolveOptions,
    plan: str | None,
    values: Mapping[str, Any],
    output: str | None,
    as_json: bool,
) -> int:
    """Simulate policies and print them beside the bound; see ``hetopt simulate``."""
    from pathlib import Path

    from hetopt.formats.files import check_writable
    from hetopt.formats.plans import read_result
    from hetopt.report.simulation_page import write_simulation
    from hetopt.report.terminal.progress import line_display
    from hetopt.report.terminal.simulation import simulation_to_dict, simulation_view
    from hetopt.runtime.interrupt import interruptible
    from hetopt.simulate import simulate

    if output is not None:
        if Path(output).suffix.lower() not in OUTPUTS:
            raise InputError([Problem("-o", output, f"A file that ends in {', '.join(OUTPUTS)}.")])
        check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    stop = threading.Event()
    fields = dict(values)
    fields["columns"] = _pairs("--columns", fields["columns"] or [])
    fields["start_up"] = by_device("--start-up", fields["start_up"] or [])
    fields["policies"] = fields.pop("policy") or None
    if fields["policies"] is None:
        fields.pop("policies")
    with interruptible(stop), line_display() as tell:
        simulation = simulate(
            instance,
            None if plan is None else read_result(instance, plan).plan,
            seed=options.seed,
            time_limit=options.time_limit_s,
            gap=options.gap,
            workers=options.workers,
            tell=tell,
            stop=stop,
            **fields,
        )
    if output is not None:
        write_simulation(output, simulation)
    if as_json:
        print_json(simulation_to_dict(simulation))
    else:
        print_view(simulation_view(simulation))
    return OK


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name or not value:
            raise InputError([Problem(flag, text, "NAME=FIELD.")])
        found[name] = value
    return found


def by_device(flag: str, texts: Sequence[str]) -> str | dict[str, str]:
    """Return one value for all devices, or a value by device."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return _pairs(flag, texts)
