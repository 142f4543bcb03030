"""Annealing of projects: what it takes, that it repeats itself, and where it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetopt.evaluate import objective_value
from hetopt.formats import read_instance
from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.constructors import heft, plan_problem
from hetopt.schedule.search.projects.improve import ProjectAnnealing, fits
from hetopt.schedule.search.projects.table import columns_of, start_of
from hetopt.schedule.search.registry import local_search_of
from hetopt.solution import SchedulePlan
from hetopt.verify import verify
from tests.random_projects import random_project

improve = ProjectAnnealing.improve

TIGHT = """hetopt: 1
objective: makespan
resources: [{name: power, capacity: 3}, {name: money, budget: 4}]
devices: [{name: site, slots: 9}]
profiles:
  p:
    - {device: site, precision: fast, time: 1, uses: {power: 2, money: 2}}
    - {device: site, precision: slow, time: 3, uses: {power: 1}}
tasks:
  - {name: a, profile: p}
  - {name: b, profile: p}
  - {name: c, profile: p}
  - {name: d, profile: p}
transfers: [{from: a, to: c}]
"""


def same(a: SchedulePlan, b: SchedulePlan) -> bool:
    columns = ("option", "unit", "start_s")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in columns)


def stuck(instance: Instance) -> SchedulePlan:
    """All tasks one after the other, in their least expensive options."""
    slow = [int(instance.task_options(t)[1]) for t in range(len(instance.tasks))]
    start = np.arange(len(slow)) * 3.0
    plan = heft(instance)
    assert plan is not None
    return replace(plan, option=np.array(slow), unit=plan.unit * 0, start_s=start)


def test_modes_are_chosen_within_a_budget() -> None:
    instance = read_instance("x.yaml", text=TIGHT)
    start = stuck(instance)
    assert verify(instance, start).ok
    plan = improve(instance, start, iterations=2_000).plan
    assert plan is not None
    assert verify(instance, plan).ok
    # Two tasks can be fast, which takes 2 + 2 + 3 + 3 of a power of 3: more than 3 seconds. With
    # a and b fast, d runs beside a until 3, c from 1 to 4, and b beside the end of c.
    assert objective_value(instance, plan, "makespan") == 4.0


def test_no_plan_is_needed_to_start_from() -> None:
    instance = read_instance("x.yaml", text=TIGHT)
    plan = improve(instance, None, iterations=2_000).plan
    assert plan is not None
    assert verify(instance, plan).ok


def test_modes_within_crossing_budgets_are_found() -> None:
    """Each budget alone asks for another option, so that only few choices keep within both."""
    tasks = "".join(f"  - {{name: t{k}, profile: p{k % 3}}}\n" for k in range(9))
    profiles = "".join(
        f"  p{k}:\n"
        f"    - {{device: d, precision: x, time: 1, uses: {{m: {5 + k}}}}}\n"
        f"    - {{device: d, precision: y, time: 2, uses: {{n: {6 - k}}}}}\n"
        f"    - {{device: d, precision: z, time: 9, uses: {{m: {3 - k}, n: {2 + k}}}}}\n"
        for k in range(3)
    )
    text = (
        "hetopt: 1\nobjective: makespan\n"
        "resources: [{name: m, budget: 22}, {name: n, budget: 21}]\n"
        f"devices: [{{name: d, slots: 9}}]\nprofiles:\n{profiles}tasks:\n{tasks}"
    )
    instance = read_instance("x.yaml", text=text)
    columns = columns_of(plan_problem(instance))
    assert columns is not None
    start = start_of(columns, None, 0, None)
    assert start is not None
    assert (columns.spare_of(start[1]) >= 0).all()


@pytest.mark.parametrize("kind", ["whole", "decimal", "rough"])
def test_the_same_arguments_give_the_same_plan(kind: str) -> None:
    instance = random_project(3, tasks=14, kind=kind)
    plans = [improve(instance, None, iterations=1_500, seed=5).plan for _ in range(2)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert same(plans[0], plans[1])


def test_a_plan_at_the_bound_ends_the_search() -> None:
    instance = read_instance("x.yaml", text=TIGHT)
    reports: list[SchedulePlan] = []
    # A bound of 3.4 is one of 4 on the grid of whole seconds.
    done = improve(
        instance, stuck(instance), seconds=60.0, workers=2, bound=3.4, found=reports.append
    )
    assert done.bound == 4.0
    assert done.plan is not None
    assert objective_value(instance, done.plan, "makespan") == 4.0
    values = [objective_value(instance, plan, "makespan") for plan in reports]
    assert values[-1] == 4.0
    assert values == sorted(set(values), reverse=True)


def test_the_stop_event_ends_the_search() -> None:
    instance = read_instance("x.yaml", text=TIGHT)
    stop = threading.Event()
    stop.set()
    assert improve(instance, stuck(instance), seconds=60.0, stop=stop).plan is None


def test_deadlines_are_kept() -> None:
    instance = random_project(4, tasks=10, kind="whole")
    start = heft(instance)
    assert start is not None
    last = objective_value(instance, start, "makespan")
    jobs = replace(instance.jobs, deadline_s=np.full(len(instance.jobs), last))
    limited = replace(instance, jobs=jobs)
    plan = improve(limited, start, iterations=1_000).plan
    assert plan is None or verify(limited, plan).ok


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": ("energy",)},
        {"tasks": {"pin_unit": 0}},
        {"devices": {"memory_b": 1e9}},
        {"devices": {"idle_power_w": 5.0}},
    ],
)
def test_other_features_are_left_to_others(changes: dict[str, Any]) -> None:
    instance = random_project(1, tasks=6).with_limits(power_cap_w=50.0)
    assert fits(instance)
    made: dict[str, Any] = {}
    for name, value in changes.items():
        if isinstance(value, dict):
            table = getattr(instance, name)
            columns = {
                key: np.full(len(table), v, dtype=getattr(table, key).dtype)
                for key, v in value.items()
            }
            made[name] = replace(table, **columns)
        else:
            made[name] = value
    other = replace(instance, **made)
    assert not fits(other)
    assert improve(other, None, iterations=10).plan is None


def test_projects_are_what_auto_uses_for_resources() -> None:
    entry = local_search_of(read_instance("x.yaml", text=TIGHT))
    assert entry is not None
    assert entry.name == "projects"


def test_a_benchmark_project_is_solved_near_its_optimum(shared_path: Callable[..., Path]) -> None:
    instance = read_instance(shared_path("benchmarks", "mrcpsp", "PSPLIB", "j3038_5.mm"))
    plan = improve(instance, heft(instance), iterations=30_000).plan
    assert plan is not None
    assert verify(instance, plan).ok
    assert objective_value(instance, plan, "makespan") <= 52  # optimum 50
