"""Where all times are as planned, what ran is the plan: the same starts, energy and makespan."""

from __future__ import annotations

import numpy as np
import pytest

import hetopt
from hetopt import evaluate, solve
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.schedule.model.features import has_any
from hetopt.simulate.schedules.cycles import cycles_of, plan_written_out, written_out
from hetopt.simulate.schedules.loop import run_schedule
from hetopt.simulate.schedules.outcomes import outcome_of
from hetopt.simulate.schedules.planned import Planned
from hetopt.simulate.schedules.world import Setting, realised
from hetopt.solution import SchedulePlan
from tests.unit.simulate.test_schedules import Question, asked

FIGURES = ("energy_j", "makespan_s", "cost", "carbon_kg", "tardiness_s", "peak_power_w")
SHIPPED = (
    *("edge-box", "fpga-bitstreams", "pipeline-clocks", "robot", "sensor-node", "sensor-sleep"),
    *("training-power-limits", "synthetic/accuracy-schedule", "synthetic/board"),
    *("synthetic/channels-bus", "synthetic/cost-carbon", "synthetic/cycle-stated"),
    *("synthetic/cyclic-frames", "synthetic/memory-schedule", "synthetic/multi-hop-path"),
    *("synthetic/peak-power", "synthetic/periodic-always-on", "synthetic/self-link"),
    *("synthetic/set-ups", "synthetic/shared-tensors", "synthetic/slots-pins-release"),
    *("synthetic/staged-no-overlap", "synthetic/tardiness", "synthetic/together-apart"),
    "synthetic/zero-copy-pool",
)
"""All schedules that are shipped, but for that whose plan leaves jobs out."""
CLOSE = {"rel": 1e-7, "abs": 1e-12}


def difference(question: Question) -> str:
    """Return the first figure that simulating a plan at its own times gives otherwise."""
    instance, plan = question.instance, question.plan
    assert plan is not None
    assert question.plan_stated is not None
    setting = Setting(realised(instance, None, None), (), question.cycles)
    run = run_schedule(instance, Planned(instance, plan), setting)
    if run.stuck:
        return run.stuck[0]
    scale = float(run.ends_s.max(initial=0.0))
    if not scale:
        return ""
    late = np.abs(run.plan.start_s - plan.start_s)
    if (late > 1e-8 * scale).any():
        t = int(late.argmax())
        return f"{instance.tasks.name[t]} began at {run.plan.start_s[t]}, not {plan.start_s[t]}"
    figures = outcome_of("plan", 0, setting, run, 0.0, {}).totals
    planned = evaluate(question.stated, question.plan_stated)
    # Where cycles begin and end, gaps are cut in two, and what overlaps is not all there yet.
    ends_matter = question.cycles is not None and may_sleep(instance)
    names = ("makespan_s", "tardiness_s") if ends_matter else FIGURES
    for name in names:
        if planned[name] is not None and figures[name] != pytest.approx(planned[name], **CLOSE):
            return f"{name} {figures[name]}, not {planned[name]}"
    return ""


def simulated(question: Question | None) -> bool:
    """Whether an instance is simulated, and with it all that a plan does."""
    if question is None or question.plan is None or (question.plan.option < 0).any():
        return False
    # A cap counts what is slowed with its full power.
    capped = np.isfinite(question.instance.limits.power_cap_w)
    return not (capped and has_any(question.instance, ("resources that slow",)))


def test_random_plans_run_as_they_are() -> None:
    found = []
    for seed in range(40):
        question = asked(seed)
        if question is not None and simulated(question):
            found.append((seed, difference(question)))
    assert [row for row in found if row[1]] == []
    assert len(found) >= 15


@pytest.mark.parametrize("name", SHIPPED)
def test_plans_of_shipped_instances_run_as_they_are(name: str) -> None:
    instance = hetopt.read_instance(name)
    plan = solve(instance, time_limit=2).plan
    if plan is None:
        pytest.skip("the machine is too busy to find a plan")
    assert isinstance(plan, SchedulePlan)
    cycles = cycles_of(instance, None)
    question = Question(instance, instance, plan, plan, None)
    if cycles is not None:
        out = plan_written_out(instance, plan, cycles)
        question = Question(instance, written_out(instance, cycles), plan, out, cycles)
    assert difference(question) == ""
