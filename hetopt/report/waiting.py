"""What the estimate of waiting says of the limits of latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hetopt import units

NAMED = 5
"""Jobs that the line names."""


def waiting_line(quantities: Mapping[str, Any]) -> str:
    """Say whose p99 latency, waiting included, is estimated beyond its limit; empty where none's.

    A limit (``latency_slo``) holds for the service alone, so a proof says nothing of waiting.

    Parameters
    ----------
    quantities
        Of a steady plan, or of one for each scenario.
    """
    worst: dict[str, tuple[float, float]] = {}
    for row, served in zip(quantities["queueing"], quantities["jobs"], strict=True):
        if row.get("quantile") is not None:
            # The limit holds with waiting: the plan was made for it.
            continue
        limit, tail = row["latency_slo_s"], row["p99_latency_s"]
        late = float("inf") if tail is None else float(tail)
        if limit is not None and served["served_per_s"] > 0 and late > limit:
            name = str(row["job"])
            worst[name] = max(worst.get(name, (0.0, limit)), (late, limit))
    if not worst:
        return ""
    ordered = sorted(worst.items(), key=lambda item: -item[1][0] / item[1][1])
    told = [
        f"{name}: {'no end' if late == float('inf') else units.format(late, 'time', digits=3)}"
        f", limit {units.format(limit, 'time', digits=3)}"
        for name, (late, limit) in ordered[:NAMED]
    ]
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return (
        f"With waiting, the estimated p99 latency is beyond the limit: {'; '.join(told)}{more}. "
        "Limits and proofs are of the service alone; a lower max_utilization leaves room."
    )
