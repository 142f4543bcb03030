"""Quantities of a steady plan (docs/quantities.md), vectorised over the tasks of all routes.

What a route needs per request (busy time, bytes, energy, latency) comes first, then what the rates
make of it.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate.resources import steady_use
from hetopt.evaluate.routes import RouteTransfers
from hetopt.evaluate.states import PlanStates
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.graph import topological_order
from hetopt.instance.grouping import distinct, ratio, records, sums, weighted_mean
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.slow_domains import domain_of_device, slow_domains
from hetopt.instance.states.stream_boards import board_joule_prices, boards_had, boards_on
from hetopt.solution import SteadyPlan


class SteadyQuantities:
    """Quantities of one steady plan, each computed when it is first asked for.

    D devices, J jobs, L links, K routes, M rows (tasks of all routes). Power in W, latency in s,
    rates in requests/s; cost in money/s, carbon in kg/s.

    Parameters
    ----------
    instance
        An instance of the steady regime.
    plan
        A steady plan whose routes give every task of their job an option.
    """

    OBJECTIVES: ClassVar[dict[str, str]] = {
        "throughput": "throughput_per_s",
        "power": "power_w",
        "cost": "cost_per_s",
        "carbon": "carbon_kg_per_s",
        "accuracy": "accuracy",
        "value": "value_per_s",
    }

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

    @cached_property
    def used(self) -> Bools:
        """Routes with a rate above 0 (K)."""
        return self.plan.rate_per_s > 0

    @cached_property
    def served_per_s(self) -> Floats:
        """Rate of each job, summed over its routes (J)."""
        return sums(self.plan.route_job, self.plan.rate_per_s, len(self.instance.jobs))

    @cached_property
    def scale(self) -> float:
        """θ: the least over jobs of served / demanded rate."""
        demanded = self.instance.jobs.rate_per_s
        asked = demanded > 0
        return float((self.served_per_s[asked] / demanded[asked]).min(initial=np.inf))

    @cached_property
    def throughput_per_s(self) -> float:
        """θ × the sum of the demanded rates."""
        return self.scale * float(self.instance.jobs.rate_per_s.sum())

    @cached_property
    def value_per_s(self) -> float:
        """What the requests served are worth: Σ value × rate."""
        return math.fsum((self.instance.jobs.value * self.served_per_s).tolist())

    @cached_property
    def row_rate_per_s(self) -> Floats:
        """Rate of each row's route (M)."""
        return self.plan.rate_per_s[self.route]

    @cached_property
    def load(self) -> Floats:
        """Busy slots of each device, on average, for as long as slowed work takes (D)."""
        load = sums(self.device, self.row_rate_per_s * self.row_busy_s, len(self.instance.devices))
        if self.states is None:
            return load
        return np.where(domain_of_device(self.instance) >= 0, self.states.occupied, load)

    @cached_property
    def states(self) -> PlanStates | None:
        """What the plan's states bring, where it has any."""
        known = self.plan.states
        return None if known is None else PlanStates(self.instance, known)

    @cached_property
    def units_on(self) -> Ints:
        """Units on; all that are provisioned where a device is never off (D)."""
        off = self.instance.devices.off_when_unused
        return np.where(off, self.plan.units_on, self.plan.units_had)

    @cached_property
    def boards_had(self) -> Ints:
        """Boards had (B)."""
        return boards_had(self.instance, self.plan.units_had)

    @cached_property
    def boards_on(self) -> Ints:
        """Boards on (B)."""
        return boards_on(self.instance, self.units_on, self.plan.units_had)

    @cached_property
    def serves(self) -> Bools:
        """Whether each device serves requests (D)."""
        found = np.zeros(len(self.instance.devices), dtype=bool)
        found[self.device[self.used[self.route]]] = True
        return found

    @cached_property
    def units_working(self) -> Ints:
        """Units that the work must fit: those on, with spare units set aside (D)."""
        spare = np.where(self.serves, self.instance.devices.spare, 0)
        return np.maximum(0, np.minimum(self.units_on, self.plan.units_had - spare))

    @cached_property
    def unit_capacity(self) -> Floats:
        """Busy slots that one unit may have, on average (D)."""
        devices = self.instance.devices
        return devices.max_utilization * (1.0 - devices.reserved) * devices.slots

    @cached_property
    def unit_least_load(self) -> Floats:
        """Busy slots that one unit on must have at least, on average (D)."""
        devices = self.instance.devices
        return devices.min_load * (1.0 - devices.reserved) * devices.slots

    @cached_property
    def idle_power_w(self) -> float:
        """Idle power of all units and boards on."""
        own = float((self.instance.devices.idle_power_w * self.units_on).sum())
        return own + float((self.instance.boards.idle_power_w * self.boards_on).sum())

    @cached_property
    def power_options_w(self) -> float:
        """Average power above idle of all tasks."""
        return float((self.row_rate_per_s * self.row_energy_j).sum())

    @cached_property
    def power_transfers_w(self) -> float:
        """Average power of all transfers."""
        transfers = self.transfers
        return float((self.plan.rate_per_s[transfers.route] * transfers.energy_j).sum())

    @cached_property
    def power_w(self) -> float:
        """Average power: idle, options and transfers."""
        return self.idle_power_w + self.power_options_w + self.power_transfers_w

    @cached_property
    def worst_power_w(self) -> float:
        """Power at the worst instant: every slot of every unit on runs its hungriest option.

        Where the plan names units, a unit runs only what it serves; transfers do not count. Devices
        that slow each other down are in their hungriest state.
        """
        devices, options = self.instance.devices, self.instance.options
        in_states = np.zeros(len(devices), dtype=bool)
        if self.states is not None:
            in_states = domain_of_device(self.instance) >= 0
        rows = np.flatnonzero(self.used[self.route] & ~in_states[self.device])
        chosen, device, unit = self.plan.option[rows], self.device[rows], self.plan.unit[rows]
        time = options.time_s[chosen]
        power = np.divide(options.energy_j[chosen], time, out=np.zeros_like(time), where=time > 0)
        first, group = distinct(unit, device)
        worst = np.zeros(len(first))
        np.maximum.at(worst, group, power)
        units = np.where(unit[first] < 0, self.units_working[device[first]], 1)
        apart = float((worst * units * devices.slots[device[first]]).sum())
        slowed = 0.0 if self.states is None else float(self.states.worst_power_w.sum())
        return self.idle_power_w + apart + slowed

    @cached_property
    def cost_units_per_s(self) -> float:
        """Price of the units and boards had."""
        own = float((self.instance.devices.price_per_s * self.plan.units_had).sum())
        return own + float((self.instance.boards.price_per_s * self.boards_had).sum())

    @cached_property
    def cost_energy_per_s(self) -> float:
        """Price of the electricity, PUE included."""
        return self._paid("cost")

    @cached_property
    def cost_per_s(self) -> float:
        """Units and electricity."""
        return self.cost_units_per_s + self.cost_energy_per_s

    @cached_property
    def carbon_kg_per_s(self) -> float:
        """Carbon of the electricity, PUE included."""
        return self._paid("carbon")

    def idle_paid_per_s(self, objective: str) -> float:
        """Return what idle power costs or emits per second."""
        units = joule_prices(self.instance, objective) * self.instance.devices.idle_power_w
        boards = board_joule_prices(self.instance, objective) * self.instance.boards.idle_power_w
        return float((units * self.units_on).sum()) + float((boards * self.boards_on).sum())

    def _paid(self, objective: str) -> float:
        """Return what the average power costs or emits, each joule where it is drawn."""
        price = joule_prices(self.instance, objective)
        if not (price != price[0]).any():
            return self.power_w * float(price[0])
        transfers = self.transfers
        at = self.instance.links.src[transfers.hop_link]
        sent = self.plan.rate_per_s[transfers.route][transfers.hop_transfer]
        work = price[self.device] * self.row_rate_per_s * self.row_energy_j
        moved = price[at] * sent * transfers.hop_energy_j
        still = self.idle_paid_per_s(objective)
        return math.fsum((still, float(work.sum()), float(moved.sum())))

    @cached_property
    def job_accuracy(self) -> Floats:
        """Rate-weighted mean accuracy of each job's routes; NaN where none states one (J)."""
        stated = self.used & ~np.isnan(self.route_accuracy)
        job, rate = self.plan.route_job[stated], self.plan.rate_per_s[stated]
        wide = len(self.instance.jobs)
        weight = sums(job, rate, wide)
        total = sums(job, rate * self.route_accuracy[stated], wide)
        mean: Floats = np.divide(total, weight, out=np.full(wide, np.nan), where=weight > 0)
        return mean

    @cached_property
    def accuracy(self) -> float:
        """Weighted mean over the jobs that have an accuracy; NaN where none has."""
        return weighted_mean(self.job_accuracy, self.instance.jobs.weight)

    @cached_property
    def job_latency_s(self) -> Floats:
        """Worst latency of each job's used routes; NaN where it has none (J)."""
        worst = np.full(len(self.instance.jobs), -np.inf)
        np.maximum.at(worst, self.plan.route_job[self.used], self.route_latency_s[self.used])
        return np.where(np.isinf(worst), np.nan, worst)

    @cached_property
    def latency_s(self) -> float:
        """Worst latency of all used routes; NaN where there is none."""
        used = self.route_latency_s[self.used]
        return float(used.max()) if len(used) else math.nan

    def as_dict(self) -> dict[str, Any]:
        """Return all quantities as plain values, None where one does not apply."""
        numbers = (
            *("throughput_per_s", "scale", "latency_s", "accuracy"),
            *("power_w", "power_options_w", "power_transfers_w", "idle_power_w", "worst_power_w"),
            *("cost_per_s", "cost_units_per_s", "cost_energy_per_s", "carbon_kg_per_s"),
        )
        worth = ("value_per_s",) if self.instance.jobs.value.any() else ()
        values = {name: float(getattr(self, name)) for name in (*numbers, *worth)}
        table: dict[str, Any] = {n: v if math.isfinite(v) else None for n, v in values.items()}
        states: dict[str, Any] = {}
        if slow_domains(self.instance):
            states["states"] = [] if self.states is None else self.states.rows()
        return (
            table
            | states
            | {
                "devices": self._device_rows(),
                **({"boards": self._board_rows()} if len(self.instance.boards) else {}),
                "units": self._unit_rows(),
                "jobs": self._job_rows(),
                "links": self._link_rows(),
                "kind_shares": self._share_rows(),
                "resources": steady_use(
                    self.instance, self.plan.task, self.plan.option, self.row_rate_per_s
                ),
            }
        )

    def _device_rows(self) -> list[dict[str, Any]]:
        devices, wide = self.instance.devices, len(self.instance.devices)
        capacity = self.unit_capacity * self.units_working
        power = self.row_rate_per_s * self.row_energy_j
        least = self.unit_least_load * self.units_working
        return records(
            {
                "device": devices.name,
                "had": self.plan.units_had,
                "on": self.units_on,
                "spare": np.where(self.serves, devices.spare, 0),
                "load": self.load,
                **({"least_load": least} if devices.min_load.any() else {}),
                "capacity": capacity,
                "utilization": ratio(self.load, capacity),
                "power_options_w": sums(self.device, power, wide),
                "idle_power_w": devices.idle_power_w * self.units_on,
                "cost_units_per_s": devices.price_per_s * self.plan.units_had,
            }
        )

    def _board_rows(self) -> list[dict[str, Any]]:
        boards = self.instance.boards
        return records(
            {
                "board": boards.name,
                "had": self.boards_had,
                "on": self.boards_on,
                "idle_power_w": boards.idle_power_w * self.boards_on,
                "cost_boards_per_s": boards.price_per_s * self.boards_had,
            }
        )

    def _unit_rows(self) -> list[dict[str, Any]]:
        """Return the loads of the units that the plan names, none where it names no units."""
        named = np.flatnonzero((self.plan.unit >= 0) & self.used[self.route])
        device, unit = self.device[named], self.plan.unit[named]
        first, group = distinct(unit, device)
        load = sums(group, (self.row_rate_per_s * self.row_busy_s)[named], len(first))
        capacity = self.unit_capacity[device[first]]
        return records(
            {
                "device": self.instance.devices.name[device[first]],
                "unit": unit[first],
                "load": load,
                "capacity": capacity,
                "utilization": ratio(load, capacity),
            }
        )

    def _job_rows(self) -> list[dict[str, Any]]:
        jobs = self.instance.jobs
        return records(
            {
                "job": jobs.name,
                "demanded_per_s": jobs.rate_per_s,
                "served_per_s": self.served_per_s,
                **self._worth(),
                "latency_s": self.job_latency_s,
                "accuracy": self.job_accuracy,
            }
        )

    def _worth(self) -> dict[str, Any]:
        """Return what each job's requests are worth and the part of them served, if any is."""
        jobs = self.instance.jobs
        if not jobs.value.any():
            return {}
        return {
            "served": ratio(self.served_per_s, jobs.rate_per_s),
            "min_share": jobs.min_share,
            "value_per_s": jobs.value * self.served_per_s,
        }

    def _share_rows(self) -> list[dict[str, Any]]:
        """Return the share of each limited kind; that of a fleet of nothing is null."""
        shares, devices = self.instance.kind_shares, self.instance.devices
        price = devices.price_per_s * self.plan.units_had
        rows: list[dict[str, Any]] = []
        for s in range(len(shares)):
            fleet = price if shares.of[s] == "price" else self.units_on.astype(np.float64)
            mine, whole = float(fleet[devices.kind == shares.kind[s]].sum()), float(fleet.sum())
            rows.append(
                {
                    "kind": str(shares.kind[s]),
                    "of": str(shares.of[s]),
                    "share": mine / whole if whole > 0 else None,
                    "min": float(shares.least[s]),
                    "max": float(shares.most[s]),
                }
            )
        return rows

    def _link_rows(self) -> list[dict[str, Any]]:
        links, transfers = self.instance.links, self.transfers
        name = self.instance.devices.name
        rate = self.plan.rate_per_s[transfers.route]
        bytes_per_s = sums(
            transfers.hop_link, (rate * transfers.bytes_b)[transfers.hop_transfer], len(links)
        )
        return records(
            {
                "link": np.arange(len(links)),
                "from": name[links.src],
                "to": name[links.dst],
                "bytes_per_s": bytes_per_s,
                "capacity_b_per_s": self.link_capacity_b_per_s,
                "utilization": self._link_utilization(bytes_per_s),
            }
        )

    @cached_property
    def link_capacity_b_per_s(self) -> Floats:
        """Bytes per second that each link carries with all channels of its group its own (L)."""
        links = self.instance.links
        channels = np.ones(len(links))
        grouped = links.channel_group >= 0
        channels[grouped] = links.group_channels[links.channel_group[grouped]]
        units = np.where(links.per_unit, self.units_working[links.src], 1)
        return _times(links.bandwidth_b_per_s, channels * units)

    def _link_utilization(self, bytes_per_s: Floats) -> Floats:
        """Fraction of capacity used, by all links that share its channels (L)."""
        group = self.instance.links.channel_group
        own = ratio(bytes_per_s, self.link_capacity_b_per_s)
        grouped = group >= 0
        shared = sums(group[grouped], own[grouped], len(self.instance.links.group_channels))
        return np.where(grouped, shared[group], own) if len(shared) else own


def _times(bandwidth: Floats, factor: Floats) -> Floats:
    """Return bandwidth × factor, 0 where the factor is 0 also for unlimited bandwidth."""
    return np.where(factor > 0, bandwidth * np.maximum(factor, 1.0), 0.0)
