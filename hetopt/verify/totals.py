"""The objectives of a schedule, summed by the checker itself."""

from __future__ import annotations

import math

import numpy as np

from hetopt.instance import Instance
from hetopt.solution import Hops
from hetopt.verify.exact import Timeline
from hetopt.verify.schedule import Placed
from hetopt.verify.sweep import group_max


def totals(
    instance: Instance,
    placed: Placed,
    times: Timeline,
    hops: Hops,
    peak_power_w: float,
    accuracy: float | None,
) -> dict[str, float]:
    """Return every objective of the schedule regime that the plan determines (SI units)."""
    options, devices, limits = instance.options, instance.devices, instance.limits
    task = np.flatnonzero(placed.usable)
    ends = times.end[task]
    makespan = times.scale.seconds(ends.max()) if len(task) else 0.0
    window = limits.horizon_s if math.isfinite(limits.horizon_s) else makespan
    on, had = placed.units_on(instance)
    energy = math.fsum(
        (
            math.fsum(instance.tasks.work[task] * options.energy_j[placed.option[task]]),
            math.fsum(
                instance.tensors.bytes_b[hops.tensor] * instance.links.energy_j_per_b[hops.link]
            ),
            math.fsum(devices.idle_power_w * on) * window,
        )
    )
    paid = energy * limits.pue
    job = instance.tasks.job[task]
    late = times.scale.zero(len(instance.jobs))
    dated = np.isfinite(instance.jobs.due_s[job])
    late = group_max(job[dated], ends[dated] - times.due[job[dated]], late)
    result = {
        "energy": energy,
        "makespan": makespan,
        "cost": math.fsum(devices.price_per_s * had) * window + paid * limits.energy_price_per_j,
        "carbon": paid * limits.carbon_kg_per_j,
        "tardiness": math.fsum(
            weight * times.scale.seconds(over)
            for weight, over in zip(instance.jobs.weight, late, strict=True)
            if over > 0
        ),
        "peak_power": peak_power_w,
    }
    if accuracy is not None:
        result["accuracy"] = accuracy
    return result
