"""What is left of a schedule, and its plan."""

import itertools

import numpy as np
import pytest

from hetopt import InputError, solve, verify
from hetopt.generate.schedule import generate_schedule
from hetopt.replan import replan
from hetopt.simulate.events import Start, State, TaskState, UnitState


def state_at(instance, plan, now):
    rows = []
    for t, name in enumerate(instance.tasks.name.tolist()):
        o = int(plan.option[t])
        device = str(instance.devices.name[instance.options.device[o]])
        start = float(plan.start_s[t])
        end = start + float(instance.tasks.work[t] * instance.options.time_s[o])
        status = "done" if end <= now else "running" if start <= now else "waiting"
        if status == "waiting":
            rows.append(TaskState(name))
        else:
            label = str(instance.options.label[o])
            rows.append(TaskState(name, status, device, int(plan.unit[t]), label, start))
    return State(now, (), (), (), tuple(rows))


@pytest.mark.parametrize("seed", range(4))
def test_what_started_stays_and_the_rest_follows_it(seed):
    instance = generate_schedule(12, 3, count=2, seed=seed)
    base = solve(instance, time_limit=2)
    plan = base.plan
    now = float(np.round(np.median(plan.start_s), 4)) + 1e-4
    state = state_at(instance, plan, now)
    found = replan(instance, plan, state, time_limit=2)
    assert found.plan is not None
    assert verify(found.instance, found.plan).ok
    assert found.score >= found.score_bound * (1 - 1e-9)
    waiting = {t.task for t in state.tasks if t.status == "waiting"}
    assert {step.action.task for step in found.steps} == waiting
    assert all(isinstance(s.action, Start) and s.time_s >= now - 1e-12 for s in found.steps)
    # With what ran already, no unit runs two tasks at once, and nothing starts before its data.
    rows = {
        s.action.task: (s.action.device, s.action.unit, s.time_s, s.ready_s) for s in found.steps
    }
    for t in state.tasks:
        if t.status != "waiting":
            k = instance.tasks.name.tolist().index(t.task)
            o = int(plan.option[k])
            length = float(instance.tasks.work[k] * instance.options.time_s[o])
            rows[t.task] = (t.device, t.unit, t.started_s, t.started_s + length)
    assert len(rows) == len(instance.tasks)
    by_unit = {}
    for device, unit, begin, end in rows.values():
        by_unit.setdefault((device, unit), []).append((begin, end))
    for spans in by_unit.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(spans))
    names = instance.tasks.name.tolist()
    for src, dst in zip(instance.edges.src.tolist(), instance.edges.dst.tolist(), strict=True):
        assert rows[names[src]][3] <= rows[names[dst]][2] + 1e-9


def test_what_ran_on_a_lost_unit_is_run_again_elsewhere():
    instance = generate_schedule(12, 3, count=2, seed=3, deadline_factor=3.0)
    plan = solve(instance, time_limit=2).plan
    now = float(np.round(np.median(plan.start_s), 4)) + 1e-4
    state = state_at(instance, plan, now)
    ran = next(t for t in state.tasks if t.status == "running")
    lost = State(now, (UnitState(ran.device, ran.unit, "down"),), (), (), state.tasks)
    found = replan(instance, plan, lost, time_limit=3)
    assert ran.task in {step.action.task for step in found.steps}
    assert all((s.action.device, s.action.unit) != (ran.device, ran.unit) for s in found.steps)


def test_states_that_cannot_be_are_refused_with_the_place():
    instance = generate_schedule(5, 2, seed=0)
    plan = solve(instance, time_limit=1).plan
    with pytest.raises(InputError, match="state: A state with tasks"):
        replan(instance, plan)
    name = str(instance.tasks.name[0])
    device = str(instance.devices.name[0])
    for task, place in (
        (TaskState("nobody"), r"state\.tasks\[0\]\.task"),
        (TaskState(name, "running", "nowhere"), r"state\.tasks\[0\]\.device"),
        (TaskState(name, "running", device, 7), r"state\.tasks\[0\]\.unit"),
        (TaskState(name, "running", device, 0, "none"), r"state\.tasks\[0\]\.option"),
    ):
        with pytest.raises(InputError, match=place):
            replan(instance, plan, State(0.0, (), (), (), (task,)))
