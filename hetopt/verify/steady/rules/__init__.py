"""Rules of streams that need nothing but where their tasks run: a module each, with ``check``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hetopt.instance import Instance
from hetopt.verify.report import Findings
from hetopt.verify.steady.streams import Stream


def check_rules(instance: Instance, streams: list[Stream], findings: Findings) -> None:
    """Check the rule of each module, in the order of their names."""
    for module in _modules():
        module.check(instance, streams, findings)


@cache
def _modules() -> list[Any]:
    return [import_module(found.name) for found in iter_modules(__path__, f"{__name__}.")]
