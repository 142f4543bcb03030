"""Contiguous jobs in the placement model: an order of the units, and no edge that goes back.

For each contiguous job, p_U is the place of unit U in an order of all units, and s_c the place of
the unit of cluster c:

    p_U all different,   x_{t,o,U} → s_c = p_U,   s_a ≤ s_b  for each edge between clusters

Units of one device without pins are alike: where only one job is contiguous, their places rise with
their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.steady.placement.clusters import clusters_of

if TYPE_CHECKING:
    from hetopt.steady.placement.variables import PlacementModel


def add_stages(m: PlacementModel) -> None:
    """Hold the order of stages of every contiguous job."""
    jobs = np.flatnonzero(m.instance.jobs.contiguous).tolist()
    if not jobs:
        return
    clusters = clusters_of(m.instance)
    units = [(d, u) for d, count in enumerate(m.units) for u in range(count)]
    alike = len(jobs) == 1 and not (m.instance.tasks.pin_unit >= 0).any()
    for job in jobs:
        place = {unit: m.model.new_int_var(0, len(units) - 1, f"p_{unit}") for unit in units}
        m.model.add_all_different(list(place.values()))
        for d, u in units:
            if u and alike:
                m.model.add(place[d, u - 1] < place[d, u])
        stages: dict[int, Any] = {}
        m.stages[job] = (place, stages)
        for c in range(len(clusters)):
            row = slice(int(clusters.next_ptr[c]), int(clusters.next_ptr[c + 1]))
            after = clusters.next_id[row][clusters.next_job[row] == job].tolist()
            for other in after:
                for end in (c, other):
                    if end not in stages:
                        stages[end] = _stage(m, clusters.members[end][0], place, f"{job}_{end}")
                m.model.add(stages[c] <= stages[other])


def _stage(m: PlacementModel, task: int, place: dict[Any, Any], name: str) -> Any:
    """Return the place of the unit that a task, and so its cluster, is on."""
    # Where spares leave no unit to serve, no task has an option, which says so by itself.
    stage = m.model.new_int_var(0, max(0, len(place) - 1), f"s_{name}")
    for unit, w in m.placed(task):
        m.model.add(stage == place[unit]).only_enforce_if(w)
    return stage
