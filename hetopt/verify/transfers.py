"""Checks of the transfers of a schedule: which are stated, over which links, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.solution import DIRECT, READ, WRITE, Hops
from hetopt.verify.exact import Numbers, Timeline
from hetopt.verify.needs import Needs, find, hop_keys, needed, without_path
from hetopt.verify.paths import Paths
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule import Placed
from hetopt.verify.sweep import group_max

_TIE = 1e-12
"""Relative difference of times in float64 below which paths are compared in fractions."""

_LEG = {DIRECT: "", WRITE: " (write to the host)", READ: " (read from the host)"}


@dataclass(frozen=True, slots=True)
class Moves:
    """The needed transfers that a plan states, with the times that other rules need (length M).

    ``place`` is the destination unit, -1 for a write to the host. ``copy_end`` is when the copy
    may leave the destination; ``hold_end`` (N) when an output may leave the producer's unit.
    """

    tensor: Ints
    leg: Ints
    place: Ints
    first_start: Numbers
    first_end: Numbers
    last_start: Numbers
    last_end: Numbers
    copy_end: Numbers
    hold_end: Numbers


@dataclass(frozen=True, slots=True)
class _Stated:
    """Hops in order of transfer and ordinal, and the transfers checked so far.

    Transfer m has hop rows ``first[m]`` to ``last[m]`` and is number ``need[m]`` of the needs.
    """

    hops: Hops
    start: Numbers
    end: Numbers
    first: Ints
    last: Ints
    need: Ints

    def only(self, keep: Bools) -> _Stated:
        return _Stated(
            self.hops, self.start, self.end, self.first[keep], self.last[keep], self.need[keep]
        )


def check_transfers(
    instance: Instance,
    placed: Placed,
    times: Timeline,
    hops: Hops,
    spoilt: Bools,
    findings: Findings,
) -> Moves:
    """Check every transfer of a schedule.

    Parameters
    ----------
    hops
        The readable hops, parallel to ``times.hop_start``.
    spoilt
        Tensors (N) with hops that could not be read; what they lack is not reported again.
    """
    paths = Paths(instance)
    needs = needed(instance, placed)
    blocked = without_path(needs, instance, paths)
    _report_blocked(instance, placed, needs, blocked, findings)
    _check_horizon(instance, times, hops, findings)
    key = hop_keys(instance, placed, hops)
    order = np.lexsort((hops.ordinal, key))
    key = key[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    last = np.r_[first[1:], len(key)][: len(first)] - 1
    present = find(key[first], needs.key) >= 0
    _check_missing(instance, placed, needs, spoilt, blocked | present, findings)
    stated = _Stated(
        Hops(*(getattr(hops, name)[order] for name in Hops.__slots__)),
        times.hop_start[order],
        times.hop_end[order],
        first,
        last,
        find(needs.key, key[first]),
    )
    stated = _check_unneeded(instance, placed, stated, findings)
    stated = stated.only(~blocked[stated.need] & ~spoilt[needs.tensor[stated.need]])
    stated = _check_chain(instance, needs, stated, findings)
    _check_path(instance, paths, needs, stated, findings)
    _check_hop_times(instance, times, needs, stated, findings)
    _check_arrival(instance, times, needs, stated, findings)
    return _moves(instance, placed, times, needs, stated)


def _report_blocked(
    instance: Instance, placed: Placed, needs: Needs, blocked: Bools, findings: Findings
) -> None:
    names = instance.devices.name

    def device(index: int) -> str:
        return names[index] if index >= 0 else "the host, which is not named"

    findings.rows(
        "no-path",
        np.flatnonzero(blocked),
        lambda m: (
            (
                f"{_tensor(instance, needs.tensor[m])} must go from {device(needs.src[m])} to "
                f"{device(needs.dst[m])}{_LEG[needs.leg[m]]}, but no links lead there."
            ),
            _tensor(instance, needs.tensor[m]),
        ),
    )


def _check_horizon(instance: Instance, times: Timeline, hops: Hops, findings: Findings) -> None:
    findings.rows(
        "horizon",
        np.flatnonzero(times.scale.over(times.hop_end, np.repeat(times.horizon, len(hops)))),
        lambda i: (
            (
                f"A hop of {_tensor(instance, hops.tensor[i])} on link "
                f"{link_name(instance, hops.link[i])} ends at "
                f"{show(times.scale.seconds(times.hop_end[i]), 's')}, after the horizon "
                f"{show(instance.limits.horizon_s, 's')}."
            ),
            _tensor(instance, hops.tensor[i]),
        ),
    )


def _check_missing(
    instance: Instance,
    placed: Placed,
    needs: Needs,
    spoilt: Bools,
    excused: Bools,
    findings: Findings,
) -> None:
    findings.rows(
        "missing-transfer",
        np.flatnonzero(~excused & ~spoilt[needs.tensor]),
        lambda m: (
            f"{_tensor(instance, needs.tensor[m])} is needed on "
            + (
                f"the host {instance.devices.name[needs.dst[m]]}"
                if needs.leg[m] == WRITE
                else placed.name(instance, needs.place[m])
            )
            + f"{_LEG[needs.leg[m]]}, but the plan has no transfer to there.",
            _tensor(instance, needs.tensor[m]),
        ),
    )


def _check_unneeded(
    instance: Instance, placed: Placed, stated: _Stated, findings: Findings
) -> _Stated:
    """Report transfers that nothing needs, unless a task of the tensor could not be read."""
    edges = instance.edges
    open_ends = (edges.tensor >= 0) & ~(placed.usable[edges.src] & placed.usable[edges.dst])
    unclear = np.zeros(len(instance.tensors), dtype=bool)
    unclear[edges.tensor[open_ends]] = True
    hops, extra = stated.hops, stated.need < 0
    findings.rows(
        "unneeded-transfer",
        stated.first[extra & ~unclear[hops.tensor[stated.first]]],
        lambda i: (
            f"The plan moves {_tensor(instance, hops.tensor[i])} to "
            + (
                f"device {instance.devices.name[hops.dst_device[i]]}"
                if hops.dst_unit[i] < 0
                else instance.unit_name(hops.dst_device[i], hops.dst_unit[i])
            )
            + f"{_LEG[int(hops.leg[i])]}, which nothing needs there.",
            _tensor(instance, hops.tensor[i]),
        ),
    )
    return stated.only(~extra)


def _check_chain(instance: Instance, needs: Needs, stated: _Stated, findings: Findings) -> _Stated:
    """Check that hops are numbered 0, 1, ... and that their links lead to the destination."""
    hops, links = stated.hops, instance.links
    rows, owner = _rows_of(stated)
    link = hops.link[rows]
    fresh = rows == stated.first[owner]
    follows = np.roll(rows, 1)
    repeated = ~fresh & (hops.ordinal[rows] == hops.ordinal[follows])
    findings.rows(
        "duplicate-hop",
        rows[repeated],
        lambda i: (
            (
                f"The transfer of {_tensor(instance, hops.tensor[i])} to "
                f"{_target(instance, hops, i)} has hop {hops.ordinal[i]} more than once."
            ),
            _tensor(instance, hops.tensor[i]),
        ),
    )
    need = stated.need[owner]
    came_from = np.where(fresh, needs.src[need], links.dst[np.roll(link, 1)])
    broken = (hops.ordinal[rows] != rows - stated.first[owner]) | (links.src[link] != came_from)
    broken |= (rows == stated.last[owner]) & (links.dst[link] != needs.dst[need])
    doubled = np.zeros(len(stated.first), dtype=bool)
    doubled[owner[repeated]] = True
    torn = np.zeros(len(stated.first), dtype=bool)
    torn[owner[broken]] = True
    findings.rows(
        "broken-path",
        np.flatnonzero(torn & ~doubled),
        lambda m: (
            (
                f"The hops of {_tensor(instance, hops.tensor[stated.first[m]])} to "
                f"{_target(instance, hops, stated.first[m])} are no path from "
                f"{instance.devices.name[needs.src[stated.need[m]]]} to "
                f"{instance.devices.name[needs.dst[stated.need[m]]]}: they use "
                f"{_links(instance, stated, m)}."
            ),
            _tensor(instance, hops.tensor[stated.first[m]]),
        ),
    )
    return stated.only(~torn & ~doubled)


def _check_path(
    instance: Instance, paths: Paths, needs: Needs, stated: _Stated, findings: Findings
) -> None:
    """Check that a path takes the time and energy of the prescribed one."""
    hops, links, devices = stated.hops, instance.links, len(instance.devices)
    # A direct link without another beside it is the path; most transfers take one.
    _, which, many = np.unique(
        links.src * devices + links.dst, return_inverse=True, return_counts=True
    )
    alone = (stated.first == stated.last) & (many[which][hops.link[stated.first]] == 1)
    stated = stated.only(~alone)
    if not len(stated.first):
        return
    bytes_b = instance.tensors.bytes_b[needs.tensor[stated.need]]
    rows, owner = _rows_of(stated)
    link = hops.link[rows]
    begins = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    sent = bytes_b[owner]
    time = np.add.reduceat(links.latency_s[link] + sent / links.bandwidth_b_per_s[link], begins)
    energy = np.add.reduceat(links.energy_j_per_b[link] * sent, begins)
    pair = needs.src[stated.need] * devices + needs.dst[stated.need]
    best_time, best_energy = np.empty_like(time), np.empty_like(energy)
    order = np.argsort(pair, kind="stable")
    for block in np.split(order, np.flatnonzero(np.diff(pair[order])) + 1):
        src, dst = divmod(int(pair[block[0]]), devices)
        best_time[block], best_energy[block] = _best(paths, src, dst, bytes_b[block])
    wrong = (np.abs(time - best_time) > LIMIT_TOLERANCE * best_time) | (
        np.abs(energy - best_energy) > LIMIT_TOLERANCE * np.maximum(energy, best_energy)
    )
    findings.rows(
        "wrong-path",
        np.flatnonzero(wrong),
        lambda m: (
            (
                f"{_tensor(instance, hops.tensor[stated.first[m]])} goes to "
                f"{_target(instance, hops, stated.first[m])} over {_links(instance, stated, m)} in "
                f"{show(time[m], 's')} and {show(energy[m], 'J')}; the path to take needs "
                f"{show(best_time[m], 's')} and {show(best_energy[m], 'J')}."
            ),
            _tensor(instance, hops.tensor[stated.first[m]]),
        ),
    )


def _best(paths: Paths, src: int, dst: int, bytes_b: Floats) -> tuple[Floats, Floats]:
    """Return time and energy of the prescribed path for each size."""
    labels = paths.labels(src, dst)
    time = np.array([float(label.latency) + bytes_b * float(label.slowness) for label in labels])
    energy = np.array([bytes_b * float(label.energy) for label in labels])
    least = time.argmin(axis=0)
    each = np.arange(len(bytes_b))
    best_time, best_energy = time[least, each], energy[least, each]
    tied = (time <= best_time * (1 + _TIE)).sum(axis=0) > 1
    for m in np.flatnonzero(tied):
        label = paths.choose(src, dst, bytes_b[m])
        if label is not None:
            best_time[m] = float(label.latency) + bytes_b[m] * float(label.slowness)
            best_energy[m] = bytes_b[m] * float(label.energy)
    return best_time, best_energy


def _check_hop_times(
    instance: Instance, times: Timeline, needs: Needs, stated: _Stated, findings: Findings
) -> None:
    """Check that a transfer waits for its data, and each hop for the one before."""
    hops, scale = stated.hops, times.scale
    tensor = needs.tensor[stated.need]
    ready = times.end[instance.tensors.producer[tensor]].copy()
    writes = np.flatnonzero(needs.leg[stated.need] == WRITE)
    written = np.full(len(instance.tensors), -1, dtype=np.int64)
    written[tensor[writes]] = stated.last[writes]
    after = (needs.leg[stated.need] == READ) & (written[tensor] >= 0)
    ready[after] = stated.end[written[tensor[after]]]
    findings.rows(
        "transfer-start",
        np.flatnonzero(scale.under(stated.start[stated.first], ready)),
        lambda m: (
            (
                f"The transfer of {_tensor(instance, tensor[m])} to "
                f"{_target(instance, hops, stated.first[m])} starts at "
                f"{show(scale.seconds(stated.start[stated.first[m]]), 's')}, before the data are "
                f"there at {show(scale.seconds(ready[m]), 's')}."
            ),
            _tensor(instance, tensor[m]),
        ),
    )
    rows, owner = _rows_of(stated)
    rows = rows[rows != stated.first[owner]]
    findings.rows(
        "hop-order",
        rows[scale.under(stated.start[rows], stated.end[rows - 1])],
        lambda i: (
            (
                f"Hop {hops.ordinal[i]} of {_tensor(instance, hops.tensor[i])} to "
                f"{_target(instance, hops, i)} starts at "
                f"{show(scale.seconds(stated.start[i]), 's')}, before hop "
                f"{hops.ordinal[i - 1]} ends at {show(scale.seconds(stated.end[i - 1]), 's')}."
            ),
            _tensor(instance, hops.tensor[i]),
        ),
    )


def _check_arrival(
    instance: Instance, times: Timeline, needs: Needs, stated: _Stated, findings: Findings
) -> None:
    """Check that a consumer waits for its transfer (beyond the precedence of tasks)."""
    edges, scale, names = instance.edges, times.scale, instance.tasks.name
    move = _move_of_edge(needs, stated)
    edge = np.flatnonzero(move >= 0)
    arrived = stated.end[stated.last[move[edge]]]
    start = times.start[edges.dst[edge]]
    early = scale.under(start, arrived) & ~scale.under(start, times.end[edges.src[edge]])
    findings.rows(
        "arrival",
        np.flatnonzero(early),
        lambda i: (
            (
                f"Task {names[edges.dst[edge[i]]]} starts at {show(scale.seconds(start[i]), 's')}, "
                f"before {_tensor(instance, edges.tensor[edge[i]])} arrives at "
                f"{show(scale.seconds(arrived[i]), 's')}."
            ),
            names[edges.dst[edge[i]]],
        ),
    )


def _moves(
    instance: Instance, placed: Placed, times: Timeline, needs: Needs, stated: _Stated
) -> Moves:
    edges, need = instance.edges, stated.need
    tensor, leg = needs.tensor[need], needs.leg[need]
    first_end, last_end = stated.end[stated.first], stated.end[stated.last]
    hold = times.end[instance.tensors.producer]
    hold = group_max(edges.tensor[needs.local], times.end[edges.dst[needs.local]], hold)
    leaving = (leg != READ) | needs.at_host[tensor]
    hold = group_max(tensor[leaving], first_end[leaving], hold)
    move = _move_of_edge(needs, stated)
    edge = np.flatnonzero(move >= 0)
    return Moves(
        tensor=tensor,
        leg=leg,
        place=needs.place[need],
        first_start=stated.start[stated.first],
        first_end=first_end,
        last_start=stated.start[stated.last],
        last_end=last_end,
        copy_end=group_max(move[edge], times.end[edges.dst[edge]], last_end),
        hold_end=hold,
    )


def _move_of_edge(needs: Needs, stated: _Stated) -> Ints:
    """Return, per edge, the stated transfer that its consumer waits for, -1 for none."""
    # The entry behind the last one answers for edges that wait for no transfer (need -1).
    move = np.full(len(needs.key) + 1, -1, dtype=np.int64)
    move[stated.need] = np.arange(len(stated.need))
    return move[needs.edge_need]


def _rows_of(stated: _Stated) -> tuple[Ints, Ints]:
    """Return the hop rows of the transfers, and the transfer that each belongs to."""
    size = stated.last - stated.first + 1
    owner = np.repeat(np.arange(len(size)), size)
    offset = np.cumsum(size) - size
    return stated.first[owner] + np.arange(len(owner)) - offset[owner], owner


def link_name(instance: Instance, link: int) -> str:
    """Name a link by its ends and its number."""
    names, links = instance.devices.name, instance.links
    return f"{names[links.src[link]]}->{names[links.dst[link]]} ({link})"


def _links(instance: Instance, stated: _Stated, move: int) -> str:
    rows = range(stated.first[move], stated.last[move] + 1)
    return ", ".join(link_name(instance, stated.hops.link[i]) for i in rows)


def _target(instance: Instance, hops: Hops, row: int) -> str:
    if hops.leg[row] == WRITE:
        return f"the host {instance.devices.name[hops.dst_device[row]]}"
    return instance.unit_name(hops.dst_device[row], hops.dst_unit[row])


def _tensor(instance: Instance, tensor: int) -> str:
    """Name a tensor, or the message of a task where it has no name."""
    name = instance.tensors.name[tensor]
    producer = instance.tasks.name[instance.tensors.producer[tensor]]
    return f"tensor {name}" if name else f"the message of {producer}"
