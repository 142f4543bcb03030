"""Rules that need nothing but where and when tasks run: a module each, with ``check``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from hetopt.instance import Instance
from hetopt.verify.exact import Timeline
from hetopt.verify.report import Findings
from hetopt.verify.schedule.placed import Placed


def check_rules(instance: Instance, placed: Placed, times: Timeline, findings: Findings) -> None:
    """Check the rule of each module, in the order of their names."""
    for module in _modules():
        module.check(instance, placed, times, findings)


@cache
def _modules() -> list[Any]:
    return [import_module(found.name) for found in iter_modules(__path__, f"{__name__}.")]
