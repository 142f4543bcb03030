"""The tables of an instance: frozen columns of one length each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from hetopt.instance.dtypes import Bools, Floats, Ints, Strings

SHARES_OF = ("units", "price")
SHARING = ("forbid", "slow")
"""What happens where options ask for more than a resource has."""
DeviceKind = Literal["cpu", "gpu", "npu", "fpga", "tpu", "dsp", "mcu", "other"]
"""Kinds of processor."""
KINDS: tuple[DeviceKind, ...] = get_args(DeviceKind)
NO_MAXIMUM = -1
WHEN = ("scenario", "period")
"""Fields that say in which scenario or period a row of a table is."""

NO_MOST = -1
"""``max_changes`` where there is no limit."""


class Table:
    """Columns of one length; the first one tells it."""

    __slots__: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(getattr(self, self.__slots__[0]))

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any], **other: Any) -> Self:
        """Return the table with other columns, and for the rest those of its names among cells."""
        make: Any = cls
        found: Self = make(**{n: cells[n] for n in cls.__slots__ if n not in other}, **other)
        return found


@dataclass(frozen=True, slots=True)
class Devices(Table):
    """Types of processor, length D; a device stands for ``count`` identical units.

    ``count_max`` is ``NO_MAXIMUM`` (-1) where a range has no upper end (steady regime only). A
    fixed count has ``count_min == count_max``. ``memory_b`` is inf where unlimited, ``pool`` -1
    where the device is in no memory pool. ``price_per_s`` is money per second of a unit
    *provisioned*, ``purchase_price`` what one was bought for (NaN where it was not), which is in no
    cost itself. ``idle_known`` is False where the source of the figures states no idle power (then
    ``idle_power_w`` is 0 and option energies are whole energies). ``scope`` says what the power
    meter covered (wall, board, gpu, ...), empty where not stated. ``spare`` units (steady regime)
    are provisioned beyond those that serve, wherever the device serves at all. ``site`` is -1 where
    the device is at none. ``start_up_*`` is what a unit that goes on takes (energy above idle);
    ``sleep_power_w`` is NaN where a unit does not sleep in gaps. ``load_*`` is what loading weights
    onto a unit takes. ``setup_time_s`` and ``setup_energy_j`` are of each set-up from one
    configuration to another, 0 where none counts or ``Setups`` has rows for pairs;
    ``initial_configuration`` is what each unit has loaded at first, empty where the first set-up is
    free (:mod:`hetopt.instance.states.setups`).
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
    min_load: Floats
    reserved: Floats
    off_when_unused: Bools
    start_up_time_s: Floats
    start_up_energy_j: Floats
    start_up_cost: Floats
    sleep_power_w: Floats
    wake_time_s: Floats
    wake_energy_j: Floats
    load_time_s: Floats
    load_energy_j_per_b: Floats
    setup_time_s: Floats
    setup_energy_j: Floats
    initial_configuration: Strings
    exclusive: Bools
    overlap: Bools
    price_per_s: Floats
    purchase_price: Floats
    site: Ints
    scope: Strings
    preview: Bools
    source: Strings
    caution: Strings
    board: Strings
    on_board: Ints


@dataclass(frozen=True, slots=True)
class Boards(Table):
    """What carries units of devices and draws its idle power once for all, length B; often 0.

    Units of a device on a board are spread over its ``count``: the numbers of units are multiples
    of the numbers of boards, ``per_board`` (D; 0 for devices on none) for each, and unit i stands
    on board i // ``per_board``. A board is on if any unit on it is. Other columns are as of
    devices.
    """

    name: Strings
    count_min: Ints
    count_max: Ints
    idle_power_w: Floats
    off_when_unused: Bools
    price_per_s: Floats
    start_up_time_s: Floats
    start_up_energy_j: Floats
    start_up_cost: Floats
    sleep_power_w: Floats
    wake_time_s: Floats
    wake_energy_j: Floats
    per_board: Ints

    @staticmethod
    def none(devices: int) -> Boards:
        """Return no boards, for so many devices."""
        ints, floats = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Boards(
            name=np.zeros(0, dtype=np.dtypes.StringDType()),
            count_min=ints,
            count_max=ints,
            idle_power_w=floats,
            off_when_unused=np.zeros(0, dtype=bool),
            price_per_s=floats,
            start_up_time_s=floats,
            start_up_energy_j=floats,
            start_up_cost=floats,
            sleep_power_w=floats,
            wake_time_s=floats,
            wake_energy_j=floats,
            per_board=np.zeros(devices, dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Pools(Table):
    """Memory capacities shared by the units of several devices, length P.

    In a ``zero_copy`` pool a message between any two units of the pool's devices takes no time,
    no energy and no channel, and makes no copy: the output itself stays held, on the producer's
    unit, until the last of these consumers ends.
    """

    name: Strings
    memory_b: Floats
    zero_copy: Bools


@dataclass(frozen=True, slots=True)
class Sites(Table):
    """Places where devices stand, length G: on the device, at the edge, in the cloud.

    What a joule costs and emits there, and its PUE; NaN where the site does not state it and the
    instance's own figure holds (:mod:`hetopt.instance.joule_prices`).
    """

    name: Strings
    energy_price_per_j: Floats
    carbon_kg_per_j: Floats
    pue: Floats


@dataclass(frozen=True, slots=True)
class Setups(Table):
    """Set-ups of a device from one configuration to another, each pair at most once.

    A device has rows or a ``setup_time_s`` of its own, not both; a pair without a row takes
    nothing.
    """

    device: Ints
    source: Strings
    target: Strings
    time_s: Floats
    energy_j: Floats


@dataclass(frozen=True, slots=True)
class Links(Table):
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


@dataclass(frozen=True, slots=True)
class Profiles(Table):
    """Named sets of options: options ``ptr[r]`` to ``ptr[r + 1]`` belong to profile r."""

    name: Strings
    ptr: Ints


@dataclass(frozen=True, slots=True)
class Options(Table):
    """Ways to run a task, length O, grouped by profile.

    ``time_s`` and ``energy_j`` (above idle) are per execution with ``work`` 1. ``memory_b`` is
    working memory while running. ``weights_key`` indexes (model, variant) pairs, -1 where the
    option needs no weights; equal keys have equal ``weights_b`` and are resident once per unit.
    ``accuracy`` and ``latency_s`` are NaN where not stated. (device, label) is unique within a
    profile. ``time_low_s`` ≤ ``time_s`` ≤ ``time_high_s``, and the same of energies, hold the share
    ``interval`` of outcomes, half of the others on either side; NaN where no interval is stated.
    Plans, evaluation and checker know ``time_s`` and ``energy_j`` alone; what lies around them is
    for :mod:`hetopt.instance.robust` and for simulation. ``configuration`` is what the unit must
    have loaded, empty where it may be anything.
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
    configuration: Strings
    estimated: Bools
    time_low_s: Floats
    time_high_s: Floats
    energy_low_j: Floats
    energy_high_j: Floats
    interval: Floats
    preview: Bools
    source: Strings


@dataclass(frozen=True, slots=True)
class Resources(Table):
    """What options use beside their unit, length K: host bandwidth, licences, requests, ...

    ``capacity`` is renewable: the amounts of running options never exceed it together (in the
    steady regime: on average). ``budget`` is not: the amounts of all executions together do not
    exceed it (in the steady regime: per second). Each is inf where there is no such limit. All
    are plain numbers in a unit of the resource's own.

    Where ``sharing`` is ``slow``, amounts are demands at full speed, each at most the capacity:
    what runs at once may ask for more together, and is slowed. Whatever runs while two or more
    use the resource progresses by the part ``loss`` (< 1) less still. ``board`` is the kind of
    board, each of which has such a capacity of its own; -1 where there is one for all.
    """

    name: Strings
    capacity: Floats
    budget: Floats
    sharing: Strings
    loss: Floats
    board: Ints

    @property
    def slow(self) -> Bools:
        """Whether each slows what runs, instead of forbidding it (K)."""
        return np.asarray(self.sharing == "slow", dtype=bool)


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
class Tasks(Table):
    """Pieces of work, length T: ``profile`` × ``work``, part of ``job``.

    ``pin_device`` is the only device allowed, -1 where free; ``pin_unit`` the only unit of it,
    -1 where free. ``forbid_task``/``forbid_device`` are parallel: pairs that are not allowed.
    ``backward`` tasks are not part of the stages of a contiguous job.
    ``site_task``/``site_site`` are parallel: sites where a task may run; one without any is free.
    ``segment`` says which operators of the job's model the task runs, empty where not stated.
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
    segment: Strings


@dataclass(frozen=True, slots=True)
class Tensors(Table):
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


@dataclass(frozen=True, slots=True)
class Edges(Table):
    """Directed edges between tasks, length E; ``tensor`` is -1 for pure precedence."""

    src: Ints
    dst: Ints
    tensor: Ints


@dataclass(frozen=True, slots=True)
class Jobs(Table):
    """Graphs of tasks that share times, rate and weight, length J.

    Times are absolute seconds; ``deadline_s``, ``due_s`` and ``latency_slo_s`` are inf where there
    is none. ``rate_per_s`` is the demanded request rate (steady; NaN in the schedule regime): the
    given rate, or share × the instance's demand (1 request/s where none is given).
    ``latency_quantile`` is the part of the requests that must meet ``latency_slo_s`` with waiting,
    NaN where that is of the service alone. ``min_accuracy`` is 0 where there is none. ``value`` is
    what a request served (in a schedule: the job) is worth, ``min_share`` the least part of the
    demand to serve, and an ``optional`` job of a schedule may be left out: all of this where
    ``value`` is an objective; else all is served. ``slices`` (steady, ``split``) is the number of
    equal parts of the job's requests, each of which takes one route whole; 0 where rates are
    divided freely. ``contiguous`` (single routing): the units that run the job's tasks,
    ``backward`` ones aside, can be put in an order along which no edge goes back. ``model`` names
    the model file that the job runs, ``model_sha256`` its hash, ``model_shape`` the sizes of its
    open axes; empty where not stated.
    """

    name: Strings
    release_s: Floats
    deadline_s: Floats
    due_s: Floats
    weight: Floats
    rate_per_s: Floats
    latency_slo_s: Floats
    latency_quantile: Floats
    min_accuracy: Floats
    value: Floats
    optional: Bools
    min_share: Floats
    slices: Ints
    contiguous: Bools
    model: Strings
    model_sha256: Strings
    model_shape: Strings


@dataclass(frozen=True, slots=True)
class KindShares(Table):
    """Limits on the share of one kind of device in the fleet (steady, split), length S.

    ``least`` ≤ share ≤ ``most``. The share is of units on where ``of`` is ``units``, of the price
    of units provisioned where it is ``price``; a fleet of nothing keeps every limit.
    """

    kind: Strings
    least: Floats
    most: Floats
    of: Strings


@dataclass(frozen=True, slots=True)
class Scenarios(Table):
    """Demands that one fleet serves at different times (steady, ``split``), length S; often 0.

    Units *provisioned* are the same in all scenarios; units on and routes are those of each.
    ``weight`` is the scenario's part of the time (weights need not sum to 1); ``rate_per_s`` (S ×
    J) the rate of each job in it, ``demand`` × the job's own where none was given for it. A rate of
    0 asks for nothing of the job.
    """

    name: Strings
    weight: Floats
    demand: Floats
    rate_per_s: Floats

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
class Periods(Table):
    """What makes an instance's scenarios periods, length S; 0 where they are none.

    Period s lasts ``scenarios.weight[s]`` seconds. What a joule costs and emits in it, and its
    power cap, are NaN where it states none and the instance's own figure holds.

    Attributes
    ----------
    cyclic
        Whether the first period follows the last; else what is on and held before the first one is
        that of ``initial_*``.
    min_up_s
        A unit that goes on stays on for so long, at least.
    max_changes
        Most units switched and weights loaded at the begin of a period; ``NO_MOST``: any number.
    invest, discount_rate
        Whether units are bought in a period and had from then on, and what money of later counts
        less, a year (:mod:`hetopt.instance.states.investment`).
    initial_device, initial_units, initial_ptr, initial_key
        Units on before the first period, in groups that hold the same weights: group g is
        ``initial_units[g]`` units of a device, each holding ``initial_key[ptr[g]:ptr[g + 1]]``.
    """

    energy_price_per_j: Floats
    carbon_kg_per_j: Floats
    power_cap_w: Floats
    cyclic: bool
    min_up_s: float
    max_changes: int
    invest: bool
    discount_rate: float
    initial_device: Ints
    initial_units: Ints
    initial_ptr: Ints
    initial_key: Ints

    @staticmethod
    def none() -> Periods:
        """Return the periods of an instance that has none."""
        empty, whole = np.empty(0), np.empty(0, dtype=np.int64)
        ptr = np.zeros(1, dtype=np.int64)
        ties = (True, 0.0, NO_MOST, False, 0.0)
        return Periods(empty, empty, empty, *ties, whole, whole, ptr, whole)

    def initial_on(self, devices: int) -> Ints:
        """Units of each device that are on before the first period (D)."""
        on = np.zeros(devices, dtype=np.int64)
        np.add.at(on, self.initial_device, self.initial_units)
        return on


def follows(periods: Periods, period: int) -> int:
    """Return the period before one; -1 where that is what was there initially."""
    if period:
        return period - 1
    return len(periods) - 1 if periods.cyclic else -1


def when(row: Mapping[str, Any]) -> str:
    """Return the field that says in which scenario or period a row is; empty where none does."""
    return next((name for name in WHEN if name in row), "")


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
    there is none; so is ``cycle_s``, after which all of a cyclic schedule begins anew, for ever.
    ``energy_price_per_j`` and ``carbon_kg_per_j`` are 0 where not given; where they change over
    time (schedule regime) ``energy_price_over_time`` and ``carbon_over_time`` hold them, and the
    plain number is the least of them. ``demand_known`` is False where only shares were given, so
    that rates mean nothing but their ratios and only throughput can be asked for.
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
    cycle_s: float = np.inf
