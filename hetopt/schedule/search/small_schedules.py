"""Small schedules by trial: annealing over mappings, orders and what waits, in plain Python.

For instances that are so small that compiling a search takes longer than all that is to be tried.
Each state is decoded forward in time (:mod:`hetopt.schedule.list_scheduling.limited.decoder`), and
judged by what its plan is worth. Method: Kirkpatrick, Gelatt, Vecchi, Science 220, 1983.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator

import numpy as np

from hetopt.evaluate import objectives
from hetopt.instance import Instance, is_maximised
from hetopt.runtime.budget import Budget
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.model.problem import plan_problem
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify import verify

SMALL = 24
"""Tasks up to which plain Python is quick enough."""
STATES_PER_S = 1_000
"""States that stand for a deterministic second."""
MOST_STATES = 3_000
"""States after which there is hardly anything new among so few tasks."""
HOT, COLD = 0.1, 0.002
"""First and last temperature, over the value of the first plan."""


def by_trial(
    instance: Instance, start: SchedulePlan | None, seconds: float, budget: Budget
) -> Iterator[SchedulePlan]:
    """Yield plans, each better than those before it by the first objective.

    The checker accepts each: it knows what the decoder does not.
    """
    rng = random.Random(budget.seed)
    problem, name = plan_problem(instance), instance.objective[0]
    sign = -1.0 if is_maximised(name) else 1.0
    choices = [
        [(mode.option, unit) for mode in modes for unit in range(problem.units[mode.device])]
        for modes in problem.modes
    ]
    pinned = instance.tasks.pin_unit.tolist()
    choices = [
        [(o, u) for o, u in own if pin in (-1, u)] for own, pin in zip(choices, pinned, strict=True)
    ]
    if not all(choices):
        return
    n = problem.n_tasks
    place = {task: i for i, task in enumerate(problem.order)}
    if start is None:
        rank = [float(place[t]) for t in range(n)]
        mapping = [rng.choice(own) for own in choices]
    else:
        order = sorted(range(n), key=lambda t: (float(start.start_s[t]), place[t]))
        rank = [float(order.index(t)) for t in range(n)]
        mapping = list(zip(start.option.tolist(), start.unit.tolist(), strict=True))
    waits = [0] * n
    states = MOST_STATES
    if budget.deterministic:
        states = min(states, int(seconds * STATES_PER_S))
    until = math.inf if budget.deterministic else time.monotonic() + seconds

    def value(
        rank: list[float], mapping: list[tuple[int, int]], waits: list[int]
    ) -> tuple[float, SchedulePlan | None]:
        plan = SchedulePlan(
            np.array([o for o, _ in mapping], dtype=np.int64),
            np.array([u for _, u in mapping], dtype=np.int64),
            np.array(rank, dtype=np.float64),
            Hops.empty(),
        )
        made = within_limits(instance, plan, patient=np.array(waits, dtype=np.int64))
        if made is None:
            return math.inf, None
        return sign * objectives(instance, made, (name,))[0], made

    cost, plan = value(rank, mapping, waits)
    best = math.inf
    if plan is not None and verify(instance, plan).ok:
        best = cost
        yield plan
    heat = max(abs(cost), 1e-300) if math.isfinite(cost) else 1.0
    for step in range(states):
        if budget.stop.is_set() or time.monotonic() > until:
            return
        task = rng.randrange(n)
        old = rank[task], mapping[task], waits[task]
        kind = rng.random()
        if kind < 0.4 and len(choices[task]) > 1:
            mapping[task] = rng.choice(choices[task])
        elif kind < 0.65:
            waits[task] = 1 - waits[task]
        else:
            rank[task] = rng.random() * n
        new, plan = value(rank, mapping, waits)
        better = plan is not None and new < best - 1e-12 * abs(best)
        if better and plan is not None and not verify(instance, plan).ok:
            new, better = math.inf, False
        heated = heat * HOT * (COLD / HOT) ** (step / states)
        if new <= cost or rng.random() < math.exp(min(0.0, (cost - new) / heated)):
            cost = new
            if better and plan is not None:
                best = new
                yield plan
        else:
            rank[task], mapping[task], waits[task] = old
