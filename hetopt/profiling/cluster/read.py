"""Devices of an instance from what a cluster prints of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.cluster.device import Cluster
from hetopt.profiling.cluster.kubernetes import kubernetes_cluster
from hetopt.profiling.cluster.ray import is_ray, ray_cluster


def read_cluster(text: str, place: str) -> Cluster:
    """Read ``kubectl get nodes,deviceclasses,resourceslices -o json``, or a list of Ray's nodes.

    Parameters
    ----------
    text
        The JSON text.
    place
        What problems call it.

    Raises
    ------
    InputError
        If it is neither, or has no node.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError([Problem(place, "", f"JSON ({error}).")]) from None
    if is_ray(found):
        return ray_cluster(found, place)
    if isinstance(found, Mapping) and isinstance(found.get("items"), list):
        return kubernetes_cluster([i for i in found["items"] if isinstance(i, Mapping)], place)
    if isinstance(found, Mapping) and "kind" in found:
        return kubernetes_cluster([found], place)
    text = "What kubectl get nodes -o json prints, or ray list nodes --format json."
    raise InputError([Problem(place, type(found).__name__, text)])


def device_rows(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the devices as rows of an instance document; what is not known is not there.

    Clusters know no idle power: ``idle_known`` is false.
    """
    rows = []
    for device in cluster.devices:
        row: dict[str, Any] = {"name": device.name, "kind": device.kind, "count": device.count}
        if device.memory_b:
            row["memory_b"] = device.memory_b
        if device.price:
            row["price"] = device.price
        row |= {"idle_known": False, "source": device.source}
        rows.append(row)
    return rows


def deploy_parameters(cluster: Cluster) -> list[str]:
    """Return the parameters by which ``hetopt deploy`` places units of these devices."""
    return [
        f"{name}.{device.name}={value}"
        for device in cluster.devices
        for name, value in device.parameters.items()
    ]
