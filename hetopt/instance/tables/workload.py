"""Tables of the workload: options, resources that they use, tasks, tensors, edges, jobs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance.dtypes import Bools, Floats, Ints, Strings
from hetopt.instance.tables.table import Table

SHARING = ("forbid", "slow")
"""What happens where options ask for more than a resource has."""


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
