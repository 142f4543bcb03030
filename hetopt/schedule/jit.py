"""Numba's compiler, with its cache where some folder can be written."""

from __future__ import annotations

from typing import Any

import numba


def jit(function: Any) -> Any:
    """Compile when first called, without Python's global lock; divisions follow NumPy."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        # Neither the installation nor the user's cache folder can be written.
        return numba.njit(nogil=True, error_model="numpy")(function)
