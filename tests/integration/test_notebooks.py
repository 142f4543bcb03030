"""The notebooks run as they stand, and what their stored outputs prove still holds."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

from tools.run_notebooks import NOTEBOOKS, PROVEN, executed, proven_of

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

LARGEST = 200_000
"""Bytes of a notebook with its outputs."""

TOLERANCE = 1e-4
"""Relative difference of printed figures: they are rounded, and bounds weakened by 1e-6."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_proves_what_its_stored_outputs_say(path: Path):
    stored = proven_of(nbformat.read(path, as_version=4))
    fresh = proven_of(executed(path))
    assert stored
    assert all(stored)
    for old, new in zip(stored, fresh, strict=True):
        assert NUMBER.sub("#", new).split() == NUMBER.sub("#", old).split()
        assert _figures(new) == pytest.approx(_figures(old), rel=TOLERANCE), old


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_stored_notebook_is_whole_and_small_and_names_no_machine(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    root = re.escape(str(Path(__file__).resolve().parents[2]))
    assert not re.search(rf"{root}|{re.escape(sys.prefix)}|/home/|/tmp/|/usr/|site-packages", text)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert "\\u001b" not in text


def test_there_are_notebooks_with_cells_whose_answers_are_held():
    assert len(NOTEBOOKS) == 6
    for path in NOTEBOOKS:
        assert PROVEN in path.read_text(encoding="utf-8"), path.name


def _figures(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]
