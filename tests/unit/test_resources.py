"""Renewable resources and budgets: stated, solved to optima computed by hand, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.evaluate import objectives
from hetopt.formats import read_instance
from hetopt.instance import Instance
from hetopt.instance.overrides import keep_options, without_device
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.schedule.search.decoder_features import fits
from hetopt.schedule.search.list_annealing import LimitedAnnealing
from hetopt.solution import Hops, SchedulePlan
from hetopt.solve import solve
from hetopt.verify import verify
from tests.comparing import differences

TEXT = """hetopt: 1
objective: makespan
resources: [{name: dram, capacity: 50e9}, {name: requests, budget: 10}]
devices: [{name: cpu, slots: 4}, {name: gpu, count: 2}]
profiles:
  p:
    - {device: cpu, time: 3, uses: {dram: 10e9}}
    - {device: gpu, precision: int8, time: 1, uses: {dram: 30e9, requests: 4}}
tasks:
  - {name: a, profile: p}
  - {name: b, profile: p}
  - {name: c, profile: p}
"""


def rows(*pairs: tuple[str, dict[str, Any]]) -> dict[str, pd.DataFrame]:
    found: dict[str, list[dict[str, Any]]] = {}
    for table, row in pairs:
        found.setdefault(table, []).append(row)
    return {table: pd.DataFrame(own) for table, own in found.items()}


def machine(
    uses: list[tuple[str, str, float]], *, slots: int = 4, objective: str = "makespan", **limit: Any
) -> Instance:
    """Tasks of time 1 (or 2: label slow) on one device; ``uses`` is (task, label, amount)."""
    tasks = list(dict.fromkeys(task for task, _, _ in uses))
    time = {"slow": 2.0, "none": 0.0}
    pairs: list[tuple[str, dict[str, Any]]] = [
        ("devices", {"name": "d", "slots": slots}),
        ("resources", {"name": "r", **limit}),
    ]
    pairs += [("tasks", {"name": task}) for task in tasks]
    for task, label, amount in uses:
        option = {"profile": task, "device": "d", "label": label}
        pairs.append(("options", option | {"time_s": time.get(label, 1.0)}))
        pairs.append(("uses", option | {"resource": "r", "amount": amount}))
    return from_frames(rows(*pairs), {"regime": "schedule", "objective": objective})


def plan(instance: Instance, options: list[int], start: list[float]) -> SchedulePlan:
    none = np.empty(0, dtype=np.int64)
    return SchedulePlan(
        np.array(options),
        np.zeros(len(options), dtype=np.int64),
        np.array(start, dtype=np.float64),
        Hops(none, none, none, none, none, none, np.empty(0)),
    )


def test_an_option_names_what_it_uses() -> None:
    instance = read_instance("x.yaml", text=TEXT)
    assert instance.resources.name.tolist() == ["dram", "requests"]
    assert instance.resources.capacity.tolist() == [50e9, np.inf]
    assert instance.resources.budget.tolist() == [np.inf, 10]
    assert [instance.uses.of(o) for o in range(2)] == [[(0, 10e9)], [(0, 30e9), (1, 4.0)]]


def test_every_form_says_the_same() -> None:
    instance = read_instance("x.yaml", text=TEXT)
    model = Model(objective="makespan")
    cpu, gpu = model.device("cpu", slots=4), model.device("gpu", count=2)
    dram = model.resource("dram", capacity=50e9)
    model.resource("requests", budget=10)
    profile = model.profile(
        "p",
        [
            cpu.option(time=3, uses={dram: 10e9}),
            gpu.option("int8", time=1, uses={"requests": 4, "dram": 30e9}),
        ],
    )
    for name in "abc":
        model.task(name, profile)
    assert differences(instance, model.build()) == []
    again = from_frames(to_frames(instance), to_settings(instance))
    assert differences(instance, again) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("dram: 10e9", "dran: 1", "profiles.p[0].uses.dran", "did you mean dram"),
        ("dram: 10e9", "dram: -1", "profiles.p[0].uses.dram", "at least 0"),
        ("dram: 10e9", "dram: much", "profiles.p[0].uses.dram", "number"),
        ("{dram: 10e9}", "[dram]", "profiles.p[0].uses", "mapping"),
        (", budget: 10", "", "resources[1].capacity", "budget"),
        ("name: requests", "name: dram", "resources[1].name", "no other row"),
        ("capacity: 50e9", "capacty: 50e9", "resources[0].capacty", "capacity"),
    ],
)
def test_a_wrong_resource_is_named_where_it_stands(
    old: str, new: str, place: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_instance("x.yaml", text=TEXT.replace(old, new, 1))
    assert any(place in p.place and said in p.expected for p in caught.value.problems)


def test_uses_of_an_unknown_option_are_refused_once() -> None:
    frames = to_frames(read_instance("x.yaml", text=TEXT))
    frames["uses"] = frames["uses"].assign(label=["", "fp16", "int8"])
    with pytest.raises(InputError) as caught:
        from_frames(frames, {})
    assert [(p.table, p.row, p.column) for p in caught.value.problems] == [("uses", 1, "label")]


def test_a_use_stated_twice_is_refused() -> None:
    frames = to_frames(read_instance("x.yaml", text=TEXT))
    frames["uses"] = pd.concat([frames["uses"], frames["uses"][:1]], ignore_index=True)
    with pytest.raises(InputError, match="no other row of the option"):
        from_frames(frames, {})


def test_uses_follow_their_options_when_some_are_dropped() -> None:
    instance = read_instance("x.yaml", text=TEXT)
    without = without_device(instance, 0)
    assert [without.uses.of(o) for o in range(len(without.options))] == [[(0, 30e9), (1, 4.0)]]
    none, _ = keep_options(instance, np.zeros(2, dtype=bool))
    assert (len(none.uses), none.uses.ptr.tolist()) == (0, [0])


@pytest.mark.parametrize(
    ("capacity", "makespan"),
    [(1.0, 4.0), (2.0, 2.0), (0.3, None), (3.0, 2.0), (4.0, 1.0)],
)
def test_a_capacity_holds_at_each_instant(capacity: float, makespan: float | None) -> None:
    instance = machine([(t, "", 1.0) for t in "abcd"], capacity=capacity)
    solution = solve(instance, time_limit=20)
    if makespan is None:
        assert solution.status == "infeasible"
    else:
        assert (solution.status, solution.objective) == ("optimal", makespan)


def test_tenths_add_up_as_decimals() -> None:
    instance = machine([(t, "", 0.1) for t in "abc"], capacity=0.3)
    solution = solve(instance, time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 1.0)


def test_a_task_of_no_time_uses_nothing_of_a_capacity_but_its_share_of_a_budget() -> None:
    uses = [("a", "none", 5.0), ("b", "none", 5.0)]
    assert solve(machine(uses, capacity=1.0), time_limit=20).status == "optimal"
    assert solve(machine(uses, budget=10.0), time_limit=20).status == "optimal"
    assert solve(machine(uses, budget=9.0), time_limit=20).status == "infeasible"


@pytest.mark.parametrize(("budget", "makespan"), [(9.0, 3.0), (7.0, 4.0), (3.0, 6.0), (2.9, None)])
def test_a_budget_holds_over_all_tasks(budget: float, makespan: float | None) -> None:
    uses = [(t, label, amount) for t in "abc" for label, amount in (("", 3.0), ("slow", 1.0))]
    instance = machine(uses, slots=1, budget=budget)
    solution = solve(instance, time_limit=20)
    if makespan is None:
        assert solution.status == "infeasible"
    else:
        assert (solution.status, solution.objective) == ("optimal", makespan)


def test_work_scales_no_amount() -> None:
    instance = machine([("a", "", 2.0)], budget=2.0, capacity=2.0)
    long = replace(instance, tasks=replace(instance.tasks, work=np.array([3.0])))
    solution = solve(long, time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 3.0)


def test_a_slower_option_stays_where_it_uses_less() -> None:
    uses = [(t, label, amount) for t in "ab" for label, amount in (("", 2.0), ("slow", 1.0))]
    # Side by side both at half the speed, or one after the other at the full one.
    solution = solve(machine(uses, capacity=2.0), time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 2.0)
    solution = solve(machine(uses, budget=2.0, slots=1), time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 4.0)


def test_bounds_count_capacities_and_budgets() -> None:
    many = [f"t{i}" for i in range(12)]
    crowded = machine([(t, "", 2.0) for t in many], slots=12, capacity=6.0)
    assert objective_bounds.bound(crowded, "makespan") == pytest.approx(4.0)
    # Eight of twelve can be fast.
    uses = [(t, label, amount) for t in many for label, amount in (("", 2.0), ("slow", 1.0))]
    poor = machine(uses, slots=1, budget=20.0)
    assert objective_bounds.bound(poor, "makespan") == pytest.approx(16.0)
    assert objective_bounds.bound(machine(uses, budget=11.0), "makespan") == np.inf


@pytest.mark.parametrize("name", sorted(CONSTRUCTORS))
def test_list_schedules_keep_within_scarce_budgets(name: str) -> None:
    many = [f"t{i}" for i in range(12)]
    uses = [(t, label, amount) for t in many for label, amount in (("", 2.0), ("slow", 1.0))]
    instance = machine(uses, slots=3, budget=20.0, capacity=4.0)
    found = CONSTRUCTORS[name](instance)
    assert found is not None
    assert verify(instance, found).ok


def test_annealing_keeps_within_capacities_and_budgets() -> None:
    many = [f"t{i}" for i in range(12)]
    uses = [(t, label, amount) for t in many for label, amount in (("", 2.0), ("slow", 1.0))]
    instance = machine(uses, slots=3, budget=20.0, capacity=4.0)
    start = CONSTRUCTORS["mct"](instance)
    assert start is not None
    assert fits(instance)
    found = LimitedAnnealing.improve(instance, start, iterations=2_000).plan or start
    assert verify(instance, found).ok
    # At best one fast and two slow ones at once for four seconds, then two fast ones for two.
    assert objectives(instance, found)[0] == pytest.approx(6.0)


def test_too_much_at_once_is_a_violation_that_names_task_time_and_limit() -> None:
    instance = machine([("a", "", 0.2), ("b", "", 0.2), ("c", "", 0.2)], capacity=0.4)
    assert verify(instance, plan(instance, [0, 1, 2], [0.0, 0.0, 1.0])).ok
    report = verify(instance, plan(instance, [0, 1, 2], [0.0, 0.0, 0.5]))
    assert report.kinds == ("resource-capacity",)
    (violation,) = report.violations
    assert violation.subject == "r"
    for word in ("0.6", "resource r", "0.5 s", "task c", "0.4"):
        assert word in violation.message


def test_too_much_in_all_is_a_violation() -> None:
    instance = machine([(t, "", 0.1) for t in "abc"], budget=0.3)
    assert verify(instance, plan(instance, [0, 1, 2], [0.0, 1.0, 2.0])).ok
    less = replace(instance, resources=replace(instance.resources, budget=np.array([0.29])))
    report = verify(less, plan(less, [0, 1, 2], [0.0, 1.0, 2.0]))
    assert report.kinds == ("resource-budget",)
    assert "0.3 of resource r" in report.violations[0].message


def stream(objective: str, routing: str = "split", **limit: Any) -> Instance:
    """10 requests/s on a cheap device that uses 2 of r, or on a dear one that uses none."""
    frames = rows(
        ("devices", {"name": "cheap", "count": 2}),
        ("devices", {"name": "dear", "count": 2}),
        ("options", {"profile": "p", "device": "cheap", "time_s": 0.1, "energy_j": 1, "batch": 1}),
        ("options", {"profile": "p", "device": "dear", "time_s": 0.2, "energy_j": 9, "batch": 2}),
        ("resources", {"name": "r", **limit}),
        ("uses", {"profile": "p", "device": "cheap", "resource": "r", "amount": 2}),
        ("tasks", {"name": "t", "profile": "p", "job": "j"}),
        ("jobs", {"name": "j", "rate_per_s": 10}),
    )
    return from_frames(frames, {"objective": objective, "routing": routing})


@pytest.mark.parametrize(
    ("limit", "power"),
    [
        ({"capacity": 2.0}, 10.0),  # 10/s × 0.1 s × 2
        ({"capacity": 1.0}, 5.0 + 22.5),
        ({"budget": 20.0}, 10.0),
        ({"budget": 5.0}, 2.5 + 7.5 * 4.5),
        ({"budget": 0.0}, 45.0),
    ],
)
def test_streams_keep_within_limits_on_average(limit: dict[str, float], power: float) -> None:
    solution = solve(stream("power", **limit), time_limit=20)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(power, rel=1e-6)


def test_a_single_placement_is_held_too() -> None:
    assert solve(stream("power", "single", budget=20.0), time_limit=20).objective == 10.0
    assert solve(stream("power", "single", budget=19.0), time_limit=20).objective == 45.0
    # One unit of either device serves 10 requests/s, the resource 5 of them.
    scarce = solve(stream("throughput", "single", budget=10.0), time_limit=20)
    assert scarce.objective == pytest.approx(10.0, rel=1e-6)
    alone = without_device(stream("throughput", "single", budget=10.0), 1)
    assert solve(alone, time_limit=20).objective == pytest.approx(5.0, rel=1e-6)


def test_throughput_is_limited_by_a_budget_per_second() -> None:
    # Both devices full are 20 + 20 requests/s; the cheap one may serve 6.
    solution = solve(stream("throughput", budget=12.0), time_limit=20)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(26.0, rel=1e-6)


@pytest.mark.parametrize(
    ("limit", "kind"),
    [({"capacity": 2.0}, "resource-capacity"), ({"budget": 20.0}, "resource-budget")],
)
def test_streams_beyond_a_limit_are_violations(limit: dict[str, float], kind: str) -> None:
    instance = stream("power", **limit)
    found = solve(instance, time_limit=20).plan
    assert verify(instance, found).ok
    name = next(iter(limit))
    less = np.array([limit[name] * (1 - 1e-6)])
    tight = replace(instance, resources=replace(instance.resources, **{name: less}))
    report = verify(tight, found)
    assert report.kinds == (kind,)
    assert report.violations[0].subject == "r"
