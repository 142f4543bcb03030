"""Time that hetopt spends building models, measured from outside.

The builders are wrapped wherever a module has taken them by name, so that hetopt itself carries
no clock for the benchmarks' sake.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

FUNCTIONS = (
    ("hetopt.schedule.cpsat.model", "build_model"),
    ("hetopt.steady.placement.model", "build_placement"),
)
CLASSES = (("hetopt.steady.program.formulation", "SteadyModel"),)


class Stopwatch:
    """Adds up the time spent in what it wraps; a call inside another counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._depth = 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added up."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - began
                    self.calls += 1

        return timed


def watch_builders() -> Stopwatch:
    """Wrap hetopt's model builders for the rest of the process.

    Modules that import a builder later take the wrapped one.
    """
    watch = Stopwatch()
    for name, function in FUNCTIONS:
        original = getattr(import_module(name), function)
        timed = watch.wrap(original)
        for module in [m for n, m in list(sys.modules.items()) if n.startswith("hetopt.")]:
            for taken in [k for k, v in vars(module).items() if v is original]:
                setattr(module, taken, timed)
    for name, title in CLASSES:
        built = getattr(import_module(name), title)
        built.__init__ = watch.wrap(built.__init__)
    return watch
