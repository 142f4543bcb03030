"""Shorten a schedule by best insertion on its graph: for the makespan, with messages.

Annealing whose moves are priced exactly and all at once;
:mod:`hetopt.schedule.search.best_insertion_kernels` has the method. It counts in floats; the best
state is timed anew in integers on the plan grid, so that the checker finds the same decimals.

Deadlines need no penalty. With B the least makespan so far, a task that must end by D counts with
its end + max(0, B - D) beside its end, so that whatever counts for less than B meets D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.paths import message_tables
from hetopt.runtime.effort import PARTS, Effort
from hetopt.schedule.model.problem import Mode, Problem
from hetopt.schedule.model.tick_schedule import TickSchedule, tick_schedule_of, timed
from hetopt.schedule.search.decoder_features import fits_plain
from hetopt.schedule.search.local_search import LocalSearch, xorshift_seed
from hetopt.solution import SchedulePlan

if TYPE_CHECKING:
    from hetopt.schedule.search.best_insertion_kernels import Graph

TASK_MOVES_PER_S = 15_000_000
"""Moves × tasks that one core makes in a second or so; what deterministic seconds count."""
FIRST_CHUNK = 100
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


def fits(instance: Instance) -> bool:
    """Whether the search knows every feature that the instance has, and the makespan is wanted.

    It knows what annealing does without limits that tie units together
    (:func:`hetopt.schedule.search.decoder_features.fits_plain`).
    """
    cells = len(instance.tasks) * len(instance.devices)
    if instance.objective[0] != "makespan" or cells > MOST_CELLS:
        return False
    return fits_plain(instance)


class BestInsertion(LocalSearch["Chain"]):
    """Annealing by best insertion, from a plan, or from all tasks in a row."""

    LOOPS = ("best_insertion_kernels:search",)
    MOVES = 200_000
    TASK_MOVES_PER_S = TASK_MOVES_PER_S
    fits = staticmethod(fits)

    def chains(self) -> list[Chain]:
        """Chains that start from the plan."""
        valid = self.start is not None
        if self.start is None:
            schedule = _in_a_row(self.problem)
        else:
            schedule = tick_schedule_of(self.problem, self.start)
        if schedule is None:
            return []
        self.table = table_of(self.problem)
        self.seen = self.known
        return [
            Chain(self.table, schedule, self.seed * 1_000 + k, self.bound, valid=valid)
            for k in range(self.workers)
        ]

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Time a state exactly; None where float noise hid that a deadline is missed."""
        table = self.table
        order, lane = state
        where = [table.lane_unit[i] for i in lane.tolist()]
        mode = [table.mode[task][device] for task, (device, _) in enumerate(where)]
        starts = _starts(table.problem, mode, where, order.tolist(), lane.tolist())
        # In the order of starts any free slot of the unit will do, which holds for no other order.
        rank = {task: (starts[task], i) for i, task in enumerate(order.tolist())}
        by_start = sorted(range(len(mode)), key=rank.__getitem__)
        schedule = timed(table.problem, mode, [unit for _, unit in where], by_start)
        return None if schedule is None else schedule.plan()


@dataclass(frozen=True)
class Table:
    """The instance as the kernel reads it.

    Attributes
    ----------
    mode
        Per task: its fastest mode on each device.
    lane_unit
        (device, unit) of each lane.
    graph, lanes
        As in :mod:`search.best_insertion_kernels`; the lanes are empty.
    release, deadline
        Of each task.
    hot, cold
        First and last heat, s.
    """

    problem: Problem
    mode: list[dict[int, Mode]]
    lane_unit: list[tuple[int, int]]
    graph: Graph
    lanes: Ints
    release: Floats
    deadline: Floats
    hot: float
    cold: float


def table_of(problem: Problem) -> Table:
    """Pack the columns of an instance for the kernel."""
    from hetopt.schedule.search.best_insertion_kernels import Graph

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
    graph = Graph(
        task_i=np.ascontiguousarray(np.stack(ends, axis=1), dtype=np.int64),
        pred=edges.src[entering].astype(np.int64),
        pred_b=bytes_b[entering],
        succ=edges.dst[leaving].astype(np.int64),
        succ_b=bytes_b[leaving],
        length=length,
        pair=_pair(instance),
    )
    time_s, message_s = _median(length.min(axis=1, initial=np.inf)), _message(graph)
    hot, cold = HOT * (time_s + MESSAGE * message_s), COLD * (time_s or message_s)
    release = jobs.release_s[tasks.job].astype(np.float64)
    return Table(
        problem, mode, lane_unit, graph, lanes, release, deadline.astype(np.float64),
        hot or 1.0, cold or 1.0,
    )  # fmt: skip


def _median(times: Floats) -> float:
    """Median of the times above 0, 0 without any."""
    times = times[(times > 0) & np.isfinite(times)]
    return float(np.median(times)) if len(times) else 0.0


def _message(graph: Graph) -> float:
    """Time of a message of median size between two devices of median distance, in s."""
    bytes_b, (latency, per_byte) = graph.pred_b, graph.pair
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
        Least makespan, and ORDER and LANE of the state that has it.
    """

    def __init__(
        self,
        table: Table,
        schedule: TickSchedule,
        seed: int,
        bound: float = math.nan,
        *,
        valid: bool = True,
    ) -> None:
        from hetopt.schedule.search import best_insertion_kernels as k

        self.kernels = k
        self.table = table
        n = table.problem.n_tasks
        self.seq = np.full((8, n), -1, dtype=np.int64)
        self.lanes = table.lanes.copy()
        self._place(schedule)
        self.times = np.zeros((8, n))
        self.times[k.RELEASE] = table.release
        self.times[k.LENGTH] = table.graph.length[
            np.arange(n), self.lanes[k.DEVICE, self.seq[k.LANE]]
        ]
        self.state = k.State(self.seq, self.lanes, self.times)
        self.old = k.State(self.seq.copy(), self.lanes.copy(), self.times.copy())
        self.best_state = np.stack([self.seq[k.ORDER], self.seq[k.LANE]])
        self.seed = xorshift_seed(seed)
        self.numbers = np.zeros(k.NUMBERS)
        self.numbers[k.CRITICAL], self.numbers[k.GROUPS] = CRITICAL, GROUPS
        self.numbers[k.BOUND] = 0.0 if math.isnan(bound) else bound
        self.count()
        # An invalid start stands for a makespan above its own, which what is valid is below.
        self.numbers[k.BEST] = self.numbers[k.COST] * (1.0 if valid else 1.0 + NOISE)
        self.count()
        self.shown = (self.best if valid else math.inf, self.best_state.copy())

    @property
    def best(self) -> float:
        """Least makespan so far, s."""
        return float(self.numbers[self.kernels.BEST])

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Search until the effort is over."""
        if not math.isfinite(self.best):
            return
        k, n, moves = self.kernels, self.seq.shape[1], effort.moves
        expected = effort.left_s() * TASK_MOVES_PER_S / n if moves is None else moves
        hot, cold, cycles = self._plan_heat(expected / n)
        first = FIRST_CHUNK if moves is None else max(1, moves // PARTS)
        for size, *parts in effort.steps(first, part):
            if self.best <= self.numbers[k.BOUND]:
                effort.met.set()
                return
            cycle = min(int(parts[0] * cycles), cycles - 1)
            top = max(cold, hot * REHEAT) if cycle else hot
            within = (min(1.0, f * cycles - cycle) for f in parts)
            self._search(size, *(top * (cold / top) ** f for f in within))
            if self.best < self.shown[0]:
                self.shown = (self.best, self.best_state.copy())
                self.count()

    def _plan_heat(self, per_task: float) -> tuple[float, float, int]:
        """First and last heat, and how often it falls, for so many moves per task.

        With few moves the search starts colder: it would not find back to where it started.
        """
        hot, cold = self.table.hot, self.table.cold
        part = min(1.0, per_task / MOVES_TO_COOL)
        cycles = min(CYCLES, max(1, int(per_task / MOVES_TO_REHEAT)))
        return cold * (hot / cold) ** part, cold, cycles

    def _place(self, schedule: TickSchedule) -> None:
        """Put the tasks of a schedule on lanes, in the order of their starts."""
        k, problem = self.kernels, self.table.problem
        place = {task: i for i, task in enumerate(problem.order)}
        order = sorted(range(problem.n_tasks), key=lambda t: (schedule.start[t], place[t]))
        free: dict[tuple[int, int], list[int]] = {}
        first: dict[tuple[int, int], int] = {}
        for lane, unit in enumerate(self.table.lane_unit):
            first.setdefault(unit, lane)
        for task in order:
            unit = (schedule.mode[task].device, schedule.unit[task])
            slots = free.setdefault(unit, [0] * problem.slots[unit[0]])
            slot = min(range(len(slots)), key=slots.__getitem__)
            slots[slot] = max(slots[slot], schedule.start[task]) + schedule.mode[task].duration
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
        k, graph, numbers = self.kernels, self.table.graph, self.numbers
        n = self.seq.shape[1]
        late = numbers[k.BEST] * (1.0 - NOISE) - self.table.deadline
        self.times[k.OFFSET] = np.maximum(0.0, late)
        numbers[k.COST] = k.heads(k.HEAD, 0, -1, self.state, graph)
        k.tails(k.TAIL, n - 1, -1, self.state, graph)
        numbers[k.ON_PATH] = 0.0

    def _search(self, moves: int, hot: float, cold: float) -> None:
        self.kernels.search(
            moves, hot, cold, self.seed, self.numbers, self.state, self.old, self.best_state,
            self.table.graph,
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


def _in_a_row(problem: Problem) -> TickSchedule | None:
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
    return TickSchedule(problem, mode, [0] * problem.n_tasks, start, {})
