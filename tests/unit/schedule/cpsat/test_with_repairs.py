"""CP-SAT and repairs at the same time: one result, and each ends the other."""

from __future__ import annotations

import threading
import time

from hetopt.generate import generate_schedule
from hetopt.runtime.budget import Budget
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.cpsat.with_repairs import Either, solve_and_repair
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.schedule.model.grid import model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.verify import verify


def test_an_event_is_set_where_either_is() -> None:
    stop = threading.Event()
    over = Either(stop)
    assert not over.is_set()
    stop.set()
    assert over.is_set()
    stop.clear()
    over.set()
    assert over.is_set()
    assert not stop.is_set()


def test_a_small_schedule_is_proven_while_it_is_repaired() -> None:
    instance = generate_schedule(10, 3, seed=2)
    plan = heft(instance)
    assert plan is not None
    budget = Budget(deadline=time.monotonic() + 20, limit_s=20, workers=2)
    search = Incumbent(instance, budget, bounds=[objective_bounds.bound(instance, "energy")])
    search.offer(plan, "heft")
    problem = Problem(instance, model_grid(instance, span_s(instance)))
    assert not solve_and_repair(Level(search, problem, 0, 20.0))
    assert search.closed(0)
    assert search.plan is not None
    assert verify(instance, search.plan).ok
    assert not budget.stop.is_set()
