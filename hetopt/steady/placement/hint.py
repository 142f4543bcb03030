"""A known plan as a hint for the placement model, for every variable that follows from it."""

from __future__ import annotations

import math
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from hetopt.solution import SteadyPlan

if TYPE_CHECKING:
    from hetopt.steady.placement.variables import PlacementModel, Unit


def hint(m: PlacementModel, plan: SteadyPlan) -> None:
    """Hint a plan: options and units, units on, transfers, T, and stages."""
    option = dict(zip(plan.task.tolist(), plan.option.tolist(), strict=True))
    number = dict(zip(plan.task.tolist(), plan.unit.tolist(), strict=True))
    device = m.instance.options.device
    home: dict[int, Unit] = {t: (int(device[o]), number[t]) for t, o in option.items()}
    true: dict[int, bool] = {}
    for (t, o, unit), x in m.x.items():
        true[x.index] = option.get(t) == o and home.get(t) == unit
    for (t, unit), w in m.w.items():
        true[w.index] = home.get(t) == unit
    for (d, u), on in m.on.items():
        spare = int(m.instance.devices.spare[d])
        working = min(int(plan.units_on[d]), int(plan.units_had[d]) - spare)
        true[on.index] = u < (working if spare else int(plan.units_on[d]))
    for move in m.moves.values():
        true[move.index] = False
    for wa, wb, move in m.reasons:
        true[move.index] = true[move.index] or (true[wa.index] and true[wb.index])
    for literal in (*m.x.values(), *m.w.values(), *m.on.values(), *m.moves.values()):
        if literal.index in true:
            m.model.add_hint(literal, true.pop(literal.index))
    served = float(plan.rate_per_s.sum())
    if m.time is not None and served > 0:
        parts = m.second * float(m.instance.jobs.rate_per_s.sum()) / served
        m.model.add_hint(m.time, min(m.most, math.ceil(parts * (1 + 1e-12))))
    _hint_stages(m, home)


def _hint_stages(m: PlacementModel, home: dict[int, Unit]) -> None:
    """Hint the order of units, those that no edge orders by their numbers."""
    from hetopt.steady.placement.clusters import clusters_of, ordered_edges

    if not m.stages:
        return
    edges, clusters = m.instance.edges, clusters_of(m.instance)
    ordered = ordered_edges(m.instance)
    for job, (place, stages) in m.stages.items():
        waits: dict[Unit, list[Unit]] = {unit: [] for unit in place}
        for a, b in zip(edges.src[ordered].tolist(), edges.dst[ordered].tolist(), strict=True):
            if m.instance.tasks.job[a] == job and home[a] != home[b]:
                waits[home[b]].append(home[a])
        for d, u in place:
            if u and (d, u - 1) in waits:
                waits[d, u].append((d, u - 1))
        try:
            order = list(TopologicalSorter(waits).static_order())
        except CycleError:
            continue
        at = {unit: i for i, unit in enumerate(order)}
        for unit, variable in place.items():
            m.model.add_hint(variable, at[unit])
        for c, variable in stages.items():
            m.model.add_hint(variable, at[home[clusters.members[c][0]]])
