"""The first search of an installation: its loops are compiled before its time begins."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from hetopt.generate import generate_schedule
from hetopt.runtime.budget import Budget
from hetopt.schedule import stages
from hetopt.schedule.incumbent import Incumbent
from hetopt.schedule.search.local_search import Improved


@dataclass
class Search:
    """A search whose first call takes a while."""

    name: str = "fake"
    compiles: threading.Event = field(default_factory=threading.Event)
    compiled: bool = False
    calls: list[dict[str, object]] = field(default_factory=list)

    def load(self) -> Search:
        return self

    def is_compiled(self) -> bool:
        return self.compiled

    def improve(self, instance, plan, **arguments) -> Improved:
        self.calls.append(arguments)
        self.compiles.wait(5)
        self.compiled = True
        return Improved(None)


def started(*, limit_s: float, deterministic: bool = False) -> Incumbent:
    budget = Budget(
        deadline=time.monotonic() + limit_s, limit_s=limit_s, deterministic=deterministic
    )
    return Incumbent(generate_schedule(4, 2, seed=1), budget, bounds=[float("nan")])


def test_loops_are_compiled_by_a_call_of_one_move_and_only_once() -> None:
    search, best = Search(), started(limit_s=10)
    search.compiles.set()
    assert stages._compiled(best, search)
    assert stages._compiled(best, search)
    assert [call["iterations"] for call in search.calls] == [1]
    assert best.notes == []


def test_a_search_whose_loops_take_too_long_to_compile_is_left_out_and_that_is_said() -> None:
    search, best = Search(), started(limit_s=0.2)
    assert not stages._compiled(best, search)
    search.compiles.set()
    assert "not compiled within a part of the time limit" in best.notes[0]


def test_deterministic_searches_wait_for_their_loops_anyway() -> None:
    search, best = Search(), started(limit_s=1.0, deterministic=True)
    assert stages._compiled(best, search)
    assert search.calls == []
