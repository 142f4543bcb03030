"""Rules and searches that are found by being there."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from hetopt.runtime.found_modules import modules_of
from hetopt.schedule.search.registry import LOCAL_SEARCHES

PACKAGES = (
    ("hetopt.verify.schedule.rules", "check"),
    ("hetopt.verify.steady.rules", "check"),
    ("hetopt.schedule.cpsat.rules", "add"),
    ("hetopt.steady.program.rules", "add"),
    ("hetopt.steady.placement.rules", "add"),
)


@pytest.mark.parametrize(("name", "function"), PACKAGES)
def test_a_module_put_beside_the_rules_is_one_of_them(
    name: str, function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = importlib.import_module(name)
    # The checker shares no code, so it looks for its rules by itself.
    alone = name.startswith("hetopt.verify")
    cached = package._modules if alone else modules_of
    of = () if alone else (name,)
    known = [module.__name__ for module in cached(*of)]
    assert known
    (tmp_path / "zz_new.py").write_text(f"def {function}(*arguments): ...\n", encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    cached.cache_clear()
    try:
        found = cached(*of)
        assert [module.__name__ for module in found] == [*known, f"{name}.zz_new"]
        assert all(callable(getattr(module, function)) for module in found)
    finally:
        cached.cache_clear()
        sys.modules.pop(f"{name}.zz_new", None)


def test_packages_of_searches_are_asked_before_modules_in_the_order_of_their_ranks() -> None:
    names = [search.name for search in LOCAL_SEARCHES]
    assert names[:4] == ["assignment", "projects", "shop", "graph"]
    assert [s.rank for s in LOCAL_SEARCHES] == sorted(s.rank for s in LOCAL_SEARCHES)
