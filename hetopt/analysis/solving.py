"""Solves as pieces of work that can go to another process or machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from hetopt.instance import Instance
from hetopt.runtime.executors.loop import Report, in_order
from hetopt.solution import Plan, Solution
from hetopt.solve import SolveOptions, solve_with


@dataclass(frozen=True)
class Question:
    """An instance to solve, from a plan of it where there is one."""

    instance: Instance
    options: SolveOptions
    start: Plan | None = None


def solve_all(
    executor: Executor | None,
    questions: Mapping[str, Question],
    stop: threading.Event,
    tell: Report,
) -> Iterator[tuple[str, Solution]]:
    """Solve questions wherever the executor runs them; yield names and solutions in their order.

    Those that had not begun when ``stop`` was set are left out.
    """
    for name, solution in in_order(executor, _solve, questions, stop, tell):
        yield name, replace(solution, instance=questions[name].instance)


def _solve(question: Question, stop: threading.Event) -> Solution:
    solution = solve_with(question.instance, question.options, start=question.start, stop=stop)
    # Who asked has the instance, and need not get it back from another process.
    return replace(solution, instance=None)
