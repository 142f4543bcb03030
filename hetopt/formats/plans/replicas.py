"""How many units of each device serve each job: what a deployment asks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan, SteadyPlan, StreamPlan


def replica_columns(instance: Instance, plan: StreamPlan) -> dict[str, list[Any]]:
    """Return one row for each task, device and option that serves requests.

    Returns
    -------
    dict
        ``scenario`` or ``period`` (where there are any), ``job``, ``task``, ``device``, ``option``,
        ``replicas``, ``busy_units``, ``rate_per_s``. Where the plan names units, replicas are those
        that run the task; else as many as its busy time fills, rounded up, on shared units.
    """
    if not isinstance(plan, ScenarioPlan):
        return _of(instance, plan)
    parts = [_of(instance, part) for part in plan.plans]
    names = instance.scenarios.name.tolist()
    rows = [len(part["job"]) for part in parts]
    columns = {
        instance.when: [n for n, count in zip(names, rows, strict=True) for _ in range(count)]
    }
    return columns | {key: [v for part in parts for v in part[key]] for key in parts[0]}


def _of(instance: Instance, plan: SteadyPlan) -> dict[str, list[Any]]:
    quantities = SteadyQuantities(instance, plan)
    rate = plan.rate_per_s[quantities.route]
    busy = quantities.row_busy_s * quantities.slowed_by * rate
    groups: dict[tuple[int, int], list[int]] = {}
    for row in np.flatnonzero(rate > 0).tolist():
        groups.setdefault((int(plan.task[row]), int(plan.option[row])), []).append(row)
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("job", "task", "device", "option", "replicas", "busy_units", "rate_per_s")
    }
    for (task, option), rows in sorted(groups.items()):
        units = {int(u) for u in plan.unit[rows] if u >= 0}
        device = int(instance.options.device[option])
        load = float(busy[rows].sum()) / float(instance.devices.slots[device])
        cells = (
            str(instance.jobs.name[instance.tasks.job[task]]),
            str(instance.tasks.name[task]),
            str(instance.devices.name[device]),
            str(instance.options.label[option]),
            len(units) or min(max(1, math.ceil(load - 1e-9)), int(plan.units_on[device])),
            load,
            float(rate[rows].sum()),
        )
        for name, cell in zip(columns, cells, strict=True):
            columns[name].append(cell)
    return columns
