"""The numbers of units of a known plan, as a point of the program to start from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import memory_limited
from hetopt.steady.program.formulation import SteadyModel


def start_integers(
    model: SteadyModel, plan: SteadyPlan, held: Sequence[tuple[int, int, int]] = ()
) -> dict[str, float]:
    """Return the integer variables, by name, as the plan has them.

    Each unit that the plan names counts as the kind that may serve all that it serves, and holds
    what it is said to hold (``held``: rows of device, unit and weights), and the least beside.
    """
    instance = model.instance
    values: dict[str, float] = {}
    devices = instance.devices
    serves = np.zeros(len(devices), dtype=bool)
    used = np.repeat(plan.rate_per_s > 0, np.diff(plan.ptr))
    serves[instance.options.device[plan.option[used]]] = True
    busy = np.minimum(plan.units_on, plan.units_had - np.where(serves, devices.spare, 0))
    # Units had last: they are the units on, where those are never off.
    for variables, units in (
        (model.work, busy),
        (model.on, plan.units_on),
        (model.had, plan.units_had),
        (model.spared, serves),
    ):
        for device, variable in variables.items():
            if hasattr(variable, "name") and variable.name not in values:
                values[variable.name] = float(units[device])
    values |= model.boards.start(plan, instance)
    values |= _slices(model, plan)
    if model.states is not None:
        values |= model.states.start(model, plan)
    limited = memory_limited(instance)
    for device, kinds in model.kinds_of.items():
        if model.plain(device):
            continue
        contents = (
            [(*content, 1) for content in _named_units(model, plan, device, held)]
            if limited[device]
            else _jobs(model, plan, device)
        )
        for unit, jobs, keys, working, number in contents:
            for k in sorted(kinds, key=lambda k: len(model.kinds[k].keys)):
                kind = model.kinds[k]
                if (
                    kind.unit in (-1, unit)
                    and (kind.job < 0 or jobs <= {kind.job})
                    and keys <= set(kind.keys)
                    and working <= _working(model, k)
                ):
                    name = model.count[k].name
                    values[name] = values.get(name, 0.0) + number
                    break
    return values


def _slices(model: SteadyModel, plan: SteadyPlan) -> dict[str, float]:
    """Return how many slices of its job each route of the program serves in the plan."""
    if not model.slices:
        return {}
    route_of = {(model.routes[r].job, model.routes[r].options): r for r in model.slices}
    values = {variable.name: 0.0 for variable in model.slices.values()}
    jobs = model.instance.jobs
    for k, job in enumerate(plan.route_job.tolist()):
        options = tuple(plan.option[plan.ptr[k] : plan.ptr[k + 1]].tolist())
        route = route_of.get((job, options), -1)
        if route >= 0:
            rate = float(jobs.rate_per_s[job])
            part = float(plan.rate_per_s[k]) / rate * int(jobs.slices[job]) if rate > 0 else 0.0
            values[model.slices[route].name] += part
    return {name: float(round(value)) for name, value in values.items()}


def _working(model: SteadyModel, k: int) -> float:
    kind = model.kinds[k]
    return max((model.routes[r].working_b.get(kind.device, 0.0) for r in kind.routes), default=0.0)


Content = tuple[int, set[int], set[int], float]


def _named_units(
    model: SteadyModel, plan: SteadyPlan, device: int, held: Sequence[tuple[int, int, int]]
) -> list[Content]:
    """Return what each named unit serves: (unit, jobs, keys, working memory)."""
    options = model.instance.options
    route = np.repeat(np.arange(len(plan.route_job)), np.diff(plan.ptr))
    rows = np.flatnonzero((options.device[plan.option] == device) & (plan.rate_per_s[route] > 0))
    contents: dict[int, Content] = {}
    for row in rows:
        unit, option = int(plan.unit[row]), int(plan.option[row])
        _, jobs, keys, working = contents.get(unit, (unit, set(), set(), 0.0))
        key = int(options.weights_key[option])
        contents[unit] = (
            unit,
            jobs | {int(plan.route_job[route[row]])},
            keys | ({key} if key >= 0 else set()),
            max(working, float(options.memory_b[option])),
        )
    for d, unit, key in held:
        if d == device:
            _, jobs, keys, working = contents.get(unit, (unit, set(), set(), 0.0))
            contents[unit] = unit, jobs, keys | {key}, working
    return [contents[unit] for unit in sorted(contents)]


def _jobs(
    model: SteadyModel, plan: SteadyPlan, device: int
) -> list[tuple[int, set[int], set[int], float, int]]:
    """Return what units of an exclusive device without memory limits serve, and how many do."""
    from hetopt.evaluate.steady import SteadyQuantities

    known = SteadyQuantities(model.instance, plan)
    load = known.row_rate_per_s * known.row_busy_s
    contents: list[tuple[int, set[int], set[int], float, int]] = []
    for job in range(len(model.instance.jobs)):
        here = (known.device == device) & (plan.route_job[known.route] == job)
        need = float(load[here].sum()) / float(model.capacity[device])
        contents.append((-1, {job}, set(), 0.0, max(0, int(np.ceil(need - 1e-9)))))
    return contents
