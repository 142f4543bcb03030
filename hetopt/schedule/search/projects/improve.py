"""Improve a makespan under renewable resources and budgets by annealing over activity lists.

Multi-mode project scheduling: precedence, and modes that hold renewable resources while they run
and take from budgets once. A state is a sequence of the tasks and a mode of each within the
budgets; the serial generation scheme times it (:mod:`hetopt.schedule.search.projects.kernels`).
The slots of a device, and power below a cap, are renewable resources too. Method: annealing over
lists and modes as of Bouleimen, Lecocq, "A new efficient simulated annealing algorithm for the
resource-constrained project scheduling problem and its multiple mode version", EJOR 149(2), 2003,
with moves of critical tasks, double justification (Valls, Ballestin, Quintanilla, EJOR 165(2),
2005) and a small weight of the mean end, which tells schedules of one makespan apart; every second
chain also counts what modes hold of the resources, at their prices in the relaxation. It runs in
rounds that grow longer, and ends when three rounds of every worker led to the same makespan.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.evaluate import objective_value
from hetopt.instance import Instance, Ints
from hetopt.runtime.budget import gap_closed
from hetopt.schedule.list_scheduling.constructors import plan_problem
from hetopt.schedule.model.features import has_any
from hetopt.schedule.model.tick_schedule import Draft
from hetopt.schedule.search.projects.table import Columns, columns_of, start_of, units_of
from hetopt.schedule.search.registry import Found, Improved
from hetopt.solution import SchedulePlan

ITERATIONS = 500_000
"""Moves where neither seconds nor iterations are given."""
TASK_MOVES_PER_S = 12_000_000
"""Moves × tasks that one core makes in a second or so; what deterministic seconds count."""
MOST_TASKS = 20_000
"""Tasks above which a single move takes too long."""
CHUNK_S = 0.02
"""Time between two looks at the clock and the stop event."""
FIRST_CHUNK = 100
REPORT_S = 0.25
"""Time between two reports of better plans."""
HOT = 0.5
"""First temperature of a round over the median of the tasks' shortest durations."""
COLD = 0.03
"""Last temperature over the same."""
SETTINGS = {"SMOOTH": 0.3, "CRITICAL": 0.5, "CHANGE": 0.6, "JUSTIFY": 0.05}
"""Settings of the loop, by their names in :mod:`projects.kernels`."""
WEIGHTS = (1.0, 0.0)
"""Weights of what modes cost by the prices of the relaxation, by workers and rounds in turn: where
resources are what limits the makespan they help, where precedence does they mislead."""
ROUNDS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Parts of the time, or of the moves, at which rounds begin and end."""
AGREED = 3
"""Rounds in which all workers come to the best makespan, and no further, before they stop."""
TILES = 64
"""Most profiles that are stored along a sequence; one each ``TILE`` tasks at most."""
TILE = 12


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
    """Look for a plan of lower makespan.

    Parameters
    ----------
    instance
        Of the schedule regime. Nothing is found where it has a feature that the search does not
        know (see :func:`fits`).
    plan
        A valid plan to start from; without one, modes within the budgets are looked for.
    seconds
        Time to spend, first compilation included. With ``iterations`` (moves of each worker)
        instead the answer depends on nothing but the arguments.
    seed, workers
        Each worker anneals in a thread with a seed of its own; each round starts from the best
        state of all.
    stop
        Ends the search early when it is set, with the best so far.
    bound
        Proven bound of the makespan (s): a plan that meets it, rounded up to the grid where that
        is exact, ends the search.
    found
        Called with better plans as they are found.

    Returns
    -------
    Improved
        With the bound rounded up to the grid, where that is exact.
    """
    if not fits(instance):
        return Improved(None)
    if seconds is None and iterations is None:
        iterations = ITERATIONS
    search = _Search(instance, plan, bound, found)
    pace = Pace(seconds, iterations, stop, search.reached)
    if search.columns is None or search.closed() or pace.stopped():
        return search.result()
    start = start_of(search.columns, plan, seed, pace.until)
    if start is None:
        return search.result()
    chains = [Chain(search.columns, start, seed * 1_000 + k) for k in range(max(1, workers))]
    agreed = 0
    for number, part in enumerate(pairwise(ROUNDS)):
        if agreed >= AGREED or chains[0].kept[0] == math.inf or search.closed() or pace.stopped():
            break
        for k, chain in enumerate(chains):
            chain.restart(search.state, WEIGHTS[(k + number) % len(WEIGHTS)])
        search.round(chains, part, pace)
        same = not search.last_better and all(c.best <= search.best for c in chains)
        agreed = agreed + 1 if same else 0
    return search.result()


UNSUPPORTED = (
    "messages",
    "memory limits",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "tasks pinned to a unit",
)


def fits(instance: Instance) -> bool:
    """Whether the search knows every feature that the instance has.

    It knows a makespan as the first objective, options, pins and forbids, units, slots, releases,
    deadlines, the horizon, precedence, resources, and a power cap where idle power does not depend
    on the plan. It does not know messages, finite memory, and tasks together, apart or pinned to a
    unit. Without resources and a power cap it is not needed.
    """
    devices, capped = instance.devices, math.isfinite(instance.limits.power_cap_w)
    known = instance.objective[0] == "makespan" and 0 < len(instance.tasks) <= MOST_TASKS
    plain = not has_any(instance, UNSUPPORTED)
    fixed = devices.idle_power_w == 0
    fixed |= ~devices.off_when_unused & (devices.count_min == devices.count_max)
    return known and plain and (len(instance.uses) > 0 or capped) and (not capped or fixed.all())


def is_compiled() -> bool:
    """Whether the loops are compiled, or their machine code lies on disk (as far as is known)."""
    from hetopt.runtime import jit
    from hetopt.schedule.search.projects.kernels import anneal

    return jit.is_compiled(anneal)


def moves_within(instance: Instance, seconds: float) -> int:
    """Return the number of moves that stands for so many deterministic seconds."""
    return max(1, int(seconds * TASK_MOVES_PER_S / max(1, len(instance.tasks))))


class Pace:
    """How far a search has come: by the clock, or by the number of moves."""

    def __init__(
        self,
        seconds: float | None,
        moves: int | None,
        stop: threading.Event | None,
        reached: Callable[[float], bool],
    ) -> None:
        self.began = time.monotonic()
        self.seconds = seconds
        self.moves = moves if seconds is None else None
        self.reached = reached
        self._stop = stop

    @property
    def until(self) -> float | None:
        """Time on the clock at which the search ends."""
        return None if self.seconds is None else self.began + self.seconds

    def fraction(self, now: float) -> float:
        """Part of the time that has passed; 1 at its end."""
        if self.seconds is None:
            return 0.0
        return min(1.0, (now - self.began) / max(1e-9, self.seconds))

    def stopped(self) -> bool:
        """Whether the search was ended from outside, or time is up."""
        if self._stop is not None and self._stop.is_set():
            return True
        return self.until is not None and time.monotonic() >= self.until


class _Search:
    """The best state of all chains and rounds, and how it becomes a plan."""

    def __init__(
        self, instance: Instance, plan: SchedulePlan | None, bound: float, found: Found | None
    ) -> None:
        self.instance = instance
        self.problem = plan_problem(instance)
        self.columns = columns_of(self.problem)
        self.found = found
        self.known = math.inf if plan is None else objective_value(instance, plan, "makespan")
        self.bound = self._on_grid(bound)
        self.best = math.inf
        self.state: Ints | None = None
        self.plan: SchedulePlan | None = None
        self.last_better = False

    def round(
        self,
        chains: list[Chain],
        part: tuple[float, float],
        pace: Pace,
    ) -> None:
        """Run a round of all chains; ``part`` is its part of the whole."""
        before = self.best
        if len(chains) == 1 and self.found is None:
            chains[0].run(part, pace)
        else:
            with ThreadPoolExecutor(len(chains)) as pool:
                runs = [pool.submit(chain.run, part, pace) for chain in chains]
                while wait(runs, REPORT_S).not_done:
                    self._look(chains)
                for run in runs:
                    run.result()
        self._look(chains)
        self.last_better = self.best < before

    def reached(self, ticks: float) -> bool:
        """Whether a makespan meets the bound."""
        if not ticks < math.inf:
            return False
        return gap_closed(self.problem.grid.seconds(int(ticks)), self.bound, GAP_TOLERANCE)

    def closed(self) -> bool:
        """Whether nothing better than the best plan can be found."""
        return gap_closed(self.known, self.bound, GAP_TOLERANCE) or self.reached(self.best)

    def result(self) -> Improved:
        """Return the best plan, if it is better than the start."""
        return Improved(self.plan, self.bound)

    def _look(self, chains: list[Chain]) -> None:
        """Take the best state of the chains, and report its plan if that is better."""
        chain = min(chains, key=lambda c: c.kept[0])
        value, state = chain.kept
        if not value < self.best:
            return
        self.best, self.state = value, state
        if self.columns is None or not self.problem.grid.seconds(int(value)) < self.known:
            return
        plan = _plan(self.columns, state)
        known = objective_value(self.instance, plan, "makespan")
        if known < self.known:
            self.known, self.plan = known, plan
            if self.found is not None:
                self.found(plan)

    def _on_grid(self, bound: float) -> float:
        """Round a bound up to the grid, of which some best makespan is a multiple if exact."""
        grid = self.problem.grid
        if grid.direction != "exact" or not math.isfinite(bound) or bound <= 0:
            return bound
        ticks = bound / float(grid.tick)
        return max(bound, grid.seconds(math.ceil(ticks - GAP_TOLERANCE * max(1.0, ticks))))


class Chain:
    """One run of annealing: its state, its clock, its best state of a round."""

    def __init__(self, columns: Columns, start: Ints, seed: int) -> None:
        from hetopt.schedule.search.projects import kernels as k

        self.kernels, self.columns = k, columns
        n, words = start.shape[1], columns.guards.shape[1]
        self.seq = np.zeros((6, n), dtype=np.int64)
        self.times = np.zeros((6, n), dtype=np.int64)
        tiles = max(1, min(TILES, n // TILE))
        self.states = np.zeros((2, tiles + 1, 2 * n + 4, 2 + words), dtype=np.int64)
        self.slot = np.zeros(tiles + 1, dtype=np.int64)
        self.numbers = np.zeros(k.NUMBERS)
        for name, value in SETTINGS.items():
            self.numbers[getattr(k, name)] = value
        self.seed = np.random.default_rng(seed).integers(1, 2**63, 1, dtype=np.uint64)
        self.best_state = start.copy()
        self.kept = (math.inf, start)
        self.restart(start, 0.0)

    @property
    def best(self) -> float:
        """Makespan of the best state of this round, in ticks."""
        return float(self.numbers[self.kernels.BEST])

    def restart(self, state: Ints | None, weight: float) -> None:
        """Take a state, tasks in order and modes by task (None: its own best), begin a round."""
        k = self.kernels
        self.price = self.columns.price * weight
        order, mode = self.kept[1] if state is None else state
        self.seq[k.ORDER], self.seq[k.MODE] = order, mode
        self.seq[k.POSITION, order] = np.arange(len(order))
        self.spare = self.columns.spare_of(mode)
        self.numbers[k.BEST], self.numbers[k.ON_PATH] = np.inf, 0
        self._anneal(0, 1.0, 1.0)
        self._keep()
        if self.best < math.inf:
            self.numbers[k.BEST] = np.inf

    def run(self, part: tuple[float, float], pace: Pace) -> None:
        """Anneal for a part of the time or of the moves."""
        begin, end = part
        hot, cold = (factor * self.columns.typical for factor in (HOT, COLD))
        fraction, done, chunk = begin, 0, FIRST_CHUNK
        moves = None if pace.moves is None else math.ceil(pace.moves * (end - begin))
        while fraction < end and not pace.stopped() and not pace.reached(self.kept[0]):
            at = time.monotonic()
            if moves is not None:
                size = min(chunk, moves - done)
                after = begin + (end - begin) * (done + size) / moves
            else:
                size = chunk
                after = min(end, max(fraction, pace.fraction(at + CHUNK_S)))
            reached = ((f - begin) / (end - begin) for f in (fraction, after))
            self._anneal(size, *(hot * (cold / hot) ** f for f in reached))
            self._keep()
            done += size
            fraction = after if moves is None or done < moves else end
            now = time.monotonic()
            if moves is None:
                chunk = int(min(4 * chunk, max(1.0, chunk * CHUNK_S / max(1e-6, now - at))))
                fraction = max(fraction, pace.fraction(now))
            else:
                chunk = max(chunk, moves // 100)

    def _keep(self) -> None:
        if self.best < self.kept[0]:
            self.kept = (self.best, self.best_state.copy())

    def _anneal(self, moves: int, hot: float, cold: float) -> None:
        c = self.columns
        self.kernels.anneal(
            moves, hot, cold, self.seed, self.numbers, self.seq, self.times, self.states,
            self.slot, self.spare, self.best_state, c.task_i, c.links, c.mode_i, c.guards,
            self.price,
        )  # fmt: skip


def _plan(columns: Columns, state: Ints) -> SchedulePlan:
    """Return the plan of a state; its times are exact, as the kernel counts ticks."""
    problem, chain = columns.problem, Chain(columns, state, 0)
    start = chain.times[chain.kernels.START].tolist()
    modes = [columns.modes[m] for m in state[1].tolist()]
    return Draft(problem, modes, units_of(problem, modes, start), start, {}).plan()
