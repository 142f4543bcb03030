from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from array import array
from itertools import product

import pulp
import pytest

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.solve import SolveOptions
from hetopt.solvers import highs_process as processes
from hetopt.solvers.highs_worker import last_solution, parse_log_line
from hetopt.solvers.mip import solve_mip
from hetopt.solvers.others import pulp_solvers


def _installed(name):
    return name in pulp.listSolvers(onlyAvailable=True)


SOLVERS = ["highs", "cbc"]

# PuLP 3.3.2 announces PuLP 4 at each variable.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def knapsack(sense=pulp.LpMaximize, scale=1.0, constant=0.0):
    problem = pulp.LpProblem("knapsack", sense)
    sign = 1 if sense == pulp.LpMaximize else -1
    x = [pulp.LpVariable(f"x{i}", cat="Binary") for i in range(6)]
    worth = [10, 13, 7, 8, 4, 9]
    problem += pulp.lpSum([sign * scale * w * v for w, v in zip(worth, x, strict=True)]) + constant
    problem += pulp.lpSum([w * v for w, v in zip([5, 6, 4, 5, 2, 4], x, strict=True)]) <= 13
    return problem


def hard_assignment(machines=12, jobs=100):
    """An assignment problem that takes minutes to prove."""
    rng = random.Random(1)
    problem = pulp.LpProblem("gap")
    cells = list(product(range(machines), range(jobs)))
    cost = {cell: rng.randint(5, 60) for cell in cells}
    load = {cell: max(1, 111 - cost[cell] + rng.randint(-10, 10)) for cell in cells}
    x = {cell: pulp.LpVariable(f"x_{cell[0]}_{cell[1]}", cat="Binary") for cell in cells}
    problem += pulp.lpSum([cost[c] * x[c] for c in cells])
    for j in range(jobs):
        problem += pulp.lpSum([x[i, j] for i in range(machines)]) == 1
    for i in range(machines):
        own = [load[i, j] for j in range(jobs)]
        row = pulp.lpSum([w * x[i, j] for j, w in enumerate(own)])
        problem += row <= int(0.8 * sum(own) / machines)
    return problem


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sense", [pulp.LpMaximize, pulp.LpMinimize])
@pytest.mark.parametrize("constant", [0.0, 100.0])
def test_a_knapsack_is_solved_and_proven_in_either_sense(solver, sense, constant):
    result = solve_mip(knapsack(sense, constant=constant), solver=solver)
    sign = 1 if sense == pulp.LpMaximize else -1
    assert result.objective == pytest.approx(sign * 27 + constant, rel=1e-12)
    assert abs(result.objective - result.bound) <= GAP_TOLERANCE * abs(result.objective)
    # The bound lies beyond the optimum, on the side where nothing can be.
    assert sign * (result.bound - result.objective) >= 0
    assert result.values == {"x0": 1, "x1": 1, "x2": 0, "x3": 0, "x4": 1, "x5": 0}
    assert (result.timed_out, result.interrupted, result.proven_infeasible) == (False,) * 3


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 1e7])
def test_costs_of_any_size_are_solved_to_the_same_relative_gap(scale):
    result = solve_mip(knapsack(scale=scale))
    assert result.objective == pytest.approx(27 * scale, rel=1e-9)
    assert abs(result.objective - result.bound) <= GAP_TOLERANCE * result.objective


def test_a_cost_that_no_solution_pays_does_not_keep_the_gap_open():
    problem = pulp.LpProblem("dear", pulp.LpMinimize)
    dear, cheap = (pulp.LpVariable(name, 0, 9, "Integer") for name in ("dear", "cheap"))
    problem += dear + 3e-5 * cheap
    problem += dear + 2 * cheap >= 3
    result = solve_mip(problem)
    assert result.objective == pytest.approx(6e-5)
    assert 0 <= result.objective - result.bound <= GAP_TOLERANCE * result.objective


@pytest.mark.parametrize("solver", SOLVERS)
def test_infeasibility_is_proven(solver):
    problem = knapsack()
    problem += pulp.lpSum(problem.variables()) >= 5
    result = solve_mip(problem, solver=solver)
    assert result.proven_infeasible
    assert result.values is None
    assert result.objective is None


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("category", ["Integer", "Continuous"])
def test_unboundedness_is_proven_and_gives_no_bound(solver, category):
    problem = pulp.LpProblem("unbounded", pulp.LpMaximize)
    x = pulp.LpVariable("x", 0, None, category)
    y = pulp.LpVariable("y", 0, None, category)
    problem += x + y
    problem += x - y <= 3
    result = solve_mip(problem, solver=solver)
    assert result.proven_unbounded
    assert not result.proven_infeasible
    assert result.bound is None
    assert result.values is None


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_linear_program_is_solved(solver):
    problem = pulp.LpProblem("lp", pulp.LpMaximize)
    x, y = pulp.LpVariable("x", 0), pulp.LpVariable("y", 0, 2)
    problem += 3 * x + 2 * y
    problem += x + y <= 4.5
    result = solve_mip(problem, solver=solver)
    assert result.objective == pytest.approx(13.5)
    assert result.bound == pytest.approx(13.5, rel=2e-6)
    assert result.bound >= 13.5


def test_a_time_limit_keeps_the_incumbent_and_the_bound():
    result = solve_mip(hard_assignment(), time_limit_s=2.0)
    assert result.timed_out
    assert not result.interrupted
    assert result.wall_time_s < 3.0
    assert result.values is not None
    assert 0 < result.bound < result.objective
    assert result.history
    assert result.history[-1][1] == pytest.approx(result.objective)


def test_cbc_at_its_time_limit_claims_no_proof():
    result = solve_mip(hard_assignment(), time_limit_s=2.0, solver="cbc")
    reference = solve_mip(hard_assignment(), time_limit_s=2.0)
    assert result.timed_out
    if result.bound is not None and result.objective is not None:
        assert result.bound < result.objective
        assert result.bound <= reference.objective


def test_stopping_returns_the_incumbent_and_the_bound_at_once():
    stop = threading.Event()
    seen = []

    def on_progress(incumbent, bound):
        seen.append((incumbent, bound))
        if incumbent is not None and bound is not None:
            stop.set()

    result = solve_mip(hard_assignment(), time_limit_s=30.0, stop=stop, progress=on_progress)
    assert result.interrupted
    assert not result.timed_out
    assert result.wall_time_s < 20.0
    assert result.objective == pytest.approx(seen[-1][0])
    assert 0 < result.bound <= seen[-1][1]
    # The next solve gets a new process.
    assert solve_mip(knapsack()).objective == 27


def test_stopping_answers_within_a_second():
    stop = threading.Event()
    solve_mip(knapsack())
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    result = solve_mip(hard_assignment(), time_limit_s=30.0, stop=stop)
    assert result.interrupted
    assert result.wall_time_s < 2.5


def test_a_stop_that_was_set_before_solves_nothing():
    stop = threading.Event()
    stop.set()
    result = solve_mip(knapsack(), stop=stop)
    assert result.interrupted
    assert result.values is None


def test_no_time_left_is_a_time_out():
    assert solve_mip(knapsack(), time_limit_s=0.0).timed_out


def test_a_complete_start_is_kept_when_nothing_better_is_found():
    start = {f"x{i}": float(i in (1, 2, 4)) for i in range(6)}
    kept = solve_mip(knapsack(), start=start, time_limit_s=0.0)
    assert kept.values == start
    assert kept.objective == 24
    improved = solve_mip(knapsack(), start=start)
    assert improved.objective == 27


@pytest.mark.parametrize(
    "start",
    [{"x0": 1.0}, {f"x{i}": 1.0 for i in range(6)}, {f"x{i}": float("nan") for i in range(6)}],
)
def test_a_start_that_is_incomplete_or_does_not_hold_is_left_out(start):
    assert solve_mip(knapsack(), start=start, time_limit_s=0.0).values is None
    assert solve_mip(knapsack(), start=start).objective == 27


def test_a_start_reaches_the_solver():
    first = solve_mip(hard_assignment(), time_limit_s=4.0)
    again = solve_mip(hard_assignment(), time_limit_s=1.5, start=first.values)
    assert again.history[0][1] == pytest.approx(first.objective)
    assert again.objective <= first.objective


def test_a_gap_that_is_asked_for_still_holds_after_the_bound_is_weakened():
    result = solve_mip(hard_assignment(8, 60), gap_rel=0.05, time_limit_s=30.0)
    assert not result.timed_out
    assert abs(result.objective - result.bound) <= 0.05 * abs(result.objective)


def test_a_process_that_dies_gives_a_message_and_no_claim():
    stop = threading.Event()
    process = processes.highs_process(1)
    killer = threading.Timer(0.7, process._child.kill)
    killer.start()
    result = solve_mip(hard_assignment(), time_limit_s=20.0, stop=stop)
    assert result.values is None
    assert "ended by itself" in result.message
    assert (result.timed_out, result.interrupted, result.proven_infeasible) == (False,) * 3
    assert solve_mip(knapsack()).objective == 27


def test_the_child_ends_with_its_parent():
    code = (
        "import os, pulp\n"
        "from hetopt.solvers.mip import warm_up\n"
        "from hetopt.solvers.highs_process import highs_process\n"
        "warm_up(); print(highs_process(1)._child.pid, flush=True); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"the child {pid} still runs 5 s after its parent ended")


def _runs(pid):
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


def test_random_small_problems_agree_with_cbc_and_brute_force():
    rng = random.Random(7)
    for _ in range(25):
        size = rng.randint(2, 4)
        sense = rng.choice([pulp.LpMinimize, pulp.LpMaximize])
        cost = [rng.randint(-9, 9) for _ in range(size)]
        rows = [
            ([rng.randint(-5, 5) for _ in range(size)], rng.choice([-1, 0, 1]), rng.randint(-4, 8))
            for _ in range(rng.randint(1, 3))
        ]
        problem = pulp.LpProblem("random", sense)
        x = [pulp.LpVariable(f"x{i}", 0, 3, "Integer") for i in range(size)]
        problem += pulp.lpSum([c * v for c, v in zip(cost, x, strict=True)]) + 3
        for row, kind, limit in rows:
            expression = pulp.lpSum([a * v for a, v in zip(row, x, strict=True)])
            problem += pulp.LpConstraint(expression, kind, rhs=limit)
        points = [
            p
            for p in product(range(4), repeat=size)
            if all(
                kind * (sum(a * v for a, v in zip(row, p, strict=True)) - limit) >= 0
                if kind
                else sum(a * v for a, v in zip(row, p, strict=True)) == limit
                for row, kind, limit in rows
            )
        ]
        worths = [3 + sum(c * v for c, v in zip(cost, p, strict=True)) for p in points]
        for solver in SOLVERS:
            result = solve_mip(problem, solver=solver)
            if not points:
                assert result.proven_infeasible
                continue
            best = min(worths) if sense == pulp.LpMinimize else max(worths)
            assert result.objective == pytest.approx(best)
            assert sense * (best - result.bound) >= -1e-12
            assert abs(best - result.bound) <= 1e-5 + 1e-5 * abs(best)


def test_another_solver_of_pulp_is_used_by_name_and_claims_no_bound():
    result = solve_mip(knapsack(), solver="COIN_CMD" if _installed("COIN_CMD") else "PULP_CBC_CMD")
    assert result.objective == 27
    assert result.bound == 51  # what the bounds of the variables alone allow


def test_an_unknown_solver_is_named_with_those_that_there_are():
    with pytest.raises(InputError, match=r"abacus.*not known.*highs, cbc"):
        solve_mip(knapsack(), solver="abacus")
    with pytest.raises(InputError, match=r"abacus.*not known.*highs, cbc"):
        SolveOptions(mip_solver="abacus")


@pytest.mark.skipif(_installed("GUROBI_CMD"), reason="needs a solver that is not installed")
def test_a_solver_that_is_not_installed_is_named_with_those_that_there_are():
    with pytest.raises(InputError, match=r"GUROBI_CMD.*not available.*highs, cbc"):
        SolveOptions(mip_solver="GUROBI_CMD")


def test_cbc_in_its_own_process_finds_what_it_finds_here():
    alone, limited = (
        solve_mip(knapsack(), solver="cbc"),
        solve_mip(knapsack(), solver="cbc", time_limit_s=30.0),
    )
    assert (limited.objective, limited.bound) == (alone.objective, alone.bound)
    assert limited.message == ""


def test_a_solver_that_overruns_its_limit_is_killed(monkeypatch):
    # Told no limit of its own, CBC would take minutes.
    monkeypatch.setattr(pulp_solvers, "_own_limit", lambda _: None)
    began = time.monotonic()
    result = solve_mip(hard_assignment(), solver="cbc", time_limit_s=2.0)
    assert time.monotonic() - began < 4.0
    assert result.timed_out
    assert not result.proven_infeasible


def test_cbc_ends_when_it_is_told_to():
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    began = time.monotonic()
    result = solve_mip(hard_assignment(), solver="cbc", time_limit_s=60.0, stop=stop)
    assert time.monotonic() - began < 10.0
    assert result.interrupted


@pytest.mark.parametrize("category", ["Continuous", "Integer"])
def test_coefficients_that_the_solver_would_drop_are_scaled(category):
    problem = pulp.LpProblem("tiny")
    x, y = pulp.LpVariable("x", 0, 1), pulp.LpVariable("y", 0, 1e12)
    z = pulp.LpVariable("z", 0, 3, category)
    problem += x + y + 1e3 * z
    problem += x + 1e-11 * y >= 2
    problem += z + x >= 1.5
    result = solve_mip(problem)
    best = 1e11 + 1 + (500 if category == "Continuous" else 1000)
    assert result.objective == pytest.approx(best, rel=1e-9)
    assert result.bound == pytest.approx(best, rel=2e-6)
    assert result.bound <= best


def test_rows_of_small_coefficients_are_kept():
    problem = pulp.LpProblem("small")
    x = pulp.LpVariable("x", 0, 10)
    problem += x
    problem += 1e-12 * x >= 3e-12
    assert solve_mip(problem).objective == pytest.approx(3.0)


def test_problems_that_cannot_be_arrays_are_refused():
    problem = pulp.LpProblem("twice")
    problem += pulp.LpVariable("x") + pulp.LpVariable("x")
    with pytest.raises(ValueError, match="both named 'x'"):
        solve_mip(problem)


def test_a_problem_without_variables_has_its_constant_as_optimum():
    problem = pulp.LpProblem("empty")
    problem += pulp.LpAffineExpression(constant=5.0)
    result = solve_mip(problem)
    assert result.objective == 5.0
    assert result.bound == 5.0


def test_log_lines_give_bound_and_incumbent():
    line = (
        " L       0       0         0   0.00%   7808.792352     8005   2.45%  884 195 333 2671 4s"
    )
    assert parse_log_line(line) == (7808.792352, 8005.0)
    line = (
        "         0       0         0   0.00%   -inf            inf     inf    0  0  5  715  0.2s"
    )
    assert parse_log_line(line) == (float("-inf"), float("inf"))
    assert parse_log_line("  Gap               2.45% (tolerance: 0%)") is None
    assert parse_log_line("") is None


def test_a_solution_file_that_is_cut_short_gives_its_last_whole_solution(tmp_path):
    path = tmp_path / "x.sol"
    assert last_solution(path, 2) is None
    path.write_text("Objective 3\n# Columns 2\n 1\n 2\nObjective 2\n# Columns 2\n 1\n 0.")
    assert last_solution(path, 2) == array("d", [1.0, 2.0])
    path.write_text("Objective 3\n# Columns 2\n 1\n 2\nObjective 2\n# Columns 2\n 1\n 0.5\n")
    assert last_solution(path, 2) == array("d", [1.0, 0.5])
