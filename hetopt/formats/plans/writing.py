"""Plans and results to JSON objects and tables of columns.

A *result* is what ``solve --json`` prints; it holds a *plan*. In the schedule regime a plan is
``{"assignments": [...], "transfers": [...]}``, in the steady regime ``{"units": [...], "routes":
[...]}``, with ``"states": [...]`` where devices slow each other down. Everything is named, nothing
is numbered, but for a unit ("npu#0"), the hop of a transfer and, beside its name, the index of a
link.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.compile.scenarios import weights_names
from hetopt.evaluate.slowing import task_ends
from hetopt.formats.plans.columns import Column, Known, Named, NameLists, named, to_lists
from hetopt.formats.plans.states import group_states, state_columns
from hetopt.instance import Instance, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.solution import (
    DIRECT,
    READ,
    WRITE,
    PeriodPlan,
    Plan,
    ScenarioPlan,
    SchedulePlan,
    Solution,
    StreamPlan,
)

LEGS = {DIRECT: "direct", WRITE: "write", READ: "read"}


def plan_to_dict(instance: Instance, plan: Plan) -> dict[str, Any]:
    """Return a plan as plain lists and dictionaries, rows in the order of the instance.

    ``end_s`` is there for the reader's convenience; it follows from the other fields.
    """
    if isinstance(plan, SchedulePlan):
        return {
            "assignments": rows(assignment_columns(instance, plan)),
            "transfers": rows(transfer_columns(instance, plan)),
        }
    table = {"units": rows(unit_columns(instance, plan)), "routes": _routes(instance, plan)}
    if isinstance(plan, PeriodPlan) and len(plan.held):
        table["held"] = rows(held_columns(instance, plan))
    states = group_states(rows(state_columns(instance, plan)))
    return table | {"states": states} if states else table


def solution_to_dict(instance: Instance, solution: Solution) -> dict[str, Any]:
    """Return a solution as the JSON object of ``solve --json``.

    ``objective_name``, ``objective``, ``bound`` and ``gap`` are lists where the objective is a
    list. NaN and infinity become None.
    """
    several = len(solution.objective_names) > 1

    def level(values: tuple[Any, ...]) -> Any:
        return list(values) if several else (values[0] if values else None)

    plan = None if solution.plan is None else plan_to_dict(instance, solution.plan)
    result = {
        "status": solution.status,
        "termination": solution.termination,
        "proof": solution.proof,
        "objective_name": level(solution.objective_names),
        "objective": level(solution.objectives),
        "bound": level(solution.bounds),
        "gap": level(solution.gaps),
        "wall_time_s": solution.wall_time_s,
        "method": solution.method,
        "method_asked": solution.method_asked or None,
        "verified": solution.verified,
        "seed": solution.seed,
        "version": solution.version,
        "reason": solution.reason,
        "notes": list(solution.notes),
        "quantities": solution.quantities,
        "marginal": solution.marginal,
        "history": [
            {"time_s": entry.time_s, "objective": entry.objective, "bound": entry.bound}
            for entry in solution.history
        ],
    }
    result = {key: to_json(value) for key, value in result.items()}
    result["plan"] = plan
    return result


def to_json(value: Any) -> Any:
    """Return a value as JSON can hold it: plain types, None for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def assignment_columns(instance: Instance, plan: SchedulePlan) -> dict[str, list[Any]]:
    """Return the table of assignments as lists, one row per task; a task left out has no row."""
    return to_lists(assignment_table(instance, plan))


def transfer_columns(instance: Instance, plan: SchedulePlan) -> dict[str, list[Any]]:
    """Return the table of transfers as lists, one row per hop (:func:`transfer_table`)."""
    return to_lists(transfer_table(instance, plan))


def assignment_table(instance: Instance, plan: SchedulePlan) -> dict[str, Column]:
    """Return the table of assignments, one row per task; a task left out has no row."""
    task = np.flatnonzero(plan.option >= 0)
    option = plan.option[task]
    device = instance.options.device[option]
    ends = task_ends(instance, plan.option, plan.unit, plan.start_s)[task]
    estimated = instance.options.estimated
    return {
        "task": named(instance.tasks.name, task),
        "device": named(instance.devices.name, device),
        "unit": _units(instance, device, plan.unit[task]),
        "option": named(instance.options.label, option),
        "start_s": plan.start_s[task],
        "end_s": ends,
        **({"estimated": estimated[option]} if estimated.any() else {}),
    }


def _estimated(instance: Instance, option: Ints) -> dict[str, list[Any]]:
    """Return the column that marks estimated options, where the instance has any."""
    estimated = instance.options.estimated
    if not estimated.any():
        return {}
    return {"estimated": (estimated[option] & (option >= 0)).tolist()}


def transfer_table(instance: Instance, plan: SchedulePlan) -> dict[str, Column]:
    """Return the table of transfers, one row per hop.

    ``to`` lists the consumers that the transfer serves (those on its destination unit; for a
    staged tensor's write, all); ``edge`` tells messages apart that join the same two tasks and
    have no tensor name; it is there only where some message needs it, and None for the others.
    """
    hops, links, name = plan.hops, instance.links, instance.devices.name
    tensor, tensors = hops.tensor, instance.tensors
    time = links.latency_s[hops.link] + tensors.bytes_b[tensor] / links.bandwidth_b_per_s[hops.link]
    ends = zip(name[links.src].tolist(), name[links.dst].tolist(), strict=True)
    edge = unclear_edges(instance)[tensor]
    return {
        "tensor": _tensor_names(instance, tensor),
        "from": named(instance.tasks.name, tensors.producer[tensor]),
        "to": _consumers(instance, plan),
        **({"edge": Known(edge)} if (edge >= 0).any() else {}),
        "leg": Named([LEGS[leg] for leg in range(len(LEGS))], hops.leg),
        "unit": _units(instance, hops.dst_device, hops.dst_unit),
        "hop": hops.ordinal,
        "link": Named([f"{src}->{dst}" for src, dst in ends], hops.link),
        "link_index": hops.link,
        "start_s": hops.start_s,
        "end_s": hops.start_s + time,
    }


def _tensor_names(instance: Instance, tensor: Ints) -> Named:
    """Return the tensors' names, None for messages that have none."""
    names = instance.tensors.name
    with_name = np.flatnonzero(names != "")
    code = np.full(len(names), -1, dtype=np.int64)
    code[with_name] = np.arange(len(with_name))
    return Named(names[with_name].tolist(), code[tensor])


def unit_columns(instance: Instance, plan: StreamPlan) -> dict[str, list[Any]]:
    """Return the table of units, one row per device, and per scenario where there are any."""
    if isinstance(plan, ScenarioPlan):
        return _by_scenario(instance, [unit_columns(instance, part) for part in plan.plans])
    return {
        "device": instance.devices.name.tolist(),
        "had": plan.units_had.tolist(),
        "on": plan.units_on.tolist(),
    }


def route_columns(instance: Instance, plan: StreamPlan) -> dict[str, list[Any]]:
    """Return the routes as one table, one row per task of a route; scenario by scenario."""
    if isinstance(plan, ScenarioPlan):
        parts = [route_columns(instance, part) for part in plan.plans]
        before = 0
        for columns, part in zip(parts, plan.plans, strict=True):
            columns["route"] = [number + before for number in columns["route"]]
            before += len(part.route_job)
        return _by_scenario(instance, parts)
    route = np.repeat(np.arange(len(plan.route_job)), np.diff(plan.ptr))
    device = np.where(plan.option >= 0, instance.options.device[plan.option], 0)
    return {
        "route": route.tolist(),
        "job": instance.jobs.name[plan.route_job[route]].tolist(),
        "rate_per_s": plan.rate_per_s[route].tolist(),
        "task": instance.tasks.name[plan.task].tolist(),
        "device": instance.devices.name[device].tolist(),
        "unit": unit_names(instance, device, plan.unit),
        "option": instance.options.label[plan.option].tolist(),
        **({} if plan.least_rate is None else {"least_rate": plan.least_rate.tolist()}),
        **_estimated(instance, plan.option),
    }


def _by_scenario(instance: Instance, parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Join tables of columns, the scenario of each row first."""
    names = instance.scenarios.name.tolist()
    sizes = [len(next(iter(columns.values()))) for columns in parts]
    scenario = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    joined = {key: [cell for columns in parts for cell in columns[key]] for key in parts[0]}
    return {instance.when: scenario, **joined}


def held_columns(instance: Instance, plan: PeriodPlan) -> dict[str, list[Any]]:
    """Return the table of weights that units hold beyond what they serve, one row each."""
    held, names = plan.held, weights_names(instance.model_keys)
    return {
        "period": instance.scenarios.name[held.period].tolist(),
        "unit": unit_names(instance, held.device, held.unit),
        "weights": [names[k] for k in held.key.tolist()],
    }


def rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return one dictionary per row of a table of columns."""
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def unit_names(instance: Instance, device: Any, unit: Any) -> list[str | None]:
    """Return names such as ``npu#0``, None where no unit is meant."""
    return _units(instance, device, unit).tolist()


def _units(instance: Instance, device: Ints, unit: Ints) -> Named:
    """Return names such as ``npu#0``, each made once, None where no unit is meant."""
    names, most = instance.devices.name.tolist(), int(unit.max(initial=0)) + 1
    pairs, code = np.unique(np.where(unit < 0, -1, device * most + unit), return_inverse=True)
    # The pair -1, which sorts first, is no unit.
    pairs, code = (pairs[1:], code - 1) if len(pairs) and pairs[0] < 0 else (pairs, code)
    made = [f"{names[pair // most]}#{pair % most}" for pair in pairs.tolist()]
    return Named(made, np.asarray(code, dtype=np.int64))


def _routes(instance: Instance, plan: StreamPlan) -> list[dict[str, Any]]:
    if isinstance(plan, ScenarioPlan):
        return [
            {instance.when: name, **route}
            for name, part in zip(instance.scenarios.name.tolist(), plan.plans, strict=True)
            for route in _routes(instance, part)
        ]
    table = rows({k: v for k, v in route_columns(instance, plan).items() if k in _ROUTE_TASK})
    jobs = instance.jobs.name[plan.route_job].tolist()
    ptr = plan.ptr.tolist()
    return [
        {"job": job, "rate_per_s": rate, "tasks": table[ptr[k] : ptr[k + 1]]}
        for k, (job, rate) in enumerate(zip(jobs, plan.rate_per_s.tolist(), strict=True))
    ]


_ROUTE_TASK = ("task", "device", "unit", "option", "least_rate", "estimated")


def _consumers(instance: Instance, plan: SchedulePlan) -> NameLists:
    """Consumers that each hop's transfer serves; of a message without a name, its only one."""
    hops = plan.hops
    moved = np.zeros(len(instance.tensors), dtype=bool)
    moved[hops.tensor] = True
    edge = np.flatnonzero(instance.edges.tensor >= 0)
    edge = edge[moved[instance.edges.tensor[edge]]]
    reader, tensor = instance.edges.dst[edge], instance.edges.tensor[edge]
    # All readers of a tensor, for messages without a name and the write of a staged one; else those
    # on the destination unit.
    whole = (instance.tensors.name == "")[hops.tensor] | (hops.leg == WRITE)
    every, first, last = _grouped(reader, tensor, hops.tensor)
    if not whole.all():
        place = _place(
            instance, plan, tensor, instance.options.device[plan.option[reader]], plan.unit[reader]
        )
        at = _place(instance, plan, hops.tensor, hops.dst_device, hops.dst_unit)
        there, begin, end = _grouped(reader, place, at)
        first = np.where(whole, first, begin + len(every))
        last = np.where(whole, last, end + len(every))
        every = np.concatenate([every, there])
    ptr = ptr_of(last - first)
    row = np.arange(ptr[-1]) + np.repeat(first - ptr[:-1], last - first)
    column = named(instance.tasks.name, every[row])
    return NameLists(column.names, ptr, column.code)


def _place(instance: Instance, plan: SchedulePlan, tensor: Ints, device: Ints, unit: Ints) -> Ints:
    """Return numbers that tell tensors on units apart."""
    units = int(plan.unit.max(initial=0)) + 2
    return np.asarray((tensor * len(instance.devices) + device) * units + unit + 1, dtype=np.int64)


def _grouped(reader: Ints, key: Ints, wanted: Ints) -> tuple[Ints, Ints, Ints]:
    """Return readers by key, in their order, and where those of each wanted key begin and end."""
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], wanted, "left")
    return reader[order], first, np.searchsorted(key[order], wanted, "right")


def unclear_edges(instance: Instance) -> Ints:
    """Return each tensor's edge where tasks and name do not tell which message it is, else -1."""
    ptr, edges = instance.consumers
    nameless = np.flatnonzero(instance.tensors.name == "")
    edge = edges[ptr[nameless]]
    pair = instance.edges.src[edge] * len(instance.tasks) + instance.edges.dst[edge]
    _, group, count = np.unique(pair, return_inverse=True, return_counts=True)
    shown = np.full(len(instance.tensors), -1, dtype=np.int64)
    shown[nameless] = np.where(count[group] > 1, edge, -1)
    return shown
