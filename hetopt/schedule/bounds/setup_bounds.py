"""Bounds that know set-ups: the least set-up of each configuration that is used (mathematics.md).

Whatever a device runs of configuration c, some unit of it enters c at least once, which takes at
least the least set-up into c: time t[c] and joules e[c]. Where what is loaded at first is stated,
that holds for every c but this one. Where it is not, each of the U units enters one configuration
for nothing: of the configurations that tasks must use (*forced*: some task has no other option),
the U dearest are left out. More configurations only add to it: one more adds its own set-up to the
sum, and to the sum of the U dearest no more than that.

The charge of c is shared among tasks by their work, so that tasks that use c on d bear at most all
of it: on the options of tasks that must, where there are any, among all tasks that may run on one
of these, be they forced to or not; else on all options of c among all that may. What is left is an
instance without set-ups whose options take and draw a little more: no plan of the true instance has
less of either on any device, so the load bounds of the changed one hold for it.

All other bounds forget set-ups. They hold: without them each plan is one still, of the same times,
at no higher energy and power.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.derived import once
from hetopt.instance.states.setups import configurations, device_setups, without_setups
from hetopt.schedule.model.usable_options import usable_classes

_SHRINK = 1 - 1e-12
"""Outweighs the rounding of a share."""


@once
def charged(instance: Instance) -> Instance | None:
    """Return the instance with set-ups shared out to options, None where that changes nothing."""
    known = device_setups(instance)
    if not known:
        return None
    options, numbers = instance.options, configurations(instance)
    time, energy = options.time_s.copy(), options.energy_j.copy()
    for device, setups in known.items():
        bearers = [_bearers(instance, device, numbers, c) for c in range(len(setups.names))]
        forced = np.array([bearer.forced for bearer in bearers], dtype=bool)
        free = not str(instance.devices.initial_configuration[device])
        units = int(instance.devices.count_max[device])
        for table, column in ((setups.time_s, time), (setups.energy_j, energy)):
            least = _least_into(table[:-1] if free else table)
            if free:
                least = np.where(forced, least, 0.0)
                least[np.argsort(-least, kind="stable")[:units]] = 0.0
            for bearer, charge in zip(bearers, least.tolist(), strict=True):
                if charge > 0 and bearer.work > 0:
                    column[bearer.options] += charge / bearer.work * _SHRINK
    if (time == options.time_s).all() and (energy == options.energy_j).all():
        return None
    return replace(without_setups(instance), options=replace(options, time_s=time, energy_j=energy))


def _least_into(table: Floats) -> Floats:
    """Return the least set-up into each configuration (a column), from any other one (a row)."""
    others = table.copy()
    count = table.shape[1]
    others[np.arange(count), np.arange(count)] = np.inf
    least: Floats = others.min(axis=0, initial=np.inf)
    return np.where(np.isfinite(least), least, 0.0)


@dataclass(frozen=True)
class _Bearers:
    """Options that bear the charge of a configuration, and the work of all that may run on them.

    ``forced``: they are those of tasks that have no other option.
    """

    options: Ints
    work: float
    forced: bool


def _bearers(instance: Instance, device: int, numbers: Ints, number: int) -> _Bearers:
    """Return what bears the charge of one configuration of a device."""
    classes = usable_classes(instance)
    total = np.bincount(classes.member, instance.tasks.work, len(classes)).tolist()
    sets = [classes.option[classes.ptr[k] : classes.ptr[k + 1]] for k in range(len(total))]
    mine = (instance.options.device == device) & (numbers == number)
    musts = [own for own, work in zip(sets, total, strict=True) if work > 0 and mine[own].all()]
    musts = [own for own in musts if len(own)]
    bearing = mine
    if musts:
        bearing = np.zeros_like(mine)
        bearing[np.concatenate(musts)] = True
    work = sum(w for own, w in zip(sets, total, strict=True) if bearing[own].any())
    return _Bearers(np.flatnonzero(bearing), float(work), bool(musts))
