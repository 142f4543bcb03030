"""A simulation as tables on a terminal and as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.formats.plans import to_json
from hetopt.simulate import Simulation
from hetopt.version import __version__

Row = tuple[str, ...]
BOUND = "proven bound"


def simulation_view(simulation: Simulation) -> RenderableType:
    """Show each policy beside the bound of what any policy could have done."""
    name = simulation.instance.name or "instance"
    tables = [_drawn(*made) for made in (policy_table(simulation), price_table(simulation)) if made]
    lines = [Text(line, style="dim") for line in sentences(simulation)]
    lines += [Text(f"{policy}: {why}") for policy, why in simulation.failed.items()]
    return Group(Text(f"{name}: simulated", style="bold"), *tables, *lines)


def _drawn(heads: Row, rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="dim" if row[0] == BOUND else "")
    return table


def policy_table(simulation: Simulation) -> tuple[Row, list[Row]]:
    """Return heads and one row a policy, energy and latency; the bound comes last."""
    limited = any(simulation.mean(p, "misses") >= 0 for p in simulation.policies)
    many = simulation.settings["replications"] > 1
    heads = ["policy", "energy", *(["± 95 %"] if many else []), "/ bound", "p50", "p95", "p99"]
    heads += [*(["misses"] if limited else []), "units on", *([] if many else ["busy"])]
    rows = []
    for policy in simulation.policies:
        row = [policy, _energy(simulation.mean(policy, "energy_j"))]
        row += [_energy(simulation.spread(policy, "energy_j"))] if many else []
        row.append(_times(simulation.over_bound(policy)))
        row += [_time(simulation.mean(policy, f"{q}_latency_s")) for q in ("p50", "p95", "p99")]
        row += [_share(simulation.mean(policy, "misses"))] if limited else []
        row.append(f"{simulation.mean(policy, 'mean_units_on'):.4g}")
        row += [] if many else [_share(simulation.mean(policy, "utilization"))]
        rows.append(tuple(row))
    if simulation.bounds:
        bound = [BOUND, _energy(_bound(simulation, "energy_j")), *([""] if many else [])]
        bound += ["", "", "", "", *([_share(_bound(simulation, "misses"))] if limited else [])]
        rows.append((*bound, *[""] * (len(heads) - len(bound))))
    return tuple(heads), rows


def price_table(simulation: Simulation) -> tuple[Row, list[Row]] | None:
    """Return heads and one row a policy of cost and carbon, None where neither has a price."""
    names = [n for n in PRICED if any(simulation.mean(p, n) > 0 for p in simulation.policies)]
    if not names:
        return None
    rows = []
    for policy in simulation.policies:
        row = [policy]
        for name in names:
            row += [_priced(simulation, name, simulation.mean(policy, name))]
            row += [_times(simulation.over_bound(policy, name))]
        rows.append(tuple(row))
    if simulation.bounds:
        bound = [BOUND]
        for name in names:
            bound += [_priced(simulation, name, _bound(simulation, name)), ""]
        rows.append(tuple(bound))
    heads = [part for name in names for part in (name.removesuffix("_kg"), "/ bound")]
    return ("policy", *heads), rows


PRICED = ("cost", "carbon_kg")


def _bound(simulation: Simulation, name: str) -> float:
    return float(np.mean([getattr(bound, name) for bound in simulation.bounds]))


def _priced(simulation: Simulation, name: str, value: float) -> str:
    if name == "cost":
        return f"{value:.5g} {simulation.instance.currency or 'money'}"
    return f"{value:.5g} kg"


def sentences(simulation: Simulation) -> list[str]:
    """Return what is to be known of how it was simulated."""
    settings = simulation.settings
    runs_of = "replication" if settings["replications"] == 1 else "replications"
    span = units.format(settings["end_s"], "time")
    first = (
        f"{settings['requests']:,} requests ({settings['arrivals']}) in {span}, seed "
        f"{settings['seed']}, {settings['replications']} {runs_of}; all policies have the same "
        "requests, times and failures."
    )
    found = [first]
    if simulation.bounds:
        found.append(
            "No policy that serves all requests, not even one that knows them beforehand, stays "
            "below the proven bound."
        )
    for policy in simulation.policies:
        runs = [o for o in simulation.outcomes if o.policy == policy]
        lost = sum(o.totals["unserved"] or 0.0 for o in runs)
        if lost:
            found.append(f"{policy}: {lost:,.0f} requests were never served.")
        over = max(o.totals["over_cap_s"] or 0.0 for o in runs)
        if over > 0:
            found.append(f"{policy}: above the power cap for {units.format(over, 'time')}.")
        if runs[0].decided:
            solves = sum(o.decided["solves"] for o in runs)
            changes = sum(o.decided["changes"] for o in runs)
            found.append(
                f"{policy}: planned anew {solves} times, changed its plan {changes} times."
            )
    return found


def simulation_to_dict(simulation: Simulation) -> dict[str, Any]:
    """Return the JSON object of ``hetopt simulate``; SI units."""
    return {
        "instance": simulation.instance.name,
        "settings": simulation.settings,
        "policies": [
            {
                "policy": policy,
                **{
                    name: to_json(simulation.mean(policy, name))
                    for name in simulation.outcomes[0].totals
                },
                "energy_over_bound": to_json(simulation.over_bound(policy)),
                "cost_over_bound": to_json(simulation.over_bound(policy, "cost")),
                "carbon_over_bound": to_json(simulation.over_bound(policy, "carbon_kg")),
                "replications": [
                    {
                        **o.totals,
                        "wall_time_s": o.wall_time_s,
                        **o.decided,
                        "jobs": o.jobs,
                        "devices": o.devices,
                    }
                    for o in simulation.outcomes
                    if o.policy == policy
                ],
            }
            for policy in simulation.policies
        ],
        "bounds": [vars(bound) for bound in simulation.bounds],
        "failed": simulation.failed,
        "version": __version__,
    }


def _energy(value: float) -> str:
    return "–" if np.isnan(value) else units.format(value, "energy", digits=5)


def _time(value: float) -> str:
    return "–" if np.isnan(value) else units.format(value, "time", digits=4)


def _times(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2%}".replace("%", " %")


def job_rows(simulation: Simulation) -> list[Row]:
    """Return one row a policy and job, of the first replication."""
    rows: list[Row] = []
    for outcome in simulation.outcomes:
        if outcome.replication:
            continue
        for job in outcome.jobs:
            values: Sequence[Any] = [
                job[f"{q}_latency_s"] for q in ("mean", "p50", "p95", "p99")
            ] + [job["latency_slo_s"]]
            times = [_time(np.nan if v is None else v) for v in values]
            missed = _share(np.nan if job["misses"] is None else job["misses"])
            rows.append((outcome.policy, job["job"], f"{job['requests']:,}", *times, missed))
    return rows


def device_rows(simulation: Simulation) -> list[Row]:
    """Return one row a policy and device, of the first replication."""
    return [
        (
            outcome.policy,
            d["device"],
            _energy(d["energy_j"]),
            _energy(d["idle_energy_j"]),
            f"{d['mean_units_on']:.4g}",
            _share(d["utilization"]),
            f"{d['mean_waiting']:.4g}",
        )
        for outcome in simulation.outcomes
        if not outcome.replication
        for d in outcome.devices
    ]
