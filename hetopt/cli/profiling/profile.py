"""What ``hetopt profile`` does: model files in, a profile or an instance out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import Json, Output, argument, option
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.profiling.estimating import EstimateFlags, estimated, with_estimates
from hetopt.cli.profiling.measuring import MeasureFlags, measured
from hetopt.cli.profiling.profile_tables import TableFlags, are_tables, run_tables
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.profiling.onnx.document import ModelProfile

FORMS = (".json",)
NO_OPTIONS = (
    "No options: nothing says yet how long a segment takes on which device. Measure them here "
    "(--measure --on onnxruntime:cpu), or add them by hand."
)
SEGMENTS = 12
"""Segments that a model is cut into where nothing is said."""
MOST_SEGMENTS = 1000
"""More tasks of one model than anyone cuts by; cuts are chosen in time quadratic in it."""


def profile(
    tables: TableFlags,
    estimates: EstimateFlags,
    measures: MeasureFlags,
    files: Annotated[
        list[str], argument("FILE...", "ONNX model files; or tables of measurements.")
    ],
    shape: Annotated[
        list[str] | None,
        option("NAME=N", "Sizes of open axes: batch=8,seq=128, or INPUT.NUMBER=N."),
    ] = None,
    segments: Annotated[
        int | None, option("N", f"Most segments that a model is cut into; default: {SEGMENTS}.")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Count what a model's operators compute and move, cut it, measure it; or read tables."""
    if are_tables(files, tables):
        _refuse_of_models(shape, segments, measures, estimates)
        return run_tables(files, tables, output, json)
    from hetopt.profiling.onnx.document import profile_document, profile_models
    from hetopt.report.terminal.progress import line_display

    most = SEGMENTS if segments is None else segments
    if not 1 <= most <= MOST_SEGMENTS:
        raise InputError([Problem("--segments", str(most), f"1 to {MOST_SEGMENTS}.")])
    if not measures.wanted and measures.given():
        raise InputError([Problem(measures.given()[0], "", "--measure beside it.")])
    if output is not None:
        check_output(output, measures.wanted or estimates.wanted)
    sizes = sizes_of(shape or [])
    if measures.wanted:
        asked = measures.asked(sizes, most)
        if not estimates.wanted:
            return measured(files, asked, output, json)
        return measured(files, asked, output, json, lambda d, p: with_estimates(d, p, estimates))
    if estimates.wanted:
        return estimated(files, sizes, most, estimates, output, json)
    with line_display() as report:
        profiles = profile_models(files, sizes=sizes, most_segments=most, report=report)
    if output is not None:
        write_profile(output, profiles)
    if json:
        print_json(profile_document(profiles))
    else:
        show(profiles)
        typer.echo(NO_OPTIONS, err=True)
    return OK


def _refuse_of_models(
    shape: list[str] | None, segments: int | None, measures: MeasureFlags, estimates: EstimateFlags
) -> None:
    """Refuse flags that say something of models only."""
    given = {
        "--shape": bool(shape),
        "--segments": segments is not None,
        "--measure": measures.wanted,
        **dict.fromkeys(measures.given(), True),
        "--estimate": estimates.wanted,
    }
    for flag in (flag for flag, there in given.items() if there):
        text = ", ".join(shape or []) if flag == "--shape" else ""
        raise InputError([Problem(flag, text, "Model files, not tables.")])


def sizes_of(texts: list[str]) -> dict[str, int]:
    """Read ``--shape``."""
    sizes: dict[str, int] = {}
    for part in (p.strip() for text in texts for p in text.split(",")):
        name, mark, size = part.rpartition("=")
        if not mark or not name or not size.isdecimal() or int(size) < 1:
            raise InputError([Problem("--shape", part, "NAME=N with a whole N of at least 1.")])
        if sizes.setdefault(name.strip(), int(size)) != int(size):
            raise InputError([Problem("--shape", part, f"One size for {name.strip()}.")])
    return sizes


def check_output(output: str, instance: bool = False) -> None:
    """Refuse a place that a profile or an instance cannot be written to, before the work."""
    from hetopt.formats.files import check_writable, means_folder

    forms = (*FORMS, ".yaml", ".yml") if instance else FORMS
    if not output.endswith(forms) and (instance or not means_folder(output)):
        expected = f"A file {' or '.join(forms)}{'' if instance else ', or a folder for tables'}."
        raise InputError([Problem("-o", output, expected)])
    check_writable(output)


def write_profile(output: str, profiles: list[ModelProfile]) -> None:
    """Write the profile document, or a folder of tables."""
    from hetopt.formats.files import means_folder
    from hetopt.formats.plans.tables import write_result
    from hetopt.profiling.onnx.document import profile_document, profile_tables

    if not means_folder(output):
        write_result(output, profile_document(profiles))
        return
    from hetopt.formats.files import write_whole

    folder = Path(output)
    folder.mkdir(exist_ok=True)
    for name, rows in profile_tables(profiles).items():
        write_whole(folder / f"{name}.csv", _csv(rows))


def _csv(rows: list[dict[str, Any]]) -> str:
    import csv
    import io

    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def show(profiles: list[ModelProfile]) -> None:
    """Print the segments of each model, its totals, and what is not counted."""
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    for profile in profiles:
        graph = profile.graph
        typer.echo(f"{profile.name}: {graph.model.path}")
        heads = ("operators", "GFLOP", "moves", "weights", "memory", "passes on")
        table = listing(("segment",), heads)
        for s in profile.segments:
            passed = {c.tensor: c.bytes_b for c in profile.crossings if c.source == s.name}
            table.add_row(
                profile.task(s.name),
                f"{len(s.operators)}",
                f"{s.flop / 1e9:.3f}",
                *(
                    with_unit(b, "bytes")
                    for b in (
                        s.read_b + s.written_b,
                        s.weights_b,
                        s.memory_b,
                        sum(passed.values()),
                    )
                ),
            )
        print_view(table)
        macs = sum(o.macs for o in graph.operators)
        typer.echo(
            f"{len(graph.operators)} operators ({graph.folded} more are constants), "
            f"{sum(o.flop for o in graph.operators) / 1e9:.3f} GFLOP, {macs / 1e9:.3f} GMAC, "
            f"weights {with_unit(graph.weights_b, 'bytes')}"
        )
        for line in graph.not_counted():
            typer.echo(f"not counted: {line}")
