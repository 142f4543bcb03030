"""A device as a cluster names it, and how names and kinds follow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hetopt.instance import DeviceKind

KINDS: tuple[tuple[DeviceKind, tuple[str, ...]], ...] = (
    ("tpu", ("tpu",)),
    ("fpga", ("fpga", "xilinx")),
    ("npu", ("npu", "neuron", "gaudi", "qaic", "ascend", "hpu", "vpu", "habana")),
    ("gpu", ("gpu", "nvidia", "mig-")),
)
"""Words in names of resources and drivers that tell what they are, looked at in this order."""


@dataclass(frozen=True, slots=True)
class ClusterDevice:
    """Equal processors of a cluster.

    Attributes
    ----------
    memory_b
        Of one unit; 0 where the cluster does not say.
    price
        Money per time of one unit as text (``1.5 USD/h``); empty where nobody said.
    source
        How the cluster names it.
    parameters
        What ``hetopt deploy`` needs to place units there, without the device's name.
    """

    name: str
    kind: DeviceKind
    count: int
    memory_b: int = 0
    price: str = ""
    source: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Devices, the target of ``hetopt deploy`` that their parameters are for, and notes."""

    devices: tuple[ClusterDevice, ...]
    target: str
    notes: tuple[str, ...]


def kind_of(text: str) -> DeviceKind | None:
    """Return the kind of processor that a name tells; None where it tells none."""
    lower = text.lower()
    return next((kind for kind, words in KINDS if any(word in lower for word in words)), None)


def merged(found: Iterable[ClusterDevice]) -> tuple[ClusterDevice, ...]:
    """Return one device for equal ones, counts added; different ones have different names."""
    totals: dict[object, int] = {}
    order: dict[object, ClusterDevice] = {}
    for device in found:
        key = (device.name, device.kind, device.memory_b, device.price, device.source)
        totals[key] = totals.get(key, 0) + device.count
        order.setdefault(key, device)
    taken: dict[str, int] = {}
    result = []
    for same, device in order.items():
        number = taken[device.name] = taken.get(device.name, 0) + 1
        name = device.name if number == 1 else f"{device.name}-{number}"
        result.append(replace(device, name=name, count=totals[same]))
    return tuple(result)


def plain(text: str) -> str:
    """Return a name that commands take without quotes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "device"
