"""Bounds that know set-ups: the least set-up of each configuration that is used (mathematics.md).

Whatever a device runs of configuration c, some unit of it enters c at least once, which takes at
least the least set-up into c: time t[c] and joules e[c]. Where what is loaded at first is stated,
that holds for every c but this one. Where it is not, each of the U units enters one configuration
for nothing: of the configurations that tasks must use (*forced*: some task has no other option),
the U dearest are left out. More configurations only add to it: one more adds its own set-up to the
sum, and to the sum of the U dearest no more than that.

The charge of c is shared among tasks by their work, so that tasks that use c on d bear at most all
of it: among the tasks that must, where there are any, else among all that may. What is left is an
instance without set-ups whose options take and draw a little more: no plan of the true instance has
less of either on any device, so the load bounds of the changed one hold for it.

All other bounds forget set-ups. They hold: without them each plan is one still, of the same times,
at no higher energy and power.
"""

from __future__ import annotations

from dataclasses import replace

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
        here = options.device == device
        may, must = _work(instance, device, numbers, len(setups.names))
        free = not str(instance.devices.initial_configuration[device])
        units = int(instance.devices.count_max[device])
        for table, column in ((setups.time_s, time), (setups.energy_j, energy)):
            least = _least_into(table[:-1] if free else table)
            if free:
                least = np.where(must > 0, least, 0.0)
                least[np.argsort(-least, kind="stable")[:units]] = 0.0
            for number, charge in enumerate(least.tolist()):
                work = must[number] if must[number] > 0 else may[number]
                if charge > 0 and work > 0:
                    own = np.flatnonzero(here & (numbers == number))
                    column[own] += charge / work * _SHRINK
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


def _work(instance: Instance, device: int, numbers: Ints, count: int) -> tuple[Floats, Floats]:
    """Work of the tasks that may, and that must, use each configuration of a device."""
    classes = usable_classes(instance)
    total = np.bincount(classes.member, instance.tasks.work, len(classes))
    may, must = np.zeros(count), np.zeros(count)
    on = instance.options.device
    for k, work in enumerate(total.tolist()):
        own = classes.option[classes.ptr[k] : classes.ptr[k + 1]]
        here = numbers[own[on[own] == device]]
        used = np.unique(here[here >= 0])
        may[used] += work
        if len(used) == 1 and len(here) == len(own) and (here >= 0).all():
            must[used] += work
    return may, must
