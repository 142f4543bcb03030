"""Schedules that repeat for ever: CP-SAT with as many copies as overlap.

A cycle H holds one repetition of every job (or several, of a shorter period); everything counts
modulo H. The model is that of :mod:`hetopt.schedule.cpsat.model`, in which whatever holds a slot,
a channel, memory, power or a resource does so in each of the copies that may overlap
(:meth:`hetopt.schedule.cpsat.variables.Build.repeated`), and idle power and work count per cycle.
Starts may exceed H. No list scheduler knows the circle; before the model they are asked for
schedules that run once within one cycle, or without an end, and what the checker accepts as one
that repeats is the plan to start from: many short repetitions are too many for CP-SAT to place.
"""

from __future__ import annotations

import math
import time

from hetopt.errors import InputError
from hetopt.errors import Problem as Wrong
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import cyclic_grid
from hetopt.schedule.model.problem import Problem
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

METHODS = ("auto", "cpsat")
IN_TURN = (
    "Each repetition of a task has the same unit; a longer cycle (`cycles: 2` beside "
    "`cyclic: true`) lets repetitions take units in turn."
)
OPENED_SHARE = 0.1
"""Part of the time left that each list scheduler may take for a schedule that runs once."""
MOST_TASKS = 2_000
"""Tasks up to which all of them are tried where no time is measured."""
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
    _cut_open(best)
    return _search(best)


def _cut_open(best: Incumbent) -> None:
    """Offer schedules that run once, where they are plans of the circle too.

    What begins and ends within one cycle is one: nothing of it meets another repetition, and per
    cycle it takes what it takes once. Any other counts as the checker finds it to be.
    """
    instance, budget = best.instance, best.budget
    if "value" in instance.objective or budget.over():
        return
    from hetopt.schedule.list_scheduling.constructors import heft, portfolio

    once = instance.with_limits(cycle_s=math.inf)
    within = once.with_limits(horizon_s=instance.limits.cycle_s)
    for name, build in (("heft", heft), ("portfolio", portfolio)):
        limit = None
        if not budget.deterministic:
            limit = time.monotonic() + OPENED_SHARE * budget.left_s()
        elif name == "portfolio" and len(instance.tasks) > MOST_TASKS:
            continue
        for opened in (within, once):
            plan = build(opened, limit=limit)
            if plan is not None and verify(instance, plan).ok:
                best.offer(plan, name)
                break
        best.passed(name)
        if best.closed(0):
            break


def _search(best: Incumbent) -> RegimeResult:
    """Solve level after level, the earlier ones held at their values."""
    instance = best.instance
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
    # Importing OR-Tools takes about a second.
    from hetopt.schedule.levels import Models, solve_levels

    none = "CP-SAT proved that no cyclic schedule meets all limits together."
    if (instance.devices.count_max > 1).any():
        none += " " + IN_TURN
    return solve_levels(best, Models(problem, none=none, refinement=0, polished=False))
