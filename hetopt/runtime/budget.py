"""What both regimes' searches are given (a budget) and give back (a result)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.solution import HistoryEntry, Plan, Proof, Termination

Progress = Callable[[float, float], None]
"""Called with (objective, bound) of the level being solved whenever one improves; NaN: none."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long, how closely and with what a search may work.

    Attributes
    ----------
    deadline
        Absolute ``time.monotonic()`` value by which the search must have returned.
    gap
        Relative gap at which to stop (0: prove the optimum up to ``GAP_TOLERANCE``).
    workers
        Threads of a solver; ``deterministic`` always means one.
    seed
        Seed of everything random.
    deterministic
        The limit counts deterministic seconds (``limit_s``), never the clock.
    limit_s
        Seconds that the search was given in all; what ``deterministic`` counts.
    stop
        Set (by Ctrl-C) when the search shall return the best that it has.
    progress
        Called at improvements, with the objective and the bound of the present level.
    executor
        Where parts of an instance that share nothing are solved; None: here, one after another.
    """

    deadline: float
    gap: float = 0.0
    workers: int = 2
    seed: int = 0
    deterministic: bool = False
    limit_s: float = 60.0
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    executor: Executor | None = None

    def left_s(self) -> float:
        """Seconds left on the clock, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    def over(self) -> bool:
        """Whether the search must return now (by the clock or by Ctrl-C)."""
        if self.stop.is_set():
            return True
        return not self.deterministic and self.left_s() <= 0.0


@dataclass(frozen=True, slots=True)
class RegimeResult:
    """What a regime's search found; statuses are derived from it by ``solve``.

    Attributes
    ----------
    plan
        Best plan, None where none was found.
    bounds
        One proven bound per level of the objective, NaN where none is known; a lower bound where
        the objective is minimised, an upper bound where it is maximised. The bound of a later
        level holds given the earlier levels' values in ``plan``.
    infeasible
        Proven that no plan exists.
    reason
        Why it is infeasible, or why no plan was found; a full sentence, empty where there is one.
    stopped_by
        Why the search ended.
    method
        What produced the plan, in words that ``--method`` takes where possible: ``start`` where
        nothing better than that was found. Without a plan, what looked for one.
    history
        Improvements, times in seconds since the search began.
    notes
        Full sentences for the user (for example why ``auto`` chose the method).
    marginal
        What one more of each limit is worth by the relaxation (see
        ``hetopt.steady.program.shadow_prices``).
    proof
        How often what is proved was proved, where that is a solver's word alone; else None.
    """

    plan: Plan | None
    bounds: tuple[float, ...]
    infeasible: bool = False
    reason: str = ""
    stopped_by: Termination = "time_limit"
    method: str = ""
    history: tuple[HistoryEntry, ...] = ()
    notes: tuple[str, ...] = ()
    marginal: dict[str, Any] | None = None
    proof: Proof | None = None


def joined_proof(proofs: Iterable[Proof | None]) -> Proof | None:
    """Return how often all was proved that rests on a solver's word, None where nothing does."""
    known = {proof for proof in proofs if proof is not None}
    return min(known, default=None)


def gap_closed(objective: float, bound: float, gap: float) -> bool:
    """Whether a plan of this objective is within ``gap`` (at least the tolerance) of its bound."""
    if np.isnan(objective) or np.isnan(bound):
        return False
    return bool(abs(objective - bound) <= max(gap, GAP_TOLERANCE) * abs(objective))
