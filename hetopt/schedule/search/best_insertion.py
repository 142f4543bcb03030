"""Shorten a schedule by best insertion on its graph: for the makespan, with messages.

Annealing whose moves are priced exactly and all at once;
:mod:`hetopt.schedule.search.best_insertion_kernels` has the method. It counts in floats; the best
state is timed anew in integers on the plan grid, so that the checker finds the same decimals.

Deadlines need no penalty. With B the least makespan so far, a task that must end by D counts with
its end + max(0, B - D) beside its end, so that whatever counts for less than B meets D.
"""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.paths import message_tables
from hetopt.runtime.budget import gap_closed
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.problem import Mode, Problem
from hetopt.schedule.model.tick_schedule import Draft, draft_of, timed
from hetopt.schedule.search import list_annealing as annealing
from hetopt.schedule.search.registry import Found, Improved
from hetopt.solution import SchedulePlan

MOVES = 200_000
"""Moves where neither seconds nor iterations are given."""
TASK_MOVES_PER_S = 15_000_000
"""Moves × tasks that one core makes in a second or so; what deterministic seconds count."""
CHUNK_S = 0.02
"""Time between two looks at the clock and the stop event."""
FIRST_CHUNK = 100
DETERMINISTIC_CHUNKS = 100
"""Parts of a number of moves in which it is made."""
POLL_S = 0.25
"""Time between two looks at what the workers have found."""
HOT = 0.5
"""First heat over the median time of a task and ``MESSAGE`` medians of a message's."""
MESSAGE = 0.3
COLD = 0.02
"""Last heat over the median time of a task."""
CRITICAL = 0.9
"""Share of moves whose task is on the critical path."""
CYCLES = 3
"""Times that the heat falls; from the second on it starts at ``REHEAT`` of the first heat."""
REHEAT = 0.3
MOVES_TO_COOL = 600.0
"""Moves per task from which the search starts at the first heat."""
MOVES_TO_REHEAT = 2000.0
"""Moves per task for each further fall of the heat."""
GROUPS = 0.15
"""Share of moves of a group of tasks."""
MOST_CELLS = 20_000_000
"""Tasks × devices above which the table of times takes too much memory."""
NOISE = 1e-12
"""Part of the makespan by which a deadline may be missed in floats; exact times decide."""


def improve(
    instance: Instance,
    plan: SchedulePlan | None,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    workers: int = 1,
    stop: threading.Event | None = None,
    bound: float = math.nan,
    found: Found | None = None,
) -> Improved:
    """Look for a plan with a smaller makespan.

    Parameters
    ----------
    instance
        Of the schedule regime. Nothing is found where it has a feature that the search does not
        know (see :func:`fits`).
    plan
        A valid plan to start from; None: the search starts with all tasks in a row.
    seconds
        Time to spend, first compilation included. With ``iterations`` instead the answer depends
        on nothing but the arguments.
    seed, workers
        Each worker searches on its own in a thread, with a seed of its own; the best is returned.
    stop
        Ends the search early when it is set, with the best so far.
    bound
        Proven bound of the makespan: a plan that meets it ends the search.
    found
        Called with plans better than all before, a few times a second at most.
    """
    if not fits(instance):
        return Improved(None)
    until = None if seconds is None else time.monotonic() + seconds
    if seconds is None and iterations is None:
        iterations = MOVES
    known = math.inf if plan is None else objective_value(instance, plan, "makespan")
    if plan is not None and gap_closed(known, bound, GAP_TOLERANCE):
        return Improved(None)
    problem = plan_problem(instance)
    draft = _in_a_row(problem) if plan is None else draft_of(problem, plan)
    if draft is None or annealing.over(until, stop):
        return Improved(None)
    table = table_of(problem)
    best = _Best(instance, known, found)
    chains = [
        Chain(table, draft, seed * 1_000 + k, bound, valid=plan is not None)
        for k in range(max(1, workers))
    ]
    if len(chains) == 1 and iterations is not None:
        chains[0].run(None, iterations, stop)
    else:
        with ThreadPoolExecutor(len(chains)) as pool:
            runs = [pool.submit(chain.run, until, iterations, stop) for chain in chains]
            while wait(runs, POLL_S).not_done:
                if found is not None:
                    best.offer(chains)
            for run in runs:
                run.result()
    best.offer(chains)
    return Improved(best.plan)


def fits(instance: Instance) -> bool:
    """Whether the search knows every feature that the instance has, and the makespan is wanted.

    It knows what annealing does (:func:`hetopt.schedule.search.decoder_features.fits`).
    """
    cells = len(instance.tasks) * len(instance.devices)
    if instance.objective[0] != "makespan" or cells > MOST_CELLS:
        return False
    return annealing.fits(instance)


def is_compiled() -> bool:
    """Whether the loops are compiled, or their machine code lies on disk (as far as is known)."""
    from hetopt.runtime import jit
    from hetopt.schedule.search.best_insertion_kernels import search

    return jit.is_compiled(search)


def moves_within(instance: Instance, seconds: float) -> int:
    """Return the number of moves that stands for so many deterministic seconds."""
    return max(1, int(seconds * TASK_MOVES_PER_S / max(1, len(instance.tasks))))


class _Best:
    """The best plan of all chains, checked against what is known."""

    def __init__(self, instance: Instance, known: float, found: Found | None) -> None:
        self.instance = instance
        self.known = known
        self.found = found
        self.plan: SchedulePlan | None = None

    def offer(self, chains: list[Chain]) -> None:
        """Take the best state of the chains if its plan is better."""
        for chain in sorted(chains, key=lambda chain: chain.shown[0]):
            least, order, lane = chain.shown
            if not least < self.known:
                return
            plan = chain.plan(order, lane)
            if plan is None:
                continue
            value = objective_value(self.instance, plan, "makespan")
            if value < self.known:
                self.known, self.plan = value, plan
                if self.found is not None:
                    self.found(plan)
            return


@dataclass(frozen=True)
class Table:
    """The instance as the kernel reads it.

    Attributes
    ----------
    mode
        Per task: its fastest mode on each device.
    lane_unit
        (device, unit) of each lane.
    arrays
        By the names in :mod:`search.best_insertion_kernels`; ``lanes`` empty, and ``release`` and
        ``deadline`` of each task.
    hot, cold
        First and last heat, s.
    """

    problem: Problem
    mode: list[dict[int, Mode]]
    lane_unit: list[tuple[int, int]]
    arrays: dict[str, Any]
    hot: float
    cold: float


def table_of(problem: Problem) -> Table:
    """Pack the columns of an instance for the kernel."""
    instance = problem.instance
    tasks, jobs, edges = instance.tasks, instance.jobs, instance.edges
    mode = [_fastest(modes) for modes in problem.modes]
    length = np.full((len(tasks), len(problem.units)), np.inf)
    for task, best in enumerate(mode):
        for device, m in best.items():
            length[task, device] = tasks.work[task] * instance.options.time_s[m.option]
    lanes, lane_unit = _lanes(problem)
    (pred_ptr, entering), (succ_ptr, leaving) = instance.predecessors, instance.successors
    bytes_b = np.full(len(edges), -1.0)
    sent = edges.tensor >= 0
    bytes_b[sent] = instance.tensors.bytes_b[edges.tensor[sent]]
    ends = (pred_ptr[:-1], pred_ptr[1:], succ_ptr[:-1], succ_ptr[1:])
    deadline = np.minimum(jobs.deadline_s[tasks.job], instance.limits.horizon_s)
    arrays = {
        "lanes": lanes,
        "task_i": np.ascontiguousarray(np.stack(ends, axis=1), dtype=np.int64),
        "pred": edges.src[entering].astype(np.int64),
        "pred_b": bytes_b[entering],
        "succ": edges.dst[leaving].astype(np.int64),
        "succ_b": bytes_b[leaving],
        "length": length,
        "pair": _pair(instance),
        "release": jobs.release_s[tasks.job].astype(np.float64),
        "deadline": deadline.astype(np.float64),
    }
    time_s, message_s = _median(length.min(axis=1, initial=np.inf)), _message(arrays)
    hot, cold = HOT * (time_s + MESSAGE * message_s), COLD * (time_s or message_s)
    return Table(problem, mode, lane_unit, arrays, hot or 1.0, cold or 1.0)


def _median(times: Floats) -> float:
    """Median of the times above 0, 0 without any."""
    times = times[(times > 0) & np.isfinite(times)]
    return float(np.median(times)) if len(times) else 0.0


def _message(arrays: dict[str, Any]) -> float:
    """Time of a message of median size between two devices of median distance, in s."""
    bytes_b, (latency, per_byte) = arrays["pred_b"], arrays["pair"]
    sent = bytes_b >= 0
    if not sent.any():
        return 0.0
    return _median(latency.ravel() + np.median(bytes_b[sent]) * per_byte.ravel())


def _fastest(modes: list[Mode]) -> dict[int, Mode]:
    best: dict[int, Mode] = {}
    for mode in modes:
        if mode.device not in best or mode.duration < best[mode.device].duration:
            best[mode.device] = mode
    return best


def _lanes(problem: Problem) -> tuple[Ints, list[tuple[int, int]]]:
    """Empty lanes as the kernel wants them, 5 × L, and the (device, unit) of each."""
    rows: list[tuple[int, ...]] = []
    lane_unit: list[tuple[int, int]] = []
    first = 0
    for device, units in enumerate(problem.units):
        for unit in range(units):
            for slot in range(problem.slots[device]):
                rows.append((-1, -1, first + unit, device, len(rows) - 1 if unit or slot else -1))
                lane_unit.append((device, unit))
        first += units
    lanes = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return np.ascontiguousarray(lanes.T), lane_unit


def _pair(instance: Instance) -> Floats:
    """Latency (inf: no path) and seconds per byte by pair of devices, 2 × D × D."""
    wide = len(instance.devices)
    if not len(instance.tensors):
        return np.zeros((2, wide, wide))
    tables = message_tables(instance)
    latency = np.where(tables.allowed, tables.latency_s, np.inf)
    return np.stack([latency, np.where(tables.allowed, tables.s_per_b, 0.0)])


class Chain:
    """One run of the search: its state, its clock, its best state.

    Attributes
    ----------
    shown
        Least makespan, and ORDER and LANE of the state that has it; replaced as a whole, so that
        another thread may read it at any time.
    """

    def __init__(
        self, table: Table, draft: Draft, seed: int, bound: float = math.nan, *, valid: bool = True
    ) -> None:
        from hetopt.schedule.search import best_insertion_kernels as k

        self.kernels = k
        self.table = table
        a, n = table.arrays, table.problem.n_tasks
        self.seq = np.full((8, n), -1, dtype=np.int64)
        self.lanes = a["lanes"].copy()
        self._place(draft)
        self.times = np.zeros((8, n))
        self.times[k.RELEASE] = a["release"]
        self.times[k.LENGTH] = a["length"][np.arange(n), self.lanes[k.DEVICE, self.seq[k.LANE]]]
        self.old = self.seq.copy(), self.lanes.copy(), self.times.copy()
        self.best_state = np.stack([self.seq[k.ORDER], self.seq[k.LANE]])
        self.seed = np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
        self.numbers = np.zeros(k.NUMBERS)
        self.numbers[k.CRITICAL], self.numbers[k.GROUPS] = CRITICAL, GROUPS
        self.numbers[k.BOUND] = 0.0 if math.isnan(bound) else bound
        self.count()
        # An invalid start stands for a makespan above its own, which what is valid is below.
        self.numbers[k.BEST] = self.numbers[k.COST] * (1.0 if valid else 1.0 + NOISE)
        self.count()
        least = self.best if valid else math.inf
        self.shown = (least, self.best_state[0].copy(), self.best_state[1].copy())

    @property
    def best(self) -> float:
        """Least makespan so far, s."""
        return float(self.numbers[self.kernels.BEST])

    def run(self, until: float | None, moves: int | None, stop: threading.Event | None) -> None:
        """Search until the time or the number of moves is used up, or ``stop`` is set."""
        if not math.isfinite(self.best):
            return
        began = time.monotonic()
        chunk = FIRST_CHUNK if moves is None else max(1, moves // DETERMINISTIC_CHUNKS)
        done, fraction, k = 0, 0.0, self.kernels
        n = self.seq.shape[1]
        expected = moves if moves is not None else ((until or began) - began) * TASK_MOVES_PER_S / n
        hot, cold, cycles = self._plan_heat(expected / n)
        while fraction < 1.0 and not (stop is not None and stop.is_set()):
            if self.best <= self.numbers[k.BOUND]:
                return
            at = time.monotonic()
            size = chunk if moves is None else min(chunk, moves - done)
            if moves is not None:
                after = (done + size) / moves
            else:
                left = max(1e-9, (until or at) - began)
                after = min(1.0, (at + CHUNK_S - began) / left)
            cycle = min(int(fraction * cycles), cycles - 1)
            top = max(cold, hot * REHEAT) if cycle else hot
            parts = (min(1.0, f * cycles - cycle) for f in (fraction, after))
            self._search(size, *(top * (cold / top) ** part for part in parts))
            done += size
            fraction = after
            now = time.monotonic()
            if moves is None:
                chunk = int(min(4 * chunk, max(1.0, chunk * CHUNK_S / max(1e-6, now - at))))
                fraction = max(fraction, (now - began) / left)
            if self.best < self.shown[0]:
                self.shown = (self.best, self.best_state[0].copy(), self.best_state[1].copy())
                self.count()

    def plan(self, order: Ints, lane: Ints) -> SchedulePlan | None:
        """Time a state exactly; None where float noise hid that a deadline is missed."""
        table = self.table
        where = [table.lane_unit[i] for i in lane.tolist()]
        mode = [table.mode[task][device] for task, (device, _) in enumerate(where)]
        starts = _starts(table.problem, mode, where, order.tolist(), lane.tolist())
        # In the order of starts any free slot of the unit will do, which holds for no other order.
        rank = {task: (starts[task], i) for i, task in enumerate(order.tolist())}
        by_start = sorted(range(len(mode)), key=rank.__getitem__)
        draft = timed(table.problem, mode, [unit for _, unit in where], by_start)
        return None if draft is None else draft.plan()

    def _plan_heat(self, per_task: float) -> tuple[float, float, int]:
        """First and last heat, and how often it falls, for so many moves per task.

        With few moves the search starts colder: it would not find back to where it started.
        """
        hot, cold = self.table.hot, self.table.cold
        part = min(1.0, per_task / MOVES_TO_COOL)
        cycles = min(CYCLES, max(1, int(per_task / MOVES_TO_REHEAT)))
        return cold * (hot / cold) ** part, cold, cycles

    def _place(self, draft: Draft) -> None:
        """Put the tasks of a schedule on lanes, in the order of their starts."""
        k, problem = self.kernels, self.table.problem
        place = {task: i for i, task in enumerate(problem.order)}
        order = sorted(range(problem.n_tasks), key=lambda t: (draft.start[t], place[t]))
        free: dict[tuple[int, int], list[int]] = {}
        first: dict[tuple[int, int], int] = {}
        for lane, unit in enumerate(self.table.lane_unit):
            first.setdefault(unit, lane)
        for task in order:
            unit = (draft.mode[task].device, draft.unit[task])
            slots = free.setdefault(unit, [0] * problem.slots[unit[0]])
            slot = min(range(len(slots)), key=slots.__getitem__)
            slots[slot] = max(slots[slot], draft.start[task]) + draft.mode[task].duration
            lane = first[unit] + slot
            last = self.lanes[k.LAST, lane]
            self.seq[k.LANE, task], self.seq[k.BEFORE, task] = lane, last
            if last >= 0:
                self.seq[k.NEXT, last] = task
            else:
                self.lanes[k.FIRST, lane] = task
            self.lanes[k.LAST, lane] = task
        self.seq[k.ORDER] = order
        self.seq[k.PLACE, order] = np.arange(problem.n_tasks)

    def count(self) -> None:
        """Count the present state anew, with what deadlines add at the least makespan so far."""
        k, a, numbers = self.kernels, self.table.arrays, self.numbers
        n = self.seq.shape[1]
        late = numbers[k.BEST] * (1.0 - NOISE) - a["deadline"]
        self.times[k.OFFSET] = np.maximum(0.0, late)
        numbers[k.COST] = k.heads(
            k.HEAD, 0, -1, self.seq, self.lanes, self.times, a["task_i"], a["pred"], a["pred_b"],
            a["pair"],
        )  # fmt: skip
        k.tails(
            k.TAIL, n - 1, -1, self.seq, self.lanes, self.times, a["task_i"], a["succ"],
            a["succ_b"], a["pair"],
        )  # fmt: skip
        numbers[k.ON_PATH] = 0.0

    def _search(self, moves: int, hot: float, cold: float) -> None:
        a = self.table.arrays
        names = ("task_i", "pred", "pred_b", "succ", "succ_b", "length", "pair")
        self.kernels.search(
            moves, hot, cold, self.seed, self.numbers, self.seq, self.lanes, self.times,
            *self.old, self.best_state, *(a[name] for name in names),
        )  # fmt: skip


def _starts(
    problem: Problem,
    mode: list[Mode],
    where: list[tuple[int, int]],
    order: list[int],
    lane: list[int],
) -> list[int]:
    """Earliest starts, in ticks, of tasks that run on their lanes in an order."""
    starts = [0] * problem.n_tasks
    free = [0] * (max(lane, default=-1) + 1)
    for task in order:
        at = max(problem.release[task], free[lane[task]])
        for e in problem.entering[task]:
            before, _, tensor = problem.edges[e]
            ready = starts[before] + mode[before].duration
            if tensor >= 0 and where[before] != where[task]:
                ready += problem.delay(tensor, where[before][0], where[task][0]) or 0
            at = max(at, ready)
        starts[task] = at
        free[lane[task]] = at + mode[task].duration
    return starts


def _in_a_row(problem: Problem) -> Draft | None:
    """All tasks one after another on the device that is fastest for all, where there is one.

    Else each on its own fastest device; always on the first unit.
    """
    if not all(problem.modes):
        return None
    fastest = [_fastest(modes) for modes in problem.modes]
    total = {
        device: sum(best[device].duration for best in fastest)
        for device in fastest[0]
        if all(device in best for best in fastest)
    }
    if total:
        least = min(total, key=total.__getitem__)
        mode = [best[least] for best in fastest]
    else:
        mode = [min(best.values(), key=lambda m: m.duration) for best in fastest]
    start = [0] * problem.n_tasks
    for i, task in enumerate(problem.order):
        start[task] = i
    return Draft(problem, mode, [0] * problem.n_tasks, start, {})
