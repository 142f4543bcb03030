"""Rules of the program of streams that need nothing but its variables: a module each, with ``add``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hetopt.steady.program.rows.stream_variables import StreamVariables


def add_rules(model: StreamVariables) -> None:
    """Add the rows of each module, in the order of their names."""
    for module in _modules():
        module.add(model)


@cache
def _modules() -> list[Any]:
    return [import_module(found.name) for found in iter_modules(__path__, f"{__name__}.")]
