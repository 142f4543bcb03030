"""The instance: a platform, a workload, limits and an objective as frozen NumPy columns.

Every solver, bound, heuristic and checker sees these columns and nothing else. All quantities
are SI (s, J, W, B, B/s); every name carries its unit. References between tables are integer
indices; "one to many" is CSR (``ptr`` of length n + 1 into a flat column).

Sizes used in the docstrings: D devices, P memory pools, L links, R profiles, O options,
K resources, T tasks, N tensors, E edges, J jobs, G sites; S shares of kinds, or scenarios.

Periodic jobs are unrolled before the columns are made (:mod:`hetopt.compile.periodic`), so a
solver only ever meets jobs that run once (schedule regime) or streams (steady regime).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hetopt.instance.dtypes import Bools, Ints
from hetopt.instance.grouping import ptr_of
from hetopt.instance.states.investment import discount_factors
from hetopt.instance.tables import (
    Boards,
    Devices,
    Edges,
    Groups,
    Jobs,
    KindShares,
    Limits,
    Links,
    Options,
    Periods,
    Pools,
    Profiles,
    Resources,
    Scenarios,
    Setups,
    Sites,
    TaskClasses,
    Tasks,
    Tensors,
    Uses,
)

if TYPE_CHECKING:
    pass

Regime = Literal["schedule", "steady"]
Routing = Literal["split", "single"]

_WRITTEN = "_written"


PERIOD_LIMITS = ("energy_price_per_j", "carbon_kg_per_j", "power_cap_w")
"""What a period may state instead of the instance."""

READ_AS = "Read as a file of the format "
"""Begin of the source of instances whose files have no units: their numbers are as published."""


@dataclass(frozen=True)
class Instance:
    """Platform, workload, limits and objective of one problem.

    Attributes
    ----------
    objective
        Names in order of priority (lexicographic where more than one).
    routing
        Steady regime: ``split`` or ``single``.
    host
        Index of the device that staged tensors are written to, -1 where none is named.
    together, apart
        Groups of tasks that must share one unit, or must all be on different units.
    model_keys
        Names of the weights keys, ``(model, variant)``.
    source
        What a reader must know of how it was read: sentences, such as the foreign file format.
    left_out
        The repetitions of periodic jobs that a horizon cut off: a sentence.
    """

    name: str
    regime: Regime
    devices: Devices
    boards: Boards
    pools: Pools
    sites: Sites
    links: Links
    setups: Setups
    profiles: Profiles
    options: Options
    resources: Resources
    uses: Uses
    tasks: Tasks
    tensors: Tensors
    edges: Edges
    jobs: Jobs
    scenarios: Scenarios
    periods: Periods
    together: Groups
    apart: Groups
    kind_shares: KindShares
    limits: Limits
    objective: tuple[str, ...]
    routing: Routing = "split"
    host: int = -1
    allow_mixed_scopes: bool = False
    model_keys: tuple[tuple[str, str], ...] = ()
    currency: str = ""
    description: str = field(default="", compare=False)
    source: str = field(default="", compare=False)
    left_out: str = field(default="", compare=False)

    @property
    def written(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Tables and settings that the instance was made of; None once it was changed.

        Not a field, so that :func:`dataclasses.replace` leaves it behind: of a changed instance
        it would say something else than the columns.
        """
        found: tuple[Mapping[str, Any], Mapping[str, Any]] | None
        found = self.__dict__.get(_WRITTEN)
        return found

    def remember_written(self, frames: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """Keep what the instance was made of, for :func:`hetopt.compile.set_values.set_values`."""
        self.__dict__[_WRITTEN] = (frames, settings)

    @property
    def unitless(self) -> bool:
        """Whether its file had numbers without units, which are compared as they stand."""
        return self.source.startswith(READ_AS)

    def forget_written(self) -> None:
        """Let go of the tables, which of a large instance take much memory."""
        self.__dict__.pop(_WRITTEN, None)

    def read_from(self, source: str) -> Instance:
        """Return the instance with what is to be known of how it was read."""
        if source == self.source:
            return self
        named = replace(self, source=source)
        if self.written is not None:
            named.remember_written(*self.written)
        return named

    def __getstate__(self) -> dict[str, Any]:
        """Leave the tables out of what goes to another process."""
        return {name: value for name, value in self.__dict__.items() if name != _WRITTEN}

    @cached_property
    def derived(self) -> dict[str, Any]:
        """What was computed from the columns, by the name of what made it.

        :func:`hetopt.instance.derived.once` keeps it here.
        """
        return {}

    @cached_property
    def classes(self) -> TaskClasses:
        """Tasks that may use the same options, found without looking at options task by task."""
        return _task_classes(self)

    @cached_property
    def admissible(self) -> tuple[Ints, Ints]:
        """CSR (ptr of length T + 1, option indices): the options each task may use.

        Pins, forbids and allowed sites are applied; nothing else is. Ordered by option index
        within a task. It has a row for each task and option; :attr:`classes` says the same in far
        fewer.
        """
        classes = self.classes
        size = np.diff(classes.ptr)[classes.member]
        ptr = ptr_of(size)
        at = np.arange(ptr[-1]) + np.repeat(classes.ptr[classes.member] - ptr[:-1], size)
        return ptr, classes.option[at]

    def task_options(self, task: int) -> Ints:
        """Option indices that ``task`` may use."""
        ptr, option = self.admissible
        return option[ptr[task] : ptr[task + 1]]

    @cached_property
    def successors(self) -> tuple[Ints, Ints]:
        """CSR (ptr of length T + 1, edge indices) of the edges that leave each task."""
        return _group(self.edges.src, len(self.tasks))

    @cached_property
    def predecessors(self) -> tuple[Ints, Ints]:
        """CSR (ptr of length T + 1, edge indices) of the edges that enter each task."""
        return _group(self.edges.dst, len(self.tasks))

    @cached_property
    def consumers(self) -> tuple[Ints, Ints]:
        """CSR (ptr of length N + 1, edge indices) of the edges that read each tensor."""
        message = np.flatnonzero(self.edges.tensor >= 0)
        ptr, order = _group(self.edges.tensor[message], len(self.tensors))
        return ptr, message[order]

    @cached_property
    def job_tasks(self) -> tuple[Ints, Ints]:
        """CSR (ptr of length J + 1, task indices) of the tasks of each job."""
        return _group(self.tasks.job, len(self.jobs))

    @cached_property
    def topological_order(self) -> Ints:
        """Task indices, every task after all that it waits for; ties by index (length T)."""
        from hetopt.instance.graph import topological_order

        order, _ = topological_order(len(self.tasks), self.edges.src, self.edges.dst)
        return order

    @property
    def when(self) -> str:
        """What its demands at different times are called, one of them: scenario or period."""
        return "period" if len(self.periods) else "scenario"

    def in_scenario(self, scenario: int) -> Instance:
        """Return the instance with the demand of one scenario alone, and without the budget.

        The budget caps the mean cost of all scenarios; every other limit holds in each. A period
        has prices and a power cap of its own; what ties it to others is left out. Where units are
        bought over time, energy costs what it counts when discounted, and units had cost nothing:
        what they cost depends on when they are bought (:mod:`hetopt.instance.states.investment`).
        """
        limits = replace(self.limits, budget_per_s=np.inf)
        for name in PERIOD_LIMITS if len(self.periods) else ():
            own = float(getattr(self.periods, name)[scenario])
            changes: dict[str, Any] = {} if np.isnan(own) else {name: own}
            limits = replace(limits, **changes)
        devices, sites = self.devices, self.sites
        if self.periods.invest:
            counts = float(discount_factors(self.periods, self.scenarios.weight)[scenario])
            limits = replace(limits, energy_price_per_j=limits.energy_price_per_j * counts)
            sites = replace(sites, energy_price_per_j=sites.energy_price_per_j * counts)
            devices = replace(devices, price_per_s=np.zeros(len(devices)))
        return replace(
            self,
            devices=devices,
            sites=sites,
            jobs=replace(self.jobs, rate_per_s=self.scenarios.rate_per_s[scenario]),
            scenarios=self.scenarios.head(0),
            periods=Periods.none(),
            limits=limits,
        )

    def unit_name(self, device: int, unit: int) -> str:
        """Name of a unit as plans write it: ``npu#0``."""
        return f"{self.devices.name[device]}#{unit}"

    def with_objective(self, *names: str) -> Instance:
        """Return a copy that asks for another objective, or several in order of priority."""
        return replace(self, objective=names)

    def with_limits(self, **changes: Any) -> Instance:
        """Return a copy with some limits changed (SI values)."""
        return replace(self, limits=replace(self.limits, **changes))

    def with_cells(self, table: str, rows: Any, **values: Any) -> Instance:
        """Return a copy with other values in some rows of some columns of a table."""
        old = getattr(self, table)
        columns = {name: getattr(old, name).copy() for name in values}
        for name, value in values.items():
            columns[name][rows] = value
        changed: dict[str, Any] = {table: replace(old, **columns)}
        return replace(self, **changed)


def _group(keys: Ints, n: int) -> tuple[Ints, Ints]:
    ptr = ptr_of(np.bincount(keys, minlength=n))
    return ptr.astype(np.int64), np.argsort(keys, kind="stable").astype(np.int64)


def _task_classes(instance: Instance) -> TaskClasses:
    tasks, wide = instance.tasks, len(instance.devices)
    key = tasks.profile * (wide + 1) + tasks.pin_device + 1
    bans = _forbidden_sets(instance)
    if bans is not None:
        key = key * (int(bans.max()) + 1) + bans
    placed = _site_sets(instance)
    if placed is not None:
        key = key * len(placed[1]) + placed[0]
    _, first, member = np.unique(key, return_index=True, return_inverse=True)
    start = instance.profiles.ptr[tasks.profile[first]]
    size = instance.profiles.ptr[tasks.profile[first] + 1] - start
    ptr = ptr_of(size)
    owner = np.repeat(np.arange(len(first)), size)
    option = np.arange(ptr[-1]) + np.repeat(start - ptr[:-1], size)
    device, pin = instance.options.device[option], tasks.pin_device[first][owner]
    keep = (pin < 0) | (pin == device)
    if bans is not None:
        banned = np.unique(tasks.forbid_task * wide + tasks.forbid_device)
        keep &= ~np.isin(first[owner] * wide + device, banned)
    if placed is not None:
        keep &= placed[1][placed[0][first][owner], device]
    if not keep.all():
        kept = np.bincount(owner[keep], minlength=len(first))
        ptr, option = ptr_of(kept), option[keep]
    return TaskClasses(member.reshape(-1).astype(np.int64), ptr, option)


def _site_sets(instance: Instance) -> tuple[Ints, Bools] | None:
    """Return each task's set of allowed sites (0: all) and the devices there (sets × D)."""
    tasks = instance.tasks
    if not len(tasks.site_task):
        return None
    listed, row = np.unique(tasks.site_task, return_inverse=True)
    allowed = np.zeros((len(listed), len(instance.sites)), dtype=bool)
    allowed[row, tasks.site_site] = True
    _, first, number = np.unique(
        np.packbits(allowed, axis=1), axis=0, return_index=True, return_inverse=True
    )
    found = np.zeros(len(tasks), dtype=np.int64)
    found[listed] = number.reshape(-1) + 1
    # A device at no site is at none that is allowed.
    known = np.append(allowed[first], np.zeros((len(first), 1), dtype=bool), axis=1)
    everywhere = np.ones((1, len(instance.devices)), dtype=bool)
    return found, np.concatenate([everywhere, known[:, instance.devices.site]])


def _forbidden_sets(instance: Instance) -> Ints | None:
    """Return the number of each task's set of forbidden devices (0: none); None: all have 0."""
    tasks, wide = instance.tasks, len(instance.devices)
    if not len(tasks.forbid_task):
        return None
    banned, row = np.unique(tasks.forbid_task, return_inverse=True)
    sets = np.zeros((len(banned), wide), dtype=bool)
    sets[row, tasks.forbid_device] = True
    _, number = np.unique(np.packbits(sets, axis=1), axis=0, return_inverse=True)
    found = np.zeros(len(tasks), dtype=np.int64)
    found[banned] = number.reshape(-1) + 1
    return found
