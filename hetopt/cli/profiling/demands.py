"""Fitted demands on what devices share, as ``hetopt calibrate`` tells and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hetopt.instance import Instance
    from hetopt.profiling.calibration.demands import FittedDemands, Option

DIGITS = 6


def plain_demands(demands: FittedDemands | None) -> dict[str, Any] | None:
    """Return them as plain values, None where there are none."""
    if demands is None:
        return None
    return {
        "resource": demands.resource or None,
        "capacity": demands.capacity,
        "loss": demands.loss,
        "pairs": demands.pairs,
        "error": demands.error,
        "options": [
            {"profile": profile, "device": device, "label": label, "demand": demand}
            for (profile, device, label), demand in demands.demand.items()
        ],
    }


def demand_lines(demands: FittedDemands | None) -> list[str]:
    """Say what executions beside others tell of a shared resource."""
    if demands is None:
        return []
    of = f"{demands.capacity:g} of resource {demands.resource}" if demands.resource else "1"
    lines = []
    for (profile, device, label), demand in demands.demand.items():
        name = " ".join(part for part in (profile, "on", device, label) if part)
        lines.append(f"demand: {name}: {demand:.4g} of {of}")
    what = f"{demands.pairs} pair{'s' if demands.pairs > 1 else ''} of options that ran together"
    lines.append(f"demands are fitted from {what}, median error {demands.error:.1%}; ")
    lines[-1] += f"loss beside the sharing {demands.loss:.1%}"
    if not demands.resource:
        lines.append(
            "To plan with them: `resources: [{name: shared, capacity: 1, sharing: slow}]`, and the "
            "demands as `uses` of the options."
        )
    return lines


def written_demands(
    instance: Instance, demands: FittedDemands | None
) -> tuple[dict[Option, dict[str, float]], dict[str, Mapping[str, float]]]:
    """Return new amounts by option, and fields by resource, for the resource that slows."""
    if demands is None or not demands.resource:
        return {}, {}
    uses = {
        option: {demands.resource: float(f"{demand:.{DIGITS}g}")}
        for option, demand in demands.demand.items()
    }
    at = instance.resources.name.tolist().index(demands.resource)
    if demands.loss == float(instance.resources.loss[at]):
        return uses, {}
    return uses, {demands.resource: {"loss": float(f"{demands.loss:.{DIGITS}g}")}}
