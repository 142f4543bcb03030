"""Columns of large tables: the same rows whole, in pieces, as lists and in Parquet."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt.formats.plans.columns import (
    Known,
    Named,
    NameLists,
    arrow_tables,
    named,
    slices,
    to_lists,
)

NAMES = ["a", "b", "c"]
TABLE = {
    "name": Named(NAMES, np.array([2, -1, 0, 2])),
    "to": NameLists(NAMES, np.array([0, 2, 2, 3, 5]), np.array([0, 1, 2, 1, 0])),
    "edge": Known(np.array([-1, 7, -1, 0])),
    "time": np.array([0.5, 1.0, np.nan, 2.0]),
    "label": ["x", "y", None, "z"],
}
LISTS = {
    "name": ["c", None, "a", "c"],
    "to": [["a", "b"], [], ["c"], ["b", "a"]],
    "edge": [None, 7, None, 0],
    "time": [0.5, 1.0, pytest.approx(np.nan, nan_ok=True), 2.0],
    "label": ["x", "y", None, "z"],
}


def test_columns_are_the_lists_that_they_stand_for():
    assert to_lists(TABLE) == LISTS


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_pieces_hold_the_same_rows_in_order(size):
    pieces = [to_lists(piece) for piece in slices(TABLE, size)]
    assert all(len(piece["name"]) <= size for piece in pieces)
    assert {key: [v for piece in pieces for v in piece[key]] for key in TABLE} == LISTS


@pytest.mark.parametrize("size", [1, 3, 100])
def test_tables_of_pyarrow_hold_the_same_rows(size):
    pa = pytest.importorskip("pyarrow")
    kinds = [pa.string(), pa.list_(pa.string()), pa.int64(), pa.float64(), pa.string()]
    schema = pa.schema(list(zip(TABLE, kinds, strict=True)))
    found = pa.concat_tables(arrow_tables(pa, TABLE, schema, size))
    assert found.schema == schema
    assert found.to_pydict() == LISTS


def test_a_table_without_rows_is_one_empty_piece():
    empty = {key: column[0:0] for key, column in TABLE.items()}
    assert [to_lists(piece) for piece in slices(empty, 2)] == [{key: [] for key in TABLE}]


def test_of_many_names_only_those_used_are_kept():
    names = np.array([f"t{i}" for i in range(9)], dtype=np.dtypes.StringDType())
    column = named(names, np.array([7, 3, 7]))
    assert (column.names, column.tolist()) == (["t3", "t7"], ["t7", "t3", "t7"])
