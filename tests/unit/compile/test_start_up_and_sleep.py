"""What going on takes and sleep in gaps, from documents and tables to columns and back."""

from __future__ import annotations

import pytest

from hetopt.errors import InputError
from hetopt.formats.native.document import read_yaml

DOCUMENT = """
hetopt: 1
regime: {regime}
devices:
  - {{name: oven, idle_power: 1 kW, {fields}}}
{jobs}
"""
JOBS = {
    "schedule": "jobs: [{name: a, options: [{device: oven, time: 1 h, power: 5 kW}]}]",
    "steady": "jobs: [{name: a, rate: 1 /h, options: [{device: oven, time: 6 min, power: 5 kW}]}]",
}


def problems(fields: str, regime: str = "schedule") -> list[tuple[str, str]]:
    """Return place and expectation of each problem."""
    with pytest.raises(InputError) as caught:
        read_yaml(DOCUMENT.format(fields=fields, regime=regime, jobs=JOBS[regime]), "x.yaml")
    return [(p.place, p.expected) for p in caught.value.problems]


def test_sleep_above_idle_is_refused_at_its_place() -> None:
    found = problems("sleep: {power: 2 kW}")
    place = "x.yaml:5, devices[0].sleep.power"
    assert (place, "At most the idle power: what sleeps draws no more than what idles.") in found


def test_waking_without_the_power_of_sleep_is_refused() -> None:
    found = problems("sleep: {wake_time: 2 s}")
    assert any("sleep: {power: ...}" in text for _, text in found)


def test_a_field_stands_once_be_it_in_its_mapping_or_beside_it() -> None:
    found = problems("sleep: {power: 1 W}, sleep_power: 2 W")
    assert any("sleep_power_w once" in text for _, text in found)


def test_unknown_fields_of_the_mappings_are_told_with_the_known_ones() -> None:
    ((place, text),) = [p for p in problems("start_up: {watt: 1}") if "start_up" in p[0]]
    assert place.endswith("devices[0].start_up.watt")
    assert "time" in text


def test_streams_know_no_sleep() -> None:
    ((place, text),) = problems("sleep: {power: 1 W}", "steady")
    assert place.endswith("devices[0].sleep.power")
    assert "schedule" in text


def test_a_draw_below_idle_is_told_with_the_share_of_the_board() -> None:
    text = """
hetopt: 1
regime: schedule
boards: [{name: jetson, idle_power: 2 W}]
devices: [{name: cpu, board: jetson, idle_power: 1.8 W}]
jobs: [{name: a, options: [{device: cpu, time: 1 s, power: 3 W}]}]
"""
    with pytest.raises(InputError, match=r"1\.8 W of cpu \+ 2 W of its board jetson"):
        read_yaml(text, "x.yaml")
