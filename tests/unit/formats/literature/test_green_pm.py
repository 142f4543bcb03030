"""Machines under time-of-use prices: what is read, and the published fronts."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.instance import Series
from hetopt.solve import solve

GREEN_PM = "3 3 4\n2 1 2\n5 3 5\n6 6 1 6\n"


def test_machines_of_one_power_are_the_units_of_one_device():
    read = read_instance("x.txt", text=GREEN_PM)
    assert read.devices.name.tolist() == ["power 3", "power 5"]
    assert read.devices.count_max.tolist() == [1, 2]
    assert read.objective == ("cost",)
    assert read.limits.horizon_s == 4.0
    assert read.limits.energy_price_over_time == Series((0.0, 2.0, 3.0), (6.0, 1.0, 6.0))
    chosen = read.task_options(0)
    assert read.options.time_s[chosen].tolist() == [2.0, 2.0]
    assert read.options.energy_j[chosen].tolist() == [6.0, 10.0]


def test_the_cost_is_power_times_price_over_the_slots():
    solution = solve(read_instance("x.txt", text=GREEN_PM), time_limit=20)
    # All jobs take the slot that costs 1: those of 2 s on powers 3 and 5, that of 1 s on 5.
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(3 * 7 + 5 * 7 + 5)


def test_every_file_parses_and_has_its_jobs_and_slots(shared_path):
    folder = shared_path("benchmarks", "energy_green_pm")
    files = sorted(folder.glob("*.txt"))
    assert len(files) == 30
    for path in files:
        read = read_instance(path)
        jobs, machines, slots = map(int, path.read_text().split("\n")[0].split())
        assert len(read.tasks) == jobs
        assert read.devices.count_max.sum() == machines
        assert read.limits.horizon_s == slots


@pytest.mark.parametrize("makespan", [5, 7, 8, 9, 16, 20, 27])
def test_the_exact_front_of_the_smallest_instance_is_proven(shared_path, makespan):
    folder = shared_path("benchmarks", "energy_green_pm")
    lines = (folder / "inst26.exact").read_text().split("\n")
    front = {int(a): float(b) for a, b in (line.split() for line in lines if line.strip())}
    read = read_instance(folder / "inst26.txt")
    limited = replace(read, limits=replace(read.limits, horizon_s=float(makespan)))
    solution = solve(limited, time_limit=30)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(front[makespan], rel=1e-9)


def test_below_the_least_makespan_of_the_front_there_is_no_plan(shared_path):
    read = read_instance(shared_path("benchmarks", "energy_green_pm", "inst26.txt"))
    limited = replace(read, limits=replace(read.limits, horizon_s=3.0))
    assert solve(limited, time_limit=30).status == "infeasible"


def test_a_product_beyond_all_floats_is_refused_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"1e\+308"):
            read_instance("x.txt", text="2 2 3\n1e308 1\n1e308 2\n1 2 3\n")
