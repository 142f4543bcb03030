"""What every search for streams says when it cannot answer."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.runtime.budget import RegimeResult


def unbounded(instance: Instance, name: str) -> str:
    """Say what would bound an objective."""
    return (
        f"The objective {name} is unbounded: some work takes neither time on a device of limited "
        "number nor power under a power_cap nor money under a budget; limit the `count` of the "
        f"devices, or set a power_cap (devices: {', '.join(map(str, instance.devices.name))})."
    )


def infeasible_result(instance: Instance, reason: str) -> RegimeResult:
    """Return the result of an instance that is proven to have no plan."""
    return RegimeResult(
        plan=None,
        bounds=(np.nan,) * len(instance.objective),
        infeasible=True,
        reason=reason,
        stopped_by="proved",
        method="mip",
    )


def why_infeasible(instance: Instance) -> str:
    """Say what the demanded rates do not fit into."""
    limits = instance.limits
    words = ["the units there are"]
    if np.isfinite(limits.power_cap_w):
        words.append(f"the power cap of {limits.power_cap_w:g} W")
    if np.isfinite(limits.budget_per_s):
        words.append(f"the budget of {limits.budget_per_s:g} per second")
    if len(instance.uses):
        words.append("the capacities and budgets of the resources")
    if len(instance.links):
        words.append("the bandwidth of the links")
    return f"The demanded rates cannot be served within {' and '.join(words)}."
