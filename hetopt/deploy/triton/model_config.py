"""``config.pbtxt`` of a server: batches, instances, and the slots that servers of a unit share."""

from __future__ import annotations

import json

from hetopt.deploy.fleet import Group, Server
from hetopt.deploy.parameters import profile_name
from hetopt.deploy.target import Parameters, Provenance
from hetopt.instance import Instance

KINDS = {"gpu": "KIND_GPU", "cpu": "KIND_CPU"}
"""Kinds of instance that Triton tells apart; of others the backend decides (``KIND_MODEL``)."""

SLOTS = "unit_slots"
"""Name of the rate limiter's resource."""


def model_config(
    instance: Instance,
    parameters: Parameters,
    group: Group,
    server: Server,
    origin: Provenance,
) -> bytes:
    """Return the model configuration in Protobuf's text format.

    A batch of b waits for requests no longer than one execution takes, as the plan's latency counts
    that one batch fills while one runs.
    """
    options = instance.options
    device = str(instance.devices.name[group.device])
    batch = int(options.batch[server.option])
    slots = int(instance.devices.slots[group.device])
    kind = KINDS.get(str(instance.devices.kind[group.device]), "KIND_MODEL")
    lines = [f"name: {_text(server.name)}"]
    backend = parameters.of_device("backend", device, parameters.value("backend"))
    if backend:
        lines.append(f"backend: {_text(backend)}")
    lines.append(f"max_batch_size: {batch if batch > 1 else 0}")
    if batch > 1:
        longest = max(float(instance.tasks.work[t]) for t in server.tasks)
        delay = round(longest * float(options.time_s[server.option]) * 1e6)
        lines += [
            "dynamic_batching {",
            f"  preferred_batch_size: [ {batch} ]",
            f"  max_queue_delay_microseconds: {delay}",
            "}",
        ]
    lines += ["instance_group [", "  {", f"    count: {slots}", f"    kind: {kind}"]
    if len(group.servers) > 1:
        lines += [
            "    rate_limiter {",
            f"      resources [ {{ name: {_text(SLOTS)} count: 1 }} ]",
            "    }",
        ]
    lines += ["  }", "]"]
    told = {
        "hetopt_instance": origin.instance,
        "hetopt_plan": f"sha256:{origin.plan}",
        "hetopt_version": origin.version,
        "hetopt_model": profile_name(instance, server.option),
        "hetopt_option": str(options.label[server.option]),
        "hetopt_tasks": ",".join(str(instance.tasks.name[t]) for t in server.tasks),
        "hetopt_device": device,
    }
    for key, value in told.items():
        lines.append(f"parameters {{ key: {_text(key)} value {{ string_value: {_text(value)} }} }}")
    return (origin.comment() + "\n".join(lines) + "\n").encode()


def _text(value: str) -> str:
    """Return a string as the text format quotes it: as JSON does, with its letters as they are."""
    return json.dumps(value, ensure_ascii=False)
