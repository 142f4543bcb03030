"""Routes as rows: equal ones are one, and no request is lost."""

from __future__ import annotations

import pytest

from hetopt import read_instance
from hetopt.formats.plans import plan_from_dict
from hetopt.report.page import report_page
from hetopt.report.routes import ranges, route_rows

FLEET = """
hetopt: 1
objective: power
devices: [{name: l4, kind: gpu, count: 5, memory: 20 GB, idle_power: 10 W}]
jobs:
  - name: chat
    rate: 40 /s
    options: [{device: l4, label: fp16, time: 100 ms, energy: 5 J, weights: 16 GB}]
"""


def plan(rates):
    instance = read_instance("fleet.yaml", text=FLEET)
    routes = [
        {"job": "chat", "rate_per_s": rate, "tasks": [
            {"task": "chat", "device": "l4", "unit": f"l4#{unit}", "option": "fp16"}
        ]}
        for unit, rate in rates.items()
    ]  # fmt: skip
    units = [{"device": "l4", "on": 5, "had": 5}]
    return instance, plan_from_dict(instance, {"units": units, "routes": routes})


def test_numbers_that_follow_each_other_are_a_range() -> None:
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


def test_routes_that_differ_in_their_unit_alone_are_one_row() -> None:
    rows = route_rows(*plan({0: 9.0, 1: 9.0, 2: 9.0, 4: 9.0, 3: 4.0}))
    assert [row.placed for row in rows] == [
        "chat on l4#0-2,4 (fp16); 4 routes of 9 /s each",
        "chat on l4#3 (fp16)",
    ]
    assert [row.rate_per_s for row in rows] == pytest.approx([36.0, 4.0])


def test_the_page_has_the_same_rows() -> None:
    instance, found = plan({0: 8.0, 1: 8.0, 2: 8.0, 3: 8.0, 4: 8.0})
    assert "chat on l4#0-4 (fp16); 5 routes of 8 /s each" in report_page(instance, found, {})
