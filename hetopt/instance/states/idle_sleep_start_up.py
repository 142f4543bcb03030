"""What draws power whether it works or not, one row a kind: units of each device, then boards.

What a unit that goes on takes, and how it sleeps through gaps, is read by everything above; the
checker reads the columns of the tables itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.instance.derived import once
from hetopt.instance.dtypes import Bools, Floats, Ints
from hetopt.instance.instance import Instance
from hetopt.instance.tables import Boards, Table

SURELY = 1 - 1e-14
"""Outweighs the rounding of a few sums and products."""


@dataclass(frozen=True, slots=True)
class Idlers(Table):
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
    count_min, price_per_s
        Fewest had, and money per second of one that is had.
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
    price_per_s: Floats
    device: Ints


@once
def idlers(instance: Instance) -> Idlers:
    """Return what idles in a schedule: devices, then boards; made once per instance."""
    devices, boards = instance.devices, instance.boards

    def both(name: str) -> Any:
        return np.concatenate([getattr(devices, name), getattr(boards, name)])

    idle, sleep = both("idle_power_w"), both("sleep_power_w")
    sleeps = ~np.isnan(sleep) & (idle > 0)
    off = both("off_when_unused")
    # A board that carries what is always on is so, too.
    carried = devices.on_board[~devices.off_when_unused & (devices.count_min > 0)]
    off[len(devices) + carried[carried >= 0]] = False
    goes_on = off & (not math.isfinite(instance.limits.cycle_s))
    found = [np.flatnonzero(devices.on_board == b).tolist() for b in range(len(boards))]
    first = [next(iter(mine), 0) for mine in found]
    return Idlers(
        idle_power_w=idle,
        sleep_power_w=np.where(sleeps, sleep, idle),
        sleeps=sleeps,
        wake_time_s=both("wake_time_s"),
        wake_energy_j=both("wake_energy_j"),
        goes_on=goes_on,
        start_up_time_s=np.where(goes_on, both("start_up_time_s"), 0.0),
        start_up_energy_j=np.where(goes_on, both("start_up_energy_j"), 0.0),
        start_up_cost=np.where(goes_on, both("start_up_cost"), 0.0),
        always_on=~off,
        count_min=both("count_min"),
        price_per_s=both("price_per_s"),
        device=np.concatenate([np.arange(len(devices)), np.array(first, dtype=np.int64)]),
    )


def home(instance: Instance, device: int, unit: int) -> list[tuple[int, int]]:
    """Return what is taken where a unit is: the unit and its board, as (kind, number)."""
    board = int(instance.devices.on_board[device])
    found = [(device, unit)]
    if board >= 0:
        each = int(instance.boards.per_board[device])
        found.append((len(instance.devices) + board, unit // each))
    return found


def may_sleep(instance: Instance) -> bool:
    """Whether something sleeps in gaps: then waiting may pay, as it joins gaps."""
    return bool(idlers(instance).sleeps.any())


def waking_draws_more(instance: Instance) -> bool:
    """Whether something that sleeps draws more than idling at an instant at which it wakes.

    What wakes in no time draws at an instant, which has a price.
    """
    rows = idlers(instance)
    saved = (rows.idle_power_w - rows.sleep_power_w) * rows.wake_time_s
    return bool((rows.wake_energy_j[rows.sleeps] > saved[rows.sleeps]).any())


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
    rows, count = idlers(instance), len(instance.devices)
    boards = np.append(rows.start_up_time_s[count:], 0.0)
    carried = boards[instance.devices.on_board]
    return np.asarray(np.maximum(rows.start_up_time_s[:count], carried), dtype=np.float64)


def without_idling(instance: Instance) -> Instance:
    """Return the instance without boards, in which nothing sleeps, and going on takes nothing.

    Its plans are those that keep all other limits: those of the instance start later, as far as
    going on takes time. What a board has of a resource is all that there is of it then, which is
    the same where there is one board (others are told apart before).
    """
    devices = instance.devices
    none = np.zeros(len(devices))
    resources = instance.resources
    return replace(
        instance,
        boards=Boards.none(len(devices)),
        resources=replace(resources, board=np.full(len(resources), -1, dtype=np.int64)),
        devices=replace(
            devices,
            on_board=np.full(len(devices), -1, dtype=np.int64),
            sleep_power_w=np.full(len(devices), np.nan),
            wake_time_s=none,
            wake_energy_j=none,
            start_up_time_s=none,
            start_up_energy_j=none,
            start_up_cost=none,
        ),
    )


def plain(instance: Instance) -> bool:
    """Whether nothing idles but by the idle power of devices: no sleep, start-ups, boards."""
    return not (may_sleep(instance) or starts_up(instance) or len(instance.boards))


@once
def as_if_asleep(instance: Instance) -> Instance:
    """Return an instance that draws no more than the true one, at every instant of every plan.

    What may sleep draws the power of sleep all the time, and what runs on it adds the difference
    to idling, over slots: at an instant at which k >= 1 of s slots are taken it draws its idle
    power i, and here p + (i - p) k / s <= i with p of sleep; at any other it draws i, p, or p
    and what waking takes, and here p. What going on takes is left out. So any bound of this
    instance on energy, cost, carbon or power, also where prices change over time, is one of the
    true instance. Times and all other limits are the same.

    A board draws for its m units what is its own: a part of 1 / m with each that is on, as at least
    one is where k are. What is always on, and what is had at least, becomes a device on which
    nothing can run.
    """
    if plain(instance):
        return instance
    rows, devices, options = idlers(instance), instance.devices, instance.options
    count, boards = len(devices), instance.boards
    more = rows.idle_power_w - rows.sleep_power_w
    on_device = more[:count] / devices.slots
    idle = rows.sleep_power_w[:count].copy()
    for b in range(len(boards)):
        mine = np.flatnonzero(devices.on_board == b)
        each = boards.per_board[mine]
        if not len(mine):
            continue
        on_device[mine] += more[count + b] / float((each * devices.slots[mine]).sum())
        if not rows.always_on[count + b]:
            idle[mine] += rows.sleep_power_w[count + b] / float(each.sum())
    added = on_device[options.device] * options.time_s
    # Sums of floats are taken down by more than their rounding.
    energy = np.where(added > 0, (options.energy_j + added) * SURELY, options.energy_j)
    made = without_idling(instance)
    made = replace(
        made,
        devices=replace(made.devices, idle_power_w=np.where(idle > 0, idle * SURELY, idle)),
        options=replace(options, energy_j=energy),
    )
    return made if not len(boards) else _with_still_devices(made, instance, rows)


def _with_still_devices(made: Instance, instance: Instance, rows: Idlers) -> Instance:
    """Append a device for each board that draws, or is paid for, whatever runs."""
    devices, boards, count = made.devices, instance.boards, len(instance.devices)
    columns = {}
    always = rows.always_on[count:]
    stated: dict[str, Any] = {
        "name": [f"board {name}" for name in boards.name.tolist()],
        "count_min": boards.count_min,
        "count_max": np.maximum(boards.count_min, 0),
        "idle_power_w": np.where(always, rows.sleep_power_w[count:], 0.0),
        "off_when_unused": ~always,
        "price_per_s": boards.price_per_s,
        "site": devices.site[rows.device[count:]],
        "pool": np.full(len(boards), -1),
        "memory_b": np.full(len(boards), np.inf),
        "on_board": np.full(len(boards), -1),
    }
    for name in devices.__dataclass_fields__:
        old = getattr(devices, name)
        new = stated[name] if name in stated else np.repeat(old[:1], len(boards))
        columns[name] = np.concatenate([old, np.asarray(new, dtype=old.dtype)])
    wide = count + len(boards)
    return replace(made, devices=replace(devices, **columns), boards=Boards.none(wide))
