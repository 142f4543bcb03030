"""The steady MIP under names that people can read, for other solvers (MPS and LP files).

The program is that of :mod:`hetopt.steady.program.formulation`, row by row. Only the objective
differs: it is in SI units, times a power of ten where its coefficients would be lost in a solver's
absolute tolerances, and a constant in it is the coefficient of a variable fixed at 1, as many
readers of these formats drop constants.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
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


VARIABLES = {
    "y": ("share", ("route",)),
    "f": ("flow", ("route", "kind")),
    "c": ("slices", ("route",)),
    "n": ("count", ("kind",)),
    "u": ("on", ("device",)),
    "h": ("had", ("device",)),
    "s": ("serves", ("device",)),
    "bo": ("boards_on", ("board",)),
    "bh": ("boards_had", ("board",)),
    "v": ("starts", ("period", "device")),
    "o": ("stops", ("period", "device")),
    "b": ("bought", ("period", "device")),
    "x": ("boards_start", ("period", "board")),
    "w": ("boards_by", ("period", "device")),
    "l": ("loads", ("period", "device", "weights")),
    "g": ("changes", ("period", "device")),
    "z": ("unit_on", ("device",)),
}
"""Word for each family of variables, and what its first indices stand for."""
ROWS = {
    **dict.fromkeys(("on", "had", "named", "below", "serves", "fleet"), ("device",)),
    **dict.fromkeys(("linking", "needs"), ("kind", "job")),
    **dict.fromkeys(("board", "boardhad"), ("board", "device")),
    "demand": ("job",),
    "slices": ("route",),
    "capacity": ("kind",),
    "spared": ("device", "job"),
    "flow": ("route", "device"),
    "link": ("link",),
    "pool": ("pool",),
}
"""What the first indices of each family of rows stand for."""


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
        block: SteadyModel = blocks_of(model)[0]
        instance = block.instance
        devices, jobs = instance.devices.name, instance.jobs.name
        periods, links = model.instance.scenarios.name, instance.links
        self.words: dict[str, Callable[[int], tuple[str, ...]]] = {
            "job": lambda i: (jobs[i],),
            "route": lambda i: (jobs[block.routes[i].job],),
            "device": lambda i: (devices[i],),
            "kind": lambda i: (devices[block.kinds[i].device],),
            "board": lambda i: (instance.boards.name[i],),
            "pool": lambda i: (instance.pools.name[i],),
            "period": lambda i: (periods[i],),
            "link": lambda i: (devices[links.src[i]], devices[links.dst[i]]),
            "weights": lambda i: ("/".join(instance.model_keys[i]),),
        }

    def of_variable(self, name: str) -> str:
        """Return the name of a variable: ``y_3``, ``f_3_1``, ``s0.u_0``, ``theta`` ..."""
        scenario, own, family, at = _parsed(name)
        if (family, len(at)) == ("l", 1):
            return scenario + self._made("state", at, ())
        if not at or family not in VARIABLES:
            return scenario + _plain(own)
        word, meanings = VARIABLES[family]
        return scenario + self._made(word, at, meanings)

    def of_row(self, name: str) -> str:
        """Return the name of a row: ``capacity_1``, ``s0.demand_0``, ``linking_1_0`` ..."""
        scenario, own, family, at = _parsed(name)
        if not at:
            return f"{scenario}row_{_plain(own)}"
        return scenario + self._made(f"row_{family}", at, ROWS.get(family, ()))

    def _made(self, family: str, at: Sequence[int], meanings: Sequence[str]) -> str:
        words = [w for what, i in zip(meanings, at, strict=False) for w in self.words[what](i)]
        name = "_".join([family, *map(str, at)])
        return ".".join([name, *(_plain(str(w)) for w in words)])[:LONGEST_NAME]


def _parsed(name: str) -> tuple[str, str, str, list[int]]:
    """Return the scenario (with its dot), the rest, its family and the indices, none if unsound."""
    scenario, dot, own = name.rpartition(".")
    family, *indices = own.split("_")
    at = [int(i) for i in indices] if all(i.isdigit() for i in indices) else []
    return scenario + dot, own, family, at


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
        lines.append("bought_S_D: units had in period S beyond those had initially")
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
