"""Loops compiled ahead, and beside answers that had no time for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hetopt.cli import compiling
from tests.command_line import hetopt


def test_loops_that_had_no_time_are_compiled_beside_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(compiling.SWITCH, raising=False)
    compiling.compile_beside(["shop", "shop"])
    (mark,) = tmp_path.glob("hetopt-compile-*")
    until = time.monotonic() + 200
    while mark.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not mark.exists()
    assert list((tmp_path / "cache").rglob("kernels.search-*.nbi"))


def test_nothing_is_compiled_beside_where_it_is_switched_off_or_goes_on_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(compiling.subprocess, "Popen", lambda *_, **__: pytest.fail("started"))
    monkeypatch.setenv(compiling.SWITCH, "0")
    compiling.compile_beside(["shop"])
    monkeypatch.setenv(compiling.SWITCH, "1")
    compiling.compile_beside([])
    assert not list(tmp_path.iterdir())
    (tmp_path / f"hetopt-compile-{compiling.os.getuid()}").touch()
    compiling.compile_beside(["shop"])


def test_a_search_that_there_is_not_is_named() -> None:
    done = hetopt("compile", "--only", "tabu")
    assert done.returncode == 2
    assert "--only: got tabu" in done.stderr
    assert "assignment, projects, shop" in done.stderr
