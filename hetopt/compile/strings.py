"""Columns of text between Arrow and NumPy, without a Python object per row.

NumPy's variable-width strings are what an instance holds; Arrow hashes them (lookups, duplicates,
codes). Both ways go over fixed-width columns while those stay small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.instance import Ints, Strings

if TYPE_CHECKING:
    import pyarrow as pa

WIDEST = 256
"""Longest text (bytes) for which a column goes over fixed width; memory is rows × width."""


def strings(values: Any) -> Strings:
    """Return a column of text in NumPy's variable-width string type."""
    return np.asarray(values, dtype=np.dtypes.StringDType())


def to_arrow(values: Any) -> pa.LargeStringArray:
    """Return a column of text (of NumPy strings or Python texts) as an Arrow array."""
    import pyarrow as pa

    if values.dtype.kind == "T" and len(values):
        width = int(np.strings.str_len(values).max())
        if width <= WIDEST:
            values = values.astype(f"U{max(width, 1)}")
        else:
            values = values.astype(object)
    elif values.dtype.kind == "T":
        values = values.astype(object)
    return pa.array(values, type=pa.large_string())


def from_arrow(texts: pa.LargeStringArray) -> Strings:
    """Return an Arrow array of text without nulls as NumPy strings."""
    n = len(texts)
    if n == 0:
        return np.empty(0, dtype=np.dtypes.StringDType())
    _, ends, characters = texts.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[texts.offset : texts.offset + n + 1]
    size = np.diff(bounds)
    width = int(size.max())
    data = np.frombuffer(characters or b"", dtype=np.uint8)[bounds[0] : bounds[-1]]
    if width == 0 or width > WIDEST or (data > 127).any():
        return strings(texts.to_numpy(zero_copy_only=False))
    fixed = np.zeros((n, width), dtype=np.uint8)
    fixed[np.arange(width) < size[:, None]] = data
    return fixed.view(f"S{width}").ravel().astype(np.dtypes.StringDType())


def codes(texts: pa.LargeStringArray) -> tuple[Ints, Strings]:
    """Return each row's number, by first appearance of its text, and the different texts."""
    encoded = texts.dictionary_encode()
    return (
        encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        from_arrow(encoded.dictionary),
    )


def positions(texts: pa.LargeStringArray, names: pa.LargeStringArray) -> Ints:
    """Return the first place of each text among the names, -1 where it is not there."""
    import pyarrow.compute as pc

    found = pc.index_in(texts, value_set=names).fill_null(-1)
    result: Ints = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return result


def repeated(texts: pa.LargeStringArray) -> Ints:
    """Return the rows whose text stands in an earlier row too."""
    code, names = codes(texts)
    if len(names) == len(code):
        return np.empty(0, dtype=np.int64)
    _, first = np.unique(code, return_index=True)
    later = np.ones(len(code), dtype=bool)
    later[first] = False
    return np.flatnonzero(later)
