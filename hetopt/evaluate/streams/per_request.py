"""What a request takes on each route: busy time, energy, latency, accuracy (docs/quantities.md)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate.routes import RouteTransfers
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.graph import topological_order
from hetopt.solution import SteadyPlan


class PerRequest:
    """Quantities of the routes of one steady plan, each computed when it is first asked for."""

    def __init__(self, instance: Instance, plan: SteadyPlan) -> None:
        missing = np.flatnonzero(plan.option < 0)
        if len(missing):
            names = ", ".join(str(n) for n in instance.tasks.name[plan.task[missing[:5]]])
            raise InputError(f"Routes of the plan leave tasks out, among them {names}.")
        self.instance = instance
        self.plan = plan
        self.device: Ints = instance.options.device[plan.option]
        self.route: Ints = np.repeat(np.arange(len(plan.route_job)), np.diff(plan.ptr))

    @cached_property
    def row_energy_j(self) -> Floats:
        """Energy per request of each row, transfers aside: work × energy / batch (M)."""
        options, chosen = self.instance.options, self.plan.option
        work = self.instance.tasks.work[self.plan.task]
        return work * options.energy_j[chosen] / options.batch[chosen]

    @cached_property
    def row_busy_s(self) -> Floats:
        """Busy time per request of each row, with the transfers that take its slot (M)."""
        options, chosen = self.instance.options, self.plan.option
        work = self.instance.tasks.work[self.plan.task]
        busy: Floats = work * options.time_s[chosen] / options.batch[chosen]
        overlap = self.instance.devices.overlap
        transfers = self.transfers
        out = transfers.sends & ~overlap[self.device[transfers.src_row]]
        into = transfers.receives & ~overlap[self.device[transfers.dst_row]]
        np.add.at(busy, transfers.src_row[out], transfers.first_hop_s[out])
        np.add.at(busy, transfers.dst_row[into], transfers.last_hop_s[into])
        return busy

    @cached_property
    def transfers(self) -> RouteTransfers:
        """Transfers of all routes, per request."""
        return RouteTransfers(self.instance, self.plan, self.device, self.route)

    @cached_property
    def row_latency_s(self) -> Floats:
        """Latency of each row, without waiting: stated, else the time, twice for batches (M)."""
        options, chosen = self.instance.options, self.plan.option
        fills = np.where(options.batch[chosen] >= 2, 2.0, 1.0)
        takes = fills * self.instance.tasks.work[self.plan.task] * options.time_s[chosen]
        stated = options.latency_s[chosen]
        return np.where(np.isnan(stated), takes, stated)

    @cached_property
    def route_latency_s(self) -> Floats:
        """Latency: the longest path through tasks, each at its least rate, and transfers (K)."""
        return self.longest_s(self.row_latency_s * self.slowed_by)

    @cached_property
    def slowed_by(self) -> Floats:
        """Factor by which each row may take longer than at full speed: 1 / its least rate (M)."""
        least = self.plan.least_rate
        return np.ones(len(self.plan.option)) if least is None else 1.0 / least

    def longest_s(self, takes: Floats) -> Floats:
        """Longest path through each route's tasks, whose times are given (M), and transfers (K)."""
        begin = np.zeros(len(takes))
        edges, delay = self.transfers.edges, self.transfers.edge_delay_s
        tasks = self.instance.tasks
        _, level = topological_order(len(tasks), self.instance.edges.src, self.instance.edges.dst)
        depth = level[self.plan.task[edges.src_row]]
        order = np.argsort(depth, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1):
            src, dst = edges.src_row[rows], edges.dst_row[rows]
            np.maximum.at(begin, dst, begin[src] + takes[src] + delay[rows])
        latency = np.zeros(len(self.plan.route_job))
        np.maximum.at(latency, self.route, begin + takes)
        return latency

    @cached_property
    def route_accuracy(self) -> Floats:
        """Least accuracy among a route's tasks that state one; NaN where none does (K)."""
        least = np.full(len(self.plan.route_job), np.inf)
        np.fmin.at(least, self.route, self.instance.options.accuracy[self.plan.option])
        return np.where(np.isinf(least), np.nan, least)
