"""What the checker knows of idling: gaps that are slept through, and units that go on.

A unit that is on draws idle power over the window. Through a gap g, in which nothing takes one of
its slots, it sleeps where g is at least the time to wake and

    sleep power × g + energy to wake < idle power × g,

the energy to wake spread evenly over the last part of the gap; through the last gap of the window
without waking. The first gap begins when the unit has gone on. A schedule that repeats for ever has
its gaps on a circle. Times are seconds here: fractions, or floats where the plan is read in those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.solution import READ, WRITE
from hetopt.verify.exact import Numbers, Scale, Timeline, exceeds, fraction
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.placed import Placed, carriers
from hetopt.verify.schedule.setups import Changes
from hetopt.verify.schedule.transfers import Moves

_PARTS = round(1 / LIMIT_TOLERANCE)
Time = Any
"""Seconds: a fraction, or a float."""
Held = tuple[Ints, Numbers, Numbers]
"""What takes a slot: place, start, end."""
Segment = tuple[Time, Time, float]
"""Begin, end, and the watts by which the power differs from idling."""


@dataclass(slots=True)
class Drawn:
    """What is drawn beside idle power and what runs: rows of (device, begin, end, joules)."""

    rows: list[tuple[int, Time, Time, float]] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    cost: float = 0.0

    @property
    def joules(self) -> Floats:
        """Energy of each row."""
        return np.array([row[3] for row in self.rows], dtype=np.float64)

    @property
    def devices(self) -> Ints:
        """Device of each row."""
        return np.array([row[0] for row in self.rows], dtype=np.int64)

    def begins(self, scale: Scale) -> Numbers:
        """Begin of each row on a scale."""
        return _on(scale, [row[1] for row in self.rows])

    def ends(self, scale: Scale) -> Numbers:
        """End of each row on a scale."""
        return _on(scale, [row[2] for row in self.rows])

    def repeated(self, cycle_s: float, times: int) -> Drawn:
        """Return the segments of so many cycles, and of the one before that reaches into them.

        They end with the last cycle: what wakes later would do so while nothing else is told.
        """
        shifts, end = [k * cycle_s for k in range(-1, times)], times * cycle_s
        segments = [(b + s, e + s, w) for s in shifts for b, e, w in self.segments]
        cut = [(max(b, 0.0), min(e, end), w) for b, e, w in segments if e > 0 and b < end]
        return Drawn(segments=cut)


def holding(
    instance: Instance, placed: Placed, times: Timeline, moves: Moves, changes: Changes
) -> Held:
    """Return what takes a slot, tasks first and set-ups last: place, start and end.

    Between them the first hop of a message at the producer, and the last one at the consumer, where
    those devices do not overlap transfers.
    """
    task = np.flatnonzero(placed.usable)
    overlap = instance.devices.overlap
    place = placed.place[instance.tensors.producer[moves.tensor]]
    out = np.flatnonzero(~overlap[placed.device[place]] & (moves.leg != READ))
    into = np.flatnonzero((moves.leg != WRITE) & ~overlap[placed.device[moves.place]])
    return (
        np.concatenate([placed.place[task], place[out], moves.place[into], changes.place]),
        np.concatenate(
            [times.start[task], moves.first_start[out], moves.last_start[into], changes.start]
        ),
        np.concatenate([times.end[task], moves.first_end[out], moves.last_end[into], changes.end]),
    )


def check_ready(
    instance: Instance,
    placed: Placed,
    times: Timeline,
    held: Held,
    changes: Changes,
    findings: Findings,
) -> None:
    """Check that nothing takes a slot of a unit before that has gone on."""
    devices, boards = instance.devices, instance.boards
    late = np.where(devices.off_when_unused, devices.start_up_time_s, 0.0)
    always = _always_on(instance)
    for d, board in enumerate(devices.on_board.tolist()):
        if board >= 0 and not always[board]:
            late[d] = max(late[d], boards.start_up_time_s[board])
    if not late.any() or math.isfinite(instance.limits.cycle_s):
        return
    place, start, _ = held
    task = np.flatnonzero(placed.usable)
    slack = float(_seconds(times.scale, times.scale.slack))
    for i, (at, begin) in enumerate(zip(place.tolist(), start.tolist(), strict=True)):
        ready = float(late[placed.device[at]])
        if not ready or float(_seconds(times.scale, begin)) >= ready - slack:
            continue
        unit = placed.name(instance, at)
        name = str(instance.tasks.name[task[i]]) if i < len(task) else unit
        what = f"Task {name}" if i < len(task) else "A transfer that takes a slot"
        if i >= len(place) - len(changes.place):
            what = "A set-up"
        findings.add(
            "start-up",
            f"{what} starts at {show(float(_seconds(times.scale, begin)), 's')} on unit {unit}, "
            f"which takes until {show(ready, 's')} to go on.",
            name,
        )


def idling(instance: Instance, placed: Placed, times: Timeline, held: Held) -> Drawn:
    """Return what going on, sleep and waking draw in a schedule."""
    devices, boards, drawn = instance.devices, instance.boards, Drawn()
    carries = carriers(instance)
    first = np.cumsum(np.append(0, boards.count_max))
    board = placed.board(instance)
    _add(
        drawn,
        instance,
        times,
        held,
        _Kinds(
            devices,
            devices.off_when_unused,
            placed.device,
            np.arange(len(placed.device)),
            list(range(len(devices))),
        ),
    )
    if len(boards):
        on = np.unique(board[board >= 0])
        of = np.searchsorted(first, on, side="right") - 1
        at = np.where(board >= 0, np.searchsorted(on, board), -1)
        _add(drawn, instance, times, held, _Kinds(boards, ~_always_on(instance), of, at, carries))
    return drawn


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What idles: its table, whether each kind may be off, the kind of each that is used.

    ``at`` says which of those used is taken where each unit of the plan is (-1: none), ``site``
    the device at whose site each kind draws.
    """

    table: Any
    offable: Any
    kind: Ints
    at: Ints
    site: list[int]


def _always_on(instance: Instance) -> Any:
    """Whether each kind of board is on whatever runs: itself, or for what it carries."""
    devices = instance.devices
    always = ~instance.boards.off_when_unused
    for d in np.flatnonzero(~devices.off_when_unused & (devices.count_min > 0)).tolist():
        if devices.on_board[d] >= 0:
            always[devices.on_board[d]] = True
    return always


def _add(drawn: Drawn, instance: Instance, times: Timeline, held: Held, kinds: _Kinds) -> None:
    """Add what going on, sleep and waking draw of devices, or of boards."""
    table, cyclic = kinds.table, math.isfinite(instance.limits.cycle_s)
    used = np.bincount(kinds.kind, minlength=len(table))
    for d, number in enumerate(used.tolist()):
        if kinds.offable[d] and not cyclic and number:
            drawn.cost += number * float(table.start_up_cost[d])
            length, joules = (
                _number(times.scale, column[d])
                for column in (table.start_up_time_s, table.start_up_energy_j)
            )
            for _ in range(number if joules else 0):
                drawn.rows.append((kinds.site[d], 0 * length, length, float(joules)))
                if length > 0:
                    drawn.segments.append((0 * length, length, float(joules / length)))
    if not np.isnan(table.sleep_power_w).all():
        for d, begin, end, wakes in _gaps(instance, times, held, kinds):
            _sleep(kinds, times.scale, drawn, (d, begin, end, wakes), _slack(instance, times))


def check_power_with_sleep(
    times: Timeline,
    drawn: Drawn,
    idle_w: float,
    runs: tuple[Numbers, Numbers, Floats],
    cap_w: float,
    findings: Findings,
) -> float:
    """Check the power cap where something sleeps, wakes or goes on; return the peak power (W).

    All that happens at one time happens at once. As everywhere, what overlaps by no more than the
    tolerance of times does not meet.
    """
    scale = times.scale
    start, end, draw = runs
    begin, until = (_on(scale, [s[i] for s in drawn.segments]) for i in (0, 1))
    watts = np.array([s[2] for s in drawn.segments], dtype=np.float64)
    half = np.asarray(end - start, dtype=end.dtype)
    half = half / 2 if scale.mode == "float" else half // 2
    latest = max(_greatest(end), _greatest(until))
    # Rest lies between ends and starts, on a circle in floats: what is less than idling lasts
    # longer by the tolerance on either side, what is more ends earlier.
    tolerance: Any = (
        latest * LIMIT_TOLERANCE if scale.mode == "float" else Fraction(latest) / _PARTS
    )
    near = np.minimum(tolerance, (until - begin) / 2)
    less = watts < 0
    zero = scale.zero(1)
    firsts = np.concatenate([zero, start, np.maximum(np.where(less, begin - near, begin), 0)])
    rests = np.where(less, until + near, until - near)
    lasts = np.concatenate([zero + latest, end - np.minimum(scale.slack, half), rests])
    amounts = np.concatenate([[idle_w], draw, watts])
    at, place = np.unique(np.concatenate([firsts, lasts]), return_inverse=True)
    change = np.zeros(len(at))
    np.add.at(change, place.reshape(-1), np.concatenate([amounts, -amounts]))
    level = np.cumsum(change)
    over = [bool(exceeds(value, cap_w)) for value in level.tolist()]
    for k, (now, before) in enumerate(zip(over, [False, *over[:-1]], strict=True)):
        if now and not before:
            findings.add(
                "power-cap",
                f"The power is {show(level[k], 'W')} from "
                f"{show(float(_seconds(scale, at[k])), 's')} on; the power cap is "
                f"{show(cap_w, 'W')}.",
            )
    return float(max(level.max(initial=0.0), 0.0))


def _sleep(
    kinds: _Kinds, scale: Scale, drawn: Drawn, gap: tuple[int, Time, Time, bool], slack: Time
) -> None:
    """Add a gap to what is drawn, if it is slept through."""
    d, begin, end, wakes = gap
    table = kinds.table
    columns = (table.idle_power_w, table.sleep_power_w, table.wake_time_s, table.wake_energy_j)
    idle, sleep, wake_s, wake_j = (_number(scale, column[d]) for column in columns)
    length = end - begin
    saved = (idle - sleep) * length
    if wakes:
        worth = saved - wake_j > LIMIT_TOLERANCE * float(idle * length)
        if not worth or length < wake_s - slack:
            return
    elif not saved > 0:
        return
    drawn.rows.append((kinds.site[d], begin, end, -float(saved)))
    awake = max(begin, end - wake_s) if wakes and wake_j else end
    if awake > begin:
        drawn.segments.append((begin, awake, float(sleep - idle)))
    if wakes and wake_j:
        drawn.rows.append((kinds.site[d], awake, end, float(wake_j)))
        if end > awake:
            drawn.segments.append((awake, end, float(sleep - idle + wake_j / (end - awake))))


def _gaps(
    instance: Instance, times: Timeline, held: Held, kinds: _Kinds
) -> Iterator[tuple[int, Time, Time, bool]]:
    """Yield kind, begin and end of each gap, and whether it is needed after it."""
    table, scale = kinds.table, times.scale
    sleeps = ~np.isnan(table.sleep_power_w)
    cyclic = math.isfinite(instance.limits.cycle_s)
    window = _window(instance, times)
    slack = _slack(instance, times)
    place, start, end = held
    lasting = np.asarray(end > start, dtype=bool)
    taken: dict[int, list[tuple[Time, Time]]] = {}
    where = kinds.at[place[lasting]].tolist()
    for at, a, b in zip(where, start[lasting].tolist(), end[lasting].tolist(), strict=True):
        if at >= 0 and sleeps[kinds.kind[at]]:
            taken.setdefault(at, []).append((_seconds(scale, a), _seconds(scale, b)))
    used = np.zeros(len(table), dtype=np.int64)
    for at, d in enumerate(kinds.kind.tolist()):
        used[d] += 1
        if not sleeps[d]:
            continue
        mine = sorted(taken.get(at, []))
        if cyclic:
            yield from ((d, *gap) for gap in _on_circle(mine, float(window), float(slack)))
            continue
        reached = _number(scale, table.start_up_time_s[d] if kinds.offable[d] else 0.0)
        for a, b in mine:
            if a - reached > slack:
                yield d, reached, a, True
            reached = max(reached, b)
        if window - reached > slack:
            yield d, reached, window, False
    for d in np.flatnonzero(sleeps & ~kinds.offable).tolist():
        for _ in range(int(table.count_min[d]) - int(used[d]) if window > 0 else 0):
            yield d, 0 * window, window, False


def _on_circle(
    held: list[tuple[Time, Time]], cycle_s: float, slack_s: float
) -> Iterator[tuple[float, float, bool]]:
    """Yield the gaps between what is held, all of it laid on the circle."""
    pieces: list[tuple[float, float]] = []
    for a, b in held:
        length = float(b - a)
        if length >= cycle_s - slack_s:
            return
        first = math.fmod(float(a), cycle_s)
        first = 0.0 if cycle_s - first <= slack_s else first
        pieces.append((first, min(first + length, cycle_s)))
        if first + length - cycle_s > slack_s:
            pieces.append((0.0, first + length - cycle_s))
    if not pieces:
        yield 0.0, cycle_s, False
        return
    pieces.sort()
    reached = 0.0
    for k, (a, b) in enumerate(pieces):
        if k and a - reached > slack_s:
            yield reached, a, True
        reached = max(reached, b)
    if pieces[0][0] + cycle_s - reached > slack_s:
        yield reached, pieces[0][0] + cycle_s, True


def _window(instance: Instance, times: Timeline) -> Time:
    """Return the end of the window: the horizon or cycle, else the latest end of a task."""
    limits = instance.limits
    for end in (limits.cycle_s, limits.horizon_s):
        if math.isfinite(end):
            return _number(times.scale, end)
    if not len(times.end):
        return _number(times.scale, 0.0)
    return _seconds(times.scale, times.end.max())


def _slack(instance: Instance, times: Timeline) -> Time:
    """Return the tolerance of times in seconds; on a circle, in floats, never that of ticks."""
    scale = times.scale
    if math.isinf(instance.limits.cycle_s):
        return _seconds(scale, scale.slack)
    latest = max(_greatest(times.end), _greatest(times.hop_end))
    return LIMIT_TOLERANCE * float(_seconds(scale, latest))


def _number(scale: Scale, value: Any) -> Any:
    return float(value) if scale.mode == "float" else fraction(float(value))


def _seconds(scale: Scale, value: Any) -> Time:
    return float(value) if scale.mode == "float" else Fraction(int(value), scale.per_s)


def _on(scale: Scale, seconds: list[Time]) -> Numbers:
    """Return times on a scale: floats, or whole and broken numbers of its ticks."""
    if scale.mode == "float":
        return np.array([float(s) for s in seconds], dtype=np.float64)
    column = np.empty(len(seconds), dtype=object)
    for i, s in enumerate(seconds):
        column[i] = (s if isinstance(s, Fraction) else fraction(float(s))) * scale.per_s
    return column


def _greatest(column: Numbers) -> Any:
    """Return the greatest entry as a number of Python's, which fractions take as it is."""
    return max(column.tolist(), default=0)
