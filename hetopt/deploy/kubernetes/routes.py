"""Who is sent where: HTTPRoutes of the Gateway API whose weights are the plan's shares.

A job of one task has the path ``/JOB``, a task of a job of several ``/JOB/TASK``; servers see the
path without that prefix. Where a job has several routes over several tasks, its first task draws
the route by the weights and hands its number on in the header ``hetopt-route``; who passes the
header on to the later tasks is sent along the same route, who does not, by each task's own shares.

Limits are those of the Gateway API's v1 schema: 16 rules an HTTPRoute, 16 backends a rule, weights
up to 1,000,000.
"""

from __future__ import annotations

from typing import Any

from hetopt.deploy.fleet import Fleet, JobRoutes, Stop
from hetopt.deploy.kubernetes.labels_and_nodes import Cluster
from hetopt.deploy.kubernetes.pods import first_port
from hetopt.deploy.names import Labels, label, whole_weights
from hetopt.errors import Problem

HEADER = "hetopt-route"
RULES, BACKENDS = 16, 16
SMALLEST = 1e-6
"""Shares below this are too small for a weight."""


def gateway(cluster: Cluster) -> dict[str, Any] | None:
    """Return the Gateway that routes hang on; None where one is there already."""
    kind = cluster.parameters.value("gateway-class")
    if not kind:
        return None
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": cluster.metadata(gateway_name(cluster)),
        "spec": {"gatewayClassName": kind, "listeners": [listener]},
    }


def gateway_name(cluster: Cluster) -> str:
    """Return the name of the Gateway."""
    return cluster.parameters.value("gateway", "hetopt")


def http_routes(cluster: Cluster, fleet: Fleet) -> list[dict[str, Any]]:
    """Return the HTTPRoutes of all jobs."""
    names, found = Labels(), []
    for of in fleet.jobs:
        rules = _rules(cluster, fleet, of)
        name = names.of(str(cluster.instance.jobs.name[of.job]))
        found += [
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": cluster.metadata(name if k == 0 else f"{name}-{k // RULES}"),
                "spec": {
                    "parentRefs": [{"name": gateway_name(cluster)}],
                    "rules": rules[k : k + RULES],
                },
            }
            for k in range(0, len(rules), RULES)
        ]
    return found


def paths(cluster: Cluster, fleet: Fleet) -> dict[str, str]:
    """Return the path of each task that the cluster serves, by its name."""
    found = {}
    for of in fleet.jobs:
        for task in _tasks(cluster, of):
            found[str(cluster.instance.tasks.name[task])] = _path(cluster, of.job, task)
    return found


def _rules(cluster: Cluster, fleet: Fleet, of: JobRoutes) -> list[dict[str, Any]]:
    tasks = _tasks(cluster, of)
    job = str(cluster.instance.jobs.name[of.job])
    routes = [(r.share, {stop.task: stop for stop in r.stops}) for r in of.routes]
    rules = []
    for position, task in enumerate(tasks):
        draws = position == 0 and len(tasks) > 1 and len(routes) > 1
        path = _path(cluster, of.job, task)
        if len(tasks) > 1 and len(routes) > 1 and not draws:
            rules += _by_header(cluster, fleet, routes, task, path)
        backends = _backends(cluster, fleet, routes, task, draws)
        if len(backends) > BACKENDS:
            text = f"At most {BACKENDS} backends in a rule of the Gateway API."
            name = str(cluster.instance.tasks.name[task])
            cluster.refused.append(Problem(f"routes of task {name}", str(len(backends)), text))
        rules.append(_rule({"path": _prefix(path)}, backends))
    if len(tasks) > 1 and len(routes) > 1:
        first = str(cluster.instance.tasks.name[tasks[0]])
        cluster.note(
            f"Job {job} has {len(routes)} routes: {first} draws one and says which in the header "
            f"{HEADER}; servers that pass it on keep the plan's combinations, else each task is "
            "divided by its own shares."
        )
    return rules


def _tasks(cluster: Cluster, of: JobRoutes) -> list[int]:
    """Return the tasks of a job in the cluster, in the order of the graph."""
    order = {t: k for k, t in enumerate(cluster.instance.topological_order.tolist())}
    return sorted({s.task for r in of.routes for s in r.stops}, key=lambda t: order[t])


def _backends(
    cluster: Cluster,
    fleet: Fleet,
    routes: list[tuple[float, dict[int, Stop]]],
    task: int,
    draws: bool,
) -> list[dict[str, Any]]:
    """Return the backends of a task by weight: one for each route if it draws, else for each stop.

    A route without the task there runs it outside of the cluster.
    """
    rows: dict[object, tuple[float, Stop, int]] = {}
    for number, (share, stops) in enumerate(routes):
        stop = stops.get(task)
        if stop is None:
            continue
        key = number if draws else stop
        before = rows[key][0] if key in rows else 0.0
        rows[key] = (before + share, stop, number)
    weights = whole_weights([share for share, _, _ in rows.values()])
    name = str(cluster.instance.tasks.name[task])
    found = []
    for weight, (share, stop, number) in zip(weights, rows.values(), strict=True):
        if share < SMALLEST:
            cluster.note(f"Task {name}: a share of {share:.2g} is too small for a weight.")
        backend = _backend(cluster, fleet, stop) | {"weight": weight}
        if draws:
            modifier = {"set": [{"name": HEADER, "value": str(number)}]}
            backend["filters"] = [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}
            ]
        found.append(backend)
    return found


def _by_header(
    cluster: Cluster,
    fleet: Fleet,
    routes: list[tuple[float, dict[int, Stop]]],
    task: int,
    path: str,
) -> list[dict[str, Any]]:
    """Return the rules that send who names a route along it."""
    found = []
    for number, (_, stops) in enumerate(routes):
        if task in stops:
            header = {"type": "Exact", "name": HEADER, "value": str(number)}
            match = {"path": _prefix(path), "headers": [header]}
            found.append(_rule(match, [_backend(cluster, fleet, stops[task])]))
    return found


def _rule(match: dict[str, Any], backends: list[dict[str, Any]]) -> dict[str, Any]:
    # The schema takes one match where a prefix is replaced.
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "matches": [match],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": backends,
    }


def _backend(cluster: Cluster, fleet: Fleet, stop: Stop) -> dict[str, Any]:
    port = first_port(cluster) + stop.server
    return {"name": fleet.groups[stop.group].name, "port": port}


def _path(cluster: Cluster, job: int, task: int) -> str:
    name = label(str(cluster.instance.jobs.name[job]), 200)
    ptr, _ = cluster.instance.job_tasks
    alone = ptr[job + 1] - ptr[job] == 1
    return f"/{name}" if alone else f"/{name}/{label(str(cluster.instance.tasks.name[task]), 200)}"


def _prefix(path: str) -> dict[str, str]:
    return {"type": "PathPrefix", "value": path}
