"""Windows of time on devices (:mod:`bounds.window_bound`) of an instance on a grid."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.bounds.window_bound import WindowBound, window_bound
from hetopt.schedule.model.grid import Grid
from hetopt.schedule.model.problem import Problem

MOST_PAIRS = 100_000
"""Tasks × devices above which the LPs take too long (seconds)."""
FLOAT_NOISE = Fraction(1, 10**9)
"""Relative noise of a bound counted in floats, far above what its sums make."""


def windows_of(problem: Problem, limit: float | None = None) -> WindowBound:
    """Return the bound of a schedule instance in seconds, with windows in seconds.

    Heads and tails are those of :class:`Problem`: releases, shortest options, unavoidable
    transfers. The bound is 0 where the instance is too large or some task cannot run.

    Parameters
    ----------
    problem
        The instance on any grid. Where that rounds up, lengths would be too long for a bound, by
        much where one option takes 1e17 times as long as the others: they are rounded down then.
    limit
        ``time.monotonic()`` value at which no further round begins.
    """
    shape = (problem.n_tasks, len(problem.units))
    if not problem.n_tasks or shape[0] * shape[1] > MOST_PAIRS or not all(problem.modes):
        return WindowBound(0.0)
    if problem.grid.direction == "up":
        problem = Problem(problem.instance, Grid(problem.grid.tick, "down"))
    tick = float(problem.grid.tick)
    start, length = np.zeros(shape), np.full(shape, np.inf)
    for task, heads in enumerate(TimeWindows.of(problem).heads):
        for device, duration in problem.fastest(task).items():
            start[task, device] = heads[device] * tick
            length[task, device] = duration * tick
    rest = np.repeat(
        np.array(TimeWindows.of(problem).tails, dtype=np.float64)[:, None] * tick, shape[1], axis=1
    )
    lanes = np.array(problem.units) * np.array(problem.slots)
    return window_bound(start, length, rest, lanes, limit)


def on_grid(problem: Problem, makespan: float) -> float:
    """Raise a bound of the makespan to the next time that a least makespan can be.

    On an exact grid the least makespan is a multiple of the tick
    (:mod:`hetopt.schedule.model.grid`).
    """
    grid = problem.grid
    if grid.direction != "exact" or not math.isfinite(makespan):
        return makespan
    ticks = Fraction(makespan) * (1 - FLOAT_NOISE) / grid.tick
    return max(makespan, grid.seconds(math.ceil(ticks)))
