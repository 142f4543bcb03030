"""Instances without sleep and start-ups in place of one with them: for searches, and for bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.derived import once
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.idle_sleep_start_up import (
    Idlers,
    as_if_asleep,
    idlers,
    plain,
    ready_s,
    without_idling,
)
from hetopt.instance.tariffs import series_of
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
    where gaps that pay for waking are short, beside what runs: then options draw the rest. Under a
    power cap it draws whatever the true unit may at most, so that no plan exceeds the cap where
    something wakes.
    """
    if plain(instance):
        return instance
    devices, rows, boards = instance.devices, idlers(instance), instance.boards
    count = len(devices)
    capped = math.isfinite(instance.limits.power_cap_w)
    draws = rows.idle_power_w.copy()
    if capped:
        draws = np.maximum(draws, _most_w(rows))
    else:
        saved = rows.idle_power_w - rows.sleep_power_w
        pays = np.divide(rows.wake_energy_j, saved, out=np.full(len(rows), np.inf), where=saved > 0)
        short = np.maximum(pays, rows.wake_time_s) <= SHORT * _latest_s(instance)
        draws = np.where(rows.sleeps & short, rows.sleep_power_w, draws)
    idle, price, always = draws[:count].copy(), devices.price_per_s.copy(), 0.0
    for b in range(len(boards)):
        mine = np.flatnonzero(devices.on_board == b)
        part = 1.0 if capped else 1.0 / max(1.0, float(boards.per_board[mine].sum()))
        fixed = boards.count_min[b] == boards.count_max[b]
        if rows.always_on[count + b]:
            always += float(draws[count + b] * boards.count_min[b])
        if not (rows.always_on[count + b] and fixed):
            idle[mine] += part * draws[count + b]
        if not fixed:
            price[mine] += boards.price_per_s[b] / max(1.0, float(boards.per_board[mine].sum()))
    devices = replace(devices, idle_power_w=idle, price_per_s=price)
    limits = replace(instance.limits, power_cap_w=instance.limits.power_cap_w - always)
    options = instance.options
    if not capped:
        # What runs on one that is counted as asleep has it draw its idle power.
        awake = np.maximum(rows.idle_power_w - draws, 0.0)[:count] / instance.devices.slots
        added = awake[options.device] * options.time_s
        options = replace(options, energy_j=options.energy_j + added)
    made = without_idling(replace(instance, devices=devices, options=options, limits=limits))
    return replace(made, devices=replace(made.devices, start_up_time_s=ready_s(instance)))


def drawing_less(instance: Instance, objective: str) -> Instance:
    """Return the instance that bounds of an objective are made of; itself, without sleep.

    Its value is no more than the true one's, for every plan
    (:func:`hetopt.instance.states.idle_sleep_start_up.as_if_asleep`). What going on takes, E, is
    paid once by each unit that is used, for a window C <= C_hi: so no less than E / C_hi × C, which
    is idle power. When it is drawn counts under prices that change over time, and for power: it is
    left out there. Times to go on are left out.
    """
    if plain(instance):
        return instance
    made = as_if_asleep(instance)
    latest = _latest_s(instance)
    counts = objective in ENERGY_LIKE and series_of(instance, objective) is None
    spent = _going_on_j(instance, objective)
    if not counts or not math.isfinite(latest) or not latest > 0 or not spent.any():
        return made
    kept = made.derived
    key = f"drawing less for {objective}"
    if key not in kept:
        idle = made.devices.idle_power_w.copy()
        idle[: len(spent)] += spent / latest * SURELY
        kept.setdefault(key, replace(made, devices=replace(made.devices, idle_power_w=idle)))
    found = kept[key]
    return found if isinstance(found, Instance) else made


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


def _most_w(rows: Idlers) -> Floats:
    """Most that each kind of what idles draws while nothing runs on it."""
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
    return np.maximum(rows.sleep_power_w + waking, rows.idle_power_w + going_on)
