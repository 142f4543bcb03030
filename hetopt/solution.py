"""The solution: plan columns, objective, bound, status and history.

Two plan forms, one per regime, both flat NumPy columns that refer to the instance by index.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.tables import Table

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["optimal", "feasible", "infeasible", "unknown"]
Termination = Literal["proved", "gap_limit", "time_limit", "interrupted", "iteration_limit"]
Proof = Literal["once", "twice"]
"""How often a solver proved what rests on its word alone."""

CONTRADICTED = "contradicted a checked plan"
"""What a note says where a solver or a bound said what a plan refutes; campaigns look for it."""

DIRECT, WRITE, READ = 0, 1, 2
"""Legs of a transfer: straight to the destination unit; a staged tensor's one write to the host;
its read from the host to one destination unit."""


@dataclass(frozen=True, slots=True)
class Hops(Table):
    """Transfers of a schedule, one row per hop (length H).

    A transfer is the set of rows with one (tensor, leg, dst_device, dst_unit); ``ordinal`` counts
    its hops from 0 along the path, ``link`` is the link that the hop uses and ``start_s`` when it
    starts. For the ``WRITE`` leg ``dst_device`` is the host and ``dst_unit`` -1. Messages on one
    unit or inside a zero-copy pool have no rows.
    """

    tensor: Ints
    leg: Ints
    dst_device: Ints
    dst_unit: Ints
    ordinal: Ints
    link: Ints
    start_s: Floats

    @staticmethod
    def empty() -> Hops:
        """No transfers at all."""
        none = np.empty(0, dtype=np.int64)
        return Hops(none, none, none, none, none, none, np.empty(0, dtype=np.float64))


class _PlanOutput:
    """What plans of both regimes can do; columns alone have no names, so the instance goes along.

    What writes files and pages lies in packages above this module: it is loaded through the
    package's face when it is asked for.
    """

    __slots__ = ()

    def to_frame(self, instance: Instance) -> pd.DataFrame:
        """Return the plan as a data frame; see :meth:`Solution.to_frame`."""
        from hetopt import plan_frame

        return plan_frame(instance, cast(Plan, self))

    def save(self, path: str | Path, instance: Instance) -> None:
        """Write the plan as a JSON file that ``hetopt.read_plan`` and ``hetopt verify`` read."""
        from hetopt import write_plan

        write_plan(path, instance, cast(Plan, self))

    def report(self, path: str | Path, instance: Instance) -> None:
        """Write one page about the plan that reads offline."""
        from hetopt import write_report

        write_report(path, instance, cast(Plan, self))


@dataclass(frozen=True, slots=True)
class SchedulePlan(_PlanOutput):
    """A schedule: per task (length T) an option index, a unit of the option's device, a start.

    ``start_s`` is read as the decimal that its ``repr`` prints.
    """

    option: Ints
    unit: Ints
    start_s: Floats
    hops: Hops


@dataclass(frozen=True, slots=True)
class RunningStates(Table):
    """How devices that slow each other down share their time among states (S states, X runs).

    State s is on for the part ``share[s]`` of the time; while it is, each of its rows
    ``ptr[s]:ptr[s + 1]`` runs ``option`` in a slot of ``unit`` of the option's device. The rest of
    the time everything idles. How fast each runs follows from what runs beside it.
    """

    share: Floats
    ptr: Ints
    option: Ints
    unit: Ints


@dataclass(frozen=True, slots=True)
class SteadyPlan(_PlanOutput):
    """Rates of routes and units on.

    A route is a row of ``route_job`` and ``rate_per_s`` (length K). Its tasks are the rows
    ``ptr[k]:ptr[k + 1]`` of ``task``, ``option`` and ``unit``: every task of the job once, in the
    order of ``Instance.job_tasks``. ``unit`` is -1 where the plan only states load per device (no
    memory limits, not ``single``), else the unit (< units on) that serves the route's tasks on
    that device; tasks of one route on one device share a unit under ``split`` routing.

    ``units_on`` and ``units_had`` have length D (had ≥ on; ``count_min`` ≤ had ≤ ``count_max``).

    Where resources slow what runs, ``states`` share the time of the devices concerned, and
    ``least_rate`` (rows, each > 0 and ≤ 1) is the part of full speed that a row's option runs at
    or above: its latency counts at that rate, and only states that keep it serve it. None: nothing
    is slowed, all rates are 1.
    """

    route_job: Ints
    rate_per_s: Floats
    ptr: Ints
    task: Ints
    option: Ints
    unit: Ints
    units_on: Ints
    units_had: Ints
    least_rate: Floats | None = None
    states: RunningStates | None = None


@dataclass(frozen=True, slots=True)
class ScenarioPlan(_PlanOutput):
    """One fleet's plans, one per scenario of the instance, in its order (at least one).

    ``units_had`` is the same in all of them.
    """

    plans: tuple[SteadyPlan, ...]


@dataclass(frozen=True, slots=True)
class Held(Table):
    """Weights on units in periods, one row each: unit ``unit`` of a device holds ``key``.

    ``key`` is an index into ``Instance.model_keys``. What a unit serves it holds anyway.
    """

    period: Ints
    device: Ints
    unit: Ints
    key: Ints

    def of_period(self, period: int) -> Held:
        """Return the rows of one period."""
        mine = self.period == period
        return Held(self.period[mine], self.device[mine], self.unit[mine], self.key[mine])

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int, int]] = ()) -> Held:
        """Return the columns of rows (period, device, unit, key)."""
        return Held(*np.array(rows, dtype=np.int64).reshape(len(rows), 4).T)


@dataclass(frozen=True, slots=True)
class PeriodPlan(ScenarioPlan):
    """One fleet's plans, one per period of the instance, in its order.

    Units of a device are alike: unit 0 of one period need not be unit 0 of the next one. ``held``
    says what units hold beyond what they serve, so that it need not be loaded again.
    """

    held: Held = field(default_factory=Held.of)


StreamPlan = SteadyPlan | ScenarioPlan
"""A plan of the steady regime."""

Plan = SchedulePlan | StreamPlan
"""A plan of either regime; each writes itself, given its instance."""


def with_options(plan: Plan, option: Ints) -> Plan:
    """Return a plan whose options are numbered anew: option o becomes ``option[o]``."""
    if isinstance(plan, ScenarioPlan):
        plans = tuple(_stream_with_options(part, option) for part in plan.plans)
        return replace(plan, plans=plans)
    if isinstance(plan, SteadyPlan):
        return _stream_with_options(plan, option)
    return replace(plan, option=np.where(plan.option < 0, -1, option[plan.option]))


def _stream_with_options(plan: SteadyPlan, option: Ints) -> SteadyPlan:
    states = plan.states
    if states is not None:
        states = replace(states, option=option[states.option])
    return replace(plan, option=option[plan.option], states=states)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One improvement: seconds since the start, objective and bound known then (NaN: none)."""

    time_s: float
    objective: float
    bound: float


class Shown:
    """What answers to questions have in common: they show themselves as the command line does."""

    def __str__(self) -> str:
        """Return the tables that the command line prints, 100 columns wide."""
        from hetopt import view_text

        return view_text(self)

    def _repr_html_(self) -> str:
        """Show the same in a notebook."""
        return f"<pre>{html.escape(str(self))}</pre>"


@dataclass(frozen=True)
class Solution(Shown):
    """What ``solve`` returns.

    Attributes
    ----------
    status
        What is known: ``optimal`` (gap ≤ ``GAP_TOLERANCE``, proven), ``feasible``, ``infeasible``
        (proven), ``unknown``.
    termination
        Why the search stopped.
    objective_names, objectives, bounds
        One entry per level of a lexicographic objective; NaN where unknown. The bound of a level
        is valid given that the earlier levels are held at their incumbent values.
    verified
        Whether the independent checker accepted the plan (always True where there is a plan).
    quantities
        Every quantity of the plan that ``evaluate`` computes, by name.
    method, method_asked
        What produced the plan (``heft``, ``anneal``, ``reclaim``, ``cpsat``, ``mip``, ``start``,
        ...; without a plan, what looked for one), and what was asked for (``auto``, ...).
    history
        Improvements of the first objective: neither plan nor bound ever gets worse, and the last
        entry is what the solution says.
    marginal
        Steady regime, ``split``: what one more W, unit, request/s ... is worth (docs/steady.md).
    proof
        How often an optimum or infeasibility was proved that rests on the word of CP-SAT or a MIP
        solver alone: ``twice`` by solves of two kinds, or ``once``, where the second did not end in
        time. None where nothing is proved, or by something else (bounds, prices of a relaxation,
        structure).
    instance
        What was solved, with the objective that was asked for.
    """

    status: Status
    termination: Termination
    objective_names: tuple[str, ...]
    objectives: tuple[float, ...]
    bounds: tuple[float, ...]
    plan: Plan | None
    method: str
    wall_time_s: float | None
    verified: bool
    seed: int
    version: str
    quantities: dict[str, Any] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""
    marginal: dict[str, Any] | None = None
    method_asked: str = ""
    proof: Proof | None = None
    instance: Instance | None = field(default=None, repr=False, compare=False)

    @property
    def objective(self) -> float:
        """Objective of the first level, NaN where there is no plan."""
        return self.objectives[0] if self.objectives else np.nan

    @property
    def bound(self) -> float:
        """Proven bound of the first level, NaN where there is none."""
        return self.bounds[0] if self.bounds else np.nan

    @property
    def gaps(self) -> tuple[float, ...]:
        """Relative gap of each level, NaN where a side is missing."""
        return tuple(relative_gap(o, b) for o, b in zip(self.objectives, self.bounds, strict=True))

    @property
    def gap(self) -> float:
        """Relative gap of the first level."""
        return self.gaps[0] if self.objectives else np.nan

    def to_frame(self) -> pd.DataFrame:
        """Return the plan as a data frame.

        Returns
        -------
        DataFrame
            Of a schedule one row per task: ``task``, ``unit`` (``npu#0``), ``option`` (label),
            ``start_s``, ``end_s`` in seconds. Of streams one row per task of a route: ``scenario``
            (where the instance has some), ``route`` (a number), ``rate_per_s`` (of the route),
            ``job``, ``task``, ``device``, ``unit`` (None where the plan names none), ``option``.

        Raises
        ------
        InputError
            If there is no plan.
        """
        from hetopt import plan_frame

        return plan_frame(self._known_instance(), self._known_plan())

    def save(self, path: str | Path) -> None:
        """Write the result and its plan: a JSON file, or a folder of tables (no extension).

        Raises
        ------
        InputError
            If the place cannot be written to.
        """
        from hetopt import write_solution

        write_solution(path, self._known_instance(), self)

    @classmethod
    def load(cls, path: str | Path, instance: Instance) -> Solution:
        """Read what :meth:`save` or ``hetopt solve -o`` wrote, and check its plan anew.

        Raises
        ------
        InputError
            If the file is no result of this instance.
        """
        from hetopt import read_solution

        return read_solution(path, instance)

    def report(self, path: str | Path) -> None:
        """Write one page about the answer, its proof and the plan, that reads offline.

        Raises
        ------
        InputError
            If there is no plan, or the place cannot be written to.
        """
        from hetopt import write_report

        write_report(path, self._known_instance(), self)

    def _repr_html_(self) -> str:
        """Show status, value and proof as a small table (notebooks)."""
        levels = zip(self.objective_names, self.objectives, self.bounds, self.gaps, strict=True)
        rows = [("status", f"{self.status} ({self.termination})"), ("method", self.method)]
        for name, value, bound, gap in levels:
            rows += [(name, f"{value:.6g}"), ("bound", f"{bound:.6g}"), ("gap", f"{gap:.2%}")]
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<table>{cells}</table>"

    def _known_instance(self) -> Instance:
        if self.instance is None:
            raise InputError("This solution does not say what instance it is of.")
        return self.instance

    def _known_plan(self) -> Plan:
        if self.plan is None:
            raise InputError(f"The solution holds no plan (status {self.status}).")
        return self.plan


def contradictions(solution: Solution) -> list[str]:
    """Return the notes that say of a proof that a checked plan refuted it, empty where none was."""
    return [note for note in solution.notes if CONTRADICTED in note]


def relative_gap(objective: float, bound: float) -> float:
    """|objective - bound| / max(|objective|, tiny); at most ``GAP_TOLERANCE`` counts as 0."""
    if np.isnan(objective) or np.isnan(bound):
        return np.nan
    # Plain floats say inf to what overflows, without a warning.
    gap = abs(float(objective) - float(bound)) / max(abs(float(objective)), sys.float_info.min)
    return 0.0 if gap <= GAP_TOLERANCE else float(gap)
