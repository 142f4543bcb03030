"""Numbers that stand without a unit where others of their kind have one: easily a mistake.

A plain number is in SI units, so ``time: 13.7`` is 13.7 s; beside times in ms it was hardly meant.
It is read as it stands, and what was understood is told. ``time_s: 13.7`` says its unit itself.
"""

from __future__ import annotations

from hetopt import units
from hetopt.instance.column_specs import Column
from hetopt.units.dimensions import DIMENSIONS

TOLD = 4
"""Places named of one dimension; further ones are counted."""
UNSAID = ("fraction",)
"""Dimensions whose plain numbers are usual beside others."""


class ForgottenUnits:
    """Collects values as they are read; :meth:`notes` says which lack a unit."""

    def __init__(self) -> None:
        self._scaled: dict[str, str] = {}
        self._plain: dict[str, list[tuple[str, str, float, str]]] = {}

    def see(self, column: Column, label: str, value: object, place: str) -> None:
        """Look at one value.

        Parameters
        ----------
        column
            What it is of.
        label
            The name that was written for the column.
        value
            As it was written.
        place
            What people call where it stands.
        """
        dimension = column.dimension
        if not dimension or dimension in UNSAID:
            return
        if units.has_scaled_unit(value, dimension):
            self._scaled.setdefault(dimension, str(value))
        elif label != column.name and units.is_plain(value):
            number = float(str(value).partition("/")[0])
            self._plain.setdefault(dimension, []).append((place, label, number, column.name))

    def notes(self) -> list[str]:
        """Return a sentence for each dimension of which some values have units and some none."""
        found = []
        for dimension, plain in self._plain.items():
            if dimension not in self._scaled:
                continue
            si = _si(dimension)
            places = [
                f"{place}: {label}: {value:g} counts as {_shown(value, si)}"
                for place, label, value, _ in plain[:TOLD]
            ]
            more = f" (and {len(plain) - TOLD} more)" if len(plain) > TOLD else ""
            kind = dimension.replace("_", " ")
            label, name = plain[0][1], plain[0][3]
            found.append(
                f"No unit: {'; '.join(places)}{more}, while another {kind} has a unit "
                f"({self._scaled[dimension]}). Write the unit too, or {name} instead of {label} "
                "if it is right."
            )
        return found


def _si(dimension: str) -> str:
    return {
        "price": "per second",
        "money": "",
        "rate": "/s",
        "energy_price": "per J (3,600,000 J are a kWh)",
    }.get(dimension, DIMENSIONS[dimension].si)


def _shown(value: float, si: str) -> str:
    return f"{value:g} {si}".rstrip()
