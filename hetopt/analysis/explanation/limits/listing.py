"""The limits of an instance, in a fixed order.

An explanation is a statement about these: a set of them that cannot be met together, and how far
one must move. What is no limit here (devices and their speed, the graph of tasks) is taken as a
fact. Those that a user is most likely to have set come first, because conflicts are
told in terms of early ones where there is a choice (:mod:`hetopt.analysis.explanation.conflict`).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from hetopt.analysis.explanation.limits.limit import (
    Amount,
    Limit,
    asking,
    asks_throughput,
    by_job,
    job_column,
    numbered,
    schedule_of,
    streams_of,
    unbounded_without,
)
from hetopt.analysis.explanation.limits.periods import drawn_w, ties
from hetopt.analysis.explanation.limits.placement import bans, groups_of_tasks, missing_links
from hetopt.analysis.explanation.limits.platform import (
    bandwidths,
    channels,
    count_of,
    counts,
    fleet_rules,
    least_loads,
    memories,
    most_cost,
    most_power,
    resource_limits,
    with_finite_counts,
)
from hetopt.analysis.explanation.repetitions import base_name, grouped
from hetopt.evaluate import objective_value
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.instance.questions import accuracy_tasks
from hetopt.solution import Plan, SchedulePlan


def limits_of(instance: Instance) -> list[Limit]:
    """List what limits an instance, in a fixed order."""
    found = [*_times(instance), *_powers(instance), *ties(instance), *memories(instance)]
    found += [*_accuracies(instance), *resource_limits(instance), *bans(instance)]
    if instance.regime == "schedule":
        found += channels(instance)
    else:
        found += [*counts(instance), *bandwidths(instance)]
        found += [*least_loads(instance), *fleet_rules(instance)]
    return [*found, *groups_of_tasks(instance), *missing_links(instance), *_demand(instance)]


def extra_units(instance: Instance, most: int) -> list[Limit]:
    """List the numbers of units of a schedule's devices, each liftable by ``most`` units.

    In a schedule they are facts rather than limits: more units nearly always help, and every
    conflict would name them. As remedies they are worth a question.
    """
    return [
        count_of(instance, d, int(instance.devices.count_max[d]) + most)
        for d in range(len(instance.devices))
        if (instance.options.device == d).any()
    ]


def _demand(instance: Instance) -> list[Limit]:
    """Demanded rates of streams: 1 as they are, less for a part of each job's.

    Lifted, the question is one of throughput. It is the last of the limits, so that a conflict
    names it only where the rates matter.
    """
    if instance.regime != "steady" or asks_throughput(instance):
        return []
    if "value" in instance.objective:
        return _least_shares(instance)
    rates, scenarios = instance.jobs.rate_per_s, instance.scenarios
    total = float(rates.sum())
    if len(scenarios):
        total = float(scenarios.share @ scenarios.rate_per_s.sum(axis=1))

    def at(i: Instance, value: float) -> Instance:
        return replace(
            i,
            jobs=replace(i.jobs, rate_per_s=rates * value),
            scenarios=replace(i.scenarios, rate_per_s=scenarios.rate_per_s * value),
            objective=instance.objective,
        )

    def lift(i: Instance) -> Instance:
        # Throughput is only asked of a finite number of units, and these are enough for the rates.
        return replace(with_finite_counts(at(i, 1.0)), objective=("throughput",))

    if instance.devices.min_load.any():
        # Less may be too little and more enough: no one number says how far the rates must move.
        return [Limit("demand", "", "the demand", lift, remedy="ask for other rates")]

    def use(i: Instance, p: Plan) -> float:
        return min(1.0, *(q.scale for q in streams_of(at(i, 1.0), p)))

    amount = Amount(
        1.0, "share", at, use, sign=-1.0, asks=lift, from_objective=lambda rate: rate / total
    )
    return [Limit("demand", "", "the demand", lift, amount)]


def _least_shares(instance: Instance) -> list[Limit]:
    """Least parts of each job's demand, where others may be left unserved."""
    jobs = instance.jobs

    def share(q: SteadyQuantities, j: int) -> float:
        demand = float(q.instance.jobs.rate_per_s[j])
        return float(q.served_per_s[j]) / demand if demand > 0 else 1.0

    found = []
    for j in np.flatnonzero(jobs.min_share > 0).tolist():
        name = str(jobs.name[j])

        def use(i: Instance, p: Plan, j: int = j) -> float:
            return min(share(q, j) for q in streams_of(i, p))

        amount = Amount(
            float(jobs.min_share[j]),
            "share",
            job_column("min_share", [j]),
            use,
            sign=-1.0,
        )
        found.append(numbered("min_share", name, f"the least share of job {name}", amount, 0.0))
    return found


def _times(instance: Instance) -> list[Limit]:
    limits, jobs = instance.limits, instance.jobs
    # Where jobs may be left out no other objective asks how little would do: all would have to run.
    leaves = "value" in instance.objective
    found = []
    if np.isfinite(limits.horizon_s):
        amount = Amount(
            limits.horizon_s,
            "time",
            lambda i, v: i.with_limits(horizon_s=v),
            lambda i, p: schedule_of(i, p).makespan_s,
            asks=None if leaves else asking(lambda i: i.with_limits(horizon_s=np.inf), "makespan"),
        )
        found.append(numbered("horizon", "", "the horizon", amount, np.inf))
    found += [_deadline(instance, *group) for group in deadlines_of(instance)]
    quick = np.flatnonzero(np.isfinite(jobs.latency_slo_s)).tolist()
    return [*found, *(_latency(instance, j) for j in quick)]


def deadlines_of(instance: Instance) -> list[tuple[str, list[int], list[float]]]:
    """List the deadlines that a file states: name, jobs, and the times that each counts from.

    Those of repetitions count from their releases, others from 0.
    """
    jobs = instance.jobs
    rows = np.flatnonzero(np.isfinite(jobs.deadline_s)).tolist()
    names = [str(jobs.name[j]) for j in rows]
    since = [
        Fraction(repr(float(jobs.release_s[j]))) if base_name(name) != name else Fraction(0)
        for j, name in zip(rows, names, strict=True)
    ]
    within = [
        Fraction(repr(float(jobs.deadline_s[j]))) - begin
        for j, begin in zip(rows, since, strict=True)
    ]
    return [
        (name, [rows[i] for i in group], [float(since[i]) for i in group])
        for name, group in grouped(names, within).items()
    ]


def _latency(instance: Instance, job: int) -> Limit:
    name = str(instance.jobs.name[job])
    amount = Amount(
        float(instance.jobs.latency_slo_s[job]),
        "time",
        job_column("latency_slo_s", [job]),
        lambda i, p: float(np.fmax.reduce([q.job_latency_s[job] for q in streams_of(i, p)])),
    )
    return numbered("latency", name, f"the latency limit of job {name}", amount, np.inf)


def _deadline(instance: Instance, name: str, members: list[int], since: list[float]) -> Limit:
    at = job_column("deadline_s", members, since)
    first = members[0]
    value = _less(float(instance.jobs.deadline_s[first]), since[0])
    alone = len(members) == 1
    whole = alone and bool((instance.tasks.job == first).all()) and since[0] == 0

    def late(i: Instance) -> Instance:
        """Ask for the least tardiness of this job alone, its deadline being its due date."""
        due = np.full(len(i.jobs), np.inf)
        due[first] = instance.jobs.deadline_s[first]
        jobs = replace(at(i, np.inf).jobs, due_s=due, weight=np.ones(len(i.jobs)))
        return replace(i, jobs=jobs, objective=("tardiness",))

    def ends(i: Instance, p: Plan) -> float:
        end = np.nan_to_num(by_job(i, p, schedule_of(i, p).job_end_s))
        return max(_less(float(end[j]), begin) for j, begin in zip(members, since, strict=True))

    # Searches and bounds know makespans best.
    asks = asking(lambda i: at(i, np.inf), "makespan") if whole else late
    amount = Amount(
        value,
        "time",
        at,
        ends,
        asks=asks if alone and "value" not in instance.objective else None,
        from_objective=float if whole else lambda more: value + more,
    )
    return numbered("deadline", name, f"the deadline of job {name}", amount, np.inf)


def _less(time: float, begin: float) -> float:
    """Subtract two decimals exactly."""
    return float(Fraction(repr(time)) - Fraction(repr(begin)))


def _powers(instance: Instance) -> list[Limit]:
    limits = instance.limits
    found = []
    own = len(instance.periods) and not np.isnan(instance.periods.power_cap_w).any()
    if np.isfinite(limits.power_cap_w) and not own:
        scheduled = instance.regime == "schedule"
        name = "peak_power" if scheduled else "power"
        # With scenarios the objective is a mean, and the cap holds in each.
        asked = not asks_throughput(instance) and not len(instance.scenarios)
        asked &= not scheduled or "value" not in instance.objective
        asks = asking(lambda i: i.with_limits(power_cap_w=np.inf), name) if asked else None
        amount = Amount(
            limits.power_cap_w,
            "power",
            lambda i, v: i.with_limits(power_cap_w=v),
            _drawn,
            asks=asks,
        )
        whole = scheduled or not unbounded_without(instance)
        free = np.inf if whole else max(most_power(instance), 2 * limits.power_cap_w)
        found.append(numbered("power_cap", "", "the power cap", amount, free))
    if np.isfinite(limits.budget_per_s):
        asks = asking(lambda i: i.with_limits(budget_per_s=np.inf), "cost")
        amount = Amount(
            limits.budget_per_s,
            "money",
            lambda i, v: i.with_limits(budget_per_s=v),
            lambda i, p: objective_value(i, p, "cost"),
            asks=None if asks_throughput(instance) else asks,
        )
        whole = not unbounded_without(instance)
        free = np.inf if whole else max(most_cost(instance), 2 * limits.budget_per_s)
        found.append(numbered("budget", "", "the budget", amount, free))
    return found


def _drawn(instance: Instance, plan: Plan) -> float:
    """Return the power that the cap holds for: the peak of a schedule, the mean of streams."""
    if isinstance(plan, SchedulePlan):
        return schedule_of(instance, plan).peak_power_w
    if len(instance.periods):
        return drawn_w(instance, plan)
    return max(q.power_w for q in streams_of(instance, plan))


def _accuracies(instance: Instance) -> list[Limit]:
    some, _ = accuracy_tasks(instance)
    stated = np.zeros(len(instance.jobs), dtype=bool)
    stated[instance.tasks.job[some]] = True
    jobs = instance.jobs
    asked = np.flatnonzero((jobs.min_accuracy > 0) & stated).tolist()
    groups = grouped([str(jobs.name[j]) for j in asked], jobs.min_accuracy[asked].tolist())
    return [
        _least_accuracy(instance, name, [asked[k] for k in group]) for name, group in groups.items()
    ]


def _least_accuracy(instance: Instance, name: str, members: list[int]) -> Limit:
    amount = Amount(
        float(instance.jobs.min_accuracy[members[0]]),
        "share",
        job_column("min_accuracy", members),
        lambda i, p: min(_accuracy(i, p, j) for j in members),
        sign=-1.0,
    )
    return numbered("min_accuracy", name, f"the least accuracy of job {name}", amount, 0.0)


def _accuracy(instance: Instance, plan: Plan, job: int) -> float:
    """Return the least accuracy of a job: in the steady regime over the routes that it uses.

    NaN where it uses none.
    """
    if isinstance(plan, SchedulePlan):
        return float(by_job(instance, plan, schedule_of(instance, plan).job_accuracy)[job])
    used = [
        q.route_accuracy[q.used & (q.plan.route_job == job)] for q in streams_of(instance, plan)
    ]
    return float(np.fmin.reduce(np.concatenate(used), initial=np.nan))
