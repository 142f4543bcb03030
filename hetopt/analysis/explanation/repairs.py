"""What to change so that an infeasible instance has a plan, and by how much at the least.

A *repair* is a set of limits that, moved far enough, let all the others stand: a correction set
that hits every conflict. Sets are tried from the smallest on; one that does not suffice yields a
further conflict, which all later sets must hit (the hitting-set dialogue of R. Reiter, Artificial
Intelligence 32(1), 1987). Amounts are then made least one after the other, each with the earlier
ones held at theirs and the later ones lifted, so that none of them can shrink alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hetopt.analysis.explanation.conflict import Conflict, find_conflict
from hetopt.analysis.explanation.least_change import Least, least_value
from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.analysis.explanation.limits.listing import extra_units
from hetopt.analysis.explanation.questions import Questions
from hetopt.instance import Instance
from hetopt.solution import Plan
from hetopt.verify import verify

MOST_REPAIRS = 12
"""Repairs that are worked out."""
MOST_EXTRA_UNITS = 3
"""More units of a schedule's device that are tried."""
BLENDS = 2
"""Pairs of repairs of one conflict that are also offered half and half."""


@dataclass(frozen=True, slots=True)
class Move:
    """One limit moved: to ``value``, or lifted where it has no number (``value`` None).

    ``bound``: no value tighter than this suffices (given the other moves of its repair); ``exact``
    says that ``value`` is proven least. A limit that is lifted is needed as it stands.
    """

    limit: Limit
    value: float | None
    bound: float | None
    exact: bool


@dataclass(frozen=True)
class Repair:
    """Moves that together give the instance a plan.

    Attributes
    ----------
    instance
        The instance with the moves made.
    plan
        A plan of it that the checker accepts.
    minimal
        Whether none of the moves can be left out (proven).
    blend
        Whether it divides the need between limits of which each alone would do.
    """

    moves: tuple[Move, ...]
    instance: Instance
    plan: Plan
    minimal: bool
    blend: bool = False

    @property
    def cost(self) -> float:
        """Sum of relative changes; lifting a rule counts as doubling a number."""
        return sum(_relative(move) for move in self.moves)


def find_repairs(
    questions: Questions, conflicts: list[Conflict]
) -> tuple[list[Repair], list[Conflict], bool]:
    """Find the smallest sets of limits to move, and how far.

    Parameters
    ----------
    conflicts
        At least one; all that are known.

    Returns
    -------
    repairs
        Cheapest first (see :attr:`Repair.cost`), combinations after single limits.
    conflicts
        Those given and those met on the way.
    complete
        Whether every smallest set was looked at in the time.
    """
    known = list(conflicts)
    sets, complete = _correction_sets(questions, known)
    repairs: list[Repair] = []
    for chosen, minimal in sets:
        questions.tell(f"least change of {' and '.join(_names(questions, chosen))}")
        # Of several limits the first has its least value, then the next: both orders are offered.
        orders = [chosen, chosen[::-1]] if len(chosen) > 1 else [chosen]
        for order in orders:
            repair = _made(questions, order, minimal)
            if repair is not None and not any(_alike(repair, other) for other in repairs):
                repairs.append(repair)
    if questions.instance.regime == "schedule":
        repairs += _more_units(questions)
    repairs.sort(key=lambda r: (len(r.moves), r.cost))
    repairs += _blends(questions, repairs)
    return repairs, known, complete and not questions.over()


def _alike(repair: Repair, other: Repair) -> bool:
    """Whether two repairs move the same limits to the same values."""
    values = {move.limit.key: move.value for move in other.moves}
    return len(repair.moves) == len(other.moves) and all(
        move.limit.key in values and move.value == values[move.limit.key] for move in repair.moves
    )


def _names(questions: Questions, chosen: tuple[int, ...]) -> list[str]:
    return [questions.limits[i].words for i in chosen]


def _correction_sets(
    questions: Questions, known: list[Conflict]
) -> tuple[list[tuple[tuple[int, ...], bool]], bool]:
    """List sets without which the other limits can be met, the smallest first.

    Each comes with whether it is proven that no part of it suffices. ``known`` grows by the
    conflicts that are met.
    """
    found: list[tuple[tuple[int, ...], bool]] = []
    unsure: list[frozenset[int]] = []
    everything = questions.everything()
    if not all(conflict.limits for conflict in known):
        # What is impossible with every limit lifted, no set of them can mend.
        return found, True
    for size in range(1, len(everything) + 1):
        rejected: list[frozenset[int]] = []
        while True:
            chosen = next(_hitting(known, size, [frozenset(f) for f, _ in found] + rejected), None)
            if chosen is None:
                break
            if questions.over() or len(found) >= MOST_REPAIRS:
                return found, False
            questions.tell(f"can {' and '.join(_names(questions, chosen))} make room?")
            rest = everything - frozenset(chosen)
            answer = questions.ask(rest)
            if answer.yes:
                found.append((chosen, not any(u < frozenset(chosen) for u in unsure)))
                continue
            rejected.append(frozenset(chosen))
            further = find_conflict(questions, rest, []) if answer.no else None
            if further is None:
                unsure.append(frozenset(chosen))
            else:
                known.append(further)
        if found and _has_real(questions, found, known):
            return found, not unsure
    return found, False


def _has_real(
    questions: Questions, found: list[tuple[tuple[int, ...], bool]], known: list[Conflict]
) -> bool:
    """Whether larger sets need not be looked at: they would move more limits than needed.

    To serve less is hardly a repair, so they are, where the demand is in all of ``found``, unless
    it is to blame alone.
    """
    demand = [i for i, limit in enumerate(questions.limits) if limit.kind == "demand"]
    alone = any(list(conflict.limits) == demand for conflict in known)
    return alone or any(not set(demand) & set(chosen) for chosen, _ in found)


def _hitting(
    conflicts: list[Conflict], size: int, without: list[frozenset[int]]
) -> Iterator[tuple[int, ...]]:
    """List sets of exactly ``size`` limits that hit all conflicts and contain none of ``without``.

    The first conflict not hit yet says which limits may come next.
    """

    def grow(chosen: frozenset[int], left: int) -> Iterator[frozenset[int]]:
        if any(w <= chosen for w in without):
            return
        missed = next((c for c in conflicts if not chosen & frozenset(c.limits)), None)
        if missed is None:
            if left == 0:
                yield chosen
            return
        if left == 0:
            return
        for limit in missed.limits:
            yield from grow(chosen | {limit}, left - 1)

    seen: list[frozenset[int]] = []
    for chosen in grow(frozenset(), size):
        if chosen not in seen:
            seen.append(chosen)
            yield tuple(sorted(chosen))


def _made(questions: Questions, chosen: tuple[int, ...], minimal: bool) -> Repair | None:
    """Make the moves of a set least, one after the other."""
    limits = [questions.limits[i] for i in chosen]
    instance = questions.instance
    for limit in limits:
        instance = limit.lift(instance)
    moves: list[Move] = []
    plan = questions.ask(questions.everything() - frozenset(chosen)).plan
    for limit in limits:
        if limit.amount is None:
            moves.append(Move(limit, None, None, minimal))
            continue
        least = least_value(questions, instance, limit)
        if least is None and plan is not None:
            # No time for the least one; that of the plan at hand suffices.
            use = limit.amount.use(instance, plan)
            least = Least(use, limit.amount.value, False, plan)
        if least is None or (limit.kind == "demand" and least.value <= 0):
            return None
        plan = least.plan
        moves.append(Move(limit, least.value, least.bound, least.exact))
        instance = limit.amount.at(instance, least.value)
    return _checked(instance, moves, plan, minimal)


def _checked(
    instance: Instance, moves: list[Move], plan: Plan | None, minimal: bool, blend: bool = False
) -> Repair | None:
    """Return the repair if the independent checker accepts its plan."""
    if plan is None or not verify(instance, plan).ok:
        return None
    return Repair(tuple(moves), instance, plan, minimal, blend)


def _more_units(questions: Questions) -> list[Repair]:
    """Try one to a few more units of each device of a schedule, alone."""
    found = []
    for limit in extra_units(questions.instance, MOST_EXTRA_UNITS):
        if questions.over() or limit.amount is None:
            break
        questions.tell(f"more units of {limit.subject}")
        most = limit.amount.value + MOST_EXTRA_UNITS
        if not questions.feasible(limit.amount.at(questions.instance, most)).yes:
            continue
        repair = _counted(questions, limit, most)
        if repair is not None:
            found.append(repair)
    return found


def _counted(questions: Questions, limit: Limit, most: float) -> Repair | None:
    """Find the least number of units up to one that suffices."""
    if limit.amount is None:
        return None
    low, exact = limit.amount.value, True
    for more in range(1, round(most - low) + 1):
        instance = limit.amount.at(questions.instance, low + more)
        answer = questions.feasible(instance)
        if answer.yes:
            move = Move(limit, low + more, low + 1 if not exact else low + more, exact)
            return _checked(instance, [move], answer.plan, True)
        exact = exact and answer.no
    return None


def _blends(questions: Questions, repairs: list[Repair]) -> list[Repair]:
    """Divide the need between two limits: half of the first's, and the least of the second."""
    single = [
        (r, r.moves[0])
        for r in repairs
        if len(r.moves) == 1
        and r.moves[0].limit in questions.limits
        and r.moves[0].limit.amount is not None
        and not r.moves[0].limit.amount.whole
    ]
    found: list[Repair] = []
    pairs = [(a, b) for i, a in enumerate(single) for b in single[i + 1 :]]
    for (_, first), (_, second) in pairs:
        if questions.over() or len(found) >= BLENDS:
            break
        amount, other = first.limit.amount, second.limit.amount
        if amount is None or other is None or first.value is None or second.value is None:
            continue
        half = float(f"{(amount.value + first.value) / 2:.9g}")
        instance = second.limit.lift(amount.at(questions.instance, half))
        questions.tell(f"{first.limit.words} and {second.limit.words} together")
        least = least_value(questions, instance, second.limit)
        # Nothing is gained where half of the one leaves the other as it was.
        if least is None or not other.sign * (second.value - least.value) > 1e-6 * abs(least.value):
            continue
        moves = [
            Move(first.limit, half, None, False),
            Move(second.limit, least.value, least.bound, least.exact),
        ]
        blend = _checked(other.at(instance, least.value), moves, least.plan, True, blend=True)
        if blend is not None:
            found.append(blend)
    return found


def _relative(move: Move) -> float:
    if move.value is None or move.limit.amount is None:
        return 1.0
    before = abs(move.limit.amount.value)
    change = abs(move.value - move.limit.amount.value)
    return float(change / before) if before > 0 else float(np.sign(change))
