"""Instances whose models CP-SAT answered wrongly once: the proofs hold now."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from ortools.sat.python import cp_model

from hetopt import from_frames
from hetopt.solve import solve
from hetopt.solvers.cpsat import limit_time, quiet_solver, stated_bound
from tests.cpsat_reproducers import REPRODUCERS, Reproducer


@pytest.mark.parametrize("case", REPRODUCERS, ids=lambda case: case.name.replace(" ", "-"))
def test_where_a_version_of_cpsat_was_wrong_the_optimum_is_proved(case: Reproducer) -> None:
    solution = solve(case.make(), time_limit=10)
    assert solution.objective == pytest.approx(case.optimum)
    assert solution.status == "optimal"


def test_a_solve_that_ends_before_its_search_states_no_bound() -> None:
    model = cp_model.CpModel()
    choices = [model.new_int_var(3, 10, f"x{i}") for i in range(3000)]
    for one, next_one in pairwise(choices):
        model.add(one + next_one <= 15)
    model.maximize(sum(choices))
    solver = quiet_solver(1, 0)
    solver.parameters.max_deterministic_time = 0.0
    status = solver.status_name(solver.solve(model))
    assert status == "UNKNOWN"
    assert solver.best_objective_bound == 0, "CP-SAT says 0 where 3000 x 7.5 is possible"
    assert math.isnan(stated_bound(solver, status))


def test_a_deterministic_solve_has_a_limit_by_the_clock_too() -> None:
    solver = quiet_solver(1, 0)
    limit_time(solver, 3.0, deterministic=True)
    assert solver.parameters.max_deterministic_time == 3.0
    assert 10 * 3.0 < solver.parameters.max_time_in_seconds < 60
    limit_time(solver, -1.0, deterministic=False)
    assert 0 < solver.parameters.max_time_in_seconds < 0.1


@pytest.mark.parametrize("regime", ["steady", "schedule"])
def test_no_bound_of_a_maximised_objective_comes_from_a_search_that_never_began(
    regime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One choice of two accuracies per task; time for no search at all. A schedule has room for
    # one good and two fast tasks on each unit, a stream for all good ones.
    begun = cp_model.CpSolver.solve

    def cut_short(solver: cp_model.CpSolver, model: cp_model.CpModel, *rest: Any) -> Any:
        solver.parameters.max_deterministic_time = 0.0
        return begun(solver, model, *rest)

    monkeypatch.setattr(cp_model.CpSolver, "solve", cut_short)
    names = [f"t{i}" for i in range(12)]
    options = [
        {"profile": n, "device": "d", "label": label, "time_s": time_s, "accuracy": accuracy}
        for n in names
        for label, time_s, accuracy in (("good", 1.0, 0.9), ("fast", 0.5, 0.6))
    ]
    jobs = [{"name": n, "rate_per_s": 0.01} if regime == "steady" else {"name": n} for n in names]
    frames = {
        "devices": pd.DataFrame([{"name": "d", "kind": "npu", "count_min": 4, "count_max": 4}]),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame([{"name": n, "job": n} for n in names]),
        "jobs": pd.DataFrame(jobs),
    }
    settings = {"regime": regime, "objective": "accuracy"}
    settings |= {"routing": "single"} if regime == "steady" else {"horizon_s": 2.0}
    for method in ("auto", "cpsat"):
        solution = solve(from_frames(frames, settings), time_limit=5, method=method)
        assert solution.verified or solution.plan is None
        assert not solution.bound < (0.9 if regime == "steady" else 0.7) - 1e-6


def test_cp_sat_loaded_without_pandas_still_takes_its_columns():
    code = (
        "import sys\n"
        "from hetopt.solvers.cpsat import load_cp_model\n"
        "cp_model = load_cp_model()\n"
        "assert 'pandas' not in sys.modules\n"
        "import pandas as pd\n"
        "model = cp_model.CpModel()\n"
        "x = model.new_int_var_series('x', pd.Index(['a', 'b']), 0, 3)\n"
        "model.maximize(x.sum())\n"
        "solver = cp_model.CpSolver()\n"
        "solver.solve(model)\n"
        "print(solver.values(x).to_dict())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "{'a': 3, 'b': 3}"
