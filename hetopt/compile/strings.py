"""Columns of text: what an instance holds, and how their values are looked up.

An instance holds NumPy's variable-width strings, which hash nothing. ``keys`` are the same texts in
a form that does: Python texts, or for large columns Arrow's, where pyarrow is installed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from hetopt.instance import Ints, Strings

LARGE = 50_000
"""Rows from which on Arrow's hashing is worth its import."""

WIDEST = 256
"""Longest text (bytes) for which a column goes over fixed width; memory is rows x width."""

Keys = Any
"""An array of Python texts, or a ``pyarrow.LargeStringArray``."""


def strings(values: Any) -> Strings:
    """Return a column of text in NumPy's variable-width string type."""
    return np.asarray(values, dtype=np.dtypes.StringDType())


def keys_of(values: Any) -> Keys:
    """Return a column of text (of NumPy strings or Python texts) in a form to look up."""
    objects = values.astype(object) if values.dtype.kind == "T" else values
    arrow = _arrow() if len(objects) >= LARGE else None
    return objects if arrow is None else arrow.array(objects, type=arrow.large_string())


def arrow_keys(texts: Any) -> Keys | None:
    """Return a large column of texts of pandas in Arrow's form, without a Python object per row.

    None where it is small, of another type, or pyarrow is not installed.
    """
    if len(texts) < LARGE or str(texts.dtype) not in ("str", "string") or _arrow() is None:
        return None
    arrow = _arrow()
    found = arrow.array(texts, type=arrow.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, arrow.ChunkedArray) else found


def from_arrow(texts: Keys) -> Strings:
    """Return Arrow's texts, none of them null, as NumPy strings."""
    _, ends, characters = texts.buffers()
    bounds = np.frombuffer(ends, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    size = np.diff(bounds)
    width = int(size.max(initial=0))
    data = np.frombuffer(characters or b"", dtype=np.uint8)[bounds[0] : bounds[-1]]
    if width == 0 or width > WIDEST or (data > 127).any() or (data == 0).any():
        return strings(texts.to_numpy(zero_copy_only=False))
    fixed = np.zeros((len(texts), width), dtype=np.uint8)
    fixed[np.arange(width) < size[:, None]] = data
    return fixed.view(f"S{width}").ravel().astype(np.dtypes.StringDType())


def codes(texts: Keys) -> tuple[Ints, Strings]:
    """Return each row's number, by first appearance of its text, and the different texts."""
    if isinstance(texts, np.ndarray):
        number: dict[str, int] = {}
        found = (number.setdefault(text, len(number)) for text in texts.tolist())
        code = np.fromiter(found, dtype=np.int64, count=len(texts))
        return code, strings(list(number))
    encoded = texts.dictionary_encode()
    code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return code, strings(encoded.dictionary.to_numpy(zero_copy_only=False))


def positions(texts: Keys, names: Keys) -> Ints:
    """Return the first place of each text among the names, -1 where it is not there."""
    if isinstance(texts, np.ndarray) and isinstance(names, np.ndarray):
        place = {name: len(names) - 1 - k for k, name in enumerate(names.tolist()[::-1])}
        found = (place.get(text, -1) for text in texts.tolist())
        return np.fromiter(found, dtype=np.int64, count=len(texts))
    import pyarrow as pa
    import pyarrow.compute as pc

    texts, names = (
        pa.array(part, type=pa.large_string()) if isinstance(part, np.ndarray) else part
        for part in (texts, names)
    )
    at = pc.index_in(texts, value_set=names).fill_null(-1)
    result: Ints = at.to_numpy(zero_copy_only=False).astype(np.int64)
    return result


def repeated(texts: Keys) -> Ints:
    """Return the rows whose text stands in an earlier row too."""
    code, names = codes(texts)
    if len(names) == len(code):
        return np.empty(0, dtype=np.int64)
    _, first = np.unique(code, return_index=True)
    later = np.ones(len(code), dtype=bool)
    later[first] = False
    return np.flatnonzero(later)


@cache
def _arrow() -> Any:
    """Return the module pyarrow, None where it is not installed."""
    try:
        import pyarrow as pa
    except ImportError:
        return None
    return pa
