"""Streams on boards: those of other campaigns put on boards, against the same enumerations."""

from __future__ import annotations

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance
from hetopt.solve import solve
from tests.board_streams import with_boards
from tests.oracles.agreement import disagreements, falsehoods
from tests.oracles.period_oracle import period_optimum
from tests.oracles.scenario_oracle import scenario_optimum
from tests.oracles.schedule_oracle import TooHardError
from tests.oracles.slow_streams import generating, slow_optimum
from tests.oracles.steady_oracle import steady_optimum
from tests.oracles.stream_variants import Variant, forcing
from tests.random_periods import random_periods
from tests.random_slow_streams import random_slow_stream
from tests.random_streams import SINGLE, random_stream

WAYS = ("", "", "routes", "packings", "columns", "heuristic")
"""How every second stream is solved: as it is, or forced."""
OFTEN = ("", "", "min_load", "value")
Judged = tuple[str, list[str]]


def judge_boards(seed: int, time_limit: float) -> Judged:
    """Solve the instance of a seed; return whether enumeration agrees, and all differences.

    Of eight seeds one is of periods, one of devices that slow each other, three are solved by a way
    that is forced.
    """
    if seed % 8 == 6:
        return _periods(seed, time_limit)
    if seed % 8 == 7:
        return _slow(seed, time_limit)
    instance = _drawn(seed)
    way = WAYS[seed // 8 % len(WAYS)] if seed % 2 else ""
    single = instance.routing == SINGLE
    if single or len(instance.scenarios):
        way = "heuristic" if way == "heuristic" else ""
    method, forced = ("heuristic", "") if way == "heuristic" else ("auto", way)
    variant = Variant(instance, method, forced=forced)
    best = scenario_optimum(instance) if len(instance.scenarios) else steady_optimum(instance)
    with forcing(variant):
        solution = solve(instance, time_limit=time_limit, workers=1, seed=seed, method=method)
    judge = disagreements if variant.proven else falsehoods
    wrong = judge(instance, solution, best, *(() if variant.proven else (best,)))
    if wrong:
        wrong.append(f"({method}, {forced or 'not forced'})")
    return _outcome(best is not None, wrong)


def _drawn(seed: int) -> Instance:
    """Return a random stream on boards; draws on where pins and sites allow none."""
    for draw in range(50):
        found = with_boards(random_stream(1000 * draw + seed, OFTEN[seed // 2 % 4]), seed + draw)
        if found is not None:
            return found
    raise TooHardError


def _periods(seed: int, time_limit: float) -> Judged:
    instance = with_boards(random_periods(seed), seed, fixed=True)
    if instance is None:
        raise TooHardError
    best = period_optimum(instance)
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    return _outcome(best is not None, disagreements(instance, solution, best))


def _slow(seed: int, time_limit: float) -> Judged:
    instance = with_boards(random_slow_stream(seed), seed)
    if (
        instance is None
        or (np.isfinite(instance.devices.memory_b) & (instance.devices.count_max > 1)).any()
    ):
        # With limited memory devices that slow each other have one unit each.
        raise TooHardError
    best = slow_optimum(instance)
    generated = seed % 16 == 7
    with generating(generated):
        solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    several = any("one least rate" in note for note in solution.notes)
    if generated or several:
        wrong = falsehoods(instance, solution, best, best)
    else:
        near = solution.plan is not None and max(solution.gaps) <= 1.02 * GAP_TOLERANCE
        wrong = disagreements(instance, solution, best, proven=not near)
    return _outcome(best is not None, wrong)


def _outcome(feasible: bool, wrong: list[str]) -> Judged:
    if wrong:
        return "disagreed", wrong
    return "agreed" if feasible else "agreed infeasible", []
