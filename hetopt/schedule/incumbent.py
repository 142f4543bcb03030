"""The best plan known so far, the proven bounds, and how both came about.

What each step of a solve reached, told in one note.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import noise, objectives
from hetopt.evaluate.with_units import quantity
from hetopt.instance import Instance, is_maximised
from hetopt.instance.tariffs import prices_vary
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed, joined_proof
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.polish.gap_joining import join_gaps
from hetopt.schedule.polish.price_shifting import shift
from hetopt.solution import CONTRADICTED, HistoryEntry, Proof, SchedulePlan, Termination
from hetopt.verify import verify


@dataclass(slots=True)
class SolveLog:
    """The steps of a solve in their order, and what each level's bound follows from.

    Attributes
    ----------
    steps
        (level, name of the step, objective of that level known afterwards, NaN: no plan).
    bound_by
        Per level: what gave its best bound.
    """

    steps: list[tuple[int, str, float]] = field(default_factory=list)
    bound_by: dict[int, str] = field(default_factory=dict)

    def add(self, level: int, name: str, value: float) -> None:
        """Note that a step is over, and what is known now."""
        self.steps.append((level, name, value))

    def told(self, instance: Instance, bounds: tuple[float, ...]) -> str:
        """Return the note; empty where no step ran."""
        parts = []
        for level, objective in enumerate(instance.objective):
            steps = [(name, value) for at, name, value in self.steps if at == level]
            if not steps:
                continue
            said, known = [], math.nan
            for name, value in steps:
                said.append(f"{_shown(name)}{_reached(instance, objective, value, known)}")
                known = value
            text = ", ".join(said)
            if not math.isnan(bounds[level]):
                by = self.bound_by.get(level, "")
                text += f"; bound {quantity(instance, objective, bounds[level])}"
                text += f" from {_shown(by)}" if by else ""
            parts.append(f"{objective}: {text}" if len(instance.objective) > 1 else text)
        return f"Steps: {'. '.join(parts)}." if parts else ""


def _reached(instance: Instance, objective: str, value: float, known: float) -> str:
    if math.isnan(value):
        return ": no plan found"
    return " nothing better" if value == known else f" {quantity(instance, objective, value)}"


def _shown(name: str) -> str:
    """Write the name of a step as the field does; names of more words, or of ours, as they are."""
    return FIELD_NAMES.get(name, name)


FIELD_NAMES = {name: name.upper() for name in ("heft", "cpop", "peft", "mct", "olb", "lns")}
FIELD_NAMES |= {"cpsat": "CP-SAT", "cpsat with lns": "CP-SAT with LNS"}

_HELD = 1e-9
_SAME = 1e-12


@dataclass
class Incumbent:
    """The state of one solve: best plan so far, bounds, history.

    It is held outside every solver, so that the plan is returned whatever a solver does. Several
    threads may offer plans and raise bounds.

    Of the levels, ``distrusted`` are those of which a solver said what is not so, ``exhausted``
    those whose search ended by itself; ``proofs`` says how often CP-SAT proved a level's optimum.
    """

    instance: Instance
    budget: Budget
    plan: SchedulePlan | None = None
    values: tuple[float, ...] = ()
    bounds: list[float] = field(default_factory=list)
    found_by: str = ""
    level: int = 0
    history: list[HistoryEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    log: SolveLog = field(default_factory=SolveLog)
    distrusted: set[int] = field(default_factory=set)
    exhausted: set[int] = field(default_factory=set)
    proofs: dict[int, Proof] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def unbounded(cls, instance: Instance, budget: Budget) -> Incumbent:
        """Return the state of a solve of which nothing is known yet."""
        return cls(instance, budget, bounds=[math.nan] * len(instance.objective))

    def begin_with(self, start: SchedulePlan | None) -> None:
        """Take the plan to start from, if there is one."""
        if start is not None:
            self.offer(start, "start")
            self.passed("start")

    def bounded_impossible(self) -> bool:
        """Take the bounds that follow from the instance; return whether they allow no plan."""
        names = self.instance.objective
        self.bounds = [objective_bounds.bound(self.instance, name) for name in names]
        sources = [objective_bounds.source(self.instance, name) for name in names]
        self.log.bound_by = dict(enumerate(sources))
        return math.isinf(self.bounds[0]) and self.plan is None

    def impossible(self, reason: str) -> RegimeResult:
        """Return that there is no plan, by bounds alone."""
        return self.result("bound", "proved", infeasible=True, reason=reason)

    def level_seconds(self) -> float:
        """Seconds that the present level may take, so that each later one has as many."""
        levels = len(self.instance.objective)
        if self.budget.deterministic:
            return self.budget.limit_s / levels
        return self.budget.left_s() / (levels - self.level)

    def offer(self, plan: SchedulePlan, by: str) -> bool:
        """Take a valid plan if it is better in the order of the objectives."""
        values = objectives(self.instance, plan)
        with self.lock:
            if self.plan is not None and not self._better(values):
                return False
            self.plan, self.values, self.found_by = plan, values, by
            self.report()
            return True

    def report(self) -> None:
        """Note the present objective and bound of the level that is being solved."""
        value = self.values[self.level] if self.plan is not None else math.nan
        bound = self.bounds[self.level]
        entry = HistoryEntry(time.monotonic() - self.began, value, bound)
        if self.level == 0:
            self.history.append(entry)
        if self.budget.progress is not None:
            self.budget.progress(value, bound)

    def passed(self, step: str) -> None:
        """Note that a step of the search is over, and what it has reached."""
        value = self.values[self.level] if self.plan is not None else math.nan
        self.log.add(self.level, step, value)

    def raise_bound(self, bound: float, by: str) -> None:
        """Take a proven bound of the present level if it is better, and note what gave it.

        A bound beyond the value of a plan is a solver's mistake; then nothing that it says of
        this level is believed any more.
        """
        with self.lock:
            old = self.bounds[self.level]
            sign = self._sign(self.level)
            if self.plan is not None:
                value = self.values[self.level]
                if sign * (bound - value) > self._allowed(self.level):
                    self.distrusted.add(self.level)
            if self.level in self.distrusted:
                return
            if math.isnan(bound) or (not math.isnan(old) and sign * bound <= sign * old):
                return
            self.bounds[self.level] = bound
            self.log.bound_by[self.level] = by
            self.report()

    def distrust(self, level: int) -> None:
        """Believe nothing more that solvers say of a level: two answers contradict each other."""
        with self.lock:
            self.distrusted.add(level)
            self.bounds[level] = objective_bounds.bound(
                self.instance, self.instance.objective[level]
            )

    def proved(self, level: int) -> bool:
        """Whether the plan is optimal in a level, by the level's bound."""
        return self.plan is not None and gap_closed(self.values[level], self.bounds[level], 0.0)

    def closed(self, level: int) -> bool:
        """Whether the plan is within the wanted gap of the level's bound."""
        return self.plan is not None and gap_closed(
            self.values[level], self.bounds[level], self.budget.gap
        )

    def all_closed(self) -> bool:
        """Whether the plan is within the wanted gap of the bound of each level."""
        return all(self.closed(level) for level in range(len(self.bounds)))

    def shift(self, plan: SchedulePlan, by: str) -> None:
        """Offer a plan anew with its runs at cheaper times: by prices, or by gaps to sleep in."""
        change = shift if prices_vary(self.instance) else join_gaps
        moved = change(self.instance, plan)
        if moved is not None and verify(self.instance, moved).ok:
            self.offer(moved, by)

    def result(
        self, method: str, stopped: Termination, *, infeasible: bool = False, reason: str = ""
    ) -> RegimeResult:
        """Return what is known now."""
        if infeasible:
            known: tuple[float, ...] = (math.nan,) * len(self.instance.objective)
        else:
            self._drop_contradicted()
            known = tuple(b if math.isfinite(b) else math.nan for b in self.bounds)
        if not infeasible and self.plan is None and not reason:
            reason = "No plan was found, and none was proven not to exist."
        told = self.log.told(self.instance, known)
        return RegimeResult(
            plan=None if infeasible else self.plan,
            bounds=known,
            infeasible=infeasible,
            reason=reason,
            stopped_by=stopped,
            method=self.found_by if self.plan is not None and not infeasible else method,
            history=tuple(self.history),
            notes=(*self.notes, told) if told else tuple(self.notes),
            proof=joined_proof(self.proofs.values()),
        )

    def _drop_contradicted(self) -> None:
        """Fall back on the bound of docs/mathematics.md where a solver's is beyond the plan."""
        if self.plan is None:
            return
        for level, name in enumerate(self.instance.objective):
            value = self.values[level]
            excess = self._sign(level) * (self.bounds[level] - value)
            if level in self.distrusted or excess > self._allowed(level):
                self.bounds[level] = objective_bounds.bound(self.instance, name)
                self.log.bound_by[level] = objective_bounds.source(self.instance, name)
                self.notes.append(f"A solver's bound of {name} {CONTRADICTED} and was dropped.")

    def ended(self) -> Termination:
        """Why a search without CP-SAT ends."""
        if self.all_closed():
            return self.stopped()
        if self.budget.stop.is_set():
            return "interrupted"
        return "time_limit" if self.budget.over() else "iteration_limit"

    def stopped(self) -> Termination:
        """Why a search that uses all of its time ends."""
        if self.plan is not None and all(
            gap_closed(v, b, 0.0) for v, b in zip(self.values, self.bounds, strict=True)
        ):
            return "proved"
        if self.all_closed():
            return "gap_limit"
        if self.budget.stop.is_set():
            return "interrupted"
        tried = [self.closed(k) or k in self.exhausted for k in range(len(self.bounds))]
        return "iteration_limit" if self.plan is not None and all(tried) else "time_limit"

    def _allowed(self, level: int) -> float:
        """Difference by which a bound may be beyond the plan's value without a contradiction."""
        if self.plan is None:
            return math.inf
        size = GAP_TOLERANCE * abs(self.values[level])
        return max(size, noise(self.instance, self.plan, self.instance.objective[level]))

    def _sign(self, level: int) -> int:
        return -1 if is_maximised(self.instance.objective[level]) else 1

    def _better(self, values: tuple[float, ...]) -> bool:
        """Better in some level, and not worse in any earlier one beyond the allowed slack."""
        for level, (new, old) in enumerate(zip(values, self.values, strict=True)):
            sign, size = self._sign(level), max(abs(old), abs(new))
            if level < self.level:
                if sign * (new - old) > _HELD * abs(old):
                    return False
            elif abs(new - old) > _SAME * size:
                return sign * new < sign * old
        return False
