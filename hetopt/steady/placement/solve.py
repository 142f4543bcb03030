"""``routing: single``: one placement per job, by CP-SAT (model: `placement.variables`)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed, joined_proof
from hetopt.runtime.interrupt import in_time
from hetopt.solution import CONTRADICTED, HistoryEntry, Proof, SteadyPlan, Termination
from hetopt.solvers.cpsat import FOUND, limit_time, quiet_solver, refuting, stated_bound, stoppable
from hetopt.solvers.cpsat_range import TOO_LARGE, within_range
from hetopt.solvers.second_proof import seconds_again
from hetopt.steady.model.capacity import at_standstill
from hetopt.steady.placement.extract_plan import plan_of_model, served_most, with_rates
from hetopt.steady.placement.greedy import greedy_placement, throughput_bound
from hetopt.steady.placement.hint import hint
from hetopt.steady.placement.model import build_placement
from hetopt.steady.placement.objectives import count_objective
from hetopt.steady.placement.search.annealing import search_placements
from hetopt.steady.placement.second_proof import (
    Claim,
    of_objective,
    of_throughput,
)
from hetopt.steady.placement.variables import IDLEST, PlacementModel
from hetopt.verify import verify

HOLD = 1e-9
"""Relative room with which earlier levels of a list of objectives are held (docs/schedule.md)."""

SEARCH_SHARE = 0.5
"""Share of the time that the search before CP-SAT may take."""

DROPPED = f"CP-SAT's proof of {{name}} {CONTRADICTED} that it found later, and was dropped."


def solve_placement(
    instance: Instance, budget: Budget, *, method: str = "auto", start: SteadyPlan | None = None
) -> RegimeResult:
    """Place every task of every job on one unit; return the best plan and proven bounds.

    Parameters
    ----------
    method
        ``heuristic`` leaves CP-SAT out where there is a plan without.
    start
        A known plan, given to the solver as a hint.

    Raises
    ------
    InputError
        Where throughput is not the first of several objectives, or is unbounded.
    """
    names = instance.objective
    if "throughput" in names[1:]:
        raise InputError(
            "With single routing throughput must be the first objective of a list: the others are "
            "counted at the rates that it settles."
        )
    return _Search(instance, budget, start, method).run()


@dataclass(slots=True)
class _Search:
    instance: Instance
    budget: Budget
    start: SteadyPlan | None
    method: str = "auto"
    began: float = field(default_factory=time.monotonic)
    history: list[HistoryEntry] = field(default_factory=list)
    theta: float | None = None
    closed: bool = True
    most: float = np.nan
    notes: list[str] = field(default_factory=list)
    found_by: str = "heuristic"
    cut: bool = False
    spent: float = 0.0
    claim: Claim | None = None
    proofs: list[Proof] = field(default_factory=list)

    def run(self) -> RegimeResult:
        """Solve level after level."""
        names = self.instance.objective
        plan = self.start
        if plan is None:
            plan = greedy_placement(
                self.instance, lambda found: served_most(self.instance, found), self.budget.over
            )
            plan = self._sound(plan)
        bounds: list[float] = []
        held: list[tuple[str, float]] = []
        self.theta = None if names[0] == "throughput" else 1.0
        if names[0] == "throughput":
            plan = self._searched(plan)
        for name in names:
            self.claim = None
            found, bound, infeasible = self._level(name, held, plan)
            if infeasible and plan is None:
                found = self._placed_after_all()
                if found is None:
                    return self._infeasible()
            other = np.nan
            if name == "throughput":
                other = float(np.fmin(throughput_bound(self.instance), self.most))
                bound = float(np.fmin(bound, other))
            plan = self._better(name, plan, found) if not held else (found or plan)
            if plan is not None and plan is found:
                self.found_by = "cpsat"
            if plan is None:
                break
            value = objective_value(self.instance, plan, name)
            bound = at_standstill(self.instance, name, value, bound)
            # A cost of 0 needs no proof.
            surely = gap_closed(value, other, 0.0) or (value == 0 and not is_maximised(name))
            if gap_closed(value, bound, 0.0) and not surely:
                plan, bound = self._again(name, plan, value, bound, other)
                value = objective_value(self.instance, plan, name)
            bounds.append(bound)
            if not held:
                self.history.append(HistoryEntry(time.monotonic() - self.began, value, bound))
            held.append((name, value))
            if name == "throughput":
                total = float(self.instance.jobs.rate_per_s.sum())
                self.theta = value / total * (1.0 - HOLD)
        bounds += [np.nan] * (len(names) - len(bounds))
        return RegimeResult(
            plan=plan,
            bounds=tuple(bounds),
            reason="" if plan is not None else "No placement was found within the limit.",
            stopped_by=self._stopped(),
            method=self.found_by if plan is not None else "cpsat",
            history=tuple(self.history),
            notes=tuple(self.notes),
            proof=joined_proof(self.proofs),
        )

    def _again(
        self, name: str, plan: SteadyPlan, value: float, bound: float, other: float
    ) -> tuple[SteadyPlan, float]:
        """Prove a second time that a value is optimal; where that finds more, drop the bound.

        Parameters
        ----------
        bound, other
            What CP-SAT proved, and what was proved without it.
        """
        self.proofs.append("once")
        claim = self.claim
        if claim is None or not abs(value) > 0 or self.budget.over():
            return plan, bound
        seconds = self._second_s(claim.seconds)
        solver, status = self._refute(claim.model, claim.better(value), seconds)
        if status == "INFEASIBLE":
            self.proofs[-1] = "twice"
        elif status in FOUND:
            found = plan_of_model(self.instance, claim.model, solver, self.theta)
            new = objective_value(self.instance, found, name)
            gain = new - value if is_maximised(name) else value - new
            if gain > GAP_TOLERANCE * abs(value) and verify(self.instance, found).ok:
                self.proofs.pop()
                self.closed = False
                self.notes.append(DROPPED.format(name=name))
                return found, other
        return plan, bound

    def _placed_after_all(self) -> SteadyPlan | None:
        """Look again for any placement, where CP-SAT says that there is none."""
        self.proofs = ["once"]
        theta = 0.0 if self.theta is None else self.theta
        if self.budget.over() or (self.theta is None and self.instance.devices.min_load.any()):
            # Standing still, as below, is another question where units must be busy.
            return None
        model = build_placement(self.instance, theta)
        solver, status = self._refute(model, None, self._second_s(self.spent))
        if status == "INFEASIBLE":
            self.proofs = ["twice"]
        if status not in FOUND:
            return None
        found = plan_of_model(self.instance, model, solver, self.theta)
        if not verify(self.instance, found).ok:
            return None
        self.proofs, self.closed = [], False
        self.notes.append(DROPPED.format(name="feasibility"))
        return found

    def _second_s(self, first_s: float) -> float:
        """Seconds that a second proof may take (deterministic ones where the budget has those)."""
        left = self.budget.limit_s if self.budget.deterministic else self.budget.left_s()
        return seconds_again(first_s, left)

    def _refute(self, model: PlacementModel, row: Any, seconds: float) -> tuple[Any, str]:
        solver = refuting(
            model.model,
            row,
            workers=self.budget.workers,
            seed=self.budget.seed,
            seconds=seconds,
            deterministic=self.budget.deterministic,
        )
        if not within_range(model.model):
            return solver, "MODEL_INVALID"
        with stoppable(solver, self.budget.stop):
            return solver, str(solver.status_name(solver.solve(model.model)))

    def _searched(self, plan: SteadyPlan | None) -> SteadyPlan | None:
        """Return the best of a plan and those of the search over placements; keep its bound."""
        left = self.budget.left_s()
        share = 1.0 if self.method == "heuristic" else SEARCH_SHARE
        found = search_placements(self.instance, self.budget, time.monotonic() + share * left, plan)
        self.notes += found.notes
        total = float(self.instance.jobs.rate_per_s.sum())
        if found.load > 0:
            self.most = total / found.load
        best = -math.inf if plan is None else objective_value(self.instance, plan, "throughput")
        for better in reversed(found.plans):
            served = with_rates(better, served_most(self.instance, better))
            value = objective_value(self.instance, served, "throughput")
            if value > best and verify(self.instance, served).ok:
                return served
        return plan

    def _sound(self, plan: SteadyPlan | None) -> SteadyPlan | None:
        """Return a plan, or None where a least load does not hold: nothing rounds towards it."""
        if plan is None or not self.instance.devices.min_load.any():
            return plan
        return plan if verify(self.instance, plan).ok else None

    def _level(
        self, name: str, held: list[tuple[str, float]], plan: SteadyPlan | None
    ) -> tuple[SteadyPlan | None, float, bool]:
        """Solve for one objective: (plan, bound, proven infeasible)."""
        if self.method == "heuristic" and plan is not None:
            self.closed = False
            return None, np.nan, False
        if name == "throughput" and plan is not None:
            value = objective_value(self.instance, plan, name)
            if gap_closed(value, self.most, self.budget.gap):
                return None, np.nan, False
        model = None if self.budget.over() else self._model()
        if model is None:
            self.closed, self.cut = False, True
            return None, np.nan, False
        sign = -1.0 if is_maximised(name) else 1.0
        for earlier, value in held:
            if earlier != "throughput":
                self._hold(model, earlier, value)
        if model.time is not None:
            model.model.minimize(model.time)
        else:
            counted = count_objective(model, name)
            if not isinstance(counted.expression, int):
                model.model.minimize(int(sign) * counted.expression)
        if plan is not None:
            hint(model, plan)
        solver, status = self._run(model)
        if status == "INFEASIBLE":
            if model.time is not None:
                return self._starved(model)
            return None, np.nan, True
        if status == "MODEL_INVALID":
            return None, np.nan, False
        found = None
        if status in FOUND:
            found = self._sound(plan_of_model(self.instance, model, solver, self.theta))
        raw = stated_bound(solver, status)
        if model.time is not None:
            self.claim = of_throughput(model, self.spent)
            bound = self._throughput_bound(model, raw)
            return (*self._refined(found, bound), False)
        if isinstance(counted.expression, int):
            return found, counted.constant, False
        self.claim = of_objective(model, name, counted, self.spent)
        if math.isnan(raw) and not is_maximised(name):
            # All terms of a cost are at least 0.
            raw = 0.0
        bound = sign * raw * counted.part + counted.constant
        return (*self._recounted(name, found, bound, held), False)

    def _model(self) -> PlacementModel | None:
        """Build the model, None where the time is over before it is whole."""
        build = partial(build_placement, self.instance, self.theta)
        if self.budget.deterministic:
            return build()
        return in_time(build, self.budget.left_s(), self.budget.stop)

    def _recounted(
        self, name: str, found: SteadyPlan | None, bound: float, held: list[tuple[str, float]]
    ) -> tuple[SteadyPlan | None, float]:
        """Count an objective in parts of a known value where parts of the worst leave a gap."""
        if found is None or is_maximised(name) or self.budget.over():
            return found, bound
        value = objective_value(self.instance, found, name)
        if gap_closed(value, bound, self.budget.gap):
            return found, bound
        model = build_placement(self.instance, self.theta)
        for earlier, kept in held:
            if earlier != "throughput":
                self._hold(model, earlier, kept)
        counted = count_objective(model, name, known=value)
        if isinstance(counted.expression, int):
            return found, bound
        model.model.minimize(counted.expression)
        hint(model, found)
        solver, status = self._run(model)
        if status not in FOUND:
            return found, bound
        self.claim = of_objective(model, name, counted, self.spent)
        again = self._sound(plan_of_model(self.instance, model, solver, self.theta))
        better = self._better(name, found, again)
        return better, max(bound, solver.best_objective_bound * counted.part + counted.constant)

    def _throughput_bound(self, model: PlacementModel, parts: float) -> float:
        """Return the throughput above which no T of at least so many parts lies.

        Where T is multiplied in a row, its being whole can cost up to one part.
        """
        least = (parts - (1.0 if model.rounds_up else 0.0)) / model.second
        if least <= 0:
            return np.nan
        return float(self.instance.jobs.rate_per_s.sum()) / least

    def _refined(self, found: SteadyPlan | None, bound: float) -> tuple[SteadyPlan | None, float]:
        """Count T more finely where its parts leave a gap between plan and bound."""
        value = np.nan if found is None else objective_value(self.instance, found, "throughput")
        closed = gap_closed(value, bound, self.budget.gap)
        if found is None or closed or not value > 0 or self.budget.over():
            return found, bound
        total = float(self.instance.jobs.rate_per_s.sum())
        model = build_placement(self.instance, None, known=value / total)
        model.model.minimize(model.time)
        hint(model, found)
        solver, status = self._run(model)
        if status == "MODEL_INVALID":
            return found, bound
        if status in FOUND:
            better = self._sound(plan_of_model(self.instance, model, solver, None))
            found = self._better("throughput", found, better)
            self.claim = of_throughput(model, self.spent)
        fine = self._throughput_bound(model, solver.best_objective_bound)
        return found, fine if np.isnan(bound) else float(np.fmin(bound, fine))

    def _starved(self, model: PlacementModel) -> tuple[SteadyPlan | None, float, bool]:
        """Look for a placement where none serves even a small multiple of the demand.

        The one with the most power or money left for work is taken, and its multiple is refined.
        """
        devices = self.instance.devices
        low = devices.min_load / devices.max_utilization
        if ((low > 0) & (low <= 1.0 / IDLEST)).any():
            # What T leaves out might keep such a unit busy.
            return None, np.nan, False
        bare = build_placement(self.instance, 0.0)
        limit = "power" if np.isfinite(self.instance.limits.power_cap_w) else "cost"
        counted = count_objective(bare, limit)
        if not isinstance(counted.expression, int):
            bare.model.minimize(counted.expression)
        solver, status = self._run(bare)
        if status == "INFEASIBLE":
            return None, np.nan, True
        if status not in FOUND:
            return None, np.nan, False
        found = plan_of_model(self.instance, bare, solver, None)
        bound = self._throughput_bound(model, model.most)
        limits = self.instance.limits
        cap = limits.power_cap_w if limit == "power" else limits.budget_per_s
        least = solver.best_objective_bound * counted.part + counted.constant
        if status == "OPTIMAL" and cap - least <= LIMIT_TOLERANCE * cap:
            # Standing still takes all that there is, and work takes more.
            return found, objective_value(self.instance, found, "throughput"), False
        return (*self._refined(found, bound), False)

    def _hold(self, model: PlacementModel, name: str, value: float) -> None:
        """Allow no placement worse than ``value`` in an earlier objective."""
        counted = count_objective(model, name)
        if isinstance(counted.expression, int):
            return
        parts = (value - counted.constant) / counted.part
        room = HOLD * abs(value) / counted.part + 1.0
        if is_maximised(name):
            model.model.add(counted.expression >= math.floor(parts - room))
        else:
            model.model.add(counted.expression <= math.ceil(parts + room))

    def _run(self, model: PlacementModel) -> tuple[Any, str]:
        workers = 1 if self.budget.deterministic else self.budget.workers
        solver = quiet_solver(workers, self.budget.seed)
        parameters = solver.parameters
        parameters.relative_gap_limit = max(0.0, self.budget.gap - GAP_TOLERANCE)
        deterministic = self.budget.deterministic
        seconds = self.budget.limit_s if deterministic else self.budget.left_s()
        limit_time(solver, seconds, deterministic=deterministic)
        if not within_range(model.model):
            self._leave_out()
            return solver, "MODEL_INVALID"
        began = time.monotonic()
        with stoppable(solver, self.budget.stop):
            status = solver.solve(model.model)
        counted = float(solver.response_proto.deterministic_time)
        self.spent = counted if deterministic else time.monotonic() - began
        name = str(solver.status_name(status))
        self.cut = self.cut or name not in ("OPTIMAL", "INFEASIBLE")
        self.closed = self.closed and not self.cut
        return solver, name

    def _leave_out(self) -> None:
        """Go on without a model whose numbers do not fit CP-SAT."""
        self.closed = False
        if TOO_LARGE not in self.notes:
            self.notes.append(TOO_LARGE)

    def _better(
        self, name: str, plan: SteadyPlan | None, found: SteadyPlan | None
    ) -> SteadyPlan | None:
        """Return the better of the known plan and the one found."""
        if plan is None or found is None:
            return plan if found is None else found
        ours = objective_value(self.instance, found, name)
        theirs = objective_value(self.instance, plan, name)
        worse = ours < theirs if is_maximised(name) else ours > theirs
        return plan if worse else found

    def _infeasible(self) -> RegimeResult:
        return RegimeResult(
            plan=None,
            bounds=(np.nan,) * len(self.instance.objective),
            infeasible=True,
            reason="No placement of each job on single units serves the demanded rates within the "
            "limits (capacity, links, memory, latency, caps, groups and pins).",
            stopped_by="proved",
            method="cpsat",
            history=tuple(self.history),
            proof=joined_proof(self.proofs),
        )

    def _stopped(self) -> Termination:
        if self.budget.stop.is_set():
            return "interrupted"
        if self.closed:
            return "gap_limit" if self.budget.gap > 0 else "proved"
        return "time_limit" if self.cut or self.budget.over() else "iteration_limit"
