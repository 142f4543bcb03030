"""Improve a schedule by simulated annealing over a compiled list decoder.

Method: Kirkpatrick, Gelatt, Vecchi, "Optimization by simulated annealing", Science 220, 1983, over
(option and unit of each task, sequence of the tasks), with a list scheduler that starts each task
of the sequence as early as possible on its unit; the loop itself is in
:mod:`hetopt.schedule.kernels_improve`. It counts in floats; the best state is timed anew in
integers on the plan grid, so that the checker finds the same decimals.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.evaluate import objective_value
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.network import MessageTables, message_tables
from hetopt.schedule.bounds import makespan_bound
from hetopt.schedule.construct import plan_problem
from hetopt.schedule.draft import ChainKey, Draft, draft_of, needed_chains
from hetopt.schedule.problem import NEVER, Mode, Problem
from hetopt.solution import SchedulePlan

OBJECTIVES = ("energy", "makespan", "cost", "carbon", "tardiness")
"""First objectives that the decoder can count."""
ITERATIONS = 2_000_000
"""Moves where neither seconds nor iterations are given."""
CHUNK_S = 0.02
"""Time between two looks at the clock and the stop event."""
FIRST_CHUNK = 500
HOT = 0.5
"""First temperature over the median cost of a task's change of option."""
COLD = 2e-3
"""Last temperature over the same."""
CRITICAL_SHARE = {"makespan": 0.6, "tardiness": 0.3}
"""Share of moves whose task is on the critical path; ``CRITICAL_ELSE`` for other objectives."""
CRITICAL_ELSE = 0.15
PENALTY_STEP = 1.1
"""Factor by which the price of lateness follows the share of moves with no task late."""
MOST_MESSAGES = 20_000_000
"""Tensors × units above which counting the copies of each takes too much memory."""


def improve(
    instance: Instance,
    plan: SchedulePlan,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    workers: int = 1,
    stop: threading.Event | None = None,
) -> SchedulePlan | None:
    """Return a plan that is better in the first objective, or None where none was found.

    Parameters
    ----------
    instance
        Of the schedule regime. None is returned where it has a feature that the decoder does not
        know: see :func:`can_improve`.
    plan
        A valid plan to start from.
    seconds
        Time to spend, first compilation included. With ``iterations`` instead the answer depends
        on nothing but the arguments.
    seed, workers
        Each worker anneals on its own in a thread, with a seed of its own; the best is returned.
    stop
        Ends the search early when it is set, with the best so far.
    """
    if not can_improve(instance):
        return None
    until = None if seconds is None else time.monotonic() + seconds
    if seconds is None and iterations is None:
        iterations = ITERATIONS
    problem = plan_problem(instance)
    draft = draft_of(problem, plan)
    if draft is None or _over(until, stop):
        return None
    table = _table(problem)
    chains = [_Chain(table, draft, seed * 1_000 + k) for k in range(max(1, workers))]
    if len(chains) == 1:
        chains[0].run(until, iterations, stop)
    else:
        with ThreadPoolExecutor(len(chains)) as pool:
            list(pool.map(lambda chain: chain.run(until, iterations, stop), chains))
    chains.sort(key=lambda chain: chain.best)
    name = instance.objective[0]
    known = objective_value(instance, plan, name)
    for chain in chains:
        found = chain.plan()
        if found is not None and objective_value(instance, found, name) < known:
            return found
    return None


def can_improve(instance: Instance) -> bool:
    """Whether the decoder knows every feature that the instance has.

    It knows options, pins and forbids, units, slots, releases, deadlines, the horizon, transfers
    with shared tensors over several links, free ones in pools, idle power and prices of units. It
    does not know finite memory, channels, a power cap, staged tensors, ``overlap: false``, tasks
    together, apart or pinned to a unit, and paths that depend on the size of a message.
    """
    devices = instance.devices
    unlimited = (
        np.isinf(devices.memory_b).all()
        and np.isinf(instance.pools.memory_b).all()
        and math.isinf(instance.limits.power_cap_w)
        and (instance.links.channel_group < 0).all()
    )
    plain = (
        not instance.tensors.staged.any()
        and (devices.overlap.all() or not len(instance.tensors))
        and not len(instance.together)
        and not len(instance.apart)
        and (instance.tasks.pin_unit < 0).all()
    )
    known = len(instance.tasks) > 0 and instance.objective[0] in OBJECTIVES
    size = len(instance.tensors) * int(devices.count_max.sum())
    if not (known and unlimited and plain and size <= MOST_MESSAGES):
        return False
    return not len(instance.tensors) or bool(message_tables(instance).uniform.all())


@dataclass(frozen=True)
class _Table:
    """The instance as the kernel reads it; names as in :mod:`kernels_improve`."""

    problem: Problem
    choice_mode: list[Mode]
    choice_ptr: Ints
    c_time: Floats
    c_cost: Floats
    c_unit: Ints
    unit_device: Ints
    first_unit: Ints
    lane_ptr: Ints
    rate: Floats
    pred: tuple[Ints, Ints, Ints]
    succ: tuple[Ints, Ints]
    made: tuple[Ints, Ints]
    read: tuple[Ints, Ints]
    messages: tuple[Floats, Floats, Floats, Floats]
    times: tuple[Floats, Floats]
    jobs: tuple[Ints, Floats, Floats, Floats]
    weights: Floats
    typical: float

    def choice_of(self, task: int, mode: Mode, unit: int) -> int:
        """Index of a choice by its mode and the number of its unit on the device."""
        wanted = self.first_unit[mode.device] + unit
        for k in range(int(self.choice_ptr[task]), int(self.choice_ptr[task + 1])):
            if self.c_unit[k] == wanted and self.choice_mode[k].option == mode.option:
                return k
        raise ValueError("The plan uses a unit that the device does not have.")


def _table(problem: Problem) -> _Table:
    instance = problem.instance
    devices, options, tasks = instance.devices, instance.options, instance.tasks
    name = instance.objective[0]
    energy, price = _prices(instance, name)
    count = devices.count_max
    first_unit = np.cumsum(count) - count
    unit_device = np.repeat(np.arange(len(devices)), count)
    lanes = devices.slots[unit_device]
    mode = [
        (m, int(first_unit[m.device]) + u)
        for modes in problem.modes
        for m in modes
        for u in range(int(count[m.device]))
    ]
    size = [sum(int(count[m.device]) for m in modes) for modes in problem.modes]
    option = np.array([m.option for m, _ in mode], dtype=np.int64)
    owner = np.repeat(np.arange(len(tasks)), size)
    c_time = tasks.work[owner] * options.time_s[option]
    c_cost = tasks.work[owner] * options.energy_j[option] * energy
    edges, tensors = instance.edges, instance.tensors
    pred_ptr, pred = instance.predecessors
    succ_ptr, succ = instance.successors
    read_ptr, read = instance.consumers
    made = np.argsort(tensors.producer, kind="stable")
    made_ptr = np.searchsorted(tensors.producer[made], np.arange(len(tasks) + 1))
    latency, per_b, per_byte = _messages(instance)
    horizon = float(instance.limits.horizon_s)
    fixed = math.isfinite(horizon)
    rate = _rates(instance, energy, price)
    weights = np.array(
        [
            horizon if fixed else 0.0,
            1.0 if name == "makespan" else 0.0,
            1.0 if name == "tardiness" else 0.0,
            0.0,
            makespan_bound(instance),
            CRITICAL_SHARE.get(name, CRITICAL_ELSE),
        ]
    )
    shortest = np.full(len(tasks), np.inf)
    np.minimum.at(shortest, owner, c_time)
    ptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    spread = c_cost - np.minimum.reduceat(c_cost, ptr[:-1])[owner]
    if name in ("makespan", "tardiness"):
        spread = shortest
    changed = spread[spread > 0]
    return _Table(
        problem=problem,
        choice_mode=[m for m, _ in mode],
        choice_ptr=ptr,
        c_time=c_time,
        c_cost=c_cost,
        c_unit=np.array([u for _, u in mode], dtype=np.int64),
        unit_device=unit_device,
        first_unit=first_unit,
        lane_ptr=np.concatenate([[0], np.cumsum(lanes)]).astype(np.int64),
        rate=rate,
        pred=(pred_ptr, edges.src[pred], edges.tensor[pred]),
        succ=(succ_ptr, edges.dst[succ]),
        made=(made_ptr.astype(np.int64), made.astype(np.int64)),
        read=(read_ptr, edges.dst[read]),
        messages=(tensors.bytes_b, latency, per_b, per_byte * energy),
        times=(instance.jobs.release_s[tasks.job], _tails(problem, shortest)),
        jobs=(
            tasks.job,
            np.minimum(instance.jobs.deadline_s, horizon),
            instance.jobs.due_s.copy(),
            instance.jobs.weight.copy(),
        ),
        weights=weights,
        typical=float(np.median(changed)) if len(changed) else 1.0,
    )


def _prices(instance: Instance, name: str) -> tuple[float, float]:
    """Cost of a joule, and whether the price of units counts (1 or 0)."""
    limits = instance.limits
    if name == "energy":
        return 1.0, 0.0
    if name == "cost":
        return limits.pue * limits.energy_price_per_j, 1.0
    if name == "carbon":
        return limits.pue * limits.carbon_kg_per_j, 0.0
    return 0.0, 0.0


def _rates(instance: Instance, energy: float, price: float) -> Floats:
    """Cost per second of the window by units in use, D × (units + 1)."""
    devices = instance.devices
    used = np.arange(int(devices.count_max.max(initial=0)) + 1)[None, :]
    had = np.maximum(used, devices.count_min[:, None])
    on = np.where(devices.off_when_unused[:, None], used, had)
    paid = devices.idle_power_w[:, None] * on * energy + devices.price_per_s[:, None] * had * price
    return np.ascontiguousarray(paid, dtype=np.float64)


def _messages(instance: Instance) -> tuple[Floats, Floats, Floats]:
    """Latency (inf: no path), seconds per byte and joules per byte by pair of devices."""
    if not len(instance.tensors):
        none = np.zeros((len(instance.devices), len(instance.devices)))
        return none, none, none
    tables: MessageTables = message_tables(instance)
    joined: Bools = tables.allowed
    latency = np.where(joined, tables.latency_s, np.inf)
    return latency, np.where(joined, tables.s_per_b, 0.0), np.where(
        joined, tables.energy_j_per_b, 0.0
    )


def _tails(problem: Problem, shortest: Floats) -> Floats:
    """Least time from a task's end to the end of all that follows it, in s."""
    least: list[float] = shortest.tolist()
    tails = [0.0] * problem.n_tasks
    for task in reversed(problem.order):
        for e in problem.leaving[task]:
            after = problem.edges[e][1]
            tails[task] = max(tails[task], least[after] + tails[after])
    return np.array(tails)


class _Chain:
    """One run of annealing: its state, its clock, its best state."""

    def __init__(self, table: _Table, draft: Draft, seed: int) -> None:
        from hetopt.schedule import kernels_improve

        self.kernels = kernels_improve
        self.table = table
        problem = table.problem
        place = {task: i for i, task in enumerate(problem.order)}
        n = problem.n_tasks
        self.order: Ints = np.array(
            sorted(range(n), key=lambda t: (draft.start[t], place[t])), dtype=np.int64
        )
        self.choice: Ints = np.array(
            [table.choice_of(t, draft.mode[t], draft.unit[t]) for t in range(n)], dtype=np.int64
        )
        lanes, units = int(table.lane_ptr[-1]), len(table.unit_device)
        self.position = np.empty(n, dtype=np.int64)
        self.position[self.order] = np.arange(n)
        self.unit = table.c_unit[self.choice]
        self.end = np.zeros(n)
        self.states = np.zeros((n // kernels_improve.CHECKPOINT + 2, lanes + 1))
        tensors = len(problem.producer)
        self.copies = np.zeros((tensors, units), dtype=np.int32)
        readers = np.repeat(np.arange(tensors), np.diff(table.read[0]))
        np.add.at(self.copies, (readers, self.unit[table.read[1]]), 1)
        self.on_unit = np.bincount(self.unit, minlength=units)
        busy = table.unit_device[self.on_unit > 0]
        self.on_device = np.bincount(busy, minlength=len(problem.units))
        self.seed = np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
        self.weights = table.weights.copy()
        self.numbers = np.zeros(8)
        self.best_order, self.best_choice = self.order.copy(), self.choice.copy()
        self._start()

    @property
    def best(self) -> float:
        """Cost of the best state."""
        return float(self.numbers[self.kernels.BEST])

    def run(self, until: float | None, moves: int | None, stop: threading.Event | None) -> None:
        """Anneal until the time or the number of moves is used up, or ``stop`` is set."""
        began = time.monotonic()
        done, chunk = 0, FIRST_CHUNK
        hot, cold = (part * self.table.typical for part in (HOT, COLD))
        fraction = 0.0
        while fraction < 1.0 and not (stop is not None and stop.is_set()):
            at = time.monotonic()
            if moves is not None:
                size = min(chunk, moves - done)
                after = (done + size) / moves
            else:
                size = chunk
                left = max(1e-9, (until or at) - began)
                after = min(1.0, (at + CHUNK_S - began) / left)
            self._anneal(size, *(hot * (cold / hot) ** f for f in (fraction, after)))
            self._price_lateness(size)
            done += size
            fraction = after
            now = time.monotonic()
            if moves is None:
                chunk = int(min(4 * chunk, max(1.0, chunk * CHUNK_S / max(1e-6, now - at))))
                fraction = max(fraction, (now - began) / left)
            elif chunk < moves // 100:
                chunk = moves // 100

    def plan(self) -> SchedulePlan | None:
        """Time the best state exactly; None where float noise hid that a deadline is missed."""
        chosen = [self.table.choice_mode[k] for k in self.best_choice.tolist()]
        units = self.table.c_unit[self.best_choice]
        unit = (units - self.table.first_unit[self.table.unit_device[units]]).tolist()
        draft = timed(self.table.problem, chosen, unit, self.best_order.tolist())
        return None if draft is None else draft.plan()

    def _start(self) -> None:
        """Count the cost of the first state."""
        t, k, numbers = self.table, self.kernels, self.numbers
        bytes_b, latency, per_b, per_byte = t.messages
        makespan = k.decode(
            0, np.inf, self.order, self.choice, self.unit, self.end, self.states, t.c_time,
            t.unit_device, t.lane_ptr, *t.pred, bytes_b, latency, per_b, *t.times,
        )  # fmt: skip
        assigned = float(t.c_cost[self.choice].sum())
        tensor, unit = np.nonzero(self.copies)
        source = self.unit[np.array(t.problem.producer, dtype=np.int64)[tensor]]
        sent = source != unit
        pair = t.unit_device[source[sent]], t.unit_device[unit[sent]]
        assigned += float((bytes_b[tensor[sent]] * per_byte[pair]).sum())
        numbers[k.ASSIGNED], numbers[k.MAKESPAN] = assigned, makespan
        rate = float(t.rate[np.arange(len(self.on_device)), self.on_device].sum())
        cost = assigned + rate * (self.weights[0] or makespan) + self.weights[1] * makespan
        if self.weights[2]:
            job, _, due, weight = t.jobs
            last = np.zeros(len(due))
            cost += k.lateness(self.end, job, last, due, weight)
        numbers[k.COST] = numbers[k.BEST] = cost
        # A first guess; it follows the search from here on.
        self.weights[3] = 2.0 * max(cost, t.typical) / max(makespan, 1e-300)

    def _anneal(self, moves: int, hot: float, cold: float) -> None:
        t = self.table
        self.kernels.anneal(
            moves, hot, cold, self.seed, self.numbers, self.weights, self.order, self.position,
            self.choice, self.unit, self.end, self.states, self.copies, self.on_unit,
            self.on_device, self.best_order, self.best_choice, t.choice_ptr, t.c_time, t.c_cost,
            t.c_unit, t.unit_device, t.lane_ptr, t.rate, *t.pred, *t.succ, *t.made, *t.read,
            *t.messages, *t.times, *t.jobs,
        )  # fmt: skip

    def _price_lateness(self, moves: int) -> None:
        """Raise the penalty where the search is mostly late, lower it where it never is."""
        k, numbers = self.kernels, self.numbers
        clean = numbers[k.CLEAN] / moves
        numbers[k.CLEAN] = 0.0
        old = float(self.weights[3])
        new = old * PENALTY_STEP if clean < 0.5 else old / PENALTY_STEP
        self.weights[3] = new
        numbers[k.COST] += (new - old) * numbers[k.LATE]


def timed(
    problem: Problem, mode: list[Mode], unit: list[int], order: list[int]
) -> Draft | None:
    """Start the tasks in an order, each as early as its data and a slot of its unit allow.

    Transfers start as soon as their data are there; nothing contends for links.

    Returns
    -------
    Draft or None
        None where a deadline is missed or a message has no path.
    """
    chains = needed_chains(problem, mode, unit)
    if chains is None:
        return None
    start = [0] * problem.n_tasks
    free: dict[tuple[int, int], list[int]] = {}
    for task in order:
        here = (mode[task].device, unit[task])
        at = problem.release[task]
        for e in problem.entering[task]:
            before, _, tensor = problem.edges[e]
            source = (mode[before].device, unit[before])
            ready = start[before] + mode[before].duration
            if tensor >= 0 and source != here:
                ready += problem.delay(tensor, source[0], here[0]) or 0
            at = max(at, ready)
        slots = free.setdefault(here, [0] * problem.slots[here[0]])
        slot = min(range(len(slots)), key=slots.__getitem__)
        at = max(at, slots[slot])
        start[task] = at
        slots[slot] = at + mode[task].duration
        if slots[slot] > min(problem.deadline[task], NEVER):
            return None
    hops: dict[ChainKey, list[int]] = {}
    for key, chain in chains.items():
        producer = problem.producer[key[0]]
        at = start[producer] + mode[producer].duration
        hops[key] = []
        for hop in chain.hops:
            hops[key].append(at)
            at += hop.duration
    return Draft(problem, mode, unit, start, hops)


def _over(until: float | None, stop: threading.Event | None) -> bool:
    if stop is not None and stop.is_set():
        return True
    return until is not None and time.monotonic() >= until
