"""Ends of tasks where resources slow what runs, found by the checker itself.

Between two events (a start, or an end) the tasks that run stay the same, and so do their rates. The
events are gone through in their order, in fractions where the plan is small and the fractions stay
short, else in floats. A start that lies before an end by no more than the tolerance of times counts
as at it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.verify.exact import SMALL, Numbers, Scale, Timeline, fraction
from hetopt.verify.schedule.placed import Placed

_BITS = 1024
"""Length of denominators up to which fractions are worth their time."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Times in which one task goes at one rate: of a task that is never slowed, its whole run."""

    task: Ints
    start: Numbers
    end: Numbers
    rate: Floats

    @staticmethod
    def full(placed: Placed, times: Timeline) -> Speeds:
        """Return the runs of a plan in which nothing is slowed."""
        task = np.flatnonzero(placed.usable)
        return Speeds(task, times.start[task], times.end[task], np.ones(len(task)))


class _TooLongError(Exception):
    """Fractions became too long to be worth their time."""


def slowed(
    instance: Instance, placed: Placed, work: Floats, time_s: Floats, times: Timeline
) -> tuple[Timeline, Speeds]:
    """Return the times of a plan with the ends that slowing makes, and the rates on the way.

    Parameters
    ----------
    work, time_s
        Of each task (T): its work, and the time of its option.
    times
        The plan's times as if nothing were slowed.
    """
    slow = instance.resources.slow
    asks: dict[int, list[tuple[int, float]]] = {}
    uses = instance.uses
    if not slow.any():
        return times, Speeds.full(placed, times)
    for task in np.flatnonzero(placed.usable & (work * time_s > 0)).tolist():
        option = int(placed.option[task])
        rows = range(int(uses.ptr[option]), int(uses.ptr[option + 1]))
        own = [(int(uses.resource[i]), float(uses.amount[i])) for i in rows]
        own = [(k, amount) for k, amount in own if slow[k]]
        place = int(placed.place[task])
        each = int(instance.boards.per_board[placed.device[place]])
        # Of what each board has, those of board n are numbered apart from others.
        apart = len(slow) * (int(placed.unit[place]) // each) if each else 0
        own = [(k + apart * int(instance.resources.board[k] >= 0), a) for k, a in own]
        if own:
            asks[task] = own
    if not asks:
        return times, Speeds.full(placed, times)
    if times.scale.mode != "float" and len(asks) <= SMALL:
        try:
            return _exactly(instance, placed, (work, time_s), times, asks)
        except _TooLongError:
            pass
    return _in_floats(instance, placed, (work, time_s), times, asks)


def _exactly(
    instance: Instance,
    placed: Placed,
    lengths: tuple[Floats, Floats],
    times: Timeline,
    asks: dict[int, list[tuple[int, float]]],
) -> tuple[Timeline, Speeds]:
    work, time_s = lengths
    per_s = times.scale.per_s
    begin = {t: Fraction(int(times.start[t]), per_s) for t in asks}
    whole = {t: fraction(work[t]) * fraction(time_s[t]) for t in asks}
    latest = max((int(end) for end in times.end), default=0)
    ends, pieces = _followed(
        begin,
        whole,
        {t: [(k, fraction(amount)) for k, amount in own] for t, own in asks.items()},
        [fraction(c) if math.isfinite(c) else c for c in instance.resources.capacity],
        [1 - fraction(loss) for loss in instance.resources.loss],
        Fraction(latest, per_s) * fraction(LIMIT_TOLERANCE),
    )
    finer = per_s
    for end in ends.values():
        finer = math.lcm(finer, end.denominator)
        if finer.bit_length() > 2 * _BITS:
            raise _TooLongError
    factor = finer // per_s

    def at(value: Fraction) -> int:
        return value.numerator * (finer // value.denominator)

    columns = {
        name: np.array([int(x) * factor for x in getattr(times, name).tolist()], dtype=object)
        for name in Timeline.__dataclass_fields__
        if name != "scale"
    }
    for task, end in ends.items():
        columns["end"][task] = at(end)
    scale = Scale.of("fractions", finer, columns["end"], columns["hop_end"])
    slower = Timeline(scale, **columns)
    # Every piece begins and ends at a start or an end of some task.
    return slower, _speeds(placed, slower, [(t, at(a), at(b), r) for t, a, b, r in pieces], asks)


def _in_floats(
    instance: Instance,
    placed: Placed,
    lengths: tuple[Floats, Floats],
    times: Timeline,
    asks: dict[int, list[tuple[int, float]]],
) -> tuple[Timeline, Speeds]:
    work, time_s = lengths
    jobs, scale = instance.jobs, times.scale
    seconds = {
        name: np.array([scale.seconds(x) for x in getattr(times, name).tolist()], dtype=np.float64)
        for name in ("start", "end", "hop_start", "hop_end", "setup")
    }
    ends, pieces = _followed(
        {t: float(seconds["start"][t]) for t in asks},
        {t: float(work[t] * time_s[t]) for t in asks},
        asks,
        instance.resources.capacity.tolist(),
        (1.0 - instance.resources.loss).tolist(),
        LIMIT_TOLERANCE * float(seconds["end"].max(initial=0.0)),
    )
    for task, end in ends.items():
        seconds["end"][task] = end
    slower = Timeline(
        scale=Scale.of("float", 1, seconds["end"], seconds["hop_end"]),
        **seconds,
        release=jobs.release_s,
        deadline=jobs.deadline_s,
        due=jobs.due_s,
        horizon=np.array([instance.limits.horizon_s]),
    )
    return slower, _speeds(placed, slower, pieces, asks)


def _speeds(
    placed: Placed,
    times: Timeline,
    pieces: list[tuple[int, Any, Any, Any]],
    asks: dict[int, list[tuple[int, float]]],
) -> Speeds:
    full = Speeds.full(placed, times)
    own = np.array([task not in asks for task in full.task.tolist()], dtype=bool)
    kind = times.start.dtype
    begin, end = np.empty(len(pieces), dtype=kind), np.empty(len(pieces), dtype=kind)
    for i, (_, first, last, _) in enumerate(pieces):
        begin[i], end[i] = first, last
    task = np.array([piece[0] for piece in pieces], dtype=np.int64)
    rate = np.array([float(piece[3]) for piece in pieces], dtype=np.float64)
    full = replace(full, task=full.task[own], start=full.start[own], end=full.end[own])
    return Speeds(
        np.concatenate([full.task, task]),
        np.concatenate([full.start, begin]),
        np.concatenate([full.end, end]),
        np.concatenate([np.ones(len(full.task)), rate]),
    )


def _followed(
    begin: dict[int, Any],
    whole: dict[int, Any],
    asks: dict[int, list[tuple[int, Any]]],
    capacity: list[Any],
    kept: list[Any],
    tolerance: Any,
) -> tuple[dict[int, Any], list[tuple[int, Any, Any, Any]]]:
    """Return the end of each task, and (task, from, to, rate) of each piece, in one arithmetic.

    Parameters
    ----------
    begin, whole, asks
        Of each task: its start, its time at full speed, what it asks for of which resource.
    capacity, kept
        Of each resource: its capacity, and what is kept of the speed where two or more use it.
    tolerance
        Overlap that counts as none (of a short run half of it at most).
    """
    waiting = sorted(begin, key=lambda t: (begin[t], t), reverse=True)
    done: dict[int, Any] = dict.fromkeys(begin, 0 * tolerance)
    ends: dict[int, Any] = {}
    pieces: list[tuple[int, Any, Any, Any]] = []
    alive: list[int] = []
    now = begin[waiting[-1]]
    while waiting or alive:
        # What starts now joins what runs; what is as good as over by then has gone.
        while waiting and begin[waiting[-1]] <= now:
            alive.append(waiting.pop())
        wanted: dict[int, Any] = {}
        users: dict[int, int] = {}
        for task in alive:
            for k, amount in asks[task]:
                wanted[k] = wanted.get(k, 0) + amount
                users[k] = users.get(k, 0) + 1
        rate: dict[int, Any] = {}
        for task in alive:
            part: Any = 1
            for k, _ in asks[task]:
                most, keeps = capacity[k % len(capacity)], kept[k % len(capacity)]
                share: Any = 1 if wanted[k] <= most else most / wanted[k]
                part = min(part, share * keeps if users[k] >= 2 else share)
            rate[task] = part
        over = {task: now + (whole[task] - done[task]) / rate[task] for task in alive}
        soonest = min(over.values(), default=None)
        following = begin[waiting[-1]] if waiting else None
        until = following if soonest is None else soonest
        if following is not None and soonest is not None and following < soonest:
            until = following
        left = []
        for task in alive:
            margin = min(tolerance, whole[task] / 2) if until == following else 0 * tolerance
            last = over[task] if over[task] <= until + margin else until
            if last > now:
                pieces.append((task, now, last, rate[task]))
            if over[task] <= until + margin:
                ends[task] = over[task]
                if isinstance(last, Fraction) and last.denominator.bit_length() > _BITS:
                    raise _TooLongError
            else:
                done[task] = done[task] + rate[task] * (until - now)
                left.append(task)
        alive, now = left, until
    return ends, pieces
