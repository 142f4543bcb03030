"""What ``hetopt profile --measure`` does: models run here, an instance out."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hetopt.cli.commands import OK, positive, print_json, print_view
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.profiling.measure.places import Place
    from hetopt.profiling.measure.sweep import Sweep
    from hetopt.profiling.onnx.document import ModelProfile


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured, checked."""

    files: list[str]
    sizes: dict[str, int]
    segments: int
    places: list[Place]
    batches: list[int]
    precisions: list[str]
    threads: list[int] | None
    most_s: float
    regime: str
    clock: str

    @staticmethod
    def read(
        files: list[str],
        sizes: dict[str, int],
        segments: int,
        on: str,
        batch: str,
        precision: str,
        threads: str,
        most_time: str,
        regime: str,
        clock: str,
    ) -> Asked:
        """Check the command line."""
        from hetopt.profiling.measure.places import parse_place
        from hetopt.profiling.measure.quantise import PRECISIONS
        from hetopt.profiling.measure.sweep import CLOCKS

        places = list(dict.fromkeys(parse_place(text) for text in on.split(",")))
        names = [p.strip() for p in precision.split(",")]
        for name in names:
            if name not in PRECISIONS:
                raise InputError([Problem("--precision", name, f"Of {', '.join(PRECISIONS)}.")])
        _chosen("--regime", regime, ("", "schedule", "steady"))
        batches = _numbers("--batch", batch)
        if regime == "schedule" and batches != [1]:
            raise InputError([Problem("--batch", batch, "1: a schedule runs one request.")])
        return Asked(
            files,
            sizes,
            segments,
            places,
            batches,
            list(dict.fromkeys(names)),
            _numbers("--threads", threads) if threads else None,
            positive("--most-time", most_time, "time"),
            regime,
            _chosen("--clock", clock, CLOCKS),
        )

    def profiles(self, batch: int) -> list[ModelProfile]:
        """Return the models with their inputs for a batch size."""
        from hetopt.profiling.measure.options import BATCH_AXIS
        from hetopt.profiling.onnx.document import profile_models

        sizes = dict(self.sizes)
        if self.batches != [1]:
            if BATCH_AXIS in sizes:
                text = f"No size of {BATCH_AXIS} beside --batch."
                raise InputError([Problem("--shape", f"{BATCH_AXIS}={sizes[BATCH_AXIS]}", text)])
            sizes[BATCH_AXIS] = batch
        return profile_models(self.files, sizes=sizes, most_segments=self.segments)


def measured(
    asked: Asked,
    output: str | None,
    as_json: bool,
    extend: Callable[[dict[str, Any], list[ModelProfile]], dict[str, Any]] | None = None,
) -> int:
    """Measure, write and print; ``extend`` adds to the document of the instance."""
    from hetopt.formats.files import write_whole
    from hetopt.formats.native.document import read_json
    from hetopt.formats.native.document_text import document_text
    from hetopt.profiling.measure.options import measured_document
    from hetopt.profiling.measure.sweep import measure
    from hetopt.report.terminal.progress import line_display

    first = asked.profiles(asked.batches[0])
    with line_display() as report:
        sweep = measure(
            lambda batch: first if batch == asked.batches[0] else _alike(asked, first, batch),
            asked.places,
            batches=asked.batches,
            precisions=asked.precisions,
            threads=asked.threads,
            most_s=asked.most_s,
            clock=asked.clock,
            report=report,
        )
    folder = None if output is None else Path(output).absolute().parent
    document = measured_document(
        first, sweep, asked.places, regime=asked.regime, folder=folder, batches=asked.batches
    )
    if extend is not None:
        document = extend(document, first)
    # Read first, so that what is written is an instance as any other.
    read_json(json_module.dumps(document), "the measured instance")
    if output is not None:
        write_whole(Path(output), document_text(document, yaml=not output.endswith(".json")))
    if as_json:
        print_json({**_rows(sweep), "instance": document})
    else:
        _show(sweep)
    return OK


def _alike(asked: Asked, first: list[ModelProfile], batch: int) -> list[ModelProfile]:
    """Cut the models for another batch size where those for the first one are cut."""
    from dataclasses import replace

    from hetopt.profiling.onnx.segments import cut_alike

    return [
        replace(p, segments=tuple(s), crossings=tuple(c))
        for p, model in zip(asked.profiles(batch), first, strict=True)
        for s, c in [cut_alike(p.graph, model.segments)]
    ]


def _chosen(flag: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        raise InputError([Problem(flag, value, f"{' or '.join(filter(None, choices))}.")])
    return value


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
