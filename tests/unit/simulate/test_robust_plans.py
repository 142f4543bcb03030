"""What a plan with a margin promised, held against drawn times."""

from __future__ import annotations

from hetopt import Model, robust, simulate, solve
from hetopt.instance import Instance


def unsteady() -> Instance:
    """An NPU that takes less energy, and now and then too long, beside a GPU that never does."""
    m = Model("margin", objective="power", regime="steady")
    gpu = m.device("gpu", kind="gpu", count=(0, 8), idle_power="5 W")
    npu = m.device("npu", kind="npu", count=(0, 8), idle_power="1 W")
    options = [
        gpu.option(time="9 ms", energy="180 mJ", time_low="8.9 ms", time_high="9.3 ms"),
        npu.option(time="14 ms", energy="60 mJ", time_low="12 ms", time_high="24 ms"),
    ]
    m.job("frame", rate=5, latency_slo="20 ms").task("detect", options=options)
    return m.build()


def test_a_plan_with_a_margin_misses_fewer_limits_than_its_quantile_leaves() -> None:
    instance = unsteady()
    missed = {}
    for name, asked in (("stated", instance), ("robust", robust(instance, 0.95))):
        plan = solve(asked, workers=1).plan
        run = simulate(instance, plan, policies="plan", requests=20_000, bound=False)
        missed[name] = float(run.outcomes[0].totals["misses"] or 0.0)
    # The plan by stated times keeps the limit on paper, and breaks it once in six requests.
    assert missed["stated"] > 0.15
    assert missed["robust"] < 0.05
