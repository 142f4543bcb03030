"""Solve a schedule instance: constructors, improvement, CP-SAT, with bounds throughout.

The best plan is held outside every solver (:mod:`hetopt.schedule.incumbent`) and is returned
whatever a solver does. On a grid that rounds down, CP-SAT gives the bound, and each plan of its is
carried to the plan grid by keeping its order; where the last one misses a deadline by the
rounding, a model that rounds up looks for plans in the time that was kept back for it.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from functools import partial

import numpy as np

from hetopt.evaluate import objectives
from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.instance.states.setups import configurations, device_setups
from hetopt.instance.tariffs import at_mean_prices, prices_vary
from hetopt.runtime import jit
from hetopt.runtime.budget import Budget, RegimeResult
from hetopt.runtime.interrupt import in_time
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.cyclic import solve_cyclic
from hetopt.schedule.decomposition import parts_of, solve_apart
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.model.boards_apart import apart
from hetopt.schedule.model.grid import Grid, model_grid, span_s
from hetopt.schedule.model.packed import packed
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.without_sleep import always_idling, drawing_less
from hetopt.schedule.optional.choice import solve_optional
from hetopt.schedule.polish.slack_reclamation import reclaim
from hetopt.schedule.search.decoder_features import why_unsupported
from hetopt.schedule.search.local_search import Improved
from hetopt.schedule.search.registry import SearchEntry, is_local_search, local_search_of
from hetopt.schedule.slowed import Steps, solve_slowed
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

LONGEST_SPAN = 2**15
"""How many times as long as what its grid is made for the span of an exact model may be."""
LARGEST_MODEL = 1_000_000
"""Constraints above which a CP-SAT model takes too much memory and time."""
CONSTRAINTS_PER_S = 4_000
"""Constraints per second of the time limit that are built: a quarter of it on this kind of
machine, presolve included."""
CHOICE_CONSTRAINTS, CHAIN_CONSTRAINTS = 3, 4
"""Constraints per choice (task, option, unit) and per transfer chain."""
SHARED_MODEL = 100_000
"""Constraints up to which a worker repairs the plan beside CP-SAT: it needs a model of its own."""
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
MANY_CHOICES = 50_000
"""Choices of all tasks above which constructors that go over each in Python are left out then."""
FIRST_SHARE = 0.1
"""Part of the time for each constructor where an entry that needs no plan follows."""
RECLAIM_SHARE = 0.1
"""Part of the time left that choosing options anew may take."""
COMPILE_SHARE = 0.8
"""Part of the time left that compiling the loops of a search may take, once per installation."""
GRACE_S = 0.5
"""Time over its share after which an entry is left behind."""
DIVIDING = ("auto", "cpsat", "lns")
"""Methods that solve parts of an instance apart where they share nothing."""
SEARCHING = ("auto", "heuristic")
"""Methods that choose a search, and say why."""
COMPILE_S = 12.0
"""Time limit from which an entry may compile its loops first, once per installation."""


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
        ``auto``, ``cpsat``, ``heuristic`` (all constructors, then an entry), an entry's
        name (the same, with that entry, for as long as there is time), or a constructor's.
    start
        A valid plan to start from; the result is never worse.
    """
    split = apart(instance)
    if split is not None:
        known = None if start is None else split.start(start, instance)
        found = solve_schedule(split.instance, budget, method=method, start=known)
        if isinstance(found.plan, SchedulePlan):
            found = replace(found, plan=split.plan(found.plan, instance))
        return found
    if "value" in instance.objective:
        return solve_optional(instance, budget, method, start, solve_schedule)
    if math.isfinite(instance.limits.cycle_s):
        return solve_cyclic(instance, budget, method, start)
    if method in DIVIDING:
        parts = parts_of(instance)
        if len(parts) > 1:
            return solve_apart(instance, parts, budget, method, start, _solve_whole)
    return _solve_whole(instance, budget, method, start)


def _solve_whole(
    instance: Instance, budget: Budget, method: str, start: SchedulePlan | None
) -> RegimeResult:
    """Solve an instance that does not fall apart."""
    if slows(instance):
        return solve_slowed(instance, budget, method, start, _STEPS)
    best = Incumbent(instance, budget, bounds=[math.nan] * len(instance.objective))
    size = _model_size(instance)
    exact = size <= _affordable(budget)
    if start is not None:
        best.offer(start, "start")
        best.passed("start")
    entry = None if method in CONSTRUCTORS else _local_search(best, method)
    alone = entry is not None and entry.alone
    many = len(instance.admissible[1]) > MANY_CHOICES
    skipped = alone and many and packed(always_idling(instance)) is None
    if method == "heft" or not (method in CONSTRUCTORS or skipped):
        # Before anything that needs a heavy import: short limits get a plan too.
        _construct(best, "heft", FIRST_SHARE if alone else 1.0)
    limit = None if budget.deterministic else time.monotonic() + budget.left_s() * BOUND_SHARE
    objective_bounds.load_plan(drawing_less(instance, instance.objective[0]), limit)
    best.bounds = [objective_bounds.bound(instance, name) for name in instance.objective]
    best.log.bound_by = {
        level: objective_bounds.source(instance, name)
        for level, name in enumerate(instance.objective)
    }
    if math.isinf(best.bounds[0]) and best.plan is None:
        reason = (
            "Even the shortest options, or the time that the devices have, exceed the deadline, "
            "or those that use least of a resource exceed its budget, or units that are always on "
            "draw more than the power cap, or some task has no option left, or some message has no "
            "path between devices that could run its two tasks."
        )
        return best.result("bound", "proved", infeasible=True, reason=reason)
    if method != "heft" and not skipped:
        share = 1.0 if method in CONSTRUCTORS or not (exact or entry) else HEURISTIC_SHARE
        name = method if method in CONSTRUCTORS else "portfolio"
        _construct(best, name, FIRST_SHARE if alone else share)
    exact = exact and method in ("auto", "cpsat", "lns")
    if method not in CONSTRUCTORS:
        _reclaim(best)
    searched = entry is not None
    if entry is not None and method == "auto" and best.plan is not None:
        exact = exact and size <= _affordable_after(entry, instance, budget)
    if entry is not None:
        _improve(best, entry, whole=is_local_search(method) or not exact)
        _reclaim(best)
    if skipped and best.plan is None:
        _construct(best, "heft", 1.0)
    if method not in ("auto", "cpsat", "lns"):
        return best.result(method, best.ended())
    if not exact:
        best.notes.append(
            f"The instance is too large for an exact model in this time ({size:,} constraints): "
            "the plan is a heuristic's."
        )
        return best.result(best.found_by or "heuristic", best.ended())
    shared = (
        method == "auto"
        and searched
        and best.plan is not None
        and budget.workers > 1
        and not budget.deterministic  # which of two threads is first is the clock's word
        and size <= SHARED_MODEL
    )
    return _exact(best, method, shared=shared)


def _model_size(instance: Instance) -> int:
    """Constraints of a CP-SAT model, roughly: choices, edges, and chains of transfers."""
    devices, links = instance.devices, instance.links
    classes = instance.classes
    units = int(devices.count_max.sum())
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    each = np.bincount(
        owner, devices.count_max[instance.options.device[classes.option]], len(classes)
    )
    choices = int(each[classes.member].sum())
    contended = (
        bool(np.isfinite(devices.memory_b).any() or np.isfinite(instance.pools.memory_b).any())
        or bool((links.channel_group >= 0).any())
        or not devices.overlap.all()
    )
    chained = len(instance.tensors) if contended else int(instance.tensors.staged.sum())
    chains = chained * len(devices) * units * CHAIN_CONSTRAINTS
    return choices * CHOICE_CONSTRAINTS + len(instance.edges) * units + chains + _arcs(instance)


def _arcs(instance: Instance) -> int:
    """Pairs of tasks that may be next to each other on a unit with set-ups."""
    classes, numbers = instance.classes, configurations(instance)
    size = np.bincount(classes.member, minlength=len(classes))
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    total = 0
    for device in device_setups(instance):
        here = (instance.options.device[classes.option] == device) & (numbers[classes.option] >= 0)
        nodes = int(size[owner[here]].sum())
        total += int(instance.devices.count_max[device]) * nodes * nodes
    return total


def _affordable(budget: Budget) -> int:
    """Constraints that can be built, and presolved, in a part of the time."""
    return int(min(LARGEST_MODEL, max(SMALL_MODEL, budget.limit_s * CONSTRAINTS_PER_S)))


def _affordable_after(entry: SearchEntry, instance: Instance, budget: Budget) -> int:
    """Constraints that can be built in half of the time that a search leaves to CP-SAT."""
    left = budget.limit_s if budget.deterministic else budget.left_s()
    after = max(0.0, left - entry.seconds(instance, left))
    return int(max(SMALL_MODEL, 2 * after * CONSTRAINTS_PER_S))


def _construct(best: Incumbent, name: str, share: float) -> None:
    """Run a constructor for a part of the time left (to its end in deterministic mode).

    Where there is no plan yet, and no entry that needs none, it has all of the time.
    """
    budget = best.budget
    if budget.stop.is_set():
        return
    if best.plan is None and share > FIRST_SHARE:
        share = 1.0
    limit = None if budget.deterministic else time.monotonic() + share * budget.left_s()
    plan = CONSTRUCTORS[name](always_idling(best.instance), limit=limit)
    plain = always_idling(best.instance) is best.instance
    if plan is not None and (plain or verify(best.instance, plan).ok):
        best.offer(plan, name)
        best.shift(plan, name)
    best.passed(name)


def _seen(instance: Instance) -> Instance:
    """Return the instance as searches see it.

    Without sleep and start-ups, and under mean prices, where they change over time.
    """
    plain = always_idling(instance)
    return at_mean_prices(plain) if prices_vary(plain) else plain


def _local_search(best: Incumbent, method: str) -> SearchEntry | None:
    """Choose the entry that is asked for, or that is worth its time here."""
    instance, asked = best.instance, is_local_search(method)
    entry = local_search_of(_seen(instance), method)
    if entry is None:
        if asked:
            best.notes.append(
                f"Local search skipped: {method} does not support this instance; the plan is a "
                "list scheduler's."
            )
        elif method in SEARCHING:
            lacking = why_unsupported(_seen(instance))
            best.notes.append(f"Local search skipped: it does not support {lacking}.")
        return None
    if asked:
        return entry
    # Numba is loaded where an instance is large enough to need it.
    if not entry.worth(instance):
        if method in SEARCHING:
            few = len(instance.tasks) < entry.least
            why = "CP-SAT is as good on so few tasks" if few else "there are too many tasks"
            best.notes.append(f"The search {entry.name} is left out: {why}.")
        return None
    # An answer that depends on nothing but the seed must not depend on what is compiled already.
    patient = best.budget.deterministic or best.budget.limit_s >= COMPILE_S
    if patient or entry.load().is_compiled():
        if method in SEARCHING:
            best.notes.append(f"The search is {entry.name}: {entry.suits}.")
        return entry
    jit.left_out.append(entry.name)
    best.notes.append(
        f"The search {entry.name} is left out: its loops have yet to be compiled, once per "
        f"installation, which a time limit of {COMPILE_S:g} s or more leaves time for, and "
        "`hetopt compile` does ahead."
    )
    return None


def _improve(best: Incumbent, entry: SearchEntry, *, whole: bool) -> None:
    """Improve the plan in the first objective; for all of the time left where nothing follows."""
    budget, module = best.budget, entry.load()
    if best.closed(0) or budget.over() or not _compiled(best, entry):
        return
    seconds = budget.limit_s if budget.deterministic else budget.left_s()
    if not whole:
        seconds = entry.seconds(best.instance, seconds)
    elif not budget.deterministic:
        # What it returns after its time is lost, the bound too.
        seconds = max(seconds - GRACE_S, seconds / 2)
    seen = _seen(best.instance)
    search = partial(
        module.improve,
        seen,
        best.plan,
        seconds=None if budget.deterministic else seconds,
        iterations=module.moves_within(seen, seconds) if budget.deterministic else None,
        seed=budget.seed,
        workers=1 if budget.deterministic else budget.workers,
        stop=budget.stop,
        bound=best.bounds[0] if seen is best.instance else math.nan,
    )
    if budget.deterministic:
        done: Improved | None = search()
    else:
        taking = _Taking(best, entry.name)
        limit = min(seconds + GRACE_S, budget.left_s())
        done = in_time(partial(search, found=taking), limit, budget.stop)
        taking.over = True
    if done is None:
        best.passed(entry.name)
        return
    if done.plan is not None:
        best.offer(done.plan, entry.name)
        best.shift(done.plan, entry.name)
    if seen is best.instance:
        best.raise_bound(done.bound, entry.name)
    best.passed(entry.name)


def _compiled(best: Incumbent, entry: SearchEntry) -> bool:
    """Have the loops compiled before the time of the search begins; return whether they are.

    That happens once per installation. Nothing can interrupt it; where it takes too long it goes
    on beside what follows, and the search is left out.
    """
    budget, module = best.budget, entry.load()
    if budget.deterministic or module.is_compiled():
        return True
    first = partial(module.improve, _seen(best.instance), best.plan, iterations=1, seed=budget.seed)
    if in_time(first, COMPILE_SHARE * budget.left_s(), budget.stop) is not None:
        return True
    best.notes.append(
        f"The loops of {entry.name} were not compiled within a part of the time limit, so the "
        "search was left out; that happens once per installation (`hetopt compile`: ahead)."
    )
    jit.left_out.append(entry.name)
    return False


def _reclaim(best: Incumbent) -> None:
    """Choose the options of the best plan anew where that can gain; units and orders stay."""
    budget, level = best.budget, best.level
    if best.plan is None or best.closed(level) or budget.over():
        return
    seconds = math.inf if budget.deterministic else RECLAIM_SHARE * budget.left_s()
    plan = reclaim(best.instance, best.plan, level, seconds)
    if plan is not None and verify(best.instance, plan).ok and best.offer(plan, "reclaim"):
        best.passed("reclaim")


class _Taking:
    """Takes an entry's plans while it is waited for, and none once it was left behind."""

    def __init__(self, best: Incumbent, name: str) -> None:
        self.best = best
        self.name = name
        self.over = False

    def __call__(self, plan: SchedulePlan) -> None:
        if not self.over:
            self.best.offer(plan, self.name)


def _exact(best: Incumbent, method: str, *, shared: bool = False) -> RegimeResult:
    """Solve level after level with CP-SAT, the earlier ones held at their values.

    Parameters
    ----------
    shared
        Whether one worker repairs the plan meanwhile.
    """
    # Importing OR-Tools takes about a second, which short limits need for something better.
    from hetopt.schedule.cpsat.objective_level import Level
    from hetopt.schedule.cpsat.second_proof import infeasible_again, prove_again
    from hetopt.schedule.cpsat.with_repairs import solve_and_repair

    instance, budget = best.instance, best.budget
    longest = span_s(instance)
    if best.plan is not None:
        # Not so short that the whole span makes ticks whose sums do not fit 64 bits.
        makespan = objectives(instance, best.plan, ("makespan",))[0]
        longest = min(longest, max(makespan, longest / LONGEST_SPAN))
    problem = Problem(instance, model_grid(instance, longest))
    levels = len(instance.objective)
    for level in range(levels):
        best.level = level
        if level:
            _reclaim(best)
        spent, left = 0.0, 0.0
        while not best.closed(level) and not budget.over():
            began = time.monotonic()
            seconds = budget.limit_s / levels
            if not budget.deterministic:
                seconds = budget.left_s() / (levels - level)
            solving = Level(best, problem, level, seconds)
            infeasible, repairing = False, method == "lns" and best.plan is not None
            if repairing:
                solving.repair()
            elif shared:
                solving, infeasible = solve_and_repair(best, problem, level, seconds)
            else:
                infeasible = solving.solve()
            spent = solving.spent if budget.deterministic else time.monotonic() - began
            left = seconds - spent
            if infeasible:
                if infeasible_again(best, problem, level, spent, left):
                    reason = "CP-SAT proved that no schedule meets all limits together."
                    return best.result("cpsat", "proved", infeasible=True, reason=reason)
                if best.plan is not None:
                    continue
            if repairing:
                break
            finer = problem.grid.tick / REFINEMENT
            if not solving.limited_by_grid or span_s(instance) / finer > FINEST_TICKS:
                break
            problem = Problem(instance, Grid(finer, "down"))
        prove_again(best, problem, level, spent, left)
        best.passed("lns" if method == "lns" else "cpsat with lns" if shared else "cpsat")
        _reclaim(best)
        if best.plan is None:
            break
    best.level = 0
    return best.result("lns" if method == "lns" else "cpsat", best.stopped())


_STEPS = Steps(
    solve=_solve_whole,
    improve=lambda best, entry, whole: _improve(best, entry, whole=whole),
    affordable=lambda instance, budget: _model_size(instance) <= _affordable(budget),
)
"""What solving instances in which resources slow what runs shares with this."""
