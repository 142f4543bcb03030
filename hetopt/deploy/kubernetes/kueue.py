"""Quotas: a Kueue flavour for each device, and a queue whose quotas are the units of the plan.

Kueue takes the first flavour of a queue that has room and knows no cost of a flavour, so that what
a plan's marginal values say becomes their order: those first whose next unit is worth most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hetopt.deploy.kubernetes.labels_and_nodes import Cluster
from hetopt.deploy.names import label

API = "kueue.x-k8s.io/v1beta2"
SI_UNITS = {"power": "W", "cost": "per s", "carbon": "kg/s", "throughput": "/s", "value": "per s"}
"""Units of objectives as marginal values have them."""


def queue_objects(cluster: Cluster, placed: Sequence[int]) -> list[dict[str, Any]]:
    """Return flavours, the cluster's queue and the namespace's.

    Parameters
    ----------
    placed
        The device of each unit that the plan uses.
    """
    units = Counter(placed)
    name = cluster.parameters.value("queue")
    used = [d for d in _by_worth(cluster) if units[d] > 0]
    resources = {d: cluster.resource(d) for d in used}
    covered = ["pods", *dict.fromkeys(r for r, _ in resources.values() if r)]
    flavors, objects = [], []
    for d in used:
        key, value = cluster.node_label(d)
        flavor = label(f"{name}-{cluster.device(d)}")
        objects.append(
            {
                "apiVersion": API,
                "kind": "ResourceFlavor",
                "metadata": _clusterwide(cluster, flavor, _annotation(cluster, d)),
                "spec": {"nodeLabels": {key: value}},
            }
        )
        quotas: list[dict[str, Any]] = [{"name": "pods", "nominalQuota": units[d]}]
        for resource in covered[1:]:
            own = resources[d][1] * units[d] if resources[d][0] == resource else 0
            quotas.append({"name": resource, "nominalQuota": own})
        flavors.append({"name": flavor, "resources": quotas})
    group = {"coveredResources": covered, "flavors": flavors}
    objects.append(
        {
            "apiVersion": API,
            "kind": "ClusterQueue",
            "metadata": _clusterwide(cluster, name),
            "spec": {"namespaceSelector": {}, "resourceGroups": [group]},
        }
    )
    objects.append(
        {
            "apiVersion": API,
            "kind": "LocalQueue",
            "metadata": cluster.metadata(name),
            "spec": {"clusterQueue": name},
        }
    )
    cluster.note(
        "Kueue knows no cost of a flavour: flavours stand in the order of what one more unit of "
        "each is worth by the plan's marginal values (see their annotations), else in that of the "
        "instance."
    )
    return objects


def _by_worth(cluster: Cluster) -> list[int]:
    """Devices by the marginal value of a unit, the highest first; ties in the instance's order."""
    worth = _worth(cluster)
    count = len(cluster.instance.devices)
    return sorted(range(count), key=lambda d: (-abs(worth.get(cluster.device(d), 0.0)), d))


def _worth(cluster: Cluster) -> dict[str, float]:
    """Change of the objective for one more unit of each device, where the plan tells it."""
    marginal = cluster.parameters.result.get("marginal") or {}
    rows = marginal.get("devices", ())
    return {str(row["device"]): row["unit"] for row in rows if row.get("unit") is not None}


def _annotation(cluster: Cluster, device: int) -> dict[str, str]:
    """Say what one more unit is worth, for schedulers and scalers that can use a price."""
    worth = _worth(cluster).get(cluster.device(device))
    if worth is None:
        return {}
    objective = cluster.parameters.result["marginal"]["objective"]
    unit = SI_UNITS.get(objective, "")
    return {"hetopt.dev/one-more-unit": f"{objective} {worth:+.6g} {unit}".rstrip()}


def _clusterwide(
    cluster: Cluster, name: str, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata = cluster.metadata(name)
    metadata.pop("namespace", None)
    metadata["annotations"] = {**metadata["annotations"], **(annotations or {})}
    return metadata
