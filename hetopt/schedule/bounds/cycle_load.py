"""The load bound of one cycle of a schedule that repeats for ever."""

from __future__ import annotations

import math
from dataclasses import replace

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.instance.tariffs import series_of
from hetopt.schedule.bounds.load_bound import Load, load_bound
from hetopt.verify.schedule.cyclic import MOST_TASKS

BLUR = 1e-7
"""Part of the cycle that outweighs what rounding adds to lengths."""


def cycle_load(instance: Instance, load: Load, objective: str) -> float:
    """Return the least energy, cost or carbon of a cycle by the load relaxation; 0 where none.

    In each cycle of length H each task runs once, though not all of one repetition need run in the
    same, and a unit of s slots has s × H of time. So the tasks of n units of a device take at most
    n × s × H, whatever the order and the number of repetitions that overlap; the n units draw idle
    power, and are paid for, all the time. That is the relaxation of
    :mod:`hetopt.schedule.bounds.load_bound` with the makespan fixed at H.

    Runs on a slot may overlap by the tolerance, which is a part of the latest end of so many
    repetitions as the checker writes out: all tasks together find room in w × H, w a little more
    than 1. A plan's options with idle power over w × H instead of H cost no more than w times the
    plan, and the relaxation of w × H no more than that.
    """
    tasks, cycle = max(1, len(instance.tasks)), float(instance.limits.cycle_s)
    if series_of(instance, objective) is not None or not load.possible:
        return 0.0
    latest = float(instance.jobs.deadline_s[instance.tasks.job].max(initial=0.0)) / cycle
    written = 2 * min(latest, MOST_TASKS / tasks) + 8
    wider = 1 + BLUR + LIMIT_TOLERANCE * written * tasks
    long = cycle * wider
    endless = replace(instance.limits, cycle_s=math.inf, horizon_s=math.inf)
    found = load_bound(replace(instance, limits=endless), load, objective, long, long).value
    return found / wider if math.isfinite(found) else 0.0
