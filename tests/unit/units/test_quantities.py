from __future__ import annotations

import math
import pickle
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetopt import units
from hetopt.units import UnitError, parse, parse_column
from hetopt.units.quantities import DIMENSIONS


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("4 ms", "time", 0.004),
        ("12ms", "time", 0.012),
        ("0.1 us", "time", 1e-7),
        ("2 µs", "time", 2e-6),
        ("2 μs", "time", 2e-6),
        ("3 ns", "time", 3e-9),
        ("1.5 min", "time", 90.0),
        ("2 h", "time", 7200.0),
        ("1 d", "time", 86400.0),
        ("3 a", "time", 94_608_000.0),
        ("1 month", "time", 2_628_000.0),
        ("100/3 ms", "time", 100 / 3000),
        ("1/30 s", "time", 1 / 30),
        ("1/s", "rate", 1.0),
        ("250 uJ", "energy", 0.00025),
        ("7 pJ", "energy", 7e-12),
        ("1.5 kWh", "energy", 5.4e6),
        ("1 Wh", "energy", 3600.0),
        ("5 mW", "power", 0.005),
        ("5 MW", "power", 5e6),
        ("16 GiB", "bytes", 17_179_869_184.0),
        ("16 GB", "bytes", 16e9),
        ("8 kbit", "bytes", 1000.0),
        ("1 Kibit", "bytes", 128.0),
        ("32 GB/s", "bandwidth", 32e9),
        ("1 GiB/s", "bandwidth", 1_073_741_824.0),
        ("10 Gbit/s", "bandwidth", 1.25e9),
        ("100 Mbps", "bandwidth", 12.5e6),
        ("2 GBps", "bandwidth", 2e9),
        ("60 pJ/bit", "energy_per_byte", 4.8e-10),
        ("1 nJ / B", "energy_per_byte", 1e-9),
        ("2 pJ/FLOP", "energy_per_flop", 2e-12),
        ("1.3 GHz", "frequency", 1.3e9),
        ("120 req/s", "rate", 120.0),
        ("120 rps", "rate", 120.0),
        ("30 fps", "rate", 30.0),
        ("5 1/s", "rate", 5.0),
        ("6/min", "rate", 0.1),
        ("36 /h", "rate", 0.01),
        ("10000 USD", "money", 10000.0),
        ("$12.50", "money", 12.5),
        ("3.6 USD/h", "price", 0.001),
        ("$3.6/h", "price", 0.001),
        ("0.36 EUR/kWh", "energy_price", 1e-7),
        ("360 g/kWh", "carbon_intensity", 1e-7),
        ("360 gCO2/kWh", "carbon_intensity", 1e-7),
        ("1 kg/J", "carbon_intensity", 1.0),
        ("2 t", "carbon", 2000.0),
        ("25 %", "fraction", 0.25),
        ("0.25", "fraction", 0.25),
        ("4.1 GFLOP", "flop", 4.1e9),
        ("19.5 TFLOP/s", "flop_rate", 19.5e12),
        ("26 TOPS", "flop_rate", 26e12),
        ("-3 ms", "time", -0.003),
        ("  1e3   ms ", "time", 1.0),
        (".5 s", "time", 0.5),
        ("1_000 s", "time", 1000.0),
    ],
)
def test_texts_become_the_nearest_float_of_the_exact_si_value(text, dimension, expected):
    assert parse(text, dimension) == expected


@pytest.mark.parametrize("value", [3, 3.0, np.float64(3), np.int32(3), Decimal(3), "3"])
def test_numbers_without_a_unit_are_si_as_they_stand(value):
    result = parse(value, "time")
    assert result == 3.0
    assert type(result) is float


@pytest.mark.parametrize(
    ("value", "dimension", "hint"),
    [
        ("16 Gb", "bytes", "Write GB for bytes or Gbit for bits."),
        ("10 Gb/s", "bandwidth", "Write GB/s for bytes or Gbit/s for bits."),
        ("16 gb", "bytes", "Did you mean GB?"),
        ("16 KB", "bytes", "Write kB for 1000 bytes or KiB for 1024."),
        ("4 MS", "time", "Did you mean ms?"),
        ("4 m", "time", "Write min for minutes"),
        ("4 mw", "power", "Did you mean mW or MW?"),
        ("4 W", "energy", "W is a unit of power."),
        ("4 TFLOPS", "flop", "TFLOPS is a unit of flop rate."),
        ("1,5 ms", "time", "decimal point"),
        ("4 secnds", "time", "Did you mean seconds"),
    ],
)
def test_near_misses_are_refused_with_a_hint(value, dimension, hint):
    with pytest.raises(UnitError) as caught:
        parse(value, dimension)
    assert hint in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, np.True_, None, [1], "", " ", "ms", "1 2", "4 parsecs", "1e", "0x10", "--1"),
        *(
            math.nan,
            math.inf,
            -math.inf,
            "nan",
            "inf",
            "unlimited",
            "1e400",
            "1e999999999",
            "1e-999 s",
        ),
        *(10**400, "٣ s", "3 s s", "1/s", "5 s/s", Decimal("NaN"), Decimal("sNaN")),
    ],
)
def test_what_is_no_finite_time_is_refused(value):
    with pytest.raises(UnitError) as caught:
        parse(value, "time")
    assert "a time" in str(caught.value)
    assert caught.value.dimension == "time"


@pytest.mark.parametrize("value", ["unlimited", "inf", "Inf", ".inf", math.inf])
def test_infinity_is_accepted_only_on_request(value):
    assert parse(value, "bytes", unlimited=True) == math.inf
    with pytest.raises(UnitError):
        parse(value, "bytes")
    with pytest.raises(UnitError):
        parse(-math.inf, "bytes", unlimited=True)


def test_an_error_survives_pickling():
    error = UnitError("4 MS", "time", "its unit is not known", "Did you mean ms?")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6
    )
)
def test_milliseconds_are_read_as_exactly_as_seconds(number):
    assert parse(f"{number} ms", "time") == float(number.scaleb(-3))


@given(st.sampled_from(sorted(DIMENSIONS)), st.floats(1e-9, 1e9))
def test_what_format_writes_reads_back_to_four_digits(dimension, value):
    text = units.format(value, dimension, currency="EUR")
    assert parse(text, dimension) == pytest.approx(value, rel=5.001e-4)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.004, "time", "4 ms"),
        (0.9999999, "time", "1 s"),
        (90.0, "time", "90 s"),
        (7200.0, "time", "2 h"),
        (0.0, "time", "0 s"),
        (-0.004, "time", "-4 ms"),
        (17179869184.0, "bytes", "16 GiB"),
        (123456.0, "power", "123.5 kW"),
        (123456.0, "rate", "123500 /s"),
        (1.01 / 3600, "price", "1.01 USD/h"),
        (1e-7, "carbon_intensity", "360 g/kWh"),
        (0.25, "fraction", "25 %"),
        (math.inf, "bytes", "unlimited"),
        (math.nan, "bytes", "n/a"),
    ],
)
def test_format_picks_a_unit_that_fits(value, dimension, text):
    assert units.format(value, dimension, currency="USD") == text


@pytest.mark.parametrize("dimension", sorted(DIMENSIONS))
def test_every_dimension_reads_its_own_example_and_every_unit_of_its_own(dimension):
    assert parse(DIMENSIONS[dimension].example, dimension) > 0
    for name in DIMENSIONS[dimension].names():
        assert parse(f"1 {name}", dimension) > 0


def test_currency_names_the_currency_of_a_text():
    assert units.currency("1.01 USD/h") == "USD"
    assert units.currency("€5") == "EUR"
    assert units.currency("5") is None
    assert units.currency(5.0) is None
    assert units.currency("5 ms") is None


def test_a_numeric_column_is_taken_as_si_and_its_bad_rows_are_listed():
    column, errors = parse_column(np.array([1.0, np.nan, np.inf, 4.0]), "time")
    assert np.array_equal(column, [1.0, np.nan, np.nan, 4.0], equal_nan=True)
    assert [row for row, _ in errors] == [1, 2]


def test_a_column_of_texts_lists_every_wrong_row():
    column, errors = parse_column(["4 ms", 2, "x", True, "4 ms"], "time")
    assert np.array_equal(column, [0.004, 2.0, np.nan, np.nan, 0.004], equal_nan=True)
    assert [row for row, _ in errors] == [2, 3]
    assert all(isinstance(error, UnitError) for _, error in errors)


def test_booleans_are_no_numbers_in_a_column_either():
    assert len(parse_column(np.array([True, False]), "time")[1]) == 2
    assert len(parse_column([True, 1.0], "time")[1]) == 1


def test_missing_cells_take_the_given_value():
    for values in (
        [None, "", " ", math.nan, "1 s"],
        pd.Series([None, pd.NA, math.nan, pd.NaT, "1 s"], dtype=object),
    ):
        column, errors = parse_column(np.asarray(values, dtype=object), "time", missing=math.inf)
        assert errors == []
        assert np.array_equal(column, [math.inf] * 4 + [1.0])
    column, errors = parse_column(np.array([np.nan, 1.0]), "time", missing=0.0)
    assert errors == []
    assert np.array_equal(column, [0.0, 1.0])
    assert len(parse_column([None, ""], "time")[1]) == 2


def test_an_integer_beyond_floats_is_an_error_of_its_row():
    _, errors = parse_column([1, 10**400], "time")
    assert [row for row, _ in errors] == [1]


def test_an_empty_column_is_empty():
    column, errors = parse_column([], "time")
    assert column.shape == (0,)
    assert errors == []


def test_units_import_nothing_beyond_the_standard_library():
    code = "import sys, hetopt.units; print('numpy' in sys.modules or 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("60000 EUR/2 years", "30000 EUR/year"),
        ("60000 EUR per 24 months", "2500 EUR/month"),
        ("50000 EUR/3 years", "50000/3 EUR/year"),
    ],
)
def test_money_per_several_years_is_told_what_it_is_per_one(text: str, hint: str) -> None:
    with pytest.raises(units.UnitError, match=f"Write {hint}: it is per one") as error:
        units.parse(text, "price")
    assert "alone" not in str(error.value)
    assert units.parse(hint, "price") > 0
