"""Schedules in time: the loop against a plain simulator, the checker, and the bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hetopt import solve, verify
from hetopt.instance import Instance
from hetopt.instance.questions import stuck_tasks
from hetopt.schedule.model.features import beyond, has_any
from hetopt.simulate.bounds.schedules import clairvoyant_bound
from hetopt.simulate.events import CapChanged, DeviceDown, DeviceUp, Event
from hetopt.simulate.schedules.cycles import Cycles, cycles_of, plan_written_out, written_out
from hetopt.simulate.schedules.loop import run_schedule
from hetopt.simulate.schedules.outcomes import outcome_of
from hetopt.simulate.schedules.planned import Planned
from hetopt.simulate.schedules.policies import Dispatcher
from hetopt.simulate.schedules.rolling import RollingSchedule, planned_anew
from hetopt.simulate.schedules.runs import FORESEEN, SUPPORTED, Run, SchedulePolicy
from hetopt.simulate.schedules.world import Setting, realised
from hetopt.solution import SchedulePlan
from hetopt.solve import SolveOptions
from tests.idling_schedules import idling_schedule
from tests.property.test_cyclic_oracle import made, random_cyclic
from tests.random_schedules import random_schedule
from tests.setup_schedules import setup_schedule
from tests.slow_schedules import slow_schedule
from tests.small_schedule_run import SmallSchedule
from tests.unusual_schedules import unusual_schedule

QUICK = SolveOptions(time_limit_s=0.3, workers=1, deterministic=True)
RULES = ("greedy", "energy-greedy", "price")


def drawn(instance: Instance, rng: np.random.Generator, trouble: bool) -> Setting:
    """Return times that differ from those planned, and where asked for failures and caps."""
    factor = None if rng.random() < 0.2 else np.exp(0.4 * rng.standard_normal(len(instance.tasks)))
    events: list[Event] = []
    span = 0.5 * float((instance.options.time_s.max(initial=0.0)) * len(instance.tasks))
    for d, name in enumerate(instance.devices.name.tolist()):
        if trouble and rng.random() < 0.4:
            at = float(rng.uniform(0, span))
            unit = None if rng.random() < 0.3 else int(rng.integers(instance.devices.count_max[d]))
            events.append(DeviceDown(at, name, unit))
            events.append(DeviceUp(at + float(rng.uniform(0.05, 0.5)) * span, name, unit))
    cap = instance.limits.power_cap_w
    if trouble and np.isfinite(cap):
        events.append(CapChanged(float(rng.uniform(0, span)), float(cap * rng.uniform(0.7, 1.5))))
    events.sort(key=lambda event: event.time_s)
    return Setting(realised(instance, None, factor), events)


def policies_of(instance: Instance, plan: SchedulePlan | None, rolling: bool) -> list[str]:
    names = list(RULES)
    if plan is not None:
        names += ["plan", *(["rolling"] if rolling and not planned_anew(instance) else [])]
    return names


def policy_of(name: str, instance: Instance, plan: SchedulePlan | None) -> SchedulePolicy:
    if name == "plan":
        assert plan is not None
        return Planned(instance, plan)
    if name == "rolling":
        assert plan is not None
        end = float((plan.start_s + instance.options.time_s[plan.option]).max())
        return RollingSchedule(instance, plan, max(end, 1e-6) / 5, QUICK)
    return Dispatcher(name, instance)


def difference(small: SmallSchedule, run: Run, setting: Setting) -> str:
    """Return the first difference of two runs of one policy."""
    for t in small.tasks:
        ended = run.plan.option[t.number] >= 0
        if ended != (t.end is not None):
            return f"{t.name} ended in one only"
        if not ended:
            continue
        mine = setting.realised.option(small.i, t.number, t.option)
        if (mine, t.unit[1]) != (run.plan.option[t.number], run.plan.unit[t.number]):
            return f"{t.name} ran elsewhere"
        if t.start != run.plan.start_s[t.number]:
            return f"{t.name} began at {t.start} and {run.plan.start_s[t.number]}"
    if small.lost != len(run.lost):
        return f"{small.lost} and {len(run.lost)} runs lost"
    return ""


def instance_of(seed: int) -> Instance:
    """Return an instance of one of the kinds that random instances are made of."""
    kind = seed % 10
    if kind in (3, 8):
        return slow_schedule(seed)
    if kind == 4:
        return idling_schedule(seed, setups=seed % 20 == 4)[0]
    if kind in (2, 7):
        return setup_schedule(seed)[0]
    if kind == 6:
        return made(random_cyclic(seed))
    return unusual_schedule(seed)[0] if kind == 9 else random_schedule(seed)[0]


def asked(seed: int) -> Question | None:
    """Return an instance with a plan, if one was found; None where simulating refuses it."""
    instance = instance_of(seed)
    capped = np.isfinite(instance.limits.power_cap_w) and has_any(instance, FORESEEN)
    if beyond(instance, SUPPORTED) or capped or len(stuck_tasks(instance)):
        return None
    cycles = cycles_of(instance, 3 * instance.limits.cycle_s)
    method = "heuristic" if cycles is None else "auto"
    plan = solve(instance, time_limit=1, method=method, workers=1).plan
    assert plan is None or isinstance(plan, SchedulePlan)
    if cycles is None:
        return Question(instance, instance, plan, plan, None)
    out = None if plan is None else plan_written_out(instance, plan, cycles)
    return Question(instance, written_out(instance, cycles), plan, out, cycles)


@dataclass(frozen=True)
class Question:
    """An instance and a plan as they are, and as they run: cycles written out."""

    stated: Instance
    instance: Instance
    plan_stated: SchedulePlan | None
    plan: SchedulePlan | None
    cycles: Cycles | None


def compared(seed: int, rolling: bool = False) -> tuple[int, str]:
    """Return how many runs of a random instance agree, and the first that does not."""
    question = asked(seed)
    if question is None:
        return 0, ""
    instance, plan = question.instance, question.plan
    rng = np.random.default_rng([seed, 5])
    trouble = bool(rng.random() < 0.5)
    setting = replace(drawn(instance, rng, trouble), cycles=question.cycles)
    done, outcomes = 0, []
    for name in policies_of(instance, plan, rolling):
        run = run_schedule(instance, policy_of(name, instance, plan), setting)
        small = SmallSchedule(instance, policy_of(name, instance, plan), setting).run()
        text = difference(small, run, setting)
        if not text and not setting.events:
            text = rejected(setting, run)
        if text:
            return done, f"seed {seed}, {name}: {text}"
        outcomes.append(outcome_of(name, 0, setting, run, 0.0, {}))
        done += 1
    late = max(sum(row["missed"] for row in o.jobs) for o in outcomes)
    best = min(sum(row["missed"] for row in o.jobs) for o in outcomes)
    until = max(o.totals["end_s"] for o in outcomes)
    bound = clairvoyant_bound(setting, QUICK, until, late > 0, float(best))
    for o in outcomes:
        for name, least in bound.of(o.totals).items():
            value = o.totals[name]
            if value is not None and value < least * (1 - 1e-6):
                return done, f"seed {seed}, {o.policy}: {name} {value} below its bound {least}"
        if (o.totals["misses"] or 0.0) < bound.misses - 1e-12:
            return done, f"seed {seed}, {o.policy}: fewer misses than {bound.misses}"
    return done, ""


def rejected(setting: Setting, run: Run) -> str:
    """Return why the checker rejects what ran as a plan at the times that were drawn."""
    if (run.plan.option < 0).any():
        return ""
    instance = setting.realised.instance
    jobs = instance.jobs
    free = replace(
        instance.with_limits(horizon_s=np.inf),
        jobs=replace(jobs, deadline_s=np.full(len(jobs), np.inf)),
    )
    report = verify(free, run.plan)
    return "" if report.ok else str(report.violations[0])


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_every_start_is_that_of_the_plain_simulator_and_none_is_below_the_bound(first: int) -> None:
    found = [compared(seed) for seed in range(first, first + 20)]
    assert [text for _, text in found if text] == []
    assert sum(count for count, _ in found) >= 8
