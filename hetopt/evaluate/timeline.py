"""What a schedule draws and holds over time: power, and units' memory (docs/quantities.md)."""

from __future__ import annotations

import numpy as np

from hetopt.evaluate.cyclic import wound
from hetopt.evaluate.over_time.steps import Hold, Steps, steps_of
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.instance import Instance
from hetopt.solution import READ, WRITE, SchedulePlan


def power_over_time(instance: Instance, plan: SchedulePlan) -> Steps:
    """Return the power in W: idle of the units on, less where they sleep, and of what runs."""
    return ScheduleQuantities(instance, plan).power


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
    return {unit: steps_of(held[unit], quantities.slack_s) for unit in sorted(held)}


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
