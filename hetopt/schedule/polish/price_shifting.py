"""Move the runs of a plan to cheaper times, where prices change over time.

Coordinate descent: every task and hop in turn goes to the cheapest start between what must have
ended before it and what may only start after it, as the plan orders them on each shared resource.
Within that window the cost is piecewise linear in the start, so its ends and the starts at which
the run begins or ends with a change of prices are all that need a look.
"""

from __future__ import annotations

import bisect

from hetopt.instance import Instance, Series
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import mean_prices, prices_vary, series_of
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.tick_schedule import activities, needed_chains, tick_schedule_of
from hetopt.schedule.polish.run_order import MOST_RUNS, RunOrder
from hetopt.solution import SchedulePlan

SWEEPS = 4
"""Passes over all runs; most of the gain is in the first."""
ROUNDING = 1e-12
"""Relative difference below which two mean prices count as equal."""


def shift(instance: Instance, plan: SchedulePlan) -> SchedulePlan | None:
    """Return a plan of the same order that costs less in the first objective with such a price.

    None where prices do not change, nothing is gained, the plan is too large for this, or units
    are set up.
    """
    names = [n for n in instance.objective if series_of(instance, n) is not None]
    # A set-up would move with its task, past what both wait for.
    moves = prices_vary(instance) and not device_setups(instance)
    if not names or not moves or len(plan.start_s) + len(plan.hops) > MOST_RUNS:
        return None
    series = series_of(instance, names[0])
    problem = plan_problem(instance)
    schedule = tick_schedule_of(problem, plan)
    chains = None if schedule is None else needed_chains(problem, schedule.mode, schedule.unit)
    if series is None or schedule is None or chains is None:
        return None
    runs = activities(schedule, problem, schedule.mode, chains)
    order = RunOrder(problem, schedule, runs)
    if not order.known:
        return None
    prices = _Prices(series, problem)
    gained = False
    for _ in range(SWEEPS):
        moved = False
        for i in sorted(range(len(runs)), key=lambda k: (-order.start[k], k)):
            if order.joules[i] and _move(order, i, prices):
                moved = True
        if not moved:
            break
        gained = True
    return order.plan() if gained else None


class _Prices:
    """Prices in ticks, and the starts of runs worth a look."""

    def __init__(self, series: Series, problem: Problem) -> None:
        self.series = series
        self.tick = float(problem.grid.tick)
        self.changes: list[int] = sorted(
            {
                problem.grid.limit(t) + late
                for t in series.from_s[1:]
                for late in (0, 1)
                if late == 0 or problem.grid.direction != "exact"
            }
        )

    def starts(self, low: int, high: int, duration: int) -> list[int]:
        """Return the starts in [low, high] at which the mean price may be least."""
        found = [low, high]
        for back in (0, duration):
            a = bisect.bisect_left(self.changes, low + back)
            b = bisect.bisect_right(self.changes, high + back)
            found += [t - back for t in self.changes[a:b]]
        return found


def _move(order: RunOrder, i: int, prices: _Prices) -> bool:
    """Put one run at its cheapest start; return whether it costs less there."""
    low, high = order.room(i)
    if not low <= order.start[i] <= high or low == high:
        return False
    tried = [order.start[i], *prices.starts(low, high, order.length[i])]
    cost = mean_prices(prices.series, prices.tick, tried, order.length[i])
    least = min(cost)
    if least >= cost[0] * (1 - ROUNDING):
        return False
    # The latest of equals leaves most room to those before, whose turn comes next.
    order.start[i] = max(
        t for t, c in zip(tried, cost, strict=True) if c <= least + cost[0] * ROUNDING
    )
    return True
