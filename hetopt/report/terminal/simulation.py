"""A simulation as tables on a terminal and as a JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.console import RenderableType

from hetopt import units
from hetopt.report.simulations.figures import (
    BOUND,
    Row,
    energy,
    policy_sentences,
    priced_table,
    share,
    time,
    times,
    to_dict,
    view,
)
from hetopt.simulate import Simulation


def simulation_view(simulation: Simulation) -> RenderableType:
    """Show each policy beside the bound of what any policy could have done."""
    tables = [policy_table(simulation), price_table(simulation)]
    return view(simulation, tables, sentences(simulation))


def policy_table(simulation: Simulation) -> tuple[Row, list[Row]]:
    """Return heads and one row a policy, energy and latency; the bound comes last."""
    limited = any(simulation.mean(p, "misses") >= 0 for p in simulation.policies)
    many = simulation.settings["replications"] > 1
    valued = "value" in simulation.instance.objective
    heads = [
        "policy",
        *(["value", "of all", "served"] if valued else []),
        "energy",
        *(["± 95 %"] if many else []),
        "/ bound",
        "p50",
        "p95",
        "p99",
    ]
    heads += [*(["misses"] if limited else []), "units on", *([] if many else ["busy"])]
    rows = []
    for policy in simulation.policies:
        row = [
            policy,
            *(_value_cells(simulation, policy) if valued else []),
            energy(simulation.mean(policy, "energy_j")),
        ]
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


def _value_cells(simulation: Simulation, policy: str) -> list[str]:
    """Show what a policy served is worth, also as a part of all that was asked, and requests."""
    value, asked = simulation.mean(policy, "value"), simulation.mean(policy, "value_asked")
    served = simulation.mean(policy, "served") / max(simulation.mean(policy, "requests"), 1.0)
    return [f"{value:.6g}", share(value / asked if asked > 0 else np.nan), share(served)]


def price_table(simulation: Simulation) -> tuple[Row, list[Row]] | None:
    """Return heads and one row a policy of cost and carbon, None where neither has a price."""
    return priced_table(simulation, ("cost", "carbon_kg"), partial(_bound, simulation))


def _bound(simulation: Simulation, name: str) -> float:
    return float(np.mean([getattr(bound, name) for bound in simulation.bounds]))


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
        left = simulation.mean(policy, "turned_away")
        if left > 0:
            found.append(f"{policy}: {left:,.6g} requests were turned away.")
    return found + policy_sentences(simulation, lambda _: "requests were never served")


def simulation_to_dict(simulation: Simulation) -> dict[str, Any]:
    """Return the JSON object of ``hetopt simulate``; SI units."""
    compared = ("energy_j", "cost", "carbon_kg")
    ratios = {f"{name.rsplit('_', 1)[0]}_over_bound": name for name in compared}
    bounds = [vars(bound) for bound in simulation.bounds]
    boards = ("boards",) if len(simulation.instance.boards) else ()
    found = to_dict(simulation, ratios, ("jobs", "devices", *boards), bounds)
    return {"instance": simulation.instance.name, **found}


def job_rows(simulation: Simulation) -> list[Row]:
    """Return one row a policy and job, of the first replication."""
    rows: list[Row] = []
    for outcome in simulation.first():
        for job in outcome.jobs:
            values: Sequence[Any] = [
                job[f"{q}_latency_s"] for q in ("mean", "p50", "p95", "p99")
            ] + [job["latency_slo_s"]]
            times = [time(np.nan if v is None else v) for v in values]
            missed = share(np.nan if job["misses"] is None else job["misses"])
            rows.append((outcome.policy, job["job"], f"{job['requests']:,}", *times, missed))
    return rows


def device_rows(simulation: Simulation) -> list[Row]:
    """Return one row a policy and device (or board), of the first replication."""
    rows: list[Row] = []
    for outcome in simulation.first():
        for d in outcome.devices:
            drawn = (energy(d["energy_j"]), energy(d["idle_energy_j"]))
            on, waiting = f"{d['mean_units_on']:.4g}", f"{d['mean_waiting']:.4g}"
            rows.append((outcome.policy, d["device"], *drawn, on, share(d["utilization"]), waiting))
        for b in outcome.boards:
            idle, on = energy(b["idle_energy_j"]), f"{b['mean_boards_on']:.4g}"
            rows.append((outcome.policy, f"board {b['board']}", idle, idle, on, "", ""))
    return rows
