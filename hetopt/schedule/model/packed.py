"""An instance as the list-scheduling kernels read it: packed columns in whole ticks.

Options are kept by class of tasks, so a million tasks with a thousand profiles have no row per
task and option. The columns know what :func:`fits` says; other instances are scheduled on a
:class:`hetopt.schedule.list_scheduling.timetable.Timetable`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.derived import once
from hetopt.instance.grouping import ptr_of
from hetopt.instance.paths import MessageTables, Network, message_tables
from hetopt.schedule.model.features import ON_MESSAGES, beyond, has_any
from hetopt.schedule.model.grid import ROUNDED_FROM, Grid, exact, grid_of, span_s
from hetopt.schedule.model.usable_options import usable_classes

MOST_ROWS = 4_000_000
"""Options of tasks that differ in class or work up to which each gets a duration of its own."""
NUDGE = 1 + 16 * np.finfo(float).eps
"""Outweighs the rounding of a few products where times are rounded up."""
LONGEST = 2.0**52
"""Ticks up to which floats hold every whole number, and a half more."""
SUPPORTED = ON_MESSAGES
UNSUPPORTED_MESSAGES = (
    "staged tensors",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "paths that depend on the size of a message",
)
"""What the kernels do not know of instances with messages."""


@dataclass(frozen=True)
class PackedProblem:
    """Packed columns; K classes here differ in usable options, and in work where that is cheap.

    Attributes
    ----------
    member, factor
        Per task: its class, and what the class's durations and costs are multiplied by.
    ptr, option, length
        Per class: its options (CSR) and their durations in ticks (floats) at factor 1;
        ``bias`` is added to length × factor before it is rounded down.
    scale
        Per class: work at factor 1.
    release, deadline
        Per task, in ticks; the deadline includes the horizon, inf where there is none.
    message
        4 × D × D: latency in ticks, ticks per byte, what rounding adds, J per byte, for messages
        between different units; latency inf where there is no path.
    mean_message
        Mean latency and ticks per byte over ordered pairs of different units.
    """

    instance: Instance
    grid: Grid
    member: Ints
    factor: Floats
    ptr: Ints
    option: Ints
    length: Floats
    bias: float
    scale: Floats
    release: Floats
    deadline: Floats
    message: Floats
    mean_message: tuple[float, float]

    @property
    def device(self) -> Ints:
        """Device of each option of each class."""
        return self.instance.options.device[self.option]

    @property
    def owner(self) -> Ints:
        """Class of each option of each class."""
        return np.repeat(np.arange(len(self.scale)), np.diff(self.ptr))

    def seconds(self, ticks: Floats) -> Floats:
        """Return times of whole ticks as the floats whose repr are those decimals."""
        top, bottom = self.grid.tick.numerator, self.grid.tick.denominator
        if bottom < LONGEST and float(np.abs(ticks).max(initial=0.0)) * top < LONGEST:
            # Both are exact, so the quotient is rounded once.
            return np.asarray(ticks * float(top) / float(bottom))
        return np.array([self.grid.seconds(int(t)) for t in ticks.tolist()], dtype=np.float64)


@once
def packed(instance: Instance) -> PackedProblem | None:
    """Pack an instance; None where it has a feature that the kernels do not know.

    Made once per instance.
    """
    made = pack(instance) if fits(instance) else None
    # Beyond, floats do not hold every tick.
    short = made is not None and float(made.grid.limit(span_s(instance))) < LONGEST
    return made if short else None


def fits(instance: Instance) -> bool:
    """Whether the kernels know every feature of an instance of the schedule regime.

    They know options, pins to devices and forbids, units, slots, releases, deadlines, the horizon,
    and transfers with shared tensors, free ones in pools too. They do not know finite memory,
    channels, a power cap, staged tensors, ``overlap: false``, tasks together, apart or pinned to a
    unit, resources, paths that depend on the size of a message, and prices that change over time.
    """
    if not len(instance.tasks) or beyond(instance, SUPPORTED):
        return False
    if not len(instance.tensors):
        return True
    if has_any(instance, UNSUPPORTED_MESSAGES):
        return False
    if (instance.tensors.bytes_b > 0).all():
        return True
    devices = instance.devices
    network, wide = Network(instance), range(len(devices))
    count = devices.count_max.tolist()
    return all(network.one_path(a, b) for a in wide for b in wide if a != b or count[a] > 1)


def pack(instance: Instance) -> PackedProblem:
    """Pack an instance, whatever features the columns then leave out."""
    grid, classes, tasks = grid_of(instance), usable_classes(instance), instance.tasks
    works, which = np.unique(tasks.work, return_inverse=True)
    keys, member = np.unique(classes.member * len(works) + which.reshape(-1), return_inverse=True)
    size = np.diff(classes.ptr)[keys // len(works)]
    if int(size.sum()) <= MOST_ROWS:
        kind, scale = keys // len(works), works[keys % len(works)]
        factor = np.ones(len(tasks))
    else:
        kind, scale = np.arange(len(classes)), np.ones(len(classes))
        size, member, factor = np.diff(classes.ptr), classes.member, tasks.work
    ptr = ptr_of(size)
    at = np.arange(ptr[-1]) + np.repeat(classes.ptr[kind] - ptr[:-1], size)
    option = classes.option[at]
    whole = grid.direction == "exact"
    if len(keys) == len(scale):
        length = _durations(grid, np.repeat(scale, size), instance.options.time_s[option])
        bias = 0.5
    else:
        length = instance.options.time_s[option] / float(grid.tick) * (1.0 if whole else NUDGE)
        bias = 0.5 if whole else 1.0
    ticks = np.vectorize(lambda x: _limit(grid, x), otypes=[float])
    horizon = _limit(grid, float(instance.limits.horizon_s))
    release = np.array([float(grid.ticks(exact(x))) for x in instance.jobs.release_s.tolist()])
    deadline = np.minimum(ticks(instance.jobs.deadline_s), horizon)
    message, mean = _messages(instance, grid)
    return PackedProblem(
        instance=instance,
        grid=grid,
        member=member.reshape(-1).astype(np.int64),
        factor=factor,
        ptr=ptr,
        option=option,
        length=length,
        bias=bias,
        scale=scale,
        release=release[tasks.job],
        deadline=deadline[tasks.job],
        message=message,
        mean_message=mean,
    )


def _durations(grid: Grid, work: Floats, time_s: Floats) -> Floats:
    """Whole ticks of work × time, through the distinct pairs of them."""
    if grid.direction == "up" and len(work) > ROUNDED_FROM:
        return np.asarray(grid.rounded(work, time_s).astype(np.float64))
    works, i = np.unique(work, return_inverse=True)
    times, k = np.unique(time_s, return_inverse=True)
    pairs, back = np.unique(i.reshape(-1) * len(times) + k.reshape(-1), return_inverse=True)
    ticks = grid.durations(works[pairs // max(1, len(times))], times[pairs % max(1, len(times))])
    return np.asarray(ticks.astype(np.float64)[back.reshape(-1)])


def _messages(instance: Instance, grid: Grid) -> tuple[Floats, tuple[float, float]]:
    wide = len(instance.devices)
    if not len(instance.tensors):
        return np.zeros((4, wide, wide)), (0.0, 0.0)
    tables, tick = message_tables(instance), float(grid.tick)
    whole = grid.direction == "exact"
    nudge = 1.0 if whole else NUDGE
    latency = np.where(tables.allowed, np.nan_to_num(tables.latency_s, posinf=np.inf), np.inf)
    per_b = np.where(tables.allowed, np.nan_to_num(tables.s_per_b), 0.0)
    energy = np.where(tables.allowed, np.nan_to_num(tables.energy_j_per_b), 0.0)
    rounding = np.full((wide, wide), 0.5) if whole else _hops(instance, tables)
    units = instance.devices.count_max.astype(np.float64)
    pairs = np.outer(units, units) - np.diag(units)
    pairs[~tables.allowed] = 0.0
    total, joined = float(pairs.sum()), pairs > 0
    mean = (0.0, 0.0)
    if total:
        mean = (
            float((pairs[joined] * latency[joined]).sum() / total) / tick,
            float((pairs[joined] * per_b[joined]).sum() / total) / tick,
        )
    return np.stack([latency / tick * nudge, per_b / tick * nudge, rounding, energy]), mean


def _hops(instance: Instance, tables: MessageTables) -> Floats:
    """Hops of the path of each pair of devices: each is rounded up on its own."""
    network, wide = Network(instance), len(tables.allowed)
    some = float(instance.tensors.bytes_b.max())
    several = instance.devices.count_max > 1
    found = np.zeros((wide, wide))
    for a in range(wide):
        for b in range(wide):
            # A single unit sends itself nothing.
            if a != b or several[a]:
                found[a, b] = len(network.path(a, b, some) or ())
    return found


def _limit(grid: Grid, time_s: float) -> float:
    return float(grid.limit(time_s)) if math.isfinite(time_s) else math.inf
