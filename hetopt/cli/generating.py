"""``hetopt generate``: random instances of chosen size, shape and tightness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import Seed, To, command, option, to_file

GENERATE = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make a random instance.")
OutputFile = Annotated[str, to_file(".yaml, .json; no extension: a folder of tables.")]


@command(GENERATE)
def schedule(
    output: OutputFile,
    to: To = None,
    tasks: Annotated[int, option("N", "Number of tasks.")] = 100,
    devices: Annotated[int, option("D", "Number of devices.")] = 6,
    shape: Annotated[
        str, typer.Option(help="layered, random, fork-join, chains or independent.")
    ] = "layered",
    ccr: Annotated[float, option("X", "Mean transfer over mean task.")] = 0.1,
    deadline_factor: Annotated[float, option("F", "Deadline over HEFT's makespan.")] = 1.5,
    profiles: Annotated[int | None, option("P", "Profiles; default min(N, 1000).")] = None,
    memory: Annotated[str, typer.Option(help="none or tight.")] = "none",
    slots: Annotated[int, typer.Option(help="Slots of each unit.")] = 1,
    count: Annotated[int, typer.Option(help="Units of each device.")] = 1,
    power_cap_factor: Annotated[
        float | None, typer.Option(help="Power cap over the sum of the devices' largest powers.")
    ] = None,
    seed: Seed = 0,
) -> int:
    """Make a random task graph on random devices; docs/generate.md gives the distributions."""
    values: dict[str, Any] = {
        "tasks": tasks,
        "devices": devices,
        "shape": shape,
        "ccr": ccr,
        "deadline_factor": deadline_factor,
        "profiles": profiles,
        "memory": memory,
        "slots": slots,
        "count": count,
        "power_cap_factor": power_cap_factor,
        "seed": seed,
    }
    return run_generate("schedule", values, output, to)


@command(GENERATE)
def steady(
    output: OutputFile,
    to: To = None,
    workloads: Annotated[int, option("N", "Number of workloads.")] = 20,
    devices: Annotated[int, option("D", "Number of devices.")] = 6,
    options: Annotated[int, option("K", "Options per device.")] = 3,
    seed: Seed = 0,
) -> int:
    """Make random request streams on random devices; docs/generate.md gives the distributions."""
    values = {"workloads": workloads, "devices": devices, "options": options, "seed": seed}
    return run_generate("steady", values, output, to)


def run_generate(regime: str, values: Mapping[str, Any], output: str, to: str | None = None) -> int:
    """Make a random instance and write it; see ``hetopt generate``."""
    from hetopt import generate
    from hetopt.formats import write_instance

    make = generate.generate_schedule if regime == "schedule" else generate.generate_steady
    instance = make(**values)
    write_instance(instance, output, format=to)
    typer.echo(
        f"{output}: {len(instance.tasks):,} tasks, {len(instance.devices):,} devices, {regime}",
        err=True,
    )
    return OK
