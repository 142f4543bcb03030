"""A simulated schedule as tables on a terminal and as a JSON object."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from rich.console import RenderableType

from hetopt.formats.plans import to_json
from hetopt.report.simulations.figures import (
    BOUND,
    Row,
    energy,
    policy_sentences,
    priced,
    priced_table,
    share,
    time,
    times,
    to_dict,
    view,
    watts,
)
from hetopt.simulate import ScheduleSimulation
from hetopt.simulate.bounds.schedules import NAMES

STUCK = 3
"""Reasons that are told of tasks that never ran."""
OF_OBJECTIVE = {objective: name for name, objective in NAMES.items()}


def schedule_simulation_view(simulation: ScheduleSimulation) -> RenderableType:
    """Show each policy beside the bound of what any policy could have done."""
    tables = [policy_table(simulation), price_table(simulation)]
    return view(simulation, tables, sentences(simulation))


def policy_table(simulation: ScheduleSimulation) -> tuple[Row, list[Row]]:
    """Return heads and one row a policy: energy, makespan, misses; the bound comes last."""
    s = simulation
    limited = any(s.mean(p, "misses") >= 0 for p in s.policies)
    many = s.settings["replications"] > 1
    heads = ["policy", "energy", *(["± 95 %"] if many else []), "/ bound", "makespan", "/ bound"]
    heads += [*(["misses"] if limited else []), "peak", "busy"]
    rows: list[Row] = []
    for policy in s.policies:
        row = [policy, energy(s.mean(policy, "energy_j"))]
        row += [energy(s.spread(policy, "energy_j"))] if many else []
        row += [times(s.over_bound(policy)), time(s.mean(policy, "makespan_s"))]
        row.append(times(s.over_bound(policy, "makespan_s")))
        row += [share(s.mean(policy, "misses"))] if limited else []
        row += [watts(s.mean(policy, "peak_power_w")), share(s.mean(policy, "utilization"))]
        rows.append(tuple(row))
    if s.bounds:
        bound = [BOUND, energy(least(s, "energy_j")), *([""] if many else []), ""]
        bound += [time(least(s, "makespan_s")), ""]
        bound += [share(float(np.mean([b.misses for b in s.bounds])))] if limited else []
        rows.append((*bound, *[""] * (len(heads) - len(bound))))
    return tuple(heads), rows


def price_table(simulation: ScheduleSimulation) -> tuple[Row, list[Row]] | None:
    """Return heads and one row a policy of cost, carbon and tardiness; None where all are 0."""
    names = ("cost", "carbon_kg", "tardiness_s")
    return priced_table(simulation, names, partial(least, simulation))


def least(simulation: ScheduleSimulation, name: str) -> float:
    """Return the mean of a bound over the replications: of runs in time where there are any.

    Where no policy kept all deadlines, or it is proven that none can, of any runs.
    """
    late = all(simulation.mean(p, "misses") > 0 for p in simulation.policies)
    found = []
    for bound in simulation.bounds:
        value = bound.any[name] if late else bound.on_time[name]
        found.append(value if np.isfinite(value) else bound.any[name])
    return float(np.mean(found))


def sentences(simulation: ScheduleSimulation) -> list[str]:
    """Return what is to be known of how it was simulated."""
    s, settings = simulation, simulation.settings
    runs_of = "replication" if settings["replications"] == 1 else "replications"
    work = f"{_count(settings['tasks'], 'task')} of {_count(settings['jobs'], 'job')}"
    first = (
        f"{work}, times: {settings['times']}, seed {settings['seed']}, "
        f"{settings['replications']} {runs_of}; all policies have the same times and failures."
    )
    found = [first]
    if "cycles" in settings:
        span = time(settings["cycles_s"])
        found.append(
            f"{_count(settings['cycles'], 'cycle')} in {span}; energy, cost, carbon and tardiness "
            "are of one cycle in the mean, the makespan is the longest latency of a job."
        )
    if s.bounds:
        found.append(
            "No policy, not even one that knows all times beforehand, stays below the proven "
            "bound: of runs that keep all deadlines, or of any runs for a policy that misses some."
        )
        objective = s.instance.objective[0]
        known = [b.reached for b in s.bounds if np.isfinite(b.reached)]
        name = OF_OBJECTIVE.get(objective)
        if known and len(known) == len(s.bounds) and name is not None:
            value = _value(s, name, float(np.mean(known)))
            found.append(f"The best schedule known to one who knows them: {objective} {value}.")
    return found + policy_sentences(s, _never_ran)


def _never_ran(runs: list[Any]) -> str:
    reasons = next((o.stuck for o in runs if o.stuck), ())
    more = " ..." if len(reasons) > STUCK else ""
    told = f": {'; '.join(reasons[:STUCK])}{more}" if reasons else ""
    return f"tasks never ran{told}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def schedule_simulation_to_dict(simulation: ScheduleSimulation) -> dict[str, Any]:
    """Return the JSON object of ``hetopt simulate``; SI units."""
    ratios = {f"{name.rsplit('_', 1)[0]}_over_bound": name for name in NAMES}
    bounds = [{k: to_json(v) for k, v in b.to_dict().items()} for b in simulation.bounds]
    found = to_dict(simulation, ratios, ("jobs", "devices", "tasks"), bounds)
    return {"instance": simulation.instance.name, "regime": "schedule", **found}


def job_rows(simulation: ScheduleSimulation) -> list[Row]:
    """Return one row a policy and job, of the first replication."""
    rows: list[Row] = []
    for outcome in simulation.first():
        for job in outcome.jobs:
            times = [
                time(np.nan if job[n] is None else job[n])
                for n in ("end_s", "latency_s", "deadline_s")
            ]
            late = "–" if job["deadline_s"] is None else "missed" if job["missed"] else "kept"
            rows.append((outcome.policy, job["job"], *times, late))
    return rows


def device_rows(simulation: ScheduleSimulation) -> list[Row]:
    """Return one row a policy and device, of the first replication."""
    return [
        (
            outcome.policy,
            d["device"],
            f"{d['units_on']:g}",
            f"{d['tasks']:g}",
            time(d["busy_s"]),
            energy(d["energy_options_j"]),
            energy(d["energy_idle_j"]),
        )
        for outcome in simulation.first()
        for d in outcome.devices
    ]


def _value(simulation: ScheduleSimulation, name: str, value: float) -> str:
    if name == "energy_j":
        return energy(value)
    return time(value) if name == "makespan_s" else priced(simulation, name, value)
