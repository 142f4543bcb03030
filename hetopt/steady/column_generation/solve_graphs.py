"""Solve streams of graph jobs whose routes are too many to list: column generation, then integers.

The relaxation over all routes gives the proven bound
(:mod:`hetopt.steady.column_generation.column_generation`; it leaves memory limits and exclusive
units out beyond what a single route shows, so it holds with them). The integer program is solved
over the routes found on the way. Then routes are priced once more with the number of units fixed
at those of its plan, as other routes fit a fleet in whole units than fit one in parts of units,
and it is solved again: a restricted master that is improved by column generation at integers, as
in diving heuristics (Sadykov et al., INFORMS J. Comput. 31:251, 2019).

What the gap is made of is rounding to integers, and the memory that the relaxation left out: the
bound is never that of the integer program, which knows only a part of the routes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Floats
from hetopt.runtime.budget import gap_closed
from hetopt.solution import SteadyPlan
from hetopt.steady.column_generation.column_generation import Generated, generate
from hetopt.steady.column_generation.graph_pricer import GraphPricer, master_of_graphs
from hetopt.steady.program.formulation_arrays import Master
from hetopt.steady.program.objective_level import Level, unbounded
from hetopt.steady.program.scenarios import StreamModel
from hetopt.steady.program.search import Search, program_of, values_of

FIRST, MORE = 3, 3
"""Routes per job to begin with, and to add in a round."""

PRICING_SHARE = 0.4
"""Share of the time left that the relaxation may take: the integer program needs the rest."""

WIDE_SHARE = 0.1
"""Share of the time left for routes that only whole units may have a use for."""

FLEETS = 4
"""Times that routes are priced for a fleet of whole units."""

FLEET_SHARE = 0.25
"""Share of the time left that each of these may take."""


@dataclass(slots=True)
class GeneratedSearch(Search):
    """A search over routes that are generated; see the module."""

    pricer: GraphPricer = field(init=False)
    master: Master = field(init=False)
    rng: np.random.Generator = field(init=False)
    holds: int = 0
    standstill: bool = False
    looked: Generated | None = None

    def __post_init__(self) -> None:
        self.pricer = GraphPricer(self.instance, executor=self.budget.executor)
        self.master = master_of_graphs(self.instance, self.pricer.searches)
        self.rng = np.random.default_rng(self.budget.seed)
        if isinstance(self.start, SteadyPlan):
            ptr = self.start.ptr.tolist()
            for k, job in enumerate(self.start.route_job.tolist()):
                options = self.start.option[ptr[k] : ptr[k + 1]].tolist()
                self.pricer.add(job, tuple(options))

    def why_infeasible(self) -> str:
        """Say which jobs have no route at all, else what the demanded rates do not fit into."""
        none = [job for job, mine in enumerate(self.pricer.of_job) if not mine]
        if not none:
            return Search.why_infeasible(self)
        names = ", ".join(str(self.instance.jobs.name[job]) for job in none[:10])
        return (
            f"No choice of options meets the limits of a request and has a link for each of its "
            f"transfers, for {len(none)} of {len(self.instance.jobs)} jobs: {names}."
        )

    def first_model(self) -> StreamModel:
        """Return the program over the routes that a first look at the prices finds."""
        self.master.aim(self.instance.objective[0], self.pricer.chosen)
        found = self._generate(time.monotonic() + PRICING_SHARE * self.time_left())
        # Without its least loads an instance may be unbounded that is not: then there is no bound.
        if found.outcome == "unbounded" and not self.instance.devices.min_load.any():
            raise InputError(unbounded(self.instance, self.instance.objective[0]))
        if self._stands_still(found):
            found = self._generate(time.monotonic() + PRICING_SHARE * self.time_left())
        self.looked = found
        if found.at is not None:
            self.pricer.widen(found.at, self.rng, time.monotonic() + WIDE_SHARE * self.time_left())
        return self._model()

    def next_level(self, name: str) -> Level:
        """Solve the relaxation for an objective, then the integer program, then for its fleet."""
        for earlier, value in self.held[self.holds :]:
            self.master.hold(earlier, value)
        self.holds = len(self.held)
        scale = self.master.aim(name, self.pricer.chosen)
        rows = None
        if self.looked is not None and self.looked.at is not None and not self.held:
            rows = self.looked.at.rows
        found = self._generate(time.monotonic() + PRICING_SHARE * self.time_left(), rows)
        if self._stands_still(found):
            found = self._generate(time.monotonic() + PRICING_SHARE * self.time_left())
        if found.outcome == "infeasible":
            return Level(name, infeasible=True)
        bound = found.bound / scale if np.isfinite(found.bound) else np.nan
        if self.standstill and name == "throughput":
            bound = 0.0
        self.note_progress(np.nan, bound)
        self.model = self._model()
        level = self.solve_level(self.model, name, bound)
        for _ in range(FLEETS):
            closed = gap_closed(level.value(), level.bound, self.budget.gap)
            if closed or self.method == "heuristic" or self.budget.over():
                break
            values = None if level.best is None else values_of(self.model, level.best.x)
            if not self._more_routes(values, found):
                break
            self.model, self.previous = self._model(), values
            self.known_by = level.found_by or self.known_by
            before, level = level, self.solve_level(self.model, name, bound)
            if level.best is None or before.best is None:
                continue
            better = level.best.objective / level.scale, before.best.objective / before.scale
            if not abs(better[0] - better[1]) > 1e-9 * abs(better[1]):
                break
        return level

    def _stands_still(self, found: Generated) -> bool:
        """Whether to go on with routes that fit no unit, as without them not all can be served.

        What fits no unit cannot be served at all, which is a throughput of nothing, not none. That
        no route fits may be seen only once routes are looked for at other prices.
        """
        if found.outcome != "infeasible" or self.master.theta < 0 or self.standstill:
            return False
        self.pricer = GraphPricer(self.instance, fit=False, executor=self.budget.executor)
        self.standstill = True
        return True

    def _generate(self, until: float, rows: Floats | None = None) -> Generated:
        return generate(
            self.master,
            self.pricer,
            until=until,
            first=FIRST,
            more=MORE,
            rows=rows,
            stop=self.budget.stop.is_set,
        )

    def _model(self) -> StreamModel:
        """Return the program over the routes found so far, earlier objectives held."""
        self.routes = self.pricer.as_routes()
        # Few packings lose plans, never the bound, which is not that of this program.
        model = program_of(self.instance, self.routes, self.time_left(), few_packings=True)
        for name, value in self.held:
            model.hold(name, value)
        return model

    def _more_routes(self, values: dict[str, float] | None, found: Generated) -> int:
        """Price routes with units fixed at those of a plan; return how many came in.

        Where there is no plan, or nothing came in, take prices that are off.
        """
        until = time.monotonic() + FLEET_SHARE * self.time_left()
        before = len(self.pricer.routes)
        at = found.at
        if values is not None:
            lower, upper = list(self.master.side_lower), list(self.master.side_upper)
            for device, side in self.master.on.items():
                units = values.get(f"u_{device}")
                if units is not None:
                    fixed = min(max(round(units), lower[side]), upper[side])
                    self.master.side_lower[side] = self.master.side_upper[side] = fixed
            try:
                at = self._generate(until, None if at is None else at.rows).at or at
            finally:
                self.master.side_lower, self.master.side_upper = lower, upper
        if len(self.pricer.routes) == before and at is not None:
            self.pricer.widen(at, self.rng, until)
        return len(self.pricer.routes) - before
