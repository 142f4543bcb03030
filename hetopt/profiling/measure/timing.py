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

BLOCK = 4
"""Rounds of a group before the next group's turn."""

LEVEL_Z = 1.96
"""Standard normal quantile of a two-sided interval of 95 %."""


@dataclass(slots=True)
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


def repeat(
    groups: Sequence[Sequence[Callable[[], object]]],
    interval: float,
    most_s: float,
    *,
    threads: int = 0,
) -> list[list[Times]]:
    """Repeat runs until the median of each is known.

    The runs of a group take turns, so that each finds the caches as its neighbours leave them;
    groups take turns too, a block of ``BLOCK`` rounds each, so that a load that comes or goes
    meets all of them.

    Parameters
    ----------
    groups
        What is timed.
    interval
        Half the width of a median's 95 % interval, as a part of the median, to stop at.
    most_s
        Seconds after which to stop all the same (the block under way and warm-up not cut).
    threads
        Where given, processor time by thread counts instead of the time that passes.

    Returns
    -------
    list
        As ``groups``, for each run its times.
    """
    found = [[Times([], [], [], False) for _ in group] for group in groups]
    for group in groups:
        for run in group:
            for _ in range(WARM_UP):
                run()
    begin = time.perf_counter()
    while True:
        for group, times in zip(groups, found, strict=True):
            for _ in range(BLOCK):
                for run, one in zip(group, times, strict=True):
                    _once(run, one, threads)
        each = [one for times in found for one in times]
        enough = len(each[0].times)
        if enough >= FEWEST:
            for one in each:
                one.settled = _width(one.times) <= interval
            late = time.perf_counter() - begin > most_s
            if enough >= MOST or late or all(one.settled for one in each):
                return found


def _once(run: Callable[[], object], times: Times, threads: int) -> None:
    at, spent = time.perf_counter(), time.process_time()
    run()
    times.walls.append(time.perf_counter() - at)
    times.cpu_times.append(time.process_time() - spent)
    times.times.append(times.cpu_times[-1] / threads if threads else times.walls[-1])


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
