"""Schedules whose times have no common tick: plans and bounds lie between two exact neighbours.

An optimum never falls when times grow and all else stays (the same starts fit the shorter times),
as long as power does not depend on time. So with every time between k ticks and k ticks stretched
by a millionth, the optimum lies between those of the two ends, which enumeration knows.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from hetopt.instance import Instance
from hetopt.instance.tariffs import prices_vary
from hetopt.solve import solve
from hetopt.verify import verify
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.random_schedules import random_schedule

STRETCH = Fraction(1, 1_000_000)
CHUNK = 12
REGULAR = {"energy", "makespan", "cost", "carbon"}


def on_grid(seed: int) -> tuple[Instance, Fraction] | None:
    """A random instance that is monotone in its times: no power limits, releases, tardiness, and
    no price that changes, which later work may find lower.
    """
    instance, tick = random_schedule(seed)
    if instance.objective[0] not in REGULAR or instance.jobs.release_s.any():
        return None
    if prices_vary(instance):
        return None
    if np.isfinite(instance.links.bandwidth_b_per_s).any() and tick.denominator % 3 == 0:
        return None
    jobs = replace(instance.jobs, due_s=np.full(len(instance.jobs), np.inf))
    limits = replace(instance.limits, power_cap_w=np.inf)
    return replace(instance, objective=instance.objective[:1], jobs=jobs, limits=limits), tick


def with_times(instance: Instance, factor: np.ndarray, links: np.ndarray) -> Instance:
    """Multiply the times of options and the latencies of links; bandwidth is left out."""
    options = replace(instance.options, time_s=instance.options.time_s * factor)
    wide = np.full(len(instance.links), np.inf)
    return replace(
        instance,
        options=options,
        links=replace(
            instance.links, latency_s=instance.links.latency_s * links, bandwidth_b_per_s=wide
        ),
    )


def rounded(instance: Instance) -> Instance:
    """Write times with the decimals of exact multiples, which products of floats may miss."""
    options = replace(instance.options, time_s=np.round(instance.options.time_s, 12))
    links = replace(instance.links, latency_s=np.round(instance.links.latency_s, 12))
    return replace(instance, options=options, links=links)


@pytest.mark.parametrize("chunk", range(6))
def test_plans_and_bounds_off_the_grid_lie_between_exact_neighbours(chunk: int) -> None:
    compared = 0
    for seed in range(10_000 + chunk * CHUNK, 10_000 + (chunk + 1) * CHUNK):
        made = on_grid(seed)
        if made is None:
            continue
        instance, tick = made
        rng = np.random.default_rng(seed)
        n, m = len(instance.options), len(instance.links)
        stretch = float(STRETCH)
        low = with_times(instance, np.ones(n), np.ones(m))
        high = rounded(with_times(instance, np.full(n, 1 + stretch), np.full(m, 1 + stretch)))
        middle = with_times(
            instance, 1 + stretch * rng.random(n) * 0.99, 1 + stretch * rng.random(m) * 0.99
        )
        try:
            least = schedule_optimum(low, tick)
            most = schedule_optimum(high, tick * (1 + STRETCH))
        except TooHardError:
            continue
        solution = solve(middle, time_limit=20, workers=1)
        compared += 1
        if least is None:
            assert solution.plan is None, f"seed {seed}"
            continue
        if most is not None:
            assert solution.status != "infeasible", f"seed {seed}"
            assert not solution.bound > most[0] * (1 + 1e-9) + 1e-12, f"seed {seed}"
        if solution.plan is not None:
            assert verify(middle, solution.plan).ok, f"seed {seed}"
            assert solution.objective >= least[0] * (1 - 1e-9) - 1e-12, f"seed {seed}"
        if most is not None and solution.plan is not None:
            assert solution.gap <= 1e-4, f"seed {seed}: {solution.objective} {solution.bound}"
            assert solution.objective <= most[0] * (1 + 1e-4) + 1e-12, f"seed {seed}"
    assert compared >= 3
