"""The stages that strategies are made of: constructors, a local search, options chosen anew.

Each improves the best plan known (:mod:`hetopt.schedule.incumbent`) within its part of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from hetopt.instance import Instance
from hetopt.instance.tariffs import at_mean_prices, prices_vary
from hetopt.runtime import jit
from hetopt.runtime.interrupt import in_time
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS, SUPPORTED
from hetopt.schedule.model.features import beyond
from hetopt.schedule.model.without_sleep import always_idling
from hetopt.schedule.polish.slack_reclamation import reclaim
from hetopt.schedule.search.decoder_features import why_unsupported
from hetopt.schedule.search.entry import SearchEntry
from hetopt.schedule.search.local_search import Improved, LocalSearch
from hetopt.schedule.search.registry import is_local_search, local_search_of
from hetopt.solution import SchedulePlan
from hetopt.verify import verify

FIRST_SHARE = 0.1
"""Part of the time for each constructor where an entry that needs no plan follows."""
RECLAIM_SHARE = 0.1
"""Part of the time left that choosing options anew may take."""
PEAK_SHARE = 0.3
"""Part of a later level's time that lowering the peak power may take."""
PEAK_FROM = 20
"""Tasks from which it is lowered there: below, CP-SAT is as good alone."""
COMPILE_SHARE = 0.8
"""Part of the time left that compiling the loops of a search may take, once per installation."""
GRACE_S = 0.5
"""Time over its share after which an entry is left behind."""
SEARCHING = ("auto", "heuristic")
"""Methods that choose a search, and say why."""
COMPILE_S = 12.0
"""Time limit from which an entry may compile its loops first, once per installation."""


def construct(best: Incumbent, name: str, share: float) -> None:
    """Run a constructor for a part of the time left (to its end in deterministic mode).

    Where there is no plan yet, and no entry that needs none, it has all of the time.
    """
    budget = best.budget
    if budget.stop.is_set():
        return
    if best.plan is None and share > FIRST_SHARE:
        share = 1.0
    limit = None if budget.deterministic else time.monotonic() + share * budget.left_s()
    seen = always_idling(best.instance)
    plan = CONSTRUCTORS[name](seen, limit=limit)
    known = seen is best.instance and not beyond(seen, SUPPORTED)
    if plan is not None and (known or verify(best.instance, plan).ok):
        best.offer(plan, name)
        best.shift(plan, name)
    best.passed(name)


def choose_search(best: Incumbent, method: str) -> SearchEntry | None:
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


def improve(best: Incumbent, entry: SearchEntry, *, whole: bool) -> None:
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
    bound = best.bounds[0] if seen is best.instance else math.nan
    search = _prepared(best, module, seen, seconds, bound=bound, priced=_priced(best.instance))
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


def _prepared(
    best: Incumbent, search: type[LocalSearch[Any]], asked: Instance, seconds: float, **more: Any
) -> Callable[..., Improved]:
    """Return a search from the best plan, for seconds or as many moves as the budget counts so."""
    budget = best.budget
    return partial(
        search.improve,
        asked,
        best.plan,
        seconds=None if budget.deterministic else seconds,
        iterations=search.moves_within(asked, seconds) if budget.deterministic else None,
        seed=budget.seed,
        workers=1 if budget.deterministic else budget.workers,
        stop=budget.stop,
        **more,
    )


def _compiled(best: Incumbent, entry: SearchEntry) -> bool:
    """Have the loops compiled before the time of the search begins; return whether they are.

    That happens once per installation. Nothing can interrupt it; where it takes too long it goes
    on beside what follows, and the search is left out.
    """
    budget, module = best.budget, entry.load()
    if budget.deterministic or module.is_compiled():
        return True
    first = partial(
        module.improve,
        _seen(best.instance),
        best.plan,
        iterations=1,
        seed=budget.seed,
        priced=_priced(best.instance),
    )
    if in_time(first, COMPILE_SHARE * budget.left_s(), budget.stop) is not None:
        return True
    best.notes.append(
        f"The loops of {entry.name} were not compiled within a part of the time limit, so the "
        "search was left out; that happens once per installation (`hetopt compile`: ahead)."
    )
    jit.left_out.append(entry.name)
    return False


def reclaim_slack(best: Incumbent) -> None:
    """Choose the options of the best plan anew where that can gain; units and orders stay."""
    budget, level = best.budget, best.level
    if best.plan is None or best.closed(level) or budget.over():
        return
    seconds = math.inf if budget.deterministic else RECLAIM_SHARE * budget.left_s()
    plan = reclaim(best.instance, best.plan, level, seconds)
    if plan is not None and verify(best.instance, plan).ok and best.offer(plan, "reclaim"):
        best.passed("reclaim")


def lower_peak(best: Incumbent) -> None:
    """Lower the peak power where it is a later objective; plans that lose earlier ones are refused.

    A makespan that is held is a horizon for the search. It sees nothing else that is held: what it
    finds is offered as it comes, and compared in the order of the objectives.
    """
    from hetopt.schedule.search.peak.falling_caps import FallingCaps

    budget, level, names = best.budget, best.level, best.instance.objective
    if not level or names[level] != "peak_power" or best.plan is None:
        return
    asked = _seen(best.instance.with_objective("peak_power"))
    if "makespan" in names[:level]:
        held = best.values[names.index("makespan")]
        asked = asked.with_limits(horizon_s=min(held, asked.limits.horizon_s))
    few = len(asked.tasks) < PEAK_FROM or best.closed(level) or budget.over()
    if few or not FallingCaps.fits(asked):
        return
    if not (budget.deterministic or FallingCaps.is_compiled()):
        return

    def take(plan: SchedulePlan) -> None:
        if verify(best.instance, plan).ok:
            best.offer(plan, "peak")

    seconds = PEAK_SHARE * best.level_seconds()
    priced = _priced(best.instance.with_objective("peak_power"))
    _prepared(best, FallingCaps, asked, seconds, found=take, priced=priced)()
    best.passed("peak")


def _priced(instance: Instance) -> Instance:
    """Return what says to searches what plans cost: with sleep, under the same prices."""
    return at_mean_prices(instance) if prices_vary(instance) else instance


def _seen(instance: Instance) -> Instance:
    """Return the instance as searches see it.

    Without sleep and start-ups, and under mean prices, where they change over time.
    """
    plain = always_idling(instance)
    return at_mean_prices(plain) if prices_vary(plain) else plain


class _Taking:
    """Takes an entry's plans while it is waited for, and none once it was left behind."""

    def __init__(self, best: Incumbent, name: str) -> None:
        self.best = best
        self.name = name
        self.over = False

    def __call__(self, plan: SchedulePlan) -> None:
        if not self.over:
            self.best.offer(plan, self.name)
