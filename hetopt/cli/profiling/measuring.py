"""What ``hetopt profile --measure`` does: models run here, an instance out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.profiling.measure.sweep import Sweep
    from hetopt.profiling.onnx.document import ModelProfile


def measured(
    files: list[str],
    asked: dict[str, Any],
    output: str | None,
    as_json: bool,
    extend: Callable[[dict[str, Any], list[ModelProfile]], dict[str, Any]] | None = None,
) -> int:
    """Measure, write and print; ``extend`` adds to the document of the instance."""
    from hetopt.deploy.pipeline.measured import measure_models
    from hetopt.report.terminal.progress import line_display

    with line_display() as report:
        sweep, document = measure_models(files, output, **asked, report=report, extend=extend)
    if as_json:
        print_json({**_rows(sweep), "instance": document})
    else:
        _show(sweep)
    return OK


def asked_of(
    sizes: dict[str, int],
    segments: int,
    on: str,
    batch: str,
    precision: str,
    threads: str,
    most_time: str,
    clock: str,
    regime: str,
) -> dict[str, Any]:
    """Return what the flags ask of ``measure_models``."""
    return {
        "sizes": sizes,
        "segments": segments,
        "on": on.split(","),
        "batches": _numbers("--batch", batch),
        "precisions": [p.strip() for p in precision.split(",")],
        "threads": _numbers("--threads", threads) if threads else None,
        "most_s": positive("--most-time", most_time, "time"),
        "clock": clock,
        "regime": regime,
    }


def _numbers(flag: str, text: str) -> list[int]:
    found = []
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise InputError([Problem(flag, part, "Whole numbers of at least 1: 1,8.")])
        found.append(int(part))
    return sorted(set(found))


def _rows(sweep: Sweep) -> dict[str, Any]:
    return {
        "machine": sweep.machine,
        "hop_s": sweep.hop_s,
        "failed": list(sweep.failed),
        "measured": [
            {
                "model": r.model,
                "device": r.setting.place.name,
                "label": r.setting.label,
                "whole_s": r.whole_s,
                "segments_s": r.sum_s,
                "boundary_s": r.boundary_s,
                "settled": r.settled,
                "difference": r.difference,
                "cpu_share": r.cpu_share,
                "energy_missing": r.energy_missing,
            }
            for r in sweep.rows
        ],
    }


def _show(sweep: Sweep) -> None:
    from rich.table import Table

    from hetopt.units import format as with_unit

    table = Table(box=None, pad_edge=False)
    for name in ("model", "device", "option", "whole", "segments", "a cut", "off fp32", "cpu"):
        table.add_column(name, justify="left" if name in ("model", "device") else "right")
    for r in sweep.rows:
        times = [with_unit(t, "time") for t in (r.whole_s, r.sum_s, r.boundary_s)]
        share = f"{r.cpu_share:.2f}" + ("" if r.settled else " *")
        place = r.setting.place.name
        table.add_row(r.model, place, r.setting.label, *times, f"{r.difference:.1e}", share)
    print_view(table)
    typer.echo(f"{sweep.machine}; a hop between processes takes {with_unit(sweep.hop_s, 'time')}")
    if not all(r.settled for r in sweep.rows):
        typer.echo("* medians not known to 3 %: the machine is busy, or --most-time too short")
    for text in sorted({r.energy_missing for r in sweep.rows if r.energy_missing}):
        typer.echo(f"energy is missing: {text}")
    for text in sweep.failed:
        typer.echo(f"not run: {text}")
