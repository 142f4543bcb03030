"""The dimensions and units that files may use: one table, in exact fractions.

A unit is plain ("ms") or one unit over another ("pJ/bit"). Sizes are exact, so that reading a text
rounds once. A month is 1/12 of a year and a year 365 days (a month of 730 h, as cloud price lists
have it). Currencies all have size 1: they are not converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

Units = Mapping[str, Fraction]
Steps = tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Dimension:
    """A dimension: its units, either plain or one unit over another, and how it is shown.

    `units` and, where the dimension is a quotient, `per` map a unit's name to its size in SI
    units; `aliases` are names for whole quotients. `shown` holds the units for people: name, size,
    and the least amount (in SI units) that is written in it, from small to large. `zero` is the
    unit in which nothing at all is written.
    """

    name: str
    words: str
    si: str
    example: str
    zero: str
    shown: Steps
    units: Units
    per: Units = field(default_factory=dict)
    aliases: Units = field(default_factory=dict)

    def factor(self, unit: str) -> Fraction | None:
        """Return the size of a unit in SI units, None if it is not one of this dimension."""
        if not unit:
            return Fraction(1)
        if unit in self.aliases:
            return self.aliases[unit]
        if not self.per:
            return self.units.get(unit)
        above, slash, below = unit.partition("/")
        if slash and above in self.units and below in self.per:
            return self.units[above] / self.per[below]
        return None

    def names(self) -> list[str]:
        """Return the names of all units, the plain ones or every quotient."""
        quotients = [f"{a}/{b}" for b in self.per for a in self.units]
        return [*self.aliases, *(quotients if self.per else self.units)]


def _scaled(base: str, prefixes: str, size: Fraction | int = 1) -> dict[str, Fraction]:
    return {prefix.strip() + base: _SI[prefix] * size for prefix in prefixes}


_SI = {
    p: Fraction(10) ** e
    for p, e in zip("pnum kMGTPE", (-12, -9, -6, -3, *range(0, 19, 3)), strict=True)
}
_BINARY = {f"{p}i": Fraction(1024) ** e for e, p in enumerate("KMGTP", start=1)}
_HOUR = Fraction(3600)
_YEAR = 8760 * _HOUR
_TIME = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Fraction(1)),
    **_scaled("s", "mun"),
    **dict.fromkeys(("msec", "msecs", "millisecond", "milliseconds"), _SI["m"]),
    **dict.fromkeys(("usec", "usecs", "microsecond", "microseconds"), _SI["u"]),
    **dict.fromkeys(("nsec", "nsecs", "nanosecond", "nanoseconds"), _SI["n"]),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Fraction(60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _HOUR),
    **dict.fromkeys(("d", "day", "days"), 24 * _HOUR),
    **dict.fromkeys(("week", "weeks"), 168 * _HOUR),
    **dict.fromkeys(("month", "months"), _YEAR / 12),
    **dict.fromkeys(("a", "y", "yr", "yrs", "year", "years"), _YEAR),
}
_ENERGY = {
    **_scaled("J", " pnumkMGT"),
    **_scaled("Wh", " umkMGT", _HOUR),
    **dict.fromkeys(("joule", "joules"), Fraction(1)),
}
_POWER = {**_scaled("W", " numkMGT"), **dict.fromkeys(("watt", "watts"), Fraction(1))}
_BITS = {
    **_scaled("bit", " kMGTP", Fraction(1, 8)),
    **{f"{p}bit": s / 8 for p, s in _BINARY.items()},
}
_BYTES = {
    **_scaled("B", " kMGTP"),
    **{f"{prefix}B": size for prefix, size in _BINARY.items()},
    **_BITS,
    **dict.fromkeys(("byte", "bytes"), Fraction(1)),
    "bits": Fraction(1, 8),
}
_PER_SECOND = {**_scaled("bps", " kMGTP", Fraction(1, 8)), **_scaled("Bps", " kMGTP")}
_FREQUENCY = _scaled("Hz", " mkMGT")
REQUESTS = dict.fromkeys(
    [
        *("req", "request", "requests", "query", "queries", "frame", "frames", "image", "images"),
        *("img", "sample", "samples", "inference", "inferences", "inf", "token", "tokens", "tok"),
        *("reqs", "prediction", "predictions", "call", "calls", "item", "items"),
        *("job", "jobs", "task", "tasks", "batch", "batches", "1", ""),
    ],
    Fraction(1),
)
SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
CURRENCIES = dict.fromkeys(
    [
        *("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "KRW", "TWD", "HKD", "SGD", "CAD"),
        *(
            "AUD",
            "NZD",
            "SEK",
            "NOK",
            "DKK",
            "PLN",
            "CZK",
            "HUF",
            "BRL",
            "MXN",
            "ILS",
            "ZAR",
            "TRY",
        ),
        *SYMBOLS,
    ],
    Fraction(1),
)
_CENTS = dict.fromkeys(("ct", "cts", "cent", "cents", "¢"), Fraction(1, 100))
"""Hundredths of a currency that is not named."""
_MONEY = {**CURRENCIES, **_CENTS}
_CARBON = {
    f"{unit}{tail}": size
    for tail in ("", "CO2", "CO2e", "CO2eq")
    for unit, size in {"g": _SI["m"], "kg": _SI[" "], "mg": _SI["u"], "t": _SI["k"]}.items()
}
_FLOP = {**_scaled("FLOP", " kMGTPE"), **_scaled("FLOPs", " kMGTPE"), **_scaled("OP", " kMGTPE")}
_FLOPS = {**_scaled("FLOPS", " kMGTPE"), **_scaled("OPS", " kMGTPE")}


def _steps(units: Units, *names: str) -> Steps:
    """Show in each named unit what is at least one of it."""
    return tuple((name, float(units[name]), float(units[name])) for name in names)


def _quotients(units: Units, below: str, size: float, *names: str) -> Steps:
    """Show in each named unit over `below`, which has the given size, what is at least one."""
    return tuple((f"{n}/{below}", float(units[n]) / size, float(units[n]) / size) for n in names)


_TIME_SHOWN = (
    *_steps(_TIME, "ns", "us", "ms", "s"),
    # Two minutes and more read better than 120 s; below, people count seconds.
    *((name, float(_TIME[name]), 2 * float(_TIME[name])) for name in ("min", "h", "d")),
)
_KWH = 3.6e6

DIMENSIONS: Mapping[str, Dimension] = {
    d.name: d
    for d in (
        Dimension("time", "a time", "s", "4 ms", "s", _TIME_SHOWN, _TIME),
        Dimension(
            "energy",
            "an energy",
            "J",
            "250 mJ",
            "J",
            _steps(_ENERGY, "pJ", "nJ", "uJ", "mJ", "J", "kJ", "MJ", "GJ"),
            _ENERGY,
        ),
        Dimension(
            "power",
            "a power",
            "W",
            "15 W",
            "W",
            _steps(_POWER, "nW", "uW", "mW", "W", "kW", "MW", "GW"),
            _POWER,
        ),
        Dimension(
            "bytes",
            "an amount of data",
            "B",
            "16 GiB",
            "B",
            _steps(_BYTES, "B", "KiB", "MiB", "GiB", "TiB", "PiB"),
            _BYTES,
        ),
        Dimension(
            "bandwidth",
            "a bandwidth",
            "B/s",
            "32 GB/s",
            "B/s",
            _quotients(_BYTES, "s", 1.0, "B", "kB", "MB", "GB", "TB", "PB"),
            _BYTES,
            _TIME,
            _PER_SECOND,
        ),
        Dimension(
            "energy_per_byte",
            "an energy per byte",
            "J/B",
            "60 pJ/bit",
            "J/B",
            _quotients(_ENERGY, "B", 1.0, "pJ", "nJ", "uJ", "mJ", "J"),
            _ENERGY,
            _BYTES,
        ),
        Dimension(
            "energy_per_flop",
            "an energy per operation",
            "J/FLOP",
            "2 pJ/FLOP",
            "J/FLOP",
            _quotients(_ENERGY, "FLOP", 1.0, "pJ", "nJ", "uJ", "mJ", "J"),
            _ENERGY,
            _FLOP,
        ),
        Dimension(
            "frequency",
            "a frequency",
            "Hz",
            "1.3 GHz",
            "Hz",
            _steps(_FREQUENCY, "mHz", "Hz", "kHz", "MHz", "GHz"),
            _FREQUENCY,
        ),
        Dimension(
            "rate",
            "a rate",
            "1/s",
            "120 req/s",
            "/s",
            (("/s", 1.0, 1.0),),
            REQUESTS,
            _TIME,
            {
                **dict.fromkeys(("rps", "qps", "fps", "tps", "ips"), Fraction(1)),
                **dict.fromkeys(("RPS", "QPS", "FPS", "TPS", "IPS"), Fraction(1)),
                **_FREQUENCY,
            },
        ),
        Dimension(
            "money",
            "an amount of money",
            "currency units",
            "10000 USD",
            "¤",
            (("¤", 1.0, 1.0),),
            _MONEY,
        ),
        Dimension(
            "price",
            "a price per time",
            "currency units per second",
            "1.01 USD/h",
            "¤/h",
            (("¤/h", 1 / 3600, 1 / 3600),),
            {**_MONEY, "": Fraction(1)},
            _TIME,
        ),
        Dimension(
            "energy_price",
            "a price of energy",
            "currency units per J",
            "0.30 EUR/kWh",
            "¤/kWh",
            (("¤/kWh", 1 / _KWH, 1 / _KWH),),
            {**_MONEY, "": Fraction(1)},
            _ENERGY,
        ),
        Dimension(
            "carbon",
            "a mass of CO2",
            "kg",
            "400 g",
            "kg",
            _steps(_CARBON, "mg", "g", "kg", "t"),
            _CARBON,
        ),
        Dimension(
            "carbon_intensity",
            "a carbon intensity",
            "kg/J",
            "400 g/kWh",
            "g/kWh",
            _quotients(_CARBON, "kWh", _KWH, "g"),
            _CARBON,
            _ENERGY,
        ),
        Dimension(
            "fraction",
            "a fraction",
            "parts of 1",
            "25 %",
            "%",
            (("%", 0.01, 0.01),),
            {
                **dict.fromkeys(("%", "percent", "pct"), Fraction(1, 100)),
                "‰": Fraction(1, 1000),
            },
        ),
        Dimension(
            "flop",
            "an amount of work",
            "FLOP",
            "4.1 GFLOP",
            "FLOP",
            _steps(_FLOP, "FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"),
            _FLOP,
        ),
        Dimension(
            "flop_rate",
            "a speed of computing",
            "FLOP/s",
            "19.5 TFLOP/s",
            "FLOP/s",
            _quotients(_FLOP, "s", 1.0, "FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"),
            _FLOP,
            _TIME,
            _FLOPS,
        ),
    )
}
"""Every dimension that a file or a caller can name."""
