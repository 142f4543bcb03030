"""Bugs of the schedule regime that comparison with the oracle brought to light."""

from __future__ import annotations

import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solve import solve
from tests.small_schedules import device, edge, link, option, task
from tests.small_schedules import instance as small


def instance(**settings: object) -> Instance:
    """Two tasks of 2 s, which one always-on unit of two may run one after the other."""
    frames = {
        "devices": pd.DataFrame(
            {
                "name": ["gpu"],
                "count_min": [1],
                "count_max": [2],
                "idle_power_w": [1.0],
                "off_when_unused": [False],
            }
        ),
        "options": pd.DataFrame(
            {"profile": ["p"], "device": ["gpu"], "time_s": [2.0], "energy_j": [3.0]}
        ),
        "tasks": pd.DataFrame({"name": ["a", "b"], "profile": ["p", "p"]}),
    }
    return from_frames(frames, {"regime": "schedule", **settings})


def test_a_second_unit_is_priced_where_the_first_is_had_anyway() -> None:
    solution = solve(instance(objective="energy"), time_limit=10, workers=1)
    assert solution.status == "optimal"
    # One unit for 4 s, or two for 2 s: 4 J of idle either way.
    assert solution.objective == pytest.approx(10.0)


def test_tasks_that_nothing_limits_and_that_no_order_binds_are_reclaimed() -> None:
    # Three of four slots of one unit: no arcs, no deadline, no price of the makespan.
    slots = {"slots": 4}
    label = [option("p", "d", 2, 1, label="slow"), option("p", "d", 1, 3, label="fast")]
    tasks = [task(name, "p") for name in "abc"]
    free = small([device("d", **slots)], label, tasks, objective="energy")
    assert solve(free, time_limit=10, workers=1).objective == pytest.approx(3.0)
    uses = [
        {"profile": "p", "device": "d", "label": "slow", "resource": "tokens", "amount": 2},
        {"profile": "p", "device": "d", "label": "fast", "resource": "tokens", "amount": 1},
    ]
    tokens = small(
        [device("d", **slots)],
        label,
        tasks,
        more={"resources": [{"name": "tokens", "budget": 5.5}], "uses": uses},
        objective="energy",
    )
    # Two slow tasks and a fast one use 5 tokens; three slow ones would use 6.
    solution = solve(tokens, time_limit=10, workers=1)
    assert (solution.status, solution.objective) == ("optimal", pytest.approx(5.0))


def test_a_list_of_objectives_reclaims_a_lone_task() -> None:
    lone = small(
        [device("d", count=2)],
        [option("a", "d", 4, 2, label="x"), option("a", "d", 3, 10, label="y")],
        [task("a", job="j")],
        jobs=[{"name": "j", "due_s": 9}],
        objective=["tardiness", "energy"],
    )
    solution = solve(lone, time_limit=10, workers=1)
    assert (solution.status, solution.objectives) == ("optimal", (0.0, pytest.approx(2.0)))


@pytest.mark.parametrize("method", ["auto", "cpsat", "heft", "heuristic", "portfolio"])
def test_idle_power_of_what_is_always_on_beyond_the_cap_is_infeasible(method: str) -> None:
    lazy = small(
        [device("cpu"), device("gpu", idle_power_w=5, off_when_unused=False)],
        [option("t", "cpu", 0)],
        [task("t")],
        objective="energy",
        power_cap_w=4,
    )
    solution = solve(lazy, time_limit=10, workers=1, method=method)
    assert (solution.status, solution.plan) == ("infeasible", None)


def test_a_staged_output_in_the_hosts_pool_is_held_until_it_is_read_from_there() -> None:
    # a's output lies in the pool that the host reads, so a's unit holds it until the read to the
    # gpu has left at 3 s; only then is there room for c.
    staged = small(
        [
            device("cpu", memory_pool="dram"),
            device("npu", memory_pool="dram", memory_b=2000),
            device("gpu"),
        ],
        [
            option("a", "npu", 1),
            option("b", "gpu", 1),
            option("c", "npu", 3, memory_b=1500),
        ],
        [task(name) for name in "abc"],
        pools=[{"name": "dram", "zero_copy": True}],
        links=[link("cpu", "gpu", 500)],
        transfers=[edge("a", "b", 1000, tensor="x", staged=True)],
        host="cpu",
        objective="makespan",
    )
    solution = solve(staged, time_limit=10, workers=1)
    assert (solution.status, solution.objective) == ("optimal", pytest.approx(6.0))
    assert solve(staged, time_limit=10, workers=1, method="heuristic").verified
