"""What all Kubernetes objects of a plan share: metadata, labels, and where a unit's pod may stand.

Without parameters a unit is a node that the user labels ``hetopt.dev/device: NAME``, and two pods
of a device never share one. ``resource.DEVICE`` makes it an extended resource of a device plugin
(``nvidia.com/gpu``), ``device-class.DEVICE`` a device of Dynamic Resource Allocation
(``resource.k8s.io/v1``), whose claim the containers of a pod share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hetopt.deploy.fleet import Group
from hetopt.deploy.names import label
from hetopt.deploy.parameters import Needs
from hetopt.deploy.target import Parameters, Provenance
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance

DOMAIN = "hetopt.dev"
QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
LABEL = re.compile(r"([A-Za-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass
class Cluster:
    """One folder in the making: the instance, the parameters, and what came up on the way."""

    instance: Instance
    parameters: Parameters
    origin: Provenance
    needs: Needs
    notes: list[str] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def metadata(self, name: str, **labels: str) -> dict[str, Any]:
        """Return the metadata of an object: name, namespace, labels, where it comes from."""
        found: dict[str, Any] = {"name": name}
        namespace = self.parameters.value("namespace")
        if namespace:
            found["namespace"] = namespace
        found["labels"] = {
            "app.kubernetes.io/part-of": label(self.instance.name or "hetopt"),
            "app.kubernetes.io/managed-by": "hetopt",
            **labels,
        }
        found["annotations"] = {
            f"{DOMAIN}/instance": self.origin.instance,
            f"{DOMAIN}/plan": f"sha256:{self.origin.plan}",
            f"{DOMAIN}/version": self.origin.version,
        }
        return found

    def device(self, d: int) -> str:
        """Return a device's name."""
        return str(self.instance.devices.name[d])

    def unit_label(self, d: int) -> dict[str, str]:
        """Return the label of pods that are units of a device."""
        return {f"{DOMAIN}/unit-of": self.node_label(d)[1]}

    def node_label(self, d: int) -> tuple[str, str]:
        """Return the label of the nodes that have the device's units.

        Raises
        ------
        InputError
            If the parameter is no label.
        """
        device = self.device(d)
        given = self.parameters.of_device("node-label", device)
        if not given:
            return f"{DOMAIN}/device", label(device)
        key, mark, value = given.partition("=")
        if not mark or not LABEL.fullmatch(key) or not LABEL.fullmatch(value):
            text = "KEY=VALUE of a node's label, such as nvidia.com/gpu.product=NVIDIA-L4."
            raise InputError([Problem(f"--parameter node-label.{device}", given, text)])
        return key, value

    def resource(self, d: int) -> tuple[str, int]:
        """Return the extended resource that one unit is, and how many of it; none: ("", 0).

        Raises
        ------
        InputError
            If the parameter is no resource.
        """
        device = self.device(d)
        given = self.parameters.of_device("resource", device)
        if not given:
            return "", 0
        name, mark, count = given.partition(":")
        whole = count.isdecimal() and int(count) > 0
        if (mark and not whole) or "/" not in name or not LABEL.fullmatch(name):
            text = "DOMAIN/NAME, or DOMAIN/NAME:COUNT of a unit, such as nvidia.com/gpu:8."
            raise InputError([Problem(f"--parameter resource.{device}", given, text)])
        return name, int(count) if mark else 1

    def device_class(self, d: int) -> str:
        """Return the DRA device class of which a unit is one device; empty: none."""
        return self.parameters.of_device("device-class", self.device(d))

    def host_requests(self, d: int) -> dict[str, str]:
        """Return what a unit's pod asks of the node beside the device: cpu and memory.

        Raises
        ------
        InputError
            If a parameter is no quantity.
        """
        device, found = self.device(d), {}
        for name in ("cpu", "memory"):
            given = self.parameters.of_device(name, device)
            if given and not QUANTITY.fullmatch(given):
                text = "A quantity as Kubernetes writes it, such as 4, 500m or 16Gi."
                raise InputError([Problem(f"--parameter {name}.{device}", given, text)])
            if given:
                found[name] = given
        return found


def claim_name(group: Group) -> str:
    """Return the name of the claim template of a group."""
    return f"{group.name}-unit"
