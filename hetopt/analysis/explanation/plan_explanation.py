"""Why a plan is as it is: what binds, what other places of a task cost, what limits cost.

Slack is arithmetic on the plan. Everything else is a comparison of two optima, each with its bound:
a difference is proven as far as the bounds go, and stated as a bracket where they leave room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.analysis.explanation.critical_chain import Step, critical_steps
from hetopt.analysis.explanation.least_change import Least, searched
from hetopt.analysis.explanation.limits.limit import Limit, unbounded_without
from hetopt.analysis.explanation.questions import Questions
from hetopt.analysis.explanation.wording import limit_text
from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.evaluate import evaluate
from hetopt.formats.plans import to_json
from hetopt.instance import Instance, is_maximised
from hetopt.instance.overrides import only_option_of
from hetopt.instance.tables import when
from hetopt.solution import Plan, ScenarioPlan, SchedulePlan, Solution

MOST_LIMITS = 12
"""Limits whose effect is asked for, those with the least slack first."""
BOUNDING = ("power_cap", "budget", "pool")
"""Kinds of limits without which throughput may be unbounded; what they cost has no number then."""
STEPS = 4
"""Solves that look for the value at which one limit changes the answer."""
SHARE = 0.3
"""Part of the time left for the solve of one alternative or one changed limit."""


@dataclass(frozen=True, slots=True)
class Slack:
    """How much of a limit a plan uses.

    ``slack`` is how far the limit can be tightened with this plan; ``binding`` says that it is
    nothing beyond the tolerance of limits.
    """

    limit: Limit
    use: float
    slack: float
    binding: bool


@dataclass(frozen=True, slots=True)
class Busy:
    """How much of the time of a device's units, or of a link, is used."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """A task elsewhere than in the plan, all other tasks placed anew.

    Attributes
    ----------
    task, place
        Names; the place is a device, or "another option on" the device it has.
    status
        Of the solve: ``infeasible`` (proven) where the task cannot be there.
    objective, bound
        Of the best plan with the task there; NaN where unknown.
    difference
        Objective with the task there less that of the plan (first objective).
    at_least
        What the difference is at least, proven by the bound; NaN where nothing is.
    """

    task: str
    place: str
    status: str
    objective: float
    bound: float
    difference: float
    at_least: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What a limit costs, and how far it is from changing the answer.

    Attributes
    ----------
    without
        Objective without the limit, and ``without_bound`` its bound; NaN where unknown.
    free
        Whether it is proven that lifting the limit changes nothing.
    threshold
        A value of the limit from which on the objective is better, None where lifting it changes
        nothing or no such value was found; ``refuted``: up to there it is proven not to be.
    tighter
        Objective with the limit just tighter than the plan's use of it, ``tighter_bound`` its
        bound; NaN where unknown.
    tighter_status
        Status of that solve; ``infeasible`` where there is no plan any more, empty where it was
        not asked.
    """

    limit: Limit
    without: float
    without_bound: float
    free: bool
    threshold: float | None
    refuted: float | None
    tighter: float
    tighter_bound: float
    tighter_status: str


@dataclass(frozen=True)
class PlanExplanation:
    """What a plan rests on."""

    slacks: tuple[Slack, ...]
    busy: tuple[Busy, ...]
    steps: tuple[Step, ...]
    alternatives: tuple[Alternative, ...]
    effects: tuple[Effect, ...]

    def to_json(self, instance: Instance) -> dict[str, Any]:
        """Return plain values; limits by their keys."""
        return {
            "limits": [
                {
                    "limit": s.limit.key,
                    "text": limit_text(instance, s.limit),
                    "value": None if s.limit.amount is None else to_json(s.limit.amount.value),
                    "use": to_json(s.use),
                    "slack": to_json(s.slack),
                    "binding": s.binding,
                }
                for s in self.slacks
            ],
            "busy": [{"name": b.name, "utilization": to_json(b.share)} for b in self.busy],
            "critical_steps": [
                {
                    "task": s.task,
                    "unit": s.unit,
                    "start_s": s.start_s,
                    "end_s": s.end_s,
                    "because": s.because,
                }
                for s in self.steps
            ],
            "alternatives": [
                {
                    "task": a.task,
                    "place": a.place,
                    "status": a.status,
                    "objective": to_json(a.objective),
                    "bound": to_json(a.bound),
                    "difference": to_json(a.difference),
                    "difference_at_least": to_json(a.at_least),
                }
                for a in self.alternatives
            ],
            "effects": [
                {
                    "limit": e.limit.key,
                    "without": to_json(e.without),
                    "without_bound": to_json(e.without_bound),
                    "changes_nothing": e.free,
                    "better_from": to_json(e.threshold),
                    "not_better_up_to": to_json(e.refuted),
                    "tighter": to_json(e.tighter),
                    "tighter_bound": to_json(e.tighter_bound),
                    "tighter_status": e.tighter_status or None,
                }
                for e in self.effects
            ],
        }


def explain_plan(questions: Questions, base: Solution, tasks: Sequence[int]) -> PlanExplanation:
    """Explain a plan.

    Parameters
    ----------
    base
        The plan with the bound of its objective.
    tasks
        Tasks to ask other places for.
    """
    instance, plan = questions.instance, base.plan
    if plan is None:
        raise ValueError("A solution with a plan is expected.")
    slacks = sorted(_slacks(instance, questions.limits, plan), key=_tightness)
    steps = critical_steps(instance, plan) if isinstance(plan, SchedulePlan) else []
    other = [found for task in tasks for found in _elsewhere(questions, base, task)]
    # The horizon is also what idle power counts for: without it, the energy is another one.
    asked = [s for s in slacks if s.limit.kind != "horizon"][:MOST_LIMITS]
    felt = [e for s in asked if (e := _effect(questions, base, s)) is not None]
    return PlanExplanation(
        tuple(slacks), tuple(_busy(instance, plan)), tuple(steps), tuple(other), tuple(felt)
    )


def _slacks(instance: Instance, limits: Sequence[Limit], plan: Plan) -> list[Slack]:
    found = []
    for limit in limits:
        amount = limit.amount
        if amount is None or limit.kind == "demand":
            continue
        use = float(amount.use(instance, plan))
        slack = amount.sign * (amount.value - use)
        tolerance = LIMIT_TOLERANCE * max(abs(use), abs(amount.value))
        tight = slack <= max(tolerance, GAP_TOLERANCE * abs(amount.value))
        found.append(Slack(limit, use, 0.0 if abs(slack) <= tolerance else slack, tight))
    return found


def _tightness(slack: Slack) -> float:
    amount = slack.limit.amount
    whole = 0.0 if amount is None else abs(amount.value)
    return slack.slack / whole if whole > 0 else slack.slack


def _busy(instance: Instance, plan: Plan) -> list[Busy]:
    quantities = evaluate(instance, plan)
    rows = [
        Busy(_called(row, str(row["device"])), float(row["utilization"]))
        for row in quantities["devices"]
        if row["on"] and row["utilization"] is not None
    ]
    for row in quantities["links"]:
        share = row.get("utilization")
        if share is None and instance.regime == "schedule" and quantities["window_s"]:
            group = int(instance.links.channel_group[row["link"]])
            if group >= 0:
                channels = int(instance.links.group_channels[group])
                share = row["busy_s"] / channels / quantities["window_s"]
        if share:
            rows.append(Busy(_called(row, f"{row['from']}->{row['to']}"), float(share)))
    return sorted(rows, key=lambda row: -row.share)


def _called(row: dict[str, Any], name: str) -> str:
    """Name a row of a table, with its scenario where there are some."""
    return f"{name}, {row[when(row)]}" if when(row) else name


def _elsewhere(questions: Questions, base: Solution, task: int) -> list[Alternative]:
    """Solve with a task on each other device, and with another option on its own."""
    instance, plan = questions.instance, base.plan
    if plan is None:
        return []
    chosen = _options_of(plan, task)
    name = str(instance.tasks.name[task])
    found = []
    able = instance.task_options(task)
    device_of = instance.options.device
    home = dict.fromkeys(device_of[chosen].tolist())
    for d in dict.fromkeys(device_of[able].tolist()):
        keep = able[device_of[able] == d]
        place = str(instance.devices.name[d])
        if d in home:
            keep = np.array([o for o in keep.tolist() if o not in chosen], dtype=np.int64)
            place = f"{place}, another option"
        if not len(keep):
            continue
        questions.tell(f"{name} on {place}")
        solution = questions.solve(only_option_of(instance, task, keep), share=SHARE)
        if solution is not None:
            found.append(_compared(base, name, place, solution))
    return sorted(found, key=lambda a: (math.isnan(a.difference), a.difference))


def _options_of(plan: Plan, task: int) -> list[int]:
    if isinstance(plan, SchedulePlan):
        return [int(plan.option[task])]
    used: list[int] = []
    for part in plan.plans if isinstance(plan, ScenarioPlan) else [plan]:
        rate = np.repeat(part.rate_per_s, np.diff(part.ptr))
        used += part.option[(part.task == task) & (rate > 0)].tolist()
    return list(dict.fromkeys(used))


def _compared(base: Solution, task: str, place: str, other: Solution) -> Alternative:
    sign = -1.0 if is_maximised(base.objective_names[0]) else 1.0
    difference = other.objective - base.objective
    at_least = sign * (other.bound - base.objective)
    if base.status == "optimal" and other.status != "infeasible":
        # No plan with the task there is better than the best of all plans.
        at_least = max(at_least, 0.0) if not math.isnan(at_least) else 0.0
    return Alternative(
        task, place, other.status, other.objective, other.bound, sign * difference + 0.0, at_least
    )


def _effect(questions: Questions, base: Solution, slack: Slack) -> Effect | None:
    """Solve without a limit, with it just tighter, and look for the value that matters."""
    instance, limit, amount = questions.instance, slack.limit, slack.limit.amount
    if amount is None or base.plan is None or questions.over():
        return None
    if limit.kind in BOUNDING and unbounded_without(instance):
        return None
    questions.tell(f"without {limit.words}")
    lifted = questions.solve(limit.lift(instance), start=base.plan, share=SHARE)
    if lifted is None:
        return None
    better = _is_better(base, lifted.objective)
    free = not better and not _is_better(base, lifted.bound)
    threshold = None
    if better and lifted.plan is not None:
        threshold = _threshold(questions, base, limit, lifted.plan)
    tighter = None
    if slack.use == slack.use:
        value = slack.use - amount.sign * (
            1.0 if amount.whole else 10 * GAP_TOLERANCE * abs(slack.use)
        )
        # Of something that is not used at all there is nothing to take away.
        if value >= 0 and value != slack.use:
            questions.tell(f"{limit.words}, tighter than the plan's use")
            tighter = questions.solve(amount.at(instance, value), share=SHARE)
    return Effect(
        limit,
        lifted.objective,
        lifted.bound,
        free,
        None if threshold is None else threshold.value,
        None if threshold is None else threshold.bound,
        math.nan if tighter is None else tighter.objective,
        math.nan if tighter is None else tighter.bound,
        "" if tighter is None else tighter.status,
    )


def _threshold(questions: Questions, base: Solution, limit: Limit, plan: Plan) -> Least | None:
    """Find a value of a limit from which on there is a better plan."""
    instance, amount = questions.instance, limit.amount
    if amount is None or not amount.sign * (amount.use(instance, plan) - amount.value) > 0:
        return None

    def find(value: float) -> tuple[Plan | None, bool]:
        solution = questions.solve(amount.at(instance, value), start=base.plan, share=SHARE)
        if solution is None:
            return None, False
        if _is_better(base, solution.objective):
            return solution.plan, False
        return None, not _is_better(base, solution.bound)

    return searched(instance, amount, amount.value, plan, find, most_steps=STEPS)


def _is_better(base: Solution, value: float) -> bool:
    """Whether a value is better than the plan's by more than the tolerance of gaps; NaN may be."""
    if math.isnan(value):
        return True
    sign = -1.0 if is_maximised(base.objective_names[0]) else 1.0
    return sign * (base.objective - value) > 2 * GAP_TOLERANCE * abs(base.objective)
