"""Longest paths over the task graph, compiled where the graph is large enough to be worth it.

The functions are written in the subset of Python that Numba compiles, and make no arrays.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from hetopt.instance import Floats, Instance

COMPILE_FROM = 20_000
"""Tasks and edges from which loading compiled code beats interpreting."""


def longest_paths(instance: Instance, start: Floats, length: Floats) -> None:
    """Raise each task's start to the end of the last of all that it waits for, in place.

    Parameters
    ----------
    start, length
        Length T; transfers take no time.
    """
    ptr, edge = instance.successors
    order, after = instance.topological_order, instance.edges.dst
    if len(order) + len(after) >= COMPILE_FROM:
        _compiled()(order, ptr, edge, after, start, length)
        return
    begin, times = start.tolist(), length.tolist()
    _push(order.tolist(), ptr.tolist(), edge.tolist(), after.tolist(), begin, times)
    start[:] = begin


@cache
def _compiled() -> Any:
    from hetopt.runtime.jit import jit

    return jit(_push)


def _push(order: Any, ptr: Any, edge: Any, after: Any, start: Any, length: Any) -> None:
    for task in order:
        end = start[task] + length[task]
        for k in range(ptr[task], ptr[task + 1]):
            other = after[edge[k]]
            if start[other] < end:
                start[other] = end
