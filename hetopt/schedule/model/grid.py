"""Integer time: the coarsest exact tick, or a rounding grid where there is none (docs/schedule.md).

Every float is read as the decimal that its ``repr`` prints. A tick is exact where all durations,
releases and hop times (and due dates, where tardiness counts) are multiples of it.

Deadlines and the horizon need not be multiples. Take any plan, keep which interval ends no later
than which one starts (itself, where it is empty), and start everything as early as that order
allows: no two intervals overlap that did not overlap before, nothing ends later, and all times
are now sums of durations and releases, so multiples of the tick. A limit on an end can therefore
be rounded down. The same holds with durations rounded down: rounding all starts of a true plan
down to ticks keeps that order, because floor(a) + floor(b) <= floor(a + b).

A set-up is an interval that ends where its task starts, and so is the start of its task less its
own length: a sum of the same kind, where the tick divides set-ups too.

Where prices change over time, or units sleep in gaps, starting early is not always best, and the
tick also divides the times of change, those to wake, deadlines and the horizon. Take a best plan,
and keep that order, which gaps are slept through, and the price pieces in which each interval
starts and ends (and the makespan lies): what is left is a linear programme in the starts with rows
``s[j] - s[i] >= p``, ``s[i] >= a``, ``s[i] <= b`` whose right sides are multiples of the tick. Its
matrix is totally unimodular, so a best plan has all starts on the grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.derived import once
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import idlers, may_sleep, starts_up
from hetopt.instance.states.setups import device_setups
from hetopt.instance.tariffs import change_times, prices_vary
from hetopt.units.periods import exact_period

Direction = Literal["exact", "down", "up"]

EXACT_TICKS = 100_000_000
"""Ticks in the time span up to which an exact grid is used: CP-SAT slows down on finer ones."""
ROUNDING_TICKS = 1_000_000
"""Ticks in the time span of a rounding grid; each interval is off by less than one tick."""
DECIMAL_DIGITS = 14
"""Digits of a start that survive the way into a float and out of its repr (15), less one."""
EXACT_PAIRS = 200_000
"""Pairs of work and time up to which an exact grid is looked for; fractions are slow."""
ROUNDED_FROM = 2_000
"""Times from which a grid that rounds up counts in floats: it is so fine that a tick more than
needed is lost in the checker's tolerance."""
SHORT_DIGITS = 15
"""Digits of a decimal that survive the way into a float and back."""
LOOKED_AT = 1_000
"""Pairs that become Python's numbers at a time."""
MOST_TICKS = 2**50
"""Ticks of a duration that is longer than any span of a grid: it fits nowhere, and sums of such
durations stay far from the ends of 64-bit integers."""
EXACT_ROWS = 20_000_000
"""Options of tasks that differ in class or work up to which those pairs are told apart."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A tick in seconds, and the way in which times that are no multiple of it are rounded.

    ``down``: durations and releases down, for bounds; ``up``: both up, for plans; ``exact``:
    nothing needs rounding. Limits on ends are always rounded down, plus ``slack_s``, which stays
    below the checker's tolerance and pays for durations rounded up on a very fine grid.
    """

    tick: Fraction
    direction: Direction
    slack_s: Fraction = Fraction(0)

    def ticks(self, time_s: Fraction) -> int:
        """Duration or release in ticks; ``MOST_TICKS`` where it is beyond all spans."""
        quotient = min(time_s / self.tick, Fraction(MOST_TICKS))
        return math.ceil(quotient) if self.direction == "up" else math.floor(quotient)

    def limit(self, time_s: float | Fraction) -> int:
        """Latest end in ticks (a finite time)."""
        time = time_s if isinstance(time_s, Fraction) else exact(time_s)
        return math.floor((time + self.slack_s) / self.tick)

    def durations(self, work: Floats, time_s: Floats) -> Ints:
        """Durations work × time_s in ticks (parallel columns)."""
        pairs, back = np.unique(np.stack([work, time_s], axis=1), axis=0, return_inverse=True)
        if self.direction == "exact" or len(pairs) <= EXACT_PAIRS:
            ticks = [self.ticks(exact(w) * exact(t)) for w, t in pairs.tolist()]
            return np.array(ticks, dtype=np.int64)[back.reshape(-1)]
        return self.rounded(work, time_s)

    def rounded(self, work: Floats, time_s: Floats) -> Ints:
        """Durations as of a grid that rounds, or a tick more (less, where it rounds down)."""
        # Four units in the last place outweigh the rounding of one product and one quotient.
        nudge = 1 + 4 * np.finfo(float).eps * (1 if self.direction == "up" else -1)
        scaled = work * time_s / float(self.tick) * nudge
        ticks = np.ceil(scaled) if self.direction == "up" else np.floor(scaled)
        return np.asarray(np.minimum(ticks, float(MOST_TICKS)).astype(np.int64))

    def seconds(self, ticks: int) -> float:
        """Time of a tick as the float whose repr is that decimal (where it has that few digits)."""
        return float(ticks * self.tick)


@lru_cache(maxsize=200_000)
def exact(value: float) -> Fraction:
    """Return the decimal that ``repr`` prints, as a fraction."""
    return Fraction(repr(float(value)))


def exact_tick(instance: Instance, span_s: float, limit: int | None = None) -> Fraction | None:
    """Return the coarsest exact tick, None where the span would hold more than ``limit`` of it.

    The limit is ``EXACT_TICKS`` where none is given.
    """
    limit = EXACT_TICKS if limit is None else limit
    pairs = _lengths(instance)
    if pairs is None or len(np.unique(instance.tensors.bytes_b)) > EXACT_PAIRS:
        return None
    finest = exact(span_s) / limit if span_s > 0 else Fraction(1, limit)
    tick = Fraction(0)
    for value in _times(instance, pairs):
        tick = common_divisor(tick, value)
        if 0 < tick < finest:
            return None
    return tick if tick > 0 else (exact(span_s) if span_s > 0 else Fraction(1))


def model_grid(instance: Instance, span_s: float) -> Grid:
    """Return the grid of the exact model: exact, else rounding down (a relaxation)."""
    tick = exact_tick(instance, span_s)
    if tick is not None:
        return Grid(tick, "exact")
    return Grid(_power_of_ten(span_s / ROUNDING_TICKS), "down")


def cyclic_grid(instance: Instance) -> Grid:
    """Return the grid of a cyclic schedule, of which the cycle is a multiple: exact, else down.

    Times on a circle are bound by rows ``s[j] >= s[i] + p + k H``, ``s[i] >= r`` and ``s[i] <= b``
    with whole k. Rounding all starts of a true plan down keeps them where p and r are rounded down
    and H is whole, so that such a grid is a relaxation. It is exact where p, r and H are multiples
    of the tick: the least starts that meet the rows are then sums of those, and limits b may be
    rounded down.
    """
    cycle, span = exact_period(instance.limits.cycle_s), exact(span_s(instance))
    pairs = _lengths(instance)
    tick, finest = cycle, span / EXACT_TICKS
    for value in _times(instance, pairs) if pairs is not None else ():
        tick = common_divisor(tick, value)
        if tick < finest:
            break
    else:
        if pairs is not None:
            return Grid(tick, "exact")
    tick = cycle / math.ceil(cycle * ROUNDING_TICKS / span)
    return Grid(tick, "down")


def read(instance: Instance, time_s: float) -> Fraction:
    """Return what a release, deadline or due date stands for.

    On a circle those are sums with periods, which may be simple fractions of a second.
    """
    cyclic = math.isfinite(instance.limits.cycle_s)
    return exact_period(time_s) if cyclic and time_s > 0 else exact(time_s)


def cycle_ticks(instance: Instance, grid: Grid) -> int:
    """Return the cycle in ticks, 0 where nothing repeats."""
    cycle_s = instance.limits.cycle_s
    return math.floor(exact_period(cycle_s) / grid.tick) if math.isfinite(cycle_s) else 0


def plan_grid(instance: Instance, span_s: float) -> Grid:
    """Return the grid on which plans are timed: decimals that floats carry exactly.

    It is the exact grid where that is a decimal of few digits, else one so fine that rounding up
    is lost in the checker's tolerance.
    """
    fine = _power_of_ten(span_s / 10**DECIMAL_DIGITS)
    tick = exact_tick(instance, span_s, limit=10**DECIMAL_DIGITS)
    if tick is not None and (tick / fine).denominator == 1:
        return Grid(tick, "exact")
    # A plan may end at its last limit, and the tolerance of times is a part of its latest end.
    steps = 4 * (len(instance.tasks) + len(instance.edges)) + 4
    slack = min(exact(LIMIT_TOLERANCE) / 2 * _first_limit(instance, span_s), steps * fine)
    return Grid(fine, "up", slack)


def _first_limit(instance: Instance, span_s: float) -> Fraction:
    """Return the earliest time that limits an end: any plan that gets there has ends as late."""
    ends = [span_s, instance.limits.horizon_s, *np.unique(instance.jobs.deadline_s).tolist()]
    return exact(min(ends))


def common_divisor(a: Fraction, b: Fraction) -> Fraction:
    """Greatest fraction of which both are multiples (0 counts as a multiple of anything)."""
    return Fraction(
        math.gcd(a.numerator * b.denominator, b.numerator * a.denominator),
        a.denominator * b.denominator,
    )


def hop_time(latency_s: float, bytes_b: float, bandwidth_b_per_s: float) -> Fraction:
    """Exact time of one hop: latency + bytes / bandwidth."""
    if math.isinf(bandwidth_b_per_s) or bytes_b == 0.0:
        return exact(latency_s)
    return exact(latency_s) + exact(bytes_b) / exact(bandwidth_b_per_s)


def span_s(instance: Instance) -> float:
    """Return a time by which some best plan has ended, in seconds.

    The horizon, the last deadline, or the last release plus all durations and all transfers: a
    plan in which everything starts as early as its order allows is never wholly idle.
    """
    limits, jobs = instance.limits, instance.jobs
    found = [float(limits.horizon_s)]
    if len(jobs):
        found.append(float(jobs.deadline_s.max()))
    bound = min(found)
    if math.isfinite(bound):
        return bound
    if math.isfinite(limits.cycle_s):
        # Where nothing starts for a cycle after all before it has ended, all that is later may
        # come a cycle earlier: it meets the same, and what is held is held for less long.
        steps = len(instance.tasks) + 2 * len(instance.edges) * max(1, len(instance.links))
        return _serial_s(instance) + (steps + 1) * limits.cycle_s
    # It may pay to wait for a change of prices, but for nothing after the last one.
    return max((0.0, *change_times(instance))) + _serial_s(instance) + _rest_s(instance)


def _rest_s(instance: Instance) -> float:
    """Time by which gaps that are slept through may make some best plan longer.

    Nothing can run before units have gone on. Else, where nothing at all runs for longer than
    the longest time to wake, all that follows may come earlier until it is as long: each gap that
    it lies in stays long enough to be slept through, and costs no more. Such stretches are between
    tasks and hops. Where it matters what is drawn at an instant, a gap must also stay so long that
    it pays to sleep in it.
    """
    rows = idlers(instance)
    least = rows.wake_time_s.copy()
    peaks = math.isfinite(instance.limits.power_cap_w) or "peak_power" in instance.objective
    if peaks or prices_vary(instance):
        saved = rows.idle_power_w - rows.sleep_power_w
        pays = np.divide(rows.wake_energy_j, saved, out=np.zeros(len(rows)), where=saved > 0)
        least = np.maximum(least, pays)
    waking = float(least[rows.sleeps].max(initial=0.0))
    steps = len(instance.tasks) + 2 * len(instance.edges) * max(1, len(instance.links))
    return float(rows.start_up_time_s.max(initial=0.0)) + (steps + 1) * waking


def _serial_s(instance: Instance) -> float:
    classes = instance.classes
    longest = np.zeros(len(classes))
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    np.maximum.at(longest, owner, instance.options.time_s[classes.option])
    serial = float((longest[classes.member] * instance.tasks.work).sum())
    changes = [float(setups.time_s.max()) for setups in device_setups(instance).values()]
    # At most one set-up a task.
    serial += len(instance.tasks) * max(changes, default=0.0)
    total = float(instance.jobs.release_s.max(initial=0.0)) + serial
    links = instance.links
    if len(links) and len(instance.tensors):
        # A message crosses each link at most once on its path, a staged one once more.
        ways = np.where(instance.tensors.staged, 2.0, 1.0) * np.diff(instance.consumers[0])
        sizes = instance.tensors.bytes_b
        total += float((ways * (links.latency_s.sum())).sum())
        total += float((ways * sizes).sum() * (1.0 / links.bandwidth_b_per_s).sum())
        total += float((sizes * (1.0 / links.bandwidth_b_per_s).sum()).sum())
        total += len(sizes) * float(links.latency_s.sum())
    return total * (1 + 1e-9)


def _lengths(instance: Instance) -> Floats | None:
    """Distinct (work, time) of tasks and their options; None where they are too many to look at."""
    classes = instance.classes
    works, which = np.unique(instance.tasks.work, return_inverse=True)
    pairs = np.unique(classes.member * len(works) + which.reshape(-1))
    member, work = pairs // len(works), pairs % len(works)
    size = np.diff(classes.ptr)[member]
    if size.sum() > EXACT_ROWS:
        return None
    end = np.cumsum(size)
    at = np.arange(size.sum()) + np.repeat(classes.ptr[member] - end + size, size)
    times, place = np.unique(instance.options.time_s[classes.option], return_inverse=True)
    both = np.unique(np.repeat(work, size) * len(times) + place.reshape(-1)[at])
    if len(both) > EXACT_PAIRS:
        return None
    return np.stack([works[both // len(times)], times[both % len(times)]], axis=1)


def _times(instance: Instance, lengths: Floats) -> Iterable[Fraction]:
    # Where there is no tick, the first few tell.
    for first in range(0, len(lengths), LOOKED_AT):
        for work, time in lengths[first : first + LOOKED_AT].tolist():
            yield exact(work) * exact(time)
    jobs = instance.jobs
    due = jobs.due_s[np.isfinite(jobs.due_s)] if "tardiness" in instance.objective else None
    if math.isfinite(instance.limits.cycle_s):
        both = jobs.release_s if due is None else np.append(jobs.release_s, due)
        yield from (read(instance, time) for time in np.unique(both).tolist())
    else:
        yield from _divisors(jobs.release_s)
        if due is not None:
            yield from _divisors(due)
    if may_sleep(instance) or starts_up(instance):
        rows = idlers(instance)
        yield from _divisors(np.append(rows.wake_time_s[rows.sleeps], rows.start_up_time_s))
    if prices_vary(instance) or may_sleep(instance):
        ends = np.append(jobs.deadline_s, instance.limits.horizon_s)
        yield from _divisors(np.append(change_times(instance), ends[np.isfinite(ends)]))
    for setups in device_setups(instance).values():
        yield from _divisors(setups.time_s)
    yield from _hop_times(instance)


def _divisors(values: Floats) -> Iterable[Fraction]:
    """Yield fractions of which the times >= 0 have the same divisors: of many, one if possible.

    An integer below 10^15 over a power of ten, where it rounds to a float, is the decimal that the
    float's repr prints, as no other decimal of so few digits rounds to it.
    """
    values = np.unique(values)
    largest = float(values.max(initial=0.0))
    for digits in range(SHORT_DIGITS) if len(values) > LOOKED_AT else ():
        power = 10**digits
        if largest * power >= 10**SHORT_DIGITS:
            break
        whole = np.rint(values * power)
        if np.array_equal(whole / power, values):
            yield Fraction(int(np.gcd.reduce(whole.astype(np.int64))), power)
            return
    for value in values.tolist():
        yield exact(value)


def _hop_times(instance: Instance) -> Iterable[Fraction]:
    links, network = instance.links, Network(instance)
    sizes = np.unique(instance.tensors.bytes_b).tolist()
    wide, count = range(len(instance.devices)), instance.devices.count_max.tolist()
    several = [(src, dst) for src in wide for dst in wide if src != dst or count[src] > 1]
    pairs = several if sizes else []
    one = [network.one_path(*pair) for pair in pairs]
    some = [pair for pair, single in zip(pairs, one, strict=True) if not single]
    sure = [pair for pair, single in zip(pairs, one, strict=True) if single]
    always = {link for pair in sure for link in network.path(*pair, 1.0) or ()}

    def kinds(used: Iterable[int]) -> set[tuple[float, float]]:
        return {(float(links.latency_s[k]), float(links.bandwidth_b_per_s[k])) for k in used}

    known = kinds(always)
    for size in sizes:
        others = kinds(link for pair in some for link in network.path(*pair, size) or ())
        for latency, bandwidth in sorted(known | others):
            yield hop_time(latency, size, bandwidth)


def _power_of_ten(value: float) -> Fraction:
    exponent = math.floor(math.log10(value)) if value > 0 else -9
    return Fraction(10) ** exponent


@once
def grid_of(instance: Instance) -> Grid:
    """Return the grid on which plans are timed; made once per instance."""
    return plan_grid(instance, span_s(instance))
