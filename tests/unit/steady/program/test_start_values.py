"""Known plans as points to start from."""

from __future__ import annotations

import time
from dataclasses import replace

from hetopt.formats import read_instance
from hetopt.formats.shipped import shipped_path
from hetopt.solve import solve


def test_millions_of_units_that_serve_one_workload_each_are_counted_and_not_listed() -> None:
    instance = read_instance(shipped_path("synthetic/exclusive"))
    options = instance.options
    hours = options.time_s.copy()
    hours[-1] = 15 * 3600.0  # translate, which the GPU alone can do
    slow = replace(instance, options=replace(options, time_s=hours))
    first = solve(slow, time_limit=2, workers=1)
    began = time.process_time()
    again = solve(slow, time_limit=2, workers=1, start=first)
    assert time.process_time() - began < 8
    assert again.plan is not None
    assert again.plan.units_on.sum() > 1_000_000
    assert again.objectives[0] <= first.objectives[0]
