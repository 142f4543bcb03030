"""What ``hetopt profile --measure`` does: models run here, an instance out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import option
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.profiling.measure.sweep import Sweep
    from hetopt.profiling.onnx.document import ModelProfile

PLACES, PRECISIONS, MOST_TIME, CLOCK = "onnxruntime:cpu", "fp32", "2s", "wall"
"""What is measured where, how, for how long and by which clock, where nothing is said."""


@dataclass(frozen=True, slots=True)
class MeasureFlags:
    """Flags of ``hetopt profile`` that only measuring has; ``None`` where one is not given."""

    wanted: bool = False
    on: str | None = None
    batch: str | None = None
    precision: str | None = None
    threads: str | None = None
    most_time: str | None = None
    clock: str | None = None
    regime: str | None = None

    def given(self) -> list[str]:
        """Return the flags that were given beside ``--measure``."""
        names = [f.name for f in fields(self) if f.name != "wanted"]
        return [f"--{n.replace('_', '-')}" for n in names if getattr(self, n) is not None]

    def asked(self, sizes: dict[str, int], segments: int) -> dict[str, Any]:
        """Return what the flags ask of ``measure_models``."""
        most_time = MOST_TIME if self.most_time is None else self.most_time
        return {
            "sizes": sizes,
            "segments": segments,
            "on": _texts(self.on, PLACES),
            "batches": _numbers("--batch", "1" if self.batch is None else self.batch),
            "precisions": _texts(self.precision, PRECISIONS),
            "threads": None if self.threads is None else _numbers("--threads", self.threads),
            "most_s": positive("--most-time", most_time, "time"),
            "clock": CLOCK if self.clock is None else self.clock,
            "regime": self.regime or "",
        }


def measure_flags(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure options here; -o is an instance then.")
    ] = False,
    on: Annotated[
        str | None,
        option(
            "PLACES",
            "Where to measure: onnxruntime:cpu@0,openvino:CPU@1; without @CORES: on all; "
            f"default: {PLACES}.",
        ),
    ] = None,
    batch: Annotated[str | None, option("N,...", "Batch sizes to measure; default: 1.")] = None,
    precision: Annotated[
        str | None, option("P,...", f"fp32, int8 (dynamic) or both; default: {PRECISIONS}.")
    ] = None,
    threads: Annotated[
        str | None, option("N,...", "Threads; default: all cores of a place.")
    ] = None,
    most_time: Annotated[
        str | None,
        option("TIME", f"Spent at most on measuring a segment once; default: {MOST_TIME}."),
    ] = None,
    clock: Annotated[
        str | None,
        option("C", f"wall, or cpu: processor time, on a busy machine; default: {CLOCK}."),
    ] = None,
    regime: Annotated[
        str | None, option("R", "Of the instance: schedule (one frame) or steady.")
    ] = None,
) -> MeasureFlags:
    """Return the flags that only measuring has."""
    return MeasureFlags(measure, on, batch, precision, threads, most_time, clock, regime)


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


def _texts(given: str | None, default: str) -> list[str]:
    return [text.strip() for text in (default if given is None else given).split(",")]


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
                "difference": r.difference if math.isfinite(r.difference) else None,
                "cpu_share": r.cpu_share,
                "energy_missing": r.energy_missing,
            }
            for r in sweep.rows
        ],
    }


def _show(sweep: Sweep) -> None:
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    heads = ("option", "whole", "segments", "a cut", "off fp32", "cpu")
    table = listing(("model", "device"), heads)
    for r in sweep.rows:
        times = [with_unit(t, "time") for t in (r.whole_s, r.sum_s, r.boundary_s)]
        share = f"{r.cpu_share:.2f}" + ("" if r.settled else " *")
        place = r.setting.place.name
        table.add_row(r.model, place, r.setting.label, *times, f"{r.difference:.1e}", share)
    print_view(table)
    typer.echo(f"{sweep.machine}; a hop between processes takes {with_unit(sweep.hop_s, 'time')}")
    if not all(r.settled for r in sweep.rows):
        typer.echo("* medians not known to 3 %: the machine is busy, or --most-time too short")
    from hetopt.profiling.measure.quantise import TOLERANCES

    for r in sweep.rows:
        if not r.difference <= TOLERANCES[r.setting.precision]:
            typer.echo(
                f"off: outputs of {r.model} on {r.setting.place.name} {r.setting.label} differ by "
                f"{r.difference:.2g} of the largest from those in fp32 on the first place: leave "
                "the option out, or see whether the model's outputs mean anything (random weights)"
            )
    for text in sorted({r.energy_missing for r in sweep.rows if r.energy_missing}):
        typer.echo(f"energy is missing: {text}")
    for text in sweep.failed:
        typer.echo(f"not run: {text}")
