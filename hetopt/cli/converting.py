"""Commands that list, convert and export instances and devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import From, Json, Output, Platform, To, argument, option, to_file
from hetopt.cli.printing import print_answer, print_json, print_view, tell_warnings
from hetopt.cli.question import Question
from hetopt.cli.values import choice
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from rich.table import Table

    from hetopt.analysis.metrics import Metrics
    from hetopt.instance import Instance

METRICS_NOTE = (
    "flexibility: mean share of the devices that a task may run on; duration variety: different "
    "times as a share of all; unrelated: longest time of a task over its shortest, in the mean; "
    "chain: tasks that each wait for the one before."
)


def devices(
    text: Annotated[str | None, typer.Argument(help="Show rows that contain this.")] = None,
    kind: Annotated[str | None, option("K", "cpu, gpu, npu, ...")] = None,
    dataset: Annotated[str | None, option("D", "Data set.")] = None,
    task: Annotated[
        list[str] | None, option("T", "Task measured; repeated: devices that ran all of them.")
    ] = None,
    scope: Annotated[str | None, option("S", "What the meter covered.")] = None,
    show: Annotated[str | None, option("ID", "Every option of one.")] = None,
    limit: Annotated[int, option("N", "Rows printed; 0: all.")] = 40,
    capabilities: Annotated[
        bool, typer.Option("--capabilities", help="Data sheets that estimates go by, instead.")
    ] = False,
    from_cluster: Annotated[
        str | None,
        option(
            "FILE",
            "What kubectl get nodes,deviceclasses,resourceslices -o json or ray list nodes "
            "--format json printed, as devices of an instance; - for stdin.",
        ),
    ] = None,
    output: Annotated[str | None, to_file("With --from-cluster: .yaml, .json.")] = None,
    json: Json = False,
) -> int:
    """List the measured devices that instances can refer to, or those of a cluster."""
    from hetopt.report.terminal import devices as catalogue

    others: dict[str, object] = {
        "--dataset": dataset,
        "--task": task,
        "--scope": scope,
        "--show": show,
    }
    if from_cluster is not None:
        from hetopt.cli.profiling.cluster import run_cluster

        others |= {"TEXT": text, "--kind": kind, "--capabilities": capabilities}
        return run_cluster(from_cluster, others, output, json)
    if output is not None:
        raise InputError([Problem("-o", output, "Only with --from-cluster.")])
    if capabilities:
        from hetopt.cli.profiling.capabilities import run_capabilities

        return run_capabilities(text, kind, others, json)
    if show is not None:
        print_answer(catalogue.details_to_dict(show), lambda: catalogue.details_view(show), json)
        return OK
    filters: dict[str, Any] = {"text": text, "kind": kind, "dataset": dataset, "scope": scope}
    filters["task"] = task or None
    if json:
        print_json(catalogue.devices_to_dict(**filters))
    else:
        print_view(catalogue.devices_view(limit=limit, **filters))
    return OK


def instances(json: Json = False) -> int:
    """List the instances that ship with hetopt: FILE of every command may be such a name."""
    from rich.table import Table

    from hetopt.formats.shipped import shipped_about, shipped_names, shipped_path

    about = {name: shipped_about(name) for name in shipped_names()}
    if json:
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


def describe(
    files: Annotated[list[str], argument("FILE...", "Instances: files, folders, names.")],
    from_: From = None,
    platform: Platform = None,
    output: Annotated[str | None, to_file(".csv: a row each.")] = None,
    json: Json = False,
) -> int:
    """Tell what instances are like: sizes, flexibility, duration variety, longest chain."""
    from dataclasses import asdict

    from hetopt.analysis.metrics import metrics_csv, metrics_of
    from hetopt.formats import read_instance
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.formats.plans import to_json

    check_writable(output, ".csv")
    rows = []
    for file in files:
        instance = read_instance(file, format=from_, platform=platform)
        if len(files) == 1:
            tell_warnings(instance)
        rows.append((file, instance, metrics_of(instance)))
    if output is not None:
        write_whole(Path(output), metrics_csv([(file, metrics) for file, _, metrics in rows]))
    if json:
        found = [{"file": file, **to_json(asdict(metrics))} for file, _, metrics in rows]
        print_json({"instances": found})
    elif output is None:
        print_view(_metrics_table(rows))
        typer.echo(METRICS_NOTE)
    return OK


def _metrics_table(rows: list[tuple[str, Instance, Metrics]]) -> Table:
    from hetopt.evaluate.with_units import shown
    from hetopt.report.terminal.listing import listing

    heads = (
        *("jobs", "tasks", "devices", "units", "tasks/job", "devices/task", "flexibility"),
        *("duration variety", "shortest", "longest", "unrelated", "chain"),
    )
    table = listing(("instance",), heads)
    for file, instance, found in rows:
        table.add_row(
            found.name or file,
            f"{found.jobs}",
            f"{found.tasks}",
            f"{found.devices}",
            "any" if found.units is None else f"{found.units}",
            _figure(found.tasks_per_job),
            _figure(found.devices_per_task),
            _figure(found.flexibility),
            _figure(found.duration_variety),
            shown(instance, found.shortest_s, "time"),
            shown(instance, found.longest_s, "time"),
            _figure(found.unrelatedness),
            f"{found.longest_chain}",
        )
    return table


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.3g}"


def schema(output: Output = None) -> int:
    """Print the JSON Schema of instance files."""
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.formats.native.json_schema import schema_text

    if output is None:
        typer.echo(schema_text(), nl=False)  # the file in docs/, to the byte
    else:
        check_writable(output)
        write_whole(Path(output), schema_text())
    return OK


def convert(
    file: Annotated[
        str, typer.Argument(help="Instance: file, folder, shipped name, or - for stdin.")
    ],
    output: Annotated[
        str,
        typer.Option("-o", "--output", help=".yaml, .json, or a folder of Parquet tables."),
    ],
    to: To = None,
    from_: From = None,
    platform: Platform = None,
) -> int:
    """Write an instance in another form."""
    from hetopt.formats import read_instance, write_instance

    instance = read_instance(file, format=from_, platform=platform)
    tell_warnings(instance)
    write_instance(_models_from(instance, file, output), output, format=to)
    return OK


def export(
    question: Question,
    output: Annotated[
        str, to_file(".mps or .lp of a steady instance; .pb or .pbtxt: CP-SAT's own.", "MODEL")
    ],
    rounding: Annotated[
        str, option("R", "down (bounds) or up (plans), off an exact grid.")
    ] = "down",
    json: Json = False,
) -> int:
    """Write the model that is solved, for other solvers."""
    from dataclasses import asdict

    from hetopt.formats.files import check_writable
    from hetopt.model_files import Rounding, export_model

    direction = choice("--rounding", rounding, get_args(Rounding))
    check_writable(output)
    instance = question.instance()
    tell_warnings(instance)
    written = export_model(instance, output, rounding=direction)
    if json:
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
