"""Deployments of a fleet: a pod for each unit, a container for each server on it."""

from __future__ import annotations

from typing import Any

from hetopt.deploy.fleet import Group, Server
from hetopt.deploy.kubernetes.labels_and_nodes import Cluster, claim_name
from hetopt.errors import InputError, Problem

DEFAULT_PORT = 8000
CLAIM = "unit"


def first_port(cluster: Cluster) -> int:
    """Return the port of a pod's first server; the others take those after it.

    Raises
    ------
    InputError
        If the parameter is no port.
    """
    given = cluster.parameters.value("port", str(DEFAULT_PORT))
    if not given.isdecimal() or not 0 < int(given) < 65_000:
        raise InputError([Problem("--parameter port", given, "A port from 1 to 64999.")])
    return int(given)


def deployment(cluster: Cluster, group: Group) -> dict[str, Any]:
    """Return the Deployment of a group.

    Units are counted, so that a new version takes a unit only after the old one left it.
    """
    labels = {"app.kubernetes.io/name": group.name, **cluster.unit_label(group.device)}
    metadata = cluster.metadata(group.name, **labels, **queue_label(cluster))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": group.replicas,
            "selector": {"matchLabels": {"app.kubernetes.io/name": group.name}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "template": {
                "metadata": {
                    "labels": {**metadata["labels"]},
                    "annotations": {**metadata["annotations"]},
                },
                "spec": pod(cluster, group, containers(cluster, group)),
            },
        },
    }


def pod(cluster: Cluster, group: Group, made: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a pod's specification: where it stands, and what of the device it has."""
    key, value = cluster.node_label(group.device)
    spec: dict[str, Any] = {"nodeSelector": {key: value}, "containers": made}
    resource, count = cluster.resource(group.device)
    if cluster.device_class(group.device):
        spec["resourceClaims"] = [
            {"name": CLAIM, "resourceClaimTemplateName": claim_name(group)},
        ]
        for container in made:
            container.setdefault("resources", {})["claims"] = [{"name": CLAIM}]
    elif resource:
        if len(made) > 1:
            device = cluster.device(group.device)
            names = ", ".join(container["name"] for container in made)
            text = (
                "One container a unit, as containers cannot share an extended resource; "
                f"with --parameter device-class.{device}=CLASS they share a claim, and in a plan "
                "made with `exclusive: true` for the device a unit serves one job alone."
            )
            cluster.refused.append(Problem(f"resource.{device}", names, text))
        made[0].setdefault("resources", {})["limits"] = {resource: count}
    else:
        spec["affinity"] = {"podAntiAffinity": _one_a_node(cluster.unit_label(group.device))}
    requests = cluster.host_requests(group.device)
    if requests:
        spec["resources"] = {"requests": requests}
    return spec


def containers(cluster: Cluster, group: Group) -> list[dict[str, Any]]:
    """Return the containers of a unit, one for each server."""
    port = first_port(cluster)
    return [container(cluster, group, server, port + k) for k, server in enumerate(group.servers)]


def container(cluster: Cluster, group: Group, server: Server, port: int) -> dict[str, Any]:
    """Return the container of a server: image, command, port, and the plan's figures for it."""
    needs, options = cluster.needs, cluster.instance.options
    found: dict[str, Any] = {
        "name": server.name,
        "image": needs.image(group, server, port),
    }
    command = needs.command(group, server, port)
    if command is not None:
        found["command"] = command
    if port:
        found["ports"] = [{"containerPort": port, "name": _port_name(group, server)}]
    fields = needs.fields(group, server, port)
    found["env"] = [
        {"name": f"HETOPT_{name.upper()}", "value": value} for name, value in fields.items()
    ]
    needed = float(options.memory_b[server.option]) + (
        float(options.weights_b[server.option]) if options.weights_key[server.option] >= 0 else 0.0
    )
    own = cluster.host_requests(group.device)
    if needed and cluster.instance.devices.kind[group.device] == "cpu" and "memory" not in own:
        # On a processor of the host, the device's memory is the pod's.
        found["resources"] = {"requests": {"memory": str(round(needed))}}
    return found


def service(cluster: Cluster, group: Group) -> dict[str, Any]:
    """Return the Service of a group: its units share the requests of each port evenly."""
    port = first_port(cluster)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": cluster.metadata(group.name),
        "spec": {
            "selector": {"app.kubernetes.io/name": group.name},
            "ports": [
                {
                    "name": _port_name(group, server),
                    "port": port + k,
                    "targetPort": port + k,
                }
                for k, server in enumerate(group.servers)
            ],
        },
    }


def claim_template(cluster: Cluster, group: Group) -> dict[str, Any]:
    """Return the template of the claim that each unit's pod has of one device."""
    device = cluster.device(group.device)
    exactly: dict[str, Any] = {
        "deviceClassName": cluster.device_class(group.device),
        "allocationMode": "ExactCount",
        "count": 1,
    }
    selector = cluster.parameters.of_device("selector", device)
    if selector:
        exactly["selectors"] = [{"cel": {"expression": selector}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": cluster.metadata(claim_name(group)),
        "spec": {"spec": {"devices": {"requests": [{"name": CLAIM, "exactly": exactly}]}}},
    }


def _port_name(group: Group, server: Server) -> str:
    # Names of ports have at most 15 characters.
    return f"server-{group.servers.index(server)}"


def queue_label(cluster: Cluster) -> dict[str, str]:
    """Return the label by which Kueue takes an object; none where no queue is named."""
    queue = cluster.parameters.value("queue")
    return {"kueue.x-k8s.io/queue-name": queue} if queue else {}


def _one_a_node(unit: dict[str, str]) -> dict[str, Any]:
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {
                "labelSelector": {"matchLabels": unit},
                "topologyKey": "kubernetes.io/hostname",
            }
        ]
    }
