"""Values that flags of the command line take."""

from __future__ import annotations

from typing import Any

import typer

from hetopt.errors import InputError, Problem


def positive(flag: str, text: str, dimension: str) -> float:
    """Read a quantity of more than 0 from the command line."""
    from hetopt import units

    try:
        value = units.parse(text, dimension)
    except units.UnitError as error:
        raise InputError([Problem(flag, text, f"{error.expected}. {error.hint}".strip())]) from None
    if not value > 0:
        raise InputError([Problem(flag, text, "More than 0.")])
    if units.is_extreme(value):
        raise InputError([Problem(flag, text, units.USUAL)])
    if flag in ("--deadline", "--power-cap") and units.is_plain(text):
        si = {"time": "s", "power": "W"}[dimension]
        typer.echo(f"note: {flag} {text} counts as {value:g} {si}; a unit can follow.", err=True)
    return value


def choice(flag: str, value: str, choices: tuple[Any, ...]) -> Any:
    """Return the value of a flag that has few."""
    if value not in choices:
        raise InputError([Problem(flag, value, f"One of {', '.join(choices)}.")])
    return value


def pair(flag: str, text: str) -> tuple[str, str]:
    """Read a task and its device from ``TASK=DEVICE``."""
    task, mark, device = text.rpartition("=")
    if not mark or not task or not device:
        raise InputError([Problem(flag, text, "TASK=DEVICE.")])
    return task, device
