"""Good placements for ``routing: single`` before CP-SAT: pipelines, then annealing; and bounds.

1. The load bound: the linear relaxation of the assignment, without transfers.
2. Pipelines by dynamic programming over ideals (`ideals`): along some topological orders, then,
   where there are few enough, over all ideals; this proves the optimum of a contiguous job.
3. Annealing from there (`search.kernels`), in rounds on every worker, each from the best state
   or from the start. Where jobs are contiguous every state keeps the order of stages.

Only throughput is searched for. Whatever comes out is a plan only if the checker takes it.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance, Ints
from hetopt.runtime.budget import Budget
from hetopt.runtime.interrupt import in_time
from hetopt.solution import SteadyPlan
from hetopt.steady.placement.clusters import backward_alone, clusters_of
from hetopt.steady.placement.greedy import plan_of
from hetopt.steady.placement.ideals import (
    Family,
    Pipeline,
    best_pipeline,
    ideals_along_orders,
    list_ideals,
)
from hetopt.steady.placement.load_bound import LoadBound, load_bound
from hetopt.steady.placement.search.records import State
from hetopt.steady.placement.search.table import Columns, placement_columns

LEAST_TASKS = 12
"""Tasks below which CP-SAT needs no help, and no compiled loops are worth loading."""

PHASES = ((4, 0.03, 0.002), (5, 0.01, 0.0005), (7, 0.003, 1e-5), (9, 1e-4, 1e-7))
"""Of a round: doublings of the norm, temperature at the beginning and at the end."""

AGAIN = 1
"""Phase from which a round starts that goes on from the best state."""

ROUND_MOVES = 40_000
"""Moves of a phase in the first round; each later round makes ``LONGER`` times as many."""

LONGER = 1.3

MOST_MOVES = 1_000_000
"""Moves of a phase at most, so that the end of the time is seen."""

MOVES_PER_S = 200_000
"""Moves that stand for a deterministic second."""

WIDEST = 64
"""Largest region of clusters that moves together."""

COMPILE_S = 15.0
"""Time limit from which the loops may be compiled first, once per installation."""

GRACE_S = 0.3
"""Time over its end after which the search is left behind, as it must still be compiling."""

FEW_IDEALS = 4_000
"""Ideals up to which all are listed where no clock may decide."""

PIPELINE_SHARE = 0.4
"""Share of the time that the dynamic program over all ideals may take."""

LISTING_SHARE = 0.2
"""Share of the time that listing the ideals may take."""

MOST_CHOICES = 64
"""Ways to load a unit that are kept while its clusters are gone through."""

BOUND_ROUNDING = 1e-9
"""Relative room for the rounding of sums of loads."""


_Choice = tuple[float, float, frozenset[int], tuple[int, ...]]
"""Load, memory as a share of a unit's, weights keys, and the way of each cluster."""


@dataclass(slots=True)
class Found:
    """What the search found.

    Attributes
    ----------
    plans
        Plans at the demanded rates, the best last; the checker has not seen them.
    load
        Load that no placement falls below (1 / θ); 0 where nothing is known.
    notes
        Sentences for the user.
    """

    plans: list[SteadyPlan] = field(default_factory=list)
    load: float = 0.0
    notes: list[str] = field(default_factory=list)


def search_placements(
    instance: Instance, budget: Budget, until: float, start: SteadyPlan | None
) -> Found:
    """Search until the time given, or until a bound is met.

    Parameters
    ----------
    until
        ``time.monotonic()`` value; not heeded where the budget is deterministic.
    start
        A known plan.
    """
    found = Found()
    work = partial(_search, instance, budget, until, start, found)
    if budget.deterministic:
        work()
    else:
        # The first call of an installation compiles, which nothing can interrupt.
        in_time(work, until + GRACE_S - time.monotonic(), budget.stop)
    return found


def _search(
    instance: Instance, budget: Budget, until: float, start: SteadyPlan | None, found: Found
) -> None:
    """Search, entering what is found as it is found."""
    if len(instance.tasks) < LEAST_TASKS:
        return
    clusters = clusters_of(instance)
    columns = placement_columns(instance, clusters)
    if columns is None:
        return
    bound = load_bound(columns)
    found.load = bound.load * (1.0 - BOUND_ROUNDING)
    if not _ready(budget):
        return
    search = _Search(instance, columns, budget, until, found, bound)
    if start is not None:
        search.enter_plan(start)
    search.pipelines()
    if search.ordered and search.start is None:
        return
    search.anneal()
    return


def _ready(budget: Budget) -> bool:
    """Whether the loops are compiled, or there is time for that."""
    from hetopt.runtime.jit import is_compiled, left_out
    from hetopt.steady.placement import ideals_kernels
    from hetopt.steady.placement.search import kernels

    # An answer that depends on nothing but the seed must not depend on what is compiled already.
    if budget.deterministic or budget.limit_s >= COMPILE_S:
        return True
    ready = is_compiled(ideals_kernels.ideals) and is_compiled(kernels.anneal)
    if not ready:
        left_out.append("placement")
    return ready


@dataclass(slots=True)
class _Search:
    instance: Instance
    columns: Columns
    budget: Budget
    until: float
    found: Found
    bound: LoadBound
    best: State | None = None
    start: State | None = None
    load: float = math.inf
    ordered: bool = False
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.ordered = bool(self.instance.jobs.contiguous.any())

    def over(self) -> bool:
        """Whether the search must end."""
        if self.budget.stop.is_set():
            return True
        return not self.budget.deterministic and time.monotonic() >= self.until

    def proven(self) -> bool:
        """Whether no placement can be better by more than the gap."""
        gap = max(self.budget.gap, 0.1 * GAP_TOLERANCE)
        return self.load <= self.found.load * (1.0 + gap)

    def enter_plan(self, plan: SteadyPlan) -> None:
        """Begin from a plan, unless jobs are contiguous: its stages are not known."""
        if self.ordered or np.any(plan.unit < 0):
            return
        unit = np.zeros(len(self.instance.tasks), dtype=np.int64)
        option = np.zeros(len(self.instance.tasks), dtype=np.int64)
        unit[plan.task], option[plan.task] = plan.unit, plan.option
        device = self.instance.options.device[option]
        if np.any(unit >= self.columns.units[device]):
            return
        homes = self.columns.first_unit[device] + unit
        state = self.columns.state()
        for c, members in enumerate(self.columns.clusters.members):
            if not self._put(state, c, int(homes[members[0]])):
                return
        self._enter(state)

    def pipelines(self) -> None:
        """Look for a pipeline along some orders, then over all ideals."""
        clusters = clusters_of(self.instance, pipeline=True)
        columns = placement_columns(self.instance, clusters)
        if columns is None:
            return
        bound = load_bound(columns)
        limit = self.load
        family = ideals_along_orders(clusters, self.budget.seed)
        found = self._pipeline(columns, family, bound, limit, self.until)
        alone = bool(backward_alone(self.instance, clusters).any())
        exact = self.ordered and len(self.instance.jobs) == 1 and not alone
        left = self.until - time.monotonic()
        until = time.monotonic() + left * PIPELINE_SHARE if not exact else self.until
        if self.budget.deterministic:
            until = math.inf
        if self.proven() or self.over():
            return
        if self.budget.deterministic:
            whole = list_ideals(clusters, math.inf, FEW_IDEALS)
        else:
            whole = list_ideals(clusters, min(until, time.monotonic() + LISTING_SHARE * left))
        if whole is None:
            return
        limit = min(self.load, found.load) * (1.0 + BOUND_ROUNDING)
        found = self._pipeline(columns, whole, bound, limit, until)
        if found.finished and exact:
            least = min(found.load, limit)
            self.found.load = max(self.found.load, least * (1.0 - 2 * BOUND_ROUNDING))
            self.found.notes.append(
                f"No pipeline is better than the bound: all {len(whole)} ideals of the graph were "
                "gone through."
            )

    def anneal(self) -> None:
        """Make rounds of annealing on every worker until the time is over or nothing is left."""
        if self.best is None:
            self._enter(_spread(self.columns, self.budget.seed))
        count = 1 if self.budget.deterministic else max(1, self.budget.workers)
        chains = [_Chain(self, 1000 * self.budget.seed + k + 1) for k in range(count)]
        made = 0
        while not (self.over() or self.proven()):
            if self.budget.deterministic and made > self.budget.limit_s * MOVES_PER_S / 2:
                break
            if count == 1:
                results = [chains[0].round(self.best, self.load)]
            else:
                with ThreadPoolExecutor(count) as pool:
                    results = list(pool.map(lambda c: c.round(self.best, self.load), chains))
            made += sum(moves for _, _, moves in results)
            for load, state, _ in results:
                if load < self.load * (1.0 - 1e-12):
                    self._take(state, load)
        if made:
            self.found.notes.append(f"{made:,} moves of annealing over placements.")

    def _pipeline(
        self, columns: Columns, family: Family, bound: LoadBound, limit: float, until: float
    ) -> Pipeline:
        def over() -> bool:
            late = not self.budget.deterministic and time.monotonic() > until
            return late or self.budget.stop.is_set()

        found = best_pipeline(columns, family, bound, limit, over)
        if found.stages:
            self._enter_stages(columns, found.stages)
        return found

    def _enter_stages(self, columns: Columns, stages: list[tuple[int, list[int]]]) -> None:
        """Begin from a pipeline: its stages on the units of their devices, in order."""
        state = self.columns.state()
        used = np.zeros(len(self.columns.units), dtype=np.int64)
        order = []
        for device, members in stages:
            unit = int(self.columns.first_unit[device] + used[device])
            used[device] += 1
            order.append(unit)
            tasks = [t for member in members for t in columns.clusters.members[member]]
            inside = sorted({int(self.columns.clusters.of_task[t]) for t in tasks})
            if not all(self._put(state, c, unit) for c in inside):
                return
            self._fit(state, inside, unit)
        order += [u for u in range(len(self.columns.table.device)) if u not in order]
        pos = np.empty(len(order), dtype=np.int64)
        pos[order] = np.arange(len(order))
        state.pos[:] = np.tile(pos, len(state.pos) // len(pos))
        self._enter(state)

    def _put(self, state: State, c: int, unit: int) -> bool:
        table = self.columns.table
        cell = c * len(self.columns.units) + int(table.device[unit])
        if table.way_ptr[cell] == table.way_ptr[cell + 1]:
            return False
        if table.pinned[c] not in (-1, unit):
            return False
        state.place[c], state.way[c] = unit, table.way_ptr[cell]
        return True

    def _fit(self, state: State, inside: list[int], unit: int) -> None:
        """Take the fastest ways of a unit's clusters that fit into its memory, if any are found."""
        table = self.columns.table
        device, wide = int(table.device[unit]), len(self.columns.units)
        share, room = float(table.per_unit[device]), 1.0 - float(table.taken[unit])
        kept: list[_Choice] = [(0.0, 0.0, frozenset(), ())]
        for c in inside:
            cell = c * wide + device
            grown: list[_Choice] = []
            for w in range(int(table.way_ptr[cell]), int(table.way_ptr[cell + 1])):
                of = slice(int(table.key_ptr[w]), int(table.key_ptr[w + 1]))
                sizes = dict(zip(table.key_id[of].tolist(), table.key_size[of], strict=True))
                for load, held, keys, ways in kept:
                    more = share * float(sum(sizes[k] for k in sizes.keys() - keys))
                    if held + more <= room:
                        taken = load + float(table.way_load[w])
                        grown.append((taken, held + more, keys | sizes.keys(), (*ways, w)))
            kept = []
            for choice in sorted(grown, key=lambda g: g[:2]):
                if not kept or choice[1] < kept[-1][1]:
                    kept.append(choice)
            if len(kept) > MOST_CHOICES:
                last = len(kept) - 1
                kept = [kept[i * last // MOST_CHOICES] for i in range(MOST_CHOICES + 1)]
        if kept:
            state.way[inside] = kept[0][3]

    def _enter(self, state: State) -> None:
        """Count a state, and keep it where it is the best."""
        from hetopt.steady.placement.search.kernels import anneal

        best = state.ints.copy()
        plan = np.array([0, 0.01, 0.001, 4, 0, 1, np.inf])
        seed = np.array([1], dtype=np.uint64)
        was = np.zeros(len(state.reals))
        anneal(self.columns.packed(), state, best, self.columns.scratch(), was, plan, seed)
        if self.start is None:
            self.start = state
        if self.best is None:
            self.best = state
        if plan[6] < self.load:
            self.start = state
            self._take(state, float(plan[6]))

    def _take(self, state: State, load: float) -> None:
        self.best, self.load = state, load
        self.found.plans.append(plan_of_state(self.instance, self.columns, state))
        if self.budget.progress is not None:
            total = float(self.instance.jobs.rate_per_s.sum())
            most = total / self.found.load if self.found.load > 0 else math.nan
            self.budget.progress(total / load, most)


class _Chain:
    """One worker's annealing: rounds from the best state, every other one from the start."""

    def __init__(self, search: _Search, seed: int) -> None:
        self.search = search
        self.rounds = seed % 2
        self.moves = float(ROUND_MOVES)
        self.table = search.columns.packed()
        self.scratch = search.columns.scratch()
        self.room = np.zeros(len(search.columns.state().reals))
        self.seed = np.array([(seed * 0x9E3779B97F4A7C15 + 1) % 2**64], dtype=np.uint64)

    def round(self, best: State | None, load: float) -> tuple[float, State, int]:
        """Make one round; return the best load, its state, and the moves made."""
        from hetopt.steady.placement.search.kernels import anneal

        search, columns = self.search, self.search.columns
        again = self.rounds % 2 == 1
        state = columns.state()
        origin = best if again else search.start
        if origin is not None:
            state.ints[:] = origin.ints
        kept = state.ints.copy()
        plan = np.array([0.0, 0.0, 0.0, 0, float(search.ordered), WIDEST, math.inf])
        made = 0
        for doublings, hot, cold in PHASES[AGAIN * again :]:
            if search.over():
                break
            plan[0], plan[1], plan[2], plan[3] = self.moves, hot, cold, doublings
            anneal(self.table, state, kept, self.scratch, self.room, plan, self.seed)
            made += int(self.moves)
            if plan[6] < math.inf:
                state.ints[:] = kept
        self.rounds += 1
        self.moves = min(self.moves * LONGER, MOST_MOVES)
        state.ints[:] = kept
        return float(plan[6]), state, made


def _spread(columns: Columns, seed: int) -> State:
    """Return a state at random."""
    rng = np.random.default_rng(seed)
    state, table, wide = columns.state(), columns.table, len(columns.units)
    for c in range(len(columns.clusters)):
        cells = c * wide + table.device
        able = np.flatnonzero(table.way_ptr[cells] < table.way_ptr[cells + 1])
        unit = int(table.pinned[c]) if table.pinned[c] >= 0 else int(rng.choice(able))
        state.place[c] = unit
        state.way[c] = table.way_ptr[c * wide + int(table.device[unit])]
    return state


def plan_of_state(instance: Instance, columns: Columns, state: State) -> SteadyPlan:
    """Return the plan of a state, units numbered from 0 in the order of stages."""
    numbers = _unit_numbers(instance, columns, state)
    option = np.zeros(len(instance.tasks), dtype=np.int64)
    unit = np.zeros(len(instance.tasks), dtype=np.int64)
    for c, members in enumerate(columns.clusters.members):
        option[members] = columns.options[int(state.way[c])]
        unit[members] = numbers[int(state.place[c])]
    return plan_of(instance, option, unit)


def _unit_numbers(instance: Instance, columns: Columns, state: State) -> Ints:
    """Return the number of each unit on its device: those that are used first, by position."""
    device = columns.table.device
    numbers = np.arange(len(device)) - columns.first_unit[device]
    pinned = instance.tasks.pin_unit >= 0
    used = np.bincount(state.place, minlength=len(device)) > 0
    position = state.pos[: len(device)]
    for d in range(len(columns.units)):
        if pinned[instance.tasks.pin_device == d].any():
            continue
        mine = np.flatnonzero(device == d)
        order = sorted(mine.tolist(), key=lambda u: (not used[u], position[u], u))
        numbers[order] = np.arange(len(order))
    return np.asarray(numbers, dtype=np.int64)
