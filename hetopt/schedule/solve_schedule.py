"""Solve a schedule instance: heuristics first, CP-SAT with their plan as hint, bounds throughout.

The best plan is held here, outside every solver, and is returned whatever a solver does. On a
grid that rounds down, CP-SAT gives the bound, and each plan of its is carried to the plan grid by
keeping its order; where the last one misses a deadline by the rounding, a model that rounds up
looks for plans in the time that was kept back for it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objectives
from hetopt.instance import Instance, is_maximised
from hetopt.interrupt import in_time
from hetopt.prices import at_mean_prices, prices_vary
from hetopt.schedule import bounds
from hetopt.schedule.construct import CONSTRUCTORS
from hetopt.schedule.grid import Grid, model_grid, span_s
from hetopt.schedule.problem import Problem
from hetopt.schedule.shift import shift
from hetopt.search import Budget, RegimeResult, gap_closed
from hetopt.solution import HistoryEntry, SchedulePlan, Termination
from hetopt.verify import verify

LARGEST_MODEL = 1_000_000
"""Constraints above which a CP-SAT model takes too much memory and time."""
CONSTRAINTS_PER_S = 4_000
"""Constraints per second of the time limit that are built: a quarter of it on this kind of
machine, presolve included."""
CHOICE_CONSTRAINTS, CHAIN_CONSTRAINTS = 3, 4
"""Constraints per choice (task, option, unit) and per transfer chain."""
SMALL_MODEL = 2_000
"""Constraints that are built whatever the time limit is."""
BOUND_SHARE = 0.1
"""Part of the time that branching in the load bound may use."""
REFINEMENT = 1000
"""How much finer the next rounding grid is where rounding alone keeps the gap open."""
FINEST_TICKS = 10**11
"""Ticks in the time span of the finest rounding grid."""
HEURISTIC_SHARE = 0.25
"""Part of the time that the constructors may use before CP-SAT starts."""
ANNEAL_SHARE = 0.3
"""Part of the time left that annealing may use before CP-SAT starts."""
ANNEAL_S = 9.0
"""Most time for that: what annealing gains later it also gains as CP-SAT's hint."""
COMPILE_SHARE = 0.25
"""Part of the time limit that the first annealing of an installation has for compiling."""

ANNEAL_GRACE_S = 0.5
"""Time over its share after which annealing is left behind, as it must still be compiling."""

COMPILE_S = 25.0
"""Time limit from which annealing may compile its loops first, once per installation."""
ANNEAL_FROM, ANNEAL_UPTO = 40, 5_000
"""Tasks from which annealing beats CP-SAT alone, and up to which its moves are fast enough."""
_HELD = 1e-9
_SAME = 1e-12


def solve_schedule(
    instance: Instance,
    budget: Budget,
    *,
    method: str = "auto",
    start: SchedulePlan | None = None,
) -> RegimeResult:
    """Return the best plan found and a proven bound per level of the objective.

    Parameters
    ----------
    instance
        Of the schedule regime.
    budget
        Time, gap, workers, seed, stop.
    method
        ``auto``, ``cpsat``, ``heuristic`` (all constructors, then annealing), ``anneal`` (the
        same, for as long as there is time), or a constructor's name.
    start
        A valid plan to start from; the result is never worse.
    """
    search = Search(instance, budget, bounds=[math.nan] * len(instance.objective))
    size = _model_size(instance)
    exact = size <= _affordable(budget)
    if start is not None:
        search.offer(start, "start")
    if method != "energy-greedy":
        # Before anything that needs a heavy import: short limits get a plan too.
        search.construct("heft", budget.deadline)
    limit = None if budget.deterministic else time.monotonic() + budget.left_s() * BOUND_SHARE
    bounds.load_plan(instance, limit)
    search.bounds = [bounds.bound(instance, name) for name in instance.objective]
    if math.isinf(search.bounds[0]) and search.plan is None:
        reason = (
            "Even the shortest options, or the time that the devices have, exceed the deadline, "
            "or those that use least of a resource exceed its budget, or some task has no option "
            "left."
        )
        return search.result("bound", "proved", infeasible=True, reason=reason)
    if method != "heft":
        share = 1.0 if method in CONSTRUCTORS else search.greedy_share(exact)
        search.construct("energy-greedy", time.monotonic() + share * budget.left_s())
    if method not in CONSTRUCTORS:
        search.anneal(method, whole=not exact)
    if method not in ("auto", "cpsat"):
        return search.result(method, search.ended())
    if not exact:
        search.notes.append(
            f"The instance is too large for an exact model in this time ({size:,} constraints): "
            "the plan is a heuristic's."
        )
        return search.result(search.found_by or "heuristic", search.ended())
    if method == "auto":
        search.notes.append("The method is cpsat: the instance is small enough for it.")
    return search.exact()


def _over(budget: Budget) -> Termination | None:
    if budget.stop.is_set():
        return "interrupted"
    return "time_limit" if budget.over() else None


def _model_size(instance: Instance) -> int:
    """Constraints of a CP-SAT model, roughly: choices, edges, and chains of transfers."""
    devices, links = instance.devices, instance.links
    option = instance.admissible[1]
    units = int(devices.count_max.sum())
    choices = int(devices.count_max[instance.options.device[option]].sum())
    contended = (
        bool(np.isfinite(devices.memory_b).any() or np.isfinite(instance.pools.memory_b).any())
        or bool((links.channel_group >= 0).any())
        or not devices.overlap.all()
    )
    chained = len(instance.tensors) if contended else int(instance.tensors.staged.sum())
    chains = chained * len(devices) * units * CHAIN_CONSTRAINTS
    return choices * CHOICE_CONSTRAINTS + len(instance.edges) * units + chains


def _affordable(budget: Budget) -> int:
    """Constraints that can be built, and presolved, in a part of the time."""
    return int(min(LARGEST_MODEL, max(SMALL_MODEL, budget.limit_s * CONSTRAINTS_PER_S)))


@dataclass
class Search:
    """The state of one solve: best plan so far, bounds, history."""

    instance: Instance
    budget: Budget
    plan: SchedulePlan | None = None
    values: tuple[float, ...] = ()
    bounds: list[float] = field(default_factory=list)
    found_by: str = ""
    level: int = 0
    history: list[HistoryEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    distrusted: set[int] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    def offer(self, plan: SchedulePlan, by: str) -> bool:
        """Take a valid plan if it is better in the order of the objectives."""
        values = objectives(self.instance, plan)
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

    def raise_bound(self, bound: float) -> None:
        """Take a proven bound of the present level if it is better.

        A bound beyond the value of a plan is a solver's mistake; then nothing that it says of
        this level is believed any more.
        """
        old = self.bounds[self.level]
        sign = self._sign(self.level)
        if self.plan is not None:
            value = self.values[self.level]
            if sign * (bound - value) > GAP_TOLERANCE * abs(value):
                self.distrusted.add(self.level)
        if self.level in self.distrusted:
            return
        if math.isnan(bound) or (not math.isnan(old) and sign * bound <= sign * old):
            return
        self.bounds[self.level] = bound
        self.report()

    def closed(self, level: int) -> bool:
        """Whether the plan is within the wanted gap of the level's bound."""
        return self.plan is not None and gap_closed(
            self.values[level], self.bounds[level], self.budget.gap
        )

    def construct(self, name: str, limit: float) -> None:
        """Run a constructor until a time on the clock (to its end in deterministic mode)."""
        if self.budget.stop.is_set():
            return
        if self.plan is None:
            limit = self.budget.deadline
        limited = None if self.budget.deterministic else limit
        plan = CONSTRUCTORS[name](self.instance, limit=limited)
        if plan is not None:
            self.offer(plan, name)
            self.shift(plan, name)

    def greedy_share(self, exact: bool) -> float:
        """Part of the time for greedy passes: more where no exact model follows them."""
        from hetopt.schedule.improve import can_improve

        if exact:
            return HEURISTIC_SHARE
        return HEURISTIC_SHARE if can_improve(self.instance) else 1.0

    def anneal(self, method: str, *, whole: bool) -> None:
        """Improve the plan in the first objective by annealing, where that is worth its time.

        It may use the whole of what is left where nothing else follows.
        """
        from hetopt.schedule.improve import can_improve, improve, is_compiled, moves_within

        budget, asked = self.budget, method == "anneal"
        worth = ANNEAL_FROM <= len(self.instance.tasks) <= ANNEAL_UPTO
        if self.plan is None or self.closed(0) or _over(budget) or not (asked or worth):
            return
        # Under prices that change annealing sees their mean; the plan is then shifted.
        varying = prices_vary(self.instance)
        seen = at_mean_prices(self.instance) if varying else self.instance
        if not can_improve(seen):
            if asked:
                self.notes.append(
                    "The instance has limits that annealing does not know: the plan is a list "
                    "scheduler's."
                )
            return
        if not asked and not is_compiled() and budget.limit_s < COMPILE_S:
            return
        seconds = budget.limit_s if budget.deterministic else budget.left_s()
        if not (asked or whole):
            first_time = 0.0 if is_compiled() else COMPILE_SHARE * budget.limit_s
            seconds = min(ANNEAL_S, ANNEAL_SHARE * seconds) + first_time
        anneal = partial(
            improve,
            seen,
            self.plan,
            seconds=None if budget.deterministic else seconds,
            iterations=moves_within(self.instance, seconds) if budget.deterministic else None,
            seed=budget.seed,
            workers=budget.workers,
            stop=budget.stop,
        )
        if budget.deterministic:
            plan = anneal()
        else:
            # The first call of an installation compiles, which nothing can interrupt.
            plan = in_time(anneal, min(seconds + ANNEAL_GRACE_S, budget.left_s()), budget.stop)
        if plan is not None:
            self.offer(plan, "anneal")
            self.shift(plan, "anneal")

    def shift(self, plan: SchedulePlan, by: str) -> None:
        """Offer a plan anew with its runs at cheaper times, where prices change over time."""
        moved = shift(self.instance, plan) if prices_vary(self.instance) else None
        if moved is not None and verify(self.instance, moved).ok:
            self.offer(moved, by)

    def exact(self) -> RegimeResult:
        """Solve level after level with CP-SAT, the earlier ones held at their values."""
        # Importing OR-Tools takes about a second, which short limits need for something better.
        from hetopt.schedule.level import Level

        instance, budget = self.instance, self.budget
        longest = span_s(instance)
        if self.plan is not None:
            longest = min(longest, objectives(instance, self.plan, ("makespan",))[0])
        problem = Problem(instance, model_grid(instance, longest))
        levels = len(instance.objective)
        for level in range(levels):
            self.level = level
            while not self.closed(level) and not _over(budget):
                seconds = budget.limit_s / levels
                if not budget.deterministic:
                    seconds = budget.left_s() / (levels - level)
                solving = Level(self, problem, level, seconds)
                if solving.solve():
                    reason = "CP-SAT proved that no schedule meets all limits together."
                    return self.result("cpsat", "proved", infeasible=True, reason=reason)
                finer = problem.grid.tick / REFINEMENT
                if not solving.limited_by_grid or span_s(instance) / finer > FINEST_TICKS:
                    break
                problem = Problem(instance, Grid(finer, "down"))
            if self.plan is None:
                break
        self.level = 0
        return self.result("cpsat", self._stopped())

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
        return RegimeResult(
            plan=None if infeasible else self.plan,
            bounds=known,
            infeasible=infeasible,
            reason=reason,
            stopped_by=stopped,
            method=method,
            history=tuple(self.history),
            notes=tuple(self.notes),
        )

    def _drop_contradicted(self) -> None:
        """Fall back on the bound of design §5 where a solver's bound is beyond the plan."""
        if self.plan is None:
            return
        for level, name in enumerate(self.instance.objective):
            value = self.values[level]
            excess = self._sign(level) * (self.bounds[level] - value)
            if level in self.distrusted or excess > GAP_TOLERANCE * abs(value):
                self.bounds[level] = bounds.bound(self.instance, name)
                self.notes.append(
                    f"CP-SAT's bound of {name} contradicted a checked plan and was dropped."
                )

    def ended(self) -> Termination:
        """Why a search without CP-SAT ends."""
        if self.plan is not None and all(self.closed(k) for k in range(len(self.bounds))):
            return self._stopped()
        return _over(self.budget) or "iteration_limit"

    def _stopped(self) -> Termination:
        if self.plan is not None and all(
            gap_closed(v, b, 0.0) for v, b in zip(self.values, self.bounds, strict=True)
        ):
            return "proved"
        if self.plan is not None and all(self.closed(k) for k in range(len(self.bounds))):
            return "gap_limit"
        return "interrupted" if self.budget.stop.is_set() else "time_limit"

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
