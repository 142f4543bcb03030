"""What ``explain`` returns, and its JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.analysis.explanation.plan_explanation import PlanExplanation
from hetopt.analysis.explanation.quick_tests.shortages import Screen
from hetopt.analysis.explanation.repairs import Move, Repair
from hetopt.analysis.explanation.wording import change, limit_text, move_text
from hetopt.formats.plans import plan_to_dict, solution_to_dict, to_json
from hetopt.instance import Instance
from hetopt.solution import Shown, Solution


@dataclass(frozen=True)
class Group:
    """Limits that cannot be met together, with all of ``lifted`` lifted.

    ``minimal``: without any one of them the others can be met (a checked plan is known).
    ``reproved``: a second solve, with one worker and another seed, proved it too. Without limits
    the facts alone (devices, options, the graph of tasks) make the instance infeasible.
    """

    limits: tuple[Limit, ...]
    minimal: bool
    reproved: bool
    lifted: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Explanation(Shown):
    """Why an instance has no plan and what would give it one, or what its plan rests on.

    Attributes
    ----------
    status
        ``infeasible`` (proven), ``feasible`` (a plan is known) or ``unknown`` (neither within the
        time).
    screens
        Impossibilities found by arithmetic.
    conflicts
        Minimal sets of limits that cannot be met together; the first is the one to read.
    repairs
        Changes that suffice, single ones and the cheapest first, each with a checked plan.
    complete
        Whether every smallest set of limits to change was looked at within the time.
    solution
        For a feasible instance: its plan and bound.
    plan
        For a feasible instance: what binds, where tasks could run, what limits cost.
    solves
        Number of solves that it took.
    interrupted
        Whether Ctrl-C stopped it, so that something may be missing.
    """

    instance: Instance
    status: Literal["infeasible", "feasible", "unknown"]
    screens: tuple[Screen, ...] = ()
    conflicts: tuple[Group, ...] = ()
    repairs: tuple[Repair, ...] = ()
    complete: bool = False
    solution: Solution | None = None
    plan: PlanExplanation | None = None
    solves: int = 0
    wall_time_s: float | None = None
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of ``hetopt explain``; times in s, sizes in B, powers in W."""
        instance = self.instance
        solution = self.solution
        return {
            "status": self.status,
            "screens": [
                {"kind": s.kind, "subject": s.subject, "text": s.text, "limits": list(s.limits)}
                for s in self.screens
            ],
            "conflicts": [
                {
                    "limits": [_limit_dict(instance, limit) for limit in group.limits],
                    "minimal": group.minimal,
                    "reproved": group.reproved,
                    "lifted": [limit.key for limit in group.lifted],
                }
                for group in self.conflicts
            ],
            "repairs": [_repair_dict(instance, repair) for repair in self.repairs],
            "complete": self.complete,
            "solution": None if solution is None else solution_to_dict(instance, solution),
            "explanation": None if self.plan is None else self.plan.to_json(instance),
            "solves": self.solves,
            "wall_time_s": self.wall_time_s,
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }


def _limit_dict(instance: Instance, limit: Limit) -> dict[str, Any]:
    return {
        "limit": limit.key,
        "kind": limit.kind,
        "subject": limit.subject,
        "value": None if limit.amount is None else to_json(limit.amount.value),
        "text": limit_text(instance, limit),
    }


def _repair_dict(instance: Instance, repair: Repair) -> dict[str, Any]:
    return {
        "text": repair_text(instance, repair),
        "moves": [_move_dict(instance, move) for move in repair.moves],
        "minimal": repair.minimal,
        "blend": repair.blend,
        "relative_change": to_json(repair.cost),
        "plan": plan_to_dict(repair.instance, repair.plan),
    }


def repair_text(instance: Instance, repair: Repair) -> str:
    """Say all moves of a repair in one line."""
    return ", and ".join(move_text(instance, m.limit, m.value) for m in repair.moves)


def _move_dict(instance: Instance, move: Move) -> dict[str, Any]:
    amount = move.limit.amount
    by = None if move.value is None else to_json(change(move.limit, move.value))
    return {
        "limit": move.limit.key,
        "from": None if amount is None else to_json(amount.value),
        "to": to_json(move.value),
        "change": by,
        "proven_needed": to_json(move.bound),
        "proven_least": move.exact,
        "text": move_text(instance, move.limit, move.value),
    }
