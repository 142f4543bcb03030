"""What holds of power where resources slow what runs, by averages.

What is slowed draws less, for longer, so a cap forbids fewer plans than at full speed, and the peak
may be lower than any task's power. But energy stays what it is: over a plan of makespan W whose
power never exceeds P, Σ energy of tasks <= (P - idle of what is always on) × W. So a cap bounds the
makespan from below, and the latest end the peak.
"""

from __future__ import annotations

import math

import numpy as np

from hetopt.instance import Instance
from hetopt.schedule.model.usable_options import usable_classes


def least_energy(instance: Instance) -> float:
    """Energy above idle that the tasks draw at least, each by its thriftiest option (J)."""
    classes, tasks = usable_classes(instance), instance.tasks
    least = np.full(len(classes), np.inf)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    np.minimum.at(least, owner, instance.options.energy_j[classes.option])
    return float((least[classes.member] * tasks.work).sum())


def capped_makespan(instance: Instance, always_w: float) -> float:
    """Makespan (s) that the power cap asks for at least; inf where it allows none, 0 without any.

    ``always_w`` is the idle power of what is on whatever runs.
    """
    cap = instance.limits.power_cap_w
    energy = least_energy(instance)
    if math.isinf(cap) or energy <= 0:
        return 0.0
    return energy / (cap - always_w) if cap > always_w else math.inf


def mean_power(instance: Instance, always_w: float, latest_s: float) -> float:
    """Power (W) that a plan which ends by ``latest_s`` (inf: any time) exceeds at some instant."""
    if not 0 < latest_s < math.inf:
        return always_w
    return always_w + least_energy(instance) / latest_s
