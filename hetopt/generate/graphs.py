"""Random graphs of tasks: edges between tasks numbered from 0, always from lower to higher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hetopt.instance import Ints

FURTHER_PARENT = 0.1
"""Probability of a parent from any earlier layer (``layered``)."""
MOST_PARENTS = 3

Edges = tuple[Ints, Ints]


def graph(n: int, shape: str, rng: np.random.Generator) -> Edges:
    """Return the edges (sources, targets) of a random graph of n tasks, each pair once.

    Parameters
    ----------
    n
        Number of tasks.
    shape
        One of ``SHAPES``.
    rng
        Source of randomness.
    """
    src, dst = SHAPES[shape](n, rng)
    pair = np.unique(src.astype(np.int64) * n + dst)
    return pair // n, pair % n


def _layered(n: int, rng: np.random.Generator) -> Edges:
    layers = max(1, round(n**0.5))
    bounds = np.arange(layers + 1) * n // layers
    layer = np.repeat(np.arange(layers), np.diff(bounds))
    child = np.arange(bounds[1], n)
    before = layer[child] - 1
    low, high = bounds[before], bounds[before + 1]
    parents = rng.integers(1, MOST_PARENTS + 1, len(child))
    picked = low + _distinct(parents, high - low, rng)
    kept = np.arange(MOST_PARENTS)[:, None] < np.minimum(parents, high - low)
    further = child[rng.random(len(child)) < FURTHER_PARENT]
    any_earlier = rng.integers(0, bounds[layer[further]])
    src = np.concatenate([picked[kept], any_earlier])
    dst = np.concatenate([np.broadcast_to(child, kept.shape)[kept], further])
    return src, dst


def _distinct(wanted: Ints, size: Ints, rng: np.random.Generator) -> Ints:
    """Up to three different numbers below ``size`` in each column (3 × columns).

    Rows from ``wanted`` on mean nothing, nor do rows from ``size`` on.
    """
    columns = len(size)
    first = rng.integers(0, size)
    second = rng.integers(0, np.maximum(size - 1, 1))
    second += second >= first
    third = rng.integers(0, np.maximum(size - 2, 1))
    low, high = np.minimum(first, second), np.maximum(first, second)
    third += third >= low
    third += third >= high
    return np.stack([first, second, third]) if columns else np.zeros((3, 0), dtype=np.int64)


def _random(n: int, rng: np.random.Generator) -> Edges:
    child = np.arange(1, n)
    parents = rng.integers(0, MOST_PARENTS + 1, len(child))
    kept = np.arange(MOST_PARENTS)[:, None] < np.minimum(parents, child)
    picked = _distinct(parents, child, rng)
    return picked[kept], np.broadcast_to(child, kept.shape)[kept]


def _fork_join(n: int, rng: np.random.Generator) -> Edges:
    """Blocks of a fork, round(√n) branches and a join that is the next block's fork."""
    width = max(1, round(n**0.5))
    place = np.arange(n) % (width + 1)
    block = np.arange(n) - place
    branch = np.flatnonzero(place > 0)
    join = block[branch] + width + 1
    whole = join < n
    return (
        np.concatenate([block[branch], branch[whole]]),
        np.concatenate([branch, join[whole]]),
    )


def _chains(n: int, rng: np.random.Generator) -> Edges:
    """round(√n) chains of equal length, up to one task."""
    chains = max(1, round(n**0.5))
    task = np.arange(n - chains)
    return task, task + chains


def _independent(n: int, rng: np.random.Generator) -> Edges:
    none = np.empty(0, dtype=np.int64)
    return none, none


SHAPES: dict[str, Callable[[int, np.random.Generator], Edges]] = {
    "layered": _layered,
    "random": _random,
    "fork-join": _fork_join,
    "chains": _chains,
    "independent": _independent,
}
"""Graph makers by the name that ``--shape`` takes."""
