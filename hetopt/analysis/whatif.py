"""The same question of changed instances, beside the answer of the one given.

Differences are of the first objective, twice: of the plans found, and proven from the bounds of
both sides. With plans of value p and bounds b (0: given, 1: changed; less is better) the optimum
changes by at least b1 - p0 and at most p1 - b0.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Unpack

import numpy as np

from hetopt.analysis.changes import changed
from hetopt.instance import Instance, is_maximised
from hetopt.solution import Plan, Shown, Solution
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of, solve_with
from hetopt.verify import verify

Report = Callable[[str], None]

LISTEN_S = 0.1
"""How often a stop is listened for between processes."""


@dataclass(frozen=True)
class Outcome:
    """The answer of one case.

    Attributes
    ----------
    difference
        Objective of the case's plan less that of the base's (SI units); NaN without both.
    least, most
        Proven range of the difference of the two optima; NaN where a bound or plan is missing.
    """

    name: str
    instance: Instance
    solution: Solution
    difference: float
    least: float
    most: float


@dataclass(frozen=True)
class Study(Shown):
    """The base case and the others, in the order given."""

    instance: Instance
    base: Solution
    outcomes: tuple[Outcome, ...]
    interrupted: bool = False


def whatif(
    instance: Instance | Buildable,
    cases: Mapping[str, Instance] | Sequence[str],
    *,
    options: SolveOptions | None = None,
    parallel: int = 1,
    stop: threading.Event | None = None,
    report: Report | None = None,
    **solving: Unpack[SolveFields],
) -> Study:
    """Solve an instance, and changed ones beside it.

    Parameters
    ----------
    instance
        The base case.
    cases
        Changed instances by name, or changes in words (``"drop npu"``): see :func:`changed`.
    options
        How each is solved; the time limit holds for each solve.
    parallel
        Cases solved at the same time, each in a process of its own.
    stop
        Set it to stop early; the cases that are not solved by then are left out.
    report
        Called with a line about what is being solved.
    **solving
        Options by keyword (``time_limit="20 s"``, ``gap="1 %"``, ``seed=1``, ...), which precede
        those of ``options``; see :class:`hetopt.solve.SolveFields`.

    Raises
    ------
    InputError
        Where the question cannot be asked of the base or of a case.
    """
    instance = built(instance)
    options = options_of(options, solving)
    if not isinstance(cases, Mapping):
        cases = {case: changed(instance, case) for case in cases}
    stop = stop or threading.Event()
    tell = report or (lambda line: None)
    tell("as given")
    base = solve_with(instance, options, stop=stop)
    tasks = {name: (case, options, _start(instance, base, case)) for name, case in cases.items()}
    solve_all = _one_by_one if parallel <= 1 or len(tasks) <= 1 else _side_by_side
    solved = dict(solve_all(tasks, min(parallel, len(tasks)), stop, tell))
    return Study(
        instance=instance,
        base=base,
        outcomes=tuple(
            _outcome(name, case, base, solved[name])
            for name, case in cases.items()
            if name in solved
        ),
        interrupted=stop.is_set(),
    )


_Task = tuple[Instance, SolveOptions, Plan | None]


def _start(instance: Instance, base: Solution, case: Instance) -> Plan | None:
    """Return the base's plan where it is one of the case too."""
    if base.plan is None or len(case.options) != len(instance.options):
        return None
    return base.plan if verify(case, base.plan).ok else None


def _one_by_one(
    tasks: Mapping[str, _Task], parallel: int, stop: threading.Event, tell: Report
) -> Iterator[tuple[str, Solution]]:
    for name, (case, options, start) in tasks.items():
        if stop.is_set():
            return
        tell(name)
        yield name, solve_with(case, options, start=start, stop=stop)


def _side_by_side(
    tasks: Mapping[str, _Task], parallel: int, stop: threading.Event, tell: Report
) -> Iterator[tuple[str, Solution]]:
    context = multiprocessing.get_context("spawn")
    stopped = context.Event()
    pool = ProcessPoolExecutor(parallel, context, _listen, (stopped,))
    with pool:
        pending: dict[Future[Solution], str] = {
            pool.submit(_solve, task): name for name, task in tasks.items()
        }
        while pending:
            done, _ = wait(pending, LISTEN_S, FIRST_COMPLETED)
            for future in done:
                name = pending.pop(future)
                yield name, future.result()
            tell(", ".join(list(pending.values())[:parallel]))
            if stop.is_set():
                stopped.set()
                pending = {f: name for f, name in pending.items() if not f.cancel()}


def _listen(stopped: Event) -> None:
    """Prepare a process: it stops when it is told to, and only then."""
    global _stopped
    _stopped = stopped
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_stopped: Event | None = None


def _solve(task: _Task) -> Solution:
    case, options, start = task
    stop, over = threading.Event(), threading.Event()

    def listen() -> None:
        while not over.wait(LISTEN_S):
            if _stopped is not None and _stopped.is_set():
                stop.set()
                return

    threading.Thread(target=listen, daemon=True).start()
    try:
        return solve_with(case, options, start=start, stop=stop)
    finally:
        over.set()


def _outcome(name: str, case: Instance, base: Solution, solution: Solution) -> Outcome:
    found = solution.objective - base.objective
    ends = (solution.bound - base.objective, solution.objective - base.bound)
    if is_maximised(base.objective_names[0]):
        ends = (ends[1], ends[0])
    # An optimum on both sides: rounding must not turn the range around.
    least, most = (min(ends), max(ends)) if not np.isnan(ends).any() else ends
    return Outcome(name, case, solution, found, least, most)
