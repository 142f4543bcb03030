"""Schedules that repeat for ever: CP-SAT with as many copies as overlap.

A cycle H holds one repetition of every job (or several, of a shorter period); everything counts
modulo H. The model is that of :mod:`hetopt.schedule.cpsat.model`, in which whatever holds a slot,
a channel, memory, power or a resource does so in each of the copies that may overlap
(:meth:`hetopt.schedule.cpsat.variables.Build.repeated`), and idle power and work count per cycle.
Starts may exceed H. No list scheduler knows the circle yet.
"""

from __future__ import annotations

import time

from hetopt.errors import InputError
from hetopt.errors import Problem as Wrong
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import cyclic_grid
from hetopt.schedule.model.problem import Problem
from hetopt.solution import SchedulePlan

METHODS = ("auto", "cpsat")
IN_TURN = (
    "Each repetition of a task has the same unit; a longer cycle (`cycles: 2` beside "
    "`cyclic: true`) lets repetitions take units in turn."
)
LARGEST = 2_000_000
"""Intervals of all copies above which a model takes too much memory and time."""


def solve_cyclic(
    instance: Instance, budget: Budget, method: str, start: SchedulePlan | None
) -> RegimeResult:
    """Return the best cyclic schedule found and a proven bound per level of the objective.

    Raises
    ------
    InputError
        Where the method is one that does not know the circle.
    """
    if method not in METHODS:
        text = (
            f"{' or '.join(METHODS)}: other methods do not know schedules that repeat for ever; "
            "with `cyclic: false` or a `horizon` the schedule has an end."
        )
        raise InputError([Wrong("method", method, text)])
    best = Incumbent.unbounded(instance, budget)
    if best.bounded_impossible():
        reason = (
            "Even the shortest options exceed the deadline or the time that the devices have in a "
            "cycle, or units that are always on draw more than the power cap, or some task has no "
            "option left."
        )
        if (instance.devices.count_max > 1).any():
            reason += " " + IN_TURN
        return best.impossible(reason)
    best.begin_with(start)
    return _search(best)


def _search(best: Incumbent) -> RegimeResult:
    """Solve level after level, the earlier ones held at their values."""
    # Importing OR-Tools takes about a second.
    from hetopt.schedule.cpsat.objective_level import Level
    from hetopt.schedule.cpsat.second_proof import infeasible_again, prove_again

    instance, budget = best.instance, best.budget
    problem = Problem(instance, cyclic_grid(instance))
    copies = -(-problem.span // problem.cycle)
    choices = sum(problem.units[mode.device] for modes in problem.modes for mode in modes)
    if copies * choices > LARGEST:
        best.notes.append(
            f"The model of so many overlapping repetitions is too large ({copies * choices:,} "
            "intervals); deadlines nearer to the cycle make fewer of them, and with "
            "`cyclic: false` or a `horizon` the schedule has an end."
        )
        return best.result("cpsat", best.ended())
    for level in range(len(instance.objective)):
        best.level = level
        began, spent, seconds = time.monotonic(), 0.0, best.level_seconds()
        if not best.closed(level) and not budget.over():
            solving = Level(best, problem, level, seconds)
            infeasible = solving.solve()
            spent = solving.spent if budget.deterministic else time.monotonic() - began
            if infeasible and infeasible_again(best, problem, level, spent, seconds - spent):
                reason = "CP-SAT proved that no cyclic schedule meets all limits together."
                if (instance.devices.count_max > 1).any():
                    reason += " " + IN_TURN
                return best.result("cpsat", "proved", infeasible=True, reason=reason)
        prove_again(best, problem, level, spent, seconds - spent)
        best.passed("cpsat")
        if best.plan is None:
            break
    best.level = 0
    return best.result("cpsat", best.stopped())
