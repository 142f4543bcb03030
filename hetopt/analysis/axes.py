"""Objectives that can be held by a limit, so that another one is optimised beside them.

An ε-constraint method needs one of its two objectives as a limit of the instance: a makespan is
held by deadlines, a power by the power cap, a cost per second by the budget, a throughput by the
demanded rates, an accuracy by the least one that every task must reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, gcd, lcm

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance, is_maximised
from hetopt.instance.overrides import scale_demand
from hetopt.instance.questions import accuracy_tasks
from hetopt.solution import Plan, ScenarioPlan

FINEST_STEPS = 10**6
"""Steps of the shortest time grid within a makespan, up to which it counts as the resolution."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An objective that a limit can hold.

    Attributes
    ----------
    name
        Of the objective.
    dimension
        Of its values in texts (:mod:`hetopt.units`), empty for a plain fraction.
    within
        Returns an instance in which the objective is no worse than a value (SI).
    """

    name: str
    dimension: str
    within: Callable[[Instance, float], Instance]

    @property
    def maximised(self) -> bool:
        """Whether more of it is better."""
        return is_maximised(self.name)

    def value(self, instance: Instance, plan: Plan) -> float:
        """Return what a plan reaches; of accuracies the least of any task that states one."""
        if self.name != "accuracy":
            return objective_value(instance, plan, self.name)
        parts = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
        stated = instance.options.accuracy[np.concatenate([part.option for part in parts])]
        stated = stated[~np.isnan(stated)]
        return float(stated.min()) if len(stated) else float("nan")


def axis_of(instance: Instance, name: str) -> Axis | None:
    """Return how an objective of this instance can be held, None where it cannot."""
    if instance.regime == "schedule":
        known = {
            "makespan": Axis("makespan", "time", _makespan_within),
            "peak_power": Axis("peak_power", "power", _power_within),
            "accuracy": Axis("accuracy", "", _accuracy_within),
        }
    else:
        known = {
            "throughput": Axis("throughput", "rate", _throughput_within),
            "power": Axis("power", "power", _power_within),
            "cost": Axis("cost", "price", _cost_within),
            "accuracy": Axis("accuracy", "", _accuracy_within),
        }
        if len(instance.scenarios):
            # Cap and demand hold in each scenario, the objectives are means over them.
            del known["power"], known["throughput"]
    return known.get(name)


def levels(instance: Instance, axis: Axis) -> list[float]:
    """Return the only values that an objective can take, best last; empty where there are many."""
    if axis.name != "accuracy":
        return []
    _, option = instance.admissible
    stated = instance.options.accuracy[option]
    return [float(v) for v in np.unique(stated[~np.isnan(stated)])]


def step(instance: Instance, axis: Axis, value: float, resolution: float) -> float:
    """Return the least difference by which the next better value is asked for.

    On a short exact grid of times a makespan changes by whole ticks; elsewhere values nearer than
    ``resolution`` (relative) count as one.
    """
    coarse = abs(value) * resolution
    if axis.name != "makespan":
        return coarse
    tick = _tick(instance)
    return tick if tick and value / tick <= FINEST_STEPS else coarse


def on_grid(instance: Instance, axis: Axis, limit: float) -> float:
    """Return a limit at a whole tick of the shortest time grid, no tighter than the one given.

    Plans change at whole ticks only, and solvers are quicker on a coarse grid.
    """
    tick = _tick(instance) if axis.name == "makespan" else 0.0
    if not tick or limit / tick > FINEST_STEPS:
        return limit
    ticks = Fraction(repr(limit)) / Fraction(repr(tick))
    return float(ceil(ticks) * Fraction(repr(tick)))


def _makespan_within(instance: Instance, value: float) -> Instance:
    jobs = instance.jobs
    # On a circle it is the longest latency, from the release.
    since = jobs.release_s if np.isfinite(instance.limits.cycle_s) else 0.0
    deadline_s = np.minimum(jobs.deadline_s, since + value)
    return replace(instance, jobs=replace(jobs, deadline_s=deadline_s))


def _power_within(instance: Instance, value: float) -> Instance:
    return instance.with_limits(power_cap_w=min(instance.limits.power_cap_w, value))


def _cost_within(instance: Instance, value: float) -> Instance:
    return instance.with_limits(budget_per_s=min(instance.limits.budget_per_s, value))


def _throughput_within(instance: Instance, value: float) -> Instance:
    factor = value / float(instance.jobs.rate_per_s.sum())
    if instance.limits.demand_known:
        factor = max(1.0, factor)
    return scale_demand(instance.with_limits(demand_known=True), factor)


def _accuracy_within(instance: Instance, value: float) -> Instance:
    jobs = instance.jobs
    some, _ = accuracy_tasks(instance)
    stated = np.bincount(instance.tasks.job[some], minlength=len(jobs)) > 0
    # A job none of whose options states an accuracy has none to hold.
    least = np.where(stated, np.maximum(jobs.min_accuracy, value), jobs.min_accuracy)
    return replace(instance, jobs=replace(jobs, min_accuracy=least))


def _tick(instance: Instance) -> float:
    """Greatest common divisor of all times of tasks, releases and changes of price.

    0 where messages take time, on a circle, where resources slow what runs, or where there are too
    many different times to look at.
    """
    if (instance.edges.tensor >= 0).any() or np.isfinite(instance.limits.cycle_s):
        return 0.0
    if slows(instance):
        return 0.0
    limits = instance.limits
    begins = [
        time
        for series in (limits.energy_price_over_time, limits.carbon_over_time)
        if series is not None
        for time in series.from_s
    ]
    classes = instance.classes
    work = np.unique(instance.tasks.work)
    times = np.unique(instance.options.time_s[classes.option])
    if len(work) * len(times) > FINEST_STEPS:
        return 0.0
    values = [Fraction(repr(float(v))) for v in [*instance.jobs.release_s.tolist(), *begins]]
    exact = [Fraction(repr(float(t))) for t in times]
    values += [Fraction(repr(float(w))) * t for w in work for t in exact]
    values = [v for v in values if v > 0]
    if not values:
        return 0.0
    bottom = lcm(*(v.denominator for v in values))
    return float(Fraction(gcd(*(int(v * bottom) for v in values)), bottom))
