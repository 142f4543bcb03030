"""Quantities at the border: texts such as "4 ms" or "60 pJ/bit" become SI numbers, once.

A number is taken as SI as it stands (s, J, W, B, FLOP, B/s, currency units, kg of CO2). A text is
read as an exact fraction and rounded to a float once, so "4 ms" is the float 0.004 and not
4 * 0.001. Letters' case counts, as in SI: mW is not MW, and a bit is never written b.

A month is 1/12 of a year and a year 365 days (a month of 730 h, as cloud price lists have it).
Currencies are not converted: "5 EUR" and "5 USD" are both 5; `currency` tells which one a text
names, so that a reader of files can refuse a mixture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any

from hetopt.units.dimensions import CURRENCIES, DIMENSIONS, REQUESTS, SYMBOLS, Dimension
from hetopt.units.synonyms import UNITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_plain(value: object) -> bool:
    """Whether a value is a number, or the text of one, other than 0 and without a unit."""
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, str):
        match = _QUANTITY.fullmatch(_tidy(value))
        return bool(match and not match["unit"] and Decimal(match["number"]) != 0)
    return isinstance(value, Real | Decimal) and value == value and value != 0


def number_in(value: object) -> str:
    """Return the number alone of a text with a number and a unit, empty where it is no such."""
    if not isinstance(value, str):
        return ""
    match = _QUANTITY.fullmatch(_tidy(value))
    if match is None or not match["unit"] or match["parts"]:
        return ""
    if match["unit"] == "%":
        return f"{float(Fraction(Decimal(match['number'])) / 100):.12g}"
    return match["number"]


def has_scaled_unit(value: object, dimension: str) -> bool:
    """Whether a value is a text with a unit other than the one that plain numbers have."""
    if not isinstance(value, str):
        return False
    match = _QUANTITY.fullmatch(_tidy(value))
    return bool(match and match["unit"] and DIMENSIONS[dimension].factor(match["unit"]) != 1)


class UnitError(ValueError):
    """A value that is no quantity of the wanted dimension.

    Parameters
    ----------
    value
        The value as it was given.
    dimension
        Name of the wanted dimension, a key of `DIMENSIONS`.
    reason
        What is wrong with the value, without a final full stop.
    hint
        What the writer may have meant, as a full sentence, or empty.
    """

    def __init__(self, value: object, dimension: str, reason: str, hint: str = "") -> None:
        super().__init__(value, dimension, reason, hint)
        self.value = value
        self.dimension = dimension
        self.reason = reason
        self.hint = hint

    @property
    def expected(self) -> str:
        """What would have been accepted, in words."""
        wanted = DIMENSIONS[self.dimension]
        return f"{wanted.words}: a number in {wanted.si}, or a text such as {wanted.example!r}"

    def __str__(self) -> str:
        text = f"{self.value!r} is not {self.expected}; {self.reason}."
        return f"{text} {self.hint}" if self.hint else text


LARGEST, SMALLEST = 1e30, 1e-30
"""Sizes beyond which no quantity of this world lies; products and sums of such fit a float."""
USUAL = f"0, or a size from {SMALLEST:g} to {LARGEST:g} in SI units."


def is_extreme(values: Any) -> Any:
    """Whether each finite number is so large or small that sums with others lose their meaning."""
    import numpy as np

    size = np.abs(values)
    return np.isfinite(size) & (size > 0) & ((size > LARGEST) | (size < SMALLEST))


def parse(value: object, dimension: str, *, unlimited: bool = False) -> float:
    """Convert a number or a text to a float in SI units.

    Parameters
    ----------
    value
        An int or float, taken as SI as it stands, or a text: a number and, after optional
        blanks, a unit. A text without a unit is taken as SI too (cells of CSV files).
    dimension
        A key of `DIMENSIONS`.
    unlimited
        Whether infinity and the texts "unlimited" and "inf" are accepted, as infinity.

    Returns
    -------
    float
        The float nearest to the exact value. Never NaN.

    Raises
    ------
    UnitError
        If the value is a boolean, NaN, not finite, out of a float's range, no number, or its
        unit is not one of the dimension. Signs and ranges are the caller's business.
    """
    if isinstance(value, str):
        return _parse_text(value, dimension, unlimited)
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise UnitError(value, dimension, f"it is of type {type(value).__name__}")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        raise UnitError(value, dimension, "it is beyond the range of a float") from None
    if math.isfinite(number) or (unlimited and number == math.inf):
        return number
    raise UnitError(value, dimension, "it is not finite")


def parse_column(
    values: Sequence[object] | NDArray[Any],
    dimension: str,
    *,
    unlimited: bool = False,
    missing: float | None = None,
) -> tuple[NDArray[np.float64], list[tuple[int, UnitError]]]:
    """Convert a column of numbers or texts to SI units, collecting every error.

    Parameters
    ----------
    values
        n values; anything that `numpy.asarray` takes. A numeric array is not looped over.
    dimension, unlimited
        As in `parse`.
    missing
        What None, NaN and blank texts stand for; by default they are errors.

    Returns
    -------
    column
        n floats in SI units, NaN where the value is wrong.
    errors
        The wrong rows, in order, each with its error.
    """
    import numpy as np

    given = np.asarray(values) if isinstance(values, np.ndarray) else _as_array(values)
    if given.dtype.kind in "iuf":
        column = given.astype(np.float64)
        if missing is not None:
            column[np.isnan(column)] = missing
        wrong = ~np.isfinite(column)
        if unlimited or missing == math.inf:
            wrong &= column != np.inf
        rows = np.flatnonzero(wrong)
        errors = [(int(r), UnitError(given[r].item(), dimension, "it is not finite")) for r in rows]
        column[rows] = np.nan
        return column, errors
    column = np.empty(len(given), dtype=np.float64)
    errors = []
    known: dict[str, float] = {}  # large tables repeat few texts
    for row, value in enumerate(given.tolist()):
        if isinstance(value, str) and value in known:
            column[row] = known[value]
        elif missing is not None and _is_missing(value):
            column[row] = missing
        else:
            try:
                column[row] = parse(value, dimension, unlimited=unlimited)
            except UnitError as error:
                column[row] = math.nan
                errors.append((row, error))
            else:
                if isinstance(value, str):
                    known[value] = float(column[row])
    return column, errors


def format(  # noqa: A001
    value: float, dimension: str, *, currency: str = "", digits: int = 4
) -> str:
    """Write an SI number for people, with a unit that fits.

    Parameters
    ----------
    value
        A number in SI units; infinity is written "unlimited" and NaN "n/a".
    dimension
        A key of `DIMENSIONS`.
    currency
        The currency to name where the dimension has one.
    digits
        Significant digits.
    """
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "unlimited" if value > 0 else "-inf"
    steps = DIMENSIONS[dimension].shown
    unit, number = steps[0][0], value / steps[0][1]
    for name, size, least in steps:
        # Rounded first, so that 999.99 ms is written as 1 s.
        if abs(_rounded(value / size, digits)) * size >= least * (1 - 1e-12):
            unit, number = name, value / size
    if value == 0:
        unit, number = DIMENSIONS[dimension].zero, 0.0
    if "¤" in unit:
        unit = unit.replace("¤", currency)
    return f"{_digits(number, digits)} {unit}".rstrip()


def currency(value: object) -> str | None:
    """Return the currency that a text names ("USD" for "1.01 USD/h" or "$5"), or None."""
    if not isinstance(value, str):
        return None
    match = _QUANTITY.fullmatch(_tidy(value))
    if match is None:
        return None
    name = match["unit"].split("/")[0]
    return SYMBOLS.get(name, name) if name in CURRENCIES and name else None


def _as_array(values: Sequence[object]) -> NDArray[Any]:
    """Return an array that still tells booleans, numbers and texts of a mixed list apart."""
    import numpy as np

    column = np.asarray(values, dtype=object)
    if all(type(v) is float or type(v) is int for v in column.tolist()):
        try:
            return column.astype(np.float64)
        except OverflowError:  # an int beyond a float's range: the row is named by the loop
            return column
    return column


def _is_missing(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    # NaN and pandas' NaT differ from themselves; pandas' NA cannot say.
    return value is None or type(value).__name__ == "NAType" or value != value


def _rounded(number: float, digits: int) -> float:
    return float(f"{number:.{digits - 1}e}")


def _digits(number: float, digits: int) -> str:
    rounded = _rounded(number, digits)
    if 10**digits <= abs(rounded) < 1e15:
        return f"{rounded:.0f}"
    return f"{rounded:.{digits}g}"


# A decimal number, perhaps over a whole one ("100/3 ms"), then a unit that does not start with a
# digit, sign or point, except "1/s".
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"(?:/(?P<parts>[1-9][0-9]{0,17}))?"
    r" ?(?P<unit>(?:1/)?[^0-9.+\-\s]\S*|)"
)
_SYMBOL_FIRST = re.compile(r"([+-]?)([$€£]) ?([0-9.][^ /a-zA-Z]*) ?(.*)")
_UNLIMITED = ("unlimited", "inf", "infinity", ".inf")
_LARGEST_EXPONENT = 330  # a float's range and a prefix; keeps "1e999999999" from filling memory


def _tidy(text: str) -> str:
    """Return the text with one blank where any were, the micro sign as u, "$5" as "5$"."""
    text = " ".join(text.replace("µ", "u").replace("μ", "u").split())
    text = re.sub(r" ?([/·]) ?| per ", lambda found: found[1] or "/", text)
    text = re.sub(r"(?<=g) (?=CO2)", "", text)
    match = _SYMBOL_FIRST.fullmatch(text)
    return f"{match[1]}{match[3]} {match[2]}{match[4]}" if match else text


def _parse_text(text: str, dimension: str, unlimited: bool) -> float:
    tidy = _tidy(text)
    if tidy.lower().lstrip("+") in _UNLIMITED:
        if unlimited:
            return math.inf
        raise UnitError(text, dimension, "it is not finite")
    match = _QUANTITY.fullmatch(tidy)
    if match is None:
        hint = _several_hint(tidy, dimension) or _form_hint(tidy)
        raise UnitError(text, dimension, "it does not read as a number and a unit", hint)
    factor = DIMENSIONS[dimension].factor(match["unit"])
    if factor is None:
        unit = match["unit"]
        raise UnitError(
            text,
            dimension,
            f"its unit {unit!r} is not known here",
            _hint(match["number"], unit, dimension),
        )
    try:
        exact = Decimal(match["number"])
    except InvalidOperation:
        raise UnitError(text, dimension, "its number has too many digits") from None
    if exact == 0:
        return 0.0
    if abs(exact.adjusted()) > _LARGEST_EXPONENT:
        raise UnitError(text, dimension, "it is beyond the range of a float")
    try:
        number = float(Fraction(exact) / int(match["parts"] or 1) * factor)
    except OverflowError:
        number = 0.0
    if number == 0.0:
        raise UnitError(text, dimension, "it is beyond the range of a float")
    return number


def _several_hint(text: str, dimension: str) -> str:
    """Return how to write a quantity per several units of time (EUR/2 years), or nothing."""
    found = re.fullmatch(r"([0-9.]+) ?([^0-9\s/]+)/([1-9][0-9]{0,5}) ?([a-zA-Z]+)", text)
    if found is None:
        return ""
    number, above, several, below = found.groups()
    below = below.removesuffix("s") or below
    if DIMENSIONS[dimension].factor(f"{above}/{below}") is None:
        return ""
    try:
        each = Fraction(Decimal(number)) / int(several)
    except InvalidOperation:
        return ""
    short = f"{float(each):.12g}"
    if Fraction(Decimal(short)) != each:
        short = f"{number}/{several}"
    return f"Write {short} {above}/{below}: it is per one {below}."


def _form_hint(text: str) -> str:
    """Return how to write a text that is no number and unit, as a sentence, or nothing.

    What stands there keeps its size: where it could have two, both are named.
    """
    if re.match(r"[+-]?[0-9]+,[0-9]", text):
        number, rest = re.match(r"([0-9.,+-]+)(.*)", text).groups()  # type: ignore[union-attr]
        if number.count(",") == 1 and "." not in number:
            point = number.replace(",", ".")
            if len(number.rpartition(",")[2]) != 3:
                return f"Write {point}{rest}, with a decimal point."
            return f"Write {point}{rest} or {number.replace(',', '')}{rest}, whichever is meant."
        return "Write numbers with a decimal point and without commas."
    if re.match(r"[+-]?[0-9]+(\.[0-9]{3})+,[0-9]", text):
        return "Write numbers with a decimal point and without other separators."
    if re.match(r"[0-9]{1,3}( [0-9]{3})+\b", text):
        joined = re.sub(r"(?<=[0-9]) (?=[0-9]{3}\b)", "", text)
        return f"Write {joined}, without blanks in the number."
    thousands = re.fullmatch(r"([0-9.]+)[kK] (\S+)", text)
    if thousands:
        return f"Write {Decimal(thousands[1]) * 1000:f} {thousands[2]}."
    if re.match(r"[~≈<>≤≥=]", text):
        return "Write the number alone: what is about or at most, a quantity cannot say."
    if re.match(r"[0-9.]+ ?\S* ?(-|–|±|\+-|\+/-|\.\.|to) ?[0-9.]", text):
        return "Write one number; an option's time_low and time_high state an interval."
    if re.match(r"[0-9]+ ?(h|m|min|:) ?[0-9]+", text):
        return "Write one number with one unit, such as 90 min."
    if re.match(r"[A-Za-z%$]+ ?[0-9.]+$", text):
        return "Write the number first, then the unit."
    words = text.split()
    if len(words) > 2 and not re.search(r"/[0-9]", words[1]) and re.fullmatch(r"[0-9.]+", words[0]):
        return f"Write {words[0]} {words[1]} alone, without {' '.join(words[2:])}."
    return ""


def _hint(number: str, unit: str, dimension: str) -> str:
    """Return what the writer of an unknown unit may have meant, as a sentence, or nothing.

    A suggestion never changes the size of the value: what could have two sizes is named as both.
    """
    wanted = DIMENSIONS[dimension]
    same = UNITS.get(dimension, {}).get(unit)
    if same:
        return f"Write {number} {same}."
    bits = re.fullmatch(r"([kKMGTP]i?)b((?:/.*|ps)?)", unit)
    if bits and wanted.factor(f"{bits[1]}B{bits[2]}".replace("KB", "kB")) is not None:
        prefix, rest = bits[1].replace("K", "k", bits[1] == "K"), bits[2]
        return f"Write {prefix}B{rest} for bytes or {prefix}bit{rest} for bits."
    if unit.endswith("/b"):
        return f"Write {unit}it for bits or {unit[:-1]}B for bytes."
    if re.match(r"(h|min|m|s)[0-9]", unit):
        return "Write one number with one unit, such as 90 min."
    above, _, below = unit.partition("/")
    if below in REQUESTS and below and wanted.factor(above) and above:
        return f"Write {number} {above}: it is per execution anyway."
    if dimension == "rate" and below in REQUESTS and DIMENSIONS["time"].factor(above):
        seconds = Fraction(Decimal(number)) * (DIMENSIONS["time"].factor(above) or 1)
        return f"Write {format(float(1 / seconds), 'rate')}." if seconds else ""
    if dimension in ("rate", "money", "price") and unit in ("k", "K", "M"):
        whole = Decimal(number) * (1_000_000 if unit == "M" else 1000)
        return f"Write {whole:f}, with the unit."
    if unit.split("/")[0] == "KB":
        rest = unit[2:]
        return f"Write kB{rest} for 1000 bytes or KiB{rest} for 1024."
    if dimension == "bytes" and unit in ("G", "M", "K", "k", "T", "Gi", "Mi", "Ki", "g", "m"):
        prefix = unit[0].upper()
        decimal = f"{'k' if prefix == 'K' else prefix}B"
        return f"Write {number} {prefix}iB (powers of 1024) or {number} {decimal} (of 1000)."
    if dimension == "time" and unit in ("m", "M", "mo"):
        return "Write min for minutes, ms for milliseconds, month for months."
    turned = {"time": "rate", "rate": "time"}.get(dimension)
    size = DIMENSIONS[turned].factor(unit) if turned else None
    if turned and size and Decimal(number) != 0:
        inverse = format(float(1 / (Fraction(Decimal(number)) * size)), dimension)
        return f"That is a {turned}: its inverse, the {dimension}, is {inverse}."
    order = ("h",) if dimension == "price" else ("kWh", "s", "B", "FLOP")
    per = [name for name in order if name in wanted.per]
    if per and unit and unit in wanted.units:
        lifetime = "; a purchase price has a lifetime beside it" if dimension == "price" else ""
        return f"Say per what: {unit}/{per[0]}, for example{lifetime}."
    others = [d for d in DIMENSIONS.values() if d.factor(unit) is not None]
    if others:
        return f"{unit} is a unit of {others[0].name.replace('_', ' ')}."
    names = wanted.names()
    alike = [name for name in names if name.lower() == unit.lower()]
    if alike:
        return f"Did you mean {' or '.join(alike)}?"
    for d in DIMENSIONS.values():
        likely = [name for name in d.names() if name.lower() == unit.lower()]
        if likely and d.name != dimension and wanted.factor(likely[0]) is None and len(unit) > 1:
            return f"{likely[0]} is a unit of {d.name.replace('_', ' ')}."
    from difflib import get_close_matches

    close = get_close_matches(unit, [n for n in names if len(n) > 3], n=3, cutoff=0.75)
    if close and len({wanted.factor(name) for name in close}) == 1:
        return f"Did you mean {close[0]}?"
    return f"Units known here are, for example, {', '.join(_some_names(wanted))}."


def _some_names(wanted: Dimension) -> list[str]:
    """Return the units that values of the dimension are shown in, then others."""
    shown = [name for name, _, _ in wanted.shown if "¤" not in name]
    return list(dict.fromkeys([*shown, *wanted.names()]))[:8]
