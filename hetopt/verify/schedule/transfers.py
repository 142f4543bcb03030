"""Checks of the transfers of a schedule: which are stated, over which links, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.solution import DIRECT, READ, WRITE, Hops
from hetopt.verify.exact import Numbers, Timeline
from hetopt.verify.paths import Paths
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.hops import (
    Stated,
    check_chain,
    check_path,
    link_name,
    rows_of,
    target_name,
    tensor_name,
)
from hetopt.verify.schedule.needed_transfers import Needs, find, hop_keys, needed, without_path
from hetopt.verify.schedule.placed import Placed
from hetopt.verify.schedule.sweep import group_max

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
    begin, end = times.hop_start, times.hop_end
    if not _in_order(key, hops.ordinal):
        order = np.lexsort((hops.ordinal, key))
        key, begin, end = key[order], begin[order], end[order]
        hops = Hops(*(getattr(hops, name)[order] for name in Hops.__slots__))
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    last = np.r_[first[1:], len(key)][: len(first)] - 1
    present = find(key[first], needs.key) >= 0
    _check_missing(instance, placed, needs, spoilt, blocked | present, findings)
    stated = Stated(hops, begin, end, first, last, find(needs.key, key[first]))
    stated = _check_unneeded(instance, placed, stated, findings)
    stated = stated.only(~blocked[stated.need] & ~spoilt[needs.tensor[stated.need]])
    stated = check_chain(instance, needs, stated, findings)
    check_path(instance, paths, needs, stated, findings)
    _check_hop_times(instance, times, needs, stated, findings)
    _check_arrival(instance, times, needs, stated, findings)
    return _moves(instance, placed, times, needs, stated)


def _in_order(key: Ints, ordinal: Ints) -> bool:
    """Whether hops are in order of transfer and ordinal already."""
    later = key[1:] > key[:-1]
    return bool((later | ((key[1:] == key[:-1]) & (ordinal[1:] >= ordinal[:-1]))).all())


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
                f"{tensor_name(instance, needs.tensor[m])} must go from {device(needs.src[m])} to "
                f"{device(needs.dst[m])}{_LEG[needs.leg[m]]}, but no links lead there."
            ),
            tensor_name(instance, needs.tensor[m]),
        ),
    )


def _check_horizon(instance: Instance, times: Timeline, hops: Hops, findings: Findings) -> None:
    findings.rows(
        "horizon",
        np.flatnonzero(times.scale.over(times.hop_end, np.repeat(times.horizon, len(hops)))),
        lambda i: (
            (
                f"A hop of {tensor_name(instance, hops.tensor[i])} on link "
                f"{link_name(instance, hops.link[i])} ends at "
                f"{show(times.scale.seconds(times.hop_end[i]), 's')}, after the horizon "
                f"{show(instance.limits.horizon_s, 's')}."
            ),
            tensor_name(instance, hops.tensor[i]),
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
            f"{tensor_name(instance, needs.tensor[m])} is needed on "
            + (
                f"the host {instance.devices.name[needs.dst[m]]}"
                if needs.leg[m] == WRITE
                else placed.name(instance, needs.place[m])
            )
            + f"{_LEG[needs.leg[m]]}, but the plan has no transfer to there.",
            tensor_name(instance, needs.tensor[m]),
        ),
    )


def _check_unneeded(
    instance: Instance, placed: Placed, stated: Stated, findings: Findings
) -> Stated:
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
            f"The plan moves {tensor_name(instance, hops.tensor[i])} to "
            + (
                f"device {instance.devices.name[hops.dst_device[i]]}"
                if hops.dst_unit[i] < 0
                else instance.unit_name(hops.dst_device[i], hops.dst_unit[i])
            )
            + f"{_LEG[int(hops.leg[i])]}, which nothing needs there.",
            tensor_name(instance, hops.tensor[i]),
        ),
    )
    return stated.only(~extra)


def _check_hop_times(
    instance: Instance, times: Timeline, needs: Needs, stated: Stated, findings: Findings
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
                f"The transfer of {tensor_name(instance, tensor[m])} to "
                f"{target_name(instance, hops, stated.first[m])} starts at "
                f"{show(scale.seconds(stated.start[stated.first[m]]), 's')}, before the data are "
                f"there at {show(scale.seconds(ready[m]), 's')}."
            ),
            tensor_name(instance, tensor[m]),
        ),
    )
    rows, owner = rows_of(stated)
    rows = rows[rows != stated.first[owner]]
    findings.rows(
        "hop-order",
        rows[scale.under(stated.start[rows], stated.end[rows - 1])],
        lambda i: (
            (
                f"Hop {hops.ordinal[i]} of {tensor_name(instance, hops.tensor[i])} to "
                f"{target_name(instance, hops, i)} starts at "
                f"{show(scale.seconds(stated.start[i]), 's')}, before hop "
                f"{hops.ordinal[i - 1]} ends at {show(scale.seconds(stated.end[i - 1]), 's')}."
            ),
            tensor_name(instance, hops.tensor[i]),
        ),
    )


def _check_arrival(
    instance: Instance, times: Timeline, needs: Needs, stated: Stated, findings: Findings
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
                f"before {tensor_name(instance, edges.tensor[edge[i]])} arrives at "
                f"{show(scale.seconds(arrived[i]), 's')}."
            ),
            names[edges.dst[edge[i]]],
        ),
    )


def _moves(
    instance: Instance, placed: Placed, times: Timeline, needs: Needs, stated: Stated
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


def _move_of_edge(needs: Needs, stated: Stated) -> Ints:
    """Return, per edge, the stated transfer that its consumer waits for, -1 for none."""
    # The entry behind the last one answers for edges that wait for no transfer (need -1).
    move = np.full(len(needs.key) + 1, -1, dtype=np.int64)
    move[stated.need] = np.arange(len(stated.need))
    return move[needs.edge_need]
