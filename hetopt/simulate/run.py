"""``simulate()``: requests, policies, and the bound of what any could have done."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Instance
from hetopt.instance.overrides import restrict
from hetopt.instance.questions import stuck_tasks
from hetopt.instance.robust import has_interval
from hetopt.simulate.bound import Bound, clairvoyant_bound
from hetopt.simulate.events import CapChanged, Event, RateChanged
from hetopt.simulate.failures import checked, events_of, failures_of
from hetopt.simulate.outcomes import Outcome, Simulation, Timeline, outcome_of, timeline_of
from hetopt.simulate.policies import (
    ONLY,
    STREAM_POLICIES,
    StartUp,
    StreamPolicy,
    dispatcher,
    plan_policy,
)
from hetopt.simulate.requests import (
    DEFAULT_REQUESTS,
    Requests,
    drawn_requests,
    most_tasks,
    read_trace,
    requests_of,
)
from hetopt.simulate.rolling import Rolling
from hetopt.simulate.routes import WHOLE
from hetopt.simulate.streams import Run, run_streams
from hetopt.simulate.world import Setting
from hetopt.solution import Plan, Solution, SteadyPlan, with_options
from hetopt.solve import Buildable, SolveOptions, built, solve_with

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_POLICIES = ("plan", "greedy", "energy-greedy", "price", "rolling")
HOMOGENEOUS = "homogeneous"
"""Stands for the plan of each device alone."""
TICKS = 60
"""Ticks of a run whose Δ is not stated, and windows that its peak is the largest of."""
SOLVE_S = 10.0
FIXED, INTERVAL, EXPONENTIAL = "fixed", "interval", "exponential"
TIMES = (INTERVAL, FIXED, EXPONENTIAL)
PLAN_FOR = ("peak", "mean", "stated")
Quantity = float | str
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """What is simulated, in SI units."""

    policies: tuple[str, ...]
    arrivals: str
    trace: pd.DataFrame | None
    count: int | None
    time_s: float | None
    replications: int
    seed: int
    failures: str | None
    events: tuple[Event, ...]
    delta_s: float | None
    start_up: Mapping[str, float]
    shared: tuple[str, ...]
    timeout_s: float | None
    times: str
    columns: Mapping[str, str]
    warm_up_s: float
    plan_for: str | None
    bound: bool
    options: SolveOptions


def simulate(
    instance: Instance | Buildable,
    plan: Plan | Solution | None = None,
    *,
    policies: str | Sequence[str] = DEFAULT_POLICIES,
    arrivals: str | Path | pd.DataFrame = "poisson",
    requests: int | None = None,
    time: Quantity | None = None,
    replications: int = 1,
    seed: int = 0,
    failures: str | None = None,
    events: str | Path | Sequence[Event] = (),
    delta: Quantity | None = None,
    start_up: Quantity | Mapping[str, Quantity] = 0.0,
    shared: Sequence[str] = (),
    batch_timeout: Quantity | None = None,
    times: str = INTERVAL,
    columns: Mapping[str, str] | None = None,
    warm_up: Quantity = 0.0,
    plan_for: str | None = None,
    bound: bool = True,
    time_limit: Quantity = SOLVE_S,
    gap: float = 1e-3,
    workers: int = 2,
    tell: Tell | None = None,
    stop: threading.Event | None = None,
) -> Simulation:
    """Serve requests under policies, each with the same requests, draws and failures.

    Parameters
    ----------
    instance
        Of the steady regime, or the model that makes it.
    plan
        What ``plan`` keeps to, and the units that the others have; by default solved for.
    policies
        ``plan``, ``greedy``, ``energy-greedy``, ``price``, ``rolling``, ``only:DEVICE``, or
        ``homogeneous`` for the plan of each device alone.
    arrivals
        ``poisson``, ``bursty``, ``bursty:CV``, or a trace: a CSV file or a data frame.
    requests, time
        How many requests, or for how long; by default 10,000, or all of a trace.
    replications, seed
        Runs with draws of their own; equal seeds give equal results.
    failures
        Mean time between failures (``"100 h"``, ``"100 h/10 min"`` with that to repair), or a file.
    events
        Failures, repairs and changes of rates and caps (docs/events.md), or a file of them.
    delta
        Time between the ticks of ``rolling``; by default a sixtieth of the run.
    start_up
        Time from switching a unit on until it serves, at idle power; also by device.
    shared
        Devices whose units run all requests at once, each at its part of the speed.
    batch_timeout
        How long a batch waits to fill; by default as long as one takes.
    times
        ``interval`` (drawn where options state one), ``fixed`` or ``exponential``.
    columns
        Columns of a trace by what they mean: ``time``, ``job``, ``work``, ``work.TASK``.
    warm_up
        Requests before this time do not count in latencies and misses.
    plan_for
        Rates that the plan is made for: ``peak`` of the run's sixtieths (default for a trace),
        ``mean``, or as ``stated`` (default otherwise).
    bound
        Whether to compute the clairvoyant bound.
    time_limit, gap, workers
        Of each solve.
    tell
        Called with a line of text as work goes on.
    stop
        Set it from another thread to end after the run at hand.

    Raises
    ------
    InputError
        For anything that is not so, with its place; where no plan can be found for any policy.
    """
    instance = built(instance)
    trace = arrivals if not isinstance(arrivals, str | Path) else None
    names = (policies,) if isinstance(policies, str) else tuple(policies)
    happened = events if not isinstance(events, str | Path) else events_of(instance, str(events))
    question = Question(
        policies=names,
        arrivals="frame" if trace is not None else str(arrivals),
        trace=trace,
        count=requests,
        time_s=_seconds("time", time),
        replications=replications,
        seed=seed,
        failures=failures,
        events=tuple(checked(instance, tuple(happened), "events")),
        delta_s=_seconds("delta", delta),
        start_up=_start_up(instance, start_up),
        shared=tuple(shared),
        timeout_s=_seconds("batch_timeout", batch_timeout, zero=True),
        times=times,
        columns=columns or {},
        warm_up_s=_seconds("warm_up", warm_up, zero=True) or 0.0,
        plan_for=plan_for,
        bound=bound,
        options=SolveOptions(
            time_limit_s=_seconds("time_limit", time_limit) or SOLVE_S, gap=gap, workers=workers
        ),
    )
    given = plan.plan if isinstance(plan, Solution) else plan
    return _Study(instance, given, question, tell or (lambda text: None), stop).run()


class _Study:
    """One question: what all policies and replications share."""

    def __init__(
        self,
        instance: Instance,
        plan: Plan | None,
        question: Question,
        tell: Tell,
        stop: threading.Event | None,
    ) -> None:
        _check(instance, question)
        self.question, self.tell = question, tell
        self.stop = stop or threading.Event()
        self.is_trace = question.trace is not None or not _is_drawn(question.arrivals)
        first = self._requests(instance, 0)
        # Times of tasks are those of the trace's mean work: what a policy may expect.
        self.instance, self.mean_work = _with_mean_work(instance, first)
        self.first = self._scaled(first)
        self.delta_s = question.delta_s or max(self.first.end_s, 1e-9) / TICKS
        self.start_up = StartUp(
            np.array([question.start_up.get(str(n), 0.0) for n in instance.devices.name]),
            np.zeros(len(instance.devices)),
        )
        self.planned = self._at_planned_rates()
        self.given = self._checked_plan(plan)
        self.solution: Solution | None = None
        self._rivals: dict[str, Solution] = {}
        self.failed: dict[str, str] = {}

    def run(self) -> Simulation:
        """Make the policies, let each serve each replication, and bound what any could do."""
        names = self._names()
        outcomes: list[Outcome] = []
        bounds: list[Bound] = []
        timelines: dict[str, Timeline] = {}
        latencies: dict[str, Floats] = {}
        for replication in range(self.question.replications):
            requests = self.first if not replication else self._again(replication)
            setting = self._setting(requests, replication)
            ends = []
            for name in names:
                if name in self.failed or self.stop.is_set():
                    continue
                self.tell(f"{name}, replication {replication + 1}")
                policy = self._policy(name)
                if policy is None:
                    continue
                policy.shared = setting.shared
                began = clock.perf_counter()
                try:
                    run = run_streams(self.instance, policy, setting)
                except InputError as error:
                    self.failed[name] = str(error)
                    continue
                spent = clock.perf_counter() - began
                ends.append(run.end_s)
                outcomes.append(self._outcome(policy, replication, requests, run, spent))
                if not replication:
                    timelines[name] = timeline_of(run)
                    latencies[name] = run.finish_s - requests.time_s
            if self.question.bound and ends:
                self.tell("bound")
                bounds.append(clairvoyant_bound(self.instance, setting, max(ends)))
        if not outcomes:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.failed.items())
            raise InputError(f"No policy has a plan to begin with. {reasons}")
        outcomes.sort(key=lambda o: (names.index(o.policy), o.replication))
        return Simulation(
            self.instance,
            tuple(n for n in names if n not in self.failed),
            tuple(outcomes),
            tuple(bounds),
            timelines,
            latencies,
            self.first,
            self.failed,
            self._settings(),
            self._caps(),
        )

    def _outcome(
        self, policy: StreamPolicy, replication: int, requests: Requests, run: Run, spent: float
    ) -> Outcome:
        decided = {}
        if isinstance(policy, Rolling):
            decided = {"solves": policy.solves, "changes": policy.changes}
        return outcome_of(
            self.instance,
            policy.name,
            replication,
            requests,
            run,
            self.question.warm_up_s,
            spent,
            decided,
        )

    def _names(self) -> tuple[str, ...]:
        devices = self.instance.devices
        found: list[str] = []
        for name in self.question.policies:
            if name == HOMOGENEOUS:
                present = np.flatnonzero(devices.count_max != 0)
                found += [f"{ONLY}{devices.name[d]}" for d in present]
            else:
                found.append(name)
        return tuple(dict.fromkeys(found))

    def _requests(self, instance: Instance, replication: int) -> Requests:
        q = self.question
        if self.is_trace:
            frame, name = q.trace, "arrivals"
            if frame is None:
                frame, name = read_trace(q.arrivals), q.arrivals
            return requests_of(
                instance, frame, name, columns=q.columns, count=q.count, time_s=q.time_s
            )
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

    def _again(self, replication: int) -> Requests:
        """Return the requests of another replication; a trace is the same each time."""
        if self.is_trace:
            return self.first
        return self._scaled(self._requests(self.instance, replication))

    def _scaled(self, requests: Requests) -> Requests:
        if len(requests.work) == 1:
            return requests
        return replace(requests, work=requests.work / self.mean_work[requests.job])

    def _setting(self, requests: Requests, replication: int) -> Setting:
        q = self.question
        rng = np.random.default_rng([q.seed, replication, 1])
        size = (len(requests), most_tasks(self.instance))
        drawn = np.zeros((0, size[1]))
        if q.times == INTERVAL and has_interval(self.instance).any():
            drawn = rng.standard_normal(size)
        if q.times == EXPONENTIAL:
            requests = replace(requests, work=requests.work * rng.exponential(size=size))
        shared = np.isin(self.instance.devices.name.astype(object), list(q.shared))
        return Setting(
            requests,
            drawn,
            self._events(requests, replication),
            self.start_up,
            shared,
            q.timeout_s,
        )

    def _events(self, requests: Requests, replication: int) -> list[Event]:
        q = self.question
        outside: list[Event] = [e for e in q.events if not isinstance(e, RateChanged)]
        if q.failures is not None:
            devices = self.instance.devices
            plan = self._plan()
            had = np.zeros(len(devices), dtype=np.int64) if plan is None else plan.units_had
            counts = np.maximum(devices.count_max, had).tolist()
            seed = [q.seed, replication, 2]
            outside += failures_of(self.instance, q.failures, counts, requests.end_s, seed)
        return sorted(outside, key=lambda event: event.time_s)

    def _at_planned_rates(self) -> Instance:
        q, instance = self.question, self.instance
        default = "peak" if self.is_trace else "stated"
        basis = q.plan_for or default
        if basis == "stated":
            return instance
        wide, span = len(instance.jobs), max(self.first.end_s, 1e-9)
        if basis == "mean":
            rate = np.bincount(self.first.job, minlength=wide) / span
        else:
            # Windows of a sixtieth of the run, a minute of an hour: shorter ones peak by chance.
            width = span / TICKS
            window = np.minimum(self.first.time_s // width, TICKS - 1).astype(np.int64)
            counts = np.zeros((int(window.max(initial=0)) + 1, wide))
            np.add.at(counts, (window, self.first.job), 1.0)
            rate = counts.max(axis=0) / width
        return replace(instance, jobs=replace(instance.jobs, rate_per_s=rate))

    def _checked_plan(self, plan: Plan | None) -> SteadyPlan | None:
        if plan is None:
            return None
        if not isinstance(plan, SteadyPlan):
            raise InputError("The plan is expected to be of streams, for one demand.")
        return plan

    def _plan(self) -> SteadyPlan | None:
        if self.given is not None:
            return self.given
        solution = self._solved()
        return solution.plan if isinstance(solution.plan, SteadyPlan) else None

    def _solved(self) -> Solution:
        if self.solution is None:
            self.tell("plan")
            self.solution = solve_with(self.planned, self.question.options, stop=self.stop)
        return self.solution

    def _policy(self, name: str) -> StreamPolicy | None:
        if name.startswith(ONLY):
            return self._rival(name)
        plan = self._plan()
        if plan is None:
            self.failed[name] = _why(self._solved())
            return None
        if name == "plan":
            return plan_policy(self.instance, plan, self.start_up)
        if name == "rolling":
            return Rolling(self.planned, plan, self.start_up, self.delta_s, self.question.options)
        marginal = self._solved().marginal if name == "price" else None
        return dispatcher(name, self.instance, plan, self.start_up, marginal)

    def _rival(self, name: str) -> StreamPolicy | None:
        devices = self.instance.devices
        allowed = devices.name == name.removeprefix(ONLY)
        restricted, old, _ = restrict(self.planned, np.asarray(allowed, dtype=np.bool_))
        restricted = replace(restricted, allow_mixed_scopes=True)
        stuck = stuck_tasks(restricted)
        if len(stuck):
            names = ", ".join(self.instance.tasks.name[stuck[:5]])
            self.failed[name] = f"It has no option for {names}."
            return None
        if name not in self._rivals:
            self.tell(f"plan of {name}")
            self._rivals[name] = solve_with(restricted, self.question.options, stop=self.stop)
        solution = self._rivals[name]
        if solution.plan is None:
            self.failed[name] = _why(solution)
            return None
        plan = with_options(solution.plan, old)
        if not isinstance(plan, SteadyPlan):
            raise TypeError("An instance of one demand has plans of one.")
        return plan_policy(self.instance, plan, self.start_up, name)

    def _settings(self) -> dict[str, Any]:
        q = self.question
        return {
            "arrivals": q.arrivals,
            "requests": len(self.first),
            "end_s": self.first.end_s,
            "replications": q.replications,
            "seed": q.seed,
            "times": q.times,
            "delta_s": self.delta_s,
            "failures": q.failures,
            "events": len(q.events),
            "start_up_s": dict(q.start_up),
            "shared": list(q.shared),
            "planned_rates_per_s": dict(
                zip(
                    self.instance.jobs.name.tolist(),
                    self.planned.jobs.rate_per_s.tolist(),
                    strict=True,
                )
            ),
        }

    def _caps(self) -> tuple[tuple[float, float], ...]:
        changes = [
            (e.time_s, np.inf if e.power_cap_w is None else e.power_cap_w)
            for e in self.question.events
            if isinstance(e, CapChanged)
        ]
        return ((0.0, self.instance.limits.power_cap_w), *changes)


def _is_drawn(arrivals: str) -> bool:
    return arrivals == "poisson" or arrivals.split(":")[0] == "bursty"


def _why(solution: Solution) -> str:
    return solution.reason or f"No plan was found ({solution.status})."


def _with_mean_work(instance: Instance, requests: Requests) -> tuple[Instance, Floats]:
    """Return the instance at the mean work of its requests, and that work over its own (J × P)."""
    wide = requests.work.shape[1]
    mean = np.ones((len(instance.jobs), wide))
    if len(requests.work) == 1:
        return instance, mean
    work = instance.tasks.work.copy()
    ptr, tasks = instance.job_tasks
    for j in range(len(instance.jobs)):
        mine = requests.job == j
        count = int(ptr[j + 1] - ptr[j])
        if mine.any():
            mean[j, :count] = requests.work[mine, :count].mean(axis=0)
        mean[j][mean[j] <= 0] = 1.0
        work[tasks[ptr[j] : ptr[j + 1]]] *= mean[j, :count]
    options = replace(instance.options, latency_s=_still_joined(instance, work))
    return replace(instance, tasks=replace(instance.tasks, work=work), options=options), mean


def _still_joined(instance: Instance, work: Floats) -> Floats:
    """Return stated latencies such that batches that requests may join stay such at other work."""
    options = instance.options
    latency = options.latency_s.copy()
    for task in range(len(instance.tasks)):
        mine = instance.task_options(task)
        before = instance.tasks.work[task] * options.time_s[mine]
        joined = (options.batch[mine] >= 2) & (options.latency_s[mine] <= before * (1 + WHOLE))
        at = mine[joined]
        latency[at] = np.minimum(latency[at], work[task] * options.time_s[at])
    return latency


def _check(instance: Instance, question: Question) -> None:
    problems = []
    if instance.regime != "steady":
        text = "An instance of the steady regime: streams of requests."
        problems.append(Problem("regime", instance.regime, text))
    if len(instance.scenarios):
        when = f"{instance.when}s"
        text = f"An instance of one demand; name one with --set, or leave its {when} out."
        problems.append(Problem(when, str(len(instance.scenarios)), text))
    if "value" in instance.objective:
        text = "An objective that serves all requests; who turns some away is not simulated."
        problems.append(Problem("objective", "value", text))
    devices = instance.devices.name.tolist()
    for name in question.policies:
        if name in (*STREAM_POLICIES, HOMOGENEOUS):
            continue
        if not (name.startswith(ONLY) and name.removeprefix(ONLY) in devices):
            known = ", ".join((*STREAM_POLICIES, HOMOGENEOUS, *(f"{ONLY}{d}" for d in devices)))
            problems.append(Problem("policy", name, f"One of {known}."))
    problems += [
        Problem("shared", n, f"A device: {', '.join(devices)}.")
        for n in question.shared
        if n not in devices
    ]
    if question.times not in TIMES:
        problems.append(Problem("times", question.times, f"One of {', '.join(TIMES)}."))
    if question.plan_for not in (None, *PLAN_FOR):
        text = f"One of {', '.join(PLAN_FOR)}."
        problems.append(Problem("plan_for", str(question.plan_for), text))
    if question.replications < 1:
        problems.append(Problem("replications", str(question.replications), "At least 1."))
    if question.count is not None and question.count < 1:
        problems.append(Problem("requests", str(question.count), "At least 1."))
    if not 0 <= question.seed < 2**31:
        text = "A whole number from 0 to 2^31 - 1."
        problems.append(Problem("seed", str(question.seed), text))
    if not question.policies:
        problems.append(Problem("policies", "", "At least one policy."))
    if problems:
        raise InputError(problems)


def _seconds(name: str, value: Quantity | None, zero: bool = False) -> float | None:
    if value is None:
        return None
    try:
        found = float(units.parse(value, "time"))
    except units.UnitError as error:
        text = f"{error.expected}. {error.hint}".strip()
        raise InputError([Problem(name, str(error.value), text)]) from None
    if not (found > 0 or (zero and found == 0)) or not np.isfinite(found):
        least = "at least" if zero else "more than"
        raise InputError([Problem(name, str(value), f"A time of {least} 0 s.")])
    return found


def _start_up(instance: Instance, value: Quantity | Mapping[str, Quantity]) -> dict[str, float]:
    names = instance.devices.name.tolist()
    each = value if isinstance(value, Mapping) else dict.fromkeys(names, value)
    unknown = [n for n in each if n not in names]
    if unknown:
        text = f"A device: {', '.join(names)}."
        raise InputError([Problem("start_up", n, text) for n in unknown])
    return {n: _seconds("start_up", v, zero=True) or 0.0 for n, v in each.items()}
