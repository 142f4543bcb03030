"""The target ``ray-serve``: ``serve.yaml`` and the application that it starts.

Ray Serve has no weights of routes: the application's own door draws them. A unit is a replica that
takes one of a custom resource named after its device (``hetopt-a100``), which nodes declare.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

from hetopt.deploy.fleet import Fleet, Group, JobRoutes, Server, fleet_of
from hetopt.deploy.names import Labels, label
from hetopt.deploy.parameters import Needs
from hetopt.deploy.streams import contained, per_scenario, unsaid
from hetopt.deploy.target import PLACEHOLDER, Artefacts, Files, Parameters, Provenance, Target
from hetopt.deploy.text import readme, yaml_documents
from hetopt.errors import InputError, Problem, RefusedError
from hetopt.instance import Instance
from hetopt.solution import Plan, SchedulePlan, SteadyPlan

MODULE = "hetopt_serve"
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)

PARAMETERS = {
    "resource.DEVICE": "resource that one unit takes, NAME or NAME:AMOUNT; default hetopt-DEVICE",
    "num-cpus.DEVICE": "processors that a unit's replica takes; default 0",
    "num-gpus.DEVICE": "GPUs that a unit's replica takes; default 0",
    "label.DEVICE": "KEY=VALUE of the nodes with the device (label_selector)",
    "fallback.DEVICE": "KEY=VALUE of nodes that do where those are full (fallback_strategy)",
    "seed": "seed of the door's draws; default: none",
    "port": "port that requests come in at; default 8000",
}


def write(plan: Plan, instance: Instance, parameters: Parameters) -> Artefacts:
    """Write a Serve application of a steady plan."""
    if isinstance(plan, SchedulePlan):
        text = "A plan of streams: Ray Serve answers requests, it runs no schedule."
        raise RefusedError([Problem("--to", "ray-serve", text)])
    return per_scenario(plan, instance, parameters, _write)


def _write(
    plan: SteadyPlan, instance: Instance, parameters: Parameters, origin: Provenance
) -> Artefacts:
    fleet, needs = contained(instance, fleet_of(instance, plan)), Needs(instance, parameters)
    arguments: dict[str, Any] = {
        "groups": [_group(needs, group) for group in fleet.groups],
        "jobs": _jobs(instance, fleet),
    }
    if parameters.value("seed"):
        arguments["seed"] = _number("seed", parameters.value("seed"))
    application = {
        "name": label(instance.name or "hetopt"),
        "route_prefix": "/",
        "import_path": f"{MODULE}:build",
        "args": arguments,
        "deployments": [
            *(_deployment(instance, parameters, needs, group) for group in fleet.groups),
            {"name": "door", "num_replicas": 1},
        ],
    }
    port = int(_number("port", parameters.value("port", "8000")))
    document = {
        "http_options": {"host": "127.0.0.1", "port": port},
        "applications": [application],
    }
    devices = sorted({group.device for group in fleet.groups})
    notes = [*fleet.notes, *unsaid(instance, fleet)]
    notes.append("Replicas of a group share its requests as Ray Serve balances them.")
    notes.append("Units take memory as the plan says; Ray is not told of a device's own memory.")
    steps = [_declare(instance, parameters, fleet, devices)]
    steps.append("Have the functions of your models importable on every node.")
    steps.append("In this folder: `PYTHONPATH=. serve run serve.yaml`, or `serve deploy` with its")
    steps[-1] += " `working_dir` in the application's `runtime_env`."
    steps.append("Ask: `POST /JOB` with a JSON payload.")
    refused = tuple(needs.refused.values())
    files: Files = {
        "README.md": readme("A fleet on Ray Serve", origin, steps, notes, refused),
        f"{MODULE}.py": _code(origin),
        "serve.yaml": yaml_documents([document], origin),
    }
    return Artefacts(files, tuple(notes), refused)


def _group(needs: Needs, group: Group) -> dict[str, Any]:
    instance = needs.instance
    slots = int(instance.devices.slots[group.device])
    return {
        "name": group.name,
        "device": str(instance.devices.name[group.device]),
        "slots": slots,
        "servers": [_server(needs, group, server, slots) for server in group.servers],
    }


def _server(needs: Needs, group: Group, server: Server, slots: int) -> dict[str, Any]:
    instance = needs.instance
    words = needs.command(group, server, spelled=_identifier)
    given = " ".join(words or [])
    if not given.startswith(PLACEHOLDER) and not FUNCTION.fullmatch(given):
        text = "A function for Ray Serve, MODULE:FUNCTION, such as models:{model}."
        raise InputError([Problem("--command", given, text)])
    fields = needs.fields(group, server)
    time_s = float(instance.options.time_s[server.option])
    work = max(float(instance.tasks.work[t]) for t in server.tasks)
    return {
        "function": given,
        "model": fields["model"],
        "option": fields["option"],
        "device": fields["device"],
        "batch": int(fields["batch"]),
        # One batch fills while one runs.
        "batch_wait_s": time_s * work,
        "slots": slots,
    }


def _identifier(name: str) -> str:
    """Write a name as one of Python's: ``llama-8b`` as ``llama_8b``."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{plain}" if plain[:1].isdigit() else plain


def _jobs(instance: Instance, fleet: Fleet) -> dict[str, Any]:
    names = Labels(200)
    return {
        names.of(str(instance.jobs.name[of.job])): {
            "tasks": _tasks(instance, of),
            "routes": [
                {
                    "share": route.share,
                    "stops": {
                        str(instance.tasks.name[stop.task]): {
                            "group": fleet.groups[stop.group].name,
                            "server": stop.server,
                        }
                        for stop in route.stops
                    },
                }
                for route in of.routes
            ],
        }
        for of in fleet.jobs
    }


def _tasks(instance: Instance, of: JobRoutes) -> list[dict[str, Any]]:
    """Tasks of a job in the order of the graph, with those that each comes after."""
    edges, names = instance.edges, instance.tasks.name.tolist()
    order = [t for t in instance.topological_order.tolist() if instance.tasks.job[t] == of.job]
    before: dict[int, list[int]] = {t: [] for t in order}
    for src, dst in zip(edges.src.tolist(), edges.dst.tolist(), strict=True):
        if dst in before and src not in before[dst]:
            before[dst].append(src)
    return [{"name": names[t], "after": [names[b] for b in before[t]]} for t in order]


def _deployment(
    instance: Instance, parameters: Parameters, needs: Needs, group: Group
) -> dict[str, Any]:
    device = str(instance.devices.name[group.device])
    slots = int(instance.devices.slots[group.device])
    largest = max(int(instance.options.batch[server.option]) for server in group.servers)
    name, amount = _resource(parameters, device)
    actor: dict[str, Any] = {
        "num_cpus": _number(f"num-cpus.{device}", parameters.of_device("num-cpus", device, "0")),
        "num_gpus": _number(f"num-gpus.{device}", parameters.of_device("num-gpus", device, "0")),
        "resources": {name: amount},
    }
    if group.memory_b and instance.devices.kind[group.device] == "cpu":
        actor["memory"] = round(group.memory_b)
    wanted = parameters.of_device("label", device)
    if wanted:
        actor["label_selector"] = _label("label", device, wanted)
    fallback = parameters.of_device("fallback", device)
    if fallback:
        selector = _label("fallback", device, fallback)
        actor["fallback_strategy"] = [{"label_selector": selector}]
    if needs.parameters.images:
        # Only where images are given: Ray starts a replica in one by Podman.
        image = needs.image(group, group.servers[0])
        if not image.startswith(PLACEHOLDER):
            actor["runtime_env"] = {"image_uri": image}
    return {
        "name": group.name,
        "num_replicas": group.replicas,
        # Two batches a slot: one fills while one runs.
        "max_ongoing_requests": 2 * slots * largest,
        "ray_actor_options": actor,
    }


def _resource(parameters: Parameters, device: str) -> tuple[str, float]:
    given = parameters.of_device("resource", device) or f"hetopt-{label(device)}"
    name, mark, amount = given.partition(":")
    return name, _number(f"resource.{device}", amount) if mark else 1.0


def _label(what: str, device: str, given: str) -> dict[str, str]:
    key, mark, value = given.partition("=")
    if not mark or not key:
        raise InputError([Problem(f"--parameter {what}.{device}", given, "KEY=VALUE of nodes.")])
    return {key: value}


def _number(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise InputError([Problem(f"--parameter {name}", text, "A number of at least 0.")])
    return int(found) if found.is_integer() else found


def _declare(instance: Instance, parameters: Parameters, fleet: Fleet, devices: list[int]) -> str:
    """Return the step that makes nodes declare their units."""
    parts = []
    for d in devices:
        name, amount = _resource(parameters, str(instance.devices.name[d]))
        units = sum(group.replicas for group in fleet.groups if group.device == d)
        parts.append(
            f"{units * amount:g} of `{name}` for {units} unit(s) of {instance.devices.name[d]}"
        )
    return f"Start nodes with `ray start --resources`, in all {', '.join(parts)}."


def _code(origin: Provenance) -> bytes:
    package = resources.files("hetopt.deploy.ray_serve")
    return origin.comment().encode() + package.joinpath("application.py").read_bytes()


TARGET = Target(
    "ray-serve",
    "A Serve configuration with a replica for each unit, and a door that draws routes.",
    write,
    PARAMETERS,
)
