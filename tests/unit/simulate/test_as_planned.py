"""Where all times are as planned, what ran is the plan: the same starts, energy and makespan."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt import evaluate, solve
from hetopt.instance import Instance
from hetopt.instance.questions import stuck_tasks
from hetopt.schedule.model.features import beyond, has_any
from hetopt.simulate.schedules.loop import run_schedule
from hetopt.simulate.schedules.outcomes import outcome_of
from hetopt.simulate.schedules.planned import Planned
from hetopt.simulate.schedules.runs import FORESEEN, SUPPORTED
from hetopt.simulate.schedules.world import Setting, realised
from hetopt.solution import SchedulePlan
from tests.unit.simulate.test_schedules import instance_of

FIGURES = ("energy_j", "makespan_s", "cost", "carbon_kg", "tardiness_s", "peak_power_w")
CLOSE = {"rel": 1e-7, "abs": 1e-12}


def difference(instance: Instance, plan: SchedulePlan) -> str:
    """Return the first figure that simulating a plan at its own times gives otherwise."""
    setting = Setting(realised(instance, None, None), ())
    run = run_schedule(instance, Planned(instance, plan), setting)
    if run.stuck:
        return run.stuck[0]
    scale = float(run.ends_s.max(initial=0.0))
    late = np.abs(run.plan.start_s - plan.start_s)
    if (late > 1e-8 * scale).any():
        t = int(late.argmax())
        return f"{instance.tasks.name[t]} began at {run.plan.start_s[t]}, not {plan.start_s[t]}"
    figures = outcome_of("plan", 0, setting, run, 0.0, {}).totals
    planned = evaluate(instance, plan)
    for name in FIGURES:
        if planned[name] is not None and figures[name] != pytest.approx(planned[name], **CLOSE):
            return f"{name} {figures[name]}, not {planned[name]}"
    return ""


def plan_of(instance: Instance, seconds: float = 1.0) -> SchedulePlan | None:
    """Return a plan of an instance that is simulated."""
    capped = np.isfinite(instance.limits.power_cap_w) and has_any(instance, FORESEEN)
    if beyond(instance, SUPPORTED) or np.isfinite(instance.limits.cycle_s) or capped:
        return None
    # A cap counts what is slowed with its full power.
    if np.isfinite(instance.limits.power_cap_w) and has_any(instance, ("resources that slow",)):
        return None
    plan = None if len(stuck_tasks(instance)) else solve(instance, time_limit=seconds).plan
    if not isinstance(plan, SchedulePlan) or (plan.option < 0).any():
        return None
    return plan


def test_random_plans_run_as_they_are() -> None:
    found = []
    for seed in range(40):
        instance = instance_of(seed)
        plan = plan_of(instance)
        if plan is not None:
            found.append((seed, difference(instance, plan)))
    assert [row for row in found if row[1]] == []
    assert len(found) >= 15
