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
    heads, rows = policy_table(simulation)
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="dim" if row[0] == BOUND else "")
    name = simulation.instance.name or "instance"
    lines = [Text(line, style="dim") for line in sentences(simulation)]
    lines += [Text(f"{policy}: {why}") for policy, why in simulation.failed.items()]
    return Group(Text(f"{name}: simulated", style="bold"), table, *lines)


def policy_table(simulation: Simulation) -> tuple[Row, list[Row]]:
    """Return heads and one row a policy; the bound comes last."""
    money = any(simulation.mean(p, "cost") > 0 for p in simulation.policies)
    carbon = any(simulation.mean(p, "carbon_kg") > 0 for p in simulation.policies)
    limited = any(simulation.mean(p, "misses") >= 0 for p in simulation.policies)
    many = simulation.settings["replications"] > 1
    heads = ["policy", "energy", *(["± 95 %"] if many else []), "/ bound"]
    heads += ["cost", "/ bound"] if money else []
    heads += ["carbon"] if carbon else []
    heads += ["mean", "p50", "p95", "p99", *(["misses"] if limited else []), "units on", "busy"]
    rows = []
    for policy in simulation.policies:
        mean = {name: simulation.mean(policy, name) for name in _NAMES}
        row = [policy, _energy(mean["energy_j"])]
        row += [_energy(simulation.spread(policy, "energy_j"))] if many else []
        row.append(_times(simulation.over_bound(policy)))
        if money:
            row += [_money(simulation, mean["cost"]), _times(simulation.over_bound(policy, "cost"))]
        row += [f"{mean['carbon_kg']:.4g} kg"] if carbon else []
        row += [_time(mean[f"{q}_latency_s"]) for q in ("mean", "p50", "p95", "p99")]
        row += [_share(mean["misses"])] if limited else []
        row += [f"{mean['mean_units_on']:.4g}", _share(mean["utilization"])]
        rows.append(tuple(row))
    if simulation.bounds:
        rows.append(_bound_row(simulation, many, money, carbon, limited))
    return tuple(heads), rows


_NAMES = (
    *("energy_j", "cost", "carbon_kg", "mean_latency_s", "p50_latency_s", "p95_latency_s"),
    *("p99_latency_s", "misses", "mean_units_on", "utilization"),
)


def _bound_row(simulation: Simulation, many: bool, money: bool, carbon: bool, limited: bool) -> Row:
    bounds = simulation.bounds

    def mean(name: str) -> float:
        return float(np.mean([getattr(b, name) for b in bounds]))

    row = [BOUND, _energy(mean("energy_j")), *([""] if many else []), ""]
    row += [_money(simulation, mean("cost")), ""] if money else []
    row += [f"{mean('carbon_kg'):.4g} kg"] if carbon else []
    row += [_time(mean("mean_latency_s")), "", "", ""]
    row += [_share(mean("misses"))] if limited else []
    return (*row, "", "")


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


def _money(simulation: Simulation, value: float) -> str:
    return f"{value:.5g} {simulation.instance.currency or 'money'}"


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
