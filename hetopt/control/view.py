"""What the service says of itself: the state for the page and for people, and the plan in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.control.fleet_state import BUCKETS_S
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.formats.plans import plan_to_dict

if TYPE_CHECKING:
    from hetopt.control.service import Service

MOST_UNITS = 2000


def state_view(service: Service) -> dict[str, Any]:
    """Return units, jobs, devices, power, plans and drifts, planned beside actual."""
    controller = service.controller
    fleet, instance = controller.fleet, controller.instance
    planned = SteadyQuantities(instance, controller.plan)
    names = instance.devices.name
    keys = instance.model_keys
    return {
        "name": instance.name,
        "time_s": fleet.time_s,
        "power_w": fleet.power_w(),
        "planned_power_w": float(planned.power_w),
        "power_cap_w": fleet.cap_w,
        "decisions": controller.made,
        "events": controller.counts,
        "open": len(fleet.open),
        "planning": getattr(service, "_planning", False),
        "units": [
            {
                "device": str(names[d]),
                "unit": u,
                "status": unit.status,
                "until_s": unit.until_s,
                "running": unit.running,
                "weights": ["/".join(filter(None, keys[w])) for w in sorted(unit.weights)],
            }
            for (d, u), unit in list(fleet.units.items())[:MOST_UNITS]
        ],
        "jobs": [
            {
                "job": str(name),
                "rate_per_s": float(rate),
                "arrived": total.arrived,
                "served": total.served,
                "missed": total.missed,
                "mean_latency_s": total.latency_s / total.served if total.served else None,
                "p99_latency_s": _quantile(total.buckets, 0.99),
                "latency_slo_s": float(limit) if np.isfinite(limit) else None,
            }
            for name, rate, total, limit in zip(
                instance.jobs.name,
                controller.rates.rates,
                fleet.job_totals,
                instance.jobs.latency_slo_s,
                strict=True,
            )
        ],
        "devices": [
            {
                "device": str(name),
                "executions": total.executions,
                "busy_s": total.busy_s,
                "planned_busy_s": total.planned_busy_s,
                "energy_j": total.energy_j if total.measured else None,
                "planned_j": total.planned_j,
                "idle_j": total.idle_j,
            }
            for name, total in zip(names, fleet.device_totals, strict=True)
        ],
        "boards": [
            {"board": str(name), "on": on, "idle_j": joules}
            for name, on, joules in zip(
                instance.boards.name, fleet.boards_on(), fleet.board_j, strict=True
            )
        ],
        "plans": [{k: v for k, v in plan.items() if k != "plan"} for plan in service.plans[-10:]],
        "drifts": controller.drifts[-10:],
        "last": list(controller.decisions)[-20:],
    }


def plan_view(service: Service) -> dict[str, Any]:
    """Return the plan in force, with units by the numbers that they have."""
    controller = service.controller
    return {
        "plan": plan_to_dict(controller.instance, controller.plan),
        "factors": [
            {
                "device": str(
                    controller.instance.devices.name[controller.instance.options.device[o]]
                ),
                "option": str(controller.instance.options.label[o]),
                "time_factor": factor,
            }
            for o, factor in sorted(controller.factors.items())
        ],
    }


def _quantile(buckets: list[int], share: float) -> float | None:
    """Return the upper end of the bucket in which a quantile lies."""
    count = sum(buckets)
    if not count:
        return None
    running = np.cumsum(buckets)
    at = int(np.searchsorted(running, share * count))
    return float(BUCKETS_S[at]) if at < len(BUCKETS_S) else None
