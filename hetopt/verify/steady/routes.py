"""One route of a steady plan: latency, busy time, bytes on links, energy, accuracy per request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.verify.paths import Label, Paths

Number = Any
"""A Fraction where the plan is small, else a float; one kind throughout a check."""

Unit = tuple[int, int]
"""Device and unit; unit -1 where the plan only states load per device."""

_HOST_UNIT = -2  # the host's end of a staged transfer is no unit of the plan


@dataclass
class Route:
    """What one request of a route costs.

    ``energy_at`` is the energy drawn at each device, a hop's at its link's sending end; ``busy_s``
    is per unit; ``link_b`` the bytes per link; ``accuracy`` NaN where no option states
    one; ``blocked`` the messages (tensor, from device, to device) that no path carries;
    ``lasting_s`` the latency of each task, ``delay_s`` that of each edge.
    """

    latency_s: Number
    accuracy: float
    energy_at: dict[int, Number] = field(default_factory=dict)
    busy_s: dict[Unit, Number] = field(default_factory=dict)
    link_b: dict[int, Number] = field(default_factory=dict)
    blocked: list[tuple[int, int, int]] = field(default_factory=list)
    lasting_s: dict[int, Number] = field(default_factory=dict)
    delay_s: dict[int, Number] = field(default_factory=dict)


@dataclass
class _Transfers:
    """Transfers of one route: when each consumer edge's data arrive after the producer's end."""

    delay_s: dict[int, Number] = field(default_factory=dict)
    used: list[tuple[Label, int, Unit, Unit]] = field(default_factory=list)
    blocked: list[tuple[int, int, int]] = field(default_factory=list)


def cost_route(
    instance: Instance,
    paths: Paths,
    number: Callable[[float | Fraction], Number],
    rows: Sequence[tuple[int, int, int]],
    edges: Ints,
    least: Sequence[Number],
) -> Route:
    """Return what one request of a route costs.

    Parameters
    ----------
    number
        Turns a float or Fraction into the kind of number to calculate with.
    rows
        (task, option, unit) of every task of the job.
    edges
        Indices of the job's edges.
    least
        Part of full speed at which each row runs at least: its latency counts at that rate.
    """
    options, overlap = instance.options, instance.devices.overlap
    chosen = {task: option for task, option, _ in rows}
    where = {task: (int(options.device[option]), unit) for task, option, unit in rows}
    moves = _transfers(instance, paths, number, where, edges)
    run = {
        task: number(options.time_s[o]) * number(instance.tasks.work[task])
        for task, o in chosen.items()
    }
    slowest = {task: rate for (task, _, _), rate in zip(rows, least, strict=True)}
    lasting = {
        task: _latency(instance, number, run[task], o) / slowest[task] for task, o in chosen.items()
    }
    stated = [options.accuracy[o] for o in chosen.values() if not np.isnan(options.accuracy[o])]
    route = Route(
        latency_s=_longest(instance, lasting, moves.delay_s, edges),
        accuracy=min(stated, default=np.nan),
        blocked=moves.blocked,
        lasting_s=lasting,
        delay_s=moves.delay_s,
    )
    for task, option in chosen.items():
        batch = int(options.batch[option])
        _add(route.busy_s, where[task], run[task] / batch)
        energy = number(options.energy_j[option]) * number(instance.tasks.work[task])
        _add(route.energy_at, where[task][0], energy / batch)
    for label, tensor, src, dst in moves.used:
        size = number(instance.tensors.bytes_b[tensor])
        hops = [
            number(instance.links.latency_s[k])
            + _sending(number, size, instance.links.bandwidth_b_per_s[k])
            for k in label.links
        ]
        for link in label.links:
            _add(route.link_b, link, size)
            joules = size * number(instance.links.energy_j_per_b[link])
            _add(route.energy_at, int(instance.links.src[link]), joules)
        if src[1] != _HOST_UNIT and not overlap[src[0]]:
            _add(route.busy_s, src, hops[0])
        if dst[1] != _HOST_UNIT and not overlap[dst[0]]:
            _add(route.busy_s, dst, hops[-1])
    return route


def _latency(
    instance: Instance, number: Callable[[float | Fraction], Number], run: Number, option: int
) -> Number:
    """Return the stated latency; else the time, twice where a batch fills while one runs."""
    stated = instance.options.latency_s[option]
    if not np.isnan(stated):
        return number(stated)
    return run * (2 if instance.options.batch[option] >= 2 else 1)


def _transfers(
    instance: Instance,
    paths: Paths,
    number: Callable[[float | Fraction], Number],
    where: dict[int, Unit],
    edges: Ints,
) -> _Transfers:
    """Return the transfers of a route: a tensor goes once to each unit that reads it."""
    found = _Transfers()
    host = instance.host
    done: dict[tuple[int, int, Unit], Number] = {}

    def move(tensor: int, leg: int, src: Unit, dst: Unit) -> Number:
        """Use a transfer, once; return its time."""
        key = (tensor, leg, dst)
        if key not in done:
            done[key] = number(0.0)
            if not paths.zero_copy(src[0], dst[0]):
                label = paths.choose(src[0], dst[0], instance.tensors.bytes_b[tensor])
                if label is None:
                    found.blocked.append((tensor, src[0], dst[0]))
                else:
                    size = number(instance.tensors.bytes_b[tensor])
                    done[key] = number(label.latency) + size * number(label.slowness)
                    found.used.append((label, tensor, src, dst))
        return done[key]

    for edge in edges.tolist():
        tensor = int(instance.edges.tensor[edge])
        src = where[int(instance.edges.src[edge])]
        dst = where[int(instance.edges.dst[edge])]
        found.delay_s[edge] = number(0.0)
        if tensor < 0 or src == dst or paths.zero_copy(src[0], dst[0]):
            continue
        if not instance.tensors.staged[tensor]:
            found.delay_s[edge] = move(tensor, 0, src, dst)
            continue
        if host < 0:
            found.blocked.append((tensor, src[0], dst[0]))
            continue
        memory = (host, _HOST_UNIT)
        if src[0] != host:
            found.delay_s[edge] += move(tensor, 1, src, memory)
        if dst[0] != host:
            found.delay_s[edge] += move(tensor, 2, memory, dst)
    return found


def _longest(
    instance: Instance,
    lasting: dict[int, Number],
    delay: dict[int, Number],
    edges: Ints,
) -> Number:
    """Return the longest path through the job, by Kahn's order."""
    before: dict[int, int] = dict.fromkeys(lasting, 0)
    leaving: dict[int, list[int]] = {task: [] for task in lasting}
    for edge in edges.tolist():
        before[int(instance.edges.dst[edge])] += 1
        leaving[int(instance.edges.src[edge])].append(edge)
    begins = {task: lasting[task] * 0 for task in lasting}
    ready = [task for task, count in before.items() if count == 0]
    for task in ready:
        for edge in leaving[task]:
            after = int(instance.edges.dst[edge])
            begins[after] = max(begins[after], begins[task] + lasting[task] + delay[edge])
            before[after] -= 1
            if before[after] == 0:
                ready.append(after)
    return max(begins[task] + lasting[task] for task in lasting)


def _sending(
    number: Callable[[float | Fraction], Number], size: Number, bandwidth: float
) -> Number:
    return size * 0 if np.isinf(bandwidth) else size / number(bandwidth)


def _add(total: dict[Any, Number], key: Any, amount: Number) -> None:
    total[key] = total[key] + amount if key in total else amount
