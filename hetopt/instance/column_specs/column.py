"""What a column of a table is, and short ways to state one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ColumnType = Literal["number", "whole", "flag", "text", "names"]
Default = float | int | bool | str | None

UNLIMITED = float("inf")
NOT_STATED = float("nan")
UNIT_ENDS = {
    "time": ("_s", ""),
    "power": ("_w", ""),
    "energy": ("_j", ""),
    "energy_per_byte": ("_j_per_b", "_per_byte"),
    "bytes": ("_b", ""),
    "bandwidth": ("_b_per_s", ""),
    "rate": ("_per_s", ""),
    "price": ("_per_s", ""),
    "energy_price": ("_per_j", ""),
    "carbon_intensity": ("kg_per_j", "intensity"),
}
"""How names of columns end by the dimension of their values; and how their names without a unit."""
MOST_COUNTED = 1_000_000
"""Most units, slots, channels and the like; arrays have a place for each."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, or one setting.

    Parameters
    ----------
    name
        Field name, with the unit where there is one.
    meaning
        One sentence for the schema and the docs.
    type
        ``number``, ``whole``, ``flag``, ``text``, or ``names`` (a list, or a comma-separated text).
    default
        Value where the field is absent; ``None`` makes it required.
    dimension
        A dimension of :mod:`hetopt.units`, for numbers that files may write with a unit.
    minimum, maximum
        Inclusive limits of the value; ``positive`` makes the lower limit exclusive.
    choices
        The only texts allowed; empty where any is.
    regime
        The only regime in which the field may be set, empty where both.
    aliases
        Other names that files may use.
    pieces
        Of a setting that may change over time: the fields of one piece, its begin first.
    within
        The mapping of a document that may hold the field, under its name there
        (:attr:`inner_names`); empty where none does.
    """

    name: str
    meaning: str
    type: ColumnType = "text"
    default: Default = ""
    dimension: str = ""
    minimum: float = -UNLIMITED
    maximum: float = UNLIMITED
    positive: bool = False
    choices: tuple[str, ...] = ()
    regime: str = ""
    aliases: tuple[str, ...] = ()
    pieces: tuple[Column, ...] = ()
    within: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names that files may use, its own first."""
        return (self.name, *self.aliases)

    @property
    def inner_names(self) -> tuple[str, ...]:
        """Names in the mapping ``within``: ``time_s`` for ``start_up_time_s`` in ``start_up``."""
        prefix = f"{self.within}_"
        return tuple(name.removeprefix(prefix) for name in self.names)

    @property
    def unlimited(self) -> bool:
        """Whether infinity is a meaningful value (it is then the default)."""
        return self.default == UNLIMITED


def text(name: str, meaning: str, **options: Any) -> Column:
    """Return a column of texts."""
    return Column(name, meaning, "text", **options)


def number(name: str, meaning: str, default: Default, dimension: str, **options: Any) -> Column:
    """Return a column of numbers; its name without the unit is an alias, for values with one."""
    options.setdefault("minimum", 0.0)
    end, instead = UNIT_ENDS.get(dimension, ("", ""))
    if end and name.endswith(end):
        options.setdefault("aliases", (name.removesuffix(end) + instead,))
    return Column(name, meaning, "number", default, dimension, **options)


def whole(name: str, meaning: str, default: Default, **options: Any) -> Column:
    """Return a column of whole numbers."""
    options.setdefault("maximum", MOST_COUNTED)
    return Column(name, meaning, "whole", default, **options)


def flag(name: str, meaning: str, default: bool = False, **options: Any) -> Column:
    """Return a column of flags."""
    return Column(name, meaning, "flag", default, **options)


def required(name: str, meaning: str) -> Column:
    """Return a column of names that must be there."""
    return Column(name, meaning, "text", None)
