"""A folder of files is written whole or not at all, and keeps what others laid into it."""

from __future__ import annotations

import importlib

import pytest

from hetopt.errors import InputError

folder = importlib.import_module("hetopt.deploy.folder")


def test_a_folder_is_replaced_and_what_others_laid_there_stays(tmp_path):
    place = tmp_path / "out"
    folder.write_folder(place, {"a.txt": b"1", "deep/b.txt": b"2"})
    (place / "deep" / "weights.bin").write_bytes(b"3")
    folder.write_folder(place, {"a.txt": b"4"})
    assert (place / "a.txt").read_bytes() == b"4"
    assert not (place / "deep" / "b.txt").exists()
    assert (place / "deep" / "weights.bin").read_bytes() == b"3"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_scripts_can_be_run(tmp_path):
    folder.write_folder(tmp_path / "out", {"run.sh": b"#!/bin/sh\n", "a.txt": b""})
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o100
    assert not (tmp_path / "out" / "a.txt").stat().st_mode & 0o100


def test_a_write_that_fails_changes_nothing(tmp_path, monkeypatch):
    place = tmp_path / "out"
    folder.write_folder(place, {"a.txt": b"1"})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(folder, "_swap", fail)
    with pytest.raises(InputError, match="disk full"):
        folder.write_folder(place, {"a.txt": b"2", "b.txt": b"3"})
    assert (place / "a.txt").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("x")
    for place in (tmp_path / "mine", tmp_path / "mine" / "a.txt", tmp_path / "no" / "parent"):
        with pytest.raises(InputError, match="-o"):
            folder.write_folder(place, {"a.txt": b"1"})
    assert (tmp_path / "mine" / "a.txt").read_text() == "x"


def test_files_that_others_laid_there_are_not_overwritten(tmp_path):
    place = tmp_path / "out"
    folder.write_folder(place, {"a.txt": b"1"})
    (place / "b.txt").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"b\.txt"):
        folder.write_folder(place, {"b.txt": b"2"})
