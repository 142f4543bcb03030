"""The target ``triton``: a model repository for each group of units, and what starts one.

The units of a group run one Triton each, with the same repository. Where several models share the
slots of a unit, Triton's rate limiter gives each execution one.
"""

from __future__ import annotations

import json
import shlex

from hetopt.deploy.fleet import Fleet, Group, fleet_of
from hetopt.deploy.parameters import Needs
from hetopt.deploy.streams import contained, per_scenario, unsaid
from hetopt.deploy.target import Artefacts, Files, Parameters, Provenance, Target
from hetopt.deploy.text import readme
from hetopt.deploy.triton.model_config import SLOTS, model_config
from hetopt.errors import Problem, RefusedError
from hetopt.instance import Instance
from hetopt.solution import Plan, SchedulePlan, SteadyPlan

COMMAND = "tritonserver"

PARAMETERS = {
    "backend": "backend of all models, such as onnxruntime; none: told by the model's file",
    "backend.DEVICE": "backend of the models of one device",
}


def write(plan: Plan, instance: Instance, parameters: Parameters) -> Artefacts:
    """Write model repositories of a steady plan."""
    if isinstance(plan, SchedulePlan):
        text = "A plan of streams: Triton runs requests as they come, not at start times."
        raise RefusedError([Problem("--to", "triton", text)])
    return per_scenario(plan, instance, parameters, _write)


def _write(
    plan: SteadyPlan, instance: Instance, parameters: Parameters, origin: Provenance
) -> Artefacts:
    fleet, needs = contained(instance, fleet_of(instance, plan)), Needs(instance, parameters)
    files: Files = {}
    for group in fleet.groups:
        for server in group.servers:
            folder = f"{group.name}/models/{server.name}"
            config = model_config(instance, parameters, group, server, origin)
            files[f"{folder}/config.pbtxt"] = config
            place = (
                f"The model's file goes here: {folder}/1/model.onnx, model.plan, model.pt, ...\n"
            )
            files[f"{folder}/1/README"] = (origin.comment() + place).encode()
        files[f"{group.name}/start.sh"] = _start(instance, needs, group, origin)
    files["routing.json"] = _routing(instance, fleet, origin)
    notes = [*fleet.notes, *unsaid(instance, fleet)]
    notes.append(
        "Triton divides no requests among servers: routing.json says the shares of routes, for "
        "what stands in front of it."
    )
    notes.append("Triton forms batches of at most the plan's size; it does not wait for full ones.")
    steps = [f"`{g.name}/start.sh UNIT` on each of its {g.replicas} unit(s)." for g in fleet.groups]
    steps.insert(0, "Lay each model's file into the folder `1` beside its `config.pbtxt`.")
    refused = tuple(needs.refused.values())
    files["README.md"] = readme("Model repositories for Triton", origin, steps, notes, refused)
    return Artefacts(dict(sorted(files.items())), tuple(notes), refused)


def _start(instance: Instance, needs: Needs, group: Group, origin: Provenance) -> bytes:
    """Return the script that starts Triton on one unit."""
    image = needs.image(group, group.servers[0])
    given = needs.parameters.commands
    command = needs.command(group, group.servers[0]) if given else None
    words = ["--model-repository=/models"]
    if len(group.servers) > 1:
        slots = int(instance.devices.slots[group.device])
        words += ["--rate-limit=execution_count", f"--rate-limit-resource={SLOTS}:{slots}"]
    unit = ' --gpus "device=${1:-0}"' if instance.devices.kind[group.device] == "gpu" else ""
    device = instance.devices.name[group.device]
    lines = [
        "#!/bin/sh",
        origin.comment().rstrip("\n"),
        f"# Starts Triton on one unit of {device}; the plan has {group.replicas} of this group.",
        'here=$(cd "$(dirname "$0")" && pwd)',
        f'exec docker run --rm --network host{unit} -v "$here/models:/models:ro" \\',
        f"  {shlex.join([image, *(command or [COMMAND]), *words])}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _routing(instance: Instance, fleet: Fleet, origin: Provenance) -> bytes:
    """Return the shares of routes, and where each task of them runs."""
    jobs = [
        {
            "job": str(instance.jobs.name[of.job]),
            "routes": [
                {
                    "share": route.share,
                    "rate_per_s": route.rate_per_s,
                    "stops": [
                        {
                            "task": str(instance.tasks.name[stop.task]),
                            "group": fleet.groups[stop.group].name,
                            "model": fleet.groups[stop.group].servers[stop.server].name,
                        }
                        for stop in route.stops
                    ],
                }
                for route in of.routes
            ],
        }
        for of in fleet.jobs
    ]
    groups = [{"group": group.name, "units": group.replicas} for group in fleet.groups]
    told = {"instance": origin.instance, "plan": f"sha256:{origin.plan}", "version": origin.version}
    return (json.dumps({"hetopt": told, "groups": groups, "jobs": jobs}, indent=1) + "\n").encode()


TARGET = Target(
    "triton",
    "A model repository for each group of units: config.pbtxt with instances and batches.",
    write,
    PARAMETERS,
)
