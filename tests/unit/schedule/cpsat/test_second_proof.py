"""Proofs that rest on CP-SAT alone are proved again, and dropped where that finds a plan."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace

import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.formats.plans.writing import solution_to_dict
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget
from hetopt.schedule.cpsat import objective_level, second_proof
from hetopt.schedule.cpsat.model import Answer
from hetopt.schedule.cpsat.relaxed_level import RelaxedLevel
from hetopt.schedule.cpsat.second_proof import infeasible_again, prove_again
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.model.grid import model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.without_slowdown import relaxed
from hetopt.solution import Solution
from hetopt.solve import solve
from hetopt.steady.placement import solve as placement
from tests.cpsat_reproducers import REPRODUCERS
from tests.random_streams import random_stream
from tests.slow_pairs import sharing, started
from tests.small_schedules import device, instance, option, task

PEAK = next(case for case in REPRODUCERS if case.name == "peak of one unit")


def lying(schedule=None, bound=math.nan, infeasible=False):
    """Answer what a solver that is wrong would answer."""

    def run(made, *rest, **more):
        return Answer(schedule, bound, infeasible=infeasible, complete=True, seconds=0.0)

    return run


def hard() -> Instance:
    """Even times of an odd half: the load bound is 21, the least makespan 22."""
    times = (4, 6, 8, 10, 14)
    return instance(
        [device("a"), device("b")],
        [option(f"p{k}", on, t) for k, t in enumerate(times) for on in "ab"],
        [task(f"t{k}", f"p{k}") for k in range(len(times))],
        objective="makespan",
        apart=[["t4", "t3"], ["t3", "t2"]],
    )


def test_an_optimum_that_only_cpsat_proves_is_proved_twice(tmp_path):
    question = hard()
    solution = solve(question, time_limit=20, method="cpsat")
    assert (solution.status, solution.objective) == ("optimal", 22.0)
    assert solution.proof == "twice"
    assert solution_to_dict(question, solution)["proof"] == "twice"
    assert "optimal (proved twice)" in str(solution)
    solution.save(tmp_path / "r.json")
    assert Solution.load(tmp_path / "r.json", question).proof == "twice"


def test_a_bound_that_needs_no_solver_is_no_proof_by_cpsat():
    easy = instance([device("a")], [option("p", "a", 2)], [task("t", "p")], objective="makespan")
    solution = solve(easy, time_limit=20)
    assert (solution.status, solution.proof) == ("optimal", None)


def test_where_the_second_proof_has_no_time_it_was_proved_once(monkeypatch):
    monkeypatch.setattr(second_proof, "refute", lambda *rest: (None, False))
    solution = solve(hard(), time_limit=20, method="cpsat")
    assert (solution.status, solution.proof) == ("optimal", "once")


def test_a_wrong_proof_of_an_optimum_is_dropped_for_the_better_plan(monkeypatch):
    monkeypatch.setattr(objective_level, "run", lying(bound=8.6))
    solution = solve(PEAK.make(), time_limit=20)
    assert solution.objective < 8.6
    assert solution.bound <= PEAK.optimum * (1 + 1e-6)
    assert solution.proof is None
    assert any("contradicted" in note for note in solution.notes)


def test_a_wrong_proof_that_there_is_no_plan_gives_way_to_the_plan():
    question = PEAK.make()
    best = Incumbent(question, Budget(deadline=time.monotonic() + 20), bounds=[math.nan], level=0)
    problem = Problem(question, model_grid(question, span_s(question)))
    assert not infeasible_again(objective_level.Level(best, problem, 0, 10.0))
    assert best.plan is not None
    assert best.proofs == {}


def test_a_point_below_a_proven_value_contradicts_where_slowing_is_left_aside(monkeypatch):
    """However little the plan that is made of the point gains: it is of another instance."""
    question = sharing([(4.0, 6.0), (4.0, 6.0)], capacity=10.0)  # together 4.8, in turn 8
    best = Incumbent.unbounded(question, Budget(deadline=time.monotonic() + 20))
    best.offer(started(question, [0, 4]), "test")
    best.raise_bound(8.0, "cpsat")
    assert best.proved(0)
    plain = relaxed(question)
    problem = Problem(plain, model_grid(plain, span_s(plain)))
    taken = []

    def hardly_better(self, schedule):
        taken.append(schedule)
        self.search.values = (8.0 * (1 - 1e-9),)
        return False

    monkeypatch.setattr(RelaxedLevel, "take", hardly_better)
    prove_again(RelaxedLevel(best, problem, 0, 10.0))
    assert len(taken) == 1
    assert best.distrusted == {0}
    assert best.bounds[0] <= 4.8 * (1 + 1e-9)
    assert best.proofs == {}


def test_that_there_is_no_plan_is_proved_twice():
    question = replace(hard(), limits=replace(hard().limits, horizon_s=21.5))
    solution = solve(question, time_limit=20)
    assert (solution.status, solution.proof) == ("infeasible", "twice")


def test_deterministic_proofs_depend_on_nothing_but_the_seed():
    first, second = (
        solution_to_dict(hard(), solve(hard(), method="cpsat", deterministic=True, time_limit=5))
        for _ in range(2)
    )
    assert first == second
    assert first["proof"] == "twice"


def test_results_of_versions_without_the_field_are_read(tmp_path):
    question = hard()
    solve(question, time_limit=20).save(tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    del found["proof"]
    (tmp_path / "old.json").write_text(json.dumps(found), encoding="utf-8")
    assert Solution.load(tmp_path / "old.json", question).proof is None
    (tmp_path / "bad.json").write_text(json.dumps({**found, "proof": "often"}), encoding="utf-8")
    with pytest.raises(InputError, match="often"):
        Solution.load(tmp_path / "bad.json", question)


def streams(status: str) -> Instance:
    """A placement of two jobs, which one unit cannot serve both."""
    rate = 0.6 if status == "optimal" else 1.2
    frames = {
        "devices": {"name": ["a", "b"], "count_min": [1, 1], "count_max": [1, 1],
                    "idle_power_w": [1.0, 2.0]},
        "options": {"profile": ["p", "p"], "device": ["a", "b"], "time_s": [1.0, 1.0],
                    "energy_j": [5.0, 4.0]},
        "tasks": {"name": ["t", "u"], "profile": ["p", "p"], "job": ["j", "k"]},
        "jobs": {"name": ["j", "k"], "rate_per_s": [rate, rate]},
    }  # fmt: skip
    settings = {"regime": "steady", "routing": "single", "objective": "power"}
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


@pytest.mark.parametrize("status", ["optimal", "infeasible"])
def test_placements_are_proved_twice(status):
    solution = solve(streams(status), time_limit=20)
    assert (solution.status, solution.proof) == (status, "twice")


def test_a_placement_whose_second_proof_has_no_time_is_proved_once(monkeypatch):
    monkeypatch.setattr(placement._Search, "_refute", lambda *rest: (None, "UNKNOWN"))
    for status in ("optimal", "infeasible"):
        solution = solve(streams(status), time_limit=20)
        assert (solution.status, solution.proof) == (status, "once")


def test_a_wrong_proof_about_placements_is_dropped(monkeypatch):
    """A model that allows only the dearer of two placements stands for a solver that errs."""
    question = random_stream(71315)
    question = replace(question, objective=("power",))
    right = solve(question, time_limit=20)
    assert (right.status, right.proof) == ("optimal", "twice")

    def narrowed(self, model):
        if model.w and not narrowed.done:
            narrowed.done = True
            best = [model.x[key] for key in model.x if key[:2] in chosen]
            copy = model.model.clone()
            copy.add(sum(best) <= len(chosen) - 1)
            kept, model.model = model.model, copy
            try:
                return ran(self, model)
            finally:
                model.model = kept
        return ran(self, model)

    narrowed.done = False
    chosen = set(zip(right.plan.task.tolist(), right.plan.option.tolist(), strict=True))
    ran = placement._Search._run
    monkeypatch.setattr(placement._Search, "_run", narrowed)
    monkeypatch.setattr(placement._Search, "_recounted", lambda self, n, f, b, h: (f, b))
    wrong = solve(question, time_limit=20)
    assert wrong.objective == pytest.approx(right.objective)
    assert wrong.proof is None
    assert wrong.status == "feasible"
    assert math.isnan(wrong.bound)
    assert any("contradicted" in note for note in wrong.notes)


def test_time_limit_is_said_only_where_the_time_was_used_up(monkeypatch):
    monkeypatch.setattr(second_proof, "prove_again", lambda *rest: None)
    monkeypatch.setattr(objective_level, "run", lying(bound=20.0))
    solution = solve(hard(), time_limit=20, method="cpsat")
    assert (solution.status, solution.termination) == ("feasible", "iteration_limit")
