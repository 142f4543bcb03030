"""That whole units leave no plan, where the relaxation has one, is proved a second time."""

from __future__ import annotations

import pytest

from hetopt import Instance, Model, solve
from hetopt.solvers.result import MipResult
from hetopt.steady.column_generation import solve_single_tasks
from hetopt.steady.program import search
from hetopt.steady.program.second_proof import FOUND
from hetopt.steady.routes import single_task_routes


def units(power_cap: float) -> Instance:
    """Return streams that take 1.2 units of 10 W: two units, or 12 W in the relaxation."""
    model = Model("whole", regime="steady", objective="power", power_cap=power_cap)
    npu = model.device("npu", kind="npu", count=5, idle_power=10.0)
    for name, rate in (("j", 0.5), ("k", 0.7)):
        job = model.job(name, rate=rate)
        job.task(f"of {name}", options=[npu.option(time=1.0, energy=0.001)])
    return model.build()


@pytest.fixture(params=["routes", "columns"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Solve over routes, or over columns as where there are many."""
    if request.param == "columns":
        monkeypatch.setattr(single_task_routes, "MANY", 0)
    return str(request.param)


def test_infeasible_of_whole_units_is_proved_twice(way: str) -> None:
    solution = solve(units(15.0), time_limit=20, workers=1)
    assert (solution.status, solution.proof) == ("infeasible", "twice")
    assert "proved twice" in str(solution)
    assert solve(units(21.0), time_limit=20, workers=1).status == "optimal"


def test_infeasible_by_prices_of_the_relaxation_needs_no_second_proof(way: str) -> None:
    solution = solve(units(11.0), time_limit=20, workers=1)
    assert (solution.status, solution.proof) == ("infeasible", None)


def test_without_time_for_the_second_proof_it_was_proved_once(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (search, solve_single_tasks):
        monkeypatch.setattr(module, "infeasible_again", lambda *rest: ("once", None))
    solution = solve(units(15.0), time_limit=20, workers=1)
    assert (solution.status, solution.proof) == ("infeasible", "once")


def test_a_wrong_proof_that_no_units_fit_gives_way_to_the_plan(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in ((search, "solve_mip"), (solve_single_tasks, "solve_arrays")):
        lie = MipResult(proven_infeasible=True)
        monkeypatch.setattr(module, name, lambda *rest, lie=lie, **settings: lie)
        monkeypatch.setattr(search.Search, "_round", lambda *rest: None)
        monkeypatch.setattr(solve_single_tasks, "_rounded_up", lambda *rest: None)
    solution = solve(units(21.0), time_limit=20, workers=1)
    assert solution.status in ("optimal", "feasible")
    assert solution.proof is None
    assert FOUND in solution.notes


def test_deterministic_second_proofs_depend_on_the_seed_alone(way: str) -> None:
    first, second = (str(solve(units(15.0), time_limit=5, deterministic=True)) for _ in range(2))
    assert first == second
    assert "proved twice" in first
