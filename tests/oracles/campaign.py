"""One random instance by seed, solved and compared with its oracle."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.instance.tariffs import prices_vary
from hetopt.solve import solve
from tests.oracles.agreement import disagreements, falsehoods
from tests.oracles.optional_oracle import judge_optional
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.oracles.slow_mixed import judge_mixed
from tests.oracles.slow_oracle import judge_slow
from tests.oracles.unusual import contradictions, judge_unusual
from tests.random_schedules import random_schedule
from tests.setup_schedules import setup_schedule

REGIMES = ("schedule", "steady")
SETUPS = "setups"
"""Those of ``schedule`` with units that are set up between configurations."""
SLOW_STREAMS = "slow-streams"
"""Streams on devices that slow each other down, states listed or generated (`slow_streams`)."""
UNUSUAL = "unusual"
"""Schedules in which features meet as they seldom do, solved by several methods."""
IDLING = "idling"
"""Schedules with sleep and start-ups (`tests.idling_schedules`)."""
IDLING_SETUPS = "idling-setups"
"""Those of ``idling`` with units that are set up between configurations."""
STREAMS = "streams"
"""Those of ``steady`` in unusual variants, by every method (`stream_variants`)."""

RACKS = "racks"
"""Those of ``steady`` beside each other: parts that share nothing (`racks`)."""
SLOW = "slow"
"""Schedules in which resources slow what runs (`slow_oracle`)."""
SLOW_MIXED = "slow-mixed"
"""Those of ``schedule``, ``setups`` and ``unusual`` with capacities that slow (`slow_mixed`)."""

PERIODS = "periods"
"""Streams of periods, tied by starts, loading, least times on and changes (`period_oracle`)."""

HUGE = 20
"""Of so many seeds of ``streams`` one is of units by the billion, known in closed form."""

LEAST_LOAD = "least-load"
"""Streams whose devices have units that must be busy when on."""
VALUE = "value"
"""Streams of which the most valuable part is to be served."""
OFTEN = {LEAST_LOAD: "min_load", VALUE: "value"}
"""What the instances of these regimes always have."""
RELAXED = "agreed, not proved where sleep is relaxed"

OPTIONAL = "optional"
"""Schedules whose jobs may be left out (`optional_oracle`)."""

SLOW_BOARDS = "slow-boards"
"""Those of ``slow`` whose boards have capacities of their own."""

BOARDS = "boards"
"""Streams whose devices stand on boards: those of other regimes, by every way of solving."""

WAITING = "waiting"
"""Streams whose limits of latency hold with waiting (`waiting_oracle`)."""

PEAK = "peak"
"""Schedules of other regimes, asked for the least peak power (`judge_peak`)."""

CAMPAIGNS = (
    PEAK,
    WAITING,
    OPTIONAL,
    *REGIMES,
    SETUPS,
    SLOW,
    SLOW_MIXED,
    SLOW_STREAMS,
    UNUSUAL,
    IDLING,
    IDLING_SETUPS,
    STREAMS,
    RACKS,
    PERIODS,
    BOARDS,
    SLOW_BOARDS,
    *OFTEN,
)
"""All regimes that a campaign may be of."""

MOST_TOO_HARD = 3
"""Instances of a chunk that the oracle may pass over."""


@dataclass
class Outcome:
    """``kind`` is ``agreed``, ``agreed infeasible``, ``disagreed``, ``too hard``, or `UNPROVED`."""

    seed: int
    kind: str
    wrong: list[str]


def judge(regime: str, seed: int, time_limit: float) -> Outcome:
    """Solve the instance of a seed and say whether the oracle agrees."""
    if regime == STREAMS or (regime in OFTEN and seed % 3 == 0):
        return judge_variant(seed, time_limit, OFTEN.get(regime, ""))
    if regime == PERIODS:
        from tests.oracles.period_oracle import judge_periods

        return Outcome(seed, *judge_periods(seed, time_limit))
    if regime in (SLOW, SLOW_BOARDS):
        return Outcome(seed, *judge_slow(seed, time_limit, boards=regime == SLOW_BOARDS))
    if regime == SLOW_MIXED:
        return Outcome(seed, *judge_mixed(seed, time_limit))
    if regime == SLOW_STREAMS:
        return judge_slow_streams(seed, time_limit)
    try:
        if regime == BOARDS:
            from tests.oracles.board_oracle import judge_boards

            return Outcome(seed, *judge_boards(seed, time_limit))
        if regime == WAITING:
            from tests.oracles.waiting_oracle import judge_waiting

            return Outcome(seed, *judge_waiting(seed, time_limit))
        if regime == OPTIONAL:
            return Outcome(seed, *judge_optional(seed, time_limit))
        if regime == UNUSUAL:
            return Outcome(seed, *judge_unusual(seed, time_limit))
        if regime == RACKS:
            from tests.oracles.racks import judge_racks

            return Outcome(seed, *judge_racks(seed, time_limit))
        if regime == PEAK:
            return judge_peak(seed, time_limit)
        if regime in (IDLING, IDLING_SETUPS):
            return judge_idling(seed, time_limit, setups=regime == IDLING_SETUPS)
        instance, optimum = known(regime, seed)
    except TooHardError:
        return Outcome(seed, "too hard", [])
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    wrong = disagreements(instance, solution, optimum)
    agreed = "agreed" if optimum is not None else "agreed infeasible"
    return Outcome(seed, "disagreed" if wrong else agreed, wrong)


def judge_slow_streams(seed: int, time_limit: float) -> Outcome:
    """Solve streams on devices that slow each other down; every third time by generated states."""
    from hetopt.instance.states.slow_domains import slow_domains
    from tests.oracles.slow_streams import generating, slow_optimum
    from tests.random_slow_streams import random_slow_stream

    instance = random_slow_stream(seed)
    try:
        optimum = slow_optimum(instance)
    except TooHardError:
        return Outcome(seed, "too hard", [])
    generated = seed % 3 == 0 and len(slow_domains(instance)) > 0
    with generating(generated):
        solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    several = any("one least rate" in note for note in solution.notes)
    if generated or several:
        wrong = falsehoods(instance, solution, optimum, optimum)
        if optimum is not None and solution.plan is None and not several:
            wrong.append(f"a plan reaches {optimum}, solve finds none")
    else:
        # Where a level is held, rounding of sums leaves some parts in 1e9 beside the bound's room.
        near = solution.plan is not None and max(solution.gaps) <= 1.02 * GAP_TOLERANCE
        wrong = disagreements(instance, solution, optimum, proven=not near)
    agreed = "agreed" if optimum is not None else "agreed infeasible"
    return Outcome(seed, "disagreed" if wrong else agreed, wrong)


def judge_idling(seed: int, time_limit: float, *, setups: bool = False) -> Outcome:
    """Solve a schedule with sleep; where that is relaxed, an optimum need not be proved."""
    from tests.idling_schedules import idling_schedule
    from tests.oracles.idling_oracle import idling_optimum

    instance, tick = idling_schedule(seed, setups=setups)
    optimum = idling_optimum(instance, tick)
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
    wrong = contradictions(instance, solution, optimum)
    relaxed = math.isfinite(instance.limits.power_cap_w) or "peak_power" in instance.objective
    relaxed |= prices_vary(instance)
    proved = disagreements(instance, solution, optimum)
    if proved and not (relaxed and may_sleep(instance)):
        wrong += proved
    if wrong:
        return Outcome(seed, "disagreed", wrong)
    agreed = "agreed" if optimum is not None else "agreed infeasible"
    return Outcome(seed, RELAXED if proved else agreed, [])


def judge_peak(seed: int, time_limit: float) -> Outcome:
    """Ask a schedule for the least peak power, first or later, of CP-SAT and of the search."""
    from tests.idling_schedules import idling_schedule
    from tests.oracles.idling_oracle import idling_optimum

    made = (random_schedule, setup_schedule, idling_schedule)[seed % 3](seed)
    assert made is not None
    instance, tick = made
    first = next((n for n in instance.objective if n != "peak_power"), "makespan")
    asked = (("peak_power",), ("peak_power", first), (first, "peak_power"))[seed // 3 % 3]
    instance = instance.with_objective(*asked)
    optimum = (idling_optimum if seed % 3 == 2 else schedule_optimum)(instance, tick)
    wrong, kind = [], "agreed" if optimum is not None else "agreed infeasible"
    # What repeats for ever has methods of its own.
    for method in ("auto", "peak")[: 1 if math.isfinite(instance.limits.cycle_s) else 2]:
        limit = time_limit if method == "auto" else 1.0
        asked_for = instance.with_objective(*asked)
        solution = solve(asked_for, time_limit=limit, workers=1, seed=seed, method=method)
        found = contradictions(instance, solution, optimum)
        if method == "auto":
            proved = disagreements(instance, solution, optimum)
            if proved and not may_sleep(instance):
                found += proved
            kind = RELAXED if proved else kind
        wrong += [f"{method}: {said}" for said in found]
    return Outcome(seed, "disagreed" if wrong else kind, wrong)


def judge_variant(seed: int, time_limit: float, often: str = "") -> Outcome:
    """Solve the variant of a stream and say whether oracles contradict anything of it."""
    from tests.oracles.scenario_oracle import scenario_optimum
    from tests.oracles.steady_oracle import steady_optimum
    from tests.oracles.stream_variants import forcing, huge_fleet, stream_variant

    if seed % HUGE == 0 and not often:
        instance, best_value, sure_value = huge_fleet(seed)
        solution = solve(instance, time_limit=time_limit, workers=1, seed=seed)
        wrong = falsehoods(instance, solution, (best_value,), (sure_value,))
        gap = abs(solution.bounds[0] / solution.objectives[0] - 1.0) if solution.plan else 1.0
        # Whole units and rounding of sums leave a few parts in 1e9 beside the bound's own room.
        wrong += [] if gap <= 1.02 * GAP_TOLERANCE else [f"a gap of {gap}"]
        return Outcome(seed, "disagreed" if wrong else "agreed", wrong)
    variant = stream_variant(seed, often)
    instance = variant.instance
    try:
        if variant.slack:
            best = steady_optimum(instance, variant.slack, exact=True)
            sure = steady_optimum(instance, -variant.slack, exact=True)
        elif len(instance.scenarios):
            best = sure = scenario_optimum(instance)
        else:
            best = sure = steady_optimum(instance)
    except TooHardError:
        return Outcome(seed, "too hard", [])
    with forcing(variant):
        solution = solve(
            instance,
            time_limit=time_limit,
            workers=1,
            seed=seed,
            method=variant.method,
            mip_solver=variant.mip_solver,
        )
    if variant.proven:
        wrong = disagreements(instance, solution, best)
    else:
        wrong = falsehoods(instance, solution, best, sure)
    if wrong:
        wrong.append(f"({variant.method}, {variant.mip_solver}, {variant.forced or 'not forced'})")
    agreed = "agreed" if best is not None else "agreed infeasible"
    return Outcome(seed, "disagreed" if wrong else agreed, wrong)


def run_chunk(regime: str, seeds: Iterable[int], time_limit: float = 30.0) -> None:
    """Assert that solve and oracle agree on the instances of some seeds."""
    outcomes = [judge(regime, seed, time_limit) for seed in seeds]
    assert not [(o.seed, o.wrong) for o in outcomes if o.wrong]
    assert sum(o.kind == "too hard" for o in outcomes) <= MOST_TOO_HARD


def known(regime: str, seed: int) -> tuple[Instance, tuple[float, ...] | None]:
    """Return a random instance and its optimum, None where it has no plan."""
    if regime in ("schedule", SETUPS):
        instance, tick = random_schedule(seed) if regime == "schedule" else setup_schedule(seed)
        return instance, schedule_optimum(instance, tick)
    from tests.oracles.scenario_oracle import scenario_optimum
    from tests.oracles.steady_oracle import steady_optimum
    from tests.random_streams import random_stream

    stream = random_stream(seed, OFTEN.get(regime, ""))
    optimum = scenario_optimum if len(stream.scenarios) else steady_optimum
    return stream, optimum(stream)
