"""Instances without sleep and start-ups in place of one with them: for searches, and for bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.derived import once
from hetopt.instance.idling.idlers import (
    as_if_asleep,
    idlers,
    may_sleep,
    starts_up,
    without_idling,
)
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.prices import series_of
from hetopt.schedule.model.objectives import ENERGY_LIKE

SHORT = 0.1
"""Part of the window below which a gap that pays for waking is short: there most are longer."""
SURELY = 1 - 1e-12
"""Outweighs the rounding of a few products."""


@once
def always_idling(instance: Instance) -> Instance:
    """Return the instance as list schedulers and searches see it; itself, without sleep.

    Nothing sleeps there, and going on takes time alone, so that every plan of it is one of the true
    instance, which is then priced as it is. What may sleep draws its idle power, or that of sleep
    where gaps that pay for waking are short. Under a power cap it draws whatever the true unit may
    at most, so that no plan exceeds the cap where something wakes.
    """
    if not (may_sleep(instance) or starts_up(instance)):
        return instance
    devices, rows = instance.devices, idlers(instance)
    count = len(devices)
    idle = rows.idle_power_w[:count].copy()
    if math.isfinite(instance.limits.power_cap_w):
        idle = np.maximum(idle, _most_w(instance))
    else:
        saved = (rows.idle_power_w - rows.sleep_power_w)[:count]
        pays = np.divide(devices.wake_energy_j, saved, out=np.full(count, np.inf), where=saved > 0)
        short = np.maximum(pays, devices.wake_time_s) <= SHORT * _latest_s(instance)
        idle = np.where(rows.sleeps[:count] & short, rows.sleep_power_w[:count], idle)
    plain = without_idling(replace(instance, devices=replace(devices, idle_power_w=idle)))
    return replace(
        plain,
        devices=replace(plain.devices, start_up_time_s=rows.start_up_time_s[:count]),
    )


def drawing_less(instance: Instance, objective: str) -> Instance:
    """Return the instance that bounds of an objective are made of; itself, without sleep.

    Its value is no more than the true one's, for every plan
    (:func:`hetopt.instance.idling.idlers.as_if_asleep`). What going on takes, E, is paid once by
    each unit that is used, for a window C <= C_hi: so no less than E / C_hi × C, which is idle
    power. When it is drawn counts under prices that change over time, and for power: it is left out
    there. Times to go on are left out.
    """
    if not (may_sleep(instance) or starts_up(instance)):
        return instance
    plain = as_if_asleep(instance)
    latest = _latest_s(instance)
    counts = objective in ENERGY_LIKE and series_of(instance, objective) is None
    if not counts or not math.isfinite(latest) or not latest > 0:
        return plain
    kept = plain.derived
    key = f"drawing less for {objective}"
    if key not in kept:
        spent = _going_on_j(instance, objective)
        more = spent / latest * SURELY
        devices = replace(plain.devices, idle_power_w=plain.devices.idle_power_w + more)
        kept.setdefault(key, replace(plain, devices=devices) if spent.any() else plain)
    made = kept[key]
    return made if isinstance(made, Instance) else plain


def _going_on_j(instance: Instance, objective: str) -> Floats:
    """Joules of going on, of each device (D), its cost counted in those where that is possible."""
    rows, count = idlers(instance), len(instance.devices)
    spent = rows.start_up_energy_j[:count].copy()
    if objective == "cost":
        price = joule_prices(instance, objective)
        spent += np.divide(rows.start_up_cost[:count], price, out=np.zeros(count), where=price > 0)
    return spent


def _latest_s(instance: Instance) -> float:
    """End of the window at the latest, inf where there is none."""
    limits, tasks = instance.limits, instance.tasks
    if math.isfinite(limits.cycle_s):
        return float(limits.cycle_s)
    if math.isfinite(limits.horizon_s):
        return float(limits.horizon_s)
    busy = np.unique(tasks.job)
    return float(instance.jobs.deadline_s[busy].max(initial=0.0)) if len(busy) else math.inf


def _most_w(instance: Instance) -> Floats:
    """Most that a unit of each device draws while nothing runs on it (D)."""
    rows, count = idlers(instance), len(instance.devices)
    waking = np.divide(
        rows.wake_energy_j,
        rows.wake_time_s,
        out=np.zeros(len(rows)),
        where=rows.sleeps & (rows.wake_time_s > 0),
    )
    going_on = np.divide(
        rows.start_up_energy_j,
        rows.start_up_time_s,
        out=np.zeros(len(rows)),
        where=rows.start_up_time_s > 0,
    )
    return np.maximum(rows.sleep_power_w + waking, rows.idle_power_w + going_on)[:count]
