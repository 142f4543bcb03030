"""``replan()``: from a plan and what is so to the plan to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np

from hetopt import units
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.instance.states.setups import device_setups
from hetopt.replan.replanned import Replanned, Stability
from hetopt.replan.schedules import replan_schedule
from hetopt.replan.streams import Costs, check_streams, replan_streams
from hetopt.simulate.events import State
from hetopt.solution import Plan, SchedulePlan, Solution, SteadyPlan
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of

HOLD_S = 3600.0
"""How long a plan is expected to hold where nothing else is said."""
TIME_LIMIT_S = 10.0


def replan(
    instance: Instance | Buildable,
    plan: Plan | Solution,
    state: State | None = None,
    *,
    stability: Stability | str = "1 %",
    start_up: str | float | Mapping[str, Any] | None = None,
    loading: str | float | Mapping[str, Any] | None = None,
    hold: str | float = HOLD_S,
    options: SolveOptions | None = None,
    **solving: Unpack[SolveFields],
) -> Replanned:
    """Plan anew while a plan runs: what started stays, what is on costs nothing, changes pay.

    Parameters
    ----------
    instance
        With the rates, times and limits that hold now.
    plan
        The plan that runs; of another fleet or other rates it is repaired first.
    state
        Where everything stands; None: as the plan says.
    stability
        ``"3"``: at most 3 changes; ``"2 %"``: a voluntary change must gain that part of the
        objective; ``"5 W"``: each change must gain that.
    start_up
        From off to serving, at idle power: one time, or a time by device. By default, and beside it
        energy and money of each start, what ``start_up`` of the devices states.
    loading
        Bandwidth at which weights load (bytes/s or ``"2 GB/s"``), one or by device; None: in the
        time that ``load`` of the devices states.
    hold
        How long the plan is expected to hold: what starts draw is spread over it.
    options, **solving
        How to solve (``time_limit="1 s"``, ``method="heuristic"``, ...); 10 s by default.

    Raises
    ------
    InputError
        Where state or plan name what the instance does not have, or the question cannot be asked.
    """
    instance = built(instance)
    if options is None and "time_limit" not in solving:
        solving["time_limit"] = TIME_LIMIT_S
    options = options_of(options, solving)
    found = plan.plan if isinstance(plan, Solution) else plan
    if isinstance(stability, str):
        stability = Stability.parse(stability, instance)
    if instance.regime == "schedule":
        if not isinstance(found, SchedulePlan):
            raise InputError("A plan of a schedule is expected for this instance.")
        if np.isfinite(instance.limits.cycle_s):
            text = (
                "A schedule that runs once (`cyclic: false`, or a `horizon`): replanning does not "
                "know those that repeat for ever."
            )
            cycle = units.format(instance.limits.cycle_s, "time", digits=6)
            raise InputError([Problem("cyclic", cycle, text)])
        if "value" in instance.objective:
            text = "An objective by which all jobs run: replanning knows none that are left out."
            raise InputError([Problem("objective", "value", text)])
        if device_setups(instance):
            name = str(instance.devices.name[min(device_setups(instance))])
            text = "A schedule without set-ups: replanning does not know what units have loaded."
            raise InputError([Problem(f"device {name}", "set-ups", text)])
        for k in np.flatnonzero(instance.resources.slow)[:1]:
            text = "`sharing: forbid`: replanning does not know resources that slow what runs."
            name = f"resource {instance.resources.name[k]}, sharing"
            raise InputError([Problem(name, "slow", text)])
        return replan_schedule(instance, found, state, stability, options)
    check_streams(instance)
    if not isinstance(found, SteadyPlan):
        raise InputError("A plan of streams is expected for this instance.")
    if state is not None and state.tasks:
        raise InputError([Problem("state.tasks", "", "Units and jobs: streams have no tasks.")])
    costs = costs_of(instance, start_up, loading, hold)
    return replan_streams(instance, found, state, stability, costs, options)


def costs_of(
    instance: Instance,
    start_up: str | float | Mapping[str, Any] | None,
    loading: str | float | Mapping[str, Any] | None,
    hold: str | float,
) -> Costs:
    """Return what changes take, as numbers."""
    devices = instance.devices
    start = devices.start_up_time_s
    if start_up is not None:
        start = _by_device(instance, "--start-up", start_up, "time")
    each = devices.load_time_s if loading is None else np.zeros(len(devices))
    speed = _by_device(instance, "--loading", np.inf if loading is None else loading, "bandwidth")
    with np.errstate(divide="ignore"):
        load = np.where(np.isinf(speed), 0.0, 1.0 / speed)
    if not np.isfinite(load).all():
        raise InputError([Problem("--loading", "0", "More than 0 bytes per second.")])
    held = _number("--hold", hold, "time")
    if not held > 0:
        raise InputError([Problem("--hold", str(hold), "More than 0 s.")])
    return Costs(start, devices.start_up_energy_j, load, each, devices.load_energy_j_per_b, held)


def _by_device(instance: Instance, flag: str, value: Any, dimension: str) -> np.ndarray:
    names = {str(name): d for d, name in enumerate(instance.devices.name)}
    if not isinstance(value, Mapping):
        return np.full(len(names), _number(flag, value, dimension))
    found = np.full(len(names), np.inf if dimension == "bandwidth" else 0.0)
    for name, text in value.items():
        if name not in names:
            raise InputError([Problem(flag, name, f"A device: {', '.join(names)}.")])
        found[names[name]] = _number(flag, text, dimension)
    return found


def _number(flag: str, value: str | float, dimension: str) -> float:
    if isinstance(value, str):
        try:
            return units.parse(value, dimension)
        except units.UnitError as error:
            text = f"{error.expected}. {error.hint}".strip()
            raise InputError([Problem(flag, value, text)]) from None
    if not value >= 0:
        raise InputError([Problem(flag, f"{value}", "0 or more.")])
    return float(value)
