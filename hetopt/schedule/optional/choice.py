"""Which optional jobs of a schedule to run: the most valuable set that fits, with a proof.

Leaving a job out of a valid schedule leaves a valid schedule of the others: what it occupied is
free, no other start changes, and nothing asks for a least use of anything. (Edges between jobs are
refused. Where resources slow what runs, others only end sooner. A unit is set up right before the
next task that needs it: where no set-up takes longer than two by way of a third configuration, and
all that takes a slot of the unit needs one, it is free for that by then; other set-ups are refused
beside optional jobs. Power at an instant could rise: of what wakes, or is slowed less, or where a
set-up comes later. Where a limit or a price is of instants, these are refused, but for waking that
never draws more than idling: for a longer gap nothing draws more at any instant then.) So sets
that fit are closed downwards, and a set of jobs that is *proven* not to fit
rules out all that contain it. The least of such a set, a core, is what the search learns from
(implicit hitting sets: Karp, Moreno-Centeno, "The implicit hitting set approach", Oper. Res. 61(2),
2013; MaxHS: Davies, Bacchus, CP 2011):

    leave out the cheapest set that hits every core known; ask whether the rest fits;
    if not, shrink it to a core; if so, no set is worth more

The value of all jobs less the cost of the cheapest hitting set is an upper bound at any time,
whatever was found; a question that is not answered in its time ends the proof, never the bound.

Later objectives (energy, makespan, ...) are asked of the sets that are worth as much as the best.
None of them rises by leaving a task out, so that where not all such sets were looked at, the bound
of the obligatory jobs alone holds for each of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.evaluate.optional import left_out, whole_plan
from hetopt.instance import Instance, Ints
from hetopt.instance.overrides import some_jobs
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed, joined_proof
from hetopt.schedule.model.empty import empty_plan
from hetopt.schedule.optional.hitting_sets import Core, Hit, cheapest
from hetopt.solution import HistoryEntry, Proof, SchedulePlan, Termination
from hetopt.verify import verify

Solve = Callable[[Instance, Budget, str, SchedulePlan | None], RegimeResult]

ANY_GAP = 1e12
"""Gap at which any plan will do: the question is whether there is one."""
ASK_SHARE, LEAST_ASK_S = 0.25, 1.0
"""Part of the time left that one question may take, and seconds that it may take at least."""
LATER_SHARE = 0.3
"""Part of the time that is kept for later objectives."""
MOST_TIES = 20
"""Sets of equal value of which later objectives are asked."""
FEASIBLE = ("makespan",)
"""Objective of a question that only asks for some plan."""


def solve_optional(
    instance: Instance,
    budget: Budget,
    method: str,
    start: SchedulePlan | None,
    solve: Callable[..., RegimeResult],
) -> RegimeResult:
    """Return the most valuable schedule that was found, and a proven bound.

    Parameters
    ----------
    solve
        Solves an instance all of whose jobs must run, as ``solve_schedule`` does.
    """

    def asked(part: Instance, of: Budget, by: str, known: SchedulePlan | None) -> RegimeResult:
        return solve(part, of, method=by, start=known)

    return _Search(instance, budget, method, asked, start).run()


@dataclass(slots=True)
class _Search:
    instance: Instance
    budget: Budget
    method: str
    solve: Solve
    start: SchedulePlan | None
    began: float = field(default_factory=time.monotonic)
    cores: list[Core] = field(default_factory=list)
    plans: dict[Core, SchedulePlan] = field(default_factory=dict)
    proofs: list[Proof | None] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    method_of: dict[Core, str] = field(default_factory=dict)
    price: dict[int, float] = field(init=False)
    must: Core = field(init=False)
    bound: float = math.nan
    asked: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        jobs = self.instance.jobs
        free = np.flatnonzero(jobs.optional).tolist()
        # A job that is worth nothing is left out: none of the objectives is better with it.
        self.price = {j: float(jobs.value[j]) for j in free if jobs.value[j] > 0}
        self.must = frozenset(np.flatnonzero(~jobs.optional).tolist())
        if self.start is not None:
            out = set(left_out(self.instance, self.start).tolist())
            kept = frozenset(j for j in free if j not in out)
            self.plans[kept & frozenset(self.price)] = self._cut(self.start)
            self.method_of[kept & frozenset(self.price)] = "start"

    def run(self) -> RegimeResult:
        """Choose jobs, then solve for the later objectives."""
        everything = frozenset(self.price)
        hit = Hit(frozenset(), 0.0, 0.0, exact=True)
        proven = False
        while True:
            hit = cheapest(self.cores, self.price)
            whole = self._worth(everything)
            # As exact as a plan's own value where the set is known, else weakened for rounding.
            rest = self._worth(everything - hit.out)
            self._bounded(rest if hit.exact else whole * (1 + 1e-12) - hit.least)
            best = self._best()
            if best is not None and gap_closed(self._worth(best), self.bound, self.budget.gap):
                proven = True
                break
            if self._over():
                break
            fits = self._fits(everything - hit.out)
            if fits is None or (fits and not hit.exact):
                break
            if not fits:
                core = self._core(everything - hit.out)
                if not core:
                    return self._infeasible()
                self.cores.append(core)
        if not proven:
            self._fill(everything)
        best = self._best()
        if best is None:
            return self._nothing()
        return self._later(best, hit, proven)

    def _worth(self, kept: Core) -> float:
        value = self.instance.jobs.value
        return math.fsum(float(value[j]) for j in sorted(self.must | kept))

    def _best(self) -> Core | None:
        """Return the most valuable set that a plan is known of."""
        return max(self.plans, key=lambda kept: (self._worth(kept), sorted(kept)), default=None)

    def _fits(self, kept: Core) -> bool | None:
        """Whether a set of optional jobs can run beside the obligatory ones; None: not known."""
        if any(kept <= known for known in self.plans):
            return True
        if any(core <= kept for core in self.cores):
            return False
        result = self._ask(kept, FEASIBLE, self._slice(), ANY_GAP)
        self.proofs.append(result.proof if result.infeasible else None)
        if result.infeasible:
            self.reason = self.reason or result.reason
            return False
        return True if result.plan is not None else None

    def _ask(self, kept: Core, names: tuple[str, ...], budget: Budget, gap: float) -> RegimeResult:
        """Solve the instance of a set of jobs; keep its plan."""
        self.asked += 1
        jobs = self._jobs(kept)
        if not len(jobs):
            return self._of_nothing(kept, names)
        part = replace(some_jobs(self.instance, jobs), objective=names)
        result = self.solve(part, replace(budget, gap=gap, progress=None), self.method, None)
        if isinstance(result.plan, SchedulePlan):
            self.plans.setdefault(kept, whole_plan(self.instance, jobs, result.plan))
            self.method_of.setdefault(kept, result.method)
            self._tell()
        return result

    def _of_nothing(self, kept: Core, names: tuple[str, ...]) -> RegimeResult:
        """Judge the one plan that runs nothing: units never off may break a power cap."""
        plan = empty_plan(self.instance)
        report = verify(self.instance, plan)
        if not report.ok:
            reason = f"Even where nothing runs: {report.violations[0].message}"
            return RegimeResult(None, (math.nan,) * len(names), infeasible=True, reason=reason)
        self.plans.setdefault(kept, plan)
        self.method_of.setdefault(kept, "heuristic")
        bounds = tuple(objective_value(self.instance, plan, name) for name in names)
        return RegimeResult(plan, bounds, stopped_by="proved", method="heuristic")

    def _jobs(self, kept: Core) -> Ints:
        return np.array(sorted(self.must | kept), dtype=np.int64)

    def _cut(self, plan: SchedulePlan) -> SchedulePlan:
        """Leave jobs that are worth nothing out of a plan."""
        spare = self.instance.jobs.optional & ~(self.instance.jobs.value > 0)
        off = spare[self.instance.tasks.job]
        kept = ~off[self.instance.tensors.producer][plan.hops.tensor]
        hops = replace(
            plan.hops, **{n: getattr(plan.hops, n)[kept] for n in plan.hops.__dataclass_fields__}
        )
        return SchedulePlan(
            np.where(off, -1, plan.option),
            np.where(off, -1, plan.unit),
            np.where(off, np.nan, plan.start_s),
            hops,
        )

    def _core(self, kept: Core) -> Core:
        """Shrink a set that does not fit to one that fits without any of some of its jobs.

        Parts are taken away, half of the set first and single jobs last, as long as what is left is
        still proven not to fit; what is not known counts as fitting. Empty: the obligatory jobs
        alone do not fit.
        """
        core = sorted(kept, key=lambda j: (self.price[j], j))
        if self._fits(frozenset()) is False:
            return frozenset()
        size = max(1, len(core) // 2)
        while True:
            at = 0
            while at < len(core) and len(core) > 1 and not self._over():
                rest = core[:at] + core[at + size :]
                if self._fits(frozenset(rest)) is False:
                    core = rest
                else:
                    at += size
            if size == 1 or self._over():
                return frozenset(core)
            size = max(1, size // 2)

    def _fill(self, everything: Core) -> None:
        """Add jobs to the best set known while they fit, the most valuable first."""
        if self._fits(frozenset()) is not True:
            return
        kept = self._best() or frozenset()
        for job in sorted(everything - kept, key=lambda j: (-self.price[j], j)):
            if self._over():
                return
            if self._fits(kept | {job}):
                kept |= {job}

    def _later(self, best: Core, hit: Hit, proven: bool) -> RegimeResult:
        names = self.instance.objective[1:]
        plan, bounds = self.plans[best], [self.bound]
        if not names:
            return self._result(best, plan, bounds, proven)
        sets = [best]
        if proven:
            # Sets that hit every core at the same cost may be worth as much, if they fit.
            everything = frozenset(self.price)
            equal = (everything - out for out in (hit.out, *hit.others))
            sets += [kept for kept in equal if kept != best][:MOST_TIES]
        known: list[tuple[Core, RegimeResult]] = []
        looked = proven and hit.exact and len(hit.others) < MOST_TIES
        looked &= self._worth(best) >= self.bound * (1 - 1e-12)
        for i, kept in enumerate(sets):
            if self._over(later=True) and known:
                looked = False
                break
            share = self.budget.left_s() / (len(sets) - i)
            result = self._ask(kept, names, self._limited(share), self.budget.gap)
            if not result.infeasible:
                known.append((kept, result))
        solved = [
            (kept, r.method, self._whole(kept, r.plan))
            for kept, r in known
            if isinstance(r.plan, SchedulePlan)
        ]
        if solved:
            best, by, plan = min(solved, key=lambda one: self._values(one[2], names))
            self.method_of[best] = by
        first = [r.bounds[0] for _, r in known]
        if looked and len(known) == 1 and solved:
            bounds += known[0][1].bounds
        elif looked and solved and not any(math.isnan(b) for b in first):
            bounds += [min(first), *(math.nan for _ in names[1:])]
        else:
            base = self._ask(frozenset(), names[:1], self._limited(self.budget.left_s()), 0.0)
            bounds += [base.bounds[0], *(math.nan for _ in names[1:])]
        return self._result(best, plan, bounds, proven and looked)

    def _whole(self, kept: Core, plan: SchedulePlan) -> SchedulePlan:
        """Return the plan of a set of jobs in the numbers of all; that of no jobs is so already."""
        jobs = self._jobs(kept)
        return whole_plan(self.instance, jobs, plan) if len(jobs) else plan

    def _values(self, plan: SchedulePlan, names: tuple[str, ...]) -> list[float]:
        return [objective_value(self.instance, plan, name) for name in names]

    def _bounded(self, bound: float) -> None:
        if math.isnan(self.bound) or bound < self.bound:
            self.bound = bound
            self._tell()

    def _tell(self) -> None:
        best = self._best()
        value = math.nan if best is None else self._worth(best)
        last = self.history[-1] if self.history else None
        if last is not None and (last.objective, last.bound) == (value, self.bound):
            return
        self.history.append(HistoryEntry(time.monotonic() - self.began, value, self.bound))
        if self.budget.progress is not None:
            self.budget.progress(value, self.bound)

    def _over(self, *, later: bool = False) -> bool:
        if self.budget.stop.is_set():
            return True
        if self.budget.deterministic:
            return self.asked > self._most_asked()
        kept = 0.0 if later or len(self.instance.objective) == 1 else LATER_SHARE
        return self.budget.left_s() <= kept * self.budget.limit_s

    def _most_asked(self) -> float:
        """Return the number of questions that stand for a deterministic limit."""
        return max(10.0, 4.0 * self.budget.limit_s)

    def _slice(self) -> Budget:
        left = self.budget.limit_s if self.budget.deterministic else self.budget.left_s()
        return self._limited(max(ASK_SHARE * left, min(LEAST_ASK_S, left)))

    def _limited(self, seconds: float) -> Budget:
        if self.budget.deterministic:
            return replace(self.budget, limit_s=max(seconds, 0.05))
        until = min(self.budget.deadline, time.monotonic() + seconds)
        return replace(self.budget, deadline=until, limit_s=max(seconds, 1e-3))

    def _result(
        self, best: Core, plan: SchedulePlan, bounds: list[float], proven: bool
    ) -> RegimeResult:
        stopped: Termination = "proved" if self.budget.gap <= 0 else "gap_limit"
        if not proven:
            stopped = "interrupted" if self.budget.stop.is_set() else "time_limit"
        names = self.instance.jobs.name
        out = [str(names[j]) for j in left_out(self.instance, plan).tolist()]
        settled = (
            f"Which optional jobs run was settled by {self.asked} solves of jobs together and "
            f"{len(self.cores)} sets that do not fit together."
        )
        notes = [settled]
        if out:
            more = f" and {len(out) - 10} more" if len(out) > 10 else ""
            notes.insert(0, f"Left out: {', '.join(out[:10])}{more}.")
        return RegimeResult(
            plan=plan,
            bounds=tuple(bounds),
            stopped_by=stopped,
            method=self.method_of.get(best, "cpsat"),
            history=tuple(self.history),
            notes=tuple(notes),
            proof=joined_proof(self.proofs),
        )

    def _infeasible(self) -> RegimeResult:
        return RegimeResult(
            plan=None,
            bounds=(math.nan,) * len(self.instance.objective),
            infeasible=True,
            reason=self.reason,
            stopped_by="proved",
            method="cpsat",
            history=tuple(self.history),
            proof=joined_proof(self.proofs),
        )

    def _nothing(self) -> RegimeResult:
        later = len(self.instance.objective) - 1
        return RegimeResult(
            plan=None,
            bounds=(self.bound, *(math.nan for _ in range(later))),
            reason="No plan of the jobs that must run was found within the limit.",
            stopped_by="interrupted" if self.budget.stop.is_set() else "time_limit",
            method="cpsat",
            history=tuple(self.history),
        )
