"""Move the runs of a plan together, so that what sleeps does so in fewer and longer gaps.

What a gap costs beyond sleep is min((idle - sleep) × g, waking), which is concave: of two gaps
beside a run one is best as short as it can be. So passes take each run, the last one first, as late
as what follows allows, and the first one first as early as what precedes does, unless it costs more
there; runs that cost the same move too, as others may follow them. The order on every resource
stays. Lists start everything as early as they can, which leaves short gaps between.
"""

from __future__ import annotations

from hetopt.instance import Instance
from hetopt.instance.states.idle_sleep_start_up import home, idlers, may_sleep
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.joule_rates import prices_of
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.tick_schedule import activities, needed_chains, tick_schedule_of
from hetopt.schedule.polish.run_order import MOST_RUNS, RunOrder
from hetopt.solution import SchedulePlan

SWEEPS = 6
"""Passes over all runs, to the right and to the left in turn."""
ROUNDING = 1e-12
"""Relative difference below which two costs count as equal."""


def join_gaps(instance: Instance, plan: SchedulePlan) -> SchedulePlan | None:
    """Return a plan of the same order whose gaps cost less, or None.

    None where nothing sleeps, the first objective counts no joules or prices change, the plan is
    too large for this, or units are set up. Limits on power, memory and resources may be broken:
    the caller checks.
    """
    counts = instance.objective[0] in ENERGY_LIKE and may_sleep(instance)
    if not counts or prices_vary(instance) or device_setups(instance):
        return None
    if len(plan.start_s) + len(plan.hops) > MOST_RUNS:
        return None
    problem = plan_problem(instance)
    schedule = tick_schedule_of(problem, plan)
    chains = None if schedule is None else needed_chains(problem, schedule.mode, schedule.unit)
    if schedule is None or chains is None:
        return None
    order = RunOrder(problem, schedule, activities(schedule, problem, schedule.mode, chains))
    if not order.known:
        return None
    return _Joined(instance, order).improved()


class _Joined:
    """Runs by what they keep awake, and the cost of its gaps."""

    def __init__(self, instance: Instance, order: RunOrder) -> None:
        self.order = order
        rows, tick = idlers(instance), float(order.problem.grid.tick)
        joule, _ = prices_of(instance, instance.objective[0])
        self.homes: list[list[int]] = [[] for _ in order.runs]
        self.runs: dict[int, list[int]] = {}
        self.costs: dict[int, tuple[float, float, float, float]] = {}
        known: dict[tuple[int, int], int] = {}
        for i, run in enumerate(order.runs):
            for kind, device, unit in run.tags:
                if kind != 0 or not order.length[i]:
                    continue
                for place in home(instance, device, unit):
                    if not rows.sleeps[place[0]]:
                        continue
                    h = known.setdefault(place, len(known))
                    price = float(joule[rows.device[place[0]]])
                    saved = float(rows.idle_power_w[place[0]] - rows.sleep_power_w[place[0]])
                    self.costs[h] = (
                        float(rows.start_up_time_s[place[0]]) / tick,
                        saved * price * tick,
                        float(rows.wake_energy_j[place[0]]) * price,
                        float(rows.wake_time_s[place[0]]) / tick,
                    )
                    self.homes[i].append(h)
                    self.runs.setdefault(h, []).append(i)

    def improved(self) -> SchedulePlan | None:
        """Go right and left in turn; return the best plan on the way, None: the first one was."""
        order = self.order
        first = least = sum(self.cost(h) for h in self.runs)
        best = list(order.start)
        for sweep in range(SWEEPS):
            before = list(order.start)
            right = sweep % 2 == 0
            sign = -1 if right else 1
            for i in sorted(range(len(before)), key=lambda k: (sign * before[k], k)):
                self.move(i, right=right)
            cost = sum(self.cost(h) for h in self.runs)
            if cost < least * (1 - ROUNDING):
                least, best = cost, list(order.start)
            if order.start == before:
                break
        order.start = best
        return order.plan() if least < first else None

    def move(self, i: int, *, right: bool) -> None:
        """Put a run as far to a side as it may go, or where it meets another, unless that costs."""
        start, length = self.order.start, self.order.length[i]
        low, high = self.order.room(i)
        old = start[i]
        if not low <= old <= high or low == high:
            return
        tried = {high if right else low}
        for h in self.homes[i]:
            for k in self.runs[h]:
                meets = start[k] - length if right else start[k] + self.order.length[k]
                if k != i and low <= meets <= high and (meets > old) == right and meets != old:
                    tried.add(meets)
        now = sum(self.cost(h) for h in self.homes[i])
        least, at = now * (1 + ROUNDING), old
        for t in sorted(tried, reverse=right):
            start[i] = t
            cost = sum(self.cost(h) for h in self.homes[i])
            if cost < least or (at == old and cost <= least):
                least, at = cost, t
        start[i] = at

    def cost(self, h: int) -> float:
        """Return what the gaps of one that sleeps, and its time awake, cost beyond sleep."""
        reached, more, wake, least = self.costs[h]
        start, length = self.order.start, self.order.length
        total = more * reached
        for i in sorted(self.runs[h], key=lambda k: start[k]):
            gap, end = start[i] - reached, start[i] + length[i]
            if gap > 0:
                total += min(more * gap, wake) if gap >= least else more * gap
            if end > reached:
                total += more * (end - max(reached, start[i]))
                reached = end
        return total
