"""Limits are held as strictly at nanoseconds as at hours: the tolerance is a part of a scale."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.evaluate import objectives
from hetopt.instance import Instance
from hetopt.methods import methods_for
from hetopt.solution import Hops, SchedulePlan
from hetopt.solve import solve
from hetopt.verify import exact, verify
from tests.small_schedules import device, edge, instance, option, task

SCALES = [1e-12, 1e-9, 3.3333e-6, 1.0, 3600.0, 1e9]
"""Seconds that a task takes."""


def chain(time_s: float, slots: int = 1, **job: float) -> Instance:
    """One task after another on one unit."""
    return instance(
        [device("fpga", slots=slots)],
        [option("a", "fpga", time_s), option("b", "fpga", time_s)],
        [task("a", job="j"), task("b", job="j")],
        transfers=[edge("a", "b")],
        jobs=[{"name": "j", **job}],
        objective="makespan",
    )


def plan(*starts: float) -> SchedulePlan:
    none = np.zeros(0, dtype=np.int64)
    hops = Hops(none, none, none, none, none, none, np.zeros(0))
    return SchedulePlan(np.array([0, 1]), np.array([0, 0]), np.array(starts), hops)


def test_kernels_of_nanoseconds_cannot_run_at_once() -> None:
    report = verify(chain(8e-10, deadline_s=1e-9), plan(0.0, 0.0))
    assert set(report.kinds) == {"precedence", "slots"}
    assert solve(chain(8e-10, deadline_s=1e-9), time_limit=10, workers=1).status == "infeasible"


def test_kernels_of_microseconds_cannot_overlap_by_a_ten_thousandth() -> None:
    report = verify(chain(3.3333e-6), plan(0.0, 3.333e-6))
    assert set(report.kinds) == {"precedence", "slots"}
    assert verify(chain(3.3333e-6), plan(0.0, 3.3333e-6)).ok


@pytest.mark.parametrize("unit", SCALES)
@pytest.mark.parametrize(("part", "ok"), [(0.0, True), (0.5e-9, True), (2e-9, False)])
def test_times_may_miss_a_limit_by_a_billionth_of_the_makespan(
    unit: float, part: float, ok: bool
) -> None:
    late = part * 2 * unit
    cases = {
        "precedence": (chain(unit, slots=2), plan(0.0, unit - late)),
        "slots": (chain(unit), plan(0.0, unit - late)),
        "deadline": (chain(unit, deadline_s=2 * unit), plan(0.0, unit + late)),
        "release": (chain(unit, release_s=unit / 2), plan(unit / 2 - late, 1.5 * unit)),
    }
    for kind, (question, tried) in cases.items():
        assert (kind not in verify(question, tried).kinds) is ok, kind


@pytest.mark.parametrize("unit", SCALES)
def test_the_horizon_is_no_scale_of_a_short_plan(unit: float) -> None:
    question = chain(unit)
    long = replace(question, limits=replace(question.limits, horizon_s=1e12 * unit))
    assert set(verify(long, plan(0.0, 0.0)).kinds) == {"precedence", "slots"}


@pytest.mark.parametrize("watts", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize(("part", "ok"), [(0.5e-9, True), (2e-9, False)])
def test_powers_memories_and_budgets_may_be_missed_by_a_billionth_of_the_limit(
    watts: float, part: float, ok: bool
) -> None:
    limit = watts / (1 + part)
    uses = [{"profile": p, "device": "d", "resource": "r", "amount": watts} for p in "ab"]
    question = instance(
        [device("d", slots=2, memory_b=2e9 / (1 + part))],
        [option(p, "d", 1.0, watts, memory_b=1e9) for p in "ab"],
        [task("a"), task("b")],
        more={
            "resources": [{"name": "r", "capacity": 2 * limit, "budget": 2 * limit}],
            "uses": uses,
        },
        power_cap_w=2 * limit,
        objective="energy",
    )
    kinds = set(verify(question, plan(0.0, 0.0)).kinds)
    broken = {"power-cap", "memory", "resource-capacity", "resource-budget"}
    assert kinds == (set() if ok else broken)


@pytest.mark.parametrize(
    ("method", "unit"),
    [*(("auto", unit) for unit in SCALES), *((name, 1e-9) for name in methods_for("schedule"))],
)
def test_a_start_that_the_checker_accepts_ends_in_no_error(method: str, unit: float) -> None:
    # Without the tolerance the deadline cannot be met, so what is proven contradicts the start.
    question = chain(unit, deadline_s=2 * unit * (1 - 0.5e-9))
    start = plan(0.0, unit)
    assert verify(question, start).ok
    solution = solve(question, time_limit=5, workers=1, method=method, start=start)
    assert solution.plan is not None
    assert solution.status in ("feasible", "optimal")
    assert not solution.bound > solution.objective * (1 + 1e-6)


@pytest.mark.parametrize("unit", SCALES)
def test_a_start_at_the_tolerance_of_every_order_ends_in_no_error(unit: float) -> None:
    question = chain(unit)
    start = plan(0.0, unit * (1 - 1e-9))
    assert verify(question, start).ok
    solution = solve(question, time_limit=5, workers=1, start=start)
    assert math.isclose(solution.objective, 2 * unit, rel_tol=2e-9)


@pytest.mark.parametrize("unit", SCALES)
def test_the_best_plan_is_found_and_proven_at_every_scale(unit: float) -> None:
    solution = solve(chain(unit, deadline_s=2 * unit), time_limit=10, workers=1)
    assert solution.status == "optimal"
    assert math.isclose(solution.objective, 2 * unit, rel_tol=1e-9)
    assert solve(chain(unit, deadline_s=1.99 * unit), time_limit=10).status == "infeasible"


def test_a_route_that_takes_too_long_by_picoseconds_is_not_used() -> None:
    # 1 ps counted as rounding once, whatever the limit was.
    tables = {
        "devices": [device("near"), device("far")],
        "options": [
            option("p", "near", 1e-9, 5.0, label=""),
            option("p", "far", 1.0005e-9, 1.0, label=""),
        ],
        "tasks": [task("t", "p", job="j")],
        "jobs": [{"name": "j", "rate_per_s": 1e6, "latency_slo_s": 1e-9}],
    }
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    question = from_frames(frames, {"regime": "steady", "objective": "power"})
    solution = solve(question, time_limit=10, workers=1)
    assert (solution.status, solution.objective) == ("optimal", pytest.approx(5e6))


@pytest.mark.parametrize("held", ["fractions", "floats"])
@pytest.mark.parametrize("starts", [(1e20, 1e20), (1e20, 0.0)])
def test_a_short_run_at_a_late_time_draws_its_power(
    held: str, starts: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second after 1e20 s is lost in floats: start and end of it are the same number."""
    question = instance(
        [device("a", idle_power_w=1.0), device("b", idle_power_w=1.0), device("c")],
        [option("t", "a", 1e20, 1.0), option("u", "b", 1.0, 2.0), option("v", "c", 1.0, 4.0)],
        [task("t"), task("u"), task("v")],
        objective="peak_power",
    )
    tried = replace(plan(0.0, *starts), option=np.arange(3), unit=np.zeros(3, dtype=np.int64))
    if held == "floats":
        monkeypatch.setattr(exact, "_ticks", lambda *columns: None)
        monkeypatch.setattr(exact, "SMALL", -1)
    peak = 2.0 + (6.0 if starts[0] == starts[1] else 4.0)
    report = verify(question, tried, {"peak_power": peak})
    assert report.ok, report.violations
    assert objectives(question, tried, ["peak_power"])[0] == pytest.approx(peak, rel=1e-12)
    found = solve(question, time_limit=3, workers=1)
    assert found.objective == pytest.approx(6.0)
    assert not found.bound > 6.0 * (1 + 1e-6)
