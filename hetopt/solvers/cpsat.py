"""CP-SAT as both regimes start it: nothing printed, our own signals, and no known wrong answers."""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hetopt.solvers.second_proof import other_seed

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpSolver


STOP_CHECK_S = 0.05
"""Seconds between two looks at whether the search shall stop."""

SHORTEST_S = 0.01
"""Seconds that a solve has at least."""

UNCOUNTED_S = 10.0
UNCOUNTED = 10.0
"""Seconds by the clock that a deterministic solve has, and how many more for each of its own."""

FOUND = ("OPTIMAL", "FEASIBLE")
"""Names of the statuses with which CP-SAT has a solution."""


class _LaterPandas(ModuleType):
    """Stands for pandas while CP-SAT's Python layer is loaded, and imports it when it is used."""

    loading = True

    def __getattr__(self, name: str) -> Any:
        if self.loading and not name.startswith("__"):
            return type(name, (), {})
        return getattr(importlib.import_module("pandas"), name)


def load_cp_model() -> Any:
    """Return the module ``ortools.sat.python.cp_model``, loaded without pandas.

    Its variables can be columns of pandas, which hetopt makes no use of: while it is loaded it
    only names their types. Pandas takes longer to load than all else that a small model needs.
    """
    name = "ortools.sat.python.cp_model"
    if name not in sys.modules and "pandas" not in sys.modules:
        later = sys.modules["pandas"] = _LaterPandas("pandas")
        try:
            importlib.import_module(name)
        finally:
            later.loading = False
            if sys.modules.get("pandas") is later:
                del sys.modules["pandas"]
    return importlib.import_module(name)


def quiet_solver(workers: int, seed: int) -> CpSolver:
    """Return a solver whose limits are still to be set.

    Two steps of CP-SAT are switched off that made it wrong in OR-Tools 9.15: constraints "greater
    than at least one of", which it makes for itself where a variable has several enforced lower
    bounds (a feasible model was infeasible), and presolve's search for constraints that include
    each other (the optimum was cut off). 9.15 is wrong in other ways too
    (``tests/cpsat_reproducers.py``); 9.14 was not seen to be (``bench.cpsat_versions``). They are
    worth little here, and a proof must hold.
    """
    solver: CpSolver = load_cp_model().CpSolver()
    parameters = solver.parameters
    parameters.num_workers = workers
    parameters.random_seed = seed
    parameters.log_search_progress = False
    parameters.catch_sigint_signal = False
    parameters.auto_detect_greater_than_at_least_one_of = False
    parameters.presolve_inclusion_work_limit = 0
    return solver


def other_solver(workers: int, seed: int) -> CpSolver:
    """Return a solver of another kind for a second proof (docs/schedule.md).

    It goes without presolve, probing and symmetry: the parts that wrong answers came from.
    """
    solver = quiet_solver(workers, other_seed(seed))
    parameters = solver.parameters
    parameters.cp_model_presolve = False
    parameters.cp_model_probing_level = 0
    parameters.symmetry_level = 0
    return solver


def refuting(
    model: Any, row: Any, *, workers: int, seed: int, seconds: float, deterministic: bool
) -> CpSolver:
    """Return the solver that looks for any solution which a further row (None: no row) allows.

    The model becomes that question, and is used up: it has no objective any more, and no hints.
    """
    model.clear_hints()
    model.clear_objective()
    if row is not None:
        model.add(row)
    solver = other_solver(1 if deterministic else workers, seed)
    limit_time(solver, seconds, deterministic=deterministic)
    return solver


def limit_time(solver: CpSolver, seconds: float, *, deterministic: bool) -> None:
    """Let a solver take so many seconds, or so many deterministic ones.

    Some of CP-SAT's presolve and inprocessing is work that its deterministic clock does not count:
    a solve of 5 such seconds went on for minutes. A generous limit by the clock ends these; what
    the deterministic clock does count is over long before.
    """
    if deterministic:
        solver.parameters.max_deterministic_time = seconds
        seconds = UNCOUNTED_S + UNCOUNTED * seconds
    solver.parameters.max_time_in_seconds = max(SHORTEST_S, seconds)


def stated_bound(solver: CpSolver, status: str) -> float:
    """Return CP-SAT's bound on the integer objective after a solve; nan where it states none.

    A solve that ends before its search has begun leaves the 0 of an empty answer there. That 0 is
    no bound: of a maximised objective, which is minimised negated, it would say that nothing is
    better than 0. A search that has a solution has a bound as well.
    """
    bound = float(solver.best_objective_bound)
    return math.nan if status not in FOUND and bound == 0 else bound


@contextlib.contextmanager
def stoppable(solver: CpSolver, stop: threading.Event) -> Iterator[None]:
    """End the search when ``stop`` is set."""
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if stop.wait(STOP_CHECK_S):
                # Again and again: a stop before the search began is not heeded.
                solver.stop_search()
                done.wait(STOP_CHECK_S)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
