"""What ``hetopt calibrate`` does: telemetry in, better options and news of drift out."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import Json, Output, argument, option
from hetopt.cli.printing import print_json, print_view
from hetopt.cli.profiling.demands import demand_lines, plain_demands, written_demands
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.instance import Instance
    from hetopt.profiling.calibration.calibrate import Calibrated, Key
    from hetopt.profiling.calibration.demands import FittedDemands
    from hetopt.profiling.calibration.load_curve import LoadCurve
    from hetopt.profiling.calibration.overlap import Overlap


def calibrate(
    instance: Annotated[
        str, argument("INSTANCE", "YAML or JSON document, folder of tables, or a shipped name.")
    ],
    telemetry: Annotated[
        list[str] | None,
        argument("TELEMETRY...", "CSV or JSON lines: device, task, label, time, timestamp."),
    ] = None,
    load: Annotated[
        str | None, option("TABLE", "Powers at several loads: device, load, power.")
    ] = None,
    columns: Annotated[
        list[str] | None, option("HEADING=FIELD", "Columns of telemetry: cpu_s=time,...")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> int:
    """Update options by what was observed, and tell what has drifted."""
    from hetopt.formats import read_instance
    from hetopt.formats.files import check_writable
    from hetopt.formats.shipped import shipped_names, shipped_path
    from hetopt.profiling.calibration.calibrate import calibrate as calibrated
    from hetopt.profiling.calibration.demands import demands_of_telemetry
    from hetopt.profiling.calibration.load_curve import fit_load_curves
    from hetopt.profiling.calibration.overlap import overlaps
    from hetopt.profiling.calibration.state import read_state, state_path
    from hetopt.profiling.calibration.telemetry import read_telemetry
    from hetopt.profiling.tables.fields import columns_of

    if not telemetry and load is None:
        raise InputError([Problem("TELEMETRY", "", "Files of telemetry, or --load TABLE.")])
    check_writable(output)
    read = read_instance(instance)
    path = instance
    if not Path(instance).exists() and instance in shipped_names():
        path = str(shipped_path(instance))
    before = read_state(state_path(path))
    observed = read_telemetry(telemetry or [], columns_of(columns or []))
    if telemetry and not observed:
        text = "At least one execution: a row with a time above 0."
        raise InputError([Problem(", ".join(telemetry), "", text)])
    found = calibrated(read, observed, before)
    curves = [] if load is None else fit_load_curves(read, load)
    stated = {
        (task, key[1], key[2]): known.time.prior
        for key, known in found.items()
        for task in _tasks_of(read, key[0])
    }
    pairs = overlaps(observed, stated)
    demands = demands_of_telemetry(read, observed, stated)
    if output is not None:
        _write(output, path, read, found, curves, demands)
    if json:
        print_json(_plain(found, curves, pairs) | {"demands": plain_demands(demands)})
    else:
        _show(found, curves, pairs)
        for line in demand_lines(demands):
            typer.echo(line)
    return OK


def _tasks_of(instance: Instance, profile: str) -> list[str]:
    names = instance.profiles.name[instance.tasks.profile]
    return [profile, *instance.tasks.name[names == profile].tolist()]


def _write(
    output: str,
    path: str,
    instance: Instance,
    found: dict[Key, Calibrated],
    curves: list[LoadCurve],
    demands: FittedDemands | None,
) -> None:
    """Write the instance, then its state: one without the other begins anew."""
    from hetopt.formats.files import write_whole
    from hetopt.formats.native.write_back import read_document_text, write_back
    from hetopt.formats.native.write_back_tables import write_back_tables
    from hetopt.profiling.calibration.state import state_path, state_text

    options = {key: _fields(instance, key, known) for key, known in found.items() if known.count}
    devices = {curve.device: {"idle_power_w": curve.idle_w} for curve in curves}
    if Path(path).is_dir():
        write_back_tables(Path(path), Path(output), options, devices)
    else:
        uses, resources = written_demands(instance, demands)
        text = read_document_text(path)
        made = write_back(text, path, options, devices, uses, resources)
        write_whole(Path(output), made)
    write_whole(state_path(output), state_text(found))


def _fields(instance: Instance, key: Key, known: Calibrated) -> dict[str, float | bool | str]:
    fields: dict[str, float | bool | str] = {
        "time_s": known.time.value,
        "time_low_s": known.time.low,
        "time_high_s": known.time.high,
    }
    if known.energies:
        energy = known.energy
        at = instance.devices.name.tolist().index(key[1])
        idle = float(instance.devices.idle_power_w[at])
        fields |= {
            "energy_j": energy.value,
            "energy_low_j": energy.low,
            "energy_high_j": energy.high,
            "power_w": float(f"{idle + energy.value / known.time.value:.6g}"),
        }
    if known.estimated and not known.still_estimated:
        fields |= {"estimated": False, "source": f"calibrated on {known.count} executions"}
    return fields


def _plain(
    found: dict[Key, Calibrated], curves: list[LoadCurve], pairs: list[Overlap]
) -> dict[str, Any]:
    from dataclasses import asdict

    from hetopt.formats.plans import to_json

    return {
        "options": [
            {
                "profile": key[0],
                "device": key[1],
                "label": key[2],
                "executions": known.count,
                "new_executions": known.added,
                "stated_time_s": known.time.prior,
                "time_s": known.time.value,
                "time_low_s": to_json(known.time.low),
                "time_high_s": to_json(known.time.high),
                "stated_energy_j": known.energy.prior,
                "energy_j": known.energy.value,
                "interval": known.interval,
                "outliers": known.outliers,
                "worst": [{"factor": f, "at_s": at} for f, at in known.worst],
                "drift": [
                    {"at_s": change.at_s, "factor": change.factor} for change in known.watch.changes
                ],
            }
            for key, known in found.items()
        ],
        "devices": [to_json(asdict(curve)) for curve in curves],
        "overlaps": [asdict(pair) for pair in pairs],
    }


def _show(found: dict[Key, Calibrated], curves: list[LoadCurve], pairs: list[Overlap]) -> None:
    from hetopt.report.terminal.listing import listing
    from hetopt.units import format as with_unit

    heads = ("executions", "new", "stated", "now", "interval", "energy", "outliers")
    table = listing(("task", "device", "option"), heads, overflow="fold")
    for (profile, device, label), known in found.items():
        time, energy = known.time, known.energy
        low, high = time.low / time.value - 1, time.high / time.value - 1
        table.add_row(
            profile,
            device,
            label,
            f"{known.count}",
            f"{known.added}",
            with_unit(time.prior, "time"),
            f"{with_unit(time.value, 'time')} ({time.value / time.prior - 1:+.1%})",
            "–" if math.isnan(low) else f"{low:+.0%} {high:+.0%}",
            f"{energy.value / energy.prior - 1:+.1%}" if known.energies else "–",
            f"{known.outliers}",
        )
    if found:
        print_view(table)
    for (profile, device, label), known in found.items():
        name = " ".join(part for part in (profile, "on", device, label) if part)
        for change in known.watch.changes:
            typer.echo(f"drift: {name}: {change.factor - 1:+.0%} since {_when(change.at_s)}")
        for factor, at in known.worst[:1]:
            typer.echo(
                f"outliers: {name}: {known.outliers}, the worst {factor:.3g} times at {_when(at)}"
            )
    for curve in curves:
        typer.echo(
            f"power: {curve.device}: idle {with_unit(curve.idle_w, 'power')}, full load adds "
            f"{with_unit(curve.dynamic_w, 'power')} ({curve.points} points)"
        )
    for pair in pairs:
        typer.echo(
            f"together: {pair.device} takes {pair.factor:.2f} times as long while {pair.other} "
            f"runs ({pair.together} executions, {pair.alone} alone)"
        )


def _when(at_s: float) -> str:
    """Return a time for people: a date where it is one, else seconds."""
    if at_s < 1e8:
        return f"{at_s:g} s"
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
