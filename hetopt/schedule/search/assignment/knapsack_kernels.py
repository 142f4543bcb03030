"""Lagrangian bounds of an assignment: prices of capacities, and prices of tasks with knapsacks.

The problem of :mod:`assignment.kernels`: one column for each task, Σ use <= capacity on each row,
least cost. Two relaxations give bounds for any prices:

- prices π >= 0 of capacities (equal to the LP at best; M. L. Fisher, Management Science 27, 1981):
  Σ_t min over columns of (cost + π use) - Σ π capacity, in :func:`price_rows`;
- prices u of tasks: Σ_t u[t] - Σ_r (greatest Σ (u - cost) of columns that fit into the row), a
  knapsack for each row, which counts that whole tasks must fit (stronger; G. T. Ross, R. M.
  Soland, Mathematical Programming 8, 1975), in :func:`price_tasks`.

Where there are no costs both say how short of capacity the rows are: no assignment exists where
the value is above 0, whatever the scale of the prices, which are then held at a mean of 1.

Rows hold their columns as ``by_row`` (column numbers by row, then task), groups of columns of one
task on one row as ``group`` (task, first, last + 1 position in ``by_row``), groups of row r from
``group_ptr[r]`` on. ``size`` and ``room`` are uses and capacities for the knapsacks, which may be
coarser than the true ones as long as whatever fits still fits. Columns that are not ``alive`` are
not used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit_allocating

PATIENCE = 15
"""Steps without progress after which the step size falls."""
PATIENCE_ROWS = 30
FALL = 0.6
SMALLEST = 1e-3
"""Step size at which the ascent ends."""
MEMORY = 0.3
"""Part of the last direction that is kept."""


@jit_allocating
def price_rows(
    steps: int,
    target: float,
    priced: bool,
    ptr: Any,
    row: Any,
    use: Any,
    cost: Any,
    capacity: Any,
    prices: Any,
) -> float:
    """Raise the bound from prices of capacities; ``prices`` are left at their best.

    Parameters
    ----------
    target
        Value that is aimed at (with costs).
    priced
        Whether there are costs. Else the bound is the least common capacity of all rows, and
        ``capacity`` is not read.
    """
    n, m = ptr.shape[0] - 1, prices.shape[0]
    now = prices.copy()
    load = np.zeros(m)
    direction = np.zeros(m)
    best = -np.inf
    theta = 1.0
    stale = 0
    for _ in range(steps):
        load[:] = 0.0
        value = 0.0
        for t in range(n):
            least = np.inf
            chosen = ptr[t]
            for k in range(ptr[t], ptr[t + 1]):
                reduced = cost[k] + now[row[k]] * use[k]
                if reduced < least:
                    least = reduced
                    chosen = k
            value += least
            load[row[chosen]] += use[chosen]
        total = 0.0
        for r in range(m):
            total += now[r]
        if priced:
            for r in range(m):
                value -= now[r] * capacity[r]
        else:
            value /= total
        if value > best:
            if value > best + 1e-4 * max(abs(target - best), 1e-12):
                stale = 0
            best = value
            prices[:] = now
        else:
            stale += 1
            if stale >= PATIENCE_ROWS:
                stale = 0
                theta *= FALL
                now[:] = prices
                if theta < SMALLEST:
                    break
        norm = 0.0
        for r in range(m):
            lack = load[r] - (capacity[r] if priced else value)
            direction[r] = (1.0 - MEMORY) * lack + MEMORY * direction[r]
            if now[r] > 0.0 or direction[r] > 0.0:
                norm += direction[r] ** 2
        if norm <= 0.0:
            break
        step = theta * max(target - value, 1e-9 * abs(target)) / norm
        if not priced:
            step *= total
        for r in range(m):
            now[r] = max(0.0, now[r] + step * direction[r])
    return best


@jit_allocating
def price_tasks(
    steps: int,
    target: float,
    scaled: bool,
    by_row: Any,
    group: Any,
    group_ptr: Any,
    size: Any,
    cost: Any,
    alive: Any,
    room: Any,
    prices: Any,
    take: Any,
    best: Any,
    numbers: Any,
) -> int:
    """Raise the bound from prices of tasks; return the number of steps made.

    Parameters
    ----------
    target
        Value at which to stop.
    scaled
        Whether prices are held at a mean of 1, where there are no costs.
    prices, best
        Length n: where to begin, and the best prices (changed in place).
    take
        Room for groups of a row × (greatest room + 1) bytes.
    numbers
        Value at ``best``, step size.
    """
    n, m = prices.shape[0], room.shape[0]
    wide = np.int64(0)
    for r in range(m):
        wide = max(wide, room[r])
    value_at, next_at = np.zeros(wide + 1), np.zeros(wide + 1)
    cover = np.zeros(n, dtype=np.int64)
    used = np.zeros(n + 1, dtype=np.int64)
    direction = np.zeros(n)
    stale = 0
    for step in range(steps):
        cover[:] = 0
        value = 0.0
        for t in range(n):
            value += prices[t]
        for r in range(m):
            value -= knapsack(
                group_ptr[r], group_ptr[r + 1], room[r], prices, by_row, group, size, cost, alive,
                value_at, next_at, take, used, cover,
            )  # fmt: skip
        if value > numbers[0]:
            if value > numbers[0] + 1e-4 * abs(target - numbers[0]):
                stale = 0
            numbers[0] = value
            best[:] = prices
            if value >= target:
                return step + 1
        else:
            stale += 1
            if stale >= PATIENCE:
                stale = 0
                numbers[1] *= FALL
                prices[:] = best
                if numbers[1] < SMALLEST:
                    return step + 1
        norm = 0.0
        for t in range(n):
            direction[t] = (1.0 - MEMORY) * (1 - cover[t]) + MEMORY * direction[t]
            norm += direction[t] ** 2
        if norm <= 1e-12:
            return step + 1
        length = numbers[1] * (target - value) / norm
        total = 0.0
        for t in range(n):
            prices[t] += length * direction[t]
            if scaled:
                prices[t] = max(0.0, prices[t])
            total += prices[t]
        if scaled and total > 0.0:
            for t in range(n):
                prices[t] *= n / total
    return steps


@inner
def knapsack(
    begin: int,
    end: int,
    room: int,
    prices: Any,
    by_row: Any,
    group: Any,
    size: Any,
    cost: Any,
    alive: Any,
    value_at: Any,
    next_at: Any,
    take: Any,
    used: Any,
    cover: Any,
) -> float:
    """Greatest profit of a row; counts the tasks of one best choice in ``cover``."""
    for c in range(room + 1):
        value_at[c] = 0.0
    q = 0
    for g in range(begin, end):
        price = prices[group[g, 0]]
        first = True
        for position in range(group[g, 1], group[g, 2]):
            k = by_row[position]
            profit = price - cost[k]
            a = size[k]
            if not alive[k] or profit <= 0.0 or a > room:
                continue
            number = np.uint8(position - group[g, 1] + 1)
            if first:
                first = False
                for c in range(a):
                    next_at[c] = value_at[c]
                    take[q, c] = 0
                for c in range(a, room + 1):
                    x = value_at[c - a] + profit
                    y = value_at[c]
                    next_at[c] = x if x > y else y
                    take[q, c] = number if x > y else 0
            else:
                for c in range(a, room + 1):
                    x = value_at[c - a] + profit
                    if x > next_at[c]:
                        next_at[c] = x
                        take[q, c] = number
        if not first:
            for c in range(room + 1):
                value_at[c] = next_at[c]
            used[q] = g
            q += 1
    c = room
    for z in range(q - 1, -1, -1):
        number = take[z, c]
        if number > 0:
            g = used[z]
            cover[group[g, 0]] += 1
            c -= size[by_row[group[g, 1] + number - 1]]
    profit_of_all: float = value_at[room]
    return profit_of_all


@jit_allocating
def drop_columns(
    slack: float,
    by_row: Any,
    group: Any,
    group_ptr: Any,
    size: Any,
    cost: Any,
    alive: Any,
    room: Any,
    prices: Any,
    tables: Any,
) -> int:
    """Mark columns that no assignment within ``slack`` of the bound uses; return how many.

    What a row's knapsack loses where it must hold a column is what the bound gains. ``tables`` has
    room for (groups of a row + 1) × (greatest room + 1) values.
    """
    dropped = 0
    for r in range(room.shape[0]):
        b = room[r]
        begin, end = group_ptr[r], group_ptr[r + 1]
        for c in range(b + 1):
            tables[0, c] = 0.0
        for g in range(begin, end):
            fill(g, b, tables[g - begin], tables[g - begin + 1], prices, by_row, group, size, cost,
                 alive)  # fmt: skip
        most = tables[end - begin, b]
        after, more = np.zeros(b + 1), np.zeros(b + 1)
        for g in range(end - 1, begin - 1, -1):
            before = tables[g - begin]
            for position in range(group[g, 1], group[g, 2]):
                k = by_row[position]
                if not alive[k]:
                    continue
                left = b - size[k]
                held = -np.inf
                for c in range(left + 1):
                    x = before[c] + after[left - c]
                    if x > held:
                        held = x
                if most - (held + prices[group[g, 0]] - cost[k]) > slack:
                    alive[k] = False
                    dropped += 1
            fill(g, b, after, more, prices, by_row, group, size, cost, alive)
            for c in range(b + 1):
                after[c] = more[c]
    return dropped


@inner
def fill(
    g: int,
    room: int,
    source: Any,
    result: Any,
    prices: Any,
    by_row: Any,
    group: Any,
    size: Any,
    cost: Any,
    alive: Any,
) -> None:
    """Greatest profit for each capacity with one more group of columns."""
    for c in range(room + 1):
        result[c] = source[c]
    for position in range(group[g, 1], group[g, 2]):
        k = by_row[position]
        profit = prices[group[g, 0]] - cost[k]
        a = size[k]
        if alive[k] and profit > 0.0 and a <= room:
            for c in range(a, room + 1):
                x = source[c - a] + profit
                if x > result[c]:
                    result[c] = x
