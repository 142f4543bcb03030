"""The exact model of the schedule regime in CP-SAT.

Sets and data: tasks i with modes m (option, device d, duration p[m]), places q (a unit of a
device, or all its merged units), edges i -> j, tensors n with producer i, tails t[i], the tick.
Variables: x[i,m,q] (task i runs in mode m on q), start and end s[i], e[i], makespan W, units used
u[d,k], sent[n,d,q] and hop starts h (:mod:`cpsat.transfers`), held until o[n], c[n,q]
(:mod:`cpsat.memory_and_power`), on-times w[d,k] (:mod:`cpsat.objectives`).

    minimise    Σ energy x + Σ hop energy sent + Σ idle w        (or another objective)
    subject to  Σ_{m,q} x[i,m,q] = 1,   e[i] = s[i] + Σ p x
                intervals of x, and of hops, on each place: at most slots × units at once
                order and set-ups of units                   (:mod:`cpsat.setups`)
                s[j] >= e[i];   s[j] >= last hop's end where the tensor is sent
                channels, memory, power, renewable resources: cumulatives
                Σ amount x <= budget                         (:mod:`cpsat.rules`)
                Σ p x <= slots × units × W per device;   W >= e[i] + t[i]
                w[d,k] >= W where u[d,k];   Σ p x <= slots × Σ_k w[d,k]

The bound of docs/mathematics.md is no row of the model: in OR-Tools 9.15 a (valid) row parallel to
the objective with large coefficients made presolve claim a worse solution as optimal. It is
compared with the plan outside, and stops the search when it closes the gap.

On an exact grid the model is the problem; on a grid that rounds down it is a relaxation, whose
plans are carried to the plan grid by :mod:`hetopt.schedule.model.tick_schedule`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ortools.sat.python import cp_model

from hetopt.runtime.budget import Budget
from hetopt.schedule.cpsat.idle_sleep_start_up import rest_in_gaps, wait_until_on
from hetopt.schedule.cpsat.memory_and_power import limit_memory, limit_power, power_is_hopeless
from hetopt.schedule.cpsat.objectives import Scaled, bound_makespan, load_rows, measure, scale
from hetopt.schedule.cpsat.rules import add_rules
from hetopt.schedule.cpsat.setups import add_setups
from hetopt.schedule.cpsat.transfers import Sending, add_edges, limit_channels
from hetopt.schedule.cpsat.variables import (
    MERGED,
    Build,
    Place,
    count_boards,
    count_units,
    group_tasks,
    limit_slots,
    make_variables,
)
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.tick_schedule import TickSchedule, needed_chains
from hetopt.solution import WRITE
from hetopt.solvers.cpsat import FOUND, limit_time, quiet_solver, refuting, stated_bound

HINT_SECONDS = 5.0
"""Most time for completing a hint; it takes milliseconds where the hint is a plan."""
HELD_PARTS = 1e-9
"""Relative slack with which earlier levels of a list of objectives are held (docs/schedule.md)."""
_POLL_S = 0.05


@dataclass(slots=True)
class ScheduleModel:
    """A built model: its variables, its objective, and what an answer is read from."""

    build: Build
    sendings: list[Sending]
    objective: Scaled

    @property
    def model(self) -> cp_model.CpModel:
        """The CP-SAT model."""
        return self.build.model


@dataclass(frozen=True, slots=True)
class Answer:
    """What CP-SAT found: last schedule, proven bound in real units, or infeasibility.

    ``seconds`` that it took are deterministic ones where the budget counts those.
    """

    schedule: TickSchedule | None
    bound: float
    infeasible: bool
    complete: bool
    seconds: float


def build_model(problem: Problem, level: int, held: list[float]) -> ScheduleModel | None:
    """Build the model of one level of the objective.

    Parameters
    ----------
    problem
        The instance on an exact grid, or one that rounds down (a relaxation) or up.
    level
        Which objective to minimise.
    held
        Values of the earlier levels, which must not be exceeded.

    Returns
    -------
    ScheduleModel or None
        None where the heads and deadlines alone leave a task no place.
    """
    build = make_variables(problem)
    if not build.possible:
        return None
    count_units(build)
    count_boards(build)
    group_tasks(build)
    sendings = add_edges(build)
    add_setups(build)
    limit_slots(build)
    wait_until_on(build)
    build.rests = rest_in_gaps(build)
    limit_channels(build)
    limit_memory(build, sendings)
    if power_is_hopeless(build):
        return None
    peak = limit_power(build)
    bound_makespan(build)
    load_rows(build)
    add_rules(build)
    names = problem.instance.objective
    for name, value in zip(names, held, strict=False):
        _hold(build, scale(measure(build, name, peak)), value)
    scaled = scale(measure(build, names[level], peak))
    build.model.minimize(scaled.expression)
    return ScheduleModel(build, sendings, scaled)


def add_hint(made: ScheduleModel, schedule: TickSchedule, budget: Budget) -> bool:
    """Give a plan on the model's grid as a hint, completed by a solve with its values fixed.

    Returns
    -------
    bool
        Whether the hint is complete; a partial one is left where the completion fails.
    """
    model = made.model
    # CP-SAT takes no variable twice, and one may stand for several things of a plan.
    for variable, value in {v.index: (v, value) for v, value in _hinted(made, schedule)}.values():
        model.add_hint(variable, value)
    solver = quiet_solver(1, budget.seed)
    solver.parameters.fix_variables_to_their_hinted_value = True
    seconds = HINT_SECONDS
    if not budget.deterministic:
        seconds = min(seconds, budget.left_s() / 4)
    limit_time(solver, seconds, deterministic=budget.deterministic)
    if solver.status_name(solver.solve(model)) not in FOUND:
        return False
    values = list(solver.response_proto.solution)
    model.clear_hints()  # type: ignore[no-untyped-call]  # ortools types only part of its API
    for index, value in enumerate(values):
        model.add_hint(model.get_int_var_from_proto_index(index), value)
    return True


def run(
    made: ScheduleModel,
    budget: Budget,
    seconds: float,
    on_schedule: Callable[[TickSchedule], bool],
    on_bound: Callable[[float], None],
    *,
    lower: bool = False,
) -> Answer:
    """Solve a built model for some seconds (deterministic ones if the budget says so).

    Parameters
    ----------
    on_schedule
        Called with each plan found, on the model's grid; says whether that is good enough.
    on_bound
        Called with each better bound, in real units.
    lower
        Whether one worker refutes small values of the objective rather than looks for plans.
    """
    solver = quiet_solver(1 if budget.deterministic else budget.workers, budget.seed)
    parameters = solver.parameters
    parameters.use_objective_lb_search = lower and parameters.num_workers == 1
    parameters.relative_gap_limit = max(budget.gap, SURELY_CLOSED)
    limit_time(solver, seconds, deterministic=budget.deterministic)
    if not budget.deterministic:
        solver.best_bound_callback = lambda bound: on_bound(made.objective.value(bound))
    status, spent = _solved(solver, made.model, budget, _Collector(made, on_schedule))
    if status == "INFEASIBLE":
        return Answer(None, math.nan, infeasible=True, complete=True, seconds=spent)
    return Answer(
        read_tick_schedule(made, solver.value) if status in FOUND else None,
        made.objective.value(stated_bound(solver, status)),
        infeasible=False,
        complete=status == "OPTIMAL",
        seconds=spent,
    )


def refute(
    made: ScheduleModel, most: int | None, budget: Budget, seconds: float
) -> tuple[TickSchedule | None, bool]:
    """Look for a plan whose integer objective is at most a value, by a solver of another kind.

    The model is used up.

    Returns
    -------
    tuple
        A plan on the model's grid, and whether it is known if there is one.
    """
    solver = refuting(
        made.model,
        None if most is None else made.objective.expression <= most,
        workers=budget.workers,
        seed=budget.seed,
        seconds=seconds,
        deterministic=budget.deterministic,
    )
    status, _ = _solved(solver, made.model, budget)
    schedule = read_tick_schedule(made, solver.value) if status in FOUND else None
    return schedule, schedule is not None or status == "INFEASIBLE"


def _solved(
    solver: cp_model.CpSolver,
    model: cp_model.CpModel,
    budget: Budget,
    collector: _Collector | None = None,
) -> tuple[str, float]:
    """Solve until the budget's stop; return the status and the seconds that it took."""
    began = time.monotonic()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(solver, budget, over), daemon=True)
    watcher.start()
    try:
        status = solver.status_name(solver.solve(model, collector))
    finally:
        over.set()
        watcher.join()
    if budget.deterministic:
        return status, float(solver.response_proto.deterministic_time)
    return status, time.monotonic() - began


def read_tick_schedule(made: ScheduleModel, value: Callable[[Any], int]) -> TickSchedule:
    """Read modes, units, starts and hop starts from the values of a solution."""
    build = made.build
    problem = build.problem
    start = [value(s) for s in build.start]
    chosen = [next(c for c in choices if value(c.literal)) for choices in build.choices]
    mode = [c.mode for c in chosen]
    unit = _colour(build, [c.place for c in chosen], start, [m.duration for m in mode])
    known = {
        (s.tensor, leg, device, target): chain
        for s in made.sendings
        for (leg, device, target), chain in s.chains.items()
    }
    hops = {}
    for key, needed in (needed_chains(problem, mode, unit) or {}).items():
        tensor, leg, device, number = key
        source = needed.source[0] if leg <= WRITE else -1
        chain = known.get((tensor, leg, source, (device, number)))
        producer = problem.producer[tensor]
        if chain is not None:
            hops[key] = [value(s) for s in chain.start]
        else:
            at, starts = start[producer] + mode[producer].duration, []
            for hop in needed.hops:
                starts.append(at)
                at += hop.duration
            hops[key] = starts
    return TickSchedule(problem, mode, unit, start, hops)


SURELY_CLOSED = 1e-8
"""Relative gap at which CP-SAT stops: far below what counts as closed."""


class _Collector(cp_model.CpSolverSolutionCallback):
    def __init__(self, made: ScheduleModel, on_schedule: Callable[[TickSchedule], bool]) -> None:
        super().__init__()
        self._made = made
        self._on_schedule = on_schedule

    def on_solution_callback(self) -> None:
        """Hand on each solution as a schedule."""
        if self._on_schedule(read_tick_schedule(self._made, self.value)):
            self.stop_search()


def _watch(solver: cp_model.CpSolver, budget: Budget, over: threading.Event) -> None:
    while not over.wait(_POLL_S):
        if budget.stop.is_set():
            solver.stop_search()


def _hold(build: Build, scaled: Scaled, value: float) -> None:
    """Keep an earlier level at its value, plus the slack of docs/schedule.md."""
    limit = scaled.sign * exact(value)
    limit += abs(limit) * exact(HELD_PARTS)
    if scaled.terms:
        most = math.floor((limit - scaled.constant) / scaled.unit)
        build.model.add(scaled.expression <= most)


def _hinted(made: ScheduleModel, schedule: TickSchedule) -> list[tuple[Any, int]]:
    build = made.build
    found: list[tuple[Any, int]] = []
    homes: list[Place] = []
    last = 0
    for task, choices in enumerate(build.choices):
        mode, unit = schedule.mode[task], schedule.unit[task]
        places = {c.place for c in choices}
        home = (mode.device, MERGED if (mode.device, MERGED) in places else unit)
        homes.append(home)
        found.extend(
            (c.literal, int(c.place == home and c.mode.option == mode.option)) for c in choices
        )
        found.append((build.start[task], schedule.start[task]))
        found.append((build.end[task], schedule.end(task)))
        last = max(last, schedule.end(task))
    found.append((build.makespan, last))
    for device, used in build.used.items():
        mine = {u for m, u in zip(schedule.mode, schedule.unit, strict=True) if m.device == device}
        if any(home == (device, MERGED) for home in homes):
            mine = set(range(len(mine)))
        found.extend((literal, int(k in mine)) for k, literal in enumerate(used))
    for sending in made.sendings:
        for (leg, device, target), chain in sending.chains.items():
            key = (sending.tensor, leg, *target)
            starts = schedule.hops.get(key)
            source = schedule.mode[build.problem.producer[sending.tensor]].device
            if starts is None or len(starts) != len(chain.start) or device not in (-1, source):
                continue
            found.extend(zip(chain.start, starts, strict=True))
    return found


def _colour(build: Build, places: list[Place], start: list[int], length: list[int]) -> list[int]:
    """Units of the tasks; on merged devices by colouring the intervals, lowest unit first."""
    units = [place[1] for place in places]
    order = sorted(range(len(places)), key=lambda t: (start[t], -length[t], t))
    free: dict[int, list[int]] = {}
    for task in order:
        device, unit = places[task]
        if unit != MERGED:
            continue
        slots = build.problem.slots[device]
        until = free.setdefault(device, [0] * (slots * build.problem.units[device]))
        slot = next((k for k, end in enumerate(until) if end <= start[task]), 0)
        if length[task]:
            until[slot] = start[task] + length[task]
        units[task] = slot // slots if length[task] else 0
    return units
