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
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance, Ints
from hetopt.runtime.budget import gap_closed
from hetopt.runtime.effort import Effort
from hetopt.schedule.model.features import ON_MESSAGES, beyond
from hetopt.schedule.model.tick_schedule import TickSchedule
from hetopt.schedule.search.local_search import LocalSearch, xorshift_seed
from hetopt.schedule.search.projects.table import Columns, columns_of, start_of, units_of
from hetopt.solution import SchedulePlan

MOST_TASKS = 20_000
"""Tasks above which a single move takes too long."""
FIRST_CHUNK = 100
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


SUPPORTED = ("a power cap", "resources", "prices that change over time", *ON_MESSAGES[1:])


def fits(instance: Instance) -> bool:
    """Whether the search knows every feature that the instance has.

    It knows a makespan as the first objective, options, pins and forbids, units, slots, releases,
    deadlines, the horizon, precedence, resources, and a power cap where idle power does not depend
    on the plan. It does not know messages, finite memory, and tasks together, apart or pinned to a
    unit. Without resources and a power cap it is not needed.
    """
    devices, capped = instance.devices, math.isfinite(instance.limits.power_cap_w)
    known = instance.objective[0] == "makespan" and 0 < len(instance.tasks) <= MOST_TASKS
    plain = not beyond(instance, SUPPORTED)
    fixed = devices.idle_power_w == 0
    fixed |= ~devices.off_when_unused & (devices.count_min == devices.count_max)
    return known and plain and (len(instance.uses) > 0 or capped) and (not capped or fixed.all())


class ProjectAnnealing(LocalSearch["Chain"]):
    """Annealing in rounds, each from the best state of all."""

    LOOPS = ("projects.kernels:anneal",)
    MOVES = 500_000
    TASK_MOVES_PER_S = 12_000_000
    fits = staticmethod(fits)

    def chains(self) -> list[Chain]:
        """Chains that start from modes within the budgets, those of the plan if there is one."""
        self.bound = self.proven = self._on_grid(self.bound)
        columns = None if self.closed() else columns_of(self.problem)
        if columns is None:
            return []
        self.columns = columns
        start = start_of(columns, self.start, self.seed, self.effort.until)
        if start is None:
            return []
        seeds = [self.seed * 1_000 + k for k in range(self.workers)]
        return [Chain(columns, start, seed, self.reached) for seed in seeds]

    def go(self, chains: Sequence[Chain], part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Run the rounds."""
        agreed = 0
        for number, part in enumerate(pairwise(ROUNDS)):
            done = agreed >= AGREED or chains[0].shown[0] == math.inf
            if done or self.closed() or self.reached(self.seen) or self.effort.over():
                return
            for k, chain in enumerate(chains):
                chain.restart(self.state, WEIGHTS[(k + number) % len(WEIGHTS)])
            before = self.seen
            super().go(chains, part)
            same = self.seen >= before and all(c.best <= self.seen for c in chains)
            agreed = agreed + 1 if same else 0

    def reached(self, ticks: float) -> bool:
        """Whether a makespan meets the bound."""
        if not ticks < math.inf:
            return False
        return gap_closed(self.problem.grid.seconds(int(ticks)), self.bound, GAP_TOLERANCE)

    def plan_of(self, state: Ints) -> SchedulePlan | None:
        """Return the plan of a state; its times are exact, as the kernel counts ticks."""
        chain = Chain(self.columns, state, 0, self.reached)
        start = chain.times[chain.kernels.START].tolist()
        modes = [self.columns.modes[m] for m in state[1].tolist()]
        units = units_of(self.problem, modes, start)
        return TickSchedule(self.problem, modes, units, start, {}).plan()

    def _on_grid(self, bound: float) -> float:
        """Round a bound up to the grid, of which some best makespan is a multiple if exact."""
        grid = self.problem.grid
        if grid.direction != "exact" or not math.isfinite(bound) or bound <= 0:
            return bound
        ticks = bound / float(grid.tick)
        return max(bound, grid.seconds(math.ceil(ticks - GAP_TOLERANCE * max(1.0, ticks))))


class Chain:
    """One run of annealing: its state, its clock, its best state of a round."""

    def __init__(
        self, columns: Columns, start: Ints, seed: int, reached: Callable[[float], bool]
    ) -> None:
        from hetopt.schedule.search.projects import kernels as k

        self.kernels, self.columns, self.reached = k, columns, reached
        n, words = start.shape[1], columns.guards.shape[1]
        self.seq = np.zeros((6, n), dtype=np.int64)
        self.times = np.zeros((6, n), dtype=np.int64)
        tiles = max(1, min(TILES, n // TILE))
        self.states = np.zeros((2, tiles + 1, 2 * n + 4, 2 + words), dtype=np.int64)
        self.slot = np.zeros(tiles + 1, dtype=np.int64)
        self.numbers = np.zeros(k.NUMBERS)
        for name, value in SETTINGS.items():
            self.numbers[getattr(k, name)] = value
        self.seed = xorshift_seed(seed)
        self.best_state = start.copy()
        self.shown = (math.inf, start)
        self.restart(start, 0.0)

    @property
    def best(self) -> float:
        """Makespan of the best state of this round, in ticks."""
        return float(self.numbers[self.kernels.BEST])

    def restart(self, state: Ints | None, weight: float) -> None:
        """Take a state, tasks in order and modes by task (None: its own best), begin a round."""
        k = self.kernels
        self.price = self.columns.price * weight
        order, mode = self.shown[1] if state is None else state
        self.seq[k.ORDER], self.seq[k.MODE] = order, mode
        self.seq[k.POSITION, order] = np.arange(len(order))
        self.spare = self.columns.spare_of(mode)
        self.numbers[k.BEST], self.numbers[k.ON_PATH] = np.inf, 0
        self._anneal(0, 1.0, 1.0)
        self._keep()
        if self.best < math.inf:
            self.numbers[k.BEST] = np.inf

    def run(self, effort: Effort, part: tuple[float, float] = (0.0, 1.0)) -> None:
        """Anneal for a part of the time or of the moves."""
        hot, cold = (factor * self.columns.typical for factor in (HOT, COLD))
        for moves, *parts in effort.steps(FIRST_CHUNK, part):
            if self.reached(self.shown[0]):
                return
            self._anneal(moves, *(hot * (cold / hot) ** f for f in parts))
            self._keep()

    def _keep(self) -> None:
        if self.best < self.shown[0]:
            self.shown = (self.best, self.best_state.copy())

    def _anneal(self, moves: int, hot: float, cold: float) -> None:
        c = self.columns
        self.kernels.anneal(
            moves, hot, cold, self.seed, self.numbers, self.seq, self.times, self.states,
            self.slot, self.spare, self.best_state, c.task_i, c.links, c.mode_i, c.guards,
            self.price,
        )  # fmt: skip
