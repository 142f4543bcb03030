"""The instance: a platform, a workload, limits and an objective as frozen NumPy columns.

Every solver, bound, heuristic and checker sees these columns and nothing else. All quantities
are SI (s, J, W, B, B/s); every name carries its unit. References between tables are integer
indices; "one to many" is CSR (``ptr`` of length n + 1 into a flat column).

Sizes used in the docstrings: D devices, P memory pools, L links, R profiles, O options,
K resources, T tasks, N tensors, E edges, J jobs, G sites; S shares of kinds, or scenarios.

Periodic jobs are unrolled before the columns are made (``frames.unroll``), so a solver only ever
meets jobs that run once (schedule regime) or streams (steady regime).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Strings = NDArray[Any]
"""A column of text: NumPy's variable-width ``StringDType``, no Python object per row."""

Regime = Literal["schedule", "steady"]
Routing = Literal["split", "single"]

SHARES_OF = ("units", "price")
DeviceKind = Literal["cpu", "gpu", "npu", "fpga", "tpu", "dsp", "mcu", "other"]
"""Kinds of processor."""
KINDS: tuple[DeviceKind, ...] = get_args(DeviceKind)
ObjectiveName = Literal[
    "energy",
    "makespan",
    "cost",
    "carbon",
    "tardiness",
    "peak_power",
    "accuracy",
    "throughput",
    "power",
]
"""Names of objectives of both regimes; the two tuples say which regime has which."""
SCHEDULE_OBJECTIVES: tuple[ObjectiveName, ...] = (
    "energy",
    "makespan",
    "cost",
    "carbon",
    "tardiness",
    "peak_power",
    "accuracy",
)
STEADY_OBJECTIVES: tuple[ObjectiveName, ...] = ("throughput", "power", "cost", "carbon", "accuracy")
MAXIMISED = ("throughput", "accuracy")
NO_MAXIMUM = -1


@dataclass(frozen=True, slots=True)
class Devices:
    """Types of processor, length D; a device stands for ``count`` identical units.

    ``count_max`` is ``NO_MAXIMUM`` (-1) where a range has no upper end (steady regime only).
    A fixed count has ``count_min == count_max``. ``memory_b`` is inf where unlimited, ``pool`` -1
    where the device is in no memory pool. ``price_per_s`` is money per second of a unit *had*.
    ``idle_known`` is False where the source of the figures states no idle power (then
    ``idle_power_w`` is 0 and option energies are whole energies). ``scope`` says what the power
    meter covered (wall, board, gpu, ...), empty where not stated. ``spare`` units (steady regime)
    are had beyond those that serve, wherever the device serves at all. ``site`` is -1 where the
    device is at none.
    """

    name: Strings
    kind: Strings
    count_min: Ints
    count_max: Ints
    spare: Ints
    slots: Ints
    memory_b: Floats
    pool: Ints
    idle_power_w: Floats
    idle_known: Bools
    max_utilization: Floats
    reserved: Floats
    off_when_unused: Bools
    exclusive: Bools
    overlap: Bools
    price_per_s: Floats
    site: Ints
    scope: Strings
    preview: Bools
    source: Strings
    caution: Strings

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Pools:
    """Memory capacities shared by the units of several devices, length P.

    In a ``zero_copy`` pool a message between any two units of the pool's devices takes no time,
    no energy and no channel, and makes no copy: the output itself stays held, on the producer's
    unit, until the last of these consumers ends.
    """

    name: Strings
    memory_b: Floats
    zero_copy: Bools

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Sites:
    """Places where devices stand, length G: on the device, at the edge, in the cloud.

    What a joule costs and emits there, and its PUE; NaN where the site does not state it and the
    instance's own figure holds (:mod:`hetopt.instance.joule_prices`).
    """

    name: Strings
    energy_price_per_j: Floats
    carbon_kg_per_j: Floats
    pue: Floats

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Links:
    """One-way links between devices, length L, in file order; ``both_ways`` is already expanded.

    ``src == dst`` joins the units of one device. ``bandwidth_b_per_s`` may be inf.
    ``channel_group`` is the index of the group whose channels a hop on this link holds (links of
    one bus share a group), -1 where there is no contention; ``group_channels[g]`` is the number of
    hops that group g carries at once. ``per_unit`` (steady) multiplies capacity by units on.
    """

    src: Ints
    dst: Ints
    bandwidth_b_per_s: Floats
    latency_s: Floats
    energy_j_per_b: Floats
    channel_group: Ints
    group_channels: Ints
    bus: Strings
    per_unit: Bools

    def __len__(self) -> int:
        return len(self.src)


@dataclass(frozen=True, slots=True)
class Profiles:
    """Named sets of options: options ``ptr[r]`` to ``ptr[r + 1]`` belong to profile r."""

    name: Strings
    ptr: Ints

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Options:
    """Ways to run a task, length O, grouped by profile.

    ``time_s`` and ``energy_j`` (above idle) are per execution with ``work`` 1. ``memory_b`` is
    working memory while running. ``weights_key`` indexes (model, variant) pairs, -1 where the
    option needs no weights; equal keys have equal ``weights_b`` and are resident once per unit.
    ``accuracy`` and ``latency_s`` are NaN where not stated. (device, label) is unique within a
    profile.
    """

    device: Ints
    label: Strings
    time_s: Floats
    energy_j: Floats
    memory_b: Floats
    weights_b: Floats
    weights_key: Ints
    accuracy: Floats
    batch: Ints
    latency_s: Floats
    estimated: Bools
    preview: Bools
    source: Strings

    def __len__(self) -> int:
        return len(self.device)


@dataclass(frozen=True, slots=True)
class Resources:
    """What options use beside their unit, length K: host bandwidth, licences, requests, ...

    ``capacity`` is renewable: the amounts of running options never exceed it together (in the
    steady regime: on average). ``budget`` is not: the amounts of all executions together do not
    exceed it (in the steady regime: per second). Each is inf where there is no such limit. All
    are plain numbers in a unit of the resource's own.
    """

    name: Strings
    capacity: Floats
    budget: Floats

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Uses:
    """What options use of resources: rows ``ptr[o]`` to ``ptr[o + 1]`` belong to option o.

    ``amount`` > 0 is used of the resource's capacity while the option runs (not while it takes no
    time), and of its budget once per execution; ``work`` scales neither. Rows of one option are
    ordered by resource, each at most once.
    """

    ptr: Ints
    resource: Ints
    amount: Floats

    def __len__(self) -> int:
        return len(self.resource)

    def of(self, option: int) -> list[tuple[int, float]]:
        """Resources and amounts of one option."""
        rows = slice(int(self.ptr[option]), int(self.ptr[option + 1]))
        return list(zip(self.resource[rows].tolist(), self.amount[rows].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Tasks:
    """Pieces of work, length T: ``profile`` × ``work``, part of ``job``.

    ``pin_device`` is the only device allowed, -1 where free; ``pin_unit`` the only unit of it,
    -1 where free. ``forbid_task``/``forbid_device`` are parallel: pairs that are not allowed.
    ``backward`` tasks are not part of the stages of a contiguous job.
    ``site_task``/``site_site`` are parallel: sites where a task may run; one without any is free.
    """

    name: Strings
    profile: Ints
    work: Floats
    job: Ints
    pin_device: Ints
    pin_unit: Ints
    forbid_task: Ints
    forbid_device: Ints
    backward: Bools
    site_task: Ints
    site_site: Ints

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Tensors:
    """Outputs that travel, length N: one producer and one size each.

    A message with its own bytes and no tensor name is a tensor with exactly one consumer edge, so
    every message edge has a tensor. ``name`` is empty for those. Edges of one tensor share one
    transfer and one copy per destination unit. ``staged`` tensors are written once to the
    instance's host device and read from there once per destination unit.
    """

    name: Strings
    producer: Ints
    bytes_b: Floats
    staged: Bools

    def __len__(self) -> int:
        return len(self.producer)


@dataclass(frozen=True, slots=True)
class Edges:
    """Directed edges between tasks, length E; ``tensor`` is -1 for pure precedence."""

    src: Ints
    dst: Ints
    tensor: Ints

    def __len__(self) -> int:
        return len(self.src)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Graphs of tasks that share times, rate and weight, length J.

    Times are absolute seconds; ``deadline_s``, ``due_s`` and ``latency_slo_s`` are inf where there
    is none. ``rate_per_s`` is the demanded request rate (steady; NaN in the schedule regime): the
    given rate, or share × the instance's demand (1 request/s where none is given).
    ``min_accuracy`` is 0 where there is none. ``slices`` (steady, ``split``) is the number of equal
    parts of the job's requests, each of which takes one route whole; 0 where rates are divided
    freely. ``contiguous`` (single routing): the units that run the job's tasks, ``backward`` ones
    aside, can be put in an order along which no edge goes back.
    """

    name: Strings
    release_s: Floats
    deadline_s: Floats
    due_s: Floats
    weight: Floats
    rate_per_s: Floats
    latency_slo_s: Floats
    min_accuracy: Floats
    slices: Ints
    contiguous: Bools

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class KindShares:
    """Limits on the share of one kind of device in the fleet (steady, split), length S.

    ``least`` ≤ share ≤ ``most``. The share is of units on where ``of`` is ``units``, of the price
    of units had where it is ``price``; a fleet of nothing keeps every limit.
    """

    kind: Strings
    least: Floats
    most: Floats
    of: Strings

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Demands that one fleet serves at different times (steady, ``split``), length S; often 0.

    Units *had* are the same in all scenarios; units on and routes are those of each. ``weight`` is
    the scenario's part of the time (weights need not sum to 1); ``rate_per_s`` (S × J) the rate of
    each job in it, ``demand`` × the job's own where none was given for it. A rate of 0 asks for
    nothing of the job.
    """

    name: Strings
    weight: Floats
    demand: Floats
    rate_per_s: Floats

    def __len__(self) -> int:
        return len(self.name)

    @property
    def share(self) -> Floats:
        """Weights that sum to 1."""
        share: Floats = self.weight / self.weight.sum()
        return share

    def head(self, count: int) -> Scenarios:
        """Return the first scenarios."""
        kept = slice(0, count)
        return Scenarios(
            self.name[kept], self.weight[kept], self.demand[kept], self.rate_per_s[kept]
        )


@dataclass(frozen=True, slots=True)
class TaskClasses:
    """Tasks with the same profile, pin, forbidden devices and allowed sites: K classes.

    ``member`` (T) is the class of each task; class k may use ``option[ptr[k]:ptr[k + 1]]``, in
    order of option index.
    """

    member: Ints
    ptr: Ints
    option: Ints

    def __len__(self) -> int:
        return len(self.ptr) - 1


@dataclass(frozen=True, slots=True)
class Groups:
    """Placement groups: group g holds tasks ``task[ptr[g]:ptr[g + 1]]``."""

    ptr: Ints
    task: Ints

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __iter__(self) -> Any:
        for g in range(len(self)):
            yield self.task[self.ptr[g] : self.ptr[g + 1]]


@dataclass(frozen=True, slots=True)
class Series:
    """A quantity that is constant between changes: ``value[k]`` from ``from_s[k]`` on.

    ``from_s`` begins at 0 and increases; the last value holds for ever. There are at least two
    pieces, and neighbours differ (a constant is a plain number).
    """

    from_s: tuple[float, ...]
    value: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits and prices of the whole instance.

    ``horizon_s``, ``power_cap_w`` and ``budget_per_s`` (a cap on ``cost``, steady) are inf where
    there is none. ``energy_price_per_j`` and ``carbon_kg_per_j`` are 0 where not given; where they
    change over time (schedule regime) ``energy_price_over_time`` and ``carbon_over_time`` hold
    them, and the plain number is the least of them. ``demand_known`` is False where only shares
    were given, so that rates mean nothing but their ratios and only throughput can be asked for.
    """

    horizon_s: float = np.inf
    power_cap_w: float = np.inf
    budget_per_s: float = np.inf
    energy_price_per_j: float = 0.0
    carbon_kg_per_j: float = 0.0
    energy_price_over_time: Series | None = None
    carbon_over_time: Series | None = None
    pue: float = 1.0
    demand_known: bool = True


_WRITTEN = "_written"


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
    """

    name: str
    regime: Regime
    devices: Devices
    pools: Pools
    sites: Sites
    links: Links
    profiles: Profiles
    options: Options
    resources: Resources
    uses: Uses
    tasks: Tasks
    tensors: Tensors
    edges: Edges
    jobs: Jobs
    scenarios: Scenarios
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

    @property
    def written(self) -> tuple[Mapping[str, pd.DataFrame], Mapping[str, Any]] | None:
        """Tables and settings that the instance was made of; None once it was changed.

        Not a field, so that :func:`dataclasses.replace` leaves it behind: of a changed instance
        it would say something else than the columns.
        """
        found: tuple[Mapping[str, pd.DataFrame], Mapping[str, Any]] | None
        found = self.__dict__.get(_WRITTEN)
        return found

    def remember_written(
        self, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]
    ) -> None:
        """Keep what the instance was made of, for :func:`hetopt.set_values.set_values`."""
        self.__dict__[_WRITTEN] = (frames, settings)

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

    @classmethod
    def from_frames(
        cls, frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any] | None = None
    ) -> Instance:
        """Build an instance from pandas tables; see :func:`hetopt.frames.from_frames`."""
        from hetopt.frames import from_frames

        return from_frames(frames, settings or {})

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables that :meth:`from_frames` takes (periodic jobs stay unrolled)."""
        from hetopt.frames import to_frames

        return to_frames(self)

    def settings(self) -> dict[str, Any]:
        """Return the settings that :meth:`from_frames` takes beside the tables."""
        from hetopt.frames import to_settings

        return to_settings(self)

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
        ptr = np.concatenate([[0], np.cumsum(size)])
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

    def in_scenario(self, scenario: int) -> Instance:
        """Return the instance with the demand of one scenario alone, and without the budget.

        The budget caps the mean cost of all scenarios; every other limit holds in each.
        """
        return replace(
            self,
            jobs=replace(self.jobs, rate_per_s=self.scenarios.rate_per_s[scenario]),
            scenarios=self.scenarios.head(0),
            limits=replace(self.limits, budget_per_s=np.inf),
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


def is_maximised(objective: str) -> bool:
    """Whether more of ``objective`` is better."""
    return objective in MAXIMISED


def _group(keys: Ints, n: int) -> tuple[Ints, Ints]:
    ptr = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n))])
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
    ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
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
        ptr, option = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64), option[keep]
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
