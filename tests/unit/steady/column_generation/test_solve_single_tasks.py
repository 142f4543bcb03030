"""Many single tasks as columns: the same program, optimum and plans as with an object per route."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.evaluate import objective_value
from hetopt.generate.steady import generate_steady
from hetopt.instance import Instance
from hetopt.runtime.budget import Budget, RegimeResult, gap_closed
from hetopt.solution import SteadyPlan
from hetopt.solvers.mip_arrays import MipArrays, mip_arrays
from hetopt.solvers.relaxation import Relaxation
from hetopt.steady.column_generation.column_generation import Generated, TablePricer, generate
from hetopt.steady.column_generation.solve_single_tasks import master_of_columns, solve_columns
from hetopt.steady.program.formulation import SteadyModel
from hetopt.steady.routes import single_task_routes as columns_module
from hetopt.steady.routes.packings import unit_kinds
from hetopt.steady.routes.route_columns import pool_of_columns
from hetopt.steady.routes.routes import enumerate_routes
from hetopt.steady.routes.single_task_routes import Columns, many_columns, single_tasks, tabulate
from hetopt.steady.solve import solve_steady
from hetopt.verify import verify

QUESTIONS: list[tuple[list[str], dict[str, Any]]] = [
    (["power"], {}),
    (["cost", "power"], {"energy_price_per_j": 1e-3, "pue": 1.2}),
    (["throughput"], {"power_cap_w": 60.0}),
    (["throughput", "cost"], {"budget_per_s": 9.0}),
    (["carbon"], {"carbon_kg_per_j": 0.5, "budget_per_s": 40.0}),
    (["accuracy"], {"power_cap_w": 400.0}),
]


def fleet(seed: int, objective: list[str], **settings: Any) -> Instance:
    """Some single tasks, two of them alike, on devices with all that counts of units."""
    rng = np.random.default_rng(seed)
    devices = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "count_min": [0, 1, 2],
            "count_max": [-1, 12, 2] if "throughput" not in objective else [20, 12, 2],
            "idle_power_w": [3.0, 5.0, 2.0],
            "price_per_s": [0.5, 0.25, 0.0],
            "off_when_unused": [True, True, False],
            "max_utilization": [1.0, 0.8, 1.0],
        }
    )
    profiles = ["p", "q", "r"]
    options = [
        {
            "profile": profile,
            "device": device,
            "label": f"batch{batch}",
            "batch": batch,
            "time_s": round(float(rng.uniform(0.1, 1.0)) * batch**0.7, 3),
            "energy_j": round(float(rng.uniform(1.0, 9.0)), 3),
            "accuracy": round(float(rng.uniform(0.6, 0.9)), 2),
        }
        for profile in profiles
        for device in devices["name"]
        for batch in (1, 2, 4)
    ]
    uses = [
        {"profile": o["profile"], "device": o["device"], "label": o["label"], "resource": "port"}
        | {"amount": float(rng.integers(1, 4))}
        for o in options
        if o["device"] == "a"
    ]
    jobs = pd.DataFrame(
        {
            "name": ["p1", "p2", "q", "r"],
            "rate_per_s": rng.uniform(0.5, 4.0, 4).round(2),
            "latency_slo_s": [4.0, 4.0, np.inf, 3.0],
            "min_accuracy": [0.0, 0.0, 0.65, 0.0],
        }
    )
    frames = {
        "devices": devices,
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame({"name": jobs["name"], "job": jobs["name"], "profile": list("ppqr")}),
        "jobs": jobs,
        "resources": pd.DataFrame({"name": ["port"], "capacity": [4.0], "budget": [30.0]}),
        "uses": pd.DataFrame(uses),
    }
    return from_frames(frames, {"regime": "steady", "objective": objective} | settings)


def listed(instance: Instance) -> Columns:
    found = tabulate(instance)
    assert found is not None
    return found


def by_name(arrays: MipArrays, *, without: str) -> dict[str, Any]:
    """The program as names and numbers, rows of one family left out."""
    names = [f"row {name}" for name in arrays.row_names]
    cells: dict[str, dict[str, float]] = {name: {} for name in names}
    for row, column, value in zip(
        arrays.rows.tolist(), arrays.columns.tolist(), arrays.coefficients.tolist(), strict=True
    ):
        cells[names[row]][arrays.names[column]] = value
    limits = zip(names, arrays.row_lower.tolist(), arrays.row_upper.tolist(), strict=True)
    rows = {
        name: ({**cells[name], "<lower": lower, "<upper": upper})
        for name, lower, upper in limits
        if not name.startswith(f"row {without}")
    }
    variables = zip(
        arrays.names,
        arrays.cost.tolist(),
        arrays.lower.tolist(),
        arrays.upper.tolist(),
        arrays.integer.tolist(),
        strict=True,
    )
    return rows | {name: dict(enumerate(map(float, rest))) for name, *rest in variables}


@pytest.mark.parametrize(("objective", "settings"), QUESTIONS)
def test_the_program_in_columns_is_the_program_in_objects(
    objective: list[str], settings: dict[str, Any]
) -> None:
    instance = fleet(0, objective, **settings)
    # Streams of one job each, as the other program has them.
    slower = replace(instance.jobs, latency_slo_s=np.array([4.0, 4.001, np.inf, 3.0]))
    instance = replace(instance, jobs=slower)
    columns, routes = listed(instance), enumerate_routes(instance)
    assert columns.option.tolist() == [r.options[0] for r in routes.routes]
    pool, master = pool_of_columns(instance, columns), master_of_columns(instance, columns)
    model = SteadyModel(instance, routes, unit_kinds(instance, routes.routes))
    assert master.aim(objective[0], pool) == pytest.approx(model.aim(objective[0]))
    ours = by_name(master.arrays(pool), without="linking")
    theirs = by_name(mip_arrays(model.problem), without="linking")
    assert sorted(ours) == sorted(theirs)
    for name, numbers in theirs.items():
        assert ours[name] == pytest.approx(numbers), name


def relaxed(instance: Instance) -> tuple[Generated, float, float]:
    """The relaxation by column generation, its value over all columns, and the scale."""
    columns = listed(instance)
    pool, master = pool_of_columns(instance, columns), master_of_columns(instance, columns)
    scale = master.aim(instance.objective[0], pool)
    pricer = TablePricer(pool, len(columns.rate_per_s))
    found = generate(master, pricer, until=time.monotonic() + 20, first=1, more=1)
    whole = Relaxation(master.arrays(pool)).solve()
    return found, whole.objective if whole.outcome == "optimal" else np.inf, scale


@pytest.mark.parametrize(("objective", "settings"), QUESTIONS)
def test_column_generation_ends_at_the_optimum_over_all_columns(
    objective: list[str], settings: dict[str, Any]
) -> None:
    for seed in range(3):
        found, whole, _ = relaxed(fleet(seed, objective, **settings))
        assert found.outcome == ("infeasible" if np.isinf(whole) else "optimal")
        if np.isfinite(whole):
            assert found.relaxed is not None
            assert found.relaxed.objective == pytest.approx(whole, rel=1e-6)
            assert found.bound <= whole + 1e-12
            assert found.bound == pytest.approx(whole, rel=1e-6)


def answer(instance: Instance, *, whole: bool) -> RegimeResult:
    budget = Budget(deadline=time.monotonic() + 20)
    if whole:
        return solve_steady(instance, budget)
    return solve_columns(instance, budget, listed(instance))


@pytest.mark.parametrize(("objective", "settings"), QUESTIONS)
def test_columns_and_objects_have_the_same_optimum(
    objective: list[str], settings: dict[str, Any]
) -> None:
    instance = fleet(1, objective, **settings)
    ours, theirs = answer(instance, whole=False), answer(instance, whole=True)
    assert ours.infeasible == theirs.infeasible
    if theirs.infeasible:
        assert ours.reason == theirs.reason
        return
    assert isinstance(ours.plan, SteadyPlan)
    assert isinstance(theirs.plan, SteadyPlan)
    assert verify(instance, ours.plan).ok
    for name, bound in zip(objective, ours.bounds, strict=True):
        value = objective_value(instance, ours.plan, name)
        assert gap_closed(value, bound, 0.0)
        assert value == pytest.approx(objective_value(instance, theirs.plan, name), rel=2e-6)


def test_jobs_that_may_do_the_same_are_one_stream_and_are_served_each() -> None:
    instance = fleet(2, ["power"])
    columns = listed(instance)
    assert columns.stream_of.tolist() == [0, 0, 1, 2]
    result = answer(instance, whole=False)
    assert isinstance(result.plan, SteadyPlan)
    served = np.bincount(result.plan.route_job, result.plan.rate_per_s, 4)
    assert (served >= instance.jobs.rate_per_s).all()


def test_too_few_units_are_proven_to_be_too_few() -> None:
    instance = fleet(0, ["power"])
    more = replace(instance.jobs, rate_per_s=instance.jobs.rate_per_s * 20)
    few = replace(instance.devices, count_max=np.array([1, 1, 2]))
    result = answer(replace(instance, devices=few, jobs=more), whole=False)
    assert result.infeasible
    assert "units there are" in result.reason


def test_throughput_without_a_limit_is_an_input_error() -> None:
    instance = fleet(0, ["throughput"])
    free = replace(
        instance.devices,
        count_max=np.array([-1, -1, -1]),
        idle_power_w=np.zeros(3),
        off_when_unused=np.ones(3, dtype=bool),
    )
    free_of_limits = replace(
        instance, devices=free, uses=replace(instance.uses, amount=np.zeros(9))
    )
    with pytest.raises(InputError, match="unbounded"):
        answer(free_of_limits, whole=False)


def test_a_set_gap_ends_the_search_within_it() -> None:
    instance = generate_steady(40, 8, options=3, seed=1)
    budget = Budget(deadline=time.monotonic() + 20, gap=0.05)
    result = solve_columns(instance, budget, listed(instance))
    assert isinstance(result.plan, SteadyPlan)
    value = objective_value(instance, result.plan, "power")
    assert gap_closed(value, result.bounds[0], 0.05)


def test_only_many_routes_are_solved_as_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = generate_steady(10, 4, options=2, seed=0)
    assert single_tasks(instance)
    assert many_columns(instance) is None
    monkeypatch.setattr(columns_module, "MANY", 10)
    assert many_columns(instance) is not None


def test_limited_memory_and_exclusive_units_are_not_for_columns() -> None:
    instance = generate_steady(10, 4, options=2, seed=0)
    limited = replace(instance.devices, memory_b=np.array([np.inf, 1e9, np.inf, np.inf]))
    own = replace(instance.devices, exclusive=np.array([False, False, True, False]))
    assert not single_tasks(replace(instance, devices=limited))
    assert not single_tasks(replace(instance, devices=own))
    spared = replace(instance.devices, spare=np.array([0, 1, 0, 0]))
    assert not single_tasks(replace(instance, devices=spared))
    sliced = replace(instance.jobs, slices=np.full(10, 4))
    assert not single_tasks(replace(instance, jobs=sliced))
