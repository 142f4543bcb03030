"""What routes of a steady plan move: edges, transfers, bytes, delays (docs/quantities.md).

A message between units of one zero-copy pool, or on one unit, moves nothing. A staged tensor is
written once to the host and read from there once per destination unit; tasks on the host's units
read and write host memory directly.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.grouping import distinct, expand, ptr_of, sums
from hetopt.instance.paths import Network
from hetopt.solution import SteadyPlan


class RouteEdges:
    """Edges of all routes: the job's edges, once per route; rows refer to the plan's rows."""

    def __init__(self, instance: Instance, plan: SteadyPlan) -> None:
        ptr, tasks = instance.job_tasks
        position = np.empty(len(instance.tasks), dtype=np.int64)
        position[tasks] = np.arange(len(tasks)) - np.repeat(ptr[:-1], np.diff(ptr))
        job = instance.tasks.job[instance.edges.src]
        by_job = np.argsort(job, kind="stable")
        starts = ptr_of(np.bincount(job, minlength=len(instance.jobs)))
        self.route, entry = expand(starts, plan.route_job)
        self.edge: Ints = by_job[entry]
        begin = plan.ptr[self.route]
        self.src_row: Ints = begin + position[instance.edges.src[self.edge]]
        self.dst_row: Ints = begin + position[instance.edges.dst[self.edge]]


class RouteTransfers:
    """Transfers of all routes, per request, X rows.

    A tensor travels once per route and destination unit; a staged one once to the host and once
    from there per destination unit. `sends` and `receives` say whether the transfer takes part of
    the producer's, the consumer's unit (a staged write has no consumer, a staged read no
    producer). A transfer is ``bytes_b`` large, takes ``time_s`` and ``energy_j``; hop h of all
    hops is part of transfer ``hop_transfer[h]`` and uses link ``hop_link[h]``.
    """

    def __init__(self, instance: Instance, plan: SteadyPlan, device: Ints, route: Ints) -> None:
        self.edges = edges = RouteEdges(instance, plan)
        network = Network(instance)
        tensor = instance.edges.tensor[edges.edge]
        src, dst = device[edges.src_row], device[edges.dst_row]
        unit = plan.unit[edges.dst_row]
        moves = (tensor >= 0) & ((src != dst) | (plan.unit[edges.src_row] != unit))
        moves &= ~network.free(src, dst)
        staged = np.zeros(len(tensor), dtype=bool)
        staged[moves] = instance.tensors.staged[tensor[moves]]
        host = instance.host

        # Each leg: which edges need it, what makes two of them one transfer, from where to where.
        to_host, from_host = (np.full(len(tensor), host) for _ in range(2))
        legs = (
            (moves & ~staged, (unit, dst), src, dst, True, True),
            (staged & (src != host), (), src, to_host, True, False),
            (staged & (dst != host), (unit, dst), from_host, dst, False, True),
        )
        parts: list[tuple[Ints, Ints, Ints, Bools, Bools]] = []
        self._uses: list[tuple[Ints, Ints]] = []
        for needed, target, begin, end, sends, receives in legs:
            rows = np.flatnonzero(needed)
            keys = (*(t[rows] for t in target), tensor[rows], edges.route[rows])
            first, group = distinct(*keys)
            before = sum(len(part[0]) for part in parts)
            self._uses.append((rows, before + group))
            at = rows[first]
            flags = np.full(len(at), sends), np.full(len(at), receives)
            parts.append((at, begin[at], end[at], *flags))
        at, begin, end, self.sends, self.receives = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        self.route: Ints = edges.route[at]
        self.src_row: Ints = edges.src_row[at]
        self.dst_row: Ints = edges.dst_row[at]
        self.bytes_b: Floats = instance.tensors.bytes_b[tensor[at]]
        ptr, self.hop_link = network.paths(begin, end, self.bytes_b)
        _refuse_missing_paths(instance, begin, end, ptr, self.hop_link)
        self.hop_transfer: Ints = np.repeat(np.arange(len(at)), np.diff(ptr))
        size, links = self.bytes_b[self.hop_transfer], instance.links
        hop_s = links.latency_s[self.hop_link] + size / links.bandwidth_b_per_s[self.hop_link]
        self.hop_energy_j: Floats = size * links.energy_j_per_b[self.hop_link]
        self.time_s = sums(self.hop_transfer, hop_s, len(at))
        self.energy_j = sums(self.hop_transfer, self.hop_energy_j, len(at))
        travels = np.diff(ptr) > 0
        self.first_hop_s, self.last_hop_s = (np.zeros(len(at)) for _ in range(2))
        self.first_hop_s[travels] = hop_s[ptr[:-1][travels]]
        self.last_hop_s[travels] = hop_s[ptr[1:][travels] - 1]

    @cached_property
    def edge_delay_s(self) -> Floats:
        """Time between the end of an edge's producer and the arrival at its consumer."""
        delay = np.zeros(len(self.edges.edge))
        for rows, transfer in self._uses:
            delay[rows] += self.time_s[transfer]
        return delay


def _refuse_missing_paths(
    instance: Instance, begin: Ints, end: Ints, ptr: Ints, link: Ints
) -> None:
    lost = np.flatnonzero(link < 0)
    if len(lost):
        transfer = int(np.searchsorted(ptr, lost[0], side="right")) - 1
        name = instance.devices.name
        src, dst = name[begin[transfer]], name[end[transfer]]
        raise InputError(f"The plan sends a message from {src} to {dst}; no links lead there.")
