"""Rules of the CP-SAT model that need nothing but its variables: a module each, with ``add``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hetopt.schedule.cpsat.variables import Build


def add_rules(build: Build) -> None:
    """Add the rows of each module, in the order of their names."""
    for module in _modules():
        module.add(build)


@cache
def _modules() -> list[Any]:
    return [import_module(found.name) for found in iter_modules(__path__, f"{__name__}.")]
