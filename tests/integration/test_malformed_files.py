"""Every kind of malformed file is refused with the right places, and never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hetopt.cli.app import app
from hetopt.errors import InputError
from hetopt.formats import read_instance
from tests.malformed import GOOD, MALFORMED, Malformed


def test_the_file_that_the_cases_spoil_is_good() -> None:
    assert len(read_instance("good.yaml", text=GOOD).tasks) == 2


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_a_malformed_file_is_refused_with_every_place(case: Malformed, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_instance(path)
    problems = caught.value.problems
    said = "\n".join(str(p) for p in problems)
    assert len(problems) == len(case.errors), said
    for problem, (place, text) in zip(problems, case.errors, strict=True):
        assert problem.place.endswith(place), said
        assert str(tmp_path) in problem.place, said
        assert text in str(problem), said
        assert problem.expected.endswith((".", "?")), said


@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_the_command_line_exits_with_2_and_no_traceback(case: Malformed, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["solve", str(case.make(tmp_path))])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
