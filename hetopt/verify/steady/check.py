"""Checks of a steady plan: its routes and units; loads, memory and power are in ``fleet``.

Rules are those of docs/quantities.md, steady regime. Routes that cannot be read (tasks of another
job, an unknown option, a rate that is no number) are reported and left out of the further checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.instance import NO_MAXIMUM, Bools, Instance, Ints
from hetopt.solution import SteadyPlan
from hetopt.verify.columns import check_options, read_column, read_columns
from hetopt.verify.exact import SMALL, exceeds
from hetopt.verify.paths import Paths
from hetopt.verify.report import Findings, Mode, show
from hetopt.verify.steady.routes import cost_route
from hetopt.verify.steady.rules import check_rules
from hetopt.verify.steady.streams import Arithmetic, Stream, names_units


@dataclass(frozen=True, slots=True)
class _Columns:
    route_job: Ints
    rate: NDArray[Any]
    ptr: Ints
    task: Ints
    option: Ints
    unit: Ints
    on: Ints
    had: Ints
    least: NDArray[Any]


def check_steady(
    instance: Instance, plan: SteadyPlan, findings: Findings
) -> tuple[dict[str, float], Mode]:
    """Check every rule of the steady regime; return objectives and the arithmetic used."""
    # This module uses the types above.
    from hetopt.verify.steady.fleet import check_fleet
    from hetopt.verify.steady.states import check_states

    columns = _read(instance, plan, findings)
    if columns is None:
        return {}, "float"
    arithmetic = Arithmetic("fractions" if len(columns.task) <= SMALL else "float")
    _check_units(instance, columns, findings)
    _check_spares(instance, columns, findings)
    streams = _streams(instance, columns, arithmetic, findings)
    for stream in streams:
        _check_route(instance, stream, findings)
    check_rules(instance, streams, findings)
    _check_jobs(instance, streams, arithmetic, findings)
    units = columns.on, columns.had
    check_states(instance, streams, plan.states, units, arithmetic, findings)
    objectives = check_fleet(instance, streams, units, arithmetic, findings)
    return objectives, arithmetic.mode


def _read(instance: Instance, plan: SteadyPlan, findings: Findings) -> _Columns | None:
    routes = read_columns(
        findings,
        [("route_job", plan.route_job, True), ("rate_per_s", plan.rate_per_s, False)],
        None,
    )
    units = read_columns(
        findings,
        [("units_on", plan.units_on, True), ("units_had", plan.units_had, True)],
        len(instance.devices),
    )
    rows = read_columns(
        findings,
        [("task", plan.task, True), ("option", plan.option, True), ("unit", plan.unit, True)],
        None,
    )
    if routes is None or units is None or rows is None:
        return None
    ptr = read_column(findings, "ptr", plan.ptr, whole=True, length=len(routes[0]) + 1)
    if ptr is None:
        return None
    if ptr[0] != 0 or ptr[-1] != len(rows[0]) or np.any(np.diff(ptr) < 0):
        findings.add(
            "malformed-plan",
            f"The column ptr must rise from 0 to {len(rows[0])}, the number of rows of tasks.",
            "ptr",
        )
        return None
    least = _read_least_rates(plan, len(rows[0]), findings)
    if least is None:
        return None
    return _Columns(
        route_job=routes[0],
        rate=routes[1],
        ptr=ptr,
        task=rows[0],
        option=rows[1],
        unit=rows[2],
        on=units[0],
        had=units[1],
        least=least,
    )


def _read_least_rates(plan: SteadyPlan, rows: int, findings: Findings) -> NDArray[Any] | None:
    """Return the least rate of each row, 1 where the plan states none or one that is no rate."""
    if plan.least_rate is None:
        return np.ones(rows)
    least = read_column(findings, "least_rate", plan.least_rate, whole=False, length=rows)
    if least is None:
        return None
    sound = (least > 0) & (least <= 1)
    findings.rows(
        "least-rate",
        np.flatnonzero(~sound),
        lambda i: (
            (
                f"Row {i} of the tasks of routes runs at {show(least[i])} of full speed or more; "
                "a number above 0, up to 1, is expected."
            ),
            "least_rate",
        ),
    )
    return np.where(sound, least, 1.0)


def _check_units(instance: Instance, columns: _Columns, findings: Findings) -> None:
    """Check that units had are in the device's range, and units on among those had."""
    devices = instance.devices
    for d in range(len(devices)):
        name, on, had = devices.name[d], int(columns.on[d]), int(columns.had[d])
        least, most = int(devices.count_min[d]), int(devices.count_max[d])
        if had < least or (most != NO_MAXIMUM and had > most):
            upper = "no maximum" if most == NO_MAXIMUM else f"at most {most}"
            findings.add(
                "units-had",
                f"The plan has {had} units of {name}; there must be at least {least}, {upper}.",
                name,
            )
        if on < 0 or on > had:
            findings.add("units-on", f"Of {name}, {on} units are on, but the plan has {had}.", name)
        elif on != had and not devices.off_when_unused[d]:
            findings.add(
                "always-on",
                f"Of {name}, {on} of {had} units are on, but its units are never off.",
                name,
            )


def _check_spares(instance: Instance, columns: _Columns, findings: Findings) -> None:
    """Check that units which rows name are none of the spare ones."""
    devices = instance.devices
    owner = np.repeat(np.arange(len(columns.route_job)), np.diff(columns.ptr))
    legible = (columns.option >= 0) & (columns.option < len(instance.options))
    device = instance.options.device[np.where(legible, columns.option, 0)]
    spare, had = devices.spare[device], columns.had[device]
    active = legible & ((columns.rate[owner] > 0) | (instance.routing == "single"))
    kept = active & (spare > 0) & (columns.unit < columns.had[device])
    findings.rows(
        "spare",
        np.flatnonzero(kept & (columns.unit >= np.maximum(0, had - spare))),
        lambda i: (
            (
                f"Route {owner[i]} runs on unit {columns.unit[i]} of {devices.name[device[i]]}; of "
                f"{had[i]} units had the last {spare[i]} are spare."
            ),
            devices.name[device[i]],
        ),
    )


def _streams(
    instance: Instance, columns: _Columns, arithmetic: Arithmetic, findings: Findings
) -> list[Stream]:
    names = instance.jobs.name
    count = len(columns.route_job)
    known = (columns.route_job >= 0) & (columns.route_job < len(instance.jobs))
    findings.rows(
        "route-job",
        np.flatnonzero(~known),
        lambda k: (
            (
                f"Route {k} serves job {columns.route_job[k]}, but jobs are numbered 0 to "
                f"{len(instance.jobs) - 1}."
            ),
            f"routes[{k}]",
        ),
    )
    rated = np.isfinite(columns.rate) & (columns.rate >= 0)
    findings.rows(
        "rate",
        np.flatnonzero(~rated),
        lambda k: (
            f"Route {k} has the rate {show(columns.rate[k], '/s')}, which is no rate from 0 on.",
            f"routes[{k}]",
        ),
    )
    first, members = instance.job_tasks
    whole = known.copy()
    for k in np.flatnonzero(known):
        job = columns.route_job[k]
        rows = columns.task[columns.ptr[k] : columns.ptr[k + 1]]
        whole[k] = np.array_equal(rows, members[first[job] : first[job + 1]])
    findings.rows(
        "route-tasks",
        np.flatnonzero(known & ~whole),
        lambda k: (
            (
                f"Route {k} does not place every task of job {names[columns.route_job[k]]} exactly "
                "once, in the order of the instance."
            ),
            f"routes[{k}]",
        ),
    )
    owner = np.repeat(np.arange(count), np.diff(columns.ptr))
    legible = np.flatnonzero(whole[owner])
    own = np.zeros(len(owner), dtype=bool)
    own[legible] = check_options(instance, columns.task[legible], columns.option[legible], findings)
    sound = whole & rated
    sound[owner[~own]] = False
    placed = _check_placed(instance, columns, owner, own, findings)
    sound[owner[~placed]] = False
    return _cost(instance, columns, sound, arithmetic, findings)


def _check_placed(
    instance: Instance, columns: _Columns, owner: Ints, own: Bools, findings: Findings
) -> Bools:
    """Check the units that rows name; return which rows have a unit to go on with."""
    devices = instance.devices
    device = instance.options.device[np.where(own, columns.option, 0)]
    must = np.array([names_units(instance, d) for d in range(len(devices))], dtype=bool)
    unnamed = own & (columns.unit == -1)
    wrong = own & ((columns.unit < -1) | (columns.unit >= columns.on[device]))
    # A device that serves requests must have a unit on even where its units are not named.
    wrong |= unnamed & ~must[device] & (columns.on[device] < 1) & (columns.rate[owner] > 0)
    names = instance.tasks.name
    findings.rows(
        "unit-missing",
        np.flatnonzero(unnamed & must[device]),
        lambda i: (
            f"Route {owner[i]} names no unit of {devices.name[device[i]]} for task "
            f"{names[columns.task[i]]}, though "
            + (
                "a single placement is asked for."
                if instance.routing == "single"
                else "its memory is limited, or its units have different configurations."
            ),
            names[columns.task[i]],
        ),
    )
    findings.rows(
        "unit-range",
        np.flatnonzero(wrong),
        lambda i: (
            (
                f"Route {owner[i]} runs task {names[columns.task[i]]} on unit "
                f"{columns.unit[i] if columns.unit[i] != -1 else '(any)'} of "
                f"{devices.name[device[i]]}, of which {columns.on[device[i]]} units are on."
            ),
            names[columns.task[i]],
        ),
    )
    placed: Bools = own & ~wrong & ~(unnamed & must[device])
    task = np.where(own, columns.task, 0)
    pin = np.where(instance.tasks.pin_device[task] == device, instance.tasks.pin_unit[task], -1)
    findings.rows(
        "pinned-unit",
        np.flatnonzero(placed & (pin >= 0) & (columns.unit >= 0) & (columns.unit != pin)),
        lambda i: (
            (
                f"Route {owner[i]} runs task {names[columns.task[i]]} on "
                f"{instance.unit_name(device[i], columns.unit[i])}, but it is pinned to "
                f"unit {pin[i]}."
            ),
            names[columns.task[i]],
        ),
    )
    return placed


def _cost(
    instance: Instance,
    columns: _Columns,
    sound: Bools,
    arithmetic: Arithmetic,
    findings: Findings,
) -> list[Stream]:
    """Return the readable routes; report those that split a device over units."""
    job_of_edge = instance.tasks.job[instance.edges.src]
    order = np.argsort(job_of_edge, kind="stable")
    bounds = np.searchsorted(job_of_edge[order], np.arange(len(instance.jobs) + 1))
    paths = Paths(instance)
    streams = []
    for k in np.flatnonzero(sound).tolist():
        job = int(columns.route_job[k])
        span = slice(columns.ptr[k], columns.ptr[k + 1])
        units: dict[int, int] = {}
        rows = []
        for task, option, unit in zip(
            columns.task[span].tolist(),
            columns.option[span].tolist(),
            columns.unit[span].tolist(),
            strict=True,
        ):
            device = int(instance.options.device[option])
            if instance.routing == "split" and units.setdefault(device, unit) != unit:
                findings.add(
                    "route-units",
                    f"Route {k} spreads its tasks on {instance.devices.name[device]} over units "
                    f"{units[device]} and {unit}; they must share one.",
                    f"routes[{k}]",
                )
                unit = units[device]
            rows.append((task, option, unit))
        edges = order[bounds[job] : bounds[job + 1]]
        least = [arithmetic.number(rate) for rate in columns.least[span].tolist()]
        cost = cost_route(instance, paths, arithmetic.number, rows, edges, least)
        streams.append(Stream(k, job, arithmetic.number(columns.rate[k]), rows, cost, least))
    return streams


def _check_route(instance: Instance, stream: Stream, findings: Findings) -> None:
    """Check what holds for every route that is used: paths, latency, accuracy."""
    jobs, devices, place = instance.jobs, instance.devices.name, f"routes[{stream.row}]"
    name = jobs.name[stream.job]
    if not stream.used:
        return
    for tensor, src, dst in stream.cost.blocked:
        findings.add(
            "no-path",
            f"Route {stream.row} of job {name} moves a message of task "
            f"{instance.tasks.name[instance.tensors.producer[tensor]]} from {devices[src]} to "
            f"{devices[dst]}, but no links lead there.",
            place,
        )
    if exceeds(stream.cost.latency_s, float(jobs.latency_slo_s[stream.job])):
        findings.add(
            "latency",
            f"Route {stream.row} of job {name} has a latency of "
            f"{show(stream.cost.latency_s, 's')}; its limit is "
            f"{show(jobs.latency_slo_s[stream.job], 's')}.",
            place,
        )
    least = float(jobs.min_accuracy[stream.job])
    if exceeds(-stream.cost.accuracy, -least):
        findings.add(
            "min-accuracy",
            f"Route {stream.row} of job {name} has accuracy {show(stream.cost.accuracy)}, less "
            f"than the {show(least)} that it must have.",
            place,
        )


def _check_jobs(
    instance: Instance, streams: list[Stream], arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check that each job is served as demanded, and placed once where that is asked for."""
    jobs = instance.jobs
    served: list[Any] = [arithmetic.number(0.0)] * len(jobs)
    routes = [0] * len(jobs)
    for stream in streams:
        served[stream.job] += stream.rate
        routes[stream.job] += 1
    for j in range(len(jobs)):
        name = jobs.name[j]
        if instance.routing == "single" and routes[j] != 1:
            findings.add(
                "placements",
                f"Job {name} has {routes[j]} placements, but must have exactly one.",
                name,
            )
        wanted = float(jobs.rate_per_s[j])
        if "value" in instance.objective:
            _check_part(instance, j, served[j], arithmetic, findings)
            continue
        # Under throughput the rates themselves are what is maximised.
        if "throughput" not in instance.objective and exceeds(-served[j], -wanted):
            findings.add(
                "demand",
                f"Job {name} is served {show(served[j], 'requests/s')}, but "
                f"{show(wanted, 'requests/s')} are demanded.",
                name,
            )
    _check_slices(instance, streams, arithmetic, findings)


def _check_part(
    instance: Instance, job: int, served: Any, arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check that a job is served at least its ``min_share``, and no more than it demands."""
    name, demand = instance.jobs.name[job], arithmetic.number(float(instance.jobs.rate_per_s[job]))
    least = demand * arithmetic.number(float(instance.jobs.min_share[job]))
    if exceeds(-served, -least):
        findings.add(
            "min-share",
            f"Job {name} is served {show(served, 'requests/s')}; its least share "
            f"({show(instance.jobs.min_share[job])}) of what is demanded is "
            f"{show(least, 'requests/s')}.",
            name,
        )
    if exceeds(served, demand):
        findings.add(
            "demand",
            f"Job {name} is served {show(served, 'requests/s')}, but only "
            f"{show(demand, 'requests/s')} are demanded: more is worth nothing.",
            name,
        )


def _check_slices(
    instance: Instance, streams: list[Stream], arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check that every route serves a whole number of slices of a job that has them."""
    jobs = instance.jobs
    served: dict[tuple[int, tuple[int, ...]], Any] = {}
    first: dict[tuple[int, tuple[int, ...]], int] = {}
    for stream in streams:
        if jobs.slices[stream.job] > 0 and jobs.rate_per_s[stream.job] > 0:
            # The same options on several units are one route.
            key = stream.job, tuple(option for _, option, _ in stream.rows)
            served[key] = served.get(key, arithmetic.number(0.0)) + stream.rate
            first.setdefault(key, stream.row)
    for (job, options), rate in served.items():
        demand = arithmetic.number(float(jobs.rate_per_s[job]))
        part = demand / int(jobs.slices[job])
        whole = part * round(rate / part)
        if exceeds(rate, whole, demand) or exceeds(-rate, -whole, demand):
            findings.add(
                "slices",
                f"Route {first[job, options]} serves {show(rate, 'requests/s')} of job "
                f"{jobs.name[job]}, which is no whole number of its {jobs.slices[job]} slices of "
                f"{show(part, 'requests/s')} each.",
                jobs.name[job],
            )
