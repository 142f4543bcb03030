"""The CP-SAT model of a schedule as a file's content: readable names, objective in SI units.

CP-SAT minimises an integer expression. The objective's scaling factor and offset make a solver
that reads the model report the value in SI units; the constraints stay in ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hetopt.errors import InputError
from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.schedule.cpsat.model import ScheduleModel, build_model
from hetopt.schedule.cpsat.variables import MERGED
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.model.grid import Grid, model_grid, span_s
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.without_slowdown import relaxed, strict

LARGEST = 1_000_000
"""Choices (task, option, unit) up to which a model is built: some GiB of memory."""


@dataclass(frozen=True, slots=True)
class CpSatFile:
    """A CP-SAT model that is ready to be written, and what a reader must know of it."""

    model: Any
    notes: tuple[str, ...]


def schedule_file(instance: Instance, rounding: Literal["down", "up"] = "down") -> CpSatFile:
    """Return the model of the first objective of a schedule.

    Parameters
    ----------
    rounding
        Where times have no coarse exact grid: ``down`` gives a relaxation, whose optimum is a
        bound, ``up`` a restriction, whose plans hold. On an exact grid it makes no difference,
        unless resources slow what runs: ``down`` leaves that out, ``up`` forbids it.

    Raises
    ------
    InputError
        If the instance is too large for a model, or its deadlines leave a task no place.
    """
    from hetopt.evaluate import objectives

    if slows(instance):
        # Ends that follow from what else runs are in no such model: a bound, or plans without.
        instance = strict(instance) if rounding == "up" else relaxed(instance)
    _check_size(instance)
    longest = span_s(instance)
    plan = CONSTRUCTORS["heft"](instance, limit=None)
    if plan is not None:
        longest = min(longest, objectives(instance, plan, ("makespan",))[0])
    grid = model_grid(instance, longest)
    if grid.direction != "exact" and rounding == "up":
        grid = Grid(grid.tick, "up")
    made = build_model(Problem(instance, grid), 0, [])
    if made is None:
        raise InputError(
            "No model is written, as there is no plan: the shortest options, or idle power beside "
            "the power cap, leave some task no place before its deadline."
        )
    _name_variables(made)
    _scale_objective(made)
    return CpSatFile(made.model, _notes(made))


def _check_size(instance: Instance) -> None:
    device = instance.options.device[instance.admissible[1]]
    choices = int(instance.devices.count_max[device].sum())
    if choices > LARGEST:
        raise InputError(
            f"The model would have {choices:,} choices of task, option and unit; up to "
            f"{LARGEST:,} are written."
        )


def _name_variables(made: ScheduleModel) -> None:
    """Name starts, ends and choices after tasks, units and labels."""
    build = made.build
    instance = build.problem.instance
    variables = made.model.proto.variables

    def call(variable: Any, name: str) -> None:
        variables[variable.index].name = name

    for task, choices in enumerate(build.choices):
        title = str(instance.tasks.name[task])
        call(build.start[task], f"start({title})")
        call(build.end[task], f"end({title})")
        for choice in choices:
            device, unit = choice.place
            place = str(instance.devices.name[device])
            place = place if unit == MERGED else instance.unit_name(device, unit)
            label = str(instance.options.label[choice.mode.option])
            call(choice.literal, f"run({title}, {place}{', ' + label if label else ''})")
    call(build.makespan, "makespan")


def _scale_objective(made: ScheduleModel) -> None:
    """Let a solver report real units: scaling × (expression + offset)."""
    scaled, proto = made.objective, made.model.proto
    if not scaled.terms:
        return
    proto.objective.scaling_factor = scaled.sign * float(scaled.unit)
    # What minimize() itself put there for a constant part of the expression stays.
    proto.objective.offset += float(scaled.constant / scaled.unit)


def _notes(made: ScheduleModel) -> tuple[str, ...]:
    build, grid = made.build, made.build.problem.grid
    tick = f"Times are whole ticks of {float(grid.tick)!r} s"
    notes = {
        "exact": f"{tick}, which every time of the instance is a multiple of: the grid is exact.",
        "down": f"{tick}; durations and releases are rounded down, so the model is a relaxation: "
        "its optimum is a bound, and its plans may need a little more time.",
        "up": f"{tick}; durations and releases are rounded up: its plans hold, and its optimum is "
        "no bound.",
    }
    found = [notes[grid.direction]]
    if not build.faithful:
        found.append(
            "Some demands of memory, power or a resource are rounded, so a plan may exceed a limit "
            "by the rounding."
        )
    found.append(
        "start(TASK), end(TASK) and makespan are in ticks; run(TASK, UNIT, LABEL) is 1 where the "
        "task runs there with that option (a device without #: on any of its units)."
    )
    return tuple(found)
