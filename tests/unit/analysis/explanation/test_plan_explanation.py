import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from hetopt import InputError, SolveOptions, explain, solve, verify, write_instance
from hetopt.analysis.explanation.conflict import find_conflict
from hetopt.analysis.explanation.limits.limit import Limit, parts_of
from hetopt.analysis.explanation.questions import Answer, Questions
from hetopt.cli.app import app
from hetopt.evaluate.memory import memory_use
from hetopt.instance import Instance
from hetopt.instance.overrides import only_option_of
from tests.random_schedules import random_schedule
from tests.random_streams import random_stream
from tests.small_schedules import device, edge, instance, link, option, task

QUICK = SolveOptions(time_limit_s=20, workers=1)


def chain(deadline_s: float = 8.0) -> Instance:
    """``b`` on the thrifty cpu takes 6 s and 1 J, on the gpu 2 s and 5 J."""
    return instance(
        [device("cpu"), device("gpu")],
        [option("a", "cpu", 1.0, 1.0), option("b", "cpu", 6.0, 1.0), option("b", "gpu", 2.0, 5.0)],
        [task("a", job="j"), task("b", job="j")],
        links=[link("cpu", "gpu", 1.0, latency_s=1.0)],
        transfers=[edge("a", "b", 1.0)],
        jobs=[{"name": "j", "deadline_s": deadline_s}],
        objective="energy",
    )


@pytest.fixture(scope="module")
def tight():
    """6.5 s are too short for ``b`` on the cpu."""
    return explain(chain(6.5), tasks=["b"], options=QUICK)


@pytest.fixture(scope="module")
def loose():
    return explain(chain(8.0), tasks=["b"], options=QUICK)


def test_another_place_of_a_task_costs_the_proven_difference(loose):
    (other,) = loose.plan.alternatives
    assert (other.task, other.place, other.status) == ("b", "gpu", "optimal")
    assert other.difference == pytest.approx(4.0)
    assert other.at_least == pytest.approx(4.0, rel=1e-5)


def test_a_place_without_a_plan_is_proven_to_have_none(tight):
    (other,) = tight.plan.alternatives
    assert (other.place, other.status) == ("cpu", "infeasible")


def test_a_binding_deadline_says_what_it_costs_and_from_where_on_it_does_not(tight):
    assert tight.solution.objective == pytest.approx(6.0)
    (effect,) = tight.plan.effects
    assert effect.without == pytest.approx(2.0)
    assert effect.threshold == pytest.approx(7.0)
    assert effect.tighter_status == "infeasible"


def test_a_loose_deadline_is_proven_to_cost_nothing(loose):
    (effect,) = loose.plan.effects
    assert effect.free
    assert effect.tighter == pytest.approx(6.0)


def test_steps_lead_from_the_start_to_the_end_of_the_tightest_job(tight):
    steps = tight.plan.steps
    assert [(s.task, s.unit) for s in steps] == [("a", "cpu#0"), ("b", "gpu#0")]
    assert [s.start_s for s in steps] == [0.0, 3.0]
    assert steps[1].because == "it waits for the message from a"


def test_a_plan_that_breaks_a_limit_is_refused():
    plan = solve(chain(8.0), time_limit=5).plan
    with pytest.raises(InputError, match="not a plan of this instance"):
        explain(chain(6.5), plan, options=QUICK)


def test_an_unknown_task_is_refused_by_name():
    with pytest.raises(InputError, match="nobody"):
        explain(chain(), tasks=["nobody"], options=QUICK)


def test_the_object_is_json_without_nan(tight):
    for explanation in (tight, explain(chain(2.0), options=QUICK)):
        text = json.dumps(explanation.to_json(), allow_nan=False)
        assert json.loads(text)["status"] == explanation.status


def test_memory_used_is_what_the_checker_accepts_and_no_less():
    checked = 0
    for question in (*(random_schedule(s)[0] for s in range(16)), *map(random_stream, range(16))):
        method = "heft" if question.regime == "schedule" else "heuristic"
        finite = np.flatnonzero(np.isfinite(question.devices.memory_b)).tolist()
        plan = solve(question, time_limit=2, workers=1, method=method).plan if finite else None
        for d in finite if plan is not None else []:
            use = max(memory_use(*part).most_b(d) for part in parts_of(question, plan))
            for share, fits in ((1.0, True), (1 - 1e-6, use == 0)):
                memory = question.devices.memory_b.copy()
                memory[d] = use * share
                devices = replace(question.devices, memory_b=memory)
                assert verify(replace(question, devices=devices), plan).ok == fits
                checked += 1
    assert checked > 10


class Puzzle(Questions):
    """Questions about numbers: given sets conflict, nothing is solved."""

    def ask(self, kept: frozenset[int]) -> Answer:
        self.asked += 1
        no = any(bad <= kept for bad in self.bad)
        return Answer(not no, no)


def puzzle(size: int, *bad: set[int]) -> Puzzle:
    nothing = [Limit("x", str(i), "x", lambda i: i) for i in range(size)]
    found = Puzzle(chain(), nothing, QUICK)
    found.bad = [frozenset(b) for b in bad]
    return found


def test_quickxplain_finds_the_conflict_of_early_limits_in_few_questions():
    asked = puzzle(64, {3, 40}, {50, 60, 63})
    conflict = find_conflict(asked, asked.everything(), [])
    assert conflict.limits == (3, 40)
    assert conflict.minimal
    assert asked.asked < 32


def test_without_a_conflict_there_is_none():
    asked = puzzle(4)
    assert find_conflict(asked, asked.everything(), []) is None


def test_a_task_restricted_to_one_option_runs_it():
    question = chain()
    gpu = question.task_options(1)[1:]
    other = solve(only_option_of(question, 1, gpu), time_limit=5)
    assert other.objective == pytest.approx(6.0)
    assert not math.isnan(other.bound)


def test_the_command_prints_an_object_or_sentences_and_succeeds(tmp_path):
    path = tmp_path / "late.yaml"
    write_instance(chain(2.0), str(path))
    runner = CliRunner()
    told = runner.invoke(app, ["explain", str(path), "--time-limit", "20"])
    assert told.exit_code == 0
    assert "deadline of job j + 3 s (2 s → 5 s)" in told.stdout
    object_ = runner.invoke(app, ["explain", str(path), "--time-limit", "20", "--json"])
    assert object_.exit_code == 0
    (conflict,) = json.loads(object_.stdout)["conflicts"]
    assert [limit["limit"] for limit in conflict["limits"]] == ["deadline:j"]
