"""Metrics in the conventions of Prometheus, read from the totals when they are asked for.

Base units, ``_total`` on counters, and labels whose values are names of the instance: devices,
jobs, kinds of event, reasons of plans. Energy and power go by the names of OpenTelemetry's hardware
conventions (``hw.energy``, ``hw.power``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.control.fleet_state import BUCKETS_S
from hetopt.evaluate.steady import SteadyQuantities

if TYPE_CHECKING:
    from hetopt.control.service import Service

MOST_LABELS = 500
"""Devices, and jobs, that are told one by one; those beyond are told together as ``other``."""
STATUSES = ("off", "starting", "on", "draining", "down")


def exposition(service: Service, turned_away: dict[str, int]) -> bytes:
    """Return the text that Prometheus scrapes."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(service, turned_away))
    return bytes(generate_latest(registry))


class _Collector:
    def __init__(self, service: Service, turned_away: dict[str, int]) -> None:
        self._service, self._turned_away = service, turned_away

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        controller = self._service.controller
        fleet, instance = controller.fleet, controller.instance
        devices = [str(n) for n in instance.devices.name]
        jobs = [str(n) for n in instance.jobs.name]

        def counter(name: str, about: str, label: str, rows: dict[str, float]) -> Any:
            family = CounterMetricFamily(name, about, labels=[label])
            for value, number in _bounded(rows).items():
                family.add_metric([value], number)
            return family

        def gauge(name: str, about: str, label: str, rows: dict[str, float]) -> Any:
            family = GaugeMetricFamily(name, about, labels=[label])
            for value, number in _bounded(rows).items():
                family.add_metric([value], number)
            return family

        totals, per_job = fleet.device_totals, fleet.job_totals
        of = dict(zip(devices, totals, strict=True))
        by_job = dict(zip(jobs, per_job, strict=True))
        yield counter(
            "hetopt_events",
            "Events accepted.",
            "event",
            {k: float(v) for k, v in controller.counts.items()},
        )
        yield counter(
            "hetopt_requests_turned_away",
            "Requests to this service that were refused.",
            "status",
            {k: float(v) for k, v in self._turned_away.items()},
        )
        yield counter(
            "hetopt_requests_arrived",
            "Requests that came.",
            "job",
            {j: float(t.arrived) for j, t in by_job.items()},
        )
        yield counter(
            "hetopt_requests_served",
            "Requests whose last task ended.",
            "job",
            {j: float(t.served) for j, t in by_job.items()},
        )
        yield counter(
            "hetopt_deadline_misses",
            "Requests that took longer than the limit on latency.",
            "job",
            {j: float(t.missed) for j, t in by_job.items()},
        )
        latency = HistogramMetricFamily(
            "hetopt_request_latency_seconds",
            "From arrival to the end of the last task.",
            labels=["job"],
        )
        for j, total in list(by_job.items())[:MOST_LABELS]:
            running = np.cumsum(total.buckets).tolist()
            tops = [*(f"{top:g}" for top in BUCKETS_S), "+Inf"]
            latency.add_metric([j], list(zip(tops, running, strict=True)), total.latency_s)
        yield latency
        yield counter(
            "hw_energy_joules",
            "Energy: idle, and above idle as measured.",
            "hw_id",
            {d: t.idle_j + t.energy_j for d, t in of.items()},
        )
        yield counter(
            "hetopt_planned_energy_joules",
            "Energy above idle that the plan has for what ran.",
            "device",
            {d: t.planned_j for d, t in of.items()},
        )
        yield counter(
            "hetopt_busy_seconds",
            "Time that tasks took, as measured.",
            "device",
            {d: t.busy_s for d, t in of.items()},
        )
        yield counter(
            "hetopt_planned_busy_seconds",
            "Time that the plan has for what ran.",
            "device",
            {d: t.planned_busy_s for d, t in of.items()},
        )
        yield counter(
            "hetopt_executions",
            "Tasks that ended.",
            "device",
            {d: float(t.executions) for d, t in of.items()},
        )
        yield counter(
            "hetopt_implausible_energies",
            "Measured energies that were not believed.",
            "device",
            {d: float(t.implausible) for d, t in of.items()},
        )
        yield counter(
            "hetopt_plans",
            "Plans that were made anew.",
            "reason",
            {k: float(v) for k, v in controller.plans.items()},
        )
        yield CounterMetricFamily("hetopt_decisions", "Decisions made.", value=controller.made)
        power = GaugeMetricFamily("hw_power_watts", "Power: units on, and what runs, as planned.")
        power.add_metric([], fleet.power_w())
        yield power
        if fleet.cap_w is not None:
            yield GaugeMetricFamily("hetopt_power_cap_watts", "The cap.", value=fleet.cap_w)
        planned = SteadyQuantities(instance, controller.plan)
        yield GaugeMetricFamily(
            "hetopt_planned_power_watts", "Power of the plan in force.", value=planned.power_w
        )
        units = GaugeMetricFamily("hetopt_units", "Units.", labels=["device", "status"])
        for name, d in list(fleet.devices.items())[:MOST_LABELS]:
            states: list[str] = [unit.status for (e, _), unit in fleet.units.items() if e == d]
            for status in STATUSES:
                units.add_metric([name, status], states.count(status))
        yield units
        yield gauge(
            "hetopt_rate_hertz",
            "Rate that is held.",
            "job",
            dict(zip(jobs, map(float, controller.rates.rates), strict=True)),
        )
        slow = dict.fromkeys(devices, 1.0)
        for o, factor in controller.factors.items():
            name = devices[int(instance.options.device[o])]
            slow[name] = max(slow[name], factor)
        yield gauge(
            "hetopt_time_ratio",
            "Largest ratio of measured and planned time of an option.",
            "device",
            slow,
        )
        yield GaugeMetricFamily(
            "hetopt_requests_open", "Requests under way.", value=len(fleet.open)
        )
        yield CounterMetricFamily(
            "hetopt_requests_forgotten",
            "Requests under way that were forgotten.",
            value=fleet.forgotten,
        )


def _bounded(rows: dict[str, float]) -> dict[str, float]:
    if len(rows) <= MOST_LABELS:
        return rows
    listed = list(rows.items())
    found = dict(listed[:MOST_LABELS])
    found["other"] = sum(value for _, value in listed[MOST_LABELS:])
    return found
