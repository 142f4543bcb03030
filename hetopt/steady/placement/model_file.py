"""The CP-SAT model of ``routing: single`` as a file's content: readable names, real units."""

from __future__ import annotations

from typing import Any

from hetopt.errors import InputError
from hetopt.instance import Instance, is_maximised
from hetopt.steady.placement.model import build_placement
from hetopt.steady.placement.objectives import count_objective
from hetopt.steady.placement.variables import PlacementModel

PARTS = (
    "Amounts are counted in 1e12 parts of their limits, rounded down: a plan exceeds a limit by "
    "less than 1e-9 of it."
)


def placement_file(instance: Instance) -> tuple[Any, tuple[str, ...]]:
    """Return the model of the first objective, and notes on how to read it.

    Raises
    ------
    InputError
        If no placement makes a difference to the objective.
    """
    name = instance.objective[0]
    model = build_placement(instance, None if name == "throughput" else 1.0)
    if model.time is not None:
        model.model.minimize(model.time)
        scale, offset = 1.0 / model.second, 0.0
    else:
        counted = count_objective(model, name)
        if isinstance(counted.expression, int):
            raise InputError(f"No model is written, as every placement has the same {name}.")
        sign = -1 if is_maximised(name) else 1
        model.model.minimize(sign * counted.expression)
        scale, offset = sign * counted.part, sign * counted.constant / counted.part
    objective = model.model.proto.objective
    objective.scaling_factor = scale
    objective.offset += offset
    _name_variables(model)
    return model.model, _notes(model)


def _name_variables(model: PlacementModel) -> None:
    """Name the choices and the units on."""
    instance, variables = model.instance, model.model.proto.variables
    for (task, option, (device, unit)), x in model.x.items():
        label = str(instance.options.label[option])
        place = instance.unit_name(device, unit)
        title = f"{instance.tasks.name[task]}, {place}{', ' + label if label else ''}"
        variables[x.index].name = f"run({title})"
    for (device, unit), on in model.on.items():
        variables[on.index].name = f"on({instance.unit_name(device, unit)})"


def _notes(model: PlacementModel) -> tuple[str, ...]:
    notes = ["run(TASK, UNIT, LABEL) is 1 where the task runs there with that option.", PARTS]
    if model.time is not None:
        total = float(model.instance.jobs.rate_per_s.sum())
        notes.append(
            f"The objective is T / {float(model.second)!r} = 1 / scale: the throughput is "
            f"{total!r} requests/s divided by it."
        )
    return tuple(notes)
