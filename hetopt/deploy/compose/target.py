"""The target ``compose``: a ``compose.yaml`` for the containers of one machine.

Streams become a service for each server of each unit, and nginx in front that divides requests. A
schedule becomes a service for each task, which begins once those that it waits for have ended: its
predecessors, and what the plan has before it on its unit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.deploy.compose.router import PORT, draws, nginx_conf
from hetopt.deploy.fleet import Fleet, Group, Server, fleet_of
from hetopt.deploy.names import Labels, label
from hetopt.deploy.parameters import Needs
from hetopt.deploy.streams import contained, per_scenario, unsaid
from hetopt.deploy.target import Artefacts, Files, Parameters, Provenance, Target
from hetopt.deploy.text import readme, yaml_documents
from hetopt.errors import Problem, RefusedError
from hetopt.evaluate.slowing import task_ends
from hetopt.instance import Instance
from hetopt.solution import Plan, SchedulePlan, SteadyPlan

FIRST_PORT = 8000
ROUTER = "nginx:stable"
MOST = 1000
"""Containers that Compose may start and watch."""

PARAMETERS = {
    "driver.DEVICE": "driver that reserves units by number, such as nvidia; none: not reserved",
    "cpus.DEVICE": "processors that a container of the device may take",
    "memory.DEVICE": "memory that a container of the device may take: 16g",
    "router-image": f"image of nginx; default {ROUTER}",
    "port": f"port of this machine that requests come in at; default {PORT}",
}


def write(plan: Plan, instance: Instance, parameters: Parameters) -> Artefacts:
    """Write containers of streams, or of a schedule."""
    if isinstance(plan, SchedulePlan):
        return _schedule(plan, instance, parameters)
    return per_scenario(plan, instance, parameters, _streams)


def _streams(
    plan: SteadyPlan, instance: Instance, parameters: Parameters, origin: Provenance
) -> Artefacts:
    fleet, needs = contained(instance, fleet_of(instance, plan)), Needs(instance, parameters)
    count = sum(group.replicas * len(group.servers) for group in fleet.groups)
    if count > MOST:
        text = f"At most {MOST} containers on one machine; kubernetes takes more."
        raise RefusedError([Problem("--to", f"compose, {count} containers", text)])
    services: dict[str, Any] = {}
    hosts: dict[tuple[int, int], list[str]] = {}
    for g, numbers in enumerate(_numbers(fleet, instance)):
        group = fleet.groups[g]
        for number in numbers:
            for s, server in enumerate(group.servers):
                port = FIRST_PORT + s
                unit = label(f"{instance.devices.name[group.device]}-{number}")
                name = f"{unit}-{server.name}"
                services[name] = _service(needs, group, server, number, port)
                hosts.setdefault((g, s), []).append(f"{name}:{port}")
    services["router"] = {
        "image": parameters.value("router-image", ROUTER),
        "ports": [f"{parameters.value('port', str(PORT))}:{PORT}"],
        "configs": [{"source": "router", "target": "/etc/nginx/nginx.conf"}],
        "depends_on": sorted(services),
    }
    document = _document(instance, origin, services)
    document["configs"] = {"router": {"file": "./nginx.conf"}}
    notes = [*fleet.notes, *unsaid(instance, fleet), *_unreserved(instance, parameters, fleet)]
    notes.append("Compose is for one machine: all units of the plan are taken for its own.")
    if any(draws(of) for of in fleet.jobs):
        notes.append(
            "The first task of a job with several routes draws one, to a ten-thousandth, and says "
            "which in the header hetopt-route; servers that pass it on keep the combinations."
        )
    refused = tuple(needs.refused.values())
    steps = ["`docker compose up` in this folder."]
    files: Files = {
        "README.md": readme("A fleet in containers", origin, steps, notes, refused),
        "compose.yaml": yaml_documents([document], origin),
        "nginx.conf": nginx_conf(instance, fleet, hosts, origin),
    }
    return Artefacts(files, tuple(notes), refused)


def _schedule(plan: SchedulePlan, instance: Instance, parameters: Parameters) -> Artefacts:
    count = len(instance.tasks)
    if count > MOST:
        text = f"A schedule of at most {MOST} tasks: each is a container."
        raise RefusedError([Problem("--to", f"compose, {count} tasks", text)])
    origin, needs = Provenance.of(instance, plan), Needs(instance, parameters)
    names, servers = Labels(), Labels()
    before = _before(plan, instance)
    services: dict[str, Any] = {}
    tasks = instance.tasks.name.tolist()
    for t in np.argsort(plan.start_s, kind="stable").tolist():
        option, unit = int(plan.option[t]), int(plan.unit[t])
        device = int(instance.options.device[option])
        server = Server(servers.of(f"{tasks[t]}"), option, (t,), 0.0)
        group = Group("", device, (unit,), 1, (server,), 0.0, _memory(instance, option))
        service = _service(needs, group, server, unit, 0)
        if before[t]:
            waits = {names.of(tasks[b]): {"condition": _ENDED} for b in before[t]}
            service["depends_on"] = waits
        services[names.of(tasks[t])] = service
    notes = [
        "Order is kept, on each unit and of the graph; start times are not: a task begins at once.",
        "What tasks hand on to each other is theirs to read and write: no volume is made.",
    ]
    refused = tuple(needs.refused.values())
    steps = ["`docker compose up` in this folder."]
    files: Files = {
        "README.md": readme("A schedule in containers", origin, steps, notes, refused),
        "compose.yaml": yaml_documents([_document(instance, origin, services)], origin),
    }
    return Artefacts(files, tuple(notes), refused)


_ENDED = "service_completed_successfully"


def _before(plan: SchedulePlan, instance: Instance) -> list[list[int]]:
    """Tasks that each waits for: predecessors, and those that end on its unit before it begins.

    Of those on its unit, the ones that nothing in between waits for already.
    """
    edges = instance.edges
    found: list[set[int]] = [set() for _ in range(len(instance.tasks))]
    for src, dst in zip(edges.src.tolist(), edges.dst.tolist(), strict=True):
        found[dst].add(src)
    device = instance.options.device[plan.option]
    # Tasks without time may begin at once; those of the graph's order come first.
    rank = np.argsort(instance.topological_order)
    end = task_ends(instance, plan.option, plan.unit, plan.start_s)
    for d, u in sorted(set(zip(device.tolist(), plan.unit.tolist(), strict=True))):
        own = np.flatnonzero((device == d) & (plan.unit == u))
        own = own[np.lexsort((rank[own], plan.start_s[own]))]
        for k, t in enumerate(own.tolist()):
            ended = own[:k][end[own[:k]] <= plan.start_s[t] * (1 + 1e-9)]
            # Whoever ended before the latest of these began is waited for by that one.
            if len(ended):
                latest = plan.start_s[ended].max()
                found[t] |= set(ended[end[ended] >= latest * (1 - 1e-9)].tolist())
    return [sorted(tasks) for tasks in found]


def _service(needs: Needs, group: Group, server: Server, unit: int, port: int) -> dict[str, Any]:
    instance, parameters = needs.instance, needs.parameters
    device = str(instance.devices.name[group.device])
    found: dict[str, Any] = {"image": needs.image(group, server, port)}
    command = needs.command(group, server, port)
    if command is not None:
        # A dollar sign is Compose's own mark of a variable.
        found["command"] = [word.replace("$", "$$") for word in command]
    fields = needs.fields(group, server, port) | {"unit": str(unit)}
    found["environment"] = {f"HETOPT_{name.upper()}": text for name, text in fields.items()}
    limits = {
        name: value for name in ("cpus", "memory") if (value := parameters.of_device(name, device))
    }
    resources: dict[str, Any] = {}
    if limits:
        resources["limits"] = limits
    elif group.memory_b and instance.devices.kind[group.device] == "cpu":
        resources["reservations"] = {"memory": str(round(group.memory_b))}
    driver = parameters.of_device("driver", device)
    if driver:
        kind = str(instance.devices.kind[group.device])
        reserved = {"driver": driver, "device_ids": [str(unit)], "capabilities": [kind]}
        resources.setdefault("reservations", {})["devices"] = [reserved]
    if resources:
        found["deploy"] = {"resources": resources}
    return found


def _numbers(fleet: Fleet, instance: Instance) -> list[list[int]]:
    """Numbers of the units of each group: the plan's, else the next free ones of the device."""
    taken: dict[int, set[int]] = {d: set() for d in range(len(instance.devices))}
    for group in fleet.groups:
        taken[group.device] |= set(group.units)
    found = []
    for group in fleet.groups:
        numbers = list(group.units)
        free = (n for n in range(10**9) if n not in taken[group.device])
        while len(numbers) < group.replicas:
            numbers.append(next(free))
        taken[group.device] |= set(numbers)
        found.append(numbers)
    return found


def _unreserved(instance: Instance, parameters: Parameters, fleet: Fleet) -> list[str]:
    notes = []
    for d in sorted({group.device for group in fleet.groups}):
        device = str(instance.devices.name[d])
        if instance.devices.kind[d] != "cpu" and not parameters.of_device("driver", device):
            notes.append(
                f"Units of {device} are not reserved; HETOPT_UNIT says which one is meant "
                f"(--parameter driver.{device}=DRIVER reserves them)."
            )
    return notes


def _memory(instance: Instance, option: int) -> float:
    weights = instance.options.weights_b[option] if instance.options.weights_key[option] >= 0 else 0
    return float(instance.options.memory_b[option] + weights)


def _document(instance: Instance, origin: Provenance, services: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": label(instance.name or "hetopt"),
        "x-hetopt": {
            "instance": origin.instance,
            "plan": f"sha256:{origin.plan}",
            "version": origin.version,
        },
        "services": services,
    }


TARGET = Target(
    "compose",
    "Containers of one machine with nginx in front; of a schedule, one after another.",
    write,
    PARAMETERS,
)
