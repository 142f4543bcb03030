"""One random instance by seed, solved and compared with its oracle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hetopt.instance import Instance
from hetopt.solve import solve
from tests.oracles.agreement import disagreements
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.oracles.unusual import judge_unusual
from tests.random_schedules import random_schedule

REGIMES = ("schedule", "steady")
UNUSUAL = "unusual"
"""Schedules in which features meet as they seldom do, solved by several methods."""

MOST_TOO_HARD = 3
"""Instances of a chunk that the oracle may pass over."""


@dataclass
class Outcome:
    """``kind`` is ``agreed``, ``agreed infeasible``, ``disagreed`` or ``too hard``."""

    seed: int
    kind: str
    wrong: list[str]


def judge(regime: str, seed: int, time_limit: float) -> Outcome:
    """Solve the instance of a seed and say whether the oracle agrees."""
    try:
        if regime == UNUSUAL:
            has_plan, wrong = judge_unusual(seed, time_limit)
            agreed = "agreed" if has_plan else "agreed infeasible"
            return Outcome(seed, "disagreed" if wrong else agreed, wrong)
        instance, optimum = known(regime, seed)
    except TooHardError:
        return Outcome(seed, "too hard", [])
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    wrong = disagreements(instance, solution, optimum)
    agreed = "agreed" if optimum is not None else "agreed infeasible"
    return Outcome(seed, "disagreed" if wrong else agreed, wrong)


def run_chunk(regime: str, seeds: Iterable[int], time_limit: float = 30.0) -> None:
    """Assert that solve and oracle agree on the instances of some seeds."""
    outcomes = [judge(regime, seed, time_limit) for seed in seeds]
    assert not [(o.seed, o.wrong) for o in outcomes if o.wrong]
    assert sum(o.kind == "too hard" for o in outcomes) <= MOST_TOO_HARD


def known(regime: str, seed: int) -> tuple[Instance, tuple[float, ...] | None]:
    """Return a random instance and its optimum, None where it has no plan."""
    if regime == "schedule":
        instance, tick = random_schedule(seed)
        return instance, schedule_optimum(instance, tick)
    from tests.oracles.scenario_oracle import scenario_optimum
    from tests.oracles.steady_oracle import steady_optimum
    from tests.random_streams import random_stream

    stream = random_stream(seed)
    optimum = scenario_optimum if len(stream.scenarios) else steady_optimum
    return stream, optimum(stream)
