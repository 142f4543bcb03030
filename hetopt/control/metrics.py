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

        def family(kind: Any, name: str, about: str, label: str, rows: dict[str, Any]) -> Any:
            made = kind(name, about, labels=[label])
            for value, number in _bounded(rows).items():
                made.add_metric([value], float(number))
            return made

        of = dict(zip(devices, fleet.device_totals, strict=True))
        by_job = dict(zip(jobs, fleet.job_totals, strict=True))

        def of_jobs(name: str) -> dict[str, Any]:
            return {job: getattr(total, name) for job, total in by_job.items()}

        def of_devices(name: str) -> dict[str, Any]:
            return {device: getattr(total, name) for device, total in of.items()}

        turned_away = "Requests to this service that were refused."
        missed = "Requests that took longer than the limit on latency."
        for counted in (
            ("hetopt_events", "Events accepted.", "event", controller.counts),
            ("hetopt_requests_turned_away", turned_away, "status", self._turned_away),
            ("hetopt_requests_arrived", "Requests that came.", "job", of_jobs("arrived")),
            ("hetopt_requests_served", "Requests whose last task ended.", "job", of_jobs("served")),
            ("hetopt_deadline_misses", missed, "job", of_jobs("missed")),
        ):
            yield family(CounterMetricFamily, *counted)
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
        energy = {d: t.idle_j + t.energy_j for d, t in of.items()}
        boards = instance.boards.name.tolist()
        energy |= {f"board {b}": j for b, j in zip(boards, fleet.board_j, strict=True)}
        planned_j, busy, planned_s, executions, implausible = map(
            of_devices, ("planned_j", "busy_s", "planned_busy_s", "executions", "implausible")
        )
        for name, about, label, rows in (
            ("hw_energy_joules", "Energy: idle, and above idle as measured.", "hw_id", energy),
            (
                "hetopt_planned_energy_joules",
                "Energy above idle that the plan has for what ran.",
                "device",
                planned_j,
            ),
            ("hetopt_busy_seconds", "Time that tasks took, as measured.", "device", busy),
            (
                "hetopt_planned_busy_seconds",
                "Time that the plan has for what ran.",
                "device",
                planned_s,
            ),
            ("hetopt_executions", "Tasks that ended.", "device", executions),
            (
                "hetopt_implausible_energies",
                "Measured energies that were not believed.",
                "device",
                implausible,
            ),
            ("hetopt_plans", "Plans that were made anew.", "reason", controller.plans),
        ):
            yield family(CounterMetricFamily, name, about, label, rows)
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
        held = dict(zip(jobs, controller.rates.rates, strict=True))
        yield family(GaugeMetricFamily, "hetopt_rate_hertz", "Rate that is held.", "job", held)
        slow = dict.fromkeys(devices, 1.0)
        for o, factor in controller.factors.items():
            name = devices[int(instance.options.device[o])]
            slow[name] = max(slow[name], factor)
        about = "Largest ratio of measured and planned time of an option."
        yield family(GaugeMetricFamily, "hetopt_time_ratio", about, "device", slow)
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
