"""Checks of the hops of a transfer: that they are a path, and the one to take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.solution import WRITE, Hops
from hetopt.verify.exact import Numbers
from hetopt.verify.paths import Paths
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.needed_transfers import Needs

_TIE = 1e-12
"""Relative difference of times in float64 below which paths are compared in fractions."""


@dataclass(frozen=True, slots=True)
class Stated:
    """Hops in order of transfer and ordinal, and the transfers checked so far.

    Transfer m has hop rows ``first[m]`` to ``last[m]`` and is number ``need[m]`` of the needs.
    """

    hops: Hops
    start: Numbers
    end: Numbers
    first: Ints
    last: Ints
    need: Ints

    def only(self, keep: Bools) -> Stated:
        """Keep some transfers."""
        if keep.all():
            return self
        return Stated(
            self.hops, self.start, self.end, self.first[keep], self.last[keep], self.need[keep]
        )


def check_chain(instance: Instance, needs: Needs, stated: Stated, findings: Findings) -> Stated:
    """Check that hops are numbered 0, 1, ... and that their links lead to the destination."""
    hops, links = stated.hops, instance.links
    rows, owner = rows_of(stated)
    link = hops.link[rows]
    fresh = rows == stated.first[owner]
    follows = np.roll(rows, 1)
    repeated = ~fresh & (hops.ordinal[rows] == hops.ordinal[follows])
    findings.rows(
        "duplicate-hop",
        rows[repeated],
        lambda i: (
            (
                f"The transfer of {tensor_name(instance, hops.tensor[i])} to "
                f"{target_name(instance, hops, i)} has hop {hops.ordinal[i]} more than once."
            ),
            tensor_name(instance, hops.tensor[i]),
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
                f"The hops of {tensor_name(instance, hops.tensor[stated.first[m]])} to "
                f"{target_name(instance, hops, stated.first[m])} are no path from "
                f"{instance.devices.name[needs.src[stated.need[m]]]} to "
                f"{instance.devices.name[needs.dst[stated.need[m]]]}: they use "
                f"{_links(instance, stated, m)}."
            ),
            tensor_name(instance, hops.tensor[stated.first[m]]),
        ),
    )
    return stated.only(~torn & ~doubled)


def check_path(
    instance: Instance, paths: Paths, needs: Needs, stated: Stated, findings: Findings
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
    rows, owner = rows_of(stated)
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
                f"{tensor_name(instance, hops.tensor[stated.first[m]])} goes to "
                f"{target_name(instance, hops, stated.first[m])} over "
                f"{_links(instance, stated, m)} in {show(time[m], 's')} and "
                f"{show(energy[m], 'J')}; the path to take needs {show(best_time[m], 's')} and "
                f"{show(best_energy[m], 'J')}."
            ),
            tensor_name(instance, hops.tensor[stated.first[m]]),
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


def rows_of(stated: Stated) -> tuple[Ints, Ints]:
    """Return the hop rows of the transfers, and the transfer that each belongs to."""
    size = stated.last - stated.first + 1
    owner = np.repeat(np.arange(len(size)), size)
    offset = np.cumsum(size) - size
    return stated.first[owner] + np.arange(len(owner)) - offset[owner], owner


def link_name(instance: Instance, link: int) -> str:
    """Name a link by its ends and its number."""
    names, links = instance.devices.name, instance.links
    return f"{names[links.src[link]]}->{names[links.dst[link]]} ({link})"


def _links(instance: Instance, stated: Stated, move: int) -> str:
    rows = range(stated.first[move], stated.last[move] + 1)
    return ", ".join(link_name(instance, stated.hops.link[i]) for i in rows)


def target_name(instance: Instance, hops: Hops, row: int) -> str:
    """Name where a hop's transfer goes."""
    if hops.leg[row] == WRITE:
        return f"the host {instance.devices.name[hops.dst_device[row]]}"
    return instance.unit_name(hops.dst_device[row], hops.dst_unit[row])


def tensor_name(instance: Instance, tensor: int) -> str:
    """Name a tensor, or the message of a task where it has no name."""
    name = instance.tensors.name[tensor]
    producer = instance.tasks.name[instance.tensors.producer[tensor]]
    return f"tensor {name}" if name else f"the message of {producer}"
