"""How often to repeat a run, and what its time is."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WARM_UP = 2
"""Runs before the first that counts: memory is allocated, code is compiled, caches are filled."""

FEWEST, MOST = 8, 2000
"""Runs that count, at least and at most; the interval of a median of 8 is that of ranks 1 and 7."""

LEVEL_Z = 1.96
"""Standard normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Times:
    """Repetitions of a run.

    Attributes
    ----------
    walls, cpu_times
        Seconds that passed in each, and seconds of processor time that this process took.
    times
        Those of the two that count.
    settled
        Whether the interval of the median became as narrow as asked within the time.
    """

    walls: list[float]
    cpu_times: list[float]
    times: list[float]
    settled: bool


def repeat(run: Callable[[], object], interval: float, most_s: float, *, threads: int = 0) -> Times:
    """Repeat a run until the median is known.

    Parameters
    ----------
    run
        What is timed.
    interval
        Half the width of the median's 95 % interval, as a part of the median, to stop at.
    most_s
        Seconds after which to stop all the same (the runs under way and warm-up not cut).
    threads
        Where given, processor time by thread counts instead of the time that passes.
    """
    for _ in range(WARM_UP):
        run()
    walls: list[float] = []
    cpu: list[float] = []
    times: list[float] = []
    begin = time.perf_counter()
    settled = False
    while len(times) < MOST and not settled:
        at, spent = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - at)
        cpu.append(time.process_time() - spent)
        times.append(cpu[-1] / threads if threads else walls[-1])
        if len(times) >= FEWEST:
            settled = _width(times) <= interval
            if time.perf_counter() - begin > most_s:
                break
    return Times(walls, cpu, times, settled)


def median_interval(times: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a median by order statistics; it assumes no distribution.

    Ranks n / 2 ± 0.98 √n are those whose binomial probability is 95 % (Conover, Practical
    Nonparametric Statistics, 1999, section 3.2).
    """
    ordered = sorted(times)
    n = len(ordered)
    half = LEVEL_Z * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - half) - 1)
    high = min(n - 1, math.ceil(n / 2 + half))
    return ordered[low], ordered[high]


def _width(times: Sequence[float]) -> float:
    low, high = median_interval(times)
    middle = statistics.median(times)
    return (high - low) / 2 / middle if middle > 0 else 0.0
