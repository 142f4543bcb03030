"""Small helpers on columns that several quantities need."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hetopt.instance.dtypes import Floats, Ints


def distinct(*keys: Ints) -> tuple[Ints, Ints]:
    """Group rows that agree in all keys.

    Parameters
    ----------
    keys
        Columns of one length M.

    Returns
    -------
    first
        One row of each of the G groups (the first in input order).
    group
        Length M: the group of each row. Groups are ordered by the last key, then the one before.
    """
    rows = len(keys[0])
    order = np.lexsort(keys)
    new = np.zeros(rows, dtype=bool)
    new[:1] = True
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    group = np.empty(rows, dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    return order[new].astype(np.int64), group


def ptr_of(size: NDArray[Any] | Sequence[int]) -> Ints:
    """Return where each row of a CSR table begins, and the end, from the rows' numbers of entries.

    Length: one more than ``size`` has.
    """
    return np.concatenate([[0], np.cumsum(size)]).astype(np.int64)


def list_ptr(lists: Iterable[Sized]) -> Ints:
    """Return where each of some lists begins when they stand one after another, and the end."""
    return ptr_of([len(members) for members in lists])


def expand(ptr: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """List the entries of some rows of a CSR table.

    Returns
    -------
    which, entry
        ``which[i]`` is the position in ``rows`` that entry ``entry[i]`` belongs to.
    """
    size = ptr[rows + 1] - ptr[rows]
    which = np.repeat(np.arange(len(rows)), size)
    before = np.cumsum(size) - size
    return which, np.arange(len(which)) - np.repeat(before - ptr[rows], size)


def sums(index: Ints, values: Floats, length: int) -> Floats:
    """Sum values by index into a column of the given length."""
    return np.bincount(index, weights=values, minlength=length).astype(np.float64)


def records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn columns into one dictionary per row, with plain values and None for NaN and infinity."""
    plain = []
    for column in columns.values():
        values = np.asarray(column)
        if values.dtype.kind == "f":
            boxed = values.astype(object)
            boxed[~np.isfinite(values)] = None
            values = boxed
        plain.append(values.tolist())
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*plain, strict=True)]


def ratio(part: Floats, whole: NDArray[Any]) -> Floats:
    """Return part / whole, 0 where there is nothing of either, NaN for something of nothing."""
    empty = np.where(part == 0, 0.0, np.nan)
    result: Floats = np.divide(part, whole, out=empty, where=whole > 0)
    return result


def weighted_mean(values: Floats, weight: Floats) -> float:
    """Return the weighted mean over the values that are not NaN; NaN where they weigh nothing."""
    stated = ~np.isnan(values)
    total = float(weight[stated].sum())
    return float((values[stated] * weight[stated]).sum()) / total if total > 0 else math.nan


def components(
    count: int,
    joints: Iterable[tuple[Ints, Ints, int]],
    pairs: tuple[Ints, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64)),
) -> Ints:
    """Return a number for each set of things that anything joins.

    Parameters
    ----------
    count
        Things, numbered from 0.
    joints
        Blocks of what may join them: things, which of the block joins each, and how many there
        are in the block. They are numbered on, block after block.
    pairs
        Things that are joined without anything between them.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    rows, columns, size = [pairs[0]], [pairs[1]], count
    for thing, key, several in joints:
        rows.append(thing)
        columns.append(size + key)
        size += several
    row, column = np.concatenate(rows), np.concatenate(columns)
    joined = csr_matrix((np.ones(len(row)), (row, column)), shape=(size, size))
    label: Ints = connected_components(joined, directed=False)[1].astype(np.int64)
    return label
