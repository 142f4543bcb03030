"""The inner loop of pricing (`pricing`): all states worth a look, depth first.

A state is a sequence of options that does not fall, as options are ordered by device; so each
multiset comes once. ``table`` holds, for N options, K resources and D devices: demands (N × K),
device (N), least rates and prices of work (N × F), capacities and parts left by losses (K), slots
and slots a unit (D), prices of a slot (D) and of units (D × U), and prices of the capacities (K).
"""

from __future__ import annotations

from typing import Any

from hetopt.runtime.jit import inner, jit

SAME = 1e-11
"""As of `floors`: relative distance at which two rates are the same."""


@inner
def speed(n: Any, asked: Any, users: Any, more: Any, table: Any) -> Any:
    """Return the rate of option n beside what asks: itself among that, or added (``more`` 1)."""
    demand, _, _, _, capacity, left, _, _, _, _, _ = table
    rate = 1.0
    for k in range(demand.shape[1]):
        if demand[n, k] > 0:
            share = min(1.0, capacity[k] / (asked[k] + more * demand[n, k]))
            if users[k] + more > 1:
                share *= left[k]
            rate = min(rate, share)
    return rate


@inner
def price(n: Any, rate: Any, table: Any) -> Any:
    """Return what a second of work of option n is worth at a rate."""
    _, _, floor, worth, _, _, _, _, _, _, _ = table
    total = 0.0
    for f in range(floor.shape[1]):
        if rate >= floor[n, f] * (1.0 - SAME):
            total += worth[n, f]
    return total


@inner
def judged(depth: Any, runs: Any, asked: Any, users: Any, used: Any, table: Any, ends: Any) -> Any:
    """Put what a state is worth, and a bound on all that go on from it, into ``ends``."""
    demand, device, _, _, capacity, left, room, width, slot, unit, value = table
    paid = 0.0
    for d in range(len(room)):
        paid += used[d] * slot[d]
        for k in range(-(-used[d] // width[d])):
            paid += unit[d, k]
    worth, priced = -paid, -paid
    for k in range(len(capacity)):
        priced += value[k] * capacity[k] * (left[k] if users[k] > 1 else 1.0)
    for i in range(depth):
        n = runs[i]
        rate = speed(n, asked, users, 0, table)
        each = price(n, rate, table)
        worth += rate * each
        for k in range(len(capacity)):
            each -= value[k] * demand[n, k]
        priced += rate * max(0.0, each)
    bound = worth
    first = runs[depth - 1] if depth else 0
    here = device[first] if depth else 0
    best, best_priced, at = 0.0, 0.0, here
    for n in range(first, len(device)):
        if device[n] != at:
            bound += best * (room[at] - used[at])
            priced += best_priced * (room[at] - used[at])
            best, best_priced, at = 0.0, 0.0, device[n]
        rate = speed(n, asked, users, 1, table)
        each = price(n, rate, table)
        best = max(best, rate * each - slot[at])
        for k in range(len(capacity)):
            each -= value[k] * demand[n, k]
        best_priced = max(best_priced, rate * max(0.0, each) - slot[at])
    bound += best * (room[at] - used[at])
    priced += best_priced * (room[at] - used[at])
    ends[0], ends[1] = worth, min(bound, priced)


@jit
def search(
    table: Any, floor: Any, nodes: Any, work: Any, runs: Any, kept: Any, kept_worth: Any
) -> Any:
    """Go through states until no other is worth more than the best, or the nodes are used up.

    ``work`` has arrays for asked (S + 1 × K), users (S + 1 × K), used (D), the two ends, and the
    option to go on with at each depth (S + 1). Returns how many nodes were left, negative where
    they were used up; the states worth most beyond ``floor`` are in ``kept``, -1 behind their end.
    """
    demand, device, _, _, _, _, room, _, _, _, _ = table
    asked, users, used, ends, onward = work
    deepest = len(runs)
    best = floor
    for i in range(len(kept_worth)):
        best = max(best, kept_worth[i])
    depth = 0
    onward[0] = 0
    while depth >= 0:
        n = onward[depth]
        if depth == deepest or n >= len(device):
            depth -= 1
            if depth >= 0:
                used[device[runs[depth]]] -= 1
            continue
        onward[depth] = n + 1
        d = device[n]
        if used[d] >= room[d]:
            continue
        nodes -= 1
        if nodes < 0:
            return nodes
        runs[depth] = n
        used[d] += 1
        for k in range(demand.shape[1]):
            asked[depth + 1, k] = asked[depth, k] + demand[n, k]
            users[depth + 1, k] = users[depth, k] + (1 if demand[n, k] > 0 else 0)
        judged(depth + 1, runs, asked[depth + 1], users[depth + 1], used, table, ends)
        worth, bound = ends[0], ends[1]
        if worth > floor:
            least = 0
            for i in range(len(kept_worth)):
                if kept_worth[i] < kept_worth[least]:
                    least = i
            if worth > kept_worth[least]:
                kept_worth[least] = worth
                for i in range(deepest):
                    kept[least, i] = runs[i] if i <= depth else -1
            best = max(best, worth)
        if bound > best:
            depth += 1
            onward[depth] = n
        else:
            used[d] -= 1
    return nodes


@inner
def total(slots: Any, table: Any, asked: Any, users: Any, used: Any) -> Any:
    """Return what a state is worth whose slots each run an option, or none (-1)."""
    demand, device, _, _, capacity, _, room, width, slot, unit, _ = table
    asked[:], users[:], used[:] = 0.0, 0, 0
    for n in slots:
        if n >= 0:
            used[device[n]] += 1
            for k in range(len(capacity)):
                asked[k] += demand[n, k]
                users[k] += 1 if demand[n, k] > 0 else 0
    worth = 0.0
    for d in range(len(room)):
        worth -= used[d] * slot[d]
        for k in range(-(-used[d] // width[d])):
            worth -= unit[d, k]
    for n in slots:
        if n >= 0:
            rate = speed(n, asked, users, 0, table)
            worth += rate * price(n, rate, table)
    return worth


@jit
def climb(table: Any, slots: Any, owner: Any, work: Any) -> Any:
    """Change what single slots run as long as that makes the state worth more; return its worth.

    ``slots`` (S) is the state to begin with, an option or -1 each; ``owner`` the device of each.
    """
    device = table[1]
    asked, users, used, _, _ = work
    best = total(slots, table, asked[0], users[0], used)
    improved = True
    while improved:
        improved = False
        for i in range(len(slots)):
            was = slots[i]
            now = was
            for n in range(-1, len(device)):
                if n == was or (n >= 0 and device[n] != owner[i]):
                    continue
                slots[i] = n
                worth = total(slots, table, asked[0], users[0], used)
                if worth > best + 1e-12 * abs(best):
                    best, now, improved = worth, n, True
            slots[i] = now
    used[:] = 0
    asked[0], users[0] = 0.0, 0
    return best
