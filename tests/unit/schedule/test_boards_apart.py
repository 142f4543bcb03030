"""Capacities that each board has of its own of what slows: schedules, and streams on one board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt import from_frames, read_instance, solve, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.evaluate import objectives
from hetopt.instance import Instance
from hetopt.instance.overrides import with_placement
from hetopt.schedule.bounds import objective_bounds
from hetopt.schedule.model.boards_apart import apart
from hetopt.solution import SchedulePlan
from hetopt.verify import verify
from tests.comparing import differences
from tests.oracles.campaign import SLOW_BOARDS, judge
from tests.slow_pairs import started

BOARDS = """hetopt: 1
objective: makespan
boards: [{name: box, count: 2, idle_power: 2 W}]
devices:
  - {name: cpu, count: 2, board: box}
  - {name: gpu, count: 4, board: box}
  - {name: usb}
links:
  - {from: cpu, to: gpu, bandwidth: 1 GB/s, both_ways: true, channels: 1}
  - {from: gpu, to: usb, bandwidth: 1 GB/s, channels: 1}
resources: [{name: dram, capacity: 10, sharing: slow, board: box}]
tasks:
  - {name: a, options: [{device: cpu, time: 4, uses: {dram: 10}}]}
  - {name: b, options: [{device: gpu, time: 4, uses: {dram: 10}}]}
"""


def boxes(*changes: tuple[str, str]) -> Instance:
    text = BOARDS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_instance("x.yaml", text=text)


def test_each_board_has_a_capacity_of_its_own() -> None:
    instance = boxes()
    again = from_frames(to_frames(instance), to_settings(instance))
    assert differences(instance, again) == []
    # gpu#1 stands on the first board, gpu#2 on the second.
    for unit, makespan in ((0, 8.0), (1, 8.0), (2, 4.0), (3, 4.0)):
        plan = replace(started(instance, [0, 0]), unit=np.array([0, unit]))
        assert objectives(instance, plan)[0] == makespan
        assert verify(instance, plan, {"makespan": makespan}).ok
    assert objective_bounds.bound(instance, "makespan") == pytest.approx(4.0)
    found = solve(instance, time_limit=0.5, deterministic=True)
    assert (found.status, found.objective) == ("optimal", 4.0)


def test_the_checker_finds_what_ends_late_on_one_board() -> None:
    instance = boxes(("objective: makespan", "objective: makespan\nhorizon: 5 s"))
    alone = replace(started(instance, [0, 0]), unit=np.array([0, 2]))
    both = replace(alone, unit=np.array([0, 1]))
    assert verify(instance, alone).ok
    assert {v.kind for v in verify(instance, both).violations} == {"horizon"}


def test_a_board_that_is_not_used_draws_nothing() -> None:
    instance = boxes(("objective: makespan", "objective: energy"))
    # One after the other on one board, both at once there, or on two boards: 16 J each.
    found = solve(instance, time_limit=0.5, deterministic=True)
    assert found.objective == pytest.approx(16.0)
    dear = boxes(("objective: makespan", "objective: energy\nhorizon: 20 s"))
    found = solve(dear, time_limit=0.5, deterministic=True)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(40.0)


def test_plans_of_both_forms_are_those_of_the_other() -> None:
    text = "  - {name: c, options: [{device: usb, time: 1}]}\n"
    instance = read_instance(
        "x.yaml",
        text=BOARDS.replace(
            "tasks:",
            "transfers: [{from: a, to: b, bytes: 1 GB}, {from: a, to: c, bytes: 1 GB}]\ntasks:",
        )
        + text,
    )
    found = solve(instance, time_limit=1, deterministic=True)
    assert isinstance(found.plan, SchedulePlan)
    split = apart(instance)
    assert split is not None
    moved = split.start(found.plan, instance)
    assert moved is not None
    assert verify(split.instance, moved).ok
    assert objectives(split.instance, moved) == objectives(instance, found.plan)
    back = split.plan(moved, instance)
    for name in ("option", "unit", "start_s"):
        assert np.array_equal(getattr(back, name), getattr(found.plan, name))
    assert np.array_equal(back.hops.link, found.plan.hops.link)
    again = solve(instance, time_limit=0.1, deterministic=True, start=found.plan)
    assert again.objective <= found.objective


def test_pins_and_bans_hold_on_every_board() -> None:
    made = with_placement(boxes(), [("a", "cpu#1"), ("b", "gpu#3")], [])
    pinned = solve(made, time_limit=0.5, deterministic=True)
    assert isinstance(pinned.plan, SchedulePlan)
    assert pinned.plan.unit.tolist() == [1, 3]
    assert pinned.objective == 8.0
    made = with_placement(boxes(), [("b", "gpu")], [("a", "usb"), ("b", "cpu")])
    free = solve(made, time_limit=0.5, deterministic=True)
    assert free.objective == 4.0


RANGES = [
    ("box, count: 2", "box, count: {min: 1, max: 2}"),
    ("count: 2,", "count: {min: 1, max: 2},"),
    ("count: 4", "count: {min: 2, max: 4}"),
]


@pytest.mark.parametrize(
    ("changes", "place", "said"),
    [
        ([("board: box}]\ntasks", "board: bix}]\ntasks")], "resources[0].board", "box"),
        ([("sharing: slow, ", "")], "board", "only what slows"),
        ([("{name: gpu, count: 4, board: box}", "{name: gpu}")], "uses", "A device on the board"),
        ([("capacity: 10", "capacity: 10, budget: 9")], "board", "No budget"),
        ([("idle_power: 2 W", "start_up: {time: 1 s}")], "sharing", "start-up"),
        (RANGES, "board", "fixed"),
    ],
)
def test_boards_of_resources_are_checked(
    changes: list[tuple[str, str]], place: str, said: str
) -> None:
    with pytest.raises(InputError) as error:
        boxes(*changes)
    assert place in str(error.value)
    assert said in str(error.value)


STREAMS = """hetopt: 1
regime: steady
objective: throughput
boards: [{name: box, idle_power: 2 W}]
devices: [{name: cpu, board: box}, {name: gpu, board: box}]
resources: [{name: dram, capacity: 10, sharing: slow, board: box}]
profiles:
  net:
    - {device: cpu, time: 1, energy: 1, uses: {dram: 10}}
    - {device: gpu, time: 1, energy: 1, uses: {dram: 10}}
jobs: [{name: net, profile: net, rate: 1 /s}]
"""


def test_streams_on_one_board_have_what_it_has() -> None:
    found = solve(read_instance("x.yaml", text=STREAMS), time_limit=10, workers=1)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(1.0)
    several = STREAMS.replace("name: box, idle", "name: box, count: 2, idle")
    several = several.replace(
        "board: box}, {name: gpu,", "count: 2, board: box}, {name: gpu, count: 2,"
    )
    with pytest.raises(InputError, match="count 1 in the steady regime"):
        read_instance("x.yaml", text=several)


@pytest.mark.parametrize("seed", range(8))
def test_enumeration_contradicts_nothing(seed: int) -> None:
    outcome = judge(SLOW_BOARDS, seed, 0.1)
    assert not outcome.wrong, outcome.wrong
