"""What a mapping alone takes of limits: weights, budgets, and tasks that must be apart.

Weights, budgets and groups do not depend on times: :func:`excess` counts them for a mapping.
"""

from __future__ import annotations

from typing import Any

from hetopt.runtime.jit import inner
from hetopt.schedule.list_scheduling.limited.records import (
    KEY,
    LOADED,
    POOL,
    SPEND,
    SPEND_END,
    UNIT,
    WEIGHTS,
    Limits,
)


@inner
def load(choice: int, unit: int, sign: int, limits: Limits) -> None:
    """Count weights and budgets of a choice on a unit, or (``sign`` -1) take them off."""
    key = limits.choice_i[choice, KEY]
    if key >= 0:
        before = limits.keys[key, unit]
        limits.keys[key, unit] = before + sign
        if before == 0 or before + sign == 0:
            limits.unit_s[LOADED, unit] += sign * limits.choice_f[choice, WEIGHTS]
    for k in range(limits.choice_i[choice, SPEND], limits.choice_i[choice, SPEND_END]):
        limits.spent[limits.spend_i[k]] += sign * limits.spend_f[k]


@inner
def excess(limits: Limits) -> Any:
    """By how much weights and budgets exceed their limits, relative to those, in sum."""
    total = 0.0
    for p in range(len(limits.pool_b)):
        limits.pool_s[p] = 0.0
    for u in range(len(limits.memory)):
        held = limits.unit_s[LOADED, u]
        if held > limits.memory[u]:
            total += (held - limits.memory[u]) / max(limits.memory[u], 1.0)
        if limits.unit_i[u, POOL] >= 0:
            limits.pool_s[limits.unit_i[u, POOL]] += held
    for p in range(len(limits.pool_b)):
        if limits.pool_s[p] > limits.pool_b[p]:
            total += (limits.pool_s[p] - limits.pool_b[p]) / max(limits.pool_b[p], 1.0)
    for b in range(len(limits.budget)):
        if limits.spent[b] > limits.budget[b]:
            total += (limits.spent[b] - limits.budget[b]) / max(limits.budget[b], 1e-300)
    return total


@inner
def split(task: int, seq: Any, limits: Limits) -> bool:
    """Whether a task is on the unit of one that it must be apart from."""
    for k in range(limits.apart_ptr[task], limits.apart_ptr[task + 1]):
        if seq[UNIT, limits.apart[k]] == seq[UNIT, task]:
            return True
    return False
