"""Passes at prices on device time: the cheapest option that still ends in time.

A pass is a list schedule in which each task takes the option with the least cost plus price × time
among those that end by the task's target. Prices on device time come from the load bound
(:mod:`hetopt.schedule.bounds.load_bound`), which knows how scarce each device is; targets are
latest ends by the deadline less what must follow. Which devices to have on at all decides much of
the idle energy: the bound is computed anew for several sets of units, and passes go through the
cheapest of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hetopt.instance import Devices, Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices, sites_differ
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.bounds.load_bound import LoadBound, load_within
from hetopt.schedule.list_scheduling import priorities as p
from hetopt.schedule.list_scheduling.dispatching_rules import heft
from hetopt.schedule.list_scheduling.packed_scheduler import (
    PLACING,
    TELLING,
    Placement,
    Setting,
    messages_of,
    place,
    plan_of,
)
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.packed import PackedProblem
from hetopt.solution import SchedulePlan

STRETCHES = (1.0, 1.5, 0.5, 0.0)
"""How much of its tail at mean times a task must leave before the deadline."""
LEVELS = (1.0, 0.9, 1.1, 0.75, 1.25, 0.5, 0.0)
"""Multiples of the load bound's prices that are tried."""
PACES = (1.0, 0.97, 0.93, 0.88, 0.8)
"""Parts of the deadline that targets are derived from."""
OPEN_PACES = (1.0, 1.05, 1.15, 1.3, 1.6, 2.0, 3.0)
"""Multiples of the bound's makespan (and of HEFT's) that stand for a deadline where none is."""
TASK_PASSES = 1_500_000
"""Tasks × passes of a search without a time limit: some seconds."""
LEAST_PASSES = 4
"""Passes of a search over a huge instance for each set of units; twice as many over a large one."""
SCARCER = (0.97, 0.94, 0.9)
"""Parts of the time on devices at which prices are computed too."""
FEWER = (0.5, 0.25)
"""Units that the relaxation would have on in part from which a huge instance has them on."""
PARTS = (0.88, 0.92, 0.95)
"""Parts of the time on devices at which its prices are computed, the one that fails least first."""
SETS = 3
"""Sets of units that passes go through, beside that of all."""
MOST_SETS = 24
"""Sets of units whose bounds are computed: some seconds."""
SET_SHARE = 0.15
"""Part of the time for them."""
LARGE = 50_000
"""Tasks from which at most one set of units is looked at, the one that the bound would have."""
TIMED_PASSES = 16
"""The same where a clock ends them."""
ROOMY = 3.0
"""Deadline over the least makespan from which it is: with less, lists fail on fewer units."""
HUGE = 500_000
"""Tasks from which a pass takes more than a second."""
_OFF = 1e-3
"""Units on, in the relaxation, below which a device counts as off."""


def price_guided(columns: PackedProblem, limit: float | None = None) -> SchedulePlan | None:
    """Return the best plan of passes at the load bound's own prices, or None."""
    search = PricedPasses(columns, limit)
    search.greedy(levels=(1.0,), paces=(1.0,))
    return search.plan()


def begins_priced(instance: Instance) -> bool:
    """Whether the first schedule is one at prices: time is short for two, and HEFT's far worse."""
    huge = len(instance.tasks) >= HUGE and instance.objective[0] in ENERGY_LIKE
    return huge and math.isfinite(objective_bounds.window(instance)[1])


def value_of(columns: PackedProblem, placement: Placement, name: str) -> float:
    """Objective value of a placement (less is better), without making its plan where possible."""
    instance = columns.instance
    if (name not in ENERGY_LIKE and name != "makespan") or sites_differ(instance, name):
        from hetopt.evaluate import objective_value

        sign = -1.0 if name == "accuracy" else 1.0
        return sign * objective_value(instance, plan_of(columns, placement), name)
    makespan = float(placement.end.max(initial=0.0)) * float(columns.grid.tick)
    if name == "makespan":
        return makespan
    options, devices, limits = instance.options, instance.devices, instance.limits
    window = limits.horizon_s if math.isfinite(limits.horizon_s) else makespan
    device = options.device[placement.option]
    energy = float((options.energy_j[placement.option] * instance.tasks.work).sum())
    tensor, to, _ = messages_of(instance, placement.option, placement.unit)
    per_b = columns.message[3, device[instance.tensors.producer[tensor]], to]
    energy += float((instance.tensors.bytes_b[tensor] * per_b).sum())
    most = int(devices.count_max.max(initial=1))
    units = np.unique(device * most + placement.unit)
    used = np.bincount(units // most, minlength=len(devices))
    had = np.maximum(used, devices.count_min)
    on = np.where(devices.off_when_unused, used, had)
    energy += window * float((devices.idle_power_w * on).sum())
    if name == "energy":
        return energy
    per_j = float(joule_prices(instance, name)[0])
    if name == "carbon":
        return energy * per_j
    return window * float((devices.price_per_s * had).sum()) + energy * per_j


@dataclass(frozen=True)
class UnitSet:
    """Units that may be used, with the prices of the load bound for them."""

    units: Ints
    bound: float
    prices: Floats
    ends: float


class PricedPasses:
    """The best placement so far, and the passes that look for a better one."""

    def __init__(self, columns: PackedProblem, limit: float | None) -> None:
        self.columns, self.limit = columns, limit
        self.instance: Instance = columns.instance
        self.name = self.instance.objective[0]
        self.best: Placement | None = None
        self.value = math.inf
        self.likely: UnitSet | None = None
        self.fewer: dict[tuple[int, float], float] = {}
        # What a pass will take: as long as the schedule before it, on this machine as it is now.
        known = self.instance.derived
        self.took_s, self.telling_s = known.get(PLACING, 0.0), known.get(TELLING, 0.0)
        self.tried = PLACING in known
        self.length = p.typical_times(columns)
        self.rank = p.upward_ranks(columns, self.length)
        tasks = max(1, len(columns.member))
        self.passes = (
            TASK_PASSES // tasks if objective_bounds.load_of(columns.instance).possible else 0
        )
        if self.passes and tasks >= LARGE:
            each = 2 * LEAST_PASSES if tasks < HUGE else LEAST_PASSES
            if limit is not None:
                each *= TIMED_PASSES // LEAST_PASSES  # the clock ends them before
            self.passes = each * (2 if self._roomy() else 1)

    def plan(self) -> SchedulePlan | None:
        """Return the plan of the best placement."""
        return None if self.best is None else plan_of(self.columns, self.best)

    def over(self) -> bool:
        """Whether there is no time, or no pass, left: a pass that has begun goes to its end."""
        needed = self.took_s + self.telling_s
        late = self.limit is not None and time.monotonic() + needed >= self.limit
        return late or self.passes <= 0

    def attempt(self, setting: Setting) -> float:
        """Try a setting; return the value that it leads to, inf for none."""
        self.passes -= 1
        began = time.monotonic()
        found = place(self.columns, setting, limit=self.limit)
        self.took_s = max(self.took_s, time.monotonic() - began) if self.tried else 0.0
        self.tried = True
        if found is None:
            return math.inf
        value = value_of(self.columns, found, self.name)
        if value < self.value:
            self.best, self.value = found, value
        return value

    def greedy(self, levels: tuple[float, ...] = LEVELS, paces: tuple[float, ...] = PACES) -> None:
        """Try passes at prices, the likely ones first, then around the best of them."""
        if self.over():
            return
        if len(self.columns.member) < LARGE:
            self.attempt(Setting(self.rank))
        sets = self.sets
        limits = self._limits(sets, paces)
        every = range(len(sets))
        first = [
            (k, end, stretch) for end in limits[:1] for stretch in STRETCHES[:2] for k in every
        ]
        rest = [(k, end, stretch) for end in limits for stretch in STRETCHES for k in every]
        found: dict[tuple[int, float, float], float] = {}
        for key in first:
            if self.over():
                return
            found[key] = self._pass(sets[key[0]], *key[1:], levels[0])
        if not found:
            return
        k, end, stretch = min(found, key=lambda key: found[key])
        if found[k, end, stretch] < math.inf:
            for scarcer in self._scarcer(sets[k]):
                self._pass(scarcer, end, stretch, levels[0])
            for level in levels[1:]:
                if self.over():
                    return
                self._pass(sets[k], end, stretch, level)
        for key in rest:
            if self.over():
                return
            if key not in found:
                self._pass(sets[key[0]], *key[1:], levels[0])

    def on_fewer(self, *, once: bool = False) -> None:
        """Try passes on the units that the relaxation would have on, at prices of less time.

        Of many tasks most of the gap is idle power of units that need not be on, and a list
        schedule leaves a few per cent of the time of the others unused. One pass at what both
        leave comes closer than many at the prices of the whole deadline. ``once`` ends after it.
        """
        lowest, highest = objective_bounds.window(self.instance)
        if not math.isfinite(highest) or self.over():
            return
        every = self.sets[-1]
        end = self._limits(self.sets, PACES[:1])[0]
        sets = (*_roundings(self.whole, self.instance.devices, FEWER), every.units)
        for k, units in enumerate(sets):
            if units is every.units and self.likely is not None:
                return
            for part in PARTS:
                if (k, part) in self.fewer:
                    continue
                if self.over():
                    return
                least = min(self.fewer.values(), default=math.inf)
                priced = self._within(units, part) if lowest < part * highest else None
                value = math.inf if priced is None else self._pass(priced, end, 1.0, 1.0)
                self.fewer[k, part] = value
                if value < least:
                    self.likely = priced
                if once:
                    return

    def _scarcer(self, units: UnitSet) -> Iterator[UnitSet]:
        """Yield a set with prices as if there were less time: lists leave some of it unused."""
        if self.name not in ENERGY_LIKE or len(self.columns.member) >= LARGE:
            return
        lowest, highest = objective_bounds.window(self.instance)
        for part in SCARCER:
            if self.over() or not lowest < part * highest < math.inf:
                return
            found = self._within(units.units, part)
            if found is not None:
                yield replace(units, prices=found.prices)

    def _within(self, units: Ints, part: float = 1.0) -> UnitSet | None:
        """Price the time of so many units (D) as if the window were a part as long; None: fails."""
        lowest, highest = objective_bounds.window(self.instance)
        made = load_within(
            self.instance,
            objective_bounds.load_of(self.instance),
            self.name,
            (lowest, part * highest),
            np.where(self.instance.devices.off_when_unused, units, 0),
            units,
        )
        if made is None or not made.value < math.inf:
            return None
        return UnitSet(units, made.value, made.prices, made.ends)

    def _pass(self, units: UnitSet, ends: float, stretch: float, level: float) -> float:
        """One pass; ``ends`` is the deadline in ticks that targets are derived from."""
        columns, options = self.columns, self.instance.options
        per_j = joule_prices(self.instance, self.name)
        scale, option = columns.scale[columns.owner], columns.option
        spent = options.time_s[option] * scale
        if self.name in ENERGY_LIKE:
            cost = options.energy_j[option] * scale * per_j[options.device[option]]
            cost = cost + level * units.prices[columns.device] * spent
        elif self.name == "accuracy":
            cost = np.nan_to_num(-options.accuracy[option])
        elif self.name == "peak_power":
            cost = np.divide(
                options.energy_j[option] * scale, spent, out=np.zeros_like(spent), where=spent > 0
            )
        else:
            cost = spent
        bounded = replace(columns, deadline=np.minimum(columns.deadline, ends))
        target = p.latest_ends(bounded, self.length, stretch)
        return self.attempt(
            Setting(
                self.rank,
                choice="cheapest",
                cost=cost,
                target=target,
                per_byte=float(per_j.mean()) if self.name in ENERGY_LIKE else 0.0,
                units=units.units,
            )
        )

    def _limits(self, sets: list[UnitSet], paces: tuple[float, ...]) -> list[float]:
        """Deadlines in ticks that targets are derived from."""
        tick = float(self.columns.grid.tick)
        last = float(self.columns.deadline.max(initial=0.0))
        wanted = sets[0].ends / tick if sets else math.inf
        if math.isfinite(last):
            near = [x for x in (wanted * 1.02, wanted * 1.1) if x < 0.95 * last]
            return [*near, *(pace * last for pace in paces)]
        fast = place(self.columns, heft(self.columns), limit=self.limit)
        known = [] if fast is None else [float(fast.end.max())]
        if math.isfinite(wanted):
            known.insert(0, wanted)
        return [pace * end for end in known for pace in OPEN_PACES] or [math.inf]

    def _roomy(self) -> bool:
        """Whether there may be time to do without some of the units."""
        lowest, highest = objective_bounds.window(self.instance)
        return highest >= ROOMY * lowest

    @cached_property
    def sets(self) -> list[UnitSet]:
        """Sets of units to try, those with the least bound first, all units last."""
        instance, devices = self.instance, self.instance.devices
        began = time.monotonic()
        left = math.inf if self.limit is None else self.limit - began
        until = began + SET_SHARE * left
        whole = objective_bounds.load_plan(instance, None if self.limit is None else until)
        self.whole = whole
        every = UnitSet(devices.count_max, whole.value, whole.prices, whole.ends)
        if self.name not in ENERGY_LIKE:
            return [every]
        until += SET_SHARE * left
        looks = MOST_SETS if len(self.columns.member) < LARGE else int(self._roomy())
        free = devices.off_when_unused
        found: dict[tuple[int, ...], UnitSet] = {}

        def look(units: Ints) -> float:
            key = tuple(units.tolist())
            if key not in found and len(found) < looks and time.monotonic() < until:
                made = self._within(units)
                if made is not None:
                    found[key] = made
            return found[key].bound if key in found else math.inf

        best, least = devices.count_max, math.inf
        for units in _roundings(whole, devices):
            value = look(units)
            if value < least:
                best, least = units, value
        # Those that the relaxation is least sure of are put on or off first.
        unsure = np.argsort(np.abs(whole.units - np.rint(whole.units)))[::-1]
        moving = least < math.inf
        while moving:
            moving = False
            for device in unsure[free[unsure]].tolist():
                for step in (-1, 1):
                    units = best.copy()
                    units[device] += step
                    if not 0 <= units[device] <= devices.count_max[device]:
                        continue
                    value = look(units)
                    if value < least:
                        best, least, moving = units, value, True
        made = sorted(found.values(), key=lambda s: s.bound)[:SETS]
        return [*(s for s in made if s.bound < math.inf), every]


def _roundings(
    plan: LoadBound, devices: Devices, thresholds: tuple[float, ...] = (0.5, 0.25, 0.75, 0.0)
) -> Iterator[Ints]:
    """Yield sets of units near what a load bound would have: fractional ones up and down.

    Units that are on anyway may be used in any case.
    """
    units = np.clip(plan.units, 0.0, devices.count_max)
    low, high = np.floor(units + _OFF), np.ceil(units - _OFF)
    anyway = ~devices.off_when_unused
    for threshold in thresholds:
        rounded = np.where(units - low > threshold, high, low)
        yield np.where(anyway, devices.count_max, rounded).astype(np.int64)
