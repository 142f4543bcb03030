"""What targets for streams have in common: scenarios one by one, and what no target can say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from hetopt import units
from hetopt.deploy.fleet import Fleet, JobRoutes, Route, Stop
from hetopt.deploy.names import Labels
from hetopt.deploy.target import Artefacts, Files, Parameters, Provenance
from hetopt.deploy.text import readme
from hetopt.errors import Problem
from hetopt.evaluate.periods import PeriodQuantities
from hetopt.evaluate.with_units import counted
from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan, SteadyPlan, StreamPlan

_FIGURE = re.compile(r"(?<![\w.#-])\d[\d.,]*(?:e[+-]?\d+)?(?![\w-])")
"""A number, and no part of a name."""
Writer = Callable[[SteadyPlan, Instance, Parameters, Provenance], Artefacts]


def per_scenario(
    plan: StreamPlan, instance: Instance, parameters: Parameters, write: Writer
) -> Artefacts:
    """Write a plan; of a plan with scenarios, a folder for each."""
    origin = Provenance.of(instance, plan)
    if not isinstance(plan, ScenarioPlan):
        return write(plan, instance, parameters, origin)
    names = Labels()
    files: Files = {}
    notes = [f"Each {instance.when} has a folder; to put one in force is yours{_turn(instance)}."]
    refused: dict[str, Problem] = {}
    folders: list[str] = []
    told: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for s, (name, part) in enumerate(
        zip(instance.scenarios.name.tolist(), plan.plans, strict=True)
    ):
        made = write(part, instance.in_scenario(s), parameters, origin)
        folder = names.of(str(name))
        folders.append(folder)
        files |= {f"{folder}/{path}": content for path, content in made.files.items()}
        seen: Counter[str] = Counter()
        for note in made.notes:
            form = _FIGURE.sub("#", note)
            told.setdefault((form, seen[form]), []).append((str(name), note))
            seen[form] += 1
        for problem in made.refused:
            refused.setdefault(str(problem), problem)
    if len(instance.periods):
        files["README.md"] = _order(plan, instance, folders, origin, tuple(refused.values()))
    notes += [_once(alike, len(plan.plans), instance.when) for alike in told.values()]
    return Artefacts(files, tuple(notes), tuple(refused.values()))


def _once(alike: Sequence[tuple[str, str]], count: int, when: str) -> str:
    """Tell notes that several demands have, which differ in figures at most, once."""
    name, note = alike[0]
    texts = {text for _, text in alike}
    others = [other for other, _ in alike[1:]]
    if len(texts) == 1 and len(alike) == count:
        return note
    if not others:
        return f"{name}: {note}"
    if len(texts) == 1:
        return f"{', '.join([name, *others])}: {note}"
    beside = ", ".join(others) if len(alike) < count else f"each other {when}"
    return (
        f"{name}: {note} The same of {beside}, with figures of its own (README.md of its folder)."
    )


def _order(
    plan: ScenarioPlan,
    instance: Instance,
    folders: Sequence[str],
    origin: Provenance,
    refused: Sequence[Problem],
) -> bytes:
    """Return the page over the folders of periods: their order, and what is switched between."""
    steps = []
    quantities = PeriodQuantities(instance, plan).as_dict()
    switching, buying = quantities["switching"], quantities.get("bought", [])
    lengths = instance.scenarios.weight.tolist()
    for name, folder, length in zip(
        instance.scenarios.name.tolist(), folders, lengths, strict=True
    ):
        changes = [
            f"{row['device']}: "
            + ", ".join(
                counted(row[key], one, of)
                for key, one, of in (
                    ("starts", "start", ""),
                    ("stops", "stop", ""),
                    ("loads", "load", " of weights"),
                )
                if row[key]
            )
            for row in switching
            if row["period"] == name
        ]
        bought = [f"{r['units']} of {r['device']}" for r in buying if r["period"] == name]
        before = f"switch before it: {'; '.join(changes)}" if changes else "nothing is switched"
        if bought:
            before = f"buy {', '.join(bought)}; {before}"
        steps.append(f"`{folder}/` for {units.format(length, 'time')}; {before}.")
    again = "; after the last period the first one follows" if instance.periods.cyclic else ""
    notes = [f"Nothing here switches by the clock{again}."]
    return readme("Periods, in this order", origin, steps, notes, refused)


def _turn(instance: Instance) -> str:
    """Say when which period is, with its length; scenarios have no order."""
    if not len(instance.periods):
        return ""
    names, lengths = instance.scenarios.name.tolist(), instance.scenarios.weight.tolist()
    parts = [f"{n} for {units.format(t, 'time')}" for n, t in zip(names, lengths, strict=True)]
    again = ", and again" if instance.periods.cyclic else ""
    return f": {', then '.join(parts)}{again}"


OUTSIDE = ("mcu",)
"""Kinds of device that run neither containers nor Python: what they run is outside of a cluster."""


def contained(instance: Instance, fleet: Fleet) -> Fleet:
    """Return the fleet without devices that run no containers; notes say what they run.

    A route keeps its stops elsewhere, and routes that are then the same are one.
    """
    out = [str(instance.devices.kind[g.device]) in OUTSIDE for g in fleet.groups]
    if not any(out):
        return fleet
    number = {g: k for k, g in enumerate(g for g, gone in enumerate(out) if not gone)}
    notes, jobs = list(fleet.notes), []
    for of in fleet.jobs:
        rates: dict[tuple[Stop, ...], float] = {}
        gone: dict[int, None] = {}
        for route in of.routes:
            stops = []
            for stop in route.stops:
                if out[stop.group]:
                    gone[stop.task] = None
                else:
                    stops.append(Stop(stop.task, number[stop.group], stop.server))
            rates[tuple(stops)] = rates.get(tuple(stops), 0.0) + route.rate_per_s
        if gone:
            names = ", ".join(str(instance.tasks.name[t]) for t in gone)
            job = instance.jobs.name[of.job]
            notes.append(
                f"Job {job}: {names} run(s) on devices without containers, outside of the cluster."
            )
        rates.pop((), None)
        total = sum(rates.values())
        if rates:
            routes = tuple(Route(rate, rate / total, stops) for stops, rate in rates.items())
            jobs.append(JobRoutes(of.job, routes))
    groups = tuple(g for g, gone in zip(fleet.groups, out, strict=True) if not gone)
    return Fleet(groups, tuple(jobs), tuple(notes))


def unsaid(instance: Instance, fleet: Fleet) -> list[str]:
    """Return what a plan rests on and no file of a cluster can hold."""
    limits, notes = instance.limits, []
    if np.isfinite(limits.power_cap_w):
        cap = f"{limits.power_cap_w:.6g} W"
        notes.append(
            f"The power cap of {cap} is kept by the plan's rates; nothing here enforces it."
        )
    rates = ", ".join(
        f"{instance.jobs.name[of.job]} {sum(r.rate_per_s for r in of.routes):.6g}/s"
        for of in fleet.jobs
    )
    notes.append(f"The plan is for these rates; nothing here holds requests to them: {rates}.")
    limits_s = instance.jobs.latency_slo_s
    held = [
        f"{instance.jobs.name[of.job]} {limits_s[of.job]:.6g} s"
        for of in fleet.jobs
        if np.isfinite(limits_s[of.job])
    ]
    if held:
        notes.append(
            f"The plan's routes keep these latencies; nothing here does: {', '.join(held)}."
        )
    batches = {
        int(instance.options.batch[server.option])
        for group in fleet.groups
        for server in group.servers
    }
    loaded = sorted(
        {
            f"{instance.options.configuration[server.option]} on {group.name}"
            for group in fleet.groups
            for server in group.servers
            if instance.options.configuration[server.option]
        }
    )
    if loaded:
        notes.append(
            f"What units are configured with is loaded by nothing here: {', '.join(loaded)}."
        )
    if batches - {1}:
        notes.append("The plan assumes full batches; servers are told their batch (HETOPT_BATCH).")
    return notes
