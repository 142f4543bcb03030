"""200 natural mistakes: each is answered by a message that names it and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetopt import InputError, read_instance
from hetopt.instance.questions import check_question
from tests.mistakes import (
    CAPACITY,
    CAPACITY_MISTAKES,
    EDGE,
    EDGE_MISTAKES,
    RESEARCH,
    SERVING,
    SERVING_MISTAKES,
)


def answer(path: Path | str, text: str | None = None) -> str:
    """What a user reads: the error, or the note beside every result."""
    try:
        instance = read_instance(path, text=text)
        check_question(instance)
    except InputError as error:
        return str(error)
    return instance.source


def told(found: str, words: tuple[str, ...]) -> None:
    assert found, "nothing is said"
    assert all(word in found for word in words), found


@pytest.mark.parametrize(("right", "wrong", "words"), EDGE_MISTAKES)
def test_mistakes_in_an_edge_box(right, wrong, words) -> None:
    assert right in EDGE
    told(answer("box.yaml", EDGE.replace(right, wrong, 1)), words)


@pytest.mark.parametrize(("right", "wrong", "words"), SERVING_MISTAKES)
def test_mistakes_in_a_rack(right, wrong, words) -> None:
    assert right in SERVING
    told(answer("rack.yaml", SERVING.replace(right, wrong, 1)), words)


def folder(path: Path, tables: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in tables.items():
        file = "instance.yaml" if name == "instance" else f"{name}.csv"
        (path / file).write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("table", "right", "wrong", "words"), CAPACITY_MISTAKES)
def test_mistakes_in_a_planners_folder(tmp_path, table, right, wrong, words) -> None:
    assert right in CAPACITY[table]
    tables = CAPACITY | {table: CAPACITY[table].replace(right, wrong, 1)}
    told(answer(folder(tmp_path / "x", tables)), words)


@pytest.mark.parametrize(("name", "text", "words"), RESEARCH)
def test_mistakes_in_benchmark_files(name, text, words) -> None:
    told(answer(name, text), words)


def test_the_right_files_are_read_without_a_word(tmp_path) -> None:
    assert answer("box.yaml", EDGE) == ""
    assert answer("rack.yaml", SERVING) == ""
    assert answer(folder(tmp_path / "x", CAPACITY)) == ""


def test_there_are_two_hundred_of_them() -> None:
    lists = (EDGE_MISTAKES, SERVING_MISTAKES, CAPACITY_MISTAKES, RESEARCH)
    assert [len(mistakes) for mistakes in lists] == [50, 50, 50, 50]
    assert len({str(m) for mistakes in lists for m in mistakes}) == 200
