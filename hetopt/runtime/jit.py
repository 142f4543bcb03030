"""Numba's compiler, with its cache where some folder can be written; or none at all.

What is compiled once lies in the cache for all later processes. Before that, small questions are
answered sooner by the same functions as plain Python: :func:`plain` loads a module of kernels so.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PLAIN_STEPS = 20_000
"""Steps of a kernel's inner loop that plain Python makes in some hundredths of a second."""

left_out: list[str] = []
"""Searches that this process left out, as their loops were not compiled and time was short."""

_state = threading.local()


def jit(function: Any) -> Any:
    """Compile when first called, without Python's global lock; divisions follow NumPy.

    The function makes no arrays. So Numba need not count references to them, which it does with
    an atomic operation each time that a function takes or leaves an array: in loops that call
    small functions that was most of the time, and workers waited for each other's counters.
    """
    return _made(function, _nrt=False)


def jit_allocating(function: Any) -> Any:
    """Compile a function that makes arrays of its own, otherwise as :func:`jit`."""
    return _made(function)


def inner(function: Any) -> Any:
    """Compile for calls from compiled functions only, which saves the way in from Python."""
    return _made(function, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def is_compiled(function: Any) -> bool:
    """Whether a function is compiled, or its machine code lies on disk (as far as is known)."""
    if function.signatures:
        return True
    source = Path(function.py_func.__code__.co_filename)
    pattern = f"{source.stem}.{function.py_func.__name__}-*.nbi"
    names = Path(function.stats.cache_path or ".").glob(pattern)
    # What was compiled from an older source is compiled anew.
    return any(found.stat().st_mtime >= source.stat().st_mtime for found in names)


@cache
def plain(name: str) -> ModuleType:
    """Load a module of kernels anew, with functions that stay plain Python."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"There is no module {name}.")
    module = importlib.util.module_from_spec(spec)
    _state.plain = True
    try:
        spec.loader.exec_module(module)
    finally:
        _state.plain = False
    return module


def kernels(name: str, steps: float) -> ModuleType:
    """Load a module of kernels by its whole name, as plain Python where there is little to do.

    Loading the compiler takes longer than so few steps.
    """
    return plain(name) if steps <= PLAIN_STEPS else importlib.import_module(name)


def _made(function: Any, **options: bool) -> Any:
    if getattr(_state, "plain", False):
        return function
    import numba

    compiler: Any = numba.njit
    try:
        return compiler(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:
        # Neither the installation nor the user's cache folder can be written.
        return compiler(nogil=True, error_model="numpy", **options)(function)
