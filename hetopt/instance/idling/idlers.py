"""What draws power whether it works or not, one row a kind: the units of each device.

What a unit that goes on takes, and how it sleeps through gaps, is read by everything above; the
checker reads the columns of the tables itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from hetopt.instance.derived import once
from hetopt.instance.dtypes import Bools, Floats, Ints
from hetopt.instance.instance import Instance


@dataclass(frozen=True, slots=True)
class Idlers:
    """Kinds of what idles, length I.

    Attributes
    ----------
    idle_power_w, sleep_power_w
        Power of one that is on, and of one that sleeps; equal where it does not sleep.
    sleeps
        Whether it sleeps through gaps where that draws less energy.
    wake_time_s, wake_energy_j
        Of the end of a gap that is slept through.
    goes_on
        Whether one that is used goes on for it, and is off before: not where it is on whatever
        runs, nor on a circle, where it has been on for ever.
    start_up_time_s, start_up_energy_j, start_up_cost
        What going on takes, 0 where none goes on.
    always_on
        Whether all that are had are on.
    count_min
        Fewest had.
    device
        The device by whose site its energy is priced.
    """

    idle_power_w: Floats
    sleep_power_w: Floats
    sleeps: Bools
    wake_time_s: Floats
    wake_energy_j: Floats
    goes_on: Bools
    start_up_time_s: Floats
    start_up_energy_j: Floats
    start_up_cost: Floats
    always_on: Bools
    count_min: Ints
    device: Ints

    def __len__(self) -> int:
        return len(self.idle_power_w)


@once
def idlers(instance: Instance) -> Idlers:
    """Return what idles in a schedule; made once per instance."""
    devices = instance.devices
    sleeps = ~np.isnan(devices.sleep_power_w) & (devices.idle_power_w > 0)
    goes_on = devices.off_when_unused & (not math.isfinite(instance.limits.cycle_s))
    return Idlers(
        idle_power_w=devices.idle_power_w,
        sleep_power_w=np.where(sleeps, devices.sleep_power_w, devices.idle_power_w),
        sleeps=sleeps,
        wake_time_s=devices.wake_time_s,
        wake_energy_j=devices.wake_energy_j,
        goes_on=goes_on,
        start_up_time_s=np.where(goes_on, devices.start_up_time_s, 0.0),
        start_up_energy_j=np.where(goes_on, devices.start_up_energy_j, 0.0),
        start_up_cost=np.where(goes_on, devices.start_up_cost, 0.0),
        always_on=~devices.off_when_unused,
        count_min=devices.count_min,
        device=np.arange(len(devices)),
    )


def may_sleep(instance: Instance) -> bool:
    """Whether something sleeps in gaps: then waiting may pay, as it joins gaps."""
    return bool(idlers(instance).sleeps.any())


def starts_up(instance: Instance) -> bool:
    """Whether going on takes something."""
    return going_on_counts(instance) or bool(idlers(instance).start_up_time_s.any())


def going_on_counts(instance: Instance) -> bool:
    """Whether going on takes energy or money."""
    rows = idlers(instance)
    return bool(rows.start_up_energy_j.any() or rows.start_up_cost.any())


@once
def ready_s(instance: Instance) -> Floats:
    """Return when a unit of each device can run something at the soonest (length D)."""
    return idlers(instance).start_up_time_s[: len(instance.devices)]


def without_idling(instance: Instance) -> Instance:
    """Return the instance in which nothing sleeps, and going on takes nothing.

    Its plans are those that keep all other limits: those of the instance start later, as far as
    going on takes time.
    """
    return _with_idle(instance, instance.devices.idle_power_w)


@once
def as_if_asleep(instance: Instance) -> Instance:
    """Return an instance that draws no more than the true one, at every instant of every plan.

    What may sleep draws the power of sleep all the time, and what runs on it adds the difference
    to idling, over slots: at an instant at which k >= 1 of s slots are taken the unit draws its
    idle power i, and here p + (i - p) k / s <= i with p of sleep; at any other it draws i, p, or p
    and what waking takes, and here p. What going on takes is left out. So any bound of this
    instance on energy, cost, carbon or power, also where prices change over time, is one of the
    true instance. Times and all other limits are the same.
    """
    rows, devices, options = idlers(instance), instance.devices, instance.options
    count = len(devices)
    if not (rows.sleeps.any() or starts_up(instance)):
        return instance
    more = (rows.idle_power_w - rows.sleep_power_w)[:count] / devices.slots
    energy = options.energy_j + more[options.device] * options.time_s
    made = _with_idle(instance, rows.sleep_power_w[:count])
    return replace(made, options=replace(options, energy_j=energy))


def _with_idle(instance: Instance, idle_power_w: Floats) -> Instance:
    devices = instance.devices
    none = np.zeros(len(devices))
    return replace(
        instance,
        devices=replace(
            devices,
            idle_power_w=idle_power_w,
            sleep_power_w=np.full(len(devices), np.nan),
            wake_time_s=none,
            wake_energy_j=none,
            start_up_time_s=none,
            start_up_energy_j=none,
            start_up_cost=none,
        ),
    )
