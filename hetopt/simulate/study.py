"""Policies on streams: plans, replications, and the bound of what any could have done."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Instance
from hetopt.instance.overrides import restrict
from hetopt.instance.questions import several_demands, stuck_tasks
from hetopt.instance.robust import has_interval
from hetopt.instance.states.setups import configured_devices
from hetopt.runtime.executors.loop import Report, in_order
from hetopt.simulate.bounds.streams import Bound, clairvoyant_bound
from hetopt.simulate.events import CapChanged, Event, RateChanged
from hetopt.simulate.failures import failures_of, stated_events, without_effect
from hetopt.simulate.mean_work import with_mean_work
from hetopt.simulate.outcomes import Outcome, Simulation, Timeline, outcome_of, timeline_of
from hetopt.simulate.policies import ONLY
from hetopt.simulate.policies.dispatching import dispatcher
from hetopt.simulate.policies.plan import plan_policy, served_parts
from hetopt.simulate.policies.rolling import Rolling
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.question import EXPONENTIAL, INTERVAL, Question, named, spread_of, why
from hetopt.simulate.requests import (
    DEFAULT_REQUESTS,
    Requests,
    drawn_requests,
    most_tasks,
    read_trace,
    requests_of,
)
from hetopt.simulate.streams import run_streams
from hetopt.simulate.world import Setting
from hetopt.solution import Plan, Solution, SteadyPlan, with_options
from hetopt.solve import solve_with

TICKS = 60
"""Ticks of a run whose Δ is not stated, and windows that its peak is the largest of."""


@dataclass(frozen=True)
class Replication:
    """One replication as it is handed to where it runs.

    Attributes
    ----------
    instance, planned
        With times of the requests' mean work; at the rates that plans are made for.
    plans
        Plans by policy: ``plan`` for all but homogeneous rivals.
    marginal
        What ``solve`` says one more of each limit is worth, for ``price``.
    work
        Mean work of the requests over that of the instance (J × P).
    first
        Requests of the first replication; those of a trace are the same in each.
    """

    instance: Instance
    planned: Instance
    question: Question
    names: tuple[str, ...]
    plans: Mapping[str, SteadyPlan]
    marginal: Mapping[str, Any] | None
    start_up: StartUp
    delta_s: float
    work: Floats
    first: Requests
    number: int


@dataclass(frozen=True)
class Replicated:
    """What came of one; timelines and latencies of the first only."""

    outcomes: list[Outcome]
    bound: Bound | None
    timelines: dict[str, Timeline]
    latencies: dict[str, Floats]
    failed: dict[str, str]


def simulate_streams(
    instance: Instance,
    plan: Plan | None,
    question: Question,
    tell: Report,
    stop: threading.Event,
    executor: Executor | None,
) -> Simulation:
    """Serve requests under policies; see :func:`hetopt.simulate.simulate`."""
    if len(instance.scenarios):
        raise InputError([several_demands(instance)])
    if plan is not None and not isinstance(plan, SteadyPlan):
        raise InputError("The plan is expected to be of streams, for one demand.")
    first = _requests(instance, question, 0)
    # Times of tasks are those of the trace's mean work: what a policy may expect.
    instance, work = with_mean_work(instance, first)
    first = _scaled(first, work)
    planned = _at_planned_rates(instance, question, first)
    names = named(instance, question.policies)
    made = _Plans(instance, planned, plan, question, tell, stop)
    plans, failed = made.of(names)
    asked = tuple(n for n in names if n not in failed)
    start_up = StartUp(
        np.array([question.start_up.get(str(n), 0.0) for n in instance.devices.name]),
        instance.devices.start_up_energy_j,
    )
    delta_s = question.delta_s or _span(instance, first) / TICKS
    marginal = made.solved().marginal if "price" in asked else None
    items = {
        f"replication {r + 1}": Replication(
            instance,
            planned,
            question,
            asked,
            plans,
            marginal,
            start_up,
            delta_s,
            work,
            first,
            r,
        )
        for r in range(question.replications)
    }
    done = [found for _, found in in_order(executor, replicate, items, stop, tell)]
    for found in done:
        failed |= found.failed
    outcomes = [o for found in done for o in found.outcomes if o.policy not in failed]
    if not outcomes:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise InputError(f"No policy has a plan to begin with. {reasons}")
    outcomes.sort(key=lambda o: (names.index(o.policy), o.replication))
    return Simulation(
        instance=instance,
        policies=tuple(n for n in names if n not in failed),
        outcomes=tuple(outcomes),
        bounds=tuple(found.bound for found in done if found.bound is not None),
        timelines={n: line for n, line in done[0].timelines.items() if n not in failed},
        latencies={n: values for n, values in done[0].latencies.items() if n not in failed},
        requests=first,
        failed=failed,
        settings=_settings(instance, planned, question, first, delta_s),
        caps=_caps(instance, question),
        notes=tuple(_notes(instance, question, first, outcomes)),
    )


def _notes(
    instance: Instance, question: Question, first: Requests, outcomes: list[Outcome]
) -> Iterator[str]:
    trace = _is_trace(question)
    if question.bound and "value" in instance.objective:
        yield "There is no clairvoyant bound where requests may be turned away."
    if trace and not first.end_s > 0:
        if question.plan_for is None:
            yield "Requests come all at once: plans are made for the rates that are stated."
        if question.delta_s is None and "rolling" in {o.policy for o in outcomes}:
            yield "Requests come all at once: Δ is a sixtieth of the time that they stand for."
    end_s = max(float(o.totals["end_s"] or 0.0) for o in outcomes)
    yield from without_effect(
        stated_events(instance, question.events, question.failures), end_s, first.end_s, trace
    )


def replicate(item: Replication, stop: threading.Event) -> Replicated:
    """Let each policy serve the requests of one replication, and bound what any could do."""
    question = item.question
    requests = item.first
    if item.number and not _is_trace(question):
        requests = _scaled(_requests(item.instance, question, item.number), item.work)
    setting = _setting(item, requests)
    found = Replicated([], None, {}, {}, {})
    ends = []
    for name in item.names:
        if stop.is_set():
            break
        policy = _policy(item, name)
        policy.shared = setting.shared
        began = clock.perf_counter()
        try:
            run = run_streams(item.instance, policy, setting)
        except InputError as error:
            found.failed[name] = str(error)
            continue
        spent = clock.perf_counter() - began
        ends.append(run.end_s)
        decided = {}
        if isinstance(policy, Rolling):
            decided = {"solves": policy.solves, "changes": policy.changes}
        found.outcomes.append(
            outcome_of(
                item.instance,
                policy.name,
                item.number,
                requests,
                run,
                question.warm_up_s,
                spent,
                decided,
            )
        )
        if not item.number:
            found.timelines[name] = timeline_of(run)
            latency = run.finish_s - requests.time_s
            found.latencies[name] = np.where(run.turned_away, np.nan, latency)
    if not question.bound or not ends or "value" in item.instance.objective:
        return found
    bound = clairvoyant_bound(
        item.instance,
        setting,
        max(ends),
        question.warm_up_s,
        _best(found.outcomes, "misses"),
        _best(found.outcomes, "mean_latency_s"),
    )
    return replace(found, bound=bound)


def _best(outcomes: list[Outcome], name: str) -> float:
    known = [o.totals[name] for o in outcomes if not o.totals["unserved"]]
    return min([v for v in known if v is not None], default=0.0)


def _policy(item: Replication, name: str) -> StreamPolicy:
    plan = item.plans[name if name.startswith(ONLY) else "plan"]
    valued = "value" in item.instance.objective
    admit = served_parts(item.planned, plan) if valued else None
    if name == "plan" or name.startswith(ONLY):
        return plan_policy(item.instance, plan, item.start_up, name, admit)
    if name == "rolling":
        return Rolling(item.planned, plan, item.start_up, item.delta_s, item.question.options)
    marginal = item.marginal if name == "price" else None
    return dispatcher(name, item.instance, plan, item.start_up, marginal, admit)


class _Plans:
    """Plans that policies begin with, each solved once."""

    def __init__(
        self,
        instance: Instance,
        planned: Instance,
        given: SteadyPlan | None,
        question: Question,
        tell: Report,
        stop: threading.Event,
    ) -> None:
        self.instance, self.planned, self.given = instance, planned, given
        self.question, self.tell, self.stop = question, tell, stop
        self._solution: Solution | None = None

    def of(self, names: tuple[str, ...]) -> tuple[dict[str, SteadyPlan], dict[str, str]]:
        """Return the plans, and why policies have none."""
        plans: dict[str, SteadyPlan] = {}
        failed: dict[str, str] = {}
        if "rolling" in names and configured_devices(self.instance).any():
            failed["rolling"] = (
                "Units keep their configurations: what setting them up takes is unknown."
            )
        for name in names:
            key = name if name.startswith(ONLY) else "plan"
            if key in plans:
                continue
            found, reason = self._rival(name) if key == name != "plan" else self._plan()
            if found is None:
                failed[name] = reason
            else:
                plans[key] = found
        return plans, failed

    def solved(self) -> Solution:
        """Return the solution at the rates that are planned for."""
        if self._solution is None:
            self.tell("plan")
            self._solution = solve_with(self.planned, self.question.options, stop=self.stop)
        return self._solution

    def _plan(self) -> tuple[SteadyPlan | None, str]:
        if self.given is not None:
            return self.given, ""
        solution = self.solved()
        if isinstance(solution.plan, SteadyPlan):
            return solution.plan, ""
        return None, why(solution)

    def _rival(self, name: str) -> tuple[SteadyPlan | None, str]:
        devices = self.instance.devices
        allowed = devices.name == name.removeprefix(ONLY)
        restricted, old, _ = restrict(self.planned, np.asarray(allowed, dtype=np.bool_))
        restricted = replace(restricted, allow_mixed_scopes=True)
        stuck = stuck_tasks(restricted)
        if len(stuck):
            names = ", ".join(self.instance.tasks.name[stuck[:5]])
            return None, f"It has no option for {names}."
        self.tell(f"plan of {name}")
        solution = solve_with(restricted, self.question.options, stop=self.stop)
        if solution.plan is None:
            return None, why(solution)
        plan = with_options(solution.plan, old)
        if not isinstance(plan, SteadyPlan):
            raise TypeError("An instance of one demand has plans of one.")
        return plan, ""


def _is_trace(question: Question) -> bool:
    return question.trace is not None or not _is_drawn(question.arrivals)


def _is_drawn(arrivals: str) -> bool:
    return arrivals == "poisson" or arrivals.split(":")[0] == "bursty"


def _requests(instance: Instance, question: Question, replication: int) -> Requests:
    q = question
    if _is_trace(q):
        frame, name = q.trace, "arrivals"
        if frame is None:
            frame, name = read_trace(q.arrivals), q.arrivals
        return requests_of(instance, frame, name, columns=q.columns, count=q.count, time_s=q.time_s)
    count = q.count
    if count is None and q.time_s is None:
        count = DEFAULT_REQUESTS
    return drawn_requests(
        instance,
        q.arrivals,
        count=count,
        time_s=q.time_s if count is None else None,
        seed=[q.seed, replication, 0],
        events=q.events,
    )


def _scaled(requests: Requests, work: Floats) -> Requests:
    if len(requests.work) == 1:
        return requests
    return replace(requests, work=requests.work / work[requests.job])


def _setting(item: Replication, requests: Requests) -> Setting:
    q, instance = item.question, item.instance
    rng = np.random.default_rng([q.seed, item.number, 1])
    size, spread = (len(requests), most_tasks(instance)), spread_of(q.times)
    drawn = np.zeros((0, size[1]))
    if q.times == INTERVAL and has_interval(instance).any():
        drawn = rng.standard_normal(size)
    if q.times == EXPONENTIAL:
        requests = replace(requests, work=requests.work * rng.exponential(size=size))
    elif spread is not None:
        factor = np.exp(spread * rng.standard_normal(size))
        requests = replace(requests, work=requests.work * factor)
    shared = np.isin(instance.devices.name.astype(object), list(q.shared))
    events = _events(item, requests)
    return Setting(requests, drawn, events, item.start_up, shared, q.timeout_s)


def _events(item: Replication, requests: Requests) -> list[Event]:
    q = item.question
    outside: list[Event] = [e for e in q.events if not isinstance(e, RateChanged)]
    if q.failures is not None:
        devices = item.instance.devices
        plan = item.plans.get("plan")
        had = np.zeros(len(devices), dtype=np.int64) if plan is None else plan.units_had
        counts = np.maximum(devices.count_max, had).tolist()
        seed = [q.seed, item.number, 2]
        outside += failures_of(item.instance, q.failures, counts, requests.end_s, seed)
    return sorted(outside, key=lambda event: event.time_s)


def _span(instance: Instance, first: Requests) -> float:
    """Return how long a run lasts, about; where all requests come at once, what rates say."""
    if first.end_s > 0:
        return first.end_s
    stated = float(instance.jobs.rate_per_s[np.unique(first.job)].sum())
    return len(first) / stated if stated > 0 else 1e-9


def _at_planned_rates(instance: Instance, question: Question, first: Requests) -> Instance:
    at_once = not first.end_s > 0
    usual = "peak" if _is_trace(question) and not at_once else "stated"
    basis = question.plan_for or usual
    if basis == "stated":
        return instance
    if at_once:
        text = "Requests that come at several times: no rate follows from those that come at once."
        advice = "`stated` plans for the rates of the instance, `--time T` counts them over T."
        raise InputError([Problem("plan_for", basis, f"{text} {advice}")])
    wide, span = len(instance.jobs), max(first.end_s, 1e-9)
    if basis == "mean":
        rate = np.bincount(first.job, minlength=wide) / span
    else:
        # Windows of a sixtieth of the run, a minute of an hour: shorter ones peak by chance.
        width = span / TICKS
        window = np.minimum(first.time_s // width, TICKS - 1).astype(np.int64)
        counts = np.zeros((int(window.max(initial=0)) + 1, wide))
        np.add.at(counts, (window, first.job), 1.0)
        rate = counts.max(axis=0) / width
    return replace(instance, jobs=replace(instance.jobs, rate_per_s=rate))


def _settings(
    instance: Instance, planned: Instance, question: Question, first: Requests, delta_s: float
) -> dict[str, Any]:
    q = question
    rates = planned.jobs.rate_per_s.tolist()
    return {
        "arrivals": q.arrivals,
        "requests": len(first),
        "end_s": first.end_s,
        "replications": q.replications,
        "seed": q.seed,
        "times": q.times,
        "delta_s": delta_s,
        "failures": q.failures,
        "events": len(q.events),
        "start_up_s": dict(q.start_up),
        "shared": list(q.shared),
        "planned_rates_per_s": dict(zip(instance.jobs.name.tolist(), rates, strict=True)),
    }


def _caps(instance: Instance, question: Question) -> tuple[tuple[float, float], ...]:
    changes = [
        (e.time_s, np.inf if e.power_cap_w is None else e.power_cap_w)
        for e in question.events
        if isinstance(e, CapChanged)
    ]
    return ((0.0, instance.limits.power_cap_w), *changes)
