"""A schedule instance on an integer grid: what the constructors and the CP-SAT model share.

Times are ticks of a :class:`hetopt.schedule.model.grid.Grid`. A *mode* is an option that a task may
really use: admissible, accurate enough, on a device that has units, and not dominated.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance
from hetopt.instance.derived import once
from hetopt.instance.joule_prices import exact_joule_prices
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import may_sleep, ready_s
from hetopt.instance.states.setups import configurations
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.model.grid import Grid, cycle_ticks, exact, grid_of, hop_time, read, span_s
from hetopt.solution import DIRECT, READ, WRITE

BILLED = ("energy", "cost", "carbon")
"""Objectives that count joules."""

Bill = tuple[Fraction, ...]
"""What something that draws energy adds to each of ``BILLED``."""

NEVER = 1 << 60
"""Later than any tick that can matter; stands for "no limit"."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run one task: an option, its device, its duration in ticks."""

    option: int
    device: int
    duration: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a transfer: its link, its channel group (-1: none) and its duration in ticks."""

    link: int
    group: int
    duration: int


class Problem:
    """Integer columns of an instance on a grid.

    Attributes
    ----------
    units, slots
        Per device: units that may be had, and tasks that one unit runs at once.
    modes
        Per task: its modes, by option index. Empty where the task cannot run at all.
    cycle
        Ticks after which all begins anew, 0 where nothing does; whole on grids made for it.
    release, deadline
        Per task, in ticks; the deadline includes the horizon, ``NEVER`` where there is none.
    ready
        Per device: ticks that its units take to go on.
    span
        Ticks by which some best plan has ended.
    derived
        What other modules have derived from it, by class: kept as long as the problem.
    edges
        (source, destination, tensor or -1) per edge; ``entering``/``leaving`` list edge indices.
    """

    def __init__(self, instance: Instance, grid: Grid) -> None:
        self.instance = instance
        self.grid = grid
        self.network = Network(instance)
        self.units: list[int] = instance.devices.count_max.tolist()
        self.slots: list[int] = instance.devices.slots.tolist()
        self.modes = _modes(instance, grid)
        self.n_tasks = len(instance.tasks)
        job: list[int] = instance.tasks.job.tolist()
        self.job = job
        horizon = _limit(grid, instance, float(instance.limits.horizon_s))
        release = [grid.ticks(read(instance, r)) for r in instance.jobs.release_s.tolist()]
        due = [min(horizon, _limit(grid, instance, d)) for d in instance.jobs.deadline_s.tolist()]
        self.horizon = horizon
        self.ready = [grid.ticks(exact(t)) for t in ready_s(instance).tolist()]
        self.cycle = cycle_ticks(instance, grid)
        self.release = [release[j] for j in job]
        self.deadline = [due[j] for j in job]
        edges = instance.edges
        self.edges: list[tuple[int, int, int]] = list(
            zip(edges.src.tolist(), edges.dst.tolist(), edges.tensor.tolist(), strict=True)
        )
        self.entering = _lists(*instance.predecessors)
        self.leaving = _lists(*instance.successors)
        self.consumers = [[self.edges[e][1] for e in rows] for rows in _lists(*instance.consumers)]
        self.producer: list[int] = instance.tensors.producer.tolist()
        self.bytes_b: list[float] = instance.tensors.bytes_b.tolist()
        self.staged: list[bool] = instance.tensors.staged.tolist()
        self.order: list[int] = instance.topological_order.tolist()
        self.derived: dict[type, Any] = {}
        self._hops: dict[tuple[int, int, float], tuple[Hop, ...] | None] = {}
        self._lengths: dict[tuple[float, float, float], int] = {}

    @cached_property
    def span(self) -> int:
        """Ticks by which some best plan has ended."""
        serial = self.grid.limit(span_s(self.instance))
        if self.grid.direction == "up":
            serial += 2 * (self.n_tasks + len(self.edges) * max(1, len(self.instance.links)))
        return min(self.horizon, serial)

    def zero_copy(self, src: int, dst: int) -> bool:
        """Whether messages between any units of these devices are free."""
        return self.network.zero_copy(src, dst)

    def path(self, src: int, dst: int, bytes_b: float) -> tuple[Hop, ...] | None:
        """Hops between two different units of these devices; None where there is no path."""
        key = (src, dst, bytes_b)
        if key not in self._hops:
            self._hops[key] = self._make_path(src, dst, bytes_b)
        return self._hops[key]

    def legs(self, tensor: int, src: int, dst: int) -> list[tuple[int, tuple[Hop, ...]]] | None:
        """Legs of the message between two different units, none where it is free.

        Returns None where this pair of devices is forbidden. A staged tensor has a WRITE leg
        unless its producer is on the host, and a READ leg unless its consumer is.
        """
        if self.zero_copy(src, dst):
            return []
        size = self.bytes_b[tensor]
        if not self.staged[tensor]:
            hops = self.path(src, dst, size)
            return None if hops is None else [(DIRECT, hops)]
        host = self.instance.host
        legs = []
        for leg, needed, ends in (
            (WRITE, src != host, (src, host)),
            (READ, dst != host, (host, dst)),
        ):
            if needed:
                hops = self.path(*ends, size)
                if hops is None:
                    return None
                legs.append((leg, hops))
        return legs

    def delay(self, tensor: int, src: int, dst: int) -> int | None:
        """Ticks from the producer's end to the arrival on another unit, without contention."""
        legs = self.legs(tensor, src, dst)
        if legs is None:
            return None
        return sum(hop.duration for _, hops in legs for hop in hops)

    def hop_energy(self, tensor: int, hops: tuple[Hop, ...]) -> Fraction:
        """Joules of one leg."""
        per_b = self.instance.links.energy_j_per_b
        size = exact(self.bytes_b[tensor])
        return sum((size * exact(float(per_b[hop.link])) for hop in hops), Fraction(0))

    def hop_bill(self, tensor: int, hops: tuple[Hop, ...]) -> Bill:
        """Joules of one leg, and what they cost and emit where they are drawn."""
        total = [Fraction(0)] * len(BILLED)
        for hop in hops:
            joules = self.hop_energy(tensor, (hop,))
            at = int(self.instance.links.src[hop.link])
            for i, prices in enumerate(self.joule_prices):
                total[i] += joules * prices[at]
        return tuple(total)

    @cached_property
    def joule_prices(self) -> tuple[list[Fraction], ...]:
        """What a joule of each device counts in each of ``BILLED``."""
        return tuple(exact_joule_prices(self.instance, name) for name in BILLED)

    def energy(self, task: int, option: int) -> Fraction:
        """Joules of a task run by an option, above idle."""
        work = exact(float(self.instance.tasks.work[task]))
        return work * exact(float(self.instance.options.energy_j[option]))

    def length(self, task: int, option: int) -> Fraction:
        """Ticks of a task run by an option, not rounded."""
        work = exact(float(self.instance.tasks.work[task]))
        return work * exact(float(self.instance.options.time_s[option])) / self.grid.tick

    def hop_length(self, tensor: int, hop: Hop) -> Fraction:
        """Ticks of a hop, not rounded."""
        links, size = self.instance.links, self.bytes_b[tensor]
        latency, bandwidth = links.latency_s[hop.link], links.bandwidth_b_per_s[hop.link]
        return hop_time(float(latency), size, float(bandwidth)) / self.grid.tick

    def devices_of(self, task: int) -> list[int]:
        """Devices of a task's modes, ascending, each once."""
        return sorted({mode.device for mode in self.modes[task]})

    def fastest(self, task: int) -> dict[int, int]:
        """Least duration of a task per device."""
        best: dict[int, int] = {}
        for mode in self.modes[task]:
            best[mode.device] = min(mode.duration, best.get(mode.device, NEVER))
        return best

    def _make_path(self, src: int, dst: int, bytes_b: float) -> tuple[Hop, ...] | None:
        links, path = self.instance.links, self.network.path(src, dst, bytes_b)
        if path is None:
            return None
        return tuple(
            Hop(
                link,
                int(links.channel_group[link]),
                self._hop_ticks(
                    float(links.latency_s[link]), bytes_b, float(links.bandwidth_b_per_s[link])
                ),
            )
            for link in path
        )

    def _hop_ticks(self, latency_s: float, bytes_b: float, bandwidth_b_per_s: float) -> int:
        key = latency_s, bytes_b, bandwidth_b_per_s
        if key not in self._lengths:
            self._lengths[key] = self.grid.ticks(hop_time(*key))
        return self._lengths[key]


def _limit(grid: Grid, instance: Instance, time_s: float) -> int:
    return grid.limit(read(instance, time_s)) if np.isfinite(time_s) else NEVER


def _lists(ptr: np.ndarray, rows: np.ndarray) -> list[list[int]]:
    flat, at = rows.tolist(), ptr.tolist()
    return [flat[a:b] for a, b in pairwise(at)]


def _modes(instance: Instance, grid: Grid) -> list[list[Mode]]:
    ptr, option = instance.admissible
    task = np.repeat(np.arange(len(instance.tasks)), np.diff(ptr))
    durations = grid.durations(instance.tasks.work[task], instance.options.time_s[option]).tolist()
    device = instance.options.device[option].tolist()
    keep = _usable(instance, task, option).tolist()
    dominated: dict[tuple[int, ...], set[int]] = {}
    modes: list[list[Mode]] = []
    chosen, bounds = option.tolist(), ptr.tolist()
    for a, b in pairwise(bounds):
        rows = [i for i in range(a, b) if keep[i]]
        key = tuple(chosen[i] for i in rows)
        if key not in dominated:
            dominated[key] = _dominated(instance, key)
        worse = dominated[key]
        modes.append(
            [Mode(chosen[i], device[i], durations[i]) for i in rows if chosen[i] not in worse]
        )
    return modes


def _usable(instance: Instance, task: np.ndarray, option: np.ndarray) -> np.ndarray:
    """Whether the option is accurate enough and its device has units."""
    needed = instance.jobs.min_accuracy[instance.tasks.job[task]]
    accuracy = instance.options.accuracy[option]
    accurate = np.isnan(accuracy) | (accuracy >= needed)
    device = instance.options.device[option]
    pin = instance.tasks.pin_unit[task]
    return np.asarray(accurate & (instance.devices.count_max[device] > np.maximum(pin, 0)))


def _dominated(instance: Instance, options: tuple[int, ...]) -> set[int]:
    """Options that another one on the same device makes superfluous (docs/schedule.md).

    Under prices that change over time none is: a slower option may run when energy is cheap. Nor
    where sleep and power count: what ends sooner leaves a gap that is slept through, and waking
    from it may draw more. For energy it does hold with sleep: the cost f of gaps, least of idling
    and of sleeping with a wake, has f(g + d) <= f(g) + idle × d and f(g + h) <= f(g) + f(h).
    """
    peaks = np.isfinite(instance.limits.power_cap_w) or "peak_power" in instance.objective
    if prices_vary(instance) or (peaks and may_sleep(instance)):
        return set()
    o = instance.options
    if peaks and slows(instance):
        # Where one task asks for less of what slows, others run faster and draw more.
        return set()
    accurate = "accuracy" in instance.objective
    uses = {o: dict(instance.uses.of(o)) for o in options} if len(instance.uses) else {}
    configured = configurations(instance)
    worse: set[int] = set()
    for b in options:
        for a in options:
            if a == b or a in worse or o.device[a] != o.device[b]:
                continue
            better = (
                o.time_s[a] <= o.time_s[b]
                and o.energy_j[a] <= o.energy_j[b]
                and o.memory_b[a] <= o.memory_b[b]
                and o.weights_key[a] in (-1, o.weights_key[b])
                and configured[a] == configured[b]
            )
            if better and uses:
                better = all(amount <= uses[b].get(k, 0.0) for k, amount in uses[a].items())
            if better and peaks:
                better = option_power(instance, a) <= option_power(instance, b)
            if better and accurate:
                known = np.isnan(o.accuracy[a]), np.isnan(o.accuracy[b])
                better = all(known) or (not any(known) and o.accuracy[a] >= o.accuracy[b])
            if better:
                worse.add(b)
                break
    return worse


def option_power(instance: Instance, option: int) -> Fraction:
    """Watts above idle that a running option draws (0 for an option that takes no time)."""
    time = exact(float(instance.options.time_s[option]))
    return exact(float(instance.options.energy_j[option])) / time if time else Fraction(0)


@once
def plan_problem(instance: Instance) -> Problem:
    """Return the instance on the grid on which plans are timed; made once per instance."""
    return Problem(instance, grid_of(instance))
