"""Optimum of a tiny instance with scenarios: fleets enumerated, each scenario solved alone.

With the units had fixed nothing joins the scenarios but θ and the budget, so a cost is the mean of
the optima of each, and θ the least of theirs. One objective only, and no budget.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from hetopt import from_frames, to_frames, to_settings
from hetopt.instance import Instance, is_maximised
from tests.oracles.schedule_oracle import TooHardError
from tests.oracles.steady_oracle import most_units, steady_optimum

MOST_FLEETS = 36


def scenario_optimum(instance: Instance) -> tuple[float, ...] | None:
    """Return the optimum of the instance's one objective, None where infeasible."""
    scenarios = [asked(instance.in_scenario(s)) for s in range(len(instance.scenarios))]
    rates = instance.scenarios.rate_per_s.sum(axis=1)
    share = instance.scenarios.weight / instance.scenarios.weight.sum()
    (name,) = instance.objective
    if name == "throughput" and instance.devices.min_load.any():
        # With a least load the largest θ of each says nothing of a common one.
        raise TooHardError
    sign = -1.0 if is_maximised(name) else 1.0
    values = []
    for had in fleets(instance, scenarios):
        found = [steady_optimum(with_fleet(part, had)) for part in scenarios]
        if any(value is None for value in found):
            continue
        of_each = np.array([value[0] for value in found if value is not None])
        if name == "throughput":
            of_each = np.full(len(rates), (of_each / rates).min()) * rates
        values.append(sign * float(share @ of_each))
    return (sign * min(values),) if values else None


def asked(instance: Instance) -> Instance:
    """Leave out the jobs of which nothing is asked."""
    keep = instance.jobs.rate_per_s > 0
    if keep.all():
        return instance
    frames, settings = to_frames(instance), to_settings(instance)
    jobs = instance.jobs.name[keep].tolist()
    tasks = instance.tasks.name[keep[instance.tasks.job]].tolist()
    frames["jobs"] = frames["jobs"][frames["jobs"]["name"].isin(jobs)].reset_index(drop=True)
    frames["tasks"] = frames["tasks"][frames["tasks"]["name"].isin(tasks)].reset_index(drop=True)
    if "transfers" in frames:
        inside = frames["transfers"]["from"].isin(tasks)
        frames["transfers"] = frames["transfers"][inside].reset_index(drop=True)
    for kind in ("together", "apart"):
        settings[kind] = [g for g in settings.get(kind, []) if set(g) <= set(tasks)]
    return from_frames(frames, settings)


def fleets(instance: Instance, scenarios: list[Instance]) -> list[tuple[int, ...]]:
    """List every number of units had that is worth trying."""
    devices = instance.devices
    ranges = [
        range(int(devices.count_min[d]), max(most_had(part, d) for part in scenarios) + 1)
        for d in range(len(devices))
    ]
    found = list(itertools.islice(itertools.product(*ranges), MOST_FLEETS + 1))
    if len(found) > MOST_FLEETS:
        raise TooHardError
    return found


def most_had(instance: Instance, device: int) -> int:
    """Units that are of use, with spares beside them where there is no maximum."""
    spare = instance.devices.spare if instance.devices.count_max[device] < 0 else [0] * (device + 1)
    return most_units(instance, device) + int(spare[device])


def with_fleet(instance: Instance, had: tuple[int, ...]) -> Instance:
    """Fix the units had."""
    count = np.array(had, dtype=np.int64)
    return replace(instance, devices=replace(instance.devices, count_min=count, count_max=count))
