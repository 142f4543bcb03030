"""Set-ups of units between tasks of different configuration, as the checker finds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.exact import Numbers, Timeline
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.placed import Placed


@dataclass(frozen=True, slots=True)
class Changes:
    """Set-ups of a plan (S), each of the unit ``place`` right before ``task``."""

    task: Ints
    place: Ints
    start: Numbers
    end: Numbers
    energy_j: Floats
    power_w: Floats
    names: tuple[tuple[str, str], ...]

    def name(self, instance: Instance, row: int) -> str:
        """Describe one of them."""
        source, target = self.names[row]
        was = f"from {source} " if source else ""
        return f"the set-up {was}to {target} before task {instance.tasks.name[self.task[row]]}"


def find_changes(
    instance: Instance, placed: Placed, times: Timeline, findings: Findings
) -> Changes:
    """Find the set-ups that a plan needs, and check that none begins before time 0.

    Each unit is followed through its tasks in the order of their starts.
    """
    devices, setups = instance.devices, instance.setups
    pairs = {
        (device, source, target): row
        for row, (device, source, target) in enumerate(
            zip(setups.device.tolist(), setups.source.tolist(), setups.target.tolist(), strict=True)
        )
    }
    every = len(setups) + np.arange(len(devices))
    energies = np.concatenate([setups.energy_j, devices.setup_energy_j])
    seconds = np.concatenate([setups.time_s, devices.setup_time_s])
    wanted = instance.options.configuration
    rows: list[tuple[int, int, int, str, str]] = []
    tasks: list[int] = []
    if energies.any() or seconds.any():
        tasks = np.flatnonzero(placed.usable & (wanted[placed.option] != "")).tolist()
        tasks.sort(key=lambda t: (placed.place[t], times.start[t], t))
    loaded, at = "", -1
    for t in tasks:
        place = int(placed.place[t])
        device = int(placed.device[place])
        if place != at:
            loaded, at = str(devices.initial_configuration[device]), place
        new = str(wanted[placed.option[t]])
        if loaded not in ("", new):
            row = pairs.get((device, loaded, new), int(every[device]))
            if seconds[row] > 0 or energies[row] > 0:
                rows.append((t, place, row, loaded, new))
        loaded = new
    task = np.array([r[0] for r in rows], dtype=np.int64)
    which = np.array([r[2] for r in rows], dtype=np.int64)
    end = times.start[task]
    lasting, energy = seconds[which], energies[which]
    found = Changes(
        task=task,
        place=np.array([r[1] for r in rows], dtype=np.int64),
        start=end - times.setup[which],
        end=end,
        energy_j=energy,
        power_w=np.divide(energy, lasting, out=np.zeros(len(rows)), where=lasting > 0),
        names=tuple((r[3], r[4]) for r in rows),
    )
    findings.rows(
        "set-up",
        np.flatnonzero(times.scale.under(found.start, times.scale.zero(len(rows)))),
        lambda row: (
            (
                f"Task {instance.tasks.name[task[row]]} starts at "
                f"{show(times.scale.seconds(end[row]), 's')}, but "
                f"{found.name(instance, row)} takes {show(lasting[row], 's')}, more than there is "
                "before it."
            ),
            str(instance.tasks.name[task[row]]),
        ),
    )
    return found
