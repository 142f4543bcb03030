"""Bounds that hold for every plan, under every limit (docs/mathematics.md).

Each is a relaxation: it forgets memory, channels and most orders, and keeps releases, the longest
chain of shortest options with the messages that it cannot avoid
(:mod:`hetopt.schedule.bounds.heads_and_tails`), and time on devices. ``math.inf`` says that no
plan exists. The load bound of energy, cost and carbon is in
:mod:`hetopt.schedule.bounds.load_bound`.
"""

from __future__ import annotations

import math

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate.slowing import slows
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.derived import once
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.tariffs import series_of
from hetopt.schedule.bounds.cycle_load import cycle_load
from hetopt.schedule.bounds.heads_and_tails import Reach, idle_makespan, reach, worth
from hetopt.schedule.bounds.load_bound import (
    Load,
    LoadBound,
    load_bound,
    load_makespan,
    makespan_time_prices,
)
from hetopt.schedule.bounds.longest_paths import longest_paths
from hetopt.schedule.bounds.peak_bound import latest_ends, load_power, surely_apart, window_power
from hetopt.schedule.bounds.resource_bounds import out_of_budget, resource_cost, resource_makespan
from hetopt.schedule.bounds.rounding import ALLOWED
from hetopt.schedule.bounds.setup_bounds import charged
from hetopt.schedule.bounds.slowed_bounds import capped_makespan, mean_power
from hetopt.schedule.bounds.tariff_load_bound import priced_bound
from hetopt.schedule.bounds.window_bound import window_bound
from hetopt.schedule.model.boards_apart import apart
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.usable_options import usable_classes
from hetopt.schedule.model.without_sleep import drawing_less
from hetopt.schedule.model.without_slowdown import relaxed, shares

WINDOW_PAIRS = 6_000
"""Tasks × devices above which the LPs of windows take too long here (a second)."""
MANY_TASKS = 50_000
"""Tasks above which chains in Python, for the latest ends, take too long."""
_SOURCES = {
    "tardiness": "critical paths",
    "peak_power": "the most demanding task",
    "accuracy": "the most accurate options",
}
"""What a bound follows from where there is but one way."""
_SAFETY = GAP_TOLERANCE * 1e-3
"""Relative weakening of float sums; far above their rounding, far below what is reported."""


def bound(instance: Instance, objective: str) -> float:
    """Return a proven bound of one objective over all plans.

    A lower bound, or for ``accuracy`` an upper one; ``math.inf`` (``-math.inf``) where the
    relaxation alone shows that no plan exists.
    """
    split = apart(instance)
    if split is not None:
        found = bound(split.instance, objective)
        _note_source(instance, objective, source(split.instance, objective))
        return found
    plain = drawing_less(instance, objective)
    if plain is not instance:
        found = bound(plain, objective)
        _note_source(instance, objective, source(plain, objective))
        return found
    if math.isfinite(instance.limits.cycle_s):
        return cyclic_bound(instance, objective)
    if slows(instance):
        return _slowed_bound(instance, objective)
    return _bound(instance, objective)


def _slowed_bound(instance: Instance, objective: str) -> float:
    """Return a bound where resources slow what runs: that of the relaxed instance, and of power.

    :mod:`hetopt.schedule.model.without_slowdown` says why the bounds of the relaxed instance hold.
    """
    plain, always = relaxed(instance), _always_w(instance)
    found = _bound(plain, objective)
    if math.isinf(found):
        return found
    _, highest = window(plain)
    capped = capped_makespan(instance, always) * (1 - _SAFETY)
    if capped > highest * ALLOWED or math.isinf(capped):
        return -math.inf if objective == "accuracy" else math.inf
    if objective == "makespan" and capped > found:
        _note_source(plain, objective, "energy under the power cap")
        return _weaker(capped)
    if objective == "peak_power":
        return max(found, _weaker(mean_power(instance, always, highest)))
    return found


def _bound(instance: Instance, objective: str) -> float:
    """Return a bound of an instance; of one that slows what runs it must be the relaxed one."""
    load = load_of(instance)
    limited = len(instance.uses) > 0
    hopeless = not load.possible or _idle_too_much(instance)
    if hopeless or (limited and out_of_budget(instance, *_usable(instance))):
        return -math.inf if objective == "accuracy" else math.inf
    if objective == "accuracy":
        return _accuracy(instance)
    lowest, highest = window(instance)
    if math.isinf(lowest) or lowest > highest * (1 + GAP_TOLERANCE):
        return math.inf
    if objective == "makespan":
        return _weaker(makespan_bound(instance))
    if objective == "tardiness":
        return _weaker(_tardiness(instance))
    if objective == "peak_power":
        return _weaker(_peak_power(instance, load))
    if objective in ENERGY_LIKE:
        if objective == instance.objective[0]:
            found = load_plan(instance).value
        else:
            found = load_bound(instance, load, objective, lowest, highest).value
        changed = charged(instance)
        if changed is not None:
            more = _with_setups(instance, changed, objective)
            if more > found:
                found = more
                _note_source(instance, objective, "time on devices with set-ups")
        series = series_of(instance, objective)
        if series is not None:
            ends = lowest, highest
            priced = priced_bound(instance, load, objective, series, ends)
            if priced > found:
                found = priced
                _note_source(instance, objective, "time on devices at each price")
        if limited:
            task, option = _usable(instance)
            costs = resource_cost(instance, task, option, objective, highest)
            if costs > found:
                found = costs
                _note_source(instance, objective, "resources")
        return _weaker(found)
    raise ValueError(f"There is no bound for the objective {objective!r}.")


def _with_setups(instance: Instance, changed: Instance, objective: str) -> float:
    """Return the load bound of the instance with set-ups shared out; computed once."""
    known = _setup_values(instance)
    if objective not in known:
        ends = window(instance)
        known[objective] = load_bound(changed, load_of(changed), objective, *ends).value
    return known[objective]


@once
def _setup_values(_: Instance) -> dict[str, float]:
    return {}


def cyclic_bound(instance: Instance, objective: str) -> float:
    """Return a proven bound of one objective of a schedule that repeats each H.

    Of power and accuracy the cycle changes nothing. Every path keeps its length, so the longest
    latency is at least that of any job's longest chain. Energy of one cycle is that of the options
    and the idle of all units on over H; a unit that is on for its work is so for at least the
    work's part of its slots: idle × H × units on >= idle × Σ time / slots, and each task may take
    the cheapest option by that, or as the devices' time allows
    (:mod:`hetopt.schedule.bounds.cycle_load`). Work that fits on one device alone must fit into H.
    """
    load = load_of(instance)
    cycle_s, devices, options = instance.limits.cycle_s, instance.devices, instance.options
    room = load.capacity * cycle_s
    shortest = _least_per_task(instance, options.time_s) * instance.tasks.work
    classes = usable_classes(instance)
    only = np.array(
        [
            int(d[0]) if len(d := np.unique(options.device[classes.option[a:b]])) == 1 else -1
            for a, b in zip(classes.ptr[:-1], classes.ptr[1:], strict=True)
        ],
        dtype=np.int64,
    )[classes.member]
    work = np.bincount(only[only >= 0], shortest[only >= 0], len(devices))
    hopeless = not load.possible or _idle_too_much(instance)
    ends = heads_s(instance)[1]
    latest = instance.jobs.deadline_s[instance.tasks.job] * (1 + GAP_TOLERANCE)
    full = (work > room * ALLOWED).any() or shortest.sum() > room.sum() * ALLOWED
    if hopeless or full or (ends > latest).any():
        return -math.inf if objective == "accuracy" else math.inf
    if objective == "accuracy":
        return _accuracy(instance)
    if objective == "tardiness":
        return _weaker(_tardiness(instance))
    if objective == "peak_power":
        return _weaker(_peak_power(instance, load))
    latency = ends * (1 - _SAFETY) - instance.jobs.release_s[instance.tasks.job]
    if objective == "makespan":
        _note_source(instance, objective, "critical paths")
        return _weaker(max(0.0, float(latency.max(initial=0.0))))
    price = joule_prices(instance, objective)
    had = devices.count_min * devices.price_per_s if objective == "cost" else 0.0
    always = ~devices.off_when_unused * devices.count_min * devices.idle_power_w * price
    owed = np.where(devices.off_when_unused | (devices.count_min == 0), devices.idle_power_w, 0.0)
    each = options.energy_j + owed[options.device] / devices.slots[options.device] * options.time_s
    least = _least_per_task(instance, each * price[options.device]) * instance.tasks.work
    alone = float((always + had).sum()) * cycle_s + float(least.sum())
    key = f"cycle load: {objective}"
    if key not in instance.derived:
        instance.derived[key] = cycle_load(instance, load, objective)
    return _weaker(max(alone, instance.derived[key]))


def source(instance: Instance, objective: str) -> str:
    """Say in a few words what the bound of an objective follows from; known once it is made."""
    if slows(instance) and math.isinf(instance.limits.cycle_s):
        instance = relaxed(instance)
    return _sources(instance).get(objective, _SOURCES.get(objective, "time on devices"))


def _note_source(instance: Instance, objective: str, words: str) -> None:
    _sources(instance)[objective] = words


@once
def _sources(_: Instance) -> dict[str, str]:
    """Return what gave the bound of an objective, where that is not always the same."""
    return {}


def load_plan(instance: Instance, limit: float | None = None) -> LoadBound:
    """Prices of device time and units on (length D) of the first objective's load bound.

    Prices are 0 and all units on where that objective has none. Computed once per instance;
    ``limit`` is a ``time.monotonic()`` value at which the computation is cut short.
    """
    made = instance.derived.get("load_plan")
    if isinstance(made, LoadBound):
        return made
    load, name = load_of(instance), instance.objective[0]
    found = LoadBound(
        0.0, np.zeros(len(instance.devices)), instance.devices.count_max.astype(np.float64)
    )
    if name in ENERGY_LIKE and load.possible:
        lowest, highest = window(instance)
        if lowest <= highest:
            found = load_bound(instance, load, name, lowest, highest, limit)
    instance.derived["load_plan"] = found
    return found


@once
def makespan_prices(instance: Instance) -> Floats:
    """Prices on device time (D) of the makespan's load bound, up to a factor; computed once."""
    load = load_of(instance)
    if not len(load.work) or not load.possible:
        return np.zeros(len(instance.devices))
    return makespan_time_prices(instance, load)


def window(instance: Instance) -> tuple[float, float]:
    """Proven least and greatest makespan of any plan, in seconds (greatest inf: no limit)."""
    highest = float(instance.limits.horizon_s)
    if len(instance.jobs):
        busy = np.unique(instance.tasks.job)
        if len(busy):
            highest = min(highest, float(instance.jobs.deadline_s[busy].max()))
    return makespan_bound(instance), highest * ALLOWED


@once
def makespan_bound(instance: Instance) -> float:
    """Largest of critical path, unavoidable messages and load LP, in s; computed once."""
    load = load_of(instance)
    found = {
        "the critical path": float(heads_s(instance)[1].max(initial=0.0)),
        "time on devices": load_makespan(instance, load),
    }
    reached = reach_of(instance)
    if reached is not None:
        found["messages"] = reached.makespan
        found["idle time before messages"] = idle_makespan(instance, reached)
    if load.possible and len(instance.tasks):
        found["time on devices between heads and tails"] = _windows(instance, reached)
    changed = charged(instance)
    if load.possible and changed is not None:
        found["time on devices with set-ups"] = load_makespan(changed, load_of(changed))
    if load.possible and len(instance.uses):
        found["resources"] = resource_makespan(instance, *_usable(instance))
    words, made = max(found.items(), key=lambda item: item[1])
    _note_source(instance, "makespan", words)
    return float(made * (1 - _SAFETY))


def _windows(instance: Instance, reached: Reach | None) -> float:
    """Least makespan by windows of time on devices; 0 where the instance is too large."""
    if len(instance.tasks) * len(instance.devices) > WINDOW_PAIRS:
        return 0.0
    lengths = _lengths(instance) if reached is None else reached.length
    lanes = instance.devices.count_max * instance.devices.slots
    if reached is not None:
        return window_bound(reached.start, lengths, reached.rest, lanes).value
    ones = np.ones(len(lanes))
    rest = _tails_s(instance, lengths.min(axis=1))
    return window_bound(
        np.outer(heads_s(instance)[0], ones), lengths, np.outer(rest, ones), lanes
    ).value


def _tails_s(instance: Instance, shortest: Floats) -> Floats:
    """Least time from the end of each task to the end of all that follows it (length T)."""
    ptr, edge = (column.tolist() for column in instance.predecessors)
    before, least = instance.edges.src.tolist(), shortest.tolist()
    rest = [0.0] * len(least)
    for task in reversed(instance.topological_order.tolist()):
        through = rest[task] + least[task]
        for k in range(ptr[task], ptr[task + 1]):
            other = before[edge[k]]
            rest[other] = max(rest[other], through)
    return np.array(rest)


def heads_s(instance: Instance) -> tuple[Floats, Floats]:
    """Earliest start and end of each task (length T).

    By releases, shortest options and, where the instance is not too large, unavoidable messages.
    """
    reached = reach_of(instance)
    if reached is not None and load_of(instance).possible:
        ends = reached.start + reached.length
        return reached.start.min(axis=1, initial=np.inf), ends.min(axis=1, initial=np.inf)
    shortest = _least_per_task(instance, instance.options.time_s) * instance.tasks.work
    start = instance.jobs.release_s[instance.tasks.job].copy()
    if load_of(instance).possible:
        longest_paths(instance, start, shortest)
        return start, start + shortest
    return start, start.copy()


@once
def reach_of(instance: Instance) -> Reach | None:
    """Least times before and after each task on each device, in s; computed once.

    None where there are no messages, or the instance is too large.
    """
    return reach(instance, _lengths(instance)) if worth(instance) else None


def _lengths(instance: Instance) -> Floats:
    """Shortest time of each task on each device (T × D), inf where it cannot run."""
    classes, options = usable_classes(instance), instance.options
    least = np.full((len(classes), len(instance.devices)), np.inf)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    device = options.device[classes.option]
    np.minimum.at(least, (owner, device), options.time_s[classes.option])
    least = least[classes.member]
    work = np.where(np.isfinite(least), instance.tasks.work[:, None], 1.0)
    return np.asarray(least * work)


def _usable(instance: Instance) -> tuple[Ints, Ints]:
    """(task, option) pairs that a plan may use, by task: a row for each, so not for bounds."""
    classes = usable_classes(instance)
    size = np.diff(classes.ptr)[classes.member]
    end = np.cumsum(size)
    at = np.arange(size.sum()) + np.repeat(classes.ptr[classes.member] - end + size, size)
    return np.repeat(np.arange(len(size)), size), classes.option[at]


def _least_per_task(instance: Instance, column: Floats) -> Floats:
    classes = usable_classes(instance)
    least = np.full(len(classes), np.inf)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    np.minimum.at(least, owner, column[classes.option])
    return least[classes.member]


@once
def load_of(instance: Instance) -> Load:
    """Group tasks into classes; computed once per instance."""
    classes = usable_classes(instance)
    capacity = (instance.devices.slots * instance.devices.count_max).astype(np.float64)
    work = np.bincount(classes.member, weights=instance.tasks.work, minlength=len(classes))
    possible = bool((np.diff(classes.ptr) > 0).all())
    return Load(work.astype(np.float64), classes.ptr, classes.option, capacity, possible)


def _tardiness(instance: Instance) -> float:
    _, end = heads_s(instance)
    last = np.zeros(len(instance.jobs))
    np.maximum.at(last, instance.tasks.job, end)
    # Weaker before the difference is taken: the two times may be large, and it small.
    late = np.maximum(0.0, last * (1 - _SAFETY) - instance.jobs.due_s)
    return float((instance.jobs.weight * late).sum())


def _idle_too_much(instance: Instance) -> bool:
    """Whether what is on whatever runs draws more than the power cap."""
    return _always_w(instance) > instance.limits.power_cap_w * ALLOWED


def _always_w(instance: Instance) -> float:
    """Idle power of units that are never off."""
    devices = instance.devices
    return float((devices.idle_power_w * devices.count_min)[~devices.off_when_unused].sum())


def _peak_power(instance: Instance, load: Load) -> float:
    """Idle of what is on anyway, plus the greater of the most demanding task and a window's mean.

    :mod:`hetopt.schedule.bounds.peak_bound` has the argument. A cycle is a window of its own: what
    is on for its tasks is so for their part of its slots (see :func:`cyclic_bound`).
    """
    devices, options = instance.devices, instance.options
    always = _always_w(instance)
    if not len(load.work) or not load.possible:
        return always
    owed = devices.off_when_unused | (devices.count_min == 0)
    on = np.where(owed, devices.idle_power_w, 0.0)
    # What may be slowed may draw as little as one likes, for long enough.
    busy = (options.time_s > 0) & ~shares(instance)
    draw = on[options.device]
    draw[busy] += options.energy_j[busy] / options.time_s[busy]
    demanding = float(np.minimum.reduceat(draw[load.option], load.ptr[:-1]).max())
    # A unit of s slots is on for its tasks for their time over s at least.
    each = np.where(options.time_s > 0, options.energy_j, 0.0)
    each = each + (on / devices.slots)[options.device] * options.time_s
    tasks, limits = instance.tasks, instance.limits
    latest = np.minimum(instance.jobs.deadline_s[tasks.job], limits.horizon_s)
    least = _least_per_task(instance, each) * tasks.work
    shortest = _least_per_task(instance, options.time_s) * tasks.work
    last = float(latest.max())
    least *= surely_apart(shortest, last)
    if math.isfinite(limits.cycle_s):
        mean = float(least.sum()) / limits.cycle_s
    elif math.isfinite(last):
        if len(latest) <= MANY_TASKS:
            latest = latest_ends(instance, latest, shortest)
        mean = window_power(heads_s(instance)[0], latest, least)
        mean = max(mean, _loaded(instance) - always)
    else:
        mean = 0.0
    if mean > demanding:
        _note_source(instance, "peak_power", "mean power")
    return always + max(demanding, mean)


@once
def _loaded(instance: Instance) -> float:
    """Return the load relaxation's mean power of the window that holds all tasks (W)."""
    options, tasks = instance.options, instance.tasks
    lasting = np.where(options.time_s > 0, options.time_s, np.inf)
    each = _least_per_task(instance, lasting) * tasks.work
    first, last = float(heads_s(instance)[0].min()), window(instance)[1]
    part = float(surely_apart(each, last).min())
    always = _always_w(instance)
    return always + (load_power(instance, load_of(instance), first, last, part) - always) * part


def _accuracy(instance: Instance) -> float:
    """Weighted mean over jobs of the least over tasks of the best option."""
    classes = usable_classes(instance)
    accuracy = instance.options.accuracy[classes.option]
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    stated = ~np.isnan(accuracy)
    top = np.full(len(classes), -np.inf)
    np.maximum.at(top, owner[stated], accuracy[stated])
    best = top[classes.member]
    worst = np.full(len(instance.jobs), np.inf)
    states = np.isfinite(best)
    np.minimum.at(worst, instance.tasks.job[states], best[states])
    counted = np.isfinite(worst)
    weight = instance.jobs.weight[counted]
    if not weight.sum():
        return math.nan
    return float((weight * worst[counted]).sum() / weight.sum()) * (1 + _SAFETY)


def _weaker(value: float) -> float:
    return value - _SAFETY * abs(value) if math.isfinite(value) else value
