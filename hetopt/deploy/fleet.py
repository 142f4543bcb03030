"""A steady plan as targets see it: groups of equal units, what each serves, and who is sent where.

A *group* is a number of identical units (replicas) that hold the same models. Units that a plan
names form a group where they serve the same tasks at the same rates; the units of a device that it
does not name are one group, and one per job where the device is ``exclusive``: then a job has as
many units as its load needs, as the checker counts them. A *server* is one option of a profile on a
group, whatever tasks it serves. A *route* is a share of a job's requests that passes given groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hetopt.deploy.names import Labels
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.solution import SteadyPlan

SAME = 9
"""Significant digits to which rates of units agree that form one group."""

WHOLE = 1e-9
"""Relative rounding of loads in units of an exclusive device."""


@dataclass(frozen=True, slots=True)
class Server:
    """One option of a profile, on the units of a group.

    ``rate_per_s`` is what the whole group serves with it, ``tasks`` whose requests these are.
    """

    name: str
    option: int
    tasks: tuple[int, ...]
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Group:
    """Identical units of a device.

    ``units`` are their numbers where the plan names them, else empty. ``load`` is the busy slots
    of each unit, on average; ``memory_b`` what each holds: weights once each, and slots × the
    largest working memory.
    """

    name: str
    device: int
    units: tuple[int, ...]
    replicas: int
    servers: tuple[Server, ...]
    load: float
    memory_b: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a route runs a task: the index of a group, and of a server of it."""

    task: int
    group: int
    server: int


@dataclass(frozen=True, slots=True)
class Route:
    """A part of a job's requests; stops are in the order of the job's tasks."""

    rate_per_s: float
    share: float
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class JobRoutes:
    """The routes of one job that has any."""

    job: int
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Groups, and the routes of jobs over them; notes say what of the plan is in neither."""

    groups: tuple[Group, ...]
    jobs: tuple[JobRoutes, ...]
    notes: tuple[str, ...]


def fleet_of(instance: Instance, plan: SteadyPlan) -> Fleet:
    """Group the units of a plan and its routes over them."""
    of = SteadyQuantities(instance, plan)
    rows = np.flatnonzero(of.used[of.route]).tolist()
    exclusive, jobs = instance.devices.exclusive, plan.route_job[of.route]
    cell: dict[int, tuple[int, int, int]] = {}  # of each row: device, unit, job of its own
    for m in rows:
        d, unit = int(of.device[m]), int(plan.unit[m])
        cell[m] = (d, unit, int(jobs[m]) if exclusive[d] and unit < 0 else -1)
    members: dict[tuple[int, int, int], list[int]] = {}
    for m in rows:
        members.setdefault(cell[m], []).append(m)
    merged: dict[tuple[object, ...], list[tuple[int, int, int]]] = {}
    for key in sorted(members):
        signature = (key[0], key[2], _signature(of, members[key]) if key[1] >= 0 else key)
        merged.setdefault(signature, []).append(key)
    names, servers = Labels(), Labels()
    groups: list[Group] = []
    number: dict[tuple[int, int, int], int] = {}
    for cells in merged.values():
        for key in cells:
            number[key] = len(groups)
        groups.append(_group(of, cells, [m for key in cells for m in members[key]], names, servers))
    return Fleet(tuple(groups), _routes(of, cell, number, groups), _notes(of, groups))


def _signature(of: SteadyQuantities, rows: list[int]) -> tuple[object, ...]:
    """Return what a unit serves, and how much of it."""
    rates: dict[tuple[int, int], float] = {}
    for m in rows:
        key = int(of.plan.option[m]), int(of.plan.task[m])
        rates[key] = rates.get(key, 0.0) + float(of.row_rate_per_s[m])
    return tuple((*key, f"{rate:.{SAME}g}") for key, rate in sorted(rates.items()))


def _group(
    of: SteadyQuantities,
    cells: list[tuple[int, int, int]],
    rows: list[int],
    names: Labels,
    servers: Labels,
) -> Group:
    instance, plan = of.instance, of.plan
    d, unit, job = cells[0]
    device = str(instance.devices.name[d])
    load = math.fsum(float(of.row_rate_per_s[m] * of.row_busy_s[m]) for m in rows)
    if unit >= 0:
        replicas, text = len(cells), f"{device}-{unit}"
    elif job >= 0:
        replicas = max(1, math.ceil(load / float(of.unit_capacity[d]) - WHOLE))
        text = f"{device}-{instance.jobs.name[job]}"
    else:
        replicas, text = max(1, int(of.units_working[d])), device
    made = []
    for option in sorted({int(plan.option[m]) for m in rows}):
        own = [m for m in rows if int(plan.option[m]) == option]
        profile = int(np.searchsorted(instance.profiles.ptr, option, side="right")) - 1
        shown = f"{instance.profiles.name[profile]} {instance.options.label[option]}".strip()
        tasks = tuple(sorted({int(plan.task[m]) for m in own}))
        rate = math.fsum(float(of.row_rate_per_s[m]) for m in own)
        made.append(Server(servers.of(shown), option, tasks, rate))
    options = instance.options
    used = np.array([s.option for s in made])
    weights: dict[int, float] = {}
    for o in used.tolist():
        if options.weights_key[o] >= 0:
            weights[int(options.weights_key[o])] = float(options.weights_b[o])
    working = float(options.memory_b[used].max(initial=0.0)) * int(instance.devices.slots[d])
    units = tuple(u for _, u, _ in cells if u >= 0)
    return Group(
        names.of(text),
        d,
        units,
        replicas,
        tuple(made),
        load / replicas,
        math.fsum(weights.values()) + working,
    )


def _routes(
    of: SteadyQuantities,
    cell: dict[int, tuple[int, int, int]],
    number: dict[tuple[int, int, int], int],
    groups: list[Group],
) -> tuple[JobRoutes, ...]:
    plan = of.plan
    place = {
        (g, server.option): s
        for g, group in enumerate(groups)
        for s, server in enumerate(group.servers)
    }
    found = []
    for job in range(len(of.instance.jobs)):
        rates: dict[tuple[Stop, ...], float] = {}
        for k in np.flatnonzero(of.used & (plan.route_job == job)).tolist():
            stops = []
            for m in range(int(plan.ptr[k]), int(plan.ptr[k + 1])):
                g = number[cell[m]]
                stops.append(Stop(int(plan.task[m]), g, place[g, int(plan.option[m])]))
            key = tuple(stops)
            rates[key] = rates.get(key, 0.0) + float(plan.rate_per_s[k])
        total = math.fsum(rates.values())
        routes = tuple(Route(rate, rate / total, stops) for stops, rate in rates.items())
        if routes:
            found.append(JobRoutes(job, routes))
    return tuple(found)


def _notes(of: SteadyQuantities, groups: list[Group]) -> tuple[str, ...]:
    """Units of the plan that serve nothing, and jobs without requests."""
    instance, notes = of.instance, []
    for d, name in enumerate(instance.devices.name.tolist()):
        serving = sum(group.replicas for group in groups if group.device == d)
        idle, off = int(of.units_on[d]) - serving, int(of.plan.units_had[d] - of.units_on[d])
        if idle > 0:
            notes.append(f"{idle} more unit(s) of {name} are on in the plan and serve nothing.")
        if off > 0:
            notes.append(f"{off} unit(s) of {name} are had and off in the plan: no replica.")
    notes += [
        f"Job {instance.jobs.name[j]} has no requests in the plan, and no route."
        for j in np.flatnonzero(of.served_per_s <= 0).tolist()
    ]
    states = of.plan.states
    if states is not None and len(states):
        used = np.unique(of.instance.options.device[states.option])
        names = ", ".join(of.instance.devices.name[used].tolist())
        notes.append(
            f"The plan shares the time of {names} among {len(states)} states, each with what runs "
            "at once and slows the rest; here requests run as they come, and may slow each other "
            "more."
        )
    return tuple(notes)
