"""Annealing of an assignment: the inner loop of :mod:`assignment`.

Each of n tasks takes one of its columns; a column takes ``use`` of one row's capacity and costs
``cost``. A state's energy is

    Σ cost + Σ_r weight[r] × max(0, load[r] - capacity[r]).

Moves: shift a task to another column; shift it and send a task of the row it enters to another
row (an ejection chain of two; M. Yagiura, T. Ibaraki, F. Glover, European Journal of Operational
Research 169, 2006) or to the row that it left (a swap). Only the tasks' best columns by reduced
cost are tried, which the caller orders. The acceptance's random number is drawn first.

For n tasks, K columns of all tasks and R rows:

========== ============= ==========================================================================
array      shape         what
========== ============= ==========================================================================
rng        1 uint        state of the generator
task       n × 2 int     first position in ``order``, number of positions that are tried
order      K int         columns by task, the best first
column     K × 2 int     row, use
cost       K             cost
at         n × (R + 1)   int32: columns of a task on row r are ``at[t, r]`` to ``at[t, r + 1]``
row        R × 3 int     load, number of tasks, capacity
weight     R             price of what a load is above the capacity
state      2 × n int     column of each task, its place among the row's tasks
member     R × n         int32: the tasks of each row
best       n int         best state without excess
numbers    4             cost, energy, cost of ``best``, whether the first such state is enough
========== ============= ==========================================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.schedule.jit import inner, jit

COST, ENERGY, BEST, FIRST = range(4)
NUMBERS = 4
LOAD, SIZE, CAPACITY = range(3)
COOLING_STEP = 64
"""Moves between two changes of temperature."""
NONE = 1e300
"""Cost of ``best`` while there is none."""


@jit
def anneal(
    moves: int,
    hot: float,
    cold: float,
    rng: Any,
    task: Any,
    order: Any,
    column: Any,
    cost: Any,
    at: Any,
    row: Any,
    weight: Any,
    state: Any,
    member: Any,
    best: Any,
    numbers: Any,
) -> int:
    """Make so many moves while the temperature falls; return how many were made."""
    n = task.shape[0]
    temperature = hot
    fall = (cold / hot) ** (COOLING_STEP / max(moves, COOLING_STEP))
    for move in range(moves):
        if move % COOLING_STEP == COOLING_STEP - 1:
            temperature *= fall
        t = below(rng, n)
        old = state[0, t]
        new = order[task[t, 0] + below(rng, task[t, 1])]
        if new == old:
            continue
        here, there = column[old, 0], column[new, 0]
        slack = -temperature * math.log(fraction(rng) + 1e-300)
        change = cost[new] - cost[old]
        if here == there:
            load = row[here, 0] - column[old, 1] + column[new, 1]
            delta = (
                change + excess(row, weight, here, load) - excess(row, weight, here, row[here, 0])
            )
            if delta > slack:
                continue
            row[here, 0] = load
            state[0, t] = new
        else:
            left = row[here, 0] - column[old, 1]
            entered = row[there, 0] + column[new, 1]
            delta = change - excess(row, weight, here, row[here, 0])
            delta -= excess(row, weight, there, row[there, 0])
            if row[there, 1] == 0 or draw(rng) % np.uint64(4) == 0:
                delta += excess(row, weight, here, left) + excess(row, weight, there, entered)
                if delta > slack:
                    continue
                row[here, 0], row[there, 0] = left, entered
                state[0, t] = new
                transfer(t, here, there, row, state, member)
            else:
                other = member[there, below(rng, row[there, 1])]
                was = state[0, other]
                if draw(rng) % np.uint64(2) == 0:
                    becomes = order[task[other, 0] + below(rng, task[other, 1])]
                else:
                    begin, end = at[other, here], at[other, here + 1]
                    if begin == end:
                        continue
                    becomes = begin + below(rng, end - begin)
                onto = column[becomes, 0]
                if onto == there:
                    continue
                entered -= column[was, 1]
                change += cost[becomes] - cost[was]
                delta += cost[becomes] - cost[was]
                third = row[onto, 0] + column[becomes, 1]
                if onto == here:
                    left += column[becomes, 1]
                else:
                    delta += excess(row, weight, onto, third)
                    delta -= excess(row, weight, onto, row[onto, 0])
                delta += excess(row, weight, here, left) + excess(row, weight, there, entered)
                if delta > slack:
                    continue
                row[here, 0], row[there, 0] = left, entered
                if onto != here:
                    row[onto, 0] = third
                state[0, t], state[0, other] = new, becomes
                transfer(t, here, there, row, state, member)
                transfer(other, there, onto, row, state, member)
        numbers[0] += change
        numbers[1] += delta
        # Sums drift, so that what looks better and without excess is looked at row by row.
        close = 1e-7 * (1.0 + abs(numbers[1]))
        if numbers[1] - numbers[0] < close and numbers[0] < numbers[2] - 1e-9 * abs(numbers[2]):
            if fitting(row):
                numbers[2] = numbers[0]
                for i in range(n):
                    best[i] = state[0, i]
                if numbers[3] > 0:
                    return move + 1
    return moves


@inner
def fitting(row: Any) -> bool:
    """Whether no load is above its capacity."""
    for r in range(row.shape[0]):
        if row[r, 0] > row[r, 2]:
            return False
    return True


@inner
def excess(row: Any, weight: Any, r: int, load: int) -> float:
    """Penalty of a row with this load."""
    over = load - row[r, 2]
    return weight[r] * over if over > 0 else 0.0


@inner
def transfer(t: int, here: int, there: int, row: Any, state: Any, member: Any) -> None:
    """Move a task from one row's list to another's."""
    place = state[1, t]
    last = member[here, row[here, 1] - 1]
    member[here, place] = last
    state[1, last] = place
    row[here, 1] -= 1
    member[there, row[there, 1]] = t
    state[1, t] = row[there, 1]
    row[there, 1] += 1


@inner
def draw(rng: Any) -> Any:
    """Next 64 random bits (G. Marsaglia's xorshift, 2003)."""
    x = rng[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    rng[0] = x
    return x


@inner
def below(rng: Any, n: int) -> int:
    """Random integer from 0 to n - 1 (n < 2^31)."""
    return np.int64(((draw(rng) >> np.uint64(33)) * np.uint64(n)) >> np.uint64(31))


@inner
def fraction(rng: Any) -> float:
    """Random number in [0, 1)."""
    return (draw(rng) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
