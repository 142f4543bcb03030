"""Annealing of an assignment: the inner loop of :mod:`assignment.improve`.

Each of n tasks takes one of its columns; a column takes ``use`` of one row's capacity and costs
``cost``. With prices of rows, a state's energy is

    Σ reduced cost + Σ_r (stiffness × price × load above the capacity
                          + min(stiffness, 1) × price × load below the capacity).

Columns of low reduced cost make a good assignment, but loads must meet capacities nearly exactly,
and one task alone moves them far. So the temperature stays where reduced costs add up to the gap
that is left, while the stiffness rises: loads, soft at first, are annealed on their own.

Moves: shift a task to another column; shift it and send a task of the row it enters to another
row (an ejection chain of two; M. Yagiura, T. Ibaraki, F. Glover, European Journal of Operational
Research 169, 2006), which may send one to the row that the first left (cycles of two and three
tasks change loads least, and so still pass when the stiffness is high). Only some columns of each
task are tried, which the caller chooses. The acceptance's random number is drawn first.

For n tasks, K columns of all tasks and R rows:

========== ============= ==========================================================================
array      shape         what
========== ============= ==========================================================================
rng        1 uint        state of the generator
movable    M int         tasks with two columns at least that are tried; lists hold only those
task       n × 2 int     first position in ``order``, number of positions that are tried
order      K int         columns by task, the best first
column     K × 2 int     row, use
cost       K × 2         reduced cost, cost
tried      K bool        whether a column is among those that are tried
at         n × (R + 1)   int32: columns of a task on row r are ``at[t, r]`` to ``at[t, r + 1]``
row        R × 3 int     load, number of movable tasks, capacity
price      R × 2         prices of what a load is above, and below, the capacity
state      2 × n int     column of each task, its place among the row's tasks
member     R × n         int32: the tasks of each row
best       n int         best state without excess
numbers    3             cost, cost of ``best``, whether the first such state is enough
========== ============= ==========================================================================

All arrays come from the caller: the functions make none (see :mod:`hetopt.runtime.jit`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import bits, random

COST, BEST, FIRST = range(3)
NUMBERS = 3
LOAD, SIZE, CAPACITY = range(3)
STEP = 64
"""Moves between two changes of stiffness."""


@jit
def anneal(
    moves: int,
    temperature: float,
    soft: float,
    stiff: float,
    rng: Any,
    movable: Any,
    task: Any,
    order: Any,
    column: Any,
    cost: Any,
    tried: Any,
    at: Any,
    row: Any,
    price: Any,
    state: Any,
    member: Any,
    best: Any,
    numbers: Any,
) -> bool:
    """Make so many moves while the stiffness rises; return whether the first state was enough."""
    n, choices = task.shape[0], movable.shape[0]
    stiffness = soft
    rise = (stiff / soft) ** (STEP / max(moves, STEP))
    over = np.int64(0)
    for r in range(row.shape[0]):
        over += max(0, row[r, 0] - row[r, 2])
    for move in range(moves):
        if move % STEP == STEP - 1:
            stiffness *= rise
        t = movable[below(rng, choices)]
        old = state[0, t]
        new = order[task[t, 0] + below(rng, task[t, 1])]
        if new == old:
            continue
        here, there = column[old, 0], column[new, 0]
        slack = -temperature * math.log(random(rng) + 1e-300)
        delta = cost[new, 0] - cost[old, 0]
        change = cost[new, 1] - cost[old, 1]
        if here == there:
            load = row[here, 0] - column[old, 1] + column[new, 1]
            delta += shifted(row, price, stiffness, here, load)
            if delta > slack:
                continue
            over += raised(row, here, load)
            row[here, 0] = load
            state[0, t] = new
        else:
            left = row[here, 0] - column[old, 1]
            entered = row[there, 0] + column[new, 1]
            if row[there, 1] == 0 or bits(rng) % np.uint64(4) == 0:
                delta += shifted(row, price, stiffness, here, left)
                delta += shifted(row, price, stiffness, there, entered)
                if delta > slack:
                    continue
                over += raised(row, here, left) + raised(row, there, entered)
                row[here, 0], row[there, 0] = left, entered
                state[0, t] = new
                transfer(t, here, there, row, state, member)
            else:
                other = member[there, below(rng, row[there, 1])]
                was = state[0, other]
                if bits(rng) % np.uint64(2) == 0:
                    becomes = order[task[other, 0] + below(rng, task[other, 1])]
                else:
                    begin, end = at[other, here], at[other, here + 1]
                    if begin == end:
                        continue
                    becomes = begin + below(rng, end - begin)
                    if not tried[becomes]:
                        continue
                onto = column[becomes, 0]
                if onto == there:
                    continue
                entered -= column[was, 1]
                delta += cost[becomes, 0] - cost[was, 0]
                change += cost[becomes, 1] - cost[was, 1]
                third = row[onto, 0] + column[becomes, 1]
                last, closes = np.int64(-1), np.int64(-1)
                if onto == here:
                    left += column[becomes, 1]
                elif row[onto, 1] > 0 and bits(rng) % np.uint64(8) != 0:
                    last = member[onto, below(rng, row[onto, 1])]
                    begin, end = at[last, here], at[last, here + 1]
                    if begin == end:
                        continue
                    closes = begin + below(rng, end - begin)
                    if not tried[closes]:
                        continue
                    gone = state[0, last]
                    third -= column[gone, 1]
                    left += column[closes, 1]
                    delta += cost[closes, 0] - cost[gone, 0]
                    change += cost[closes, 1] - cost[gone, 1]
                if onto != here:
                    delta += shifted(row, price, stiffness, onto, third)
                delta += shifted(row, price, stiffness, here, left)
                delta += shifted(row, price, stiffness, there, entered)
                if delta > slack:
                    continue
                over += raised(row, here, left) + raised(row, there, entered)
                row[here, 0], row[there, 0] = left, entered
                if onto != here:
                    over += raised(row, onto, third)
                    row[onto, 0] = third
                state[0, t], state[0, other] = new, becomes
                transfer(t, here, there, row, state, member)
                transfer(other, there, onto, row, state, member)
                if last >= 0:
                    state[0, last] = closes
                    transfer(last, onto, here, row, state, member)
        numbers[0] += change
        if over == 0 and numbers[0] < numbers[1] - 1e-9 * abs(numbers[1]):
            numbers[1] = numbers[0]
            for i in range(n):
                best[i] = state[0, i]
            if numbers[2] > 0:
                return True
    return False


@inner
def shifted(row: Any, price: Any, stiffness: float, r: int, load: int) -> Any:
    """Change of a row's penalty with another load."""
    after, before = load - row[r, 2], row[r, 0] - row[r, 2]
    above, below = stiffness * price[r, 0], -min(stiffness, 1.0) * price[r, 1]
    value = above * after if after > 0 else below * after
    return value - (above * before if before > 0 else below * before)


@inner
def raised(row: Any, r: int, load: int) -> Any:
    """Change of a row's excess with another load."""
    return max(0, load - row[r, 2]) - max(0, row[r, 0] - row[r, 2])


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
def below(rng: Any, n: int) -> Any:
    """Random integer from 0 to n - 1 (n < 2^31)."""
    return np.int64(((bits(rng) >> np.uint64(33)) * np.uint64(n)) >> np.uint64(31))
