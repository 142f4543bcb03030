"""Parquet, where pyarrow is installed: it is an extra of the package, as large as all of SciPy."""

from __future__ import annotations

from typing import Any

from hetopt.errors import InputError, Problem

INSTALL = "pip install 'hetopt[parquet]'"


def pyarrow(place: object) -> Any:
    """Return the module pyarrow, with ``pyarrow.parquet`` loaded.

    Parameters
    ----------
    place
        The file or folder of tables that needs it.

    Raises
    ------
    InputError
        If it is not installed: says the command that installs it, and what does without.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        expected = (
            f"Parquet needs pyarrow, which is not installed: {INSTALL}. Without it: a .json file, "
            "or for instances also .yaml or a folder of CSV tables (--to csv)."
        )
        raise InputError([Problem(str(place), "", expected)]) from None
    return pa
