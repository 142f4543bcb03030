"""Minimal sets of limits that cannot be met together.

QuickXplain (U. Junker, "QUICKXPLAIN: preferred explanations and relaxations for over-constrained
problems", AAAI 2004) finds one in O(k log(n / k)) questions for k of n limits; early limits are
preferred. Each question is a solve of its own: CP-SAT's assumptions are not used, as what they
return need be neither minimal nor, with presolve, among the assumptions.

A limit is left out only where the rest is *proven* to be a conflict without it; where a question
has no answer in its time, the limit stays and the conflict is said not to be proven minimal.
"""

from __future__ import annotations

from dataclasses import dataclass

from hetopt.analysis.explanation.questions import Questions


@dataclass(frozen=True, slots=True)
class Conflict:
    """Limits that cannot be met together, whatever the others are.

    Attributes
    ----------
    limits
        Indices, ascending.
    minimal
        Whether each of them is needed: without it the others can be met (a plan is known).
    reproved
        Whether a second solve, with one worker and another seed, proved the conflict too.
    """

    limits: tuple[int, ...]
    minimal: bool
    reproved: bool


def find_conflict(
    questions: Questions, among: frozenset[int], hints: list[frozenset[int]]
) -> Conflict | None:
    """Find a minimal conflict among some limits.

    Parameters
    ----------
    among
        Indices of limits to look at; all others are lifted.
    hints
        Sets that may be conflicts already (from the screens); the first that is one is used.

    Returns
    -------
    Conflict or None
        None where it is not proven that the limits conflict at all.
    """
    start = next((h for h in hints if h <= among and questions.ask(h).no), among)
    if not questions.ask(start).no:
        return None
    core = _quickxplain(questions, [], False, sorted(start))
    return _settled(questions, sorted(core))


def reprove(questions: Questions, conflict: Conflict) -> Conflict:
    """Prove a conflict anew, in a fresh solve with one worker."""
    questions.tell("the proof of a conflict, again")
    again = questions.feasible(questions.only(frozenset(conflict.limits)), again=True)
    return Conflict(conflict.limits, conflict.minimal, again.no)


def _quickxplain(
    questions: Questions, base: list[int], grown: bool, limits: list[int]
) -> list[int]:
    """Return the limits that are needed beside ``base``; ``grown``: the base is new."""
    if grown and questions.ask(frozenset(base)).no:
        return []
    if len(limits) <= 1:
        return limits
    half = len(limits) // 2
    early, late = limits[:half], limits[half:]
    of_late = _quickxplain(questions, [*base, *early], bool(early), late)
    of_early = _quickxplain(questions, [*base, *of_late], bool(of_late), early)
    return [*of_late, *of_early]


def _settled(questions: Questions, core: list[int]) -> Conflict:
    """Make sure of each limit: without it the others can be met, or it is not needed.

    Questions without an answer may have left too many limits, so this is a deletion filter
    (J. W. Chinneck, E. W. Dravnieks, ORSA Journal on Computing 3(2), 1991).
    """
    minimal = True
    for limit in list(core):
        without = frozenset(i for i in core if i != limit)
        answer = questions.ask(without)
        if answer.no:
            core.remove(limit)
        elif not answer.yes:
            minimal = False
    return Conflict(tuple(core), minimal, False)
