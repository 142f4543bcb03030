"""Plans of the shipped instances of streams, for the targets of ``hetopt deploy``."""

from __future__ import annotations

from functools import cache

from hetopt.formats import read_instance
from hetopt.formats.shipped import shipped_names
from hetopt.instance import Instance
from hetopt.solution import Solution
from hetopt.solve import solve


@cache
def steady_names() -> tuple[str, ...]:
    """Names of the shipped instances of streams."""
    names = shipped_names()
    return tuple(name for name in names if read_instance(name).regime == "steady")


@cache
def solved(name: str) -> tuple[Instance, Solution]:
    """A shipped instance with some plan of it: any will do, so the first that is found."""
    instance = read_instance(name)
    return instance, solve(instance, time_limit=20, gap=1.0, workers=1)
