"""Set-ups of a schedule (docs/quantities.md): between which tasks, how long, how much energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.setups import KEEPS, configurations, device_setups
from hetopt.instance.tables import Table
from hetopt.solution import SchedulePlan


@dataclass(frozen=True, slots=True)
class SetupRuns(Table):
    """The set-ups of a plan that take time or energy, each right before a task (S).

    ``source`` and ``target`` are configurations by their numbers on the device; ``source`` is one
    beyond the last for what a unit has loaded at first.
    """

    task: Ints
    source: Ints
    target: Ints
    start_s: Floats
    end_s: Floats
    time_s: Floats
    energy_j: Floats

    @property
    def power_w(self) -> Floats:
        """Power above idle while each lasts; 0 where it takes no time."""
        return np.divide(self.energy_j, self.time_s, out=np.zeros(len(self)), where=self.time_s > 0)


def setup_runs(instance: Instance, plan: SchedulePlan) -> SetupRuns:
    """Return the set-ups that a plan needs, in order of device, unit and time."""
    empty, none = np.zeros(0), np.zeros(0, dtype=np.int64)
    known = device_setups(instance)
    if not known:
        return SetupRuns(none, none, none, empty, empty, empty, empty)
    number = configurations(instance)[plan.option]
    task = np.flatnonzero(number != KEEPS)
    device = instance.options.device[plan.option[task]]
    order = np.lexsort((task, plan.start_s[task], plan.unit[task], device))
    task, device = task[order], device[order]
    target, unit = number[task], plan.unit[task]
    source = np.empty_like(target)
    source[1:] = target[:-1]
    begins = np.ones(len(task), dtype=bool)
    begins[1:] = (device[1:] != device[:-1]) | (unit[1:] != unit[:-1])
    first = np.zeros(len(instance.devices), dtype=np.int64)
    for d, setups in known.items():
        first[d] = setups.first
    source[begins] = first[device[begins]]
    time, energy = np.zeros(len(task)), np.zeros(len(task))
    for d, setups in known.items():
        here = np.flatnonzero(device == d)
        time[here] = setups.time_s[source[here], target[here]]
        energy[here] = setups.energy_j[source[here], target[here]]
    kept = np.flatnonzero((time > 0) | (energy > 0))
    task, time = task[kept], time[kept]
    end = plan.start_s[task]
    return SetupRuns(task, source[kept], target[kept], end - time, end, time, energy[kept])


def setup_names(instance: Instance, plan: SchedulePlan, runs: SetupRuns) -> list[tuple[str, str]]:
    """Return what each set-up changes from and to; ``none`` is nothing."""
    known = device_setups(instance)
    initial = instance.devices.initial_configuration

    def name(device: int, number: int) -> str:
        names = known[device].names
        return names[number] if number < len(names) else str(initial[device])

    devices = instance.options.device[plan.option[runs.task]].tolist()
    return [
        (name(d, a), name(d, b))
        for d, a, b in zip(devices, runs.source.tolist(), runs.target.tolist(), strict=True)
    ]


def setup_rows(instance: Instance, plan: SchedulePlan, runs: SetupRuns) -> list[dict[str, Any]]:
    """Return a row for each set-up of a plan: unit, configurations, times, energy, task."""
    devices = instance.options.device[plan.option[runs.task]].tolist()
    units = plan.unit[runs.task].tolist()
    names = setup_names(instance, plan, runs)
    columns = [runs.start_s, runs.end_s, runs.energy_j, instance.tasks.name[runs.task]]
    return [
        {
            "unit": instance.unit_name(device, unit),
            "from": source,
            "to": target,
            "start_s": start,
            "end_s": end,
            "energy_j": energy,
            "before": task,
        }
        for device, unit, (source, target), start, end, energy, task in zip(
            devices, units, names, *(column.tolist() for column in columns), strict=True
        )
    ]
