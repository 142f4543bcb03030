"""What no policy can do better on a realised schedule: the clairvoyant bound.

The times that were drawn are known now. What a policy made of them is a plan of the realised
instance (:mod:`hetopt.simulate.schedules.world`): every task runs once to its end, on a unit that
exists, with its inputs there, within capacities. So the bounds of ``solve`` hold for it, of that
instance without what a run does not keep to:

- a run that misses no deadline and ends within the horizon is a plan with them (``on_time``);
- any run is one without them (``any``). The window of idle power is then the time until the last
  task ends, which is at most that which is counted, the horizon if it is later;
- power caps that change are replaced by the highest of them.

Runs that failures ended and messages that nobody read only add to what is drawn. A unit that is
down draws nothing: its idle power over that time is taken off the bounds, whether it was on or not.

Of a schedule that repeats bounds are of all its cycles together, told of one in the mean.

Outputs are sent again to tasks that lost their unit, although their room was given away: where
units fail, memory has no limit in the bounds.

Jobs that must be late: those whose longest chain of shortest options exceeds what their deadline
leaves, and others by :mod:`hetopt.simulate.bounds.lateness`, for which each job is a request, from
its release to its deadline, and each task a piece of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.overrides import without_memory_limits
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.instance.tariffs import series_of
from hetopt.schedule.bounds.objective_bounds import bound as quick_bound
from hetopt.schedule.bounds.objective_bounds import heads_s
from hetopt.simulate.bounds.lateness import WEAKENED, Pieces, least_misses
from hetopt.simulate.events import DeviceDown
from hetopt.simulate.schedules.world import Setting, following
from hetopt.solve import SolveOptions, solve_with

NAMES = {
    "energy_j": "energy",
    "cost": "cost",
    "carbon_kg": "carbon",
    "makespan_s": "makespan",
    "tardiness_s": "tardiness",
}
"""Figures that have a bound, and the objective that each is."""

SUMS = ("energy", "cost", "carbon", "tardiness")
"""Objectives that add up over the cycles of a schedule that repeats."""


@dataclass(frozen=True)
class ScheduleBound:
    """Lower bounds of one replication; inf where there is no such run.

    Attributes
    ----------
    on_time, any
        Of runs that keep all deadlines and the horizon, and of any runs, by name of the figure.
    misses
        Share of the jobs with a deadline that miss it in every run.
    reached
        First objective of the best schedule that is known for one who knows all times beforehand
        and keeps the deadlines; NaN where none is.
    """

    on_time: dict[str, float]
    any: dict[str, float]
    misses: float
    reached: float

    def of(self, totals: Mapping[str, float | None]) -> dict[str, float]:
        """Return the bounds that hold for a run with such figures."""
        return self.any if totals.get("misses") else self.on_time

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name, those of on-time runs first."""
        found: dict[str, Any] = dict(self.on_time)
        found |= {f"any_{name}": value for name, value in self.any.items()}
        return found | {"misses": self.misses, "reached": self.reached}


def clairvoyant_bound(
    setting: Setting, options: SolveOptions, until_s: float, late: bool, missed: float
) -> ScheduleBound:
    """Return the bound of a realised schedule.

    Parameters
    ----------
    options
        Of the solve that strengthens the bound of the first objective.
    until_s
        When the last of the runs compared ended.
    late
        Whether one of them misses a deadline, so that ``any`` is worth a solve.
    missed
        How many jobs the best of them misses.
    """
    instance, cycles = setting.realised.instance, setting.cycles
    if cycles is not None:
        instance = _as_counted(instance, cycles.span_s, until_s)
    cap = max(cap for _, cap in setting.caps())
    strict = instance.with_limits(power_cap_w=cap)
    if any(isinstance(event, DeviceDown) for event in setting.events):
        strict = without_memory_limits(strict)
    none = np.full(len(instance.jobs), np.inf)
    loose = replace(
        strict.with_limits(horizon_s=np.inf), jobs=replace(strict.jobs, deadline_s=none)
    )
    saved = _saved(setting, until_s)
    # The last end of what is written out is not the longest latency of what repeats.
    useful = cycles is None or instance.objective[0] != "makespan"
    solution = solve_with(strict, options) if useful else None
    solved = math.nan if solution is None else solution.bound
    on_time, anyhow = _bounds(strict, solved, saved), _bounds(loose, math.nan, saved)
    if useful and (late or not all(map(math.isfinite, on_time.values()))):
        anyhow = _bounds(loose, solve_with(loose, options).bound, saved)
    misses = _misses(setting, cap, missed)
    if cycles is None:
        known = solution is not None and solution.plan is not None
        reached = float(solution.objective) if known and solution is not None else math.nan
        return ScheduleBound(on_time, anyhow, misses, reached)
    latency = _least_latency(loose)
    parts = [_of_one(found, cycles.count, latency) for found in (on_time, anyhow)]
    # What a plan of all cycles draws is not counted as what a run draws.
    return ScheduleBound(parts[0], parts[1], misses, math.nan)


def _as_counted(instance: Instance, span_s: float, until_s: float) -> Instance:
    """Return the instance of all cycles, whose plans cost no more than what counts for a run.

    A run with its last end at L counts idle power and prices for the span S of the cycles, its plan
    for L. With both times f = min(1, S / U), where no run ends after U >= L, the plan counts
    f L <= S. What may sleep counts for as long as it runs, at least.
    """
    if may_sleep(instance):
        return instance
    part = min(1.0, span_s / max(until_s, span_s)) * (1.0 - WEAKENED)
    devices, boards = instance.devices, instance.boards

    def scaled(of: Any) -> dict[str, Any]:
        return {n: getattr(of, n) * part for n in ("idle_power_w", "price_per_s")}

    return replace(
        instance,
        devices=replace(devices, **scaled(devices)),
        boards=replace(boards, **scaled(boards)),
    )


def _of_one(found: Mapping[str, float], count: int, latency_s: float) -> dict[str, float]:
    """Return the bounds of one cycle in the mean, and that of the longest latency."""
    each = {n: v / count if NAMES[n] in SUMS else v for n, v in found.items()}
    infeasible = math.isinf(found["makespan_s"])
    return each | {"makespan_s": math.inf if infeasible else latency_s}


def _least_latency(instance: Instance) -> float:
    """Return the longest, over jobs, of the time from release to the earliest possible end."""
    _, ends = heads_s(instance)
    last = instance.jobs.release_s.copy()
    np.maximum.at(last, instance.tasks.job, ends)
    return float((last - instance.jobs.release_s).max(initial=0.0)) * (1.0 - WEAKENED)


def _bounds(instance: Instance, solved: float, saved: Mapping[str, float]) -> dict[str, float]:
    found = {}
    for name, objective in NAMES.items():
        value = quick_bound(instance, objective)
        if objective == instance.objective[0] and solved > value:
            value = solved
        value -= saved.get(name, 0.0)
        found[name] = max(0.0, value)
    return found


def _saved(setting: Setting, until_s: float) -> dict[str, float]:
    """Return what units that are down may not have drawn, at most: energy, cost, carbon."""
    instance = setting.realised.instance
    devices = instance.devices
    until = max(until_s, instance.limits.horizon_s if np.isfinite(instance.limits.horizon_s) else 0)
    joules = np.zeros(len(devices))
    for (d, _), spans in setting.down(until).items():
        joules[d] += devices.idle_power_w[d] * math.fsum(b - a for a, b in spans)
    joules *= 1.0 + WEAKENED
    found = {"energy_j": float(joules.sum())}
    for name in ("cost", "carbon"):
        series = series_of(instance, name)
        price: Floats = joule_prices(instance, name)
        if series is not None:
            price = np.full(len(devices), instance.limits.pue * max(series.value))
        found["cost" if name == "cost" else "carbon_kg"] = float((joules * price).sum())
    return found


def _misses(setting: Setting, cap: float, missed: float) -> float:
    """Return the share of the jobs with a deadline that miss it whatever is done."""
    instance = setting.realised.instance
    jobs, tasks = instance.jobs, instance.tasks
    limit = np.minimum(jobs.deadline_s, instance.limits.horizon_s)
    limited = np.isfinite(limit)
    if not limited.any():
        return 0.0
    free = replace(
        instance.with_limits(power_cap_w=cap, horizon_s=np.inf),
        jobs=replace(jobs, deadline_s=np.full(len(jobs), np.inf)),
    )
    starts, ends = heads_s(free)
    last = jobs.release_s.copy()
    np.maximum.at(last, tasks.job, ends)
    late = limited & (last > limit * (1.0 + WEAKENED))
    after = following(instance)
    ptr, option = instance.admissible
    owner = np.repeat(np.arange(len(tasks)), np.diff(ptr))
    hold = tasks.work[owner] * instance.options.time_s[option]
    pieces = Pieces(
        request=tasks.job[owner],
        piece=owner,
        earliest_s=starts[owner],
        latest_s=(limit[tasks.job] - after)[owner],
        device=instance.options.device[option],
        hold_s=hold,
        share=np.ones(len(owner)),
        latency_s=hold,
    )
    able = (limited & ~late)[pieces.request]
    # What cannot end in time there is not run there in time.
    able &= pieces.earliest_s + hold <= pieces.latest_s * (1.0 + WEAKENED)
    order = np.lexsort((pieces.piece, pieces.request))
    kept = pieces.only(order[able[order]])
    slots = (instance.devices.slots * instance.devices.count_max).astype(np.float64)
    shared = np.zeros(len(slots), dtype=np.bool_)
    chained = float(late.sum())
    more = least_misses(kept, slots, shared, missed - chained)
    # A number of jobs is whole.
    return (chained + math.ceil(more - 1e-6)) / float(limited.sum())
