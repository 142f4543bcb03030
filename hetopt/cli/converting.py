"""What the commands do that list, convert, export and generate instances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import typer

from hetopt.cli.exits import OK
from hetopt.cli.printing import print_json, print_view, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.values import choice

if TYPE_CHECKING:
    from hetopt.instance import Instance


def run_devices(
    text: str | None,
    kind: str | None,
    dataset: str | None,
    task: list[str] | None,
    scope: str | None,
    show: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the catalogue, or show one device of it; see ``hetopt devices``."""
    from hetopt.report.terminal import devices

    if show is not None:
        if as_json:
            print_json(devices.details_to_dict(show))
        else:
            print_view(devices.details_view(show))
        return OK
    filters: dict[str, Any] = {"text": text, "kind": kind, "dataset": dataset, "scope": scope}
    filters["task"] = task or None
    if as_json:
        print_json(devices.devices_to_dict(**filters))
    else:
        print_view(devices.devices_view(limit=limit, **filters))
    return OK


def run_instances(as_json: bool) -> int:
    """List the shipped instances, with a sentence on each; see ``hetopt instances``."""
    from rich.table import Table

    from hetopt.formats.shipped import shipped_about, shipped_names, shipped_path

    about = {name: shipped_about(name) for name in shipped_names()}
    if as_json:
        rows = [
            {"name": name, "about": text, "file": str(shipped_path(name))}
            for name, text in about.items()
        ]
        print_json({"instances": rows})
        return OK
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("what it asks")
    for name, text in about.items():
        table.add_row(name, text)
    print_view(table)
    return OK


def run_schema(output: str | None) -> int:
    """Print or write the JSON Schema; see ``hetopt schema``."""
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.formats.native.json_schema import schema_text

    if output is None:
        typer.echo(schema_text(), nl=False)  # the file in docs/, to the byte
    else:
        check_writable(output)
        write_whole(Path(output), schema_text())
    return OK


def run_convert(
    file: str,
    format: str | None,  # noqa: A002 - the flag's name
    output: str,
    to: str | None = None,
    platform: str | None = None,
) -> int:
    """Read an instance and write it in another form; see ``hetopt convert``."""
    from hetopt.formats import read_instance, write_instance

    instance = read_instance(file, format=format, platform=platform)
    tell_warnings(instance)
    write_instance(_models_from(instance, file, output), output, format=to)
    return OK


def run_export(question: Question, output: str, rounding: str, as_json: bool) -> int:
    """Write the solvers' model of an instance; see ``hetopt export``."""
    from dataclasses import asdict

    from hetopt.formats.files import check_writable
    from hetopt.model_files import Rounding, export_model

    direction = choice("--rounding", rounding, get_args(Rounding))
    check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    written = export_model(
        instance,
        output,
        rounding=direction,
    )
    if as_json:
        print_json(asdict(written))
        return OK
    typer.echo(f"{written.path}: {written.variables:,} variables, {written.rows:,} rows")
    for note in written.notes:
        typer.echo(note)
    return OK


def _models_from(instance: Instance, file: str, output: str) -> Instance:
    """Name model files of jobs from where the instance will stand."""
    import os
    from dataclasses import replace

    import numpy as np

    from hetopt.formats.files import means_folder

    models = instance.jobs.model.tolist()
    if not any(models) or not Path(file).exists():
        return instance
    before = Path(file) if Path(file).is_dir() else Path(file).parent
    after = Path(output) if means_folder(output) else Path(output).parent
    moved = [
        os.path.relpath(before / m, after) if m and not Path(m).is_absolute() else m for m in models
    ]
    return replace(instance, jobs=replace(instance.jobs, model=np.array(moved, dtype=np.str_)))
