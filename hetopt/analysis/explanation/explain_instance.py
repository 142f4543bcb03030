"""Why an instance has no plan and what would give it one; what a plan rests on (docs/explain.md).

For an infeasible instance: sentences from arithmetic
(:mod:`hetopt.analysis.explanation.quick_tests.run`), a minimal set of limits that cannot be met
together, proven twice (:mod:`hetopt.analysis.explanation.conflict`), and the least changes that
suffice (:mod:`hetopt.analysis.explanation.repairs`). For a plan: what binds, what another place of
a task costs, and how far limits are from changing the answer
(:mod:`hetopt.analysis.explanation.plan_explanation`).

Everything is asked of ``solve``, and each plan on the way passed the checker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

from hetopt.analysis.explanation.conflict import Conflict, find_conflict, reprove
from hetopt.analysis.explanation.limits.limit import streams_of
from hetopt.analysis.explanation.limits.listing import limits_of
from hetopt.analysis.explanation.plan_explanation import explain_plan
from hetopt.analysis.explanation.questions import Answer, Questions
from hetopt.analysis.explanation.quick_tests.run import screens
from hetopt.analysis.explanation.quick_tests.shortages import Screen
from hetopt.analysis.explanation.repairs import find_repairs
from hetopt.analysis.explanation.repetitions import base_name
from hetopt.analysis.explanation.result import Explanation, Group
from hetopt.errors import InputError, Problem
from hetopt.evaluate import objectives
from hetopt.instance import Instance
from hetopt.instance.questions import check_question
from hetopt.runtime.executors.loop import Report, silent
from hetopt.runtime.interrupt import interruptible
from hetopt.solution import Plan, Solution
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of

BEST_SHARE = 0.4
"""Part of the time for the best plan of a feasible instance; the rest asks what it rests on."""
TASKS_ASKED = 3
"""Tasks whose other places are asked for where none is named, those with the most energy first."""


def explain(
    instance: Instance | Buildable,
    plan: Plan | Solution | None = None,
    *,
    tasks: Sequence[str] = (),
    options: SolveOptions | None = None,
    stop: threading.Event | None = None,
    report: Report | None = None,
    **solving: Unpack[SolveFields],
) -> Explanation:
    """Explain why an instance is infeasible, or what a plan of it rests on.

    Parameters
    ----------
    instance
        What to explain.
    plan
        A plan of it to explain; without one, a feasible instance is solved first.
    tasks
        Names of tasks for which to ask what every other place would cost; by default some that
        take the most energy.
    options
        How to solve. The time limit (60 s by default) holds for everything together.
    stop
        Set it to stop early; what is known by then is returned.
    report
        Called with a line about what is being asked.
    **solving
        Options by keyword (``time_limit="20 s"``, ``gap="1 %"``, ``seed=1``, ...), which precede
        those of ``options``; see :class:`hetopt.solve.SolveFields`.

    Returns
    -------
    Explanation
        See there; :meth:`~hetopt.analysis.explanation.Explanation.to_json` gives plain values.

    Raises
    ------
    InputError
        Where the question cannot be asked of the instance, a task is unknown, or the checker
        rejects the plan.
    """
    began = time.monotonic()
    instance = built(instance)
    options = options_of(options, solving)
    plan = plan.plan if isinstance(plan, Solution) else plan
    stop = stop or threading.Event()
    check_question(instance)
    wanted = _indices(instance, tasks)
    questions = Questions(
        instance,
        limits_of(instance),
        options,
        stop=stop,
        tell=report or silent,
        began=began,
    )
    with interruptible(stop):
        if plan is not None:
            found = _of_plan(questions, _given(instance, plan, questions), wanted)
        else:
            found = _of_instance(questions, wanted)
    return replace(
        found,
        notes=(*found.notes, *dict.fromkeys(questions.contradictions)),
        solves=questions.asked,
        wall_time_s=None if options.deterministic else time.monotonic() - began,
        interrupted=stop.is_set(),
    )


def _of_instance(questions: Questions, tasks: list[int]) -> Explanation:
    instance = questions.instance
    sentences = [_in_terms_of(questions, screen) for screen in screens(instance)]
    questions.tell("is there a plan?")
    answer = questions.ask(questions.everything())
    if answer.plan is not None:
        questions.tell("the best plan")
        best = questions.solve(instance, start=answer.plan, share=BEST_SHARE)
        return _of_plan(questions, best or _standing(instance, answer.plan), tasks)
    if not answer.no:
        note = "No plan was found within the time, and none is proven not to exist."
        return Explanation(instance, "unknown", tuple(sentences), notes=(note,))
    return _infeasible(questions, sentences, answer)


def _infeasible(questions: Questions, sentences: list[Screen], answer: Answer) -> Explanation:
    questions.tell("which limits cannot be met together?")
    everything = questions.everything()
    first = find_conflict(questions, everything, _hints(questions, sentences))
    first = reprove(questions, first or Conflict(tuple(sorted(everything)), False, False))
    repairs, conflicts, complete = find_repairs(questions, [first])
    proven = [first, *(reprove(questions, conflict) for conflict in conflicts[1:])]
    groups = tuple(_group(questions, conflict) for conflict in proven)
    notes = []
    if not sentences and answer.reason:
        notes.append(answer.reason)
    return Explanation(
        questions.instance,
        "infeasible",
        tuple(sentences),
        groups,
        tuple(repairs),
        complete,
        notes=tuple(notes),
    )


def _group(questions: Questions, conflict: Conflict) -> Group:
    """Name the limits of a conflict, and those that were lifted when it was proven."""
    named = tuple(questions.limits[i] for i in conflict.limits)
    lifted = tuple(questions.limits[i] for i in sorted(questions.everything() - {*conflict.limits}))
    return Group(named, conflict.minimal, conflict.reproved, lifted)


def _in_terms_of(questions: Questions, screen: Screen) -> Screen:
    """Name the limits of a sentence as they are listed: repetitions by their common name."""
    known = {limit.key for limit in questions.limits}
    keys = []
    for key in screen.limits:
        kind, _, subject = key.partition(":")
        name, mark, place = subject.partition("=")
        common = f"{kind}:{base_name(name)}{mark}{place}"
        keys += [k for k in (key, common) if k in known][:1]
    return replace(screen, limits=tuple(dict.fromkeys(keys)))


def _hints(questions: Questions, sentences: list[Screen]) -> list[frozenset[int]]:
    """Return the sets of limits that the screens say conflict on their own, small ones first."""
    number = {limit.key: i for i, limit in enumerate(questions.limits)}
    sets = [frozenset(number[k] for k in s.limits if k in number) for s in sentences]
    return sorted(dict.fromkeys(sets), key=lambda s: (len(s), sorted(s)))


def _of_plan(questions: Questions, base: Solution, tasks: list[int]) -> Explanation:
    if base.plan is None:
        raise ValueError("A solution with a plan is expected.")
    chosen = tasks or _hungriest(questions.instance, base.plan)
    told = explain_plan(questions, base, chosen)
    return Explanation(
        questions.instance,
        "feasible",
        complete=not questions.over(),
        solution=base,
        plan=told,
    )


def _given(instance: Instance, plan: Plan, questions: Questions) -> Solution:
    """Return a given plan with what is known about the best one.

    Raises
    ------
    InputError
        Where the checker rejects it.
    """
    from hetopt.verify import verify

    verdict = verify(instance, plan)
    if not verdict.ok:
        first = "; ".join(v.message for v in verdict.violations[:3])
        raise InputError(f"The plan is not a plan of this instance: {first}")
    questions.tell("how good is the plan?")
    best = questions.solve(instance, start=plan, share=BEST_SHARE)
    if best is None:
        return _standing(instance, plan)
    values = objectives(instance, plan)
    return replace(
        best,
        plan=plan,
        objectives=values,
        status="optimal" if best.status == "optimal" and _equal(values, best) else "feasible",
    )


def _equal(values: tuple[float, ...], best: Solution) -> bool:
    from hetopt.constants import GAP_TOLERANCE

    pairs = zip(values, best.objectives, strict=True)
    return all(abs(a - b) <= GAP_TOLERANCE * abs(b) for a, b in pairs)


def _standing(instance: Instance, plan: Plan) -> Solution:
    """Return a plan of which nothing more is known, as there was no time left."""
    from hetopt.version import __version__

    values = objectives(instance, plan)
    nothing = (float("nan"),) * len(values)
    return Solution(
        status="feasible",
        termination="time_limit",
        objective_names=instance.objective,
        objectives=values,
        bounds=nothing,
        plan=plan,
        method="given",
        wall_time_s=None,
        verified=True,
        seed=0,
        version=__version__,
    )


def _indices(instance: Instance, tasks: Sequence[str]) -> list[int]:
    number = {name: i for i, name in enumerate(instance.tasks.name.tolist())}
    unknown = [name for name in tasks if name not in number]
    if unknown:
        raise InputError(
            [Problem("--task", name, "The name of a task of the instance.") for name in unknown]
        )
    return [number[name] for name in tasks]


def _hungriest(instance: Instance, plan: Plan) -> list[int]:
    """Return the tasks with a choice of place that take the most energy, or else time."""
    import numpy as np

    from hetopt.evaluate.optional import runs_of
    from hetopt.evaluate.schedule import ScheduleQuantities
    from hetopt.solution import SchedulePlan

    if isinstance(plan, SchedulePlan):
        part, runs = runs_of(instance, plan)
        schedule = ScheduleQuantities(part, runs)
        energy, busy = np.zeros(len(plan.option)), np.zeros(len(plan.option))
        energy[plan.option >= 0], busy[plan.option >= 0] = schedule.task_energy_j, schedule.time_s
    else:
        energy, busy = np.zeros(len(instance.tasks)), np.zeros(len(instance.tasks))
        for q in streams_of(instance, plan):
            np.add.at(energy, q.plan.task, q.row_rate_per_s * q.row_energy_j)
            np.add.at(busy, q.plan.task, q.row_rate_per_s * q.row_busy_s)
    weight = energy if energy.any() else busy
    ptr, _ = instance.admissible
    free = np.diff(ptr) > 1
    if isinstance(plan, SchedulePlan):
        free &= plan.option >= 0
    order = np.argsort(-np.where(free, weight, -1.0), kind="stable")
    return [int(t) for t in order[:TASKS_ASKED] if free[t]]
