"""What the checker found: violations in plain words, and the objectives that it recomputed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hetopt.instance import Ints

Mode = Literal["ticks", "fractions", "float"]

MOST_PER_KIND = 100
"""Violations of one kind that are spelled out; the others are counted in one more line."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a plan or a claim breaks.

    Parameters
    ----------
    kind
        A slug, such as ``slots`` or ``missing-transfer``.
    message
        A full sentence that names what breaks the rule, where, and the limit.
    subject
        The task, unit, tensor, link or job that it is about; empty where it is the whole plan.
    """

    kind: str
    message: str
    subject: str = ""

    def __str__(self) -> str:
        """Kind and message on one line."""
        return f"{self.kind}: {self.message}"


@dataclass(frozen=True)
class Report:
    """The checker's verdict on a plan.

    Parameters
    ----------
    violations
        Every rule broken, in the order of the checks; of one kind at most ``MOST_PER_KIND`` are
        spelled out, one more entry then says how many others there are.
    objectives
        Every objective of the regime that the plan determines, recomputed by the checker.
    mode
        The arithmetic that was used for times (schedule) or rates (steady): integer ``ticks``,
        exact ``fractions`` or ``float``.
    """

    violations: tuple[Violation, ...]
    objectives: dict[str, float]
    mode: Mode

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.violations

    @property
    def exact(self) -> bool:
        """Whether times or rates were compared without rounding."""
        return self.mode != "float"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the violations, each once, in order of first appearance."""
        return tuple(dict.fromkeys(v.kind for v in self.violations))


@dataclass
class Findings:
    """Violations as they are collected, capped per kind."""

    _entries: list[Violation] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, message: str, subject: str = "") -> None:
        """Note one violation."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= MOST_PER_KIND:
            self._entries.append(Violation(kind, message, str(subject)))

    def rows(
        self, kind: str, rows: Ints | Sequence[int], tell: Callable[[int], tuple[str, str]]
    ) -> None:
        """Note one violation per row; ``tell`` gives message and subject of those spelled out."""
        said = min(len(rows), max(0, MOST_PER_KIND - self._counts.get(kind, 0)))
        for row in rows[:said]:
            message, subject = tell(int(row))
            self.add(kind, message, subject)
        if len(rows) > said:
            self._counts[kind] = self._counts.get(kind, 0) + len(rows) - said

    def extend(self, violations: Sequence[Violation]) -> None:
        """Note what was found elsewhere."""
        for violation in violations:
            self.add(violation.kind, violation.message, violation.subject)

    def violations(self) -> tuple[Violation, ...]:
        """Return all violations, followed by a count for each kind that was cut short."""
        cut = [
            Violation(kind, f"There are {n - MOST_PER_KIND} more violations of this kind.")
            for kind, n in self._counts.items()
            if n > MOST_PER_KIND
        ]
        return (*self._entries, *cut)


def show(value: float, unit: str = "") -> str:
    """Write a number for a message: 12 digits, with its unit."""
    return f"{float(value):.12g}{' ' + unit if unit else ''}"
