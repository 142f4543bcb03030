"""What ``hetopt profile MODEL --estimate`` does: options of processors that are not here."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import option
from hetopt.cli.printing import print_json, print_view
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.profiling.onnx.document import ModelProfile
    from hetopt.profiling.tables.measurement import Measurement


@dataclass(frozen=True, slots=True)
class EstimateFlags:
    """Flags of ``hetopt profile`` that only estimates have."""

    targets: str | None = None
    uncalibrated: bool = False
    table: str | None = None

    def known(self) -> list[Measurement]:
        """Return measured times of whole models."""
        from hetopt.profiling.tables.read import read_measurements

        return [] if self.table is None else read_measurements([self.table])

    @property
    def wanted(self) -> bool:
        """Whether anything is to be estimated."""
        for flag, given in (("--uncalibrated", self.uncalibrated), ("--known", self.table)):
            if given and self.targets is None:
                raise InputError([Problem(flag, "", "--estimate DEVICES beside it.")])
        return self.targets is not None


def estimate_flags(
    estimate: Annotated[
        str | None,
        option(
            "DEVICE[:PRECISION],...",
            "Estimate options on these (hetopt devices --capabilities): t4:fp16,edgetpu.",
        ),
    ] = None,
    uncalibrated: Annotated[
        bool,
        typer.Option(
            "--uncalibrated", help="Estimate from a data sheet alone where nothing was measured."
        ),
    ] = False,
    known: Annotated[
        str | None,
        option(
            "TABLE", "Measured times of whole models: task (the model), device, time, precision."
        ),
    ] = None,
) -> EstimateFlags:
    """Return the flags that only estimates have."""
    return EstimateFlags(estimate, uncalibrated, known)


def estimated(
    files: list[str],
    sizes: dict[str, int],
    segments: int,
    flags: EstimateFlags,
    output: str | None,
    as_json: bool,
) -> int:
    """Estimate, write and print."""
    from hetopt.formats.files import write_whole
    from hetopt.formats.native.document import read_json
    from hetopt.formats.native.document_text import document_text
    from hetopt.profiling.estimated import estimated_document, targets_of
    from hetopt.profiling.onnx.document import profile_models
    from hetopt.report.terminal.progress import line_display

    targets, known = targets_of(flags.targets or ""), flags.known()
    folder = None if output is None else Path(output).absolute().parent
    with line_display() as report:
        profiles = profile_models(files, sizes=sizes, most_segments=segments, report=report)
        document = estimated_document(
            profiles,
            targets,
            uncalibrated=flags.uncalibrated,
            known=known,
            folder=folder,
            report=report,
        )
    # Read first, so that what is written is an instance as any other.
    read_json(json_module.dumps(document), "the estimated instance")
    if output is not None:
        write_whole(Path(output), document_text(document, yaml=not output.endswith(".json")))
    if as_json:
        print_json(document)
    else:
        _show(document)
    return OK


def with_estimates(
    document: dict[str, Any], profiles: list[ModelProfile], flags: EstimateFlags
) -> dict[str, Any]:
    """Return a measured instance with estimated options beside the measured ones.

    Energies are kept only where all options have one.
    """
    from hetopt.profiling.estimated import estimated_document, targets_of

    targets = targets_of(flags.targets or "")
    more = estimated_document(
        profiles, targets, uncalibrated=flags.uncalibrated, known=flags.known()
    )
    rows = [*document["profiles"].values(), *more["profiles"].values()]
    powered = all("energy_j" in option for options in rows for option in options)
    profiles_ = {
        name: [_kept(option, powered) for option in (*options, *more["profiles"][name])]
        for name, options in document["profiles"].items()
    }
    typer.echo(f"note: {more['description']}", err=True)
    names = [row["name"] for row in document["devices"]]
    added = [row["name"] for row in more["devices"]]
    link = {"bandwidth_b_per_s": 8e9, "latency_s": 20e-6, "both_ways": True}
    links = [{"from": a, "to": b, **link} for a in names for b in added]
    return {
        **document,
        "description": f"{document['description']} {more['description']}",
        "devices": [*document["devices"], *more["devices"]],
        "links": [*document.get("links", []), *links, *more.get("links", [])],
        "profiles": profiles_,
    }


def _kept(option: dict[str, Any], powered: bool) -> dict[str, Any]:
    return {k: v for k, v in option.items() if powered or not k.startswith("energy")}


def _show(document: dict[str, Any]) -> None:
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    table = listing(("task", "device"), ("option", "time", "from", "to", "energy"))
    basis: dict[str, None] = {}
    for task, options in document["profiles"].items():
        for row in options:
            times = [with_unit(row[k], "time") for k in ("time_s", "time_low_s", "time_high_s")]
            energy = with_unit(row["energy_j"], "energy") if "energy_j" in row else "–"
            table.add_row(task, row["device"], row["label"], *times, energy)
            text = str(row["source"]).removeprefix("estimated: ")
            basis[f"{row['device']} {row['label']}: {text}"] = None
    print_view(table)
    for text in basis:
        typer.echo(text)
    typer.echo("90 % of outcomes are expected between from and to")
    typer.echo(document["description"])
