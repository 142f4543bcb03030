"""CP-SAT for the bound, and repairs for the plan, at the same time.

After a compiled search CP-SAT hardly ever finds a better plan (docs/benchmarks.md), but repairs of
parts of the plan do, and refuting small values of the objective raises the bound. One worker
repairs, the others refute; plans and bounds meet in the incumbent.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hetopt.schedule.cpsat.objective_level import Level


class Either(threading.Event):
    """An event that is set where another one is, too."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        """Whether this event or the other one is set."""
        return super().is_set() or self.other.is_set()


def solve_and_repair(solving: Level) -> bool:
    """Solve a level while its plan is repaired; there is a plan, and are at least two workers.

    Return whether infeasibility is proven (never, where the plan is right).
    """
    search, level = solving.search, solving.level
    over = Either(search.budget.stop)
    solving.budget = replace(search.budget, workers=search.budget.workers - 1, stop=over)
    solving.lower = True
    alone = replace(solving.budget, workers=1)
    repairing = Level(search, solving.problem, level, solving.seconds, alone)

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
    return infeasible
