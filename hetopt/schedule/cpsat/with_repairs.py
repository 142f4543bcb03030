"""CP-SAT for the bound, and repairs for the plan, at the same time.

After a compiled search CP-SAT hardly ever finds a better plan (docs/benchmarks.md), but repairs of
parts of the plan do, and refuting small values of the objective raises the bound. One worker
repairs, the others refute; plans and bounds meet in the :class:`Incumbent`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.problem import Problem


class Either(threading.Event):
    """An event that is set where another one is, too."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        """Whether this event or the other one is set."""
        return super().is_set() or self.other.is_set()


def solve_and_repair(
    search: Incumbent, problem: Problem, level: int, seconds: float
) -> tuple[Level, bool]:
    """Solve a level while its plan is repaired; there is a plan, and are at least two workers.

    Returns
    -------
    tuple
        The solved level, and whether infeasibility is proven (never, where the plan is right).
    """
    over = Either(search.budget.stop)
    budget = replace(search.budget, workers=search.budget.workers - 1, stop=over)
    solving = Level(search, problem, level, seconds, budget, lower=True)
    repairing = Level(search, problem, level, seconds, replace(budget, workers=1))

    def repair() -> None:
        repairing.repair()
        if search.closed(level):
            over.set()

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(repair)
        try:
            infeasible = solving.solve()
        finally:
            if not solving.unbuilt:
                over.set()
        job.result()
    return solving, infeasible
