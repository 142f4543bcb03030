"""Tiny schedules in which resources slow what runs: enumerated forward in time, and timed anew.

Written from the columns and docs/quantities.md alone. Whole times are a grid. Time goes from one
event to the next (an end, or the next point of the grid), and at each of them any of the tasks
that may start do, or wait. So every plan whose starts lie on the grid or at ends is met, unless
there are too many; each that keeps all limits is a witness: no bound may be beyond its value.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance
from hetopt.solution import SchedulePlan, contradictions
from hetopt.solve import solve
from hetopt.verify import verify
from tests.slow_board_schedules import slow_board_schedule
from tests.slow_schedules import slow_schedule

NOISE = 1e-9
MOST_NODES = 6_000
"""Steps of one instance; what comes after is left out."""
MOST_STEPS = 400
"""Steps of one placement."""


@dataclass
class Witnesses:
    """The best values met, by the order of the objectives; whether all plans were met."""

    best: tuple[float, ...] | None
    whole: bool


@dataclass
class _Run:
    """A run under way or over."""

    task: int
    start: float
    left: float
    rate: float = 1.0
    end: float = math.inf


class _Clock:
    """Everything that one placement does, forward in time."""

    def __init__(self, instance: Instance, option: tuple[int, ...], unit: tuple[int, ...]) -> None:
        self.i = instance
        self.option, self.unit = option, unit
        o = instance.options
        self.device = [int(o.device[k]) for k in option]
        work = instance.tasks.work
        self.time = [float(work[t] * o.time_s[k]) for t, k in enumerate(option)]
        self.joules = [float(work[t] * o.energy_j[k]) for t, k in enumerate(option)]
        self.asks: list[dict[int, float]] = []
        for k in option:
            rows = range(int(instance.uses.ptr[k]), int(instance.uses.ptr[k + 1]))
            self.asks.append(
                {int(instance.uses.resource[r]): float(instance.uses.amount[r]) for r in rows}
            )
        d = instance.devices
        pairs = {(self.device[t], unit[t]) for t in range(len(option))}
        self.idle = sum(
            float(d.idle_power_w[k])
            * (
                sum(1 for p in pairs if p[0] == k)
                if d.off_when_unused[k]
                else max(int(d.count_min[k]), sum(1 for p in pairs if p[0] == k))
            )
            for k in range(len(d))
        )
        self.rent = sum(
            float(d.price_per_s[k]) * max(int(d.count_min[k]), sum(1 for p in pairs if p[0] == k))
            for k in range(len(d))
        )
        each = instance.boards.per_board
        self.board = [
            u // int(each[k]) if each[k] else 0 for k, u in zip(self.device, unit, strict=True)
        ]
        for b in range(len(instance.boards)):
            mine = [k for k in range(len(d)) if d.on_board[k] == b]
            used = len({n for k, n in zip(self.device, self.board, strict=True) if k in mine})
            had = max(int(instance.boards.count_min[b]), used)
            off = instance.boards.off_when_unused[b] and not any(
                d.count_min[k] > 0 and not d.off_when_unused[k] for k in mine
            )
            self.idle += float(instance.boards.idle_power_w[b]) * (used if off else had)
            self.rent += float(instance.boards.price_per_s[b]) * had

    def beside(self, k: int, task: int, other: int) -> bool:
        """Whether two tasks share what there is of a resource: all, or what a board has."""
        return self.i.resources.board[k] < 0 or self.board[task] == self.board[other]

    def within_budgets(self) -> bool:
        for k, budget in enumerate(self.i.resources.budget.tolist()):
            if sum(own.get(k, 0.0) for own in self.asks) > budget * (1 + NOISE):
                return False
        return True

    def rates(self, running: list[_Run]) -> None:
        """Give each of those that run its rate; tasks of no time are never among them."""
        res = self.i.resources
        for run in running:
            run.rate = 1.0
            for k in self.asks[run.task]:
                if res.sharing[k] != "slow":
                    continue
                users = [
                    r
                    for r in running
                    if self.asks[r.task].get(k, 0.0) > 0 and self.beside(k, run.task, r.task)
                ]
                asked = sum(self.asks[r.task][k] for r in users)
                rate = min(1.0, float(res.capacity[k]) / asked)
                if len(users) >= 2:
                    rate *= 1.0 - float(res.loss[k])
                run.rate = min(run.rate, rate)

    def fits(self, running: list[_Run]) -> bool:
        """Whether slots and what forbids hold all that runs, and the power is below the cap."""
        res, devices = self.i.resources, self.i.devices
        held: dict[tuple[int, int], int] = {}
        for run in running:
            place = self.device[run.task], self.unit[run.task]
            held[place] = held.get(place, 0) + 1
        if any(number > devices.slots[d] for (d, _), number in held.items()):
            return False
        for k in range(len(res)):
            if res.sharing[k] == "forbid" and math.isfinite(res.capacity[k]):
                asked = sum(self.asks[r.task].get(k, 0.0) for r in running)
                if asked > res.capacity[k] * (1 + NOISE):
                    return False
        return self.power(running) <= self.i.limits.power_cap_w * (1 + NOISE)

    def power(self, running: list[_Run]) -> float:
        return self.idle + sum(r.rate * self.joules[r.task] / self.time[r.task] for r in running)


def price_at(instance: Instance, name: str, time: float) -> float:
    """Price of a joule at an instant, with PUE."""
    limits = instance.limits
    series = limits.energy_price_over_time if name == "cost" else limits.carbon_over_time
    if series is None:
        own = limits.energy_price_per_j if name == "cost" else limits.carbon_kg_per_j
        return float(own) * limits.pue
    which = max(k for k, begin in enumerate(series.from_s) if begin <= time + NOISE)
    return float(series.value[which]) * limits.pue


def values_of(clock: _Clock, ends: list[float], spent: dict[str, float], peak: float) -> dict:
    """Return every objective of a plan that has been gone through."""
    i = clock.i
    makespan = max(ends, default=0.0)
    window = i.limits.horizon_s if math.isfinite(i.limits.horizon_s) else makespan
    last = [0.0] * len(i.jobs)
    for t, end in enumerate(ends):
        last[i.tasks.job[t]] = max(last[i.tasks.job[t]], end)
    paid = {}
    for name in ("cost", "carbon"):
        total, at = 0.0, 0.0
        while at < window - NOISE:
            step = min(1.0, math.floor(at + NOISE) + 1 - at, window - at)
            total += clock.idle * step * price_at(i, name, at)
            at += step
        paid[name] = total + spent[name]
    return {
        "makespan": makespan,
        "energy": sum(clock.joules) + clock.idle * window,
        "cost": paid["cost"] + clock.rent * window,
        "carbon": paid["carbon"],
        "tardiness": sum(
            float(w) * max(0.0, end - due)
            for w, end, due in zip(i.jobs.weight, last, i.jobs.due_s, strict=True)
            if math.isfinite(due)
        ),
        "peak_power": peak,
    }


def witnesses(instance: Instance) -> Witnesses:
    """Enumerate plans; keep the best by the order of the objectives."""
    search = _Search(instance)
    for option, unit in _placements(instance):
        clock = _Clock(instance, option, unit)
        if clock.within_budgets() and clock.idle <= instance.limits.power_cap_w * (1 + NOISE):
            search.clock, search.left = clock, MOST_STEPS
            nothing = {"cost": 0.0, "carbon": 0.0}
            search.go(0.0, [], {}, nothing, clock.idle, frozenset())
        if search.nodes > MOST_NODES:
            break
    return Witnesses(search.best, whole=search.whole)


def _placements(instance: Instance):
    """All mappings, in an order of chance: too many are not all gone through."""
    choices = []
    for t in range(len(instance.tasks)):
        r = int(instance.tasks.profile[t])
        own = []
        for o in range(int(instance.profiles.ptr[r]), int(instance.profiles.ptr[r + 1])):
            units = range(int(instance.devices.count_max[instance.options.device[o]]))
            own += [(o, u) for u in units]
        choices.append(own)
    every = list(itertools.product(*choices))
    random.Random(len(every)).shuffle(every)
    for found in every:
        yield tuple(o for o, _ in found), tuple(u for _, u in found)


class _Search:
    def __init__(self, instance: Instance) -> None:
        self.i = instance
        self.clock: _Clock | None = None
        self.best: tuple[float, ...] | None = None
        self.nodes, self.left, self.whole = 0, 0, True
        self.before = [
            [int(a) for a, b in zip(instance.edges.src, instance.edges.dst, strict=True) if b == t]
            for t in range(len(instance.tasks))
        ]
        spans = [float(instance.options.time_s.max() * w) for w in instance.tasks.work]
        # Every price has come, and everything in turn, by then.
        self.last = sum(spans) + 7.0
        self.lasting = bool(
            instance.limits.energy_price_over_time or instance.limits.carbon_over_time
        )

    def go(self, now, running, ends, spent, peak, held) -> None:
        """Start some of what may start now, then go to the next event."""
        i = self.i
        n = len(i.tasks)
        begun = set(ends) | {r.task for r in running}
        if len(begun) == n and not running:
            self.take(ends, spent, peak)
            return
        ready = [
            t
            for t in range(n)
            if t not in begun
            and i.jobs.release_s[i.tasks.job[t]] <= now + NOISE
            and all(ends.get(b, math.inf) <= now + NOISE for b in self.before[t])
        ]
        for size in range(len(ready), -1, -1):
            for some in itertools.combinations(ready, size):
                self.with_started(now, running, ends, spent, peak, some)

    def with_started(self, now, running, ends, spent, peak, some) -> None:
        clock, i = self.clock, self.i
        self.nodes += 1
        self.left -= 1
        if self.left < 0 or self.nodes > MOST_NODES:
            self.whole = False
            return
        ends = dict(ends)
        runs = [_Run(r.task, r.start, r.left) for r in running]
        for t in some:
            if clock.time[t] > 0:
                runs.append(_Run(t, now, clock.time[t]))
            else:
                ends[t] = now
        clock.rates(runs)
        if not clock.fits(runs):
            return
        if any(clock.time[t] == 0 for t in some):
            # What waited for it may start at once.
            self.go(now, runs, ends, spent, peak, frozenset())
            return
        if not runs and len(ends) == len(i.tasks):
            self.take(ends, spent, peak)
            return
        until = min((now + r.left / r.rate for r in runs), default=math.inf)
        grid = math.floor(now + NOISE) + 1.0
        until = min(until, grid) if grid < self.last or self.lasting else until
        if until > self.last or math.isinf(until):
            return
        peak = max(peak, clock.power(runs))
        step, left, spent = until - now, [], dict(spent)
        for r in runs:
            done = r.rate * step
            for name in spent:
                share = clock.joules[r.task] * done / clock.time[r.task]
                spent[name] += share * price_at(i, name, now)
            rest = r.left - done
            if rest <= NOISE:
                limit = min(i.jobs.deadline_s[i.tasks.job[r.task]], i.limits.horizon_s)
                if until > limit + NOISE:
                    return
                ends[r.task] = until
            else:
                left.append(_Run(r.task, r.start, rest))
        self.go(until, left, ends, spent, peak, frozenset())

    def take(self, ends, spent, peak) -> None:
        values = values_of(self.clock, [ends[t] for t in range(len(self.i.tasks))], spent, peak)
        mine = tuple(values[name] for name in self.i.objective)
        if self.best is None or mine < self.best:
            self.best = mine


def timed(instance: Instance, plan: SchedulePlan) -> tuple[dict[str, float], list[str]]:
    """Time a plan in fractions; return every objective but prices over time, and broken limits.

    Starts that are off an end by float noise count as at it.
    """
    clock = _Clock(instance, tuple(plan.option.tolist()), tuple(plan.unit.tolist()))
    starts = [Fraction(repr(float(s))) for s in plan.start_s]
    work = [Fraction(repr(float(w))) for w in instance.tasks.work]
    whole = [
        w * Fraction(repr(float(instance.options.time_s[o])))
        for w, o in zip(work, plan.option.tolist(), strict=True)
    ]
    ends: list[Fraction | None] = [s if not w else None for s, w in zip(starts, whole, strict=True)]
    left = list(whole)
    near = Fraction(1, 10**9) * max((s + w for s, w in zip(starts, whole, strict=True)), default=0)
    res = instance.resources
    order = sorted((t for t in range(len(starts)) if whole[t]), key=lambda t: starts[t])
    wrong: list[str] = []
    alive: list[int] = []
    now, peak = Fraction(0), clock.idle
    while order or alive:
        speed = {}
        for t in alive:
            speed[t] = Fraction(1)
            for k in clock.asks[t]:
                if res.sharing[k] == "slow":
                    asked = [
                        Fraction(repr(clock.asks[x][k]))
                        for x in alive
                        if k in clock.asks[x] and clock.beside(k, t, x)
                    ]
                    rate = min(Fraction(1), Fraction(repr(float(res.capacity[k]))) / sum(asked))
                    if len(asked) > 1:
                        rate *= 1 - Fraction(repr(float(res.loss[k])))
                    speed[t] = min(speed[t], rate)
        over = {t: now + left[t] / speed[t] for t in alive}
        first = min(over.values(), default=None)
        following = starts[order[0]] if order else None
        if first is not None and (following is None or first <= following + near):
            for t in [t for t in alive if over[t] <= first]:
                ends[t] = first
                alive.remove(t)
            until = first
        else:
            until = following
        runs = [_Run(t, 0.0, 0.0, float(rate)) for t, rate in speed.items()]
        if runs and until - now > near:
            peak = max(peak, clock.power(runs))
            if not clock.fits(runs):
                wrong.append(f"what runs at {float(now)} breaks a limit")
        for t in alive:
            left[t] -= speed[t] * (until - now)
        now = until
        while order and starts[order[0]] <= now:
            alive.append(order.pop(0))
    done = [float(e) for e in ends]
    slack = 1e-8 * max(done, default=0.0)
    for a, b in zip(instance.edges.src, instance.edges.dst, strict=True):
        if done[a] > float(starts[b]) + slack:
            wrong.append(f"task {b} starts before {a} ends")
    for t, end in enumerate(done):
        job = instance.tasks.job[t]
        if end > min(instance.jobs.deadline_s[job], instance.limits.horizon_s) + slack:
            wrong.append(f"task {t} ends late")
        if float(starts[t]) < instance.jobs.release_s[job] - slack:
            wrong.append(f"task {t} starts before its release")
    if not clock.within_budgets():
        wrong.append("a budget is exceeded")
    values = values_of(clock, done, {"cost": 0.0, "carbon": 0.0}, peak)
    return values, wrong


def judge_slow(seed: int, time_limit: float, *, boards: bool = False) -> tuple[str, list[str]]:
    """Solve the instance of a seed; return how it ended, and all that enumeration contradicts."""
    instance = slow_board_schedule(seed) if boards else slow_schedule(seed)
    method = ("auto", "auto", "cpsat", "heuristic", "heft", "lns")[seed % 6]
    # Whatever else runs on the machine, the same searches run.
    found = solve(instance, time_limit=time_limit, seed=seed, method=method, deterministic=True)
    known = witnesses(instance)
    wrong = [f"{method}: {said}" for said in _against(instance, found, known)]
    if wrong:
        return "disagreed", wrong
    if found.status == "infeasible":
        return "agreed infeasible", []
    if found.status == "optimal":
        return "agreed", []
    best = known.best is not None and found.plan is not None
    close = best and found.objective <= known.best[0] * (1 + 1e-6) + 1e-9
    return ("agreed, not proved" if close else "agreed, a better plan is known"), []


def _against(instance: Instance, found, known: Witnesses) -> list[str]:
    wrong = list(contradictions(found))
    room = [GAP_TOLERANCE * abs(v) + 1e-9 for v in (known.best or ())]
    if found.status == "infeasible" and known.best is not None:
        wrong.append(f"infeasible, but there is a plan of {known.best}")
    if known.best is not None and not math.isnan(found.bound):
        if found.bound > known.best[0] + room[0]:
            wrong.append(f"bound {found.bound!r} beyond a plan of {known.best[0]!r}")
        optimal = found.status == "optimal"
        for level, (mine, theirs) in enumerate(zip(found.objectives, known.best, strict=True)):
            if optimal and mine > theirs + 2 * room[level]:
                wrong.append(f"said to be optimal: {found.objectives}, but there is {known.best}")
            if abs(mine - theirs) > room[level]:
                break
    if isinstance(found.plan, SchedulePlan):
        if known.best is None and known.whole and not known.best:
            # Starts off the grid and off ends may meet a limit that none on them meets.
            values, broken = timed(instance, found.plan)
            wrong += [f"there is no plan on the grid, and: {said}" for said in broken]
        values, broken = timed(instance, found.plan)
        wrong += broken
        report = verify(instance, found.plan)
        wrong += [v.message for v in report.violations]
        for name in ("makespan", "energy", "tardiness", "peak_power"):
            if abs(report.objectives[name] - values[name]) > 1e-7 * max(1.0, abs(values[name])):
                wrong.append(f"{name}: {report.objectives[name]!r}, by the oracle {values[name]!r}")
    elif known.best is None and known.whole and np.isnan(found.bound) and found.status == "optimal":
        wrong.append("optimal without a plan")
    return wrong
