"""Planning what is left of a schedule anew (:mod:`hetopt.simulate.schedules.remaining`)."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.evaluate import objectives
from hetopt.instance import Instance, is_maximised
from hetopt.instance.states.idle_sleep_start_up import plain
from hetopt.replan.replanned import Replanned, Stability, Step
from hetopt.schedule.polish.stale import repaired
from hetopt.simulate.events import Start, State
from hetopt.simulate.schedules.remaining import Rest, carried, rest_of
from hetopt.solution import SchedulePlan
from hetopt.solve import SolveOptions, solve_with
from hetopt.verify import verify

if TYPE_CHECKING:
    pass


def replan_schedule(
    instance: Instance,
    plan: SchedulePlan,
    state: State | None,
    stability: Stability,
    options: SolveOptions,
) -> Replanned:
    """Return the plan to go on with, and its starts; see :func:`hetopt.replan.replan`."""
    began = time.monotonic()
    if state is None:
        text = "A state with tasks: what is done, and what runs."
        raise InputError([Problem("state", "", text)])
    if not plain(instance):
        text = (
            "A schedule without sleep, start-ups and boards: what has gone on or sleeps is no part "
            "of a state. State what is left as an instance of its own, and solve that."
        )
        raise InputError([Problem("instance", "", text)])
    rest = rest_of(instance, state)
    old = carried(instance, plan, rest)
    limit = began + options.time_limit_s / 4
    kept, told = repaired(rest.instance, old, limit=limit)
    if kept is not None and not verify(rest.instance, kept).ok:
        kept = None
    spent = time.monotonic() - began
    fresh = solve_with(
        rest.instance,
        replace(options, time_limit_s=max(0.05, options.time_limit_s - spent)),
        start=kept,
    )
    return _answer(rest, old, kept, fresh, told, stability, began)


def _answer(
    rest: Rest,
    old: SchedulePlan,
    kept: SchedulePlan | None,
    fresh: Any,
    told: list[str],
    stability: Stability,
    began: float,
) -> Replanned:
    instance = rest.instance
    name = instance.objective[0]
    sign = -1.0 if is_maximised(name) else 1.0
    before = math.nan if kept is None else float(objectives(instance, kept)[0])
    moved = [] if kept is None else _moved(instance, old, kept, rest)
    threshold = 0.0 if kept is None else stability.least * abs(before)
    best, chosen = kept, moved
    if fresh.plan is not None:
        wanted = _moved(instance, old, fresh.plan, rest)
        fits = stability.most is None or len(wanted) <= stability.most
        value = sign * float(fresh.objective) + stability.price * len(wanted)
        now = math.inf if kept is None else sign * before + stability.price * len(moved)
        if fits and value < now - threshold - GAP_TOLERANCE * abs(before if kept else 0.0):
            best, chosen = fresh.plan, wanted
    value = math.nan if best is None else float(objectives(instance, best)[0])
    charge = stability.price * len(chosen)
    extra = 0.0 if best is kept else threshold
    bound = sign * fresh.bound
    if kept is not None:
        bound = min(sign * before + stability.price * len(moved), bound + threshold)
    return Replanned(
        instance=instance,
        plan=best,
        solution=fresh,
        kept=best is not None and not chosen,
        changes=tuple(chosen),
        repaired=tuple(told),
        value=value,
        value_before=before,
        charge=charge,
        score=sign * (sign * value + charge + extra),
        score_bound=sign * bound,
        steps=() if best is None else tuple(_steps(rest, best)),
        shortfall={},
        wall_time_s=time.monotonic() - began,
        reason=fresh.reason if best is None else "",
    )


def _moved(instance: Instance, old: SchedulePlan, new: SchedulePlan, rest: Rest) -> list[str]:
    found = []
    for t, name in enumerate(instance.tasks.name.tolist()):
        if name in rest.running or name in rest.done or old.option[t] < 0:
            continue
        if old.option[t] != new.option[t] or old.unit[t] != new.unit[t]:
            o = int(new.option[t])
            device = int(instance.options.device[o])
            place = instance.unit_name(device, rest.usable[device][int(new.unit[t])])
            label = str(instance.options.label[o])
            found.append(f"{name} on {place}" + (f" as {label}" if label else ""))
    return found


def _steps(rest: Rest, plan: SchedulePlan) -> list[Step]:
    instance = rest.instance
    options = instance.options
    found = []
    for t in np.argsort(plan.start_s, kind="stable").tolist():
        name = str(instance.tasks.name[t])
        if name in rest.running or name in rest.done:
            continue
        o = int(plan.option[t])
        at = rest.now_s + float(plan.start_s[t])
        end = at + float(instance.tasks.work[t] * options.time_s[o])
        device = str(instance.devices.name[options.device[o]])
        unit = rest.usable[int(options.device[o])][int(plan.unit[t])]
        action = Start(name, device, unit, str(options.label[o]))
        found.append(Step(at, action, end))
    return found
