"""A planted wrong bound or proof costs the proof, never the plan, and is told."""

import json
import math
from dataclasses import replace

import pytest

from hetopt import Model, compare, explain, pareto, solve, write_instance
from hetopt.analysis.pareto import _Walk as Walk
from hetopt.cli.app import main
from hetopt.report.front import summary
from hetopt.runtime.contradiction import is_beyond, tidy_bound
from hetopt.schedule import solve as schedules
from hetopt.solution import CONTRADICTED
from hetopt.steady import solve as streams


def test_a_bound_beyond_a_plan_by_rounding_is_brought_back_to_it():
    assert tidy_bound("tardiness", 0.0, 5.6e-17) == 0.0
    assert tidy_bound("power", 100.0, 100.00001) == 100.0
    assert tidy_bound("throughput", 100.0, 99.99999) == 100.0


def test_a_bound_on_the_right_side_stays_as_it_is():
    assert tidy_bound("power", 100.0, 99.0) == 99.0
    assert tidy_bound("throughput", 100.0, 101.0) == 101.0
    assert math.isnan(tidy_bound("power", 100.0, math.nan))


def test_a_bound_beyond_a_plan_by_rounding_is_no_contradiction():
    for name, bound in (("power", 100.00001), ("throughput", 99.99999)):
        assert not is_beyond(name, 100.0, bound, 0.0)
    assert not is_beyond("tardiness", 0.0, 5.6e-17, 1e-9)
    assert is_beyond("tardiness", 0.0, 5.6e-17, 1e-18)


def schedule():
    model = Model("two", objective=["energy"])
    cpu = model.device("cpu", kind="cpu")
    npu = model.device("npu", kind="npu")
    for name in "ab":
        model.task(name, options=[cpu.option(time=1, energy=2), npu.option(time=2, energy=1)])
    return model.build()


def stream():
    model = Model("stream", regime="steady", objective="power")
    cpu, npu = model.device("cpu", kind="cpu"), model.device("npu", kind="npu")
    job = model.job("j", rate=3)
    job.task("t", options=[cpu.option(time=0.1, energy=2), npu.option(time=0.1, energy=1)])
    return model.build()


def planted(monkeypatch, **wrong):
    """Let every search end with a wrong bound, or a wrong proof that there is no plan."""

    def spoiled(search):
        def told(*arguments, **settings):
            result = search(*arguments, **settings)
            if result.plan is None:
                return result
            change = dict(wrong)
            if "factor" in change:
                factor = change.pop("factor")
                change["bounds"] = tuple(b * factor for b in result.bounds)
            return replace(result, **change)

        return told

    monkeypatch.setattr(schedules, "solve_schedule", spoiled(schedules.solve_schedule))
    monkeypatch.setattr(streams, "solve_steady", spoiled(streams.solve_steady))


@pytest.mark.parametrize("make", [schedule, stream])
def test_a_wrong_bound_is_dropped_and_the_plan_kept(make, monkeypatch):
    right = solve(make(), time_limit=20)
    assert right.status == "optimal"
    planted(monkeypatch, factor=1.1)
    wrong = solve(make(), time_limit=20)
    assert (wrong.status, wrong.objective) == ("feasible", right.objective)
    assert wrong.verified
    assert math.isnan(wrong.bound)
    assert all(math.isnan(entry.bound) for entry in wrong.history)
    assert (wrong.proof, wrong.marginal) == (None, None)
    assert any(CONTRADICTED in note and "report" in note for note in wrong.notes)


@pytest.mark.parametrize("make", [schedule, stream])
def test_a_wrong_proof_of_infeasibility_is_dropped_and_the_plan_kept(make, monkeypatch):
    planted(monkeypatch, infeasible=True, bounds=(math.nan,), reason="There is none.")
    wrong = solve(make(), time_limit=20)
    assert (wrong.status, wrong.termination, wrong.reason) == ("feasible", "iteration_limit", "")
    assert any(f"there is no plan {CONTRADICTED}" in note for note in wrong.notes)


def test_answers_about_answers_say_that_a_bound_was_dropped(monkeypatch):
    planted(monkeypatch, factor=1.1)
    explained = explain(schedule(), time_limit=5)
    compared = compare(schedule(), time_limit=5, sensitivity=False)
    for notes in (explained.notes, compared.notes):
        assert sum(CONTRADICTED in note for note in notes) == 1
    assert math.isnan(compared.gain.proven)


def test_a_point_refuted_by_a_plan_of_another_point_is_not_proven(monkeypatch):
    """The bound of the wide limit is beyond the plan of the tight one: only together they show."""
    right = pareto(schedule(), ("energy", "makespan"), points=None, time_limit=20)
    assert right.complete
    assert not right.notes
    taken = Walk._solve

    def worse(self, limit):
        point = taken(self, limit)
        if len(self.points) == 1:
            first = self.points[0]
            told = replace(first.solution, objectives=(4.0,), bounds=(4.0,))
            self.points[0] = replace(first, value=4.0, bound=4.0, solution=told)
            point = self.points[0]
        return point

    monkeypatch.setattr(Walk, "_solve", worse)
    wrong = pareto(schedule(), ("energy", "makespan"), points=None, time_limit=20)
    assert not wrong.complete
    assert any(CONTRADICTED in note for note in wrong.notes)
    assert not any(p.bound > p.value * (1 + 1e-6) for p in wrong.points)
    assert any(CONTRADICTED in line for line in summary(wrong))


def test_the_command_line_ends_well_with_a_wrong_bound(monkeypatch, tmp_path, capsys):
    path = tmp_path / "i.yaml"
    write_instance(schedule(), path)
    planted(monkeypatch, factor=1.1)
    arguments = ["solve", str(path), "--json", "--time-limit", "5"]
    monkeypatch.setattr("sys.argv", ["hetopt", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (0, None)
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["bound"], told["gap"]) == ("feasible", None, None)
    assert any(CONTRADICTED in note for note in told["notes"])
