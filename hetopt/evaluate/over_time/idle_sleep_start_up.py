"""Gaps of a schedule in which units sleep, and what going on takes (docs/quantities.md).

An idle gap of a unit that is on is slept through where that draws less energy. A gap is where
nothing takes one of the unit's slots, within the window, and on a circle around it; the first one
begins once the unit has gone on, and what sleeps to the end of the window need not wake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.cyclic import wound
from hetopt.evaluate.over_time.times import ScheduleTimes
from hetopt.instance import Floats, Ints
from hetopt.instance.states.idle_sleep_start_up import idlers
from hetopt.instance.tables import Table
from hetopt.solution import READ, WRITE

SLEEP, WAKE, START = range(3)
"""Kinds of :class:`Draws`."""


@dataclass(frozen=True, slots=True)
class Draws(Table):
    """What is drawn beside idle power over the window and what runs; one row an interval.

    ``energy_j`` is spread evenly from ``begin_s`` to ``end_s``: negative where sleep saves idle
    energy, else of waking and of going on. ``row`` is the kind of what idles, ``number`` which of
    it (-1: one that runs nothing). On a circle an interval may pass its end.
    """

    kind: Ints
    row: Ints
    number: Ints
    begin_s: Floats
    end_s: Floats
    energy_j: Floats

    def head(self, rows: int) -> Draws:
        """Return what the first kinds of what idles draw."""
        some = self.row < rows
        return Draws(
            self.kind[some],
            self.row[some],
            self.number[some],
            self.begin_s[some],
            self.end_s[some],
            self.energy_j[some],
        )

    def of(self, *kinds: int) -> Floats:
        """Energy of each row, 0 where it is of another kind."""
        return np.where(np.isin(self.kind, kinds), self.energy_j, 0.0)


def draws(q: ScheduleTimes) -> Draws:
    """Return what sleep saves and what waking and going on draw."""
    rows = idlers(q.instance)
    found: list[tuple[int, int, int, float, float, float]] = []
    for row in np.flatnonzero((rows.start_up_energy_j > 0) & rows.goes_on).tolist():
        time, energy = float(rows.start_up_time_s[row]), float(rows.start_up_energy_j[row])
        found += [(START, row, n, 0.0, time, energy) for n in q.numbers_used(row)]
    if rows.sleeps.any():
        for row, number, begin, end, wakes in _gaps(q):
            idle, sleep = float(rows.idle_power_w[row]), float(rows.sleep_power_w[row])
            wake_s, wake_j = float(rows.wake_time_s[row]), float(rows.wake_energy_j[row])
            saved = (idle - sleep) * (end - begin)
            if not wakes:
                if saved > 0:
                    found.append((SLEEP, row, number, begin, end, -saved))
            elif end - begin >= wake_s - q.slack_s and saved - wake_j > LIMIT_TOLERANCE * idle * (
                end - begin
            ):
                found.append((SLEEP, row, number, begin, end, -saved))
                if wake_j:
                    found.append((WAKE, row, number, max(begin, end - wake_s), end, wake_j))
    kinds, rows_of, numbers = (_whole([row[i] for row in found]) for i in range(3))
    begins, ends, energies = (np.array([row[i] for row in found], np.float64) for i in (3, 4, 5))
    return Draws(kinds, rows_of, numbers, begins, ends, energies)


def _whole(values: list[Any]) -> Ints:
    return np.array(values, dtype=np.int64)


def _gaps(q: ScheduleTimes) -> Iterator[tuple[int, int, float, float, bool]]:
    """Yield the gaps of all that sleeps and is on: row, number, begin, end, whether it wakes."""
    rows, window = idlers(q.instance), q.window_s
    row, number, begin, end = _occupied(q)
    for kind in np.flatnonzero(rows.sleeps).tolist():
        low = float(rows.start_up_time_s[kind])
        used = q.numbers_used(kind)
        mine = np.flatnonzero(row == kind)
        mine = mine[np.lexsort((begin[mine], number[mine]))]
        for n in used:
            at = mine[np.searchsorted(number[mine], n) : np.searchsorted(number[mine], n, "right")]
            if q.cyclic:
                for a, b, wakes in _around(begin[at], end[at], window, q.slack_s):
                    yield kind, n, a, b, wakes
                continue
            reached = np.maximum.accumulate(np.append(low, end[at]))
            after = np.append(begin[at], window)
            for k in np.flatnonzero(after - reached > q.slack_s).tolist():
                yield kind, n, float(reached[k]), float(after[k]), k < len(at)
        if rows.always_on[kind] and window > 0:
            for _ in range(int(rows.count_min[kind]) - len(used)):
                yield kind, -1, 0.0, window, False


def _around(
    begin: Floats, end: Floats, cycle_s: float, slack_s: float
) -> Iterator[tuple[float, float, bool]]:
    """Yield the gaps on a circle; where nothing takes any of it there is one, without an end."""
    _, first, last = wound(begin, end, cycle_s)
    if not len(first):
        yield 0.0, cycle_s, False
        return
    order = np.argsort(first, kind="stable")
    first, reached = first[order], np.maximum.accumulate(last[order])
    for k in np.flatnonzero(first[1:] - reached[:-1] > slack_s).tolist():
        yield float(reached[k]), float(first[k + 1]), True
    if first[0] + cycle_s - reached[-1] > slack_s:
        yield float(reached[-1]), float(first[0] + cycle_s), True


def _occupied(q: ScheduleTimes) -> tuple[Ints, Ints, Floats, Floats]:
    """Return what takes a slot: kind of what idles, its number, begin and end (s)."""
    device, unit, begin, end = holding(q)
    lasting = end > begin
    device, unit, begin, end = device[lasting], unit[lasting], begin[lasting], end[lasting]
    devices, boards = q.instance.devices, q.instance.boards
    if not len(boards):
        return device, unit, begin, end
    on = np.flatnonzero(devices.on_board[device] >= 0)
    board = devices.on_board[device[on]] + len(devices)
    number = unit[on] // boards.per_board[device[on]]
    return (
        np.concatenate([device, board]),
        np.concatenate([unit, number]),
        np.concatenate([begin, begin[on]]),
        np.concatenate([end, end[on]]),
    )


def holding(q: ScheduleTimes) -> tuple[Ints, Ints, Floats, Floats]:
    """Return what takes a slot of a unit: device, unit, begin and end (s).

    Tasks, set-ups before them, and at either end the hops that their device does not overlap.
    """
    instance, plan = q.instance, q.plan
    device, unit = [q.device], [plan.unit]
    begin, end = [plan.start_s], [q.end_s]
    setups = q.setups
    if len(setups):
        device.append(q.device[setups.task])
        unit.append(plan.unit[setups.task])
        begin.append(setups.start_s)
        end.append(setups.end_s)
    overlap, hops = instance.devices.overlap, plan.hops
    if len(hops) and not overlap.all():
        starts, ends = hops.start_s, hops.start_s + q.hop_time_s
        producer = instance.tensors.producer[hops.tensor]
        out = np.flatnonzero(
            (hops.ordinal == 0) & (hops.leg != READ) & ~overlap[q.device[producer]]
        )
        last = _last_of_chain(q)
        into = np.flatnonzero(last & (hops.leg != WRITE) & ~overlap[hops.dst_device])
        device += [q.device[producer[out]], hops.dst_device[into]]
        unit += [plan.unit[producer[out]], hops.dst_unit[into]]
        begin += [starts[out], starts[into]]
        end += [ends[out], ends[into]]
    whole = np.concatenate(device), np.concatenate(unit)
    return *whole, np.concatenate(begin), np.concatenate(end)


def _last_of_chain(q: ScheduleTimes) -> Ints:
    """Tell of each hop whether it is the last one of its transfer."""
    hops = q.plan.hops
    keys = np.stack([hops.tensor, hops.leg, hops.dst_device, hops.dst_unit], axis=1)
    _, chain = np.unique(keys, axis=0, return_inverse=True)
    chain = chain.reshape(-1)
    most = np.zeros(int(chain.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(most, chain, hops.ordinal)
    return np.asarray(hops.ordinal == most[chain])
