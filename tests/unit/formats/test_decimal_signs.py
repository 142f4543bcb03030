"""Numbers that read in two ways are refused, whichever sign the others have."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetopt import InputError, read_instance
from hetopt.formats.decimal_signs import ambiguous, decimal_signs
from hetopt.formats.delimited import read_delimited


def told(*tables: list[str]) -> list[str]:
    """Return the problems of tables of one column of numbers."""
    texts = ["a;name\n" + "".join(f"{cell};1.234\n" for cell in cells) for cells in tables]
    return [
        f"{problem.place} {problem.value} {problem.expected.partition('write ')[2]}"
        for problem in ambiguous(
            decimal_signs(read_delimited(text, f"{n}.csv"), f"{n}.csv", {"a"})
            for n, text in enumerate(texts)
        )
    ]


@pytest.mark.parametrize(
    "cells",
    [
        ["14.500 EUR", "4.2 s"],
        ["14.500 EUR", "2.600"],
        ["14,500 EUR", "4,2 s"],
        ["0.125", "4,2"],
        ["1400.500", "4,2"],
        ["14500 EUR", "4,2"],
        ["14,500", "7"],
    ],
)
def test_numbers_that_agree_or_have_one_reading_are_taken(cells) -> None:
    assert told(cells) == []


def test_a_point_for_thousands_beside_a_decimal_comma_is_told_with_both_readings() -> None:
    (problem,) = told(["2600,50 EUR", "14.500 EUR"])
    assert problem == "0.csv:3, column a 14.500 EUR 14500 or 14,5, whichever is meant."


def test_a_comma_for_thousands_beside_a_decimal_point_is_told_with_both_readings() -> None:
    (problem,) = told(["4.2 s", "14,500 EUR"])
    assert problem == "0.csv:3, column a 14,500 EUR 14500 or 14.5, whichever is meant."


def test_two_signs_without_any_sure_one_are_both_told() -> None:
    assert [text.split()[3] for text in told(["14.500", "2,600"])] == ["14.500", "2,600"]


def test_a_whole_number_of_thousands_has_a_reading_without_fraction() -> None:
    assert told(["4,2", "14.000"]) == ["0.csv:3, column a 14.000 14000 or 14, whichever is meant."]


def test_a_table_without_sure_numbers_is_read_as_those_beside_it() -> None:
    (problem,) = told(["14.500 EUR"], ["4,2 s"])
    assert problem.startswith("0.csv:2, column a 14.500 EUR")
    assert told(["14.500 EUR", "4.2"], ["4,2 s"]) == []


def test_a_folder_with_a_price_of_two_readings_is_refused(tmp_path: Path) -> None:
    tables = {
        "devices": "name;kind;price\ncpu;cpu;2600,50 EUR\ngpu;gpu;14.500 EUR\n",
        "options": "profile;device;time\na;cpu;4,2 s\na;gpu;1,1 s\n",
        "tasks": "name;profile\nfirst;a\n",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "instance.yaml").write_text("hetopt: 1\nobjective: makespan\n")
    with pytest.raises(InputError) as error:
        read_instance(tmp_path)
    (problem,) = error.value.problems
    assert problem.place == f"{tmp_path / 'devices.csv'}:3, column price"
    assert problem.value == "14.500 EUR"
    assert problem.expected.endswith("write 14500 or 14,5, whichever is meant.")
