"""What one replication of a schedule draws: how long each task takes on each of its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.tables import Profiles, Uses
from hetopt.simulate.events import CapChanged, DeviceDown, DeviceUp, Event
from hetopt.simulate.policies.net import spreads
from hetopt.simulate.schedules.cycles import Cycles


@dataclass(frozen=True)
class Realised:
    """An instance whose options have the times and energies that a replication drew.

    Each task has a profile of its own; everything else is that of the instance, so that what
    policies did is a plan of ``instance``, and a bound of it is one on what any could do.

    Attributes
    ----------
    first
        Index of the first of each task's options in ``instance`` (T); they stand in the order of
        the task's profile.
    """

    instance: Instance
    first: Ints

    def option(self, nominal: Instance, task: int, option: int) -> int:
        """Return what an option of the instance is called here, for one of its tasks."""
        begin = int(nominal.profiles.ptr[nominal.tasks.profile[task]])
        return int(self.first[task]) + option - begin


@dataclass(frozen=True)
class Setting:
    """What happens to all policies of a replication: times drawn, failures and caps.

    ``cycles`` are those of a schedule that repeats, which the instance has written out.
    """

    realised: Realised
    events: Sequence[Event]
    cycles: Cycles | None = None

    def caps(self) -> list[tuple[float, float]]:
        """Return the power cap over time: (from when on, W); inf where there is none."""
        found = [(0.0, self.realised.instance.limits.power_cap_w)]
        for event in self.events:
            if isinstance(event, CapChanged):
                cap = np.inf if event.power_cap_w is None else event.power_cap_w
                found.append((event.time_s, float(cap)))
        return found

    def down(self, until_s: float) -> dict[tuple[int, int], list[tuple[float, float]]]:
        """Return when each unit, by device and number, was down before some time."""
        devices = self.realised.instance.devices
        index = {str(n): d for d, n in enumerate(devices.name)}
        open_: dict[tuple[int, int], float] = {}
        found: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for event in self.events:
            if not isinstance(event, DeviceDown | DeviceUp):
                continue
            d, at = index[event.device], min(event.time_s, until_s)
            every = range(int(devices.count_max[d])) if event.unit is None else (event.unit,)
            for unit in every:
                if isinstance(event, DeviceDown):
                    open_.setdefault((d, unit), at)
                elif (d, unit) in open_:
                    found.setdefault((d, unit), []).append((open_.pop((d, unit)), at))
        for key, at in open_.items():
            found.setdefault(key, []).append((at, until_s))
        return found


def realised(instance: Instance, z: Floats | None, factor: Floats | None) -> Realised:
    """Return the instance at the times that were drawn.

    Parameters
    ----------
    z
        A standard normal draw of each task (T): where in its interval an option's time lies, on
        the side of its sign (:func:`hetopt.simulate.policies.net.spreads`); None: all as stated.
    factor
        What each task's times and energies are multiplied by on all options (T); None: by 1.
    """
    tasks, ptr = instance.tasks, instance.profiles.ptr
    begin, size = ptr[tasks.profile], np.diff(ptr)[tasks.profile]
    own = ptr_of(size)
    owner = np.repeat(np.arange(len(tasks)), size)
    row = np.arange(own[-1]) + np.repeat(begin - own[:-1], size)
    scale = np.ones(len(row))
    if factor is not None:
        scale *= factor[owner]
    if z is not None:
        low, high = spreads(instance)
        drawn = z[owner]
        scale *= np.exp(drawn * np.where(drawn < 0, low[row], high[row]))
    options = instance.options
    columns = {f: getattr(options, f)[row] for f in options.__dataclass_fields__}
    none = np.full(len(row), np.nan)
    columns |= dict.fromkeys(("time_low_s", "time_high_s", "energy_low_j", "energy_high_j"), none)
    columns["time_s"] = columns["time_s"] * scale
    columns["energy_j"] = columns["energy_j"] * scale
    uses, width = instance.uses, np.diff(instance.uses.ptr)[row]
    end = ptr_of(width)
    entry = np.arange(end[-1]) + np.repeat(uses.ptr[row] - end[:-1], width)
    made = replace(
        instance,
        options=replace(options, **columns),
        profiles=Profiles(tasks.name.copy(), own),
        uses=Uses(end, uses.resource[entry], uses.amount[entry]),
        tasks=replace(tasks, profile=np.arange(len(tasks), dtype=np.int64)),
    )
    return Realised(made, own[:-1])


def shortest_times(instance: Instance) -> Floats:
    """Return each task's time on its fastest option (T); inf where it has none."""
    ptr, option = instance.admissible
    least = np.full(len(instance.tasks), np.inf)
    owner = np.repeat(np.arange(len(least)), np.diff(ptr))
    np.minimum.at(least, owner, instance.options.time_s[option])
    return np.asarray(instance.tasks.work * least)


def following(instance: Instance) -> Floats:
    """Return the longest chain of shortest times behind each task, itself not included (T)."""
    shortest = shortest_times(instance).tolist()
    found = [0.0] * len(shortest)
    ptr, rows = instance.successors
    after = instance.edges.dst.tolist()
    for t in reversed(instance.topological_order.tolist()):
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            found[t] = max(found[t], shortest[after[e]] + found[after[e]])
    return np.array(found)


def chains(instance: Instance) -> Floats:
    """Return the longest chain of shortest times from each task on, itself included (T)."""
    return shortest_times(instance) + following(instance)
