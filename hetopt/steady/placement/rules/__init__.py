"""Rules of the placement model that need nothing but its variables: a module each, with ``add``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hetopt.steady.placement.variables import PlacementModel


def add_rules(m: PlacementModel) -> None:
    """Add the rows of each module, in the order of their names."""
    for module in _modules():
        module.add(m)


@cache
def _modules() -> list[Any]:
    return [import_module(found.name) for found in iter_modules(__path__, f"{__name__}.")]
