"""What may not meet resources that slow what runs, in the steady regime."""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.states.slow_domains import domain_of_device, slow_domains
from hetopt.steady.model.capacity import memory_limited


def check_supported(instance: Instance) -> None:
    """Refuse, by name, what states do not know yet.

    Raises
    ------
    InputError
        Where a device that is slowed by others is limited in a way that states do not know.
    """
    if not slow_domains(instance):
        return
    if instance.routing == "single":
        raise InputError(
            f"Resource {_resources(instance)} slows what runs (`sharing: slow`), which is known "
            "with `routing: split` only; a single placement needs `sharing: forbid`."
        )
    if len(instance.periods):
        raise InputError(
            f"Resource {_resources(instance)} slows what runs (`sharing: slow`), which is not "
            "known beside `periods`; scenarios are."
        )
    if "value" in instance.objective:
        raise InputError(
            f"Resource {_resources(instance)} slows what runs (`sharing: slow`), which is not "
            "known beside the objective value: states serve all that is demanded."
        )
    devices = instance.devices
    limited = memory_limited(instance)
    holding = _forbidding(instance)
    for d in np.flatnonzero(domain_of_device(instance) >= 0).tolist():
        most = int(devices.count_max[d])
        reasons = {
            "`exclusive`": bool(devices.exclusive[d]),
            "`spare` units": bool(devices.spare[d]),
            "a `min_load`": bool(devices.min_load[d] > 0),
            "a count without a maximum": most == NO_MAXIMUM,
            "a memory limit beside more than one unit": bool(limited[d]) and most > 1,
            "messages that take a slot (`overlap: false`)": bool(
                len(instance.tensors) and not devices.overlap[d]
            ),
            f"options that use {holding.get(d, '')} (`sharing: forbid`)": d in holding,
        }
        for what, there in reasons.items():
            if there:
                raise InputError(
                    f"Device {devices.name[d]} is slowed by resource {_resources(instance)} "
                    f"(`sharing: slow`) and has {what}; the steady regime does not know both "
                    "together."
                )


def _resources(instance: Instance) -> str:
    names = instance.resources.name
    return ", ".join(str(names[k]) for g in slow_domains(instance) for k in g.resources)


def _forbidding(instance: Instance) -> dict[int, str]:
    """Return a renewable resource that forbids, by the device of an option that uses it."""
    resources, found = instance.resources, {}
    for option in np.unique(instance.admissible[1]).tolist():
        for k, _ in instance.uses.of(option):
            if not resources.slow[k] and np.isfinite(resources.capacity[k]):
                found[int(instance.options.device[option])] = str(resources.name[k])
    return found
