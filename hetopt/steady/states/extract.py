"""From parts of the time to a plan's states: named units, least rates, no work left undone.

The program knows routes and states within a solver's tolerance. Rates of routes are settled before
(demand is met to the last digit), so the states are given what is missing of each option's work;
where throughput is what is asked for, rates and parts are scaled down instead where the time is
then more than there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.slow_domains import slow_demand, slow_domains
from hetopt.solution import RunningStates, SteadyPlan
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.states.slowest_within_latency import Floors, fast_enough
from hetopt.steady.states.states import State

NO_PART = 1e-11
"""A part of the time below this is a solver's rounding; other states take its work over."""
HAIR = 1e-14
"""Relative room for the rounding of sums, far below ``LIMIT_TOLERANCE``."""

Work = dict[tuple[int, float], float]
"""Busy time per second at full speed, by option and least rate."""


def with_states(
    instance: Instance,
    plan: SteadyPlan,
    states: Sequence[State],
    parts: Sequence[float],
    floors: Floors,
    scaled: bool,
) -> SteadyPlan:
    """Return a plan with states and least rates, and the units on that the states need.

    Parameters
    ----------
    parts
        Part of the time of each state.
    floors
        Least rates that routes ask for.
    scaled
        Whether rates may be lowered (throughput is asked for).
    """
    asked = asked_rates(instance, plan, floors)
    time = np.array([p if p > NO_PART else 0.0 for p in parts])
    _fill(states, time, work_asked(instance, plan, asked))
    over = max(
        (
            float(sum(time[s] for s, state in enumerate(states) if state.domain == g))
            for g in range(len(slow_domains(instance)))
        ),
        default=0.0,
    )
    if over > 1.0 and scaled:
        time = time / over * (1.0 - HAIR)
        plan = replace(plan, rate_per_s=plan.rate_per_s / over * (1.0 - 2 * HAIR))
    used = [(state, float(t)) for state, t in zip(states, time.tolist(), strict=True) if t > 0]
    return replace(
        plan,
        units_on=np.maximum(plan.units_on, _units_needed(instance, used)),
        states=_running(instance, used),
        least_rate=_least_rates(instance, plan, [state for state, _ in used], asked),
    )


def _units_needed(instance: Instance, used: Sequence[tuple[State, float]]) -> Ints:
    """Return the units that some state needs, or as many as all occupy for long enough (D)."""
    need = np.zeros(len(instance.devices), dtype=np.int64)
    occupied = np.zeros(len(instance.devices))
    for state, part in used:
        for device, units in state.units:
            need[device] = max(need[device], units)
        for option, slots, _ in state.runs:
            occupied[instance.options.device[option]] += part * slots
    room = unit_capacity(instance)
    full = np.divide(occupied, room, out=np.zeros(len(room)), where=room > 0)
    return np.maximum(need, np.ceil(full * (1.0 - LIMIT_TOLERANCE / 2)).astype(np.int64))


def asked_rates(instance: Instance, plan: SteadyPlan, floors: Floors) -> Floats:
    """Return the least rate that each row's route asks for (M)."""
    asked = np.zeros(len(plan.option))
    for k, job in enumerate(plan.route_job.tolist()):
        rows = range(int(plan.ptr[k]), int(plan.ptr[k + 1]))
        options = tuple(plan.option[i] for i in rows)
        for i in rows:
            asked[i] = floors.get((job, options, int(plan.option[i])), 0.0)
    return asked


def work_asked(instance: Instance, plan: SteadyPlan, asked: Floats) -> Work:
    """Return what routes ask of each option of a domain, for each least rate that they ask for."""
    device_in = {d for domain in slow_domains(instance) for d in domain.devices}
    options = instance.options
    route = np.repeat(np.arange(len(plan.route_job)), np.diff(plan.ptr))
    often = plan.rate_per_s[route] / options.batch[plan.option]
    busy = often * instance.tasks.work[plan.task] * options.time_s[plan.option]
    work: Work = {}
    for option, floor, amount in zip(
        plan.option.tolist(), asked.tolist(), busy.tolist(), strict=True
    ):
        if amount > 0 and int(options.device[option]) in device_in:
            work[option, floor] = work.get((option, floor), 0.0) + amount
    return work


def _fill(states: Sequence[State], time: Floats, work: Work) -> None:
    """Give states more time where work is left undone, as little as that takes."""
    running: dict[int, list[tuple[int, float, float]]] = {}
    for s, state in enumerate(states):
        for option, slots, rate in state.runs:
            running.setdefault(option, []).append((s, slots * rate, rate))
    for option in sorted({o for o, _ in work}):
        needed = 0.0
        # Fast ones first: what serves them serves the others too.
        for floor in sorted((f for o, f in work if o == option), reverse=True):
            needed += work[option, floor]
            fit = [(s, speed) for s, speed, rate in running[option] if fast_enough(rate, floor)]
            short = needed * (1.0 + HAIR) - sum(time[s] * speed for s, speed in fit)
            if short > 0 and fit:
                best = max(fit, key=lambda one: (time[one[0]] > 0, one[1]))
                time[best[0]] += short / best[1] * (1.0 + HAIR)


def _running(instance: Instance, used: Sequence[tuple[State, float]]) -> RunningStates:
    """Return the states with the unit of each run: slots of one unit after the other."""
    share: list[float] = []
    ptr, option, unit = [0], [], []
    width = instance.devices.slots
    for state, part in used:
        taken: dict[int, int] = {}
        for o, slots, _ in state.runs:
            device = int(instance.options.device[o])
            for _ in range(slots):
                option.append(o)
                unit.append(taken.get(device, 0) // int(width[device]))
                taken[device] = taken.get(device, 0) + 1
        share.append(part)
        ptr.append(len(option))
    ints = (np.array(column, dtype=np.int64) for column in (ptr, option, unit))
    return RunningStates(np.array(share, dtype=np.float64), *ints)


def _least_rates(
    instance: Instance, plan: SteadyPlan, used: Sequence[State], asked: Floats
) -> Floats:
    """Return the least rate of each row: the least in any state that is fast enough for it."""
    rates: dict[int, list[float]] = {}
    for state in used:
        for option, _, rate in state.runs:
            rates.setdefault(option, []).append(rate)
    least = np.ones(len(plan.option))
    for i, (option, floor) in enumerate(zip(plan.option.tolist(), asked.tolist(), strict=True)):
        if slow_demand(instance, option):
            fit = (rate for rate in rates.get(option, []) if fast_enough(rate, floor))
            least[i] = min(fit, default=1.0)
    return least
