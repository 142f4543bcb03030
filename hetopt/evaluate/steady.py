"""Quantities of a steady plan (docs/quantities.md), vectorised over the tasks of all routes.

What a route needs per request (busy time, bytes, energy, latency) comes first, then what the rates
make of it.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hetopt.evaluate.resources import steady_use
from hetopt.evaluate.streams.cost_and_carbon import CostAndCarbon
from hetopt.instance import Floats
from hetopt.instance.grouping import distinct, ratio, records, sums, weighted_mean
from hetopt.instance.states.slow_domains import slow_domains


class SteadyQuantities(CostAndCarbon):
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
