"""Numba's compiler, with its cache where some folder can be written; or none at all.

What is compiled once lies in the cache for all later processes. Before that, small questions are
answered sooner by the same functions as plain Python: :func:`plain` loads a module of kernels so.

A module of kernels imports others of its kind, records of arrays, and this one; nothing else of
hetopt, so that all that its machine code follows from is known (see :func:`_stamp`).
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.util
import re
import sys
import threading
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

PLAIN_STEPS = 20_000
"""Steps of a kernel's inner loop that plain Python makes in some hundredths of a second."""

left_out: list[str] = []
"""Searches that this process left out, as their loops were not compiled and time was short."""

_IMPORTED = re.compile(r"^(?:from|import) (hetopt\.\S+)", re.MULTILINE)

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
    kept = _kept(function)
    # What was compiled from another source is not listed.
    return kept is not None and bool(kept._load_index())


@cache
def plain(name: str) -> ModuleType:
    """Load a module of kernels anew, with functions that stay plain Python.

    So do those that it imports from other modules of kernels.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"There is no module {name}.")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_plain}
    before = getattr(_state, "plain", False)
    _state.plain = True
    try:
        spec.loader.exec_module(module)
    finally:
        _state.plain = before
    return module


def kernels(name: str, steps: float) -> ModuleType:
    """Load a module of kernels by its whole name, as plain Python where there is little to do.

    Loading the compiler takes longer than so few steps.
    """
    return plain(name) if steps <= PLAIN_STEPS else importlib.import_module(name)


def _import_plain(name: str, *more: Any) -> Any:
    """Import for a module that is loaded as plain Python."""
    if name.startswith("hetopt.") and "kernels" in name:
        return plain(name)
    return builtins.__import__(name, *more)


def _made(function: Any, **options: bool) -> Any:
    if getattr(_state, "plain", False):
        return function
    import numba

    compiler: Any = numba.njit
    try:
        made = compiler(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:
        # Neither the installation nor the user's cache folder can be written.
        return compiler(nogil=True, error_model="numpy", **options)(function)
    kept = _kept(made)
    if kept is not None:
        kept._source_stamp = (kept._source_stamp, _stamp(function.__module__))
    return made


def _kept(made: Any) -> Any:
    """Return what keeps a function's machine code on disk, None where nothing does."""
    return getattr(getattr(made, "_cache", None), "_cache_file", None)


@cache
def _stamp(name: str) -> str:
    """Return a hash of the sources of all modules of hetopt that a module imports, by the way too.

    Numba keeps machine code as long as the file of the function stays the same, though functions
    and constants of other files are part of it.
    """
    found: dict[str, bytes] = {}
    open_ = [name]
    while open_:
        module = open_.pop()
        path = getattr(sys.modules.get(module), "__file__", None)
        if module in found or path is None:
            continue
        try:
            found[module] = Path(path).read_bytes()
        except OSError:
            continue
        open_ += _IMPORTED.findall(found[module].decode())
    whole = hashlib.sha256()
    for module in sorted(found):
        whole.update(found[module])
    return whole.hexdigest()
