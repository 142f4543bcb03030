"""CP-SAT as both regimes start it: nothing printed, our own signals, and no known wrong answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpSolver


def quiet_solver(workers: int, seed: int) -> CpSolver:
    """Return a solver whose limits are still to be set.

    In OR-Tools 9.15 constraints "greater than at least one of", which CP-SAT makes for itself
    where a variable has several enforced lower bounds, can prove a feasible model infeasible (the
    placement of ``test_a_feasible_placement_is_not_called_infeasible`` in the tests; without them
    it is solved). Presolve's search for constraints that include each other can cut the optimum
    off (``test_the_optimum_of_a_placement_is_not_presolved_away``: 3.8 W proven, 3.6 W possible).
    Both are switched off, because bounds and infeasibility must hold.
    """
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = workers
    parameters.random_seed = seed
    parameters.log_search_progress = False
    parameters.catch_sigint_signal = False
    parameters.auto_detect_greater_than_at_least_one_of = False
    parameters.presolve_inclusion_work_limit = 0
    return solver
