"""That integers leave no plan, proved again by a solve of another kind (docs/steady.md).

Where the relaxation has no point, prices of its rows show it (`hetopt.solvers.lp_bound`). Of whole
units no such certificate exists: that none fit is the word of a MIP solver alone. So it is
asked again, by HiGHS without presolve, with another seed and without an objective, so that any plan
ends the search. It has as long as the first solve took, within the time limit.

The bounds of search trees are asked again where they are made (`hetopt.solvers.second_look`). Each
leaf is a linear program, whose bound is off by the dual tolerance times the sizes of the variables;
`solvers.result.safe_bound` weakens the whole by that, or by ``GAP_TOLERANCE`` where it is more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.instance import Floats
from hetopt.runtime.budget import Budget
from hetopt.solution import Proof
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.second_proof import other_seed, seconds_again
from hetopt.steady.program.objective_level import effort

FOUND = "A MIP solver said that there is no plan, and HiGHS found one when asked again."


def infeasible_again(
    arrays: MipArrays, budget: Budget, spent_s: float
) -> tuple[Proof, Floats | None]:
    """Look for any point where a solver says that there is none.

    Parameters
    ----------
    spent_s
        Seconds that the first proof took.

    Returns
    -------
    proof, point
        How often it is proved now, and the point (n) that refutes it, None where none was found.
    """
    allowed = effort(budget)
    seconds = allowed.time_limit_s
    if not budget.deterministic:
        seconds = seconds_again(spent_s, seconds)
    if budget.over() or seconds <= 0:
        return "once", None
    result = solve_arrays(
        replace(arrays, cost=np.zeros(len(arrays.cost)), offset=0.0),
        time_limit_s=seconds,
        nodes=allowed.nodes,
        threads=1 if budget.deterministic else budget.workers,
        seed=other_seed(budget.seed),
        stop=budget.stop,
        presolve=False,
        again=False,
    )
    point = None if result.values is None else arrays.vector(result.values)
    return ("twice" if result.proven_infeasible else "once"), point
