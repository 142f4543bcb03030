from __future__ import annotations

import subprocess
import sys

import pytest

SOLVES = {
    "ortools": """
from ortools.sat.python import cp_model
from ortools.math_opt.python import mathopt
model = cp_model.CpModel()
x = model.new_int_var(0, 9, "x")
model.add(2 * x <= 13)
model.maximize(x)
solver = cp_model.CpSolver()
assert solver.solve(model) == cp_model.OPTIMAL and solver.value(x) == 6
model = mathopt.Model()
x = model.add_integer_variable(lb=0, ub=9)
model.add_linear_constraint(2 * x <= 13)
model.maximize(x)
assert round(mathopt.solve(model, mathopt.SolverType.HIGHS).objective_value()) == 6
""",
    "pulp": """
import pulp
problem = pulp.LpProblem("p", pulp.LpMaximize)
x = pulp.LpVariable("x", 0, 9, "Integer")
problem += x
problem += 2 * x <= 13
problem.solve(pulp.PULP_CBC_CMD(msg=False))
assert x.varValue == 6
""",
    "scipy": """
import numpy, scipy.optimize
found = scipy.optimize.milp(
    [-1], integrality=[1], bounds=scipy.optimize.Bounds(0, 9),
    constraints=scipy.optimize.LinearConstraint([[2]], ub=13),
)
assert round(found.x[0]) == 6
""",
    "hetopt": """
import pulp
from hetopt.solvers.mip import solve_mip
problem = pulp.LpProblem("p", pulp.LpMaximize)
x = pulp.LpVariable("x", 0, 9, "Integer")
problem += x
problem += 2 * x <= 13
assert solve_mip(problem).values == {"x": 6}
""",
}


ORDERS = [("ortools", "pulp", "scipy"), ("pulp", "scipy", "ortools"), ("scipy", "ortools", "pulp")]
"""Each solver comes first once, and each before and after each other one."""


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_solvers_load_and_solve_in_one_process_in_any_order(order):
    """Two copies of HiGHS in one process have broken each other before (google/or-tools#5246)."""
    code = "".join(SOLVES[name] for name in (*order, "hetopt"))
    code += "import sys\nassert 'highspy' not in sys.modules\nprint('all solved')\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.endswith("all solved\n"), done.stderr
