"""Least loads of units that are on, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.instance import Instance
from hetopt.solve import solve
from tests.oracles.campaign import run_chunk
from tests.unit.steady.program.test_formulation import make

LARGE = {"name": "large", "min_load": 0.3, "count_min": 0, "count_max": 3}
SMALL = {"name": "small", "min_load": 0.1, "count_min": 0, "count_max": 3}
OPTIONS = [
    {"profile": "net", "device": "large", "time_s": 1e-4, "energy_j": 20.0},
    {"profile": "net", "device": "small", "time_s": 2.5e-4, "energy_j": 70.0},
]


def fleet(rate: float, large: dict[str, Any] | None = None, **more: Any) -> Instance:
    devices = [LARGE | (large or {}), SMALL]
    return make(devices, OPTIONS, [{"name": "net", "rate_per_s": rate}], **more)


def value(instance: Instance, **options: Any) -> float:
    solution = solve(instance, time_limit=20, workers=1, **options)
    assert solution.status == "optimal", (solution.status, solution.reason)
    return float(solution.objectives[0])


@pytest.mark.parametrize(
    ("rate", "power"),
    [(3000.0, 60_000.0), (2999.0, 2999 * 70.0), (800.0, 56_000.0), (399.9, None)],
)
def test_a_unit_is_on_only_where_it_is_busy_enough(rate: float, power: float | None) -> None:
    if power is None:
        assert solve(fleet(rate), time_limit=20, workers=1).status == "infeasible"
    else:
        assert value(fleet(rate)) == pytest.approx(power)


def test_units_that_are_never_off_must_all_be_kept_busy() -> None:
    always = {"off_when_unused": False, "count_min": 2, "count_max": 2}
    assert value(fleet(6000.0, always)) == pytest.approx(120_000.0)
    assert solve(fleet(5999.0, always), time_limit=20, workers=1).status == "infeasible"


def test_spare_units_stand_by_without_a_load() -> None:
    spare = {"off_when_unused": False, "count_min": 3, "count_max": 3, "spare": 1}
    assert value(fleet(6000.0, spare)) == pytest.approx(120_000.0)
    assert solve(fleet(5999.0, spare), time_limit=20, workers=1).status == "infeasible"


def test_named_units_share_the_load_so_that_each_has_its_least() -> None:
    always = {"off_when_unused": False, "count_min": 3, "count_max": 3, "memory_b": 1e9}
    solution = solve(fleet(12_000.0, always), time_limit=20, workers=1)
    busy = [u["load"] for u in solution.quantities["units"] if u["device"] == "large"]
    assert len(busy) == 3
    assert min(busy) >= 0.3 - 1e-9


def test_a_slower_option_that_keeps_a_unit_busy_enough_is_not_dropped() -> None:
    slow = OPTIONS[0] | {"label": "slow", "time_s": 3e-4}
    one = make([LARGE], [OPTIONS[0], slow], [{"name": "net", "rate_per_s": 1000.0}])
    assert value(one) == pytest.approx(20_000.0)


def test_a_placement_keeps_its_units_busy_enough() -> None:
    jobs = [{"name": n, "rate_per_s": r} for n, r in (("a", 2000.0), ("b", 1500.0))]
    tasks = [{"name": n, "job": n, "profile": "net"} for n in "ab"]
    single = make([LARGE, SMALL], OPTIONS, jobs, tasks=tasks, routing="single")
    # Both on one large unit; on two of them each would be below its least.
    assert value(single) == pytest.approx(3500 * 20.0)
    solution = solve(single, time_limit=20, workers=1)
    assert evaluate(single, solution.plan)["devices"][0]["on"] == 1
    most = make(
        [LARGE, SMALL], OPTIONS, jobs, tasks=tasks, routing="single", objective="throughput"
    )
    found = solve(most, time_limit=20, workers=1)
    assert found.status == "optimal"
    # Apart on two large units a is full, and b at three quarters of that.
    assert found.objectives[0] == pytest.approx(17_500.0)


def test_a_least_load_above_the_largest_is_an_error() -> None:
    with pytest.raises(InputError, match="At most `max_utilization`"):
        fleet(1.0, {"max_utilization": 0.2})


def test_an_explanation_names_the_least_load() -> None:
    from hetopt.analysis.explanation import explain

    found = explain(fleet(100.0), time_limit=20)
    assert "min_load" in str(found.to_json())


@pytest.mark.parametrize("chunk", range(3))
def test_solve_agrees_with_enumeration_where_units_have_least_loads(chunk: int) -> None:
    run_chunk("least-load", range(chunk * 20, (chunk + 1) * 20), time_limit=10.0)


def test_quantities_state_the_least_load_only_where_one_is_asked_for() -> None:
    with_it = solve(fleet(3000.0), time_limit=20, workers=1)
    assert [d["least_load"] for d in with_it.quantities["devices"]] == pytest.approx([0.3, 0.0])
    plain = fleet(3000.0, {"min_load": 0.0})
    plain.devices.min_load[:] = 0.0
    assert not np.any(plain.devices.min_load)
    assert "least_load" not in solve(plain, time_limit=20).quantities["devices"][0]
