"""Numba's compiler, with its cache where some folder can be written."""

from __future__ import annotations

from typing import Any

import numba


def jit(function: Any) -> Any:
    """Compile when first called, without Python's global lock; divisions follow NumPy."""
    return _made(function)


def inner(function: Any) -> Any:
    """Compile for calls from compiled functions only, which saves the way in from Python."""
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _made(function: Any, **options: bool) -> Any:
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:
        # Neither the installation nor the user's cache folder can be written.
        return numba.njit(nogil=True, error_model="numpy", **options)(function)
