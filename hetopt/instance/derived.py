"""What is computed from a frozen instance once and kept with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from hetopt.instance.instance import Instance

T = TypeVar("T")


def once(make: Callable[[Instance], T]) -> Callable[[Instance], T]:
    """Keep what a function makes of an instance: each instance is asked once.

    Columns never change, and :func:`dataclasses.replace` makes an instance that keeps nothing yet.
    Where threads ask at the same time, all get the same object.
    """
    key = f"{make.__module__}.{make.__qualname__}"

    @functools.wraps(make)
    def kept(instance: Instance) -> T:
        made = instance.derived
        if key not in made:
            made.setdefault(key, make(instance))
        found: T = made[key]
        return found

    return kept
