"""Directed graphs as edge columns: topological order, and a cycle where there is none."""

from __future__ import annotations

import numpy as np

from hetopt.instance.dtypes import Ints
from hetopt.instance.grouping import ptr_of


def topological_order(n: int, src: Ints, dst: Ints) -> tuple[Ints, Ints]:
    """Order n nodes so that every edge goes forward, a level at a time.

    Kahn's algorithm on whole levels: a graph of depth k costs k vectorised passes over the edges
    that leave each level.

    Parameters
    ----------
    n
        Number of nodes.
    src, dst
        Edges, length E.

    Returns
    -------
    order
        The nodes that can be ordered; within a level by index. Shorter than n if there is a cycle.
    level
        Length n: the number of edges on the longest path that ends in the node (-1: in or behind
        a cycle).
    """
    by_src = np.argsort(src, kind="stable")
    ptr = ptr_of(np.bincount(src, minlength=n))
    waiting = np.bincount(dst, minlength=n)
    level = np.full(n, -1, dtype=np.int64)
    ready = np.flatnonzero(waiting == 0)
    levels: list[Ints] = []
    while len(ready):
        level[ready] = len(levels)
        levels.append(ready)
        size = ptr[ready + 1] - ptr[ready]
        first = np.repeat(ptr[ready] - np.concatenate([[0], np.cumsum(size)[:-1]]), size)
        reached = dst[by_src[first + np.arange(len(first))]]
        np.subtract.at(waiting, reached, 1)
        reached = np.unique(reached)
        ready = reached[waiting[reached] == 0]
    order = np.concatenate(levels) if levels else np.empty(0, dtype=np.int64)
    return order.astype(np.int64), level


def find_cycle(n: int, src: Ints, dst: Ints) -> list[int]:
    """Return the nodes of one cycle in order, or an empty list where there is none."""
    if (src < dst).all() or (src > dst).all():
        return []  # in order already, as most files are
    _, level = topological_order(n, src, dst)
    stuck = level < 0
    if not stuck.any():
        return []
    inside = stuck[src] & stuck[dst]
    before = dict(zip(dst[inside].tolist(), src[inside].tolist(), strict=True))
    node = int(np.flatnonzero(stuck)[0])
    seen: dict[int, int] = {}
    walk: list[int] = []
    while node not in seen:
        seen[node] = len(walk)
        walk.append(node)
        node = before[node]
    return walk[seen[node] :][::-1]
