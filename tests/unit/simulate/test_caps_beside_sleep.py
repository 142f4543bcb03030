"""Power caps beside sleep and start-ups: kept at every instant, whatever begins later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt import read_instance, simulate, solve
from hetopt.instance import Instance
from hetopt.schedule.model.features import FEATURES, beyond, has_any
from hetopt.simulate.schedules.cycles import cycles_of, plan_written_out, written_out
from hetopt.simulate.schedules.loop import run_schedule
from hetopt.simulate.schedules.outcomes import outcome_of
from hetopt.simulate.schedules.runs import FORESEEN, SUPPORTED
from hetopt.solution import SchedulePlan
from tests.idling_schedules import idling_schedule
from tests.unit.simulate.test_as_planned import difference
from tests.unit.simulate.test_schedules import Question, drawn, policies_of, policy_of, rejected


def capped_schedule(seed: int) -> Instance | None:
    """Return a random schedule with a cap beside sleep or start-ups that draw energy."""
    instance = idling_schedule(seed)[0]
    if not np.isfinite(instance.limits.power_cap_w):
        rng = np.random.default_rng([seed, 6])
        instance = instance.with_limits(power_cap_w=float(rng.integers(4, 16)))
    if beyond(instance, SUPPORTED) or not has_any(instance, FORESEEN):
        return None
    return None if FEATURES["set-ups"](instance) else instance


def judged(seed: int) -> tuple[int, list[str]]:
    """Return how many runs there were, and what is wrong with them."""
    stated = capped_schedule(seed)
    if stated is None:
        return 0, []
    plan = solve(stated, time_limit=1, workers=1).plan
    if not isinstance(plan, SchedulePlan):
        return 0, []
    cycles = cycles_of(stated, 3 * stated.limits.cycle_s)
    instance, out = stated, plan
    if cycles is not None:
        instance, out = written_out(stated, cycles), plan_written_out(stated, plan, cycles)
    question = Question(stated, instance, plan, out, cycles)
    wrong = [f"seed {seed}, as planned: {text}" for text in [difference(question)] if text]
    rng = np.random.default_rng([seed, 5])
    setting = replace(drawn(instance, rng, False), cycles=cycles)
    done = 1
    for name in policies_of(instance, out, rolling=True):
        run = run_schedule(instance, policy_of(name, instance, out), setting)
        text = rejected(setting, run)
        over = outcome_of(name, 0, setting, run, 0.0, {}).totals["over_cap_s"]
        if text and cycles is None:
            wrong.append(f"seed {seed}, {name}: {text}")
        if over:
            wrong.append(f"seed {seed}, {name}: {over} s above the cap")
        if name == "plan" and run.stuck and cycles is None:
            wrong.append(f"seed {seed}, {name}: {run.stuck[0]}")
        done += 1
    return done, wrong


def test_caps_hold_and_plans_run_as_they_are() -> None:
    # In the last two wakes decide about what else may run.
    found = [judged(seed) for seed in (*range(24), 30, 56, 111, 143)]
    assert [text for _, texts in found for text in texts] == []
    assert sum(count for count, _ in found) >= 20


def test_a_start_waits_until_the_wake_before_it_has_room() -> None:
    text = """
hetopt: 1
objective: energy
power_cap: 12 W
horizon: 40 s
devices:
  - name: npu
    kind: npu
    idle_power: 2 W
    sleep: {power: 0 W, wake_time: 2 s, wake_energy: 12 J}
  - {name: cpu, kind: cpu}
profiles:
  a: [{device: npu, time: 2 s, energy: 2 J}]
  b: [{device: npu, time: 2 s, energy: 2 J}]
  c: [{device: cpu, time: 20 s, energy: 140 J}]
jobs:
  - {name: a, tasks: [{name: a, profile: a}]}
  - {name: b, release: 12 s, tasks: [{name: b, profile: b}]}
  - {name: c, tasks: [{name: c, profile: c}]}
"""
    instance = read_instance("sensor.yaml", text=text)
    found = simulate(instance, policies="greedy", times="fixed", bound=False)
    (run,) = found.outcomes
    start = {row["task"]: row["start_s"] for row in run.tasks}
    # The CPU draws 7 W until 20 s; waking draws 6 W, and would be above 12 W beside it.
    assert start["a"] == 0.0
    assert start["b"] == pytest.approx(22.0)
    assert run.totals["over_cap_s"] == 0.0
    assert run.totals["peak_power_w"] <= 12.0
