"""Policies on a schedule: plans, replications, and the bound of what any could have done."""

from __future__ import annotations

import math
import threading
import time as clock
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.evaluate.optional import left_out, runs_of
from hetopt.instance import Instance
from hetopt.instance.overrides import restrict
from hetopt.instance.questions import stuck_tasks
from hetopt.instance.robust import has_interval
from hetopt.runtime.executors.loop import Report, in_order
from hetopt.schedule.model.features import FEATURES, beyond
from hetopt.simulate.bounds.schedules import ScheduleBound, clairvoyant_bound
from hetopt.simulate.events import CapChanged, Event, RateChanged
from hetopt.simulate.failures import failures_of, stated_events, without_effect
from hetopt.simulate.policies import ONLY
from hetopt.simulate.question import EXPONENTIAL, INTERVAL, Question, named, spread_of, why
from hetopt.simulate.schedules.cycles import Cycles, cycles_of, plan_written_out, written_out
from hetopt.simulate.schedules.loop import run_schedule
from hetopt.simulate.schedules.outcomes import ScheduleOutcome, ScheduleSimulation, outcome_of
from hetopt.simulate.schedules.planned import Planned
from hetopt.simulate.schedules.policies import Dispatcher
from hetopt.simulate.schedules.rolling import RollingSchedule, planned_anew
from hetopt.simulate.schedules.runs import SUPPORTED, SchedulePolicy
from hetopt.simulate.schedules.world import Realised, Setting, realised
from hetopt.solution import Plan, SchedulePlan, Solution, with_options
from hetopt.solve import solve_with

MOST_NAMED = 10
"""Jobs that are named where the plan leaves some out."""
TICKS = 20
"""Ticks of a run whose Δ is not stated."""
SOLVE_S = 2.0
"""Seconds at most, counted as work that is done, of solves whose results must repeat: those of
rolling, and of the bound."""
STREAMS_ONLY = {
    "count": "requests",
    "time_s": "time",
    "timeout_s": "batch_timeout",
    "plan_for": "plan_for",
}
"""What can be asked of streams only, and what it is called."""


@dataclass(frozen=True)
class Replication:
    """One replication as it is handed to where it runs."""

    instance: Instance
    question: Question
    names: tuple[str, ...]
    plans: dict[str, SchedulePlan]
    delta_s: float
    number: int
    until_s: float
    cycles: Cycles | None = None


@dataclass(frozen=True)
class Replicated:
    """What came of one."""

    outcomes: list[ScheduleOutcome]
    bound: ScheduleBound | None
    realised: Instance | None


def simulate_schedule(
    instance: Instance,
    plan: Plan | None,
    question: Question,
    tell: Report,
    stop: threading.Event,
    executor: Executor | None,
) -> ScheduleSimulation:
    """Let policies run a schedule; see :func:`hetopt.simulate.simulate`."""
    _check(instance, plan, question)
    names = named(instance, question.policies)
    left = ""
    if "value" in instance.objective:
        instance, plan, left = _jobs_that_run(instance, plan, question, tell, stop)
    plans, failed = _plans(instance, plan, question, names, tell, stop)
    asked = tuple(n for n in names if n not in failed)
    cycles, once = cycles_of(instance, question.time_s), instance
    if cycles is not None:
        once = written_out(instance, cycles)
        plans = {n: plan_written_out(instance, p, cycles) for n, p in plans.items()}
    until = max([_end(once, p) for p in plans.values()], default=0.0)
    delta = question.delta_s or max(until, 1e-9) / TICKS
    items = {
        f"replication {r + 1}": Replication(once, question, asked, plans, delta, r, until, cycles)
        for r in range(question.replications)
    }
    done = [found for _, found in in_order(executor, replicate, items, stop, tell)]
    outcomes = [outcome for found in done for outcome in found.outcomes]
    if not outcomes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise InputError(f"No policy has a plan to begin with. {reasons}".strip())
    outcomes.sort(key=lambda o: (asked.index(o.policy), o.replication))
    first = done[0].realised
    stated = Realised(instance, np.zeros(0, dtype=np.int64))
    return ScheduleSimulation(
        instance=instance,
        policies=asked,
        outcomes=tuple(outcomes),
        bounds=tuple(found.bound for found in done if found.bound is not None),
        failed=failed,
        settings=_settings(once, question, delta, cycles),
        caps=tuple(Setting(stated, question.events).caps()),
        realised=once if first is None else first,
        notes=tuple(_notes(instance, question, outcomes, left)),
    )


def _jobs_that_run(
    instance: Instance, plan: Plan | None, question: Question, tell: Report, stop: threading.Event
) -> tuple[Instance, SchedulePlan, str]:
    """Return the instance of the jobs that a plan runs, the plan, and which it leaves out.

    All of them must run then: what value chooses is chosen, and later objectives are left.
    """
    if plan is None:
        tell("plan")
        solution = solve_with(instance, question.options, stop=stop)
        plan = solution.plan
        if plan is None:
            raise InputError(f"There is no plan to say which jobs run. {why(solution)}")
    if not isinstance(plan, SchedulePlan):
        raise InputError("The plan is expected to be of a schedule.")
    out, worth = left_out(instance, plan), instance.jobs.value
    part, mine = runs_of(instance, plan)
    rest = [name for name in instance.objective if name != "value"] or ["energy"]
    must = np.zeros(len(part.jobs), dtype=np.bool_)
    part = replace(part, jobs=replace(part.jobs, optional=must)).with_objective(*rest)
    if not len(out):
        return part, mine, ""
    names = instance.jobs.name[out].tolist()
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    value = f"{float(worth[out].sum()):.6g} of {float(worth.sum()):.6g}"
    left = f"{', '.join(names[:MOST_NAMED])}{more}"
    return part, mine, f"Left out by the plan, and not released, worth {value}: {left}."


def _notes(
    instance: Instance, question: Question, outcomes: list[ScheduleOutcome], left: str
) -> Iterator[str]:
    if left:
        yield left
    end_s = max(float(o.totals["end_s"] or 0.0) for o in outcomes)
    yield from without_effect(stated_events(instance, question.events, question.failures), end_s)


def replicate(item: Replication, stop: threading.Event) -> Replicated:
    """Let each policy run one replication, and bound what any could do."""
    setting = _setting(item)
    outcomes = []
    for name in item.names:
        if stop.is_set():
            break
        policy = _policy(item, name)
        began = clock.perf_counter()
        run = run_schedule(item.instance, policy, setting)
        spent = clock.perf_counter() - began
        decided = {}
        if isinstance(policy, RollingSchedule):
            decided = {"solves": policy.solves, "changes": policy.changes}
        outcomes.append(outcome_of(name, item.number, setting, run, spent, decided))
    bound = None
    if item.question.bound and outcomes and not stop.is_set():
        until = max(float(o.totals["end_s"] or 0.0) for o in outcomes)
        jobs = [sum(bool(row["missed"]) for row in o.jobs) for o in outcomes]
        options = _repeatable(item.question)
        bound = clairvoyant_bound(setting, options, until, max(jobs) > 0, float(min(jobs)))
    return Replicated(outcomes, bound, None if item.number else setting.realised.instance)


def _repeatable(question: Question) -> Any:
    limit = min(SOLVE_S, question.options.time_limit_s)
    return replace(question.options, time_limit_s=limit, deterministic=True)


def _policy(item: Replication, name: str) -> SchedulePolicy:
    if name == "rolling":
        return RollingSchedule(
            item.instance, item.plans["plan"], item.delta_s, _repeatable(item.question)
        )
    if name == "plan" or name.startswith(ONLY):
        return Planned(item.instance, item.plans[name], name)
    return Dispatcher(name, item.instance)


def _setting(item: Replication) -> Setting:
    q, instance = item.question, item.instance
    rng = np.random.default_rng([q.seed, item.number, 1])
    count, spread = len(instance.tasks), spread_of(q.times)
    z = factor = None
    if q.times == INTERVAL and has_interval(instance).any():
        z = rng.standard_normal(count)
    elif q.times == EXPONENTIAL:
        factor = rng.exponential(size=count)
    elif spread is not None:
        factor = np.exp(spread * rng.standard_normal(count))
    outside: list[Event] = list(q.events)
    if q.failures is not None:
        counts = instance.devices.count_max.tolist()
        # Runs may last longer than the plan; failures are drawn for long enough.
        until = 4.0 * max(item.until_s, 1e-9)
        outside += failures_of(instance, q.failures, counts, until, [q.seed, item.number, 2])
    outside.sort(key=lambda event: event.time_s)
    return Setting(realised(instance, z, factor), outside, item.cycles)


def _plans(
    instance: Instance,
    given: Plan | None,
    question: Question,
    names: tuple[str, ...],
    tell: Report,
    stop: threading.Event,
) -> tuple[dict[str, SchedulePlan], dict[str, str]]:
    """Return the plans that policies keep to, and why others have none."""
    plans: dict[str, SchedulePlan] = {}
    failed: dict[str, str] = {}
    wanted = [n for n in names if n in ("plan", "rolling") or n.startswith(ONLY)]
    for name in wanted:
        key = "plan" if name == "rolling" else name
        if key in plans:
            continue
        if key == "plan" and isinstance(given, SchedulePlan):
            plans[key] = given
            continue
        tell(f"plan of {name}" if name.startswith(ONLY) else "plan")
        if name.startswith(ONLY):
            found, reason = _rival(instance, name, question, stop)
        else:
            found, reason = _of(solve_with(instance, question.options, stop=stop))
        if found is None:
            failed[name] = reason
        else:
            plans[key] = found
    unknown = planned_anew(instance) if "rolling" in names else ""
    if unknown:
        failed["rolling"] = unknown
    for name in names:
        if name not in wanted:
            reason = _nowhere(instance)
            if reason:
                failed[name] = reason
    return plans, failed


def _nowhere(instance: Instance) -> str:
    stuck = stuck_tasks(instance)
    if not len(stuck):
        return ""
    return f"There is no option for {', '.join(instance.tasks.name[stuck[:5]])}."


def _of(solution: Solution) -> tuple[SchedulePlan | None, str]:
    if isinstance(solution.plan, SchedulePlan):
        return solution.plan, ""
    return None, why(solution)


def _rival(
    instance: Instance, name: str, question: Question, stop: threading.Event
) -> tuple[SchedulePlan | None, str]:
    allowed = instance.devices.name == name.removeprefix(ONLY)
    restricted, old, _ = restrict(instance, np.asarray(allowed, dtype=np.bool_))
    restricted = replace(restricted, allow_mixed_scopes=True)
    stuck = stuck_tasks(restricted)
    if len(stuck):
        tasks = ", ".join(instance.tasks.name[stuck[:5]])
        return None, f"It has no option for {tasks}."
    plan, reason = _of(solve_with(restricted, question.options, stop=stop))
    if plan is None:
        return None, reason
    found = with_options(plan, old)
    return (found, "") if isinstance(found, SchedulePlan) else (None, reason)


def _end(instance: Instance, plan: SchedulePlan) -> float:
    time = instance.tasks.work * instance.options.time_s[plan.option]
    return float((plan.start_s + time).max(initial=0.0))


def _check(instance: Instance, plan: Plan | None, question: Question) -> None:
    problems = []
    if plan is not None and not isinstance(plan, SchedulePlan):
        problems.append(Problem("plan", type(plan).__name__, "A plan of a schedule."))
    if isinstance(plan, SchedulePlan):
        lacks = plan.option < 0
        lacks &= ~np.isin(instance.tasks.job, left_out(instance, plan))
        if lacks.any():
            names = ", ".join(instance.tasks.name[lacks][:3])
            text = "A plan of all tasks of the jobs that it runs, and of all jobs that must run."
            problems.append(Problem("plan", f"without {names}", text))
    problems += [Problem("features", what, text) for what, text in refused(instance, question)]
    stream = "A question about streams: a schedule has its jobs and their releases."
    problems += [
        Problem(flag, str(getattr(question, name)), stream)
        for name, flag in STREAMS_ONLY.items()
        if getattr(question, name) is not None
        and not (name == "time_s" and np.isfinite(instance.limits.cycle_s))
    ]
    if question.trace is not None or question.arrivals != "poisson":
        problems.append(Problem("arrivals", question.arrivals, stream))
    if any(question.start_up.values()):
        problems.append(Problem("start_up", str(dict(question.start_up)), stream))
    if question.shared:
        problems.append(Problem("shared", ", ".join(question.shared), stream))
    if question.warm_up_s:
        problems.append(Problem("warm_up", f"{question.warm_up_s:g} s", stream))
    rates = [e for e in question.events if isinstance(e, RateChanged)]
    if rates:
        problems.append(Problem("events", rates[0].event, stream))
    if problems:
        raise InputError(problems)


def refused(instance: Instance, question: Question) -> Iterator[tuple[str, str]]:
    """Yield what an instance has that the event loop does not know, and what it does know."""
    unknown = beyond(instance, SUPPORTED)
    if unknown:
        text = "A schedule without them: simulating does not know them yet."
        yield ", ".join(unknown), text
    capped = math.isfinite(instance.limits.power_cap_w) or any(
        isinstance(event, CapChanged) and event.power_cap_w is not None for event in question.events
    )
    if capped and FEATURES["sleep in gaps"](instance) and FEATURES["set-ups"](instance):
        text = "No power cap beside both: when sleep ends depends on how long a set-up waits."
        yield "sleep in gaps, set-ups", text


def _settings(
    instance: Instance, question: Question, delta_s: float, cycles: Cycles | None
) -> dict[str, Any]:
    repeats = {} if cycles is None else {"cycles": cycles.count, "cycles_s": cycles.span_s}
    return repeats | {
        "tasks": len(instance.tasks),
        "jobs": len(instance.jobs),
        "replications": question.replications,
        "seed": question.seed,
        "times": question.times,
        "delta_s": delta_s,
        "failures": question.failures,
        "events": len(question.events),
    }
