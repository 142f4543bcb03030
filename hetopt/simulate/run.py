"""``simulate()``: policies, and the bound of what any could have done, in either regime."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from hetopt.instance import Instance
from hetopt.runtime.executors.loop import Report, silent
from hetopt.simulate.events import Event
from hetopt.simulate.failures import checked, events_of
from hetopt.simulate.outcomes import Simulation
from hetopt.simulate.question import (
    DEFAULT_POLICIES,
    INTERVAL,
    Quantity,
    Question,
    check,
    seconds,
    start_up_times,
)
from hetopt.simulate.schedules.outcomes import ScheduleSimulation
from hetopt.simulate.schedules.study import simulate_schedule
from hetopt.simulate.study import simulate_streams
from hetopt.solution import Plan, Solution
from hetopt.solve import Buildable, SolveOptions, built

if TYPE_CHECKING:
    import pandas as pd

SOLVE_S = 10.0


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
    start_up: Quantity | Mapping[str, Quantity] | None = None,
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
    tell: Report | None = None,
    stop: threading.Event | None = None,
    executor: Executor | None = None,
) -> Simulation | ScheduleSimulation:
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
        Time from switching a unit on until it serves, at idle power; also by device. By default,
        and beside it the energy of each start, what ``start_up`` of the devices states.
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
        time_s=seconds("time", time),
        replications=replications,
        seed=seed,
        failures=failures,
        events=tuple(checked(instance, tuple(happened), "events")),
        delta_s=seconds("delta", delta),
        start_up=start_up_times(instance, start_up),
        shared=tuple(shared),
        timeout_s=seconds("batch_timeout", batch_timeout, zero=True),
        times=times,
        columns=columns or {},
        warm_up_s=seconds("warm_up", warm_up, zero=True) or 0.0,
        plan_for=plan_for,
        bound=bound,
        options=SolveOptions(
            time_limit_s=seconds("time_limit", time_limit) or SOLVE_S, gap=gap, workers=workers
        ),
    )
    check(instance, question)
    given = plan.plan if isinstance(plan, Solution) else plan
    stop, tell = stop or threading.Event(), tell or silent
    if instance.regime == "schedule":
        return simulate_schedule(instance, given, question, tell, stop, executor)
    return simulate_streams(instance, given, question, tell, stop, executor)
