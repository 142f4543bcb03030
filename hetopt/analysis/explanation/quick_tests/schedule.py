"""Plain impossibilities of a schedule: time, memory, power and resources that cannot suffice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hetopt import units
from hetopt.analysis.explanation.critical_paths import chain_of, chains
from hetopt.analysis.explanation.quick_tests.shortages import Screen, least, short
from hetopt.evaluate.with_units import counted
from hetopt.instance import Instance
from hetopt.instance.grouping import sums
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep
from hetopt.schedule.model.without_slowdown import shares


def schedule_tests(instance: Instance) -> list[Screen]:
    """Return what is plainly impossible in a schedule; every task has an option."""
    found = [*_critical_paths(instance), *_one_device(instance), *_all_devices(instance)]
    found += _cycle(instance)
    return [*found, *_weights(instance), *_power(instance), *_resources(instance)]


def _critical_paths(instance: Instance) -> Iterator[Screen]:
    """Jobs whose longest chain of shortest options ends after their deadline or the horizon."""
    jobs, tasks = instance.jobs, instance.tasks
    end, chain = chains(instance, instance.options.time_s, jobs.release_s)
    for j in range(len(jobs)):
        own = np.flatnonzero(tasks.job == j)
        last = int(own[np.argmax(end[own])])
        need, release = float(end[last]), float(jobs.release_s[j])
        for limit, kind, subject in (
            (float(jobs.deadline_s[j]), "deadline", str(jobs.name[j])),
            (instance.limits.horizon_s, "horizon", ""),
        ):
            if not short(need, limit):
                continue
            path = chain_of(instance, chain, last)
            fastest = ", each at its fastest" if chain[last] >= 0 else " at its fastest"
            what = "its deadline" if kind == "deadline" else "the horizon"
            after = f" (released at {units.format(release, 'time')})" if release > 0 else ""
            text = (
                f"The critical path of job {jobs.name[j]} ends at "
                f"{units.format(need, 'time')} at the earliest{after}; {what} is "
                f"{units.format(limit, 'time')}. It is {path}{fastest}."
            )
            key = f"{kind}:{subject}" if subject else kind
            yield Screen("critical_path", str(jobs.name[j]), text, (key,), need / max(limit, 1e-12))


def _end_of_all(instance: Instance) -> tuple[float, list[str]]:
    """Return the time by which all tasks must have ended, and the limits that say so."""
    jobs = instance.jobs
    latest = float(jobs.deadline_s.max())
    keys = [f"deadline:{name}" for name in jobs.name.tolist()]
    if instance.limits.horizon_s <= latest:
        latest, keys = instance.limits.horizon_s, ["horizon"]
    return latest, keys


def _one_device(instance: Instance) -> Iterator[Screen]:
    """Devices whose units are too few for what can only run there, in the time there is."""
    latest, keys = _end_of_all(instance)
    first = float(instance.jobs.release_s.min())
    if not np.isfinite(latest):
        return
    yield from _overloaded(
        instance, latest - first, f" until {units.format(latest, 'time')}", tuple(keys)
    )


def _cycle(instance: Instance) -> Iterator[Screen]:
    """Devices whose units are too few, of a schedule that repeats, for what only runs there.

    All of a cycle's tasks take units for as long as they run, modulo the cycle.
    """
    cycle = instance.limits.cycle_s
    if np.isfinite(cycle):
        yield from _overloaded(instance, cycle, " in each cycle", ())


def _overloaded(
    instance: Instance, window_s: float, when: str, keys: tuple[str, ...]
) -> Iterator[Screen]:
    """Devices that are busy for longer than their units have in a time, by tasks of theirs alone.

    Parameters
    ----------
    window_s, when
        How long a slot can be busy, and what that time is called.
    keys
        The limits that say so.
    """
    devices = instance.devices
    ptr, option = instance.admissible
    device = instance.options.device[option]
    owner = np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))
    lowest = np.full(len(instance.tasks), len(devices))
    highest = np.full(len(instance.tasks), -1)
    np.minimum.at(lowest, owner, device)
    np.maximum.at(highest, owner, device)
    bound = lowest == highest
    time = least(instance, instance.options.time_s, work=True)
    need = sums(lowest[bound], time[bound], len(devices))
    lanes = devices.count_max * devices.slots
    for d in np.flatnonzero(need > 0).tolist():
        room = window_s * float(lanes[d])
        if short(float(need[d]), room):
            count = int((bound & (lowest == d)).sum())
            text = (
                f"{counted(count, 'task')} can only run on {devices.name[d]} and "
                f"{'keep' if count > 1 else 'keeps'} it busy for "
                f"{units.format(float(need[d]), 'time')}; {_lanes(instance, d)} "
                f"{units.format(room, 'time')}{when}."
            )
            name = str(devices.name[d])
            yield Screen("load", name, text, keys, float(need[d]) / max(room, 1e-12))


def _lanes(instance: Instance, device: int) -> str:
    count, slots = int(instance.devices.count_max[device]), int(instance.devices.slots[device])
    unit = "its one unit gives" if count == 1 else f"its {count} units give"
    return unit if slots == 1 else f"{unit[:-5].rstrip()} of {slots} slots {unit.split()[-1]}"


def _all_devices(instance: Instance) -> Iterator[Screen]:
    """Work that all units together cannot do in time, even if each task took its fastest option."""
    latest, keys = _end_of_all(instance)
    if not np.isfinite(latest):
        return
    first = float(instance.jobs.release_s.min())
    need = float(least(instance, instance.options.time_s, work=True).sum())
    lanes = int((instance.devices.count_max * instance.devices.slots).sum())
    room = (latest - first) * lanes
    if short(need, room):
        text = (
            f"All tasks at their fastest take {units.format(need, 'time')}; all units together "
            f"give {units.format(room, 'time')} until {units.format(latest, 'time')}."
        )
        yield Screen("load", "", text, tuple(keys), need / max(room, 1e-12))


def _weights(instance: Instance) -> Iterator[Screen]:
    """Single units that must hold the weights of all that can only run on them."""
    devices, options = instance.devices, instance.options
    needs: dict[int, dict[int, float]] = {}
    classes = instance.classes
    for k in range(len(classes)):
        rows = classes.option[classes.ptr[k] : classes.ptr[k + 1]]
        where = dict.fromkeys(options.device[rows].tolist())
        keys = dict.fromkeys(options.weights_key[rows].tolist())
        if len(where) == 1 and len(keys) == 1 and -1 not in keys:
            held = needs.setdefault(next(iter(where)), {})
            held[next(iter(keys))] = float(options.weights_b[rows[0]])
    for d, held in needs.items():
        need, room = sum(held.values()), float(devices.memory_b[d]) * int(devices.count_max[d])
        if len(held) > 1 and short(need, room):
            name = str(devices.name[d])
            unit = f"{name}#0" if devices.count_max[d] == 1 else f"the units of {name}"
            text = (
                f"{len(held)} models can only run on {name}: {unit} would need "
                f"{units.format(need, 'bytes')} for their weights and has "
                f"{units.format(room, 'bytes')}."
            )
            yield Screen("memory", name, text, (f"memory:{name}",), need / max(room, 1.0))


def _power(instance: Instance) -> Iterator[Screen]:
    """Compare the power cap with what must be drawn at some instant."""
    cap = instance.limits.power_cap_w
    if not np.isfinite(cap):
        return
    plain = as_if_asleep(instance)
    devices, options = plain.devices, plain.options
    always = ~devices.off_when_unused
    floor = float((devices.idle_power_w * devices.count_min)[always].sum())
    time = options.time_s
    above = np.divide(options.energy_j, time, out=np.zeros(len(time)), where=time > 0)
    # What may be slowed may draw as little as one likes.
    above[shares(instance)] = 0.0
    own = np.where(always[options.device] & (devices.count_min[options.device] > 0), 0.0, 1.0)
    drawn = least(instance, above + own * devices.idle_power_w[options.device])
    worst = int(np.argmax(drawn))
    need = floor + float(drawn[worst])
    if not short(need, cap):
        return
    text = (
        f"While {instance.tasks.name[worst]} runs, at least {units.format(need, 'power')} are drawn"
    )
    if floor > 0:
        text += f", {units.format(floor, 'power')} of it by devices that are always on"
    text += f"; the power cap is {units.format(cap, 'power')}."
    yield Screen("power", "", text, ("power_cap",), need / max(cap, 1e-12))


def _resources(instance: Instance) -> Iterator[Screen]:
    """Resources of which the most modest options need more than there is."""
    resources, options = instance.resources, instance.options
    for k in range(len(resources)):
        name = str(resources.name[k])
        amount = np.zeros(len(options))
        own = instance.uses.resource == k
        owner = np.repeat(np.arange(len(options)), np.diff(instance.uses.ptr))
        amount[owner[own]] = instance.uses.amount[own]
        timed = np.where(options.time_s > 0, amount, 0.0)
        uses = least(instance, timed)
        capacity, budget = float(resources.capacity[k]), float(resources.budget[k])
        worst = int(np.argmax(uses))
        if short(uses[worst], capacity) and not resources.slow[k]:
            text = (
                f"{instance.tasks.name[worst]} uses at least {uses[worst]:g} of {name} while it "
                f"runs; there is {capacity:g}."
            )
            keys = (f"resource_capacity:{name}",)
            yield Screen("resource", name, text, keys, float(uses[worst] / max(capacity, 1e-9)))
        total = float(least(instance, amount).sum())
        if short(total, budget):
            text = f"All tasks together use at least {total:g} of {name}; its budget is {budget:g}."
            keys = (f"resource_budget:{name}",)
            yield Screen("resource", name, text, keys, total / max(budget, 1e-9))
