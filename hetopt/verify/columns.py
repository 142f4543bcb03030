"""Reading the columns of a plan: whatever is wrong with them is a violation, never an exception."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.instance import Bools, Instance
from hetopt.verify.report import Findings


def read_column(
    findings: Findings, name: str, values: Any, *, whole: bool, length: int | None
) -> NDArray[Any] | None:
    """Return a plan's column as int64 (``whole``) or float64; None where it cannot be read.

    A wrong shape, length or type is reported. ``length`` None accepts any length.
    """
    try:
        column = np.asarray(values)
    except (ValueError, TypeError):
        findings.add("malformed-plan", f"The column {name} is not a list of numbers.", name)
        return None
    if column.ndim != 1:
        findings.add(
            "malformed-plan", f"The column {name} has {column.ndim} dimensions, not one.", name
        )
        return None
    if length is not None and len(column) != length:
        findings.add(
            "malformed-plan",
            f"The column {name} has {len(column)} entries, but the instance needs {length}.",
            name,
        )
        return None
    if not len(column):
        return np.empty(0, dtype=np.int64 if whole else np.float64)
    if column.dtype.kind not in "iuf":
        findings.add("malformed-plan", f"The column {name} does not hold numbers.", name)
        return None
    if not whole:
        return column.astype(np.float64)
    if column.dtype.kind == "f":
        sound = np.abs(column) < 2.0**53  # False for NaN too
        if not (sound.all() and np.all(column == np.rint(column))):
            findings.add("malformed-plan", f"The column {name} does not hold whole numbers.", name)
            return None
    return column.astype(np.int64)


def read_columns(
    findings: Findings, columns: Sequence[tuple[str, Any, bool]], length: int | None
) -> list[NDArray[Any]] | None:
    """Read columns that are parallel, each (name, values, whole); None if any is malformed.

    Where ``length`` is None, the first readable column sets it.
    """
    read = []
    for name, values, whole in columns:
        column = read_column(findings, name, values, whole=whole, length=length)
        if column is not None and length is None:
            length = len(column)
        read.append(column)
    return None if any(c is None for c in read) else [c for c in read if c is not None]


def check_options(
    instance: Instance, task: NDArray[Any], option: NDArray[Any], findings: Findings
) -> Bools:
    """Report rows whose option is unknown, of another profile, or not allowed for the task.

    Returns where the option is one of the task's own profile, allowed or not: those rows can be
    checked further.
    """
    options, tasks, profiles = instance.options, instance.tasks, instance.profiles
    known = (option >= 0) & (option < len(options))
    findings.rows(
        "unknown-option",
        np.flatnonzero(~known),
        lambda i: (
            (
                f"The plan leaves task {tasks.name[task[i]]} out."
                if option[i] == -1  # what readers of plans put where a row is missing
                else f"Task {tasks.name[task[i]]} uses option {option[i]}, but options are "
                f"numbered 0 to {len(options) - 1}."
            ),
            tasks.name[task[i]],
        ),
    )
    first = profiles.ptr[tasks.profile[task]]
    last = profiles.ptr[tasks.profile[task] + 1]
    own: Bools = known & (option >= first) & (option < last)
    findings.rows(
        "wrong-profile",
        np.flatnonzero(known & ~own),
        lambda i: (
            (
                f"Task {tasks.name[task[i]]} uses option {option[i]}, which is not one of its "
                f"profile {profiles.name[tasks.profile[task[i]]]}."
            ),
            tasks.name[task[i]],
        ),
    )
    device = options.device[np.where(own, option, 0)] if len(options) else np.zeros_like(option)
    pin = tasks.pin_device[task]
    banned = (pin >= 0) & (pin != device)
    wide = max(1, len(instance.devices))
    forbidden = np.unique(tasks.forbid_task * wide + tasks.forbid_device)
    banned |= np.isin(task * wide + device, forbidden)
    _check_sites(instance, task, np.where(own & ~banned, device, -1), findings)
    findings.rows(
        "forbidden-device",
        np.flatnonzero(own & banned),
        lambda i: (
            f"Task {tasks.name[task[i]]} runs on device {instance.devices.name[device[i]]}, which "
            + (
                f"is not {instance.devices.name[pin[i]]}, the device that it is pinned to."
                if pin[i] >= 0 and pin[i] != device[i]
                else "is forbidden for it."
            ),
            tasks.name[task[i]],
        ),
    )
    return own


def _check_sites(
    instance: Instance, task: NDArray[Any], device: NDArray[Any], findings: Findings
) -> None:
    """Report rows on a device (-1: none) that is not at one of the sites that the task allows."""
    tasks, names = instance.tasks, instance.tasks.name
    if not len(tasks.site_task):
        return
    wide = max(1, len(instance.sites))
    site = np.append(instance.devices.site, -1)[device]
    allowed = np.unique(tasks.site_task * wide + tasks.site_site)
    bound = np.isin(task, tasks.site_task) & (device >= 0)
    astray = bound & ~((site >= 0) & np.isin(task * wide + site, allowed))

    def sentence(i: int) -> tuple[str, str]:
        mine = tasks.site_site[tasks.site_task == task[i]]
        return (
            (
                f"Task {names[task[i]]} runs on device {instance.devices.name[device[i]]}, which "
                f"is at none of its sites: "
                f"{', '.join(instance.sites.name[np.unique(mine)].tolist())}."
            ),
            names[task[i]],
        )

    findings.rows("site", np.flatnonzero(astray), sentence)
