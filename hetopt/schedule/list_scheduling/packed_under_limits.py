"""Plans of instances with limits that tie units together, by the compiled list schedulers.

Those know no such limit. The plan that they make without any is often within them all the same, or
once it is timed anew under them, with its options, units and order: the checker decides. Else,
under finite memory and a power cap, options are left out until hardly any plan over what remains
can break one: each unit holds only weights that fit beside each other, and the most that all units
can draw together stays below the cap. Room for outputs and copies is a guess, and the next guess is
more cautious. A timetable wastes less, but takes Python a second per thousand tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints, TaskClasses
from hetopt.instance.derived import once
from hetopt.instance.grouping import ptr_of
from hetopt.instance.states.setups import without_setups
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.packed import PackedProblem, packed
from hetopt.schedule.model.usable_options import usable_classes
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

BUFFERS = (0.05, 0.1, 0.2, 0.4)
"""Parts of a memory that are left to outputs and copies."""
QUANTILES = (1.0, 0.95, 0.9, 0.8, 0.65, 0.5, 0.25, 0.0)
"""Options of a device, by power, that remain under the cap."""
TINY = 1e-300
"""Energy of an option that uses none."""
BOLD_SHARE = 0.5
"""Part of the time for a plan without any limit."""
OTHERS = (
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "resources",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "units that take time to go on",
    "set-ups",
)
"""Limits beside memory and a power cap."""
MOST_ROWS = 500_000
"""Options of all classes up to which they are gone through in Python."""

Search = Callable[[PackedProblem, float | None], SchedulePlan | None]
"""A compiled search: from columns and a time to give up to a plan that respects what they know."""


def cautious(
    instance: Instance, search: Search, *, limit: float | None = None
) -> SchedulePlan | None:
    """Return a plan under all limits that the checker accepts, or None.

    Parameters
    ----------
    instance
        Of the schedule regime. Nothing is found where it has other features that the compiled
        schedulers do not know.
    search
        Makes a plan of the instance without those limits and with fewer options.
    limit
        ``time.monotonic()`` value at which to give up.
    """
    if len(usable_classes(instance).option) > MOST_ROWS:
        return None
    columns = packed(unlimited(instance))
    if columns is None:
        return None
    now = time.monotonic()
    plan = search(columns, None if limit is None else now + BOLD_SHARE * (limit - now))
    plan = _within(instance, plan)
    if plan is not None:
        return plan
    if has_any(instance, OTHERS):
        return None
    for keep in _choices(instance):
        if limit is not None and time.monotonic() >= limit:
            return None
        fewer = packed(_with_options(unlimited(instance), usable_classes(instance), keep))
        if fewer is None:
            return None
        plan = _within(instance, search(fewer, limit))
        if plan is not None:
            return plan
    return None


def _within(instance: Instance, plan: SchedulePlan | None) -> SchedulePlan | None:
    """Return the plan if it is within all limits, else with other times if that helps, or None."""
    if plan is None or verify(instance, plan).ok:
        return plan
    plan = within_limits(instance, plan)
    return plan if plan is not None and verify(instance, plan).ok else None


@once
def unlimited(instance: Instance) -> Instance:
    """Return the instance without limits that tie units together; made once per instance."""
    instance = without_setups(instance)
    devices, pools, limits = instance.devices, instance.pools, instance.limits
    links, none = instance.links, np.zeros(0, dtype=np.int64)
    nobody = replace(instance.together, ptr=np.zeros(1, dtype=np.int64), task=none)
    uses = instance.uses
    return replace(
        instance,
        devices=replace(
            devices,
            start_up_time_s=np.zeros(len(devices)),
            memory_b=np.full(len(devices), np.inf),
            overlap=np.ones(len(devices), dtype=bool),
        ),
        pools=replace(pools, memory_b=np.full(len(pools), np.inf)),
        links=replace(links, channel_group=np.full(len(links), -1)),
        uses=replace(uses, ptr=0 * uses.ptr, resource=none, amount=np.zeros(0)),
        together=nobody,
        apart=nobody,
        limits=replace(limits, power_cap_w=math.inf),
    )


def _with_options(instance: Instance, classes: TaskClasses, keep: Bools) -> Instance:
    """Return an instance of its own in which tasks have only the options that are kept."""
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    kept = np.bincount(owner[keep], minlength=len(classes))
    ptr = ptr_of(kept)
    made = replace(instance)
    # The tables stay, so that options keep their numbers; classes say who may use which.
    made.__dict__["classes"] = TaskClasses(classes.member, ptr, classes.option[keep])
    return made


def _choices(instance: Instance) -> Iterator[Bools]:
    """Yield sets of options (of classes) that leave each class at least one; bolder ones first."""
    classes = usable_classes(instance)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    everything = np.ones(len(owner), dtype=bool)
    cool = _under_cap(instance, classes, owner) if _capped(instance) else everything
    if cool is None:
        return
    devices = instance.devices
    if not (np.isfinite(devices.memory_b).any() or np.isfinite(instance.pools.memory_b).any()):
        yield cool
        return
    for part in BUFFERS:
        keep = _within_memory(instance, classes, owner, cool, part)
        if keep is not None:
            yield keep


def _capped(instance: Instance) -> bool:
    return math.isfinite(instance.limits.power_cap_w)


def _under_cap(instance: Instance, classes: TaskClasses, owner: Ints) -> Bools | None:
    """Options such that all units together cannot draw more than the cap, whatever they run."""
    options, devices = instance.options, instance.devices
    device, wide = options.device[classes.option], len(devices)
    time_s = options.time_s[classes.option]
    power = np.divide(
        options.energy_j[classes.option], time_s, out=np.zeros(len(device)), where=time_s > 0
    )
    units = devices.count_max.astype(np.float64)
    usable = np.isin(np.arange(wide), device)
    # Work per joule: the device that does least for what it draws is done without first.
    worth = np.full(wide, np.inf)
    for d in np.flatnonzero(usable).tolist():
        worth[d] = 1.0 / max(float((power * time_s)[device == d].mean()), TINY)
    while usable.any():
        for quantile in QUANTILES:
            ceiling = np.full(wide, -1.0)
            for d in np.flatnonzero(usable).tolist():
                ceiling[d] = np.quantile(power[device == d], quantile, method="higher")
            keep = power <= ceiling[device]
            for row in _least_of(power, owner, np.bincount(owner[keep], minlength=len(classes))):
                ceiling[device[row]] = max(ceiling[device[row]], power[row])
            used = ceiling >= 0
            most = float((np.where(used, ceiling, 0.0) * devices.slots * units).sum())
            idle = np.where(used | ~devices.off_when_unused, devices.idle_power_w * units, 0.0)
            if most + float(idle.sum()) <= instance.limits.power_cap_w:
                return np.asarray(power <= ceiling[device])
        usable[int(np.argmin(np.where(usable, worth, np.inf)))] = False
    return None


def _least_of(value: Floats, owner: Ints, kept: Ints) -> list[int]:
    """Return the row of least value of each class of which nothing is kept."""
    rows = np.flatnonzero(kept[owner] == 0)
    rows = rows[np.lexsort((value[rows], owner[rows]))]
    first: list[int] = rows[np.unique(owner[rows], return_index=True)[1]].tolist()
    return first


def _within_memory(
    instance: Instance, classes: TaskClasses, owner: Ints, usable: Bools, part: float
) -> Bools | None:
    """Options whose weights fit into each unit beside each other, ``part`` of it left free.

    Every class gets one, the largest weights first; then those that save most time per byte.
    """
    options, room = instance.options, _Room(instance, part)
    option, count = classes.option, len(classes)
    device = options.device[option]
    keep = usable & ~room.tight[device]
    work = np.bincount(classes.member, weights=instance.tasks.work, minlength=count)
    time_s = options.time_s[option]
    mean = np.bincount(owner, weights=time_s, minlength=count) / np.maximum(1, np.diff(classes.ptr))
    weights = options.weights_b[option]
    worth = work[owner] * (mean[owner] - time_s) / np.maximum(weights, 1.0)
    rows = np.flatnonzero(usable & ~keep)
    by_worth = rows[np.argsort(-worth[rows], kind="stable")]
    largest = np.zeros(count)
    np.maximum.at(largest, owner, weights)
    served = np.bincount(owner[keep], minlength=count) > 0
    by_size = by_worth[np.argsort(-largest[owner[by_worth]], kind="stable")]
    for row in by_size.tolist():
        if not served[owner[row]] and room.take(int(option[row])):
            keep[row] = served[owner[row]] = True
    if not served.all():
        return None
    for row in by_worth.tolist():
        if not keep[row] and room.take(int(option[row])):
            keep[row] = True
    return keep


class _Room:
    """Weights and working memory that each unit of a device, and each pool, has to hold."""

    def __init__(self, instance: Instance, part: float) -> None:
        devices = instance.devices
        self.options = instance.options
        self.units: list[int] = devices.count_max.tolist()
        self.slots: list[int] = devices.slots.tolist()
        self.pool: list[int] = devices.pool.tolist()
        self.own: list[float] = (devices.memory_b * (1 - part)).tolist()
        self.shared: list[float] = (instance.pools.memory_b * (1 - part)).tolist()
        limited = np.append(np.isfinite(instance.pools.memory_b), False)
        self.tight: Bools = np.isfinite(devices.memory_b) | limited[devices.pool]
        self.held: set[tuple[int, int]] = set()
        self.working = [0.0] * len(devices)

    def take(self, option: int) -> bool:
        """Make room for an option on its device, on each of its units; return whether there is."""
        d = int(self.options.device[option])
        key = (d, int(self.options.weights_key[option]))
        loaded = key[1] < 0 or key in self.held
        grown = max(self.working[d], float(self.options.memory_b[option]))
        need = 0.0 if loaded else float(self.options.weights_b[option])
        need += self.slots[d] * (grown - self.working[d])
        pool = self.pool[d]
        if need > self.own[d] or (pool >= 0 and need * self.units[d] > self.shared[pool]):
            return False
        self.own[d] -= need
        if pool >= 0:
            self.shared[pool] -= need * self.units[d]
        self.working[d] = grown
        self.held.add(key)
        return True
