"""Options that a plan may use: admissible, accurate enough, on devices that have units."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance, TaskClasses
from hetopt.instance.derived import once
from hetopt.instance.grouping import ptr_of


@once
def usable_classes(instance: Instance) -> TaskClasses:
    """Task classes with the options that are accurate enough, on devices that have units.

    Tasks of one class may use the same options; computed once per instance.
    """
    found = instance.classes
    member, options = found.member, instance.options
    needed, level = np.unique(instance.jobs.min_accuracy, return_inverse=True)
    whole = np.isnan(options.accuracy).all() or not (needed > 0).any()
    if whole:
        floor = np.zeros(len(found))
        kind = np.arange(len(found))
    else:
        key = member * len(needed) + level.reshape(-1)[instance.tasks.job]
        keys, member = np.unique(key, return_inverse=True)
        kind, floor = keys // len(needed), needed[keys % len(needed)]
    size = np.diff(found.ptr)[kind]
    ptr = ptr_of(size)
    at = np.arange(ptr[-1]) + np.repeat(found.ptr[kind] - ptr[:-1], size)
    option, owner = found.option[at], np.repeat(np.arange(len(kind)), size)
    accuracy = options.accuracy[option]
    keep = np.isnan(accuracy) | (accuracy >= floor[owner])
    keep &= instance.devices.count_max[options.device[option]] > 0
    kept = np.bincount(owner[keep], minlength=len(kind))
    ptr = ptr_of(kept)
    return TaskClasses(member.reshape(-1), ptr, option[keep])
