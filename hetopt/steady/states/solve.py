"""Solve streams on devices that slow each other down.

Where the states are few, all are in the program, and its bound is proven as any other. Where they
are many, they are generated (:mod:`hetopt.steady.states.generation`): the plan is the best over
those found, the bound that of the linear program over all.

Where a route slows several options, a plan gives all of them one least rate, which is more than a
bound may count on: then a program with the rates that any plan needs gives the bound, and another
one the plan.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.questions import least_shares
from hetopt.instance.states.slow_domains import domain_of_device
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.solution import SteadyPlan, StreamPlan
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.program.objective_level import Level, infeasible_result
from hetopt.steady.program.scenarios import StreamModel, stream_integers
from hetopt.steady.program.search import Search, program_of
from hetopt.steady.routes.routes import Routes, enumerate_routes
from hetopt.steady.states.generation import Generated, Options, first_states, generate, joined
from hetopt.steady.states.refusals import check_supported
from hetopt.steady.states.rows import StateRows
from hetopt.steady.states.slowest_within_latency import Floors, route_floors
from hetopt.steady.states.states import (
    MOST_STATES,
    States,
    counted,
    listed_states,
    make_state,
    options_of_routes,
)

LOOSE_SHARE = 0.5
"""Share of the time left that the bound may take where it has a program of its own."""
GENERATION_SHARE = 0.5
"""Share of the time left that generating states may take, at each objective."""

SEVERAL = (
    "Some routes have several slowed options: the plan gives all of a route one least rate, the "
    "bound lets each be as slow as the latency limit allows with the others at full speed."
)


@dataclass(slots=True)
class StateSearch(Search):
    """A search whose program has states: all of them, or those that were generated."""

    states: States = field(default_factory=lambda: States((), complete=True))
    floors: Floors = field(default_factory=dict)
    options: Options = field(default_factory=dict)

    def first_model(self) -> StreamModel:
        """Return the program before any objective."""
        rows = StateRows(self.states, self.floors)
        return program_of(self.instance, self.routes, self.time_left(), states=rows)

    def next_level(self, name: str) -> Level:
        """Solve for an objective; where states are generated, over those that it brings."""
        if self.states.complete:
            return Search.next_level(self, name)
        generated = self._generated(name)
        if generated.infeasible and self._refuted():
            return Level(name, infeasible=True)
        if generated.infeasible:
            generated = self._generated(name)
        self.states = generated.states
        self.model, _ = self._aimed(self.instance, self.states, name, self.held)
        if isinstance(self.model, SteadyModel) and self.start is not None and not self.held:
            self.previous = stream_integers(self.model, self.start)
        return self.solve_level(self.model, name, bound=generated.bound)

    def _generated(self, name: str) -> Generated:
        """Generate the states for an objective, with the earlier ones held."""

        def build(states: States | None) -> tuple[StreamModel, float]:
            return self._aimed(self.instance, states, name, self.held)

        return generate(self.instance, self.options, self.states, build, self._until())

    def _refuted(self) -> bool:
        """Whether the demand is more than all states can serve; states that serve most are kept.

        What serves more than is demanded could serve less, so the most that can be served decides.
        Where not all of the demand need be served, that says nothing.
        """
        if "value" in self.instance.objective:
            return False
        most = replace(self.instance, objective=("throughput",))

        def build(states: States | None) -> tuple[StreamModel, float]:
            return self._aimed(most, states, "throughput", [])

        generated = generate(most, self.options, self.states, build, self._until())
        self.states = generated.states
        demand = float(self.instance.jobs.rate_per_s.sum())
        return generated.infeasible or generated.bound < demand * (1.0 - GAP_TOLERANCE)

    def _aimed(
        self,
        instance: Instance,
        states: States | None,
        name: str,
        held: list[tuple[str, float]],
    ) -> tuple[StreamModel, float]:
        """Return the program over some states, aimed at an objective, and the objective's scale."""
        rows = None if states is None else StateRows(states, self.floors)
        model = program_of(instance, self.routes, self.time_left(), states=rows)
        for earlier, value in held:
            model.hold(earlier, value)
        return model, model.aim(name)

    def _until(self) -> float:
        if self.budget.deterministic:
            return math.inf
        return time.monotonic() + GENERATION_SHARE * self.time_left()


def solve_states(
    instance: Instance,
    budget: Budget,
    method: str,
    start: StreamPlan | None,
    mip_solver: str,
) -> RegimeResult:
    """Solve; parameters as of :func:`hetopt.steady.solve.solve_steady`.

    Raises
    ------
    InputError
        Where states do not know a limit of a slowed device, or there are too many routes.
    """
    check_supported(instance)
    routes = enumerate_routes(instance)
    least = least_shares(instance)
    lost = [job for job in sorted(routes.reasons) if least[job] > 0]
    if lost:
        return infeasible_result(instance, " ".join(routes.reasons[job] for job in lost))
    floors = route_floors(instance, routes.routes)
    options = options_of_routes(instance, routes.routes)
    states = listed_states(instance, options)
    if states is None:
        if len(instance.scenarios):
            raise InputError(
                f"The devices that slow each other down have more than {MOST_STATES} states (what "
                "runs at once), which an instance with scenarios does not generate; give tasks "
                "fewer options, or devices fewer units and slots."
            )
        routes = replace(routes, complete=False)
        states = with_start(instance, first_states(instance, options), start)
    search = StateSearch(
        *(instance, budget, method, start, mip_solver),
        routes=routes,
        states=states,
        floors=floors.kept,
        options=options,
    )
    if floors.agree:
        return search.run()
    return _apart(search, floors.needed)


def states_program(instance: Instance, routes: Routes, time_limit_s: float) -> StreamModel:
    """Build the program over all states, its objective still to be chosen.

    Raises
    ------
    InputError
        Where states are too many to list, or the latency limits of routes with several slowed
        options are no rows of one program.
    """
    check_supported(instance)
    floors = route_floors(instance, routes.routes)
    states = listed_states(instance, options_of_routes(instance, routes.routes))
    if states is None:
        raise InputError(
            f"The devices that slow each other down have more than {MOST_STATES} states (what runs "
            "at once), more than are written."
        )
    if not floors.agree:
        raise InputError(
            "A job with a latency limit has routes of several slowed options: how slow each may "
            "run depends on the others, which no program of rows says."
        )
    return program_of(instance, routes, time_limit_s, states=StateRows(states, floors.kept))


def with_start(instance: Instance, states: States, start: StreamPlan | None) -> States:
    """Return states with those of a plan to start from."""
    if not isinstance(start, SteadyPlan) or start.states is None:
        return states
    domain = domain_of_device(instance)
    found = []
    for begin, end in itertools.pairwise(start.states.ptr.tolist()):
        runs = start.states.option[begin:end].tolist()
        if runs:
            number = int(domain[instance.options.device[runs[0]]])
            found.append(make_state(instance, number, counted(runs)))
    return joined(states, found)


def _apart(search: StateSearch, needed: Floors) -> RegimeResult:
    """Bound by a program with the rates that any plan needs, and plan with those that it keeps."""
    left = search.budget.left_s()
    loose = replace(
        search,
        floors=needed,
        start=None,
        history=[],
        notes=[],
        budget=replace(
            search.budget,
            deadline=search.budget.deadline - (1.0 - LOOSE_SHARE) * left,
            limit_s=search.budget.limit_s * LOOSE_SHARE,
            progress=None,
        ),
    ).run()
    if loose.infeasible:
        return loose
    found = replace(search, routes=replace(search.routes, complete=False)).run()
    stopped = "iteration_limit" if found.stopped_by in ("proved", "gap_limit") else found.stopped_by
    return replace(
        found,
        bounds=(loose.bounds[0], *(np.nan for _ in loose.bounds[1:])),
        stopped_by=stopped,
        notes=(*found.notes, SEVERAL),
        marginal=loose.marginal,
    )
