"""The one public error hierarchy: what a user did wrong, where, and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HetoptError(Exception):
    """Base of every error that hetopt raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    place
        Where: ``file:line``, a document path (``devices[2].idle_power_w``), or
        ``table devices, row 3, column idle_power_w``.
    value
        The offending value as text; empty where something is missing.
    expected
        What was expected there, a full sentence.
    table, row, column
        The same place as a table position, so that a reader of another file form can translate
        it into its own place; ``row`` counts from 0 and is -1 where the whole column is meant.
    """

    place: str
    value: str
    expected: str
    table: str = ""
    row: int = -1
    column: str = ""

    def __str__(self) -> str:
        """One line: place, value, expectation."""
        value = f" got {self.value};" if self.value else ""
        return f"{self.place}:{value} {self.expected}"


class InputError(HetoptError):
    """Bad input: every problem found, not only the first.

    Attributes
    ----------
    problems
        All problems, in the order of the input.
    """

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem(place="", value="", expected=problems)]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(p) if p.place else p.expected for p in self.problems))


class RefusedError(InputError):
    """A target that does not take a plan, or not yet: what is missing or what it has no form for.

    The input is sound, so that the command line ends with the code of a failed check.
    """
