"""Round ticks, labels that fit, limits in pictures, a comparison and scenarios as pictures."""

from __future__ import annotations

import math
import re

import pytest

from hetopt import Model, compare, solve
from hetopt.formats.plans import solution_to_dict
from hetopt.report import charts
from hetopt.report.axes import fitted, ticks
from hetopt.report.comparison_page import comparison_page
from hetopt.report.gantt import gantt
from hetopt.report.page import report_page
from hetopt.report.pictures import schedule_picture
from hetopt.report.terminal.comparison import comparison_to_dict


@pytest.mark.parametrize(
    ("low", "high", "factor", "expected"),
    [
        (0, 0.1, 1, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        (3, 9.7, 1, [4, 6, 8]),
        (0, 1 / 360, 3600, [0, 2 / 3600, 4 / 3600, 6 / 3600, 8 / 3600, 10 / 3600]),
        (5, 5, 1, [5]),
    ],
)
def test_ticks_are_round_in_the_unit_that_is_shown(low, high, factor, expected) -> None:
    assert ticks(low, high, 6, factor) == pytest.approx(expected)


def test_ticks_lie_within_the_range_and_are_few() -> None:
    for low, high in ((0.0, 1e-9), (-3.0, 17.3), (1e6, 1.0001e6), (0.0, 7e12)):
        found = ticks(low, high)
        assert 1 <= len(found) <= 7
        assert all(low - 1e-12 * abs(low) <= t <= high * (1 + 1e-12) for t in found)


def test_a_label_is_cut_with_an_ellipsis() -> None:
    assert fitted("short", 9) == "short"
    assert fitted("a long name of a unit", 9) == "a long n…"


def box(deadline="40 ms"):
    m = Model("box", objective="energy", power_cap="20 W")
    cpu = m.device("a-processor-with-a-long-name", idle_power=1, memory="1 GiB")
    job = m.job("frame", deadline=deadline)
    job.task("t", options=[cpu.option(time="5 ms", power="3 W", memory="100 MB")])
    return m.build()


def test_deadlines_caps_and_capacities_are_in_the_picture() -> None:
    instance = box("12 ms")
    view = gantt(instance, solve(instance).plan)
    assert view["limits"] == [[0.012, "deadline of frame"]]
    assert view["end"] == 0.012
    assert [c["called"] for c in view["curves"]] == ["cap 20 W", "of 1 GiB"]
    drawn = schedule_picture(instance, solve(instance).plan)
    assert 'class="limit"' in drawn
    assert "deadline of frame: 12 ms" in drawn
    assert re.search(r'class="end"[^>]*>a-processor-[^<]*…<', drawn)


def test_a_deadline_far_away_does_not_make_the_rest_small() -> None:
    instance = box("10 s")
    assert gantt(instance, solve(instance).plan)["end"] == pytest.approx(0.005)


def rack():
    m = Model("rack", objective="power", power_cap="400 W")
    gpu = m.device("gpu", count=9, idle_power="10 W")
    npu = m.device("npu", count=9, idle_power="1 W")
    ways = [gpu.option(time="0.1 s", power="90 W"), npu.option(time="0.2 s", power="9 W")]
    m.job("a", rate=20, options=ways)
    m.job("b", rate=5, options=ways[:1])
    m.scenario("night", weight=1, demand=0.2)
    m.scenario("day", weight=1, demand=1)
    return m.build()


def test_scenarios_stand_side_by_side_with_the_cap() -> None:
    instance = rack()
    solution = solve(instance)
    page = report_page(instance, solution.plan, solution_to_dict(instance, solution))
    assert "Power by scenario" in page
    assert "power cap 400 W" in page
    (drawing,) = re.findall(r"<svg[^>]*Power of each scenario.*?</svg>", page)
    assert drawing.count("<rect") == 4
    assert "night" in drawing


def test_a_comparison_is_a_page_with_a_bar_for_each_placement() -> None:
    instance = rack()
    found = comparison_to_dict(compare(instance, sensitivity=False, time_limit=5))
    page = comparison_page(instance, found, "hetopt compare")
    (drawing,) = re.findall(r"<svg.*?</svg>", page)
    assert drawing.count("<rect") == 1 + len(found["homogeneous"])
    assert "infeasible" in drawing
    assert "less power" in page
    assert "http" not in page.split("</style>")[1].replace("http://www.w3.org", "")


def test_columns_of_nothing_are_nothing() -> None:
    assert charts.columns([], "x", str) == ""
    assert "limit" not in charts.columns([("a", (1.0,))], "x", "{:g}".format, math.inf)
