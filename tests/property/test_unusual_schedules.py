"""Schedules in which features meet as they seldom do, against exhaustive enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.campaign import UNUSUAL, judge
from tests.unusual_schedules import forced, unusual_schedule

CHUNK = 12


@pytest.mark.parametrize("chunk", range(3))
def test_every_method_and_start_agrees_with_enumeration(chunk: int) -> None:
    outcomes = [judge(UNUSUAL, seed, 30.0) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK)]
    assert not [(o.seed, o.wrong) for o in outcomes if o.wrong]
    assert sum(o.kind == "agreed" for o in outcomes) >= 3


def test_the_instances_are_unusual() -> None:
    seen = {"": 0}
    for seed in range(120):
        instance, _ = unusual_schedule(seed)
        devices, limits = instance.devices, instance.limits
        zero_copy = instance.pools.zero_copy.any() and instance.host >= 0
        always = (devices.idle_power_w * devices.count_min)[~devices.off_when_unused].sum()
        times = instance.options.time_s[instance.options.time_s > 0]
        found = {
            "nanoseconds": len(times) and times.max() < 1e-7,
            "days": len(times) and times.max() > 80_000,
            "staged in a zero-copy pool": zero_copy and instance.tensors.staged.any(),
            "idle power at the cap": np.isfinite(limits.power_cap_w)
            and 0 < always >= limits.power_cap_w,
            "repeated": any("@" in name for name in instance.tasks.name),
            "no orders": not len(instance.edges) and len(instance.tasks) > 1,
        }
        for name, on in found.items():
            seen[name] = seen.get(name, 0) + bool(on)
        with forced(seed) as names:
            seen[names] = seen.get(names, 0) + 1
    assert min(seen.values()) >= 3, seen
