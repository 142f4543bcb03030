"""What ``hetopt profile --as options`` and ``--as requests`` do with tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import option
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.values import positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.instance import Instance

PERIODS = "periods"
OF_REQUESTS = ("requests", PERIODS)
"""What a trace may be read as: scenarios that are weighted, or periods that follow each other."""

AS = ("options", *OF_REQUESTS)
FOREIGN = ("melange",)
"""Forms that :mod:`hetopt.formats` reads as instances."""


@dataclass(frozen=True, slots=True)
class TableFlags:
    """Flags of ``hetopt profile`` that only tables have."""

    wanted: str | None = None
    form: str | None = None
    columns: tuple[str, ...] = ()
    task: str | None = None
    device: str | None = None
    label: str | None = None
    runs: float | None = None
    period: str | None = None
    classes: str | None = None

    def given(self) -> list[str]:
        """Return the flags that were given."""
        words = {"wanted": "as", "form": "from"}
        names = [f.name for f in fields(self) if getattr(self, f.name)]
        return [f"--{words.get(name, name)}" for name in names]


def run_tables(files: list[str], flags: TableFlags, output: str | None, as_json: bool) -> int:
    """Read tables as options or as requests."""
    if flags.wanted is not None and flags.wanted not in AS:
        raise InputError([Problem("--as", flags.wanted, f"One of {', '.join(AS)}.")])
    from hetopt.formats.files import check_writable
    from hetopt.profiling.requests import is_trace

    check_writable(output)
    told = flags.wanted is None and not flags.form and len(files) == 1 and not flags.columns
    if flags.wanted in OF_REQUESTS or (told and is_trace(files[0])):
        return _requests(files, flags, output, as_json)
    _refuse(flags, "--period", "--classes", why="requests")
    return _options(files, flags, output, as_json)


def _refuse(flags: TableFlags, *names: str, why: str) -> None:
    for name in flags.given():
        if name in names:
            raise InputError([Problem(name, "", f"It belongs to --as {why}.")])


def _options(files: list[str], flags: TableFlags, output: str | None, as_json: bool) -> int:
    from hetopt.formats import read_instance, write_instance
    from hetopt.profiling.tables.fields import columns_of
    from hetopt.profiling.tables.logs import LogTask
    from hetopt.profiling.tables.measurement import option_tables
    from hetopt.profiling.tables.read import read_measurements

    form = flags.form or ("" if flags.columns else _whole_instance(files))
    if form in FOREIGN:
        if len(files) > 1:
            raise InputError([Problem("FILE", files[1], f"One file of form {form}.")])
        instance, notes = read_instance(files[0], format=form), []
    else:
        ran = LogTask(flags.task or "", flags.device or "", flags.label or "", flags.runs or 0.0)
        left_out: list[str] = []
        columns = columns_of(flags.columns)
        measured = read_measurements(
            files, form=flags.form or "", columns=columns, ran=ran, notes=left_out
        )
        made = option_tables(measured, ", ".join(Path(file).name for file in files))
        instance, notes = _compiled(made), [*left_out, *made.notes]
    if output is not None:
        write_instance(instance, output)
    if as_json:
        from hetopt.formats.native.document import write_json

        typer.echo(write_json(instance), nl=False)
    else:
        _show_options(instance)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    return OK


def _whole_instance(files: list[str]) -> str:
    """Return a form of ``FOREIGN`` that one of the files has, empty where none has.

    Raises
    ------
    InputError
        Where a file is an instance of hetopt's own, which has its options already.
    """
    from hetopt.formats.registry import formats

    for file in files:
        path = Path(file)
        if path.suffix.lower() not in (".json", ".yaml", ".yml") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for form in formats():
            if form.sniff(text) and form.native:
                expected = (
                    "A model file (.onnx), or a table of measurements or requests; this is an "
                    "instance, which has its options: hetopt solve takes it."
                )
                raise InputError([Problem(file, "", expected)])
            if form.name in FOREIGN and form.sniff(text):
                return form.name
    return ""


def _compiled(made: Any) -> Instance:
    import pandas as pd

    from hetopt.compile.to_columns import from_frames

    frames = {name: pd.DataFrame(rows) for name, rows in made.tables.items()}
    return from_frames(frames, made.settings)


def _show_options(instance: Instance, most: int = 40) -> None:
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    options, profiles = instance.options, instance.profiles
    table = listing(("task", "device", "option"), ("batch", "time", "energy"), overflow="fold")
    shown = 0
    for r, task in enumerate(profiles.name.tolist()):
        for o in range(int(profiles.ptr[r]), int(profiles.ptr[r + 1])):
            if shown == most:
                break
            shown += 1
            energy = float(options.energy_j[o])
            table.add_row(
                task,
                str(instance.devices.name[options.device[o]]),
                str(options.label[o]),
                str(int(options.batch[o])),
                with_unit(float(options.time_s[o]), "time"),
                with_unit(energy, "energy") if energy else "–",
            )
    print_view(table)
    typer.echo(
        f"{shown} of {len(options)} options of {len(profiles)} tasks on {len(instance.devices)} "
        f"devices; an instance of the {instance.regime} regime"
    )


def _requests(files: list[str], flags: TableFlags, output: str | None, as_json: bool) -> int:
    from hetopt.profiling.requests import (
        classes_table,
        parts_of,
        read_trace,
        request_document,
        request_profile,
    )
    from hetopt.profiling.tables.fields import columns_of
    from hetopt.report.terminal.listing import listing

    _refuse(flags, "--task", "--device", "--label", "--runs", "--from", why="options")
    if len(files) > 1:
        raise InputError([Problem("FILE", files[1], "One trace of requests.")])
    if output is not None and not output.endswith((".json", ".yaml", ".yml")):
        raise InputError([Problem("-o", output, "A .json, .yaml or .yml file.")])
    period = None if flags.period is None else positive("--period", flags.period, "time")
    profile = request_profile(
        read_trace(files[0], columns_of(flags.columns)),
        period_s=period,
        classes=parts_of(flags.classes or "2x2"),
    )
    if output is not None:
        document = request_document(profile, in_time=flags.wanted == PERIODS)
        _write_requests(output, files[0], profile, document)
    if as_json:
        print_json(profile)
        return OK
    headings = ("share", "rate /s", "input p50/p95", "output p50/p95", "peak", "cv²", "dispersion")
    table = listing(("class",), headings, overflow="fold")
    for row in classes_table(profile):
        table.add_row(*row)
    print_view(table)
    whole = profile["all"]
    typer.echo(
        f"{profile['requests']:,} requests in {profile['duration_s']:,.0f} s, "
        f"{whole['rate_per_s']:.4g} /s; {len(profile['periods'])} periods of "
        f"{profile['period_s']:g} s, the busiest at {whole['peak']:.2f} of the mean"
    )
    for note in profile["notes"]:
        typer.echo(f"note: {note}", err=True)
    return OK


def _write_requests(
    output: str, source: str, profile: dict[str, Any], document: dict[str, Any]
) -> None:
    """Write the whole profile as JSON, or jobs and demands of an instance as YAML."""
    from hetopt.formats.files import write_whole

    if output.endswith(".json"):
        text = json.dumps({"source": source, **profile}, indent=1, allow_nan=False) + "\n"
        write_whole(Path(output), text)
        return
    from io import StringIO

    from ruamel.yaml import YAML

    made = StringIO()
    what = PERIODS if PERIODS in document else "scenarios"
    made.write(
        f"# Jobs and {what} of {Path(source).name}, by hetopt profile.\n"
        "# Add devices, and a profile of each job's name.\n"
    )
    yaml = YAML()
    yaml.width = 200
    yaml.dump({"hetopt": 1, **document}, made)
    write_whole(Path(output), made.getvalue())


SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".log", ".json", ".jsonl", ".yaml", ".yml", ".xlsx", ".xlsm"),
)
"""Names of files that are tables, not models."""


def are_tables(files: list[str], flags: TableFlags) -> bool:
    """Whether files are tables: by a flag that only tables have, or all by their names."""
    if flags.given():
        return True
    return all(Path(file).suffix.lower() in SUFFIXES or Path(file).is_dir() for file in files)


def table_flags(
    as_: Annotated[
        str | None,
        option("WHAT", "Tables: read as options, or as requests (scenarios) or periods.", "--as"),
    ] = None,
    from_: Annotated[
        str | None, option("FORM", "Form of the tables; else told by content.", "--from")
    ] = None,
    columns: Annotated[
        list[str] | None, option("HEADING=FIELD", "Columns of a table: 'Dauer [ms]=time,...'.")
    ] = None,
    task: Annotated[str | None, option("NAME", "What ran while a power log was written.")] = None,
    device: Annotated[str | None, option("NAME", "Where; default: as the log names it.")] = None,
    label: Annotated[str | None, option("TEXT", "How: the option's label.")] = None,
    runs: Annotated[float | None, option("N", "Executions that a power log covers.")] = None,
    period: Annotated[str | None, option("TIME", "Length of a period of requests.")] = None,
    classes: Annotated[
        str | None, option("IxO", "Parts of requests by input and output length: 2x2.")
    ] = None,
) -> TableFlags:
    """Return the flags that only tables have."""
    return TableFlags(as_, from_, tuple(columns or ()), task, device, label, runs, period, classes)
