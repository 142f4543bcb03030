"""Checks of structure, which need the whole instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.compile.problems import Checker
from hetopt.instance import (
    Instance,
    Series,
)
from hetopt.instance.column_specs import SETTINGS
from hetopt.instance.graph import find_cycle


def check_settings_regime(
    regime: str, why: str, setting: Mapping[str, Any], check: Checker
) -> None:
    """Refuse settings that have a meaning in the other regime only."""
    for column in SETTINGS:
        value: Any = setting[column.name]
        default: Any = column.default
        same = value != value if default != default else value == default
        if isinstance(value, Series) and regime != "schedule":
            expected = "One number: changes over time need start times, so a schedule."
            check.setting(column.name, "a list", expected)
        if column.regime and column.regime != regime and not same:
            check.setting(
                column.name,
                value,
                f"This belongs to the {column.regime} regime; the instance is {regime}, {why}."
                + (" Streams have no end: leave it out." if column.name == "horizon_s" else ""),
            )


def check_structure(instance: Instance, check: Checker) -> None:
    """Refuse cycles, jobs without tasks, and restrictions that mean nothing in the regime."""
    tasks, edges = instance.tasks, instance.edges
    known = (edges.src >= 0) & (edges.dst >= 0) & (edges.src != edges.dst)
    cycle = find_cycle(len(tasks), edges.src[known], edges.dst[known])
    if cycle:
        names = [str(tasks.name[t]) for t in cycle[:8]]
        text = " -> ".join([*names, "..." if len(cycle) > 8 else names[0]])
        check.add("transfers", -1, "", text, "A graph without cycles.", certain=True)
    distinct = len(np.unique(instance.jobs.name)) == len(instance.jobs)
    if distinct and (tasks.job >= 0).all() and not check.unsure("tasks", ""):
        used = np.bincount(tasks.job, minlength=len(instance.jobs))
        for j in np.flatnonzero(used == 0):
            text = str(instance.jobs.name[j])
            check.add("jobs", int(j), "name", text, "At least one task of this job.")
    if instance.regime == "steady" and instance.routing == "split":
        _check_split(instance, check)
    elif instance.regime == "steady":
        for j in np.flatnonzero(instance.jobs.slices > 0):
            text = "routing: split; with routing: single a job has one placement anyway."
            check.add("jobs", int(j), "slices", int(instance.jobs.slices[j]), text)


def _check_split(instance: Instance, check: Checker) -> None:
    """Refuse what needs tasks to stay on one unit where streams may be split over units."""
    tasks, devices = instance.tasks, instance.devices
    for j in np.flatnonzero(instance.jobs.contiguous):
        expected = (
            "`routing: single`: only there a job has one placement, whose stages can be told."
        )
        check.add("jobs", int(j), "contiguous", True, expected)
    for kind, groups in (("together", instance.together), ("apart", instance.apart)):
        for i, group in enumerate(groups):
            if len(np.unique(tasks.job[group])) > 1:
                text = ", ".join(str(tasks.name[t]) for t in group)
                expected = "Tasks of one job: a stream's units are its own."
                check.setting(f"{kind}[{i}]", text, expected)
    pool_memory = np.append(instance.pools.memory_b, np.inf)[devices.pool]
    limited = np.isfinite(devices.memory_b) | np.isfinite(pool_memory)
    pinned = np.flatnonzero(tasks.pin_unit >= 0)
    for t in pinned[~limited[tasks.pin_device[pinned]]]:
        device = str(devices.name[tasks.pin_device[t]])
        check.add(
            "tasks",
            int(t),
            "pin",
            f"{device}#{tasks.pin_unit[t]}",
            f"The device alone ({device}): streams are split over its units, which are named only "
            "where memory is limited or routing is single.",
        )
