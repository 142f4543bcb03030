"""What a schedule draws and holds over time: power, and units' memory (docs/quantities.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.circle import wound
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.instance import Floats, Instance
from hetopt.instance.grouping import sums
from hetopt.solution import READ, WRITE, SchedulePlan

Hold = tuple[float, float, float]
"""Begin and end (s) of an interval, half-open, and the amount that it holds."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A step function: ``value[k]`` from ``time_s[k]`` on; 0 before the first."""

    time_s: Floats
    value: Floats

    @property
    def peak(self) -> float:
        """Largest value."""
        return float(self.value.max(initial=0.0))


def power_over_time(instance: Instance, plan: SchedulePlan) -> Steps:
    """Return the power in W: idle of units on, and energy / time of what runs and is set up."""
    quantities = ScheduleQuantities(instance, plan)
    idle = [(0.0, quantities.window_s, quantities.idle_power_w)]
    if quantities.cyclic:
        row, start, end, _ = quantities.runs
        power = quantities.task_power_w[row]
    else:
        row, start, end, _, rate = quantities.drawing
        power = quantities.task_power_w[row] * rate
    runs = zip(start.tolist(), end.tolist(), power.tolist(), strict=True)
    setups = quantities.setups
    changes = zip(
        *(a.tolist() for a in (setups.start_s, setups.end_s, setups.power_w)), strict=True
    )
    return _steps([*idle, *runs, *changes], quantities.slack_s)


def memory_over_time(instance: Instance, plan: SchedulePlan) -> dict[tuple[int, int], Steps]:
    """Return the memory in B of each unit (device, unit) that holds any, in that order.

    Weights for the whole window, working memory while a task runs, outputs from the producer's
    start to the last end of a reader there or of a first hop away, and copies from the first
    hop's start to the end of the last consumer.
    """
    quantities = ScheduleQuantities(instance, plan)
    held: dict[tuple[int, int], list[Hold]] = {}
    for unit, hold in _weights(quantities):
        if hold[1] > hold[0] and hold[2] > 0:
            held.setdefault(unit, []).append(hold)
    for unit, hold in (*_working(quantities), *_tensors(quantities)):
        if hold[1] > hold[0] and hold[2] > 0:
            held.setdefault(unit, []).extend(_laid(quantities, hold))
    return {unit: _steps(held[unit], quantities.slack_s) for unit in sorted(held)}


def _steps(holds: Iterable[Hold], slack_s: float) -> Steps:
    """Add up what is held; where an end passes the next begin by the slack or less, it is there."""
    begin, end, amount = np.array([hold for hold in holds if hold[1] > hold[0]]).reshape(-1, 3).T
    starts = np.unique(begin)
    if len(starts):
        at = np.clip(
            np.searchsorted(starts, end - np.minimum(slack_s, 0.5 * (end - begin))),
            0,
            len(starts) - 1,
        )
        near = (starts[at] > begin) & (np.abs(starts[at] - end) <= slack_s)
        end = np.where(near, starts[at], end)
    time, place = np.unique(np.concatenate([begin, end]), return_inverse=True)
    change = np.concatenate([amount, -amount])
    level: Floats = np.cumsum(sums(place.reshape(-1), change, len(time)))
    # What sums of floats leave over where nothing is held.
    level[np.abs(level) <= LIMIT_TOLERANCE * np.abs(level).max(initial=0.0)] = 0.0
    return Steps(time, level)


def _laid(q: ScheduleQuantities, hold: Hold) -> list[Hold]:
    """Return what is held, of a cyclic schedule laid on the circle."""
    if not q.cyclic:
        return [hold]
    _, begin, end = wound(np.array([hold[0]]), np.array([hold[1]]), q.window_s)
    return [(b, e, hold[2]) for b, e in zip(begin.tolist(), end.tolist(), strict=True)]


def _units(q: ScheduleQuantities) -> list[tuple[int, int]]:
    return list(zip(q.device.tolist(), q.plan.unit.tolist(), strict=True))


def _weights(q: ScheduleQuantities) -> list[tuple[tuple[int, int], Hold]]:
    options, chosen = q.instance.options, q.plan.option
    found = {
        (unit, key): size
        for unit, key, size in zip(
            _units(q),
            options.weights_key[chosen].tolist(),
            options.weights_b[chosen].tolist(),
            strict=True,
        )
        if key >= 0
    }
    return [(unit, (0.0, q.window_s, size)) for (unit, _), size in found.items()]


def _working(q: ScheduleQuantities) -> list[tuple[tuple[int, int], Hold]]:
    size = q.instance.options.memory_b[q.plan.option].tolist()
    times = zip(q.plan.start_s.tolist(), q.end_s.tolist(), size, strict=True)
    return list(zip(_units(q), times, strict=True))


def _tensors(q: ScheduleQuantities) -> list[tuple[tuple[int, int], Hold]]:
    """Return outputs and copies of every tensor."""
    instance, plan = q.instance, q.plan
    units, end = _units(q), q.end_s.tolist()
    readers: list[list[int]] = [[] for _ in range(len(instance.tensors))]
    for tensor, task in zip(
        instance.edges.tensor.tolist(), instance.edges.dst.tolist(), strict=True
    ):
        if tensor >= 0:
            readers[tensor].append(task)
    hops: list[list[int]] = [[] for _ in range(len(instance.tensors))]
    for hop, (tensor, ordinal) in enumerate(
        zip(plan.hops.tensor.tolist(), plan.hops.ordinal.tolist(), strict=True)
    ):
        if ordinal == 0:
            hops[tensor].append(hop)
    took = q.hop_time_s
    result = []
    for tensor, (producer, size) in enumerate(
        zip(instance.tensors.producer.tolist(), instance.tensors.bytes_b.tolist(), strict=True)
    ):
        home = units[producer]
        host = instance.host
        on_host = home[0] == host or (host >= 0 and _zero_copy(instance, home[0], host))
        last = end[producer]
        for task in readers[tensor]:
            if units[task] == home or _zero_copy(instance, home[0], units[task][0]):
                last = max(last, end[task])
        for hop in hops[tensor]:
            start = float(plan.hops.start_s[hop])
            leg = int(plan.hops.leg[hop])
            if leg != READ or on_host:
                last = max(last, start + float(took[hop]))
            if leg != WRITE:
                there = (int(plan.hops.dst_device[hop]), int(plan.hops.dst_unit[hop]))
                ends = [end[task] for task in readers[tensor] if units[task] == there]
                result.append((there, (start, max(ends, default=start), size)))
        result.append((home, (float(plan.start_s[producer]), last, size)))
    return result


def _zero_copy(instance: Instance, one: int, other: int) -> bool:
    pool = int(instance.devices.pool[one])
    same = pool >= 0 and pool == int(instance.devices.pool[other])
    return same and bool(instance.pools.zero_copy[pool])
