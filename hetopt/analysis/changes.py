"""Changes of an instance in words: "drop npu", "add gpu 2, demand 1.5", "swap a100=ai100".

A *case* is a list of changes, separated by commas, that hold together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hetopt import units
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError, Problem
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.overrides import scale_demand, with_deadline, without_device

FORMS = {
    "drop": "drop DEVICE",
    "add": "add DEVICE [N]",
    "demand": "demand FACTOR",
    "deadline": "deadline TIME",
    "power-cap": "power-cap POWER",
    "swap": "swap DEVICE=DEVICE or =ENTRY of the catalogue",
    "set": "set PATH=VALUE",
}
"""How each change is written."""


def changed(instance: Instance, case: str) -> Instance:
    """Return the instance under a case.

    What is ``set`` is set in the tables as they were read, before the other changes.

    Raises
    ------
    InputError
        Where a change is not one of ``FORMS``, or names what the instance does not have.
    """
    sets, others = set_apart(case)
    instance = set_values(instance, sets)
    for change in split(others):
        verb, _, rest = change.partition(" ")
        if verb not in CHANGES or not rest.strip():
            raise InputError([Problem("--case", change, f"One of: {', '.join(FORMS.values())}.")])
        instance = CHANGES[verb](instance, rest.strip(), change)
    return instance


def split(case: str) -> list[str]:
    """Return the changes of a case; a comma in a value that is set belongs to it."""
    changes: list[str] = []
    for part in (part.strip() for part in case.split(",")):
        verb = part.partition(" ")[0]
        if part and changes and changes[-1].startswith("set ") and verb not in FORMS:
            changes[-1] += f",{part}"
        elif part:
            changes.append(part)
    return changes


def set_apart(case: str) -> tuple[list[str], str]:
    """Return the assignments of a case (``PATH=VALUE``), and its other changes."""
    sets, others = [], []
    for change in split(case):
        verb, _, rest = change.partition(" ")
        if verb == "set" and rest.strip():
            sets.append(rest.strip())
        else:
            others.append(change)
    return sets, ", ".join(others)


def catalogue_entries(instance: Instance, case: str) -> tuple[dict[str, str], str]:
    """Return the swaps of a case that name an entry of the catalogue, and the rest of the case.

    An entry is told from a device of the instance by its name: those have precedence.
    """
    names = set(instance.devices.name.tolist())
    entries, rest = {}, []
    for change in split(case):
        verb, _, swap = change.partition(" ")
        old, _, new = swap.partition("=")
        if verb == "swap" and "/" in new and new.strip() not in names:
            entries[old.strip()] = new.strip()
        else:
            rest.append(change)
    return entries, ", ".join(rest)


def usual_cases(instance: Instance) -> list[str]:
    """Return the cases that are looked at where none is named.

    Each device left out, one more unit of each that is limited, and streams that grow.
    """
    devices = instance.devices
    had = [d for d in range(len(devices)) if devices.count_max[d] != 0]
    cases = [f"drop {devices.name[d]}" for d in had] if len(had) > 1 else []
    cases += [f"add {devices.name[d]} 1" for d in had if devices.count_max[d] != NO_MAXIMUM]
    if instance.regime == "steady" and instance.limits.demand_known:
        cases += ["demand 1.5", "demand 2"]
    return cases


def _drop(instance: Instance, rest: str, change: str) -> Instance:
    return without_device(instance, _device(instance, rest, change))


def _add(instance: Instance, rest: str, change: str) -> Instance:
    name, _, count = rest.rpartition(" ")
    more = 1
    if name and count.isdecimal():
        more = int(count)
    else:
        name = rest
    device = _device(instance, name.strip(), change)
    return _more(instance, device, more)


def _more(instance: Instance, device: int, more: int) -> Instance:
    """Have more units of a device: of a fixed number all of them, of a range up to so many."""
    low, high = (int(c[device]) for c in (instance.devices.count_min, instance.devices.count_max))
    if high == NO_MAXIMUM:
        return instance
    fixed = low + more if low == high else low
    return instance.with_cells("devices", device, count_min=fixed, count_max=high + more)


def _demand(instance: Instance, rest: str, change: str) -> Instance:
    try:
        factor = float(rest)
    except ValueError:
        raise InputError(
            [Problem("--case", change, "demand FACTOR, such as demand 1.5.")]
        ) from None
    return scale_demand(instance, factor)


def _deadline(instance: Instance, rest: str, change: str) -> Instance:
    return with_deadline(instance, _positive(rest, "time", change))


def _power_cap(instance: Instance, rest: str, change: str) -> Instance:
    return instance.with_limits(power_cap_w=_positive(rest, "power", change))


def _swap(instance: Instance, rest: str, change: str) -> Instance:
    old, mark, new = rest.partition("=")
    if not mark:
        raise InputError([Problem("--case", change, "swap DEVICE=DEVICE.")])
    leaving = _device(instance, old.strip(), change)
    coming = _device(instance, new.strip(), change)
    count = int(instance.devices.count_max[leaving])
    if count != NO_MAXIMUM:
        instance = _more(instance, coming, count)
    else:
        instance = instance.with_cells("devices", coming, count_max=NO_MAXIMUM)
    return without_device(instance, leaving)


CHANGES: dict[str, Callable[[Instance, str, str], Instance]] = {
    "drop": _drop,
    "add": _add,
    "demand": _demand,
    "deadline": _deadline,
    "power-cap": _power_cap,
    "swap": _swap,
}


def _device(instance: Instance, name: str, change: str) -> int:
    names = instance.devices.name.tolist()
    if name not in names:
        raise InputError([Problem("--case", change, f"A device: {', '.join(names)}.")])
    return int(np.flatnonzero(instance.devices.name == name)[0])


def _positive(text: str, dimension: str, change: str) -> float:
    try:
        value = units.parse(text, dimension)
    except units.UnitError as error:
        expected = f"{error.expected}. {error.hint}".strip()
        raise InputError([Problem("--case", change, expected)]) from None
    if not value > 0:
        raise InputError([Problem("--case", change, "More than 0.")])
    return value
