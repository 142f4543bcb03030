"""Quick looks at an instance that find plain impossibilities by arithmetic, without a solver.

Each sentence compares what is needed at the very least with what there is, and names the limits
that it speaks of. All of them are true of any plan: shortest options, messages that cannot be
avoided, no waiting for anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hetopt import units
from hetopt.analysis.explanation.quick_tests.schedule import schedule_tests
from hetopt.analysis.explanation.quick_tests.shortages import Screen, least, named, short
from hetopt.analysis.explanation.quick_tests.steady import steady_tests
from hetopt.analysis.explanation.repetitions import base_name
from hetopt.instance import Instance
from hetopt.instance.overrides import some_jobs, some_tasks
from hetopt.instance.questions import needed_tasks, stuck_tasks

MOST_PER_KIND = 5
"""Sentences of one kind; the worst come first."""


def screens(instance: Instance) -> list[Screen]:
    """Return what is plainly impossible in an instance, at most some of each kind."""
    needed = needed_tasks(instance)
    if not needed.all():
        # What need not be served makes nothing impossible.
        groups = [needed[group] for group in (*instance.together, *instance.apart)]
        if not needed.any() or any(group.any() and not group.all() for group in groups):
            return []
        if instance.regime == "schedule":
            instance = some_jobs(instance, np.unique(instance.tasks.job[needed]))
        else:
            instance = some_tasks(instance, np.flatnonzero(needed))
    found = [*_without_option(instance)]
    if not found:
        found += [*_too_large(instance), *_accuracy(instance)]
        of_regime = schedule_tests if instance.regime == "schedule" else steady_tests
        found += of_regime(instance)
    worst: dict[tuple[str, str], Screen] = {}
    for screen in sorted(found, key=lambda s: -s.excess):
        # Of the repetitions of a job one sentence is enough; of each subject its worst.
        worst.setdefault((screen.kind, base_name(screen.subject) + _about(screen)), screen)
    kept: list[Screen] = []
    for screen in worst.values():
        if sum(s.kind == screen.kind for s in kept) < MOST_PER_KIND:
            kept.append(screen)
    return kept


def _about(screen: Screen) -> str:
    """Kinds of the limits that a sentence speaks of."""
    return ",".join(dict.fromkeys(key.partition(":")[0] for key in screen.limits))


def _without_option(instance: Instance) -> Iterator[Screen]:
    """Tasks that no device may run, and why."""
    tasks, devices, options = instance.tasks, instance.devices, instance.options
    for t in stuck_tasks(instance).tolist():
        profile = int(tasks.profile[t])
        rows = slice(*instance.profiles.ptr[profile : profile + 2].tolist())
        able = dict.fromkeys(options.device[rows].tolist())
        name = str(tasks.name[t])
        share, served = _least_share(instance, t)
        if not able:
            text = f"No device runs {name}: its profile has no options{served}."
            yield Screen("no_option", name, text, share)
            continue
        names = ", ".join(str(devices.name[d]) for d in able)
        pin = int(tasks.pin_device[t])
        keys = [f"forbid:{name}={devices.name[d]}" for d in able]
        why = "it is forbidden there"
        if pin >= 0:
            keys.append(f"pin:{name}")
            why = f"it is pinned to {devices.name[pin]}"
        text = f"No device may run {name}: {names} could, but {why}{served}."
        yield Screen("no_option", name, text, (*keys, *share))
    ptr, option = instance.admissible
    absent = devices.count_max[options.device[option]] == 0
    owner = np.repeat(np.arange(len(tasks)), np.diff(ptr))
    present = np.bincount(owner[~absent], minlength=len(tasks))
    for t in np.flatnonzero((present == 0) & (np.diff(ptr) > 0)).tolist():
        able = dict.fromkeys(options.device[option[ptr[t] : ptr[t + 1]]].tolist())
        names = ", ".join(str(devices.name[d]) for d in able)
        share, served = _least_share(instance, t)
        text = f"{tasks.name[t]} runs on {names} only, of which there are no units{served}."
        keys = [f"units:{devices.name[d]}" for d in able]
        yield Screen("no_unit", str(tasks.name[t]), text, (*keys, *share))


def _least_share(instance: Instance, task: int) -> tuple[tuple[str, ...], str]:
    """Return the limit that asks for a task at all, and words for it, where work has a worth."""
    if instance.regime != "steady" or "value" not in instance.objective:
        return (), ""
    name = instance.jobs.name[instance.tasks.job[task]]
    return (f"min_share:{name}",), f", and some share of {name} must be served"


def _too_large(instance: Instance) -> Iterator[Screen]:
    """Tasks none of whose options fits the memory of its device."""
    options, devices, tasks = instance.options, instance.devices, instance.tasks
    slots = devices.slots[options.device] if instance.regime == "steady" else 1
    need = options.memory_b * slots + options.weights_b
    pool = np.append(instance.pools.memory_b, np.inf)[devices.pool]
    room = np.minimum(devices.memory_b, pool)[options.device]
    over = short(need, room)
    classes = instance.classes
    for k in range(len(classes)):
        rows = classes.option[classes.ptr[k] : classes.ptr[k + 1]]
        if not len(rows) or not over[rows].all():
            continue
        best = rows[np.argmin(need[rows] - room[rows])]
        device = int(options.device[best])
        members = np.flatnonzero(classes.member == k)
        what = named(tasks.name[members].tolist())
        where = devices.name[device]
        text = (
            f"{what} needs {units.format(float(need[best]), 'bytes')} on {where} for weights and "
            f"work; {where} has {units.format(float(room[best]), 'bytes')}"
        )
        others = dict.fromkeys(options.device[rows].tolist())
        text += "." if len(others) == 1 else ", and the other devices that run it lack even more."
        keys = []
        for d in others:
            keys.append(f"memory:{devices.name[d]}")
            if devices.pool[d] >= 0:
                keys.append(f"pool:{instance.pools.name[devices.pool[d]]}")
        keys += _least_share(instance, int(members[0]))[0]
        excess = float(need[best] / max(room[best], 1.0))
        yield Screen("memory", str(where), text, tuple(keys), excess)


def _accuracy(instance: Instance) -> Iterator[Screen]:
    """Jobs with a task whose most accurate option is below what the job must have."""
    jobs, options = instance.jobs, instance.options
    if not (jobs.min_accuracy > 0).any():
        return
    stated = np.where(np.isnan(options.accuracy), np.inf, options.accuracy)
    best = -least(instance, -stated)
    for j in np.flatnonzero(jobs.min_accuracy > 0).tolist():
        own = np.flatnonzero(instance.tasks.job == j)
        if not len(own):
            continue
        worst = int(own[np.argmin(best[own])])
        asked, most = float(jobs.min_accuracy[j]), float(best[worst])
        if short(asked, most):
            name = str(jobs.name[j])
            text = (
                f"{instance.tasks.name[worst]} reaches an accuracy of at most {most:g}; job {name} "
                f"must have {asked:g}{_least_share(instance, worst)[1]}."
            )
            keys = (f"min_accuracy:{name}", *_least_share(instance, worst)[0])
            yield Screen("accuracy", name, text, keys, asked / max(most, 1e-9))
