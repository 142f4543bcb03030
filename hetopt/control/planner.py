"""Plans made anew beside the loop: one at a time, in a thread, from what held when it was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.control.core import Controller
from hetopt.errors import HetoptError
from hetopt.formats.plans import plan_to_dict
from hetopt.instance import Instance
from hetopt.replan import Replanned, replan
from hetopt.simulate.events import State
from hetopt.solution import SteadyPlan
from hetopt.solve import SolveOptions


@dataclass(frozen=True)
class Asked:
    """A plan to be made: of what, from where, why."""

    instance: Instance
    plan: SteadyPlan
    state: State
    why: str


@dataclass(frozen=True)
class Settings:
    """How plans are made; see :func:`hetopt.replan.replan`."""

    options: SolveOptions
    stability: str = "1 %"
    start_up: Any = None
    loading: Any = None
    hold: Any = 3600.0
    headroom: float = 0.15


def asked(controller: Controller) -> Asked:
    """Return what is to be planned for now; the controller goes on meanwhile."""
    return Asked(
        controller.question(), controller.plan, controller.fleet.state(), controller.wanted or ""
    )


def make(question: Asked, settings: Settings) -> dict[str, Any]:
    """Make a plan; return the entry of the log that holds it."""
    instance, short = question.instance, ""
    rates = instance.jobs.rate_per_s * (1.0 + settings.headroom)
    wanted = _with_rates(instance, rates)
    found = _tried(wanted, question, settings)
    if found.plan is None and settings.headroom > 0:
        # Without headroom rather than not at all.
        wanted = instance
        found = _tried(wanted, question, settings)
    if found.plan is None:
        # More than the fleet can serve, or may draw: as much of each stream as it can.
        short = found.reason or "not all that is asked can be served"
        found = _tried(instance.with_objective("throughput"), question, settings)
    entry: dict[str, Any] = {
        "kind": "plan",
        "why": question.why,
        "kept": found.kept,
        "value": _number(found.value),
        "bound": _number(found.solution.bound),
        "score": _number(found.score),
        "score_bound": _number(found.score_bound),
        "changes": list(found.changes)[:100],
        "shortfall": found.shortfall,
        "short": short,
        "reason": found.reason,
        "steps": [step.to_dict() for step in found.steps],
        "plan": None,
    }
    if isinstance(found.plan, SteadyPlan):
        entry["plan"] = plan_to_dict(question.instance, found.placed_plan())
    return entry


def _tried(instance: Instance, question: Asked, settings: Settings) -> Replanned:
    return replan(
        instance,
        question.plan,
        question.state,
        stability=settings.stability,
        start_up=settings.start_up,
        loading=settings.loading,
        hold=settings.hold,
        options=settings.options,
    )


def failed(question: Asked, error: Exception) -> dict[str, Any]:
    """Return the entry for a plan that could not be made."""
    text = str(error) if isinstance(error, HetoptError) else f"{type(error).__name__}: {error}"
    return {"kind": "plan", "why": question.why, "plan": None, "steps": [], "reason": text}


def _with_rates(instance: Instance, rates: np.ndarray) -> Instance:
    from dataclasses import replace

    return replace(instance, jobs=replace(instance.jobs, rate_per_s=rates))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
