"""What ``hetopt run`` does: a pipeline executed here, its times beside those of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK, VIOLATED
from hetopt.cli.options import Json, argument, option, to_file
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.deploy.pipeline.run import Run
    from hetopt.deploy.pipeline.verdict import Verdict

FORMS = (".csv", ".jsonl")
MOST_FRAMES = 1_000_000


def run(
    folder: Annotated[str, argument("DIR", "What hetopt deploy --to onnxruntime wrote.")],
    frames: Annotated[int, option("N", "Frames that count.")] = 20,
    pace: Annotated[
        str,
        option(
            "P", "one (after the other; default of schedules), fast, plan (its rate; of streams)."
        ),
    ] = "",
    rate: Annotated[str, option("R", "Instead of the plan's rate: 30/s. Means --pace plan.")] = "",
    inputs: Annotated[
        str | None, option("FILE", ".npz with arrays by input name.", "--inputs")
    ] = None,
    telemetry: Annotated[str | None, to_file("Telemetry: .csv or .jsonl.")] = None,
    tolerance: Annotated[
        float, option("T", "Part by which frames may differ from the plan.")
    ] = 0.15,
    clock: Annotated[str, option("C", "wall, or cpu: processor time, on a busy machine.")] = "wall",
    compare: Annotated[
        bool, typer.Option(help="Compare outputs with those of the whole models.")
    ] = True,
    throttle: Annotated[
        list[str] | None,
        option("UNIT=F", "Rehearse: the unit is busy F times as long with each stage."),
    ] = None,
    json: Json = False,
) -> int:
    """Execute a pipeline here; exit code 5 if times or outputs are outside the tolerance."""
    from hetopt.deploy.pipeline.run import run_pipeline
    from hetopt.deploy.pipeline.telemetry import telemetry_text
    from hetopt.deploy.pipeline.verdict import judge, verdict_to_dict
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.report.terminal.progress import line_display

    _check(frames, tolerance, clock, telemetry)
    check_writable(telemetry)
    wanted = positive("--rate", rate, "rate") if rate else None
    if wanted is not None and pace not in ("", "plan"):
        raise InputError([Problem("--pace", pace, "plan beside --rate.")])
    with line_display() as report:
        found = run_pipeline(
            Path(folder),
            frames=frames,
            pace=pace or ("plan" if wanted is not None else ""),
            rate=wanted,
            inputs=None if inputs is None else _arrays(inputs),
            compare=compare,
            throttle=_factors(throttle or []),
            report=report,
        )
    verdict = judge(found, tolerance=tolerance, clock=clock)
    if telemetry is not None:
        lines = telemetry.endswith(".jsonl")
        write_whole(Path(telemetry), telemetry_text(found, lines=lines, clock=clock))
    if json:
        print_json(verdict_to_dict(found, verdict))
    else:
        _show(found, verdict, clock)
    for text in verdict.wrong:
        typer.echo(f"error: {text}", err=True)
    return VIOLATED if verdict.wrong else OK


def _check(frames: int, tolerance: float, clock: str, telemetry: str | None) -> None:
    if not 1 <= frames <= MOST_FRAMES:
        raise InputError([Problem("--frames", str(frames), f"1 to {MOST_FRAMES:,}.")])
    if not tolerance > 0:
        raise InputError([Problem("--tolerance", str(tolerance), "More than 0.")])
    if clock not in ("wall", "cpu"):
        raise InputError([Problem("--clock", clock, "wall or cpu.")])
    if telemetry is not None and not telemetry.endswith(FORMS):
        raise InputError([Problem("-o", telemetry, f"A file {' or '.join(FORMS)}.")])


def _factors(texts: list[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        unit, _, factor = text.rpartition("=")
        try:
            found[unit] = float(factor)
        except ValueError:
            raise InputError([Problem("--throttle", text, "UNIT=FACTOR.")]) from None
    return found


def _arrays(path: str) -> dict[str, Any]:
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError):
        text = "A .npz file of arrays (numpy.savez) by input name."
        raise InputError([Problem("--inputs", path, text)]) from None


def _show(found: Run, verdict: Verdict, clock: str) -> None:
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    table = listing(("stage", "unit"), ("option", "predicted", "measured", "off"))
    for line, info in zip(verdict.stages, found.stages, strict=True):
        times = [with_unit(t, "time") for t in (line.predicted, line.measured)]
        table.add_row(line.name, info.unit, info.spec["option"], *times, f"{line.off:+.0%}")
    print_view(table)
    if verdict.frame is not None:
        f = verdict.frame
        low, high = with_unit(f.low, "time"), with_unit(f.high, "time")
        typer.echo(
            f"frame: predicted {with_unit(f.predicted, 'time')}, measured "
            f"{with_unit(f.measured, 'time')} (median of {f.count}, {low} to {high}), {f.off:+.1%}"
        )
    if verdict.rate is not None:
        r = verdict.rate
        typer.echo(f"frames: planned {r.predicted:.4g}/s, done {r.measured:.4g}/s")
    for job, off in found.outputs.items():
        typer.echo(f"outputs of {job} differ from the whole model's by {off:.2g} of the largest")
    for text in found.not_compared:
        typer.echo(f"not compared: {text}")
    typer.echo(
        f"stages had a processor for {verdict.cpu_share:.0%} of their time"
        + ("; times above are processor time" if clock == "cpu" else "")
    )
