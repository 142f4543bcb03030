"""The steady MIP under names that people can read, for other solvers (MPS and LP files).

The program is that of :mod:`hetopt.steady.program.formulation`, row by row. Only the objective
differs: it is in SI units, times a power of ten where its coefficients would be lost in a solver's
absolute tolerances, and a constant in it is the coefficient of a variable fixed at 1, as many
readers of these formats drop constants.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulp

from hetopt.instance import Instance, is_maximised
from hetopt.solvers.mip_arrays import MipArrays, mip_arrays
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.program.scenarios import StreamModel, blocks_of

LONGEST_NAME = 60
"""Characters of a name: some readers of the LP format stop at 100."""

FEWEST_DIGITS, MOST_DIGITS = 1.0, 1e6
"""The largest coefficient of the objective lies between these, so that gaps can be seen."""

CONSTANT = "one"
"""The variable whose coefficient is the objective's constant."""


@dataclass(frozen=True, slots=True)
class ReadableProgram:
    """A program, and what a reader must know of it.

    Attributes
    ----------
    problem
        The program; its sense is that of hetopt's objective.
    factor
        What the objective in SI units is multiplied by.
    served
        θ (the multiple of the demanded rates that is served) for a value of 1 of the variable
        ``theta``; 1 where there is none.
    legend
        A line for each family of variables and for each route.
    """

    problem: Any
    factor: float
    served: float
    legend: tuple[str, ...]


def readable_program(model: StreamModel, objective: str) -> ReadableProgram:
    """Return the program of a model with readable names, aiming at an objective."""
    maximised = is_maximised(objective)
    model.problem.setObjective(model.expression(objective))
    arrays = mip_arrays(model.problem)
    largest = max((abs(c) for c in arrays.cost.tolist()), default=0.0)
    factor = 1.0
    if largest and not FEWEST_DIGITS <= largest < MOST_DIGITS:
        factor = 10.0 ** (2 - math.floor(math.log10(largest)))
    names = _Names(model)
    problem = pulp.LpProblem(
        _plain(model.instance.name) or "hetopt", pulp.LpMaximize if maximised else pulp.LpMinimize
    )
    _fill(problem, arrays, names, factor)
    return ReadableProgram(problem, factor, float(model.unit), _legend(model))


def _fill(problem: Any, arrays: MipArrays, names: _Names, factor: float) -> None:
    """Add variables, objective and rows under their readable names."""
    variables = [
        problem.add_variable(names.of_variable(name), _finite(low), _finite(high), category)
        for name, low, high, category in zip(
            arrays.names,
            arrays.lower.tolist(),
            arrays.upper.tolist(),
            ["Integer" if whole else "Continuous" for whole in arrays.integer.tolist()],
            strict=True,
        )
    ]
    cost = [(v, factor * c) for v, c in zip(variables, arrays.cost.tolist(), strict=True) if c]
    if arrays.offset or not cost:
        cost.append((problem.add_variable(CONSTANT, 1, 1), factor * arrays.offset))
    problem.setObjective(pulp.LpAffineExpression(cost))
    problem.objective.name = "objective"
    terms: list[list[tuple[Any, float]]] = [[] for _ in arrays.row_names]
    for row, column, coefficient in zip(
        arrays.rows.tolist(), arrays.columns.tolist(), arrays.coefficients.tolist(), strict=True
    ):
        terms[row].append((variables[column], coefficient))
    for row, name in enumerate(arrays.row_names):
        low, high = float(arrays.row_lower[row]), float(arrays.row_upper[row])
        sense = 0 if low == high else -1 if math.isinf(low) else 1
        limit = high if sense < 0 else low
        expression = pulp.LpAffineExpression(terms[row])
        problem.addConstraint(pulp.LpConstraint(expression, sense, rhs=limit), names.of_row(name))


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


class _Names:
    """Readable names, all different, of the program's variables and rows.

    Each begins with its family and its indices in the formulation, which keeps it unique; what
    they stand for follows, as far as it has room.
    """

    def __init__(self, model: StreamModel) -> None:
        # All scenarios have the same routes and kinds of unit.
        self.model: SteadyModel = blocks_of(model)[0]
        self.devices = [str(name) for name in model.instance.devices.name]
        self.jobs = [str(name) for name in model.instance.jobs.name]
        self.periods = model.instance.scenarios.name.tolist()

    def when(self, period: int) -> str:
        """Return the name of a period."""
        return str(self.periods[period])

    def of_variable(self, name: str) -> str:
        """Return the name of a variable: ``y_3``, ``f_3_1``, ``s0.u_0``, ``theta`` ..."""
        scenario, dot, own = name.rpartition(".")
        return f"{scenario}{dot}{self._of_variable(own)}"

    def of_row(self, name: str) -> str:
        """Return the name of a row: ``capacity_1``, ``s0.demand_0``, ``linking_1_0`` ..."""
        scenario, dot, own = name.rpartition(".")
        return f"{scenario}{dot}{self._of_row(own)}"

    def _of_variable(self, name: str) -> str:
        family, *indices = name.split("_")
        at = [int(i) for i in indices] if all(i.isdigit() for i in indices) else []
        if family == "y" and at:
            return self._made("share", at, [self.jobs[self.model.routes[at[0]].job]])
        if family == "f" and len(at) == 2:
            route, kind = at
            job = self.jobs[self.model.routes[route].job]
            return self._made("flow", at, [job, self._device_of(kind)])
        if family == "c" and at:
            return self._made("slices", at, [self.jobs[self.model.routes[at[0]].job]])
        if family == "n" and at:
            return self._made("count", at, [self._device_of(at[0])])
        if family in ("bo", "bh") and at:
            word = "boards_on" if family == "bo" else "boards_had"
            return self._made(word, at, [str(self.model.instance.boards.name[at[0]])])
        if family in ("u", "h") and at:
            return self._made("on" if family == "u" else "had", at, [self.devices[at[0]]])
        if family in ("v", "o") and len(at) == 2:
            word = "starts" if family == "v" else "stops"
            return self._made(word, at, [self.when(at[0]), self.devices[at[1]]])
        if family == "b" and len(at) == 2:
            return self._made("bought", at, [self.when(at[0]), self.devices[at[1]]])
        if family == "x" and len(at) == 2:
            board = str(self.model.instance.boards.name[at[1]])
            return self._made("boards_start", at, [self.when(at[0]), board])
        if family == "w" and len(at) == 2:
            return self._made("boards_by", at, [self.when(at[0]), self.devices[at[1]]])
        if family == "l" and len(at) == 3:
            word = "/".join(self.model.instance.model_keys[at[2]])
            return self._made("loads", at, [self.when(at[0]), self.devices[at[1]], word])
        if family == "g" and len(at) == 4:
            return self._made("changes", at, [self.when(at[0]), self.devices[at[1]]])
        if family == "l" and len(at) == 1:
            return self._made("state", at, [])
        if family == "z" and len(at) == 2:
            return self._made("unit_on", at, [self.devices[at[0]]])
        if family == "s" and at:
            return self._made("serves", at, [self.devices[at[0]]])
        return _plain(name)

    def _of_row(self, name: str) -> str:
        family, *indices = name.split("_")
        at = [int(i) for i in indices] if all(i.isdigit() for i in indices) else []
        words: list[str] = []
        if family == "demand" and at:
            words = [self.jobs[at[0]]]
        elif family == "slices" and at:
            words = [self.jobs[self.model.routes[at[0]].job]]
        elif family in ("capacity", "linking", "needs") and at:
            words = [self._device_of(at[0]), *(self.jobs[j] for j in at[1:])]
        elif family in ("on", "had", "named", "below", "serves", "fleet") and at:
            words = [self.devices[at[0]]]
        elif family == "spared" and at:
            words = [self.devices[at[0]], self.jobs[at[1]]]
        elif family == "flow" and len(at) == 2:
            words = [self.jobs[self.model.routes[at[0]].job], self.devices[at[1]]]
        elif family == "link" and at:
            links = self.model.instance.links
            words = [self.devices[links.src[at[0]]], self.devices[links.dst[at[0]]]]
        elif family in ("board", "boardhad") and len(at) == 2:
            words = [str(self.model.instance.boards.name[at[0]]), self.devices[at[1]]]
        elif family == "pool" and at:
            words = [str(self.model.instance.pools.name[at[0]])]
        return self._made(f"row_{family}", at, words) if at else f"row_{_plain(name)}"

    def _device_of(self, kind: int) -> str:
        return self.devices[self.model.kinds[kind].device]

    @staticmethod
    def _made(family: str, at: Sequence[int], words: Sequence[str]) -> str:
        name = "_".join([family, *map(str, at)])
        return ".".join([name, *(_plain(w) for w in words)])[:LONGEST_NAME]


def _plain(text: str) -> str:
    """Return a name of letters, digits and underscores only: what every reader takes."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _legend(joint: StreamModel) -> tuple[str, ...]:
    model, names = blocks_of(joint)[0], joint.instance.scenarios.name.tolist()
    # Routes of scenarios differ in nothing but the rates of their jobs.
    instance = joint.instance
    scale = f"{float(model.unit)!r} × " if model.question.throughput else ""
    lines = [
        f"s{s}. begins what belongs to {joint.instance.when} {name}" for s, name in enumerate(names)
    ]
    lines += [
        f"share_R.JOB: the rate of route R is share_R × {scale}the job's rate",
        "on_D.DEVICE, had_D.DEVICE: units on, units had",
    ]
    if any(not model.plain(kind.device) for kind in model.kinds):
        lines.append(
            "count_K.DEVICE: units of kind K, which hold certain weights or serve certain jobs; "
            "flow_R_K: part of share_R that they serve"
        )
    if model.states is not None:
        lines += model.states.legend(model.instance)
    if model.spared:
        lines.append(
            "serves_D.DEVICE: whether the device serves anything, so that it has its spare units; "
            "on_D counts the units without them"
        )
    if len(instance.boards):
        text = "boards_on_B.BOARD, boards_had_B.BOARD: boards on, boards had"
        if len(instance.periods):
            text += (
                "; boards_start_S_B: those that go on as period S begins; boards_by_S_D: whether "
                "device D asks for the most of its boards"
            )
        lines.append(text)
    if len(instance.periods):
        lines.append(
            "starts_S_D, stops_S_D: units that go on and off as period S begins; loads_S_D_W: "
            "units that load weights W; changes_S_D: units that change from what they held"
        )
    if instance.periods.invest:
        lines.append("bought_S_D: units had in period S, bought by then")
    if model.slices:
        lines.append("slices_R.JOB: slices of the job that route R serves whole")
    lines += [f"share_{r}: {_route(instance, model, r)}" for r in range(len(model.routes))]
    return tuple(lines)


def _route(instance: Instance, model: SteadyModel, route: int) -> str:
    """Say what a route is: its job, rate and options."""
    found = model.routes[route]
    ptr, tasks = instance.job_tasks
    placed = []
    for task, option in zip(
        tasks[ptr[found.job] : ptr[found.job + 1]].tolist(), found.options, strict=True
    ):
        label = str(instance.options.label[option])
        device = str(instance.devices.name[instance.options.device[option]])
        placed.append(f"{instance.tasks.name[task]} on {device}" + (f" ({label})" if label else ""))
    rate = float(instance.jobs.rate_per_s[found.job])
    return f"of {rate!r} requests/s of {instance.jobs.name[found.job]}: {', '.join(placed)}"
