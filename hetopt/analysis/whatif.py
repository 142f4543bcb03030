"""The same question of changed instances, beside the answer of the one given.

Differences are of the first objective, twice: of the plans found, and proven from the bounds of
both sides. With plans of value p and bounds b (0: given, 1: changed; less is better) the optimum
changes by at least b1 - p0 and at most p1 - b0.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Unpack

import numpy as np

from hetopt.analysis.changes import changed
from hetopt.analysis.solving import Question, solve_all
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.executors.loop import Report, silent
from hetopt.runtime.executors.processes import ProcessExecutor
from hetopt.solution import Plan, Shown, Solution
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of, solve_with
from hetopt.verify import verify


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
    executor: Executor | None = None,
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
    executor
        Where cases are solved, instead: any executor of ``concurrent.futures``, or one of
        :mod:`hetopt.runtime.executors`.
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
    tell = report or silent
    tell("as given")
    base = solve_with(instance, options, stop=stop)
    questions = {
        name: Question(case, options, _start(instance, base, case)) for name, case in cases.items()
    }
    if executor is None and min(parallel, len(questions)) > 1:
        with ProcessExecutor(min(parallel, len(questions))) as processes:
            solved = dict(solve_all(processes, questions, stop, tell))
    else:
        solved = dict(solve_all(executor, questions, stop, tell))
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


def _start(instance: Instance, base: Solution, case: Instance) -> Plan | None:
    """Return the base's plan where it is one of the case too."""
    if base.plan is None or len(case.options) != len(instance.options):
        return None
    return base.plan if verify(case, base.plan).ok else None


def _outcome(name: str, case: Instance, base: Solution, solution: Solution) -> Outcome:
    found = solution.objective - base.objective
    ends = (solution.bound - base.objective, solution.objective - base.bound)
    if is_maximised(base.objective_names[0]):
        ends = (ends[1], ends[0])
    # An optimum on both sides: rounding must not turn the range around.
    least, most = (min(ends), max(ends)) if not np.isnan(ends).any() else ends
    return Outcome(name, case, solution, found, least, most)
