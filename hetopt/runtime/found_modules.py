"""Modules that are found by being there: nothing names them but their package."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


@cache
def modules_of(package: str) -> tuple[ModuleType, ...]:
    """Load the modules of a package, by its whole name; they come in the order of their names."""
    found = iter_modules(import_module(package).__path__, f"{package}.")
    return tuple(import_module(module.name) for module in found)
