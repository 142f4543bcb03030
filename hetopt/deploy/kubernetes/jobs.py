"""A schedule whose units do not wait for each other: a Job for each unit, its tasks in order.

Init containers of a pod run one after another, so that tasks of a unit stand in the plan's order:
all but the last are init containers. Nothing in Kubernetes lets one Job wait for another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.deploy.fleet import Group, Server
from hetopt.deploy.kubernetes.labels_and_nodes import Cluster
from hetopt.deploy.kubernetes.pods import claim_template, container, pod, queue_label
from hetopt.deploy.names import Labels
from hetopt.errors import Problem, RefusedError
from hetopt.evaluate.slowing import task_ends
from hetopt.solution import SchedulePlan


def unit_jobs(cluster: Cluster, plan: SchedulePlan) -> list[dict[str, Any]]:
    """Return the Jobs of a schedule, with the templates of their claims.

    Raises
    ------
    RefusedError
        If a task waits for one on another unit, or a unit runs several at once.
    """
    instance = cluster.instance
    device = instance.options.device[plan.option]
    _check_edges(cluster, plan)
    rank = np.argsort(instance.topological_order)
    names, servers = Labels(), Labels()
    tasks = instance.tasks.name.tolist()
    found: list[dict[str, Any]] = []
    for d, u in sorted(set(zip(device.tolist(), plan.unit.tolist(), strict=True))):
        own = np.flatnonzero((device == d) & (plan.unit == u))
        own = own[np.lexsort((rank[own], plan.start_s[own]))]
        _check_order(cluster, plan, own, f"{instance.devices.name[d]}#{u}")
        made = tuple(
            Server(servers.of(tasks[t]), int(plan.option[t]), (t,), 0.0) for t in own.tolist()
        )
        name = names.of(f"{instance.devices.name[d]}-{u}")
        group = Group(name, d, (u,), 1, made, 0.0, 0.0)
        if cluster.device_class(d):
            found.append(claim_template(cluster, group))
        found.append(_job(cluster, group))
    return found


def _job(cluster: Cluster, group: Group) -> dict[str, Any]:
    steps = [container(cluster, group, server, 0) for server in group.servers]
    resource, count = cluster.resource(group.device)
    spec = pod(cluster, group, steps[-1:])
    for step in steps[:-1]:
        # One after another: each has the unit for itself.
        if cluster.device_class(group.device):
            step.setdefault("resources", {})["claims"] = steps[-1]["resources"]["claims"]
        elif resource:
            step.setdefault("resources", {})["limits"] = {resource: count}
    if steps[:-1]:
        spec["initContainers"] = steps[:-1]
    spec["restartPolicy"] = "Never"
    labels = {"app.kubernetes.io/name": group.name, **cluster.unit_label(group.device)}
    metadata = cluster.metadata(group.name, **labels, **queue_label(cluster))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": dict(metadata["labels"])},
                "spec": spec,
            },
        },
    }


def _check_edges(cluster: Cluster, plan: SchedulePlan) -> None:
    """Refuse tasks that wait for others elsewhere."""
    instance = cluster.instance
    src, dst = instance.edges.src, instance.edges.dst
    device = instance.options.device[plan.option]
    across = (device[src] != device[dst]) | (plan.unit[src] != plan.unit[dst])
    if across.any():
        e = int(np.flatnonzero(across)[0])
        names = instance.tasks.name
        text = "Tasks that wait only for others on their unit: Jobs do not wait for each other."
        place = f"{names[dst[e]]} after {names[src[e]]}"
        raise RefusedError([Problem("--to", f"kubernetes, {place}", text)])


def _check_order(cluster: Cluster, plan: SchedulePlan, own: Any, unit: str) -> None:
    """Refuse units that run several tasks at once."""
    instance = cluster.instance
    end = task_ends(instance, plan.option, plan.unit, plan.start_s)
    late = np.maximum.accumulate(end[own])[:-1] > plan.start_s[own][1:] * (1 + 1e-9)
    if late.any():
        text = "Units that run one task at a time: containers of a Job run one after another."
        raise RefusedError([Problem("--to", f"kubernetes, {unit}", text)])
