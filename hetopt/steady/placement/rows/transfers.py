"""Transfers of the placement model: who sends what where, latency, and the links' capacity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hetopt.steady.placement.variables import BREAKS, GRID
from hetopt.steady.routes.route import option_latency_s
from hetopt.steady.routes.transfers import Leg, leg

if TYPE_CHECKING:
    from hetopt.steady.placement.variables import PlacementModel, Unit


def add_transfers(m: PlacementModel) -> None:
    """Make a literal for each transfer that a placement needs; forbid pairs without a path."""
    instance = m.instance
    for e in range(len(instance.edges)):
        tensor = int(instance.edges.tensor[e])
        if tensor < 0:
            continue
        a, b = int(instance.edges.src[e]), int(instance.edges.dst[e])
        for here, wa in m.placed(a):
            for there, wb in m.placed(b):
                if here == there or m.network.zero_copy(here[0], there[0]):
                    continue
                _message(m, a, b, tensor, (here, wa), (there, wb))


def _message(
    m: PlacementModel, a: int, b: int, tensor: int, begin: tuple[Unit, Any], end: tuple[Unit, Any]
) -> None:
    """Enter what a message from one unit to another takes."""
    (here, wa), (there, wb) = begin, end
    host = m.instance.host
    steps: list[tuple[Unit | None, Unit | None, int, int]] = []
    if not m.instance.tensors.staged[tensor]:
        steps.append((here, there, here[0], there[0]))
    else:
        if here[0] != host:
            steps.append((here, None, here[0], host))
        if there[0] != host:
            steps.append((None, there, host, there[0]))
    legs: list[Leg] = []
    for source, target, src, dst in steps:
        ends = tuple(u[0] for u in (source, target) if u is not None)
        made = leg(m.instance, m.network, tensor, src, dst, ends=ends)
        if made is None:
            m.model.add_bool_or([wa.negated(), wb.negated()])
            return
        legs.append(made)
    m.delays.append((a, b, wa, wb, sum(made.time_s for made in legs)))
    for (source, target, _, _), made in zip(steps, legs, strict=True):
        key = (a, tensor, source, target)
        move = m.moves.get(key)
        if move is None:
            move = m.moves[key] = m.model.new_bool_var(f"m_{len(m.moves)}")
            _charge_move(m, a, move, made, source, target)
        m.model.add_bool_or([wa.negated(), wb.negated(), move])
        m.reasons.append((wa, wb, move))


def _charge_move(
    m: PlacementModel, task: int, move: Any, made: Leg, source: Unit | None, target: Unit | None
) -> None:
    rate = float(m.rate[m.instance.tasks.job[task]])
    for i, link in enumerate(made.links):
        per_b = float(m.instance.links.energy_j_per_b[link])
        m.draw(move, rate * made.bytes_b * per_b, int(m.instance.links.src[link]))
        m.totals.link.setdefault(link, []).append((move, rate * made.bytes_b))
        hop = float(
            m.instance.links.latency_s[link]
            + made.bytes_b / m.instance.links.bandwidth_b_per_s[link]
        )
        overlap = m.instance.devices.overlap
        if i == 0 and source is not None and not overlap[source[0]]:
            m.charge(source, move, rate * hop)
        if i == len(made.links) - 1 and target is not None and not overlap[target[0]]:
            m.charge(target, move, rate * hop)


def add_latency(m: PlacementModel) -> None:
    """Hold the longest path of jobs with a latency limit below it."""
    instance = m.instance
    ends: dict[int, Any] = {}
    takes: dict[int, Any] = {}
    limits: dict[int, float] = {}
    for t in instance.topological_order.tolist():
        slo = float(instance.jobs.latency_slo_s[instance.tasks.job[t]])
        if not math.isfinite(slo):
            continue
        limits[t] = slo or 1.0
        ends[t] = m.model.new_int_var(0, GRID if slo else 0, f"end_{t}")
        chosen = [(x, o) for (task, o, _), x in m.x.items() if task == t]
        takes[t] = m.parts([(x, option_latency_s(instance, t, o)) for x, o in chosen], limits[t])
        m.model.add(ends[t] >= takes[t])
        ptr, edges = instance.predecessors
        for e in edges[ptr[t] : ptr[t + 1]]:
            m.model.add(ends[t] >= ends[int(instance.edges.src[e])] + takes[t])
    for a, b, wa, wb, delay in m.delays:
        if b in ends and delay > 0:
            late = math.floor(min(delay / limits[b], BREAKS) * GRID)
            row = m.model.add(ends[b] >= ends[a] + late + takes[b])
            row.only_enforce_if([wa, wb])


def add_link_rows(m: PlacementModel) -> None:
    """Hold the bytes per second of each link, or of links that share channels, to its bandwidth."""
    links = m.instance.links
    shares: dict[tuple[int, int], list[Any]] = {}
    grid = m.second if m.time is not None else GRID
    most = m.most if m.time is not None else GRID
    for link, terms in sorted(m.totals.link.items()):
        bandwidth = float(links.bandwidth_b_per_s[link])
        if math.isinf(bandwidth):
            continue
        group = int(links.channel_group[link])
        channels = int(links.group_channels[group]) if group >= 0 else 1
        units = m.units[int(links.src[link])] if links.per_unit[link] else 1
        cut = (units * channels + 1.0) * (m.beyond() if m.time is not None else 1.0)
        used = m.parts(terms, bandwidth, grid, cut)
        if links.per_unit[link]:
            used = _per_unit(m, link, used, most * channels)
        shares.setdefault((group, -1 if group >= 0 else link), []).append((used, channels))
    for used_channels in shares.values():
        room = used_channels[0][1] * (GRID if m.time is None else m.time)
        m.model.add(sum(used for used, _ in used_channels) <= room)


def _per_unit(m: PlacementModel, link: int, used: Any, most: int) -> Any:
    """Return the share of a link that grows with the units on of its source."""
    source = int(m.instance.links.src[link])
    share = m.model.new_int_var(0, most, f"share_{link}")
    on = [m.on[source, u] for u in range(m.units[source])]
    row = m.model.add(used <= 0)
    if on:
        row.only_enforce_if(on[0].negated())
    for count in range(1, len(on) + 1):
        exactly = [on[count - 1], *(v.negated() for v in on[count : count + 1])]
        m.model.add(count * share + (count - 1) >= used).only_enforce_if(exactly)
    return share
