r"""The family of rows of states in the program of streams (docs/mathematics.md).

Variables
    l_s ≥ 0     part of the time that state s is on
    z_dk binary k units of device d are on (only where their number counts, and k ≥ 2)
Constraints
    time        Σ_{s of domain} l_s ≤ 1
    work        Σ_r R_j b_ro y_r ≤ Σ_s l_s n_so ρ_so      for each option o of a domain, and once
                more for each least rate f: over routes that ask for f or more, and states with
                ρ_so ≥ f. Least rates are nested, so these rows say exactly that each route's work
                can be dealt out to states that are fast enough for it (Hall's condition on a chain)
    units       Σ_{s with k units of d or more} l_s ≤ [k units of d are on]
    occupation  Σ_s l_s n_sd ≤ max_utilization (1 − reserved) slots u_d, where that is less than
                slots u_d

b_ro is the time that a request of route r takes on option o at full speed, n_so slots and ρ_so rate
of option o in state s. States are shared in time by whole domains: a state needs its units while it
is on, no more.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pulp

from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.solution import SteadyPlan
from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.states.extract import with_states
from hetopt.steady.states.slowest_within_latency import Floors, fast_enough
from hetopt.steady.states.states import State, States

WORK, TIME, UNITS, OCCUPATION = "work", "time", "units", "occupation"
"""Families of rows, as their names begin."""


class StateRows:
    """States as part of a program; the program calls :meth:`add_to`.

    Parameters
    ----------
    floors
        Least rates that routes ask for: those of plans, or those that a bound may count on.
    """

    def __init__(self, states: States, floors: Floors) -> None:
        self.states, self.floors = states, floors

    def add_to(self, model: SteadyModel) -> list[Any]:
        """Add variables and rows; return the variable of each state's part of the time."""
        part = [model.variable(f"l_{s}", 0) for s in range(len(self.states.states))]
        self._time(model, part)
        self._work(model, part)
        self._units(model, part)
        return part

    def completed(
        self, model: SteadyModel, plan: SteadyPlan, values: Mapping[str, float]
    ) -> SteadyPlan:
        """Return the plan with its states and least rates, and the units that those need on."""
        parts = [max(0.0, values.get(part.name, 0.0)) for part in model.state_parts]
        scaled = model.question.throughput
        return with_states(model.instance, plan, self.states.states, parts, self.floors, scaled)

    def start(self, model: SteadyModel, plan: SteadyPlan) -> dict[str, float]:
        """Return which units are on, as a plan has them."""
        return {
            z.name: float(k <= plan.units_on[device])
            for device, on in model.switched.items()
            for k, z in enumerate(on, start=1)
        }

    def legend(self, instance: Instance) -> list[str]:
        """Return lines that say what the parts of the time, and switches of units, stand for."""
        words = (
            "state_S: part of the time that state S is on; unit_on_D_K: whether K units or more of "
            "device D are on; row_work: the work of an option at a least rate"
        )
        lines = [words]
        for s, state in enumerate(self.states.states):
            runs = ", ".join(
                f"{slots} x option {instance.options.label[option]!s} of "
                f"{instance.devices.name[instance.options.device[option]]} (number {option}) "
                f"at {rate:.6g}"
                for option, slots, rate in state.runs
            )
            lines.append(f"state_{s}: {runs}")
        return lines

    def _time(self, model: SteadyModel, part: list[Any]) -> None:
        for g in sorted({state.domain for state in self.states.states}):
            mine = (
                (part[s], 1.0) for s, state in enumerate(self.states.states) if state.domain == g
            )
            model.add_row(sum_of(mine) <= model.keep, f"{TIME}_{g}")

    def _work(self, model: SteadyModel, part: list[Any]) -> None:
        supply = supplies(self.states.states)
        for (option, floor), takers in work_rows(model, self.floors).items():
            asked = [(model.share[r], model.route_rate(r) * busy) for r, busy in takers]
            given = [
                (part[s], -slots * rate)
                for s, slots, rate in supply.get(option, [])
                if fast_enough(rate, floor)
            ]
            model.add_row(sum_of(asked + given) <= 0, f"{WORK}_{option}_{floor!r}")

    def _units(self, model: SteadyModel, part: list[Any]) -> None:
        devices = model.instance.devices
        needs: dict[int, list[tuple[int, int]]] = {}
        for s, state in enumerate(self.states.states):
            for device, units in state.units:
                needs.setdefault(device, []).append((s, units))
        for device, users in sorted(needs.items()):
            work = model.work[device]
            for k, on in enumerate(self._switches(model, device), start=1):
                if isinstance(on, float) and on > 0:
                    continue  # the row of time says as much
                mine = sum_of((part[s], 1.0) for s, units in users if units >= k)
                model.add_row(mine <= on, f"{UNITS}_{device}_{k}")
            if model.capacity[device] < devices.slots[device]:
                slots = {s: occupied(model, self.states.states[s], device) for s, _ in users}
                busy = sum_of((part[s], float(n)) for s, n in slots.items())
                room = work * (float(model.capacity[device]) * model.keep)
                model.add_row(busy <= room, f"{OCCUPATION}_{device}")

    def _switches(self, model: SteadyModel, device: int) -> list[Any]:
        """Return what says that the first, second, ... unit of a device is on."""
        work, most = model.work[device], int(model.instance.devices.count_max[device])
        if not isinstance(work, pulp.LpVariable):
            return [0.0 if k > work else 1.0 for k in range(1, most + 1)]
        if most == 1:
            return [work]
        on = [model.variable(f"z_{device}_{k}", 0, 1, "Integer") for k in range(1, most + 1)]
        for k, (fewer, more) in enumerate(itertools.pairwise(on), start=2):
            model.add_row(more <= fewer, f"switch_{device}_{k}")
        model.switched[device] = on
        model.add_row(sum_of((z, 1.0) for z in on) <= work, f"switched_{device}")
        return on


def work_rows(
    model: SteadyModel, floors: Floors
) -> dict[tuple[int, float], list[tuple[int, float]]]:
    """Return, by option and least rate, the routes that ask for that rate or more, with b_ro."""
    instance = model.instance
    options, work = instance.options, instance.tasks.work
    ptr, tasks = instance.job_tasks
    inside = {d for domain in slow_domains(instance) for d in domain.devices}
    busy: dict[int, dict[int, float]] = {}
    for r, route in enumerate(model.routes):
        mine = tasks[ptr[route.job] : ptr[route.job + 1]].tolist()
        for task, option in zip(mine, route.options, strict=True):
            if int(options.device[option]) in inside and options.time_s[option] > 0:
                share = (
                    float(work[task]) * float(options.time_s[option]) / int(options.batch[option])
                )
                at = busy.setdefault(option, {})
                at[r] = at.get(r, 0.0) + share
    rows: dict[tuple[int, float], list[tuple[int, float]]] = {}
    for option, takers in sorted(busy.items()):
        asked = {}
        for r in takers:
            route = model.routes[r]
            asked[r] = floors.get((route.job, route.options, option), 0.0)
        for floor in sorted(set(asked.values())):
            rows[option, floor] = [(r, b) for r, b in takers.items() if asked[r] >= floor]
    return rows


def supplies(states: tuple[State, ...]) -> dict[int, list[tuple[int, int, float]]]:
    """Return (state, slots, rate) of all that run an option, by option."""
    found: dict[int, list[tuple[int, int, float]]] = {}
    for s, state in enumerate(states):
        for option, slots, rate in state.runs:
            found.setdefault(option, []).append((s, slots, rate))
    return found


def occupied(model: SteadyModel, state: State, device: int) -> int:
    """Return the slots of a device that a state occupies."""
    of = model.instance.options.device
    return sum(slots for option, slots, _ in state.runs if int(of[option]) == device)
