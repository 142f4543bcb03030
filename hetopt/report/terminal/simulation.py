"""A simulation as tables on a terminal and as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from hetopt import units
from hetopt.formats.plans import to_json
from hetopt.report.simulations.figures import BOUND, Row, drawn, energy, share, time, times
from hetopt.simulate import Simulation
from hetopt.version import __version__


def simulation_view(simulation: Simulation) -> RenderableType:
    """Show each policy beside the bound of what any policy could have done."""
    name = simulation.instance.name or "instance"
    tables = [drawn(*made) for made in (policy_table(simulation), price_table(simulation)) if made]
    lines = [Text(line, style="dim") for line in sentences(simulation)]
    lines += [Text(f"{policy}: {why}") for policy, why in simulation.failed.items()]
    return Group(Text(f"{name}: simulated", style="bold"), *tables, *lines)


def policy_table(simulation: Simulation) -> tuple[Row, list[Row]]:
    """Return heads and one row a policy, energy and latency; the bound comes last."""
    limited = any(simulation.mean(p, "misses") >= 0 for p in simulation.policies)
    many = simulation.settings["replications"] > 1
    heads = ["policy", "energy", *(["± 95 %"] if many else []), "/ bound", "p50", "p95", "p99"]
    heads += [*(["misses"] if limited else []), "units on", *([] if many else ["busy"])]
    rows = []
    for policy in simulation.policies:
        row = [policy, energy(simulation.mean(policy, "energy_j"))]
        row += [energy(simulation.spread(policy, "energy_j"))] if many else []
        row.append(times(simulation.over_bound(policy)))
        row += [time(simulation.mean(policy, f"{q}_latency_s")) for q in ("p50", "p95", "p99")]
        row += [share(simulation.mean(policy, "misses"))] if limited else []
        row.append(f"{simulation.mean(policy, 'mean_units_on'):.4g}")
        row += [] if many else [share(simulation.mean(policy, "utilization"))]
        rows.append(tuple(row))
    if simulation.bounds:
        bound = [BOUND, energy(_bound(simulation, "energy_j")), *([""] if many else [])]
        bound += ["", "", "", "", *([share(_bound(simulation, "misses"))] if limited else [])]
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
            row += [times(simulation.over_bound(policy, name))]
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
            times = [time(np.nan if v is None else v) for v in values]
            missed = share(np.nan if job["misses"] is None else job["misses"])
            rows.append((outcome.policy, job["job"], f"{job['requests']:,}", *times, missed))
    return rows


def device_rows(simulation: Simulation) -> list[Row]:
    """Return one row a policy and device, of the first replication."""
    return [
        (
            outcome.policy,
            d["device"],
            energy(d["energy_j"]),
            energy(d["idle_energy_j"]),
            f"{d['mean_units_on']:.4g}",
            share(d["utilization"]),
            f"{d['mean_waiting']:.4g}",
        )
        for outcome in simulation.outcomes
        if not outcome.replication
        for d in outcome.devices
    ]
