"""The range of a limit in which its shadow price holds, against solving again."""

from __future__ import annotations

import pytest

from hetopt import Model, solve
from hetopt.report.terminal.text import view_text


def rack(cap_w: float):
    m = Model("r", objective="throughput", power_cap=cap_w)
    gpu = m.device("g", count=(0, 3), idle_power=10)
    npu = m.device("n", count=(0, 2), idle_power=1)
    ways = [gpu.option(time="0.1 s", power=90), npu.option(time="0.4 s", power=9)]
    m.job("a", rate=10, options=ways)
    return m.build()


def price(cap_w: float) -> float:
    return solve(rack(cap_w)).marginal["power_cap_w"]


def test_the_price_of_the_power_cap_holds_in_its_range_and_not_beyond() -> None:
    solution = solve(rack(50.0))
    low, high = solution.marginal["power_cap_holds_w"]
    # Two full NPUs draw 18 W, and three full GPUs beside them 288 W.
    assert (low, high) == pytest.approx((18, 288))
    held = solution.marginal["power_cap_w"]
    for cap in (low + 1e-3, 100.0, high - 1e-3):
        assert price(cap) == pytest.approx(held)
    for cap in (low - 1e-3, high + 1e-3):
        assert price(cap) != pytest.approx(held)


def test_the_range_is_told_in_the_unit_of_the_limit() -> None:
    text = " ".join(view_text(solve(rack(50.0))).split())
    assert "requests/s per W (from 18 W to 288 W)" in text


def test_a_cap_without_a_price_has_no_range() -> None:
    assert solve(rack(400.0)).marginal["power_cap_holds_w"] is None
