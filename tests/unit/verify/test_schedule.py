"""The checker finds every kind of planted violation in schedules, and accepts what is valid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solution import DIRECT, READ, WRITE, Hops, SchedulePlan, Solution
from hetopt.verify import verify, verify_solution
from hetopt.verify.report import MOST_PER_KIND

Task = tuple[str, str, int, float]
"""Device, label, unit, start."""
Hop = tuple[str, int, str, int, int, int, float]
"""Producer or tensor, leg, destination device, unit, ordinal, link, start."""


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


@pytest.fixture(scope="module")
def instance() -> Instance:
    """Four devices and two jobs; see `TASKS` and `HOPS` for a valid plan."""
    frames = {
        "devices": frame(
            "name count_min count_max slots memory_b memory_pool idle_power_w off_when_unused "
            "overlap",
            ("cpu", 2, 2, 1, np.inf, "", 1.0, True, True),
            ("gpu", 1, 1, 2, 700.0, "", 2.0, True, True),
            ("npu", 1, 1, 1, np.inf, "soc", 3.0, False, False),
        ),
        "pools": frame("name memory_b zero_copy", ("soc", 200.0, False)),
        "links": frame(
            "from to bandwidth_b_per_s latency_s energy_j_per_b channels bus",
            ("cpu", "gpu", 100.0, 0.1, 0.01, 1, "pcie"),
            ("gpu", "npu", 100.0, 0.0, 0.02, 0, ""),
            ("cpu", "gpu", 100.0, 0.1, 0.03, 0, ""),  # as fast as link 0, but takes more energy
            ("cpu", "gpu", 200.0, 0.15, 0.01, 0, ""),  # as link 0 for 10 B; slower below
            ("cpu", "cpu", 100.0, 0.0, 0.0, 0, ""),
        ),
        "options": frame(
            "profile device label time_s energy_j memory_b weights_b model accuracy",
            ("a", "cpu", "", 1.0, 5.0, 0.0, 0.0, "", np.nan),
            ("b", "gpu", "", 1.0, 10.0, 100.0, 300.0, "m", 0.95),
            ("c", "npu", "", 2.0, 4.0, 0.0, 50.0, "n", np.nan),
            ("d", "gpu", "fp16", 1.0, 6.0, 0.0, 0.0, "", 0.9),
            ("d", "gpu", "int8", 1.0, 3.0, 0.0, 0.0, "", 0.7),
            ("e", "cpu", "", 1.0, 3.0, 0.0, 0.0, "", np.nan),
            ("e", "gpu", "", 1.0, 3.0, 0.0, 0.0, "", np.nan),
            ("f", "gpu", "", 2.0, 20.0, 200.0, 300.0, "m", np.nan),
            ("g", "npu", "", 1.5, 1.5, 100.0, 0.0, "", np.nan),
            ("g", "npu", "big", 1.5, 1.5, 180.0, 0.0, "", np.nan),
            ("g", "npu", "hot", 1.5, 22.5, 100.0, 0.0, "", np.nan),
            ("h", "cpu", "", 1.0, 1.0, 0.0, 0.0, "", np.nan),
            ("h", "gpu", "", 1.0, 1.0, 0.0, 0.0, "", np.nan),
            ("k", "cpu", "", 1.0, 1.0, 0.0, 0.0, "", np.nan),
            ("k", "gpu", "work", 1.0, 1.0, 500.0, 0.0, "", np.nan),
            ("k", "gpu", "weights", 1.0, 1.0, 0.0, 500.0, "o", np.nan),
            ("s", "npu", "", 1.0, 1.0, 0.0, 0.0, "", np.nan),
            ("s", "cpu", "", 1.0, 1.0, 0.0, 0.0, "", np.nan),
            ("u", "cpu", "", 1.0, 0.0, 0.0, 0.0, "", np.nan),
            ("v", "cpu", "", 1.0, 0.0, 0.0, 0.0, "", np.nan),
        ),
        "tasks": frame(
            "name job pin forbid",
            ("a", "one", "", ""),
            ("b", "one", "", ""),
            ("c", "one", "", ""),
            ("d", "one", "", ""),
            ("e", "two", "", "gpu"),
            ("f", "two", "", ""),
            ("g", "two", "", ""),
            ("h", "two", "cpu#1", ""),
            ("k", "two", "", ""),
            ("s", "two", "", ""),
            ("u", "two", "", ""),
            ("v", "two", "", ""),
        ),
        "transfers": frame(
            "from to bytes tensor",
            ("a", "b", 10.0, "x"),
            ("a", "c", 10.0, "x"),
            ("b", "d", 50.0, ""),
            ("f", "h", np.nan, ""),
            ("g", "s", 5.0, ""),
        ),
        "jobs": frame(
            "name release_s deadline_s due_s weight min_accuracy",
            ("one", 0.5, 8.0, 3.0, 2.0, 0.8),
            ("two", 0.0, np.inf, np.inf, 1.0, 0.0),
        ),
    }
    settings = {
        "objective": "energy",
        "horizon_s": 10.0,
        "power_cap_w": 30.0,
        "energy_price_per_j": 0.5,
        "pue": 2.0,
        "carbon_kg_per_j": 0.25,
        "together": [["u", "v"]],
        "apart": [["e", "k"]],
    }
    return from_frames(frames, settings)


TASKS: dict[str, Task] = {
    "a": ("cpu", "", 0, 0.5),
    "b": ("gpu", "", 0, 1.7),
    "c": ("npu", "", 0, 2.0),
    "d": ("gpu", "fp16", 0, 2.7),
    "e": ("cpu", "", 1, 0.0),
    "f": ("gpu", "", 0, 0.0),
    "g": ("npu", "", 0, 0.0),
    "h": ("cpu", "", 1, 6.0),
    "k": ("cpu", "", 0, 6.0),
    "s": ("npu", "", 0, 5.0),
    "u": ("cpu", "", 0, 2.0),
    "v": ("cpu", "", 0, 3.0),
}
HOPS: list[Hop] = [
    ("x", DIRECT, "gpu", 0, 0, 0, 1.5),
    ("x", DIRECT, "npu", 0, 0, 0, 1.7),
    ("x", DIRECT, "npu", 0, 1, 1, 1.9),
]


def make(instance: Instance, tasks: dict[str, Task], hops: list[Hop] | None = None) -> SchedulePlan:
    """Write a plan from names."""
    device = {str(name): i for i, name in enumerate(instance.devices.name)}
    tensor = {
        str(name) or str(instance.tasks.name[producer]): i
        for i, (name, producer) in enumerate(
            zip(instance.tensors.name, instance.tensors.producer, strict=True)
        )
    }
    option, unit, start = [], [], []
    for t, name in enumerate(instance.tasks.name):
        where, label, number, begin = tasks[str(name)]
        profile = instance.tasks.profile[t]
        span = range(instance.profiles.ptr[profile], instance.profiles.ptr[profile + 1])
        option.append(
            next(
                o
                for o in span
                if instance.options.device[o] == device[where]
                and instance.options.label[o] == label
            )
        )
        unit.append(number)
        start.append(begin)
    rows = [
        (tensor[what], leg, device[to], number, ordinal, link, begin)
        for what, leg, to, number, ordinal, link, begin in hops or []
    ]
    columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in range(6)]
    return SchedulePlan(
        np.array(option, dtype=np.int64),
        np.array(unit, dtype=np.int64),
        np.array(start, dtype=np.float64),
        Hops(*columns, np.array([row[6] for row in rows], dtype=np.float64)),
    )


def moved(**tasks: Task) -> Callable[[Instance], SchedulePlan]:
    """The valid plan with some tasks elsewhere."""
    return lambda instance: make(instance, TASKS | tasks, HOPS)


def started(**starts: float) -> Callable[[Instance], SchedulePlan]:
    """The valid plan with some tasks at other times."""
    return moved(**{name: (*TASKS[name][:3], start) for name, start in starts.items()})


def hop(row: int, **changes: float) -> Callable[[Instance], SchedulePlan]:
    """The valid plan with one hop changed."""

    def change(instance: Instance) -> SchedulePlan:
        plan = make(instance, TASKS, HOPS)
        columns = {}
        for name, value in changes.items():
            columns[name] = getattr(plan.hops, name).copy()
            columns[name][row] = value
        return replace(plan, hops=replace(plan.hops, **columns))

    return change


def hops(rows: list[Hop]) -> Callable[[Instance], SchedulePlan]:
    """The valid plan with other hops."""
    return lambda instance: make(instance, TASKS, rows)


def task(name: str, **changes: float) -> Callable[[Instance], SchedulePlan]:
    """The valid plan with raw values of one task changed."""

    def change(instance: Instance) -> SchedulePlan:
        plan = make(instance, TASKS, HOPS)
        row = [str(n) for n in instance.tasks.name].index(name)
        columns = {}
        for column, value in changes.items():
            columns[column] = getattr(plan, column).copy()
            columns[column][row] = value
        return replace(plan, **columns)

    return change


def test_a_valid_plan_is_accepted_and_its_objectives_are_recomputed(instance: Instance) -> None:
    report = verify(instance, make(instance, TASKS, HOPS))
    assert report.violations == ()
    assert report.ok
    assert report.mode == "ticks"
    assert report.exact
    # Options 52.5 J; x to the gpu 0.1 J, to the npu 0.1 + 0.2 J; idle 7 W for the 10 s horizon.
    energy = 52.5 + 0.4 + 70
    assert report.objectives == pytest.approx(
        {
            "energy": energy,
            "makespan": 7.0,
            "cost": energy,
            "carbon": energy / 2,
            "tardiness": 2 * 1.0,
            "peak_power": 7 + 10 + 10,  # f and b, from 1.7 s on
            "accuracy": 0.9,
        },
        rel=1e-12,
    )


PLANTED: list[tuple[str, str, Callable[[Instance], SchedulePlan]]] = [
    ("option number beyond the table", "unknown-option", task("e", option=99)),
    ("negative option number", "unknown-option", task("e", option=-1)),
    ("option of another task's profile", "wrong-profile", task("e", option=0)),
    ("forbidden device", "forbidden-device", moved(e=("gpu", "", 0, 8.0))),
    ("device other than the pinned one", "forbidden-device", moved(h=("gpu", "", 0, 6.0))),
    ("unit other than the pinned one", "pinned-unit", moved(h=("cpu", "", 0, 8.0))),
    ("unit beyond the count", "unit-range", moved(f=("gpu", "", 1, 0.0))),
    ("negative unit", "unit-range", moved(k=("cpu", "", -1, 6.0))),
    ("start that is no number", "start-time", started(k=np.nan)),
    ("infinite start", "start-time", started(k=np.inf)),
    ("negative start", "start-time", started(k=-1.0)),
    ("start before release", "release", started(a=0.4)),
    ("end after deadline", "deadline", started(d=7.5)),
    ("end after the horizon", "horizon", started(s=9.5)),
    ("start before a predecessor's end", "precedence", started(h=1.0)),
    ("start before a transfer arrives", "arrival", started(b=1.6)),
    ("two tasks on one slot", "slots", started(g=2.5)),
    ("task beside a transfer that takes the slot", "slots", started(g=0.45)),
    ("two hops on one channel", "channels", hop(1, start_s=1.6)),
    ("missing transfer", "missing-transfer", hops(HOPS[1:])),
    (
        "transfer that nobody needs",
        "unneeded-transfer",
        hops([*HOPS, ("x", DIRECT, "cpu", 1, 0, 4, 8.0)]),
    ),
    (
        "transfer of an output that stays on its unit",
        "unneeded-transfer",
        hops([*HOPS, ("b", DIRECT, "gpu", 0, 0, 4, 8.0)]),
    ),
    (
        "transfer on a leg of staged tensors",
        "unneeded-transfer",
        hops([*HOPS, ("x", READ, "gpu", 0, 0, 0, 8.0)]),
    ),
    ("hop stated twice", "duplicate-hop", hops([*HOPS, (*HOPS[0][:6], 1.9)])),
    ("path that leads elsewhere", "broken-path", hop(2, link=4)),
    ("path that stops half way", "broken-path", hops(HOPS[:2])),
    ("hops not numbered from 0", "broken-path", hop(2, ordinal=2)),
    ("path that takes more energy", "wrong-path", hop(0, link=2)),
    ("transfer before its data are there", "transfer-start", hop(0, start_s=1.3)),
    ("hop before the one before has ended", "hop-order", hop(2, start_s=1.85)),
    ("hop on a link that is not there", "malformed-hop", hop(0, link=5)),
    ("hop that starts at no time", "malformed-hop", hop(0, start_s=np.nan)),
    ("hop that starts before 0", "malformed-hop", hop(0, start_s=-1.0)),
    ("hop to a unit that is not there", "malformed-hop", hop(0, dst_unit=1)),
    ("hop to a device that is not there", "malformed-hop", hop(0, dst_device=3)),
    ("hop on an unknown leg", "malformed-hop", hop(0, leg=3)),
    ("message between devices that no links join", "no-path", moved(s=("cpu", "", 0, 8.0))),
    ("working memory beyond a unit's memory", "memory", moved(k=("gpu", "work", 0, 5.0))),
    ("weights beyond a unit's memory", "memory", moved(k=("gpu", "weights", 0, 5.0))),
    ("memory beyond a pool's", "pool-memory", moved(g=("npu", "big", 0, 0.0))),
    ("power beyond the cap", "power-cap", moved(g=("npu", "hot", 0, 0.0))),
    ("tasks apart that belong together", "together", moved(v=("cpu", "", 1, 8.0))),
    ("tasks together that must be apart", "apart", moved(k=("cpu", "", 1, 8.0))),
    ("too little accuracy", "min-accuracy", moved(d=("gpu", "int8", 0, 2.7))),
]


@pytest.mark.parametrize(
    ("kind", "plant"), [case[1:] for case in PLANTED], ids=[case[0] for case in PLANTED]
)
def test_a_planted_violation_is_the_only_kind_found(
    instance: Instance, kind: str, plant: Callable[[Instance], SchedulePlan]
) -> None:
    report = verify(instance, plant(instance))
    assert report.kinds == (kind,), [str(v) for v in report.violations]
    assert not report.ok


def test_messages_name_the_task_the_time_and_the_limit(instance: Instance) -> None:
    (violation,) = verify(instance, started(d=7.5)(instance)).violations
    assert violation.subject == "d"
    assert violation.message == ("Task d ends at 8.5 s, after the deadline 8 s of its job one.")


def test_a_hop_of_an_unknown_tensor_is_reported(instance: Instance) -> None:
    report = verify(instance, hop(0, tensor=77)(instance))
    assert "malformed-hop" in report.kinds


@pytest.mark.parametrize(
    "changes",
    [
        {"option": np.zeros(3, dtype=np.int64)},
        {"unit": np.zeros((12, 1), dtype=np.int64)},
        {"start_s": ["soon"] * 12},
        {"start_s": [[1.0], [2.0, 3.0]]},
        {"option": np.full(12, 0.5)},
        {"option": np.full(12, np.nan)},
        {"start_s": None},
        {"hops": None},
        {"hops": [1, 2]},
    ],
    ids=lambda changes: f"{next(iter(changes))}={next(iter(changes.values()))}"[:40],
)
def test_malformed_columns_are_violations_not_exceptions(
    instance: Instance, changes: dict[str, Any]
) -> None:
    plan = replace(make(instance, TASKS, HOPS), **changes)
    report = verify(instance, plan)
    assert set(report.kinds) == {"malformed-plan"}
    assert report.objectives == {}


def test_hop_columns_of_different_lengths_are_a_violation(instance: Instance) -> None:
    plan = make(instance, TASKS, HOPS)
    short = replace(plan, hops=replace(plan.hops, link=plan.hops.link[:1]))
    assert verify(instance, short).kinds == ("malformed-plan",)


@pytest.mark.parametrize("plan", [None, 7, {"option": []}])
def test_what_is_no_plan_of_the_regime_is_a_violation(instance: Instance, plan: object) -> None:
    assert verify(instance, plan).kinds == ("wrong-regime",)


def test_any_garbage_in_integer_columns_gives_a_report(instance: Instance) -> None:
    rng = np.random.default_rng(3)
    plan = make(instance, TASKS, HOPS)
    wild = np.array([-(2**62), -2, -1, 0, 1, 2, 5, 99, 2**40, 2**62])
    for _ in range(200):
        rows = rng.integers(0, 6)
        table = Hops(
            *(rng.choice(wild, rows) for _ in range(6)), rng.choice([np.nan, -1, 0, 3.5], rows)
        )
        report = verify(
            instance,
            replace(
                plan,
                option=rng.choice(wild, 12),
                unit=rng.choice(wild, 12),
                start_s=rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300, 0.1], 12),
                hops=table,
            ),
        )
        assert not report.ok


def test_violations_of_one_kind_are_capped_and_counted(instance: Instance) -> None:
    many = [HOPS[0]] * (MOST_PER_KIND + 50)
    report = verify(instance, hops([*many, *HOPS[1:]])(instance))
    doubled = [v for v in report.violations if v.kind == "duplicate-hop"]
    assert len(doubled) == MOST_PER_KIND + 1
    assert doubled[-1].message == "There are 49 more violations of this kind."


def test_claims_within_the_tolerance_are_accepted(instance: Instance) -> None:
    plan = make(instance, TASKS, HOPS)
    found = verify(instance, plan).objectives
    assert verify(instance, plan, found, bounds={"energy": 100.0}, status="feasible").ok
    assert verify(instance, plan, {"energy": found["energy"] * (1 + 1e-10)}).ok
    assert verify(instance, plan, {"energy": np.nan}).ok
    tight = {"energy": found["energy"] * (1 + 5e-7)}
    assert verify(instance, plan, {"energy": found["energy"]}, bounds=tight, status="optimal").ok


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("claimed-objective", {"claimed": {"energy": 121.0}}),
        ("claimed-objective", {"claimed": {"energy": np.inf}}),
        ("claimed-objective", {"claimed": {"throughput": 1.0}}),
        ("bound-beyond-plan", {"bounds": {"energy": 122.901}}),
        ("bound-beyond-plan", {"bounds": {"accuracy": 0.899}}),
        ("status", {"bounds": {"energy": 121.0}, "status": "optimal"}),
        ("status", {"claimed": {"energy": 122.9}, "status": "optimal"}),
        ("status", {"status": "infeasible"}),
    ],
)
def test_false_claims_are_found(instance: Instance, kind: str, claim: dict[str, Any]) -> None:
    assert verify(instance, make(instance, TASKS, HOPS), **claim).kinds == (kind,)


def test_a_solution_is_checked_with_all_that_it_claims(instance: Instance) -> None:
    plan = make(instance, TASKS, HOPS)
    solution = Solution(
        status="feasible",
        termination="time_limit",
        objective_names=("energy", "makespan"),
        objectives=(122.9, 7.0),
        bounds=(100.0, 6.0),
        plan=plan,
        method="auto",
        wall_time_s=1.0,
        verified=True,
        seed=0,
        version="0",
    )
    assert verify_solution(instance, solution).ok
    wrong = replace(solution, status="optimal")
    assert verify_solution(instance, wrong).kinds == ("status",)
    assert verify_solution(instance, replace(solution, plan=None, status="unknown")).ok


def test_times_are_compared_as_printed_decimals() -> None:
    """0.1 + 0.2 ends at 0.3 exactly, although the sum of the doubles is beyond 0.3."""
    line = chain(["0.1", "0.2", "0.3"], deadline=0.6)
    plan = make(line, {"t0": at(0.0), "t1": at(0.1), "t2": at(0.3)})
    report = verify(line, plan)
    assert report.ok
    assert report.mode == "ticks"
    assert report.objectives["makespan"] == 0.6


@pytest.mark.parametrize(("early", "ok"), [(5e-10, True), (2e-9, False)])
def test_a_limit_is_violated_beyond_the_tolerance_only(early: float, ok: bool) -> None:
    line = chain(["1", "1"], deadline=2.0)
    plan = make(line, {"t0": at(0.0), "t1": at(1.0 - early)})
    assert verify(line, plan).ok is ok


def test_tiny_tasks_on_one_slot_are_found_although_they_are_within_the_tolerance() -> None:
    line = chain(["1e-10", "1e-10"], edges=False)
    assert verify(line, make(line, {"t0": at(0.0), "t1": at(0.0)})).kinds == ("slots",)
    assert verify(line, make(line, {"t0": at(0.0), "t1": at(1e-10)})).ok


def test_thirds_are_exact_fractions_of_a_tick() -> None:
    """A third of a second from a bandwidth, then a start at the nearest double below it."""
    third = from_frames(
        {
            "devices": frame("name", ("cpu",), ("gpu",)),
            "links": frame("from to bandwidth_b_per_s", ("cpu", "gpu", 3.0)),
            "options": frame(
                "profile device time_s energy_j", ("a", "cpu", 1.0, 0.0), ("b", "gpu", 1.0, 0.0)
            ),
            "tasks": frame("name", ("a",), ("b",)),
            "transfers": frame("from to bytes", ("a", "b", 1.0)),
        },
        {"objective": "makespan"},
    )
    tasks = {"a": ("cpu", "", 0, 0.0), "b": ("gpu", "", 0, 1 + 1 / 3)}
    rows: list[Hop] = [("a", DIRECT, "gpu", 0, 0, 0, 1.0)]
    report = verify(third, make(third, tasks, rows))
    assert report.ok
    assert report.exact
    late = verify(third, make(third, tasks | {"b": ("gpu", "", 0, 1.3333)}, rows))
    assert late.kinds == ("arrival",)


def test_seventeen_digits_are_checked_in_fractions() -> None:
    line = chain([repr(0.1 + 0.2), repr(1 / 3)])
    report = verify(line, make(line, {"t0": at(0.0), "t1": at(0.1 + 0.2)}))
    assert report.ok
    assert report.mode == "fractions"
    assert verify(line, make(line, {"t0": at(0.0), "t1": at(0.29)})).kinds == (
        "precedence",
        "slots",
    )


def test_zero_time_tasks_take_no_slot_but_their_weights_count() -> None:
    options = frame(
        "profile device time_s energy_j weights_b",
        ("t0", "cpu", 1.0, 0.0, 0.0),
        ("t1", "cpu", 0.0, 0.0, 60.0),
    )
    tables = {
        "devices": frame("name memory_b", ("cpu", 100.0)),
        "options": options,
        "tasks": frame("name", ("t0",), ("t1",)),
    }
    plan = {"t0": at(0.0), "t1": at(0.5)}
    roomy = from_frames(tables, {"objective": "energy"})
    assert verify(roomy, make(roomy, plan)).ok
    tight = from_frames(
        tables | {"devices": frame("name memory_b", ("cpu", 50.0))}, {"objective": "energy"}
    )
    assert verify(tight, make(tight, plan)).kinds == ("memory",)


def test_memory_holds_outputs_until_consumers_and_first_hops_end() -> None:
    """The producer's output waits for a consumer on its unit and for the hop to the other."""
    tables = {
        "devices": frame("name memory_b", ("cpu", 100.0), ("gpu", np.inf)),
        "links": frame("from to bandwidth_b_per_s", ("cpu", "gpu", 60.0)),
        "options": frame(
            "profile device time_s energy_j memory_b",
            ("a", "cpu", 1.0, 0.0, 0.0),
            ("b", "gpu", 1.0, 0.0, 0.0),
            ("big", "cpu", 1.0, 0.0, 50.0),
        ),
        "tasks": frame("name", ("a",), ("b",), ("big",)),
        "transfers": frame("from to bytes", ("a", "b", 60.0)),
    }
    instance = from_frames(tables, {"objective": "makespan"})
    tasks = {"a": at(0.0), "b": ("gpu", "", 0, 3.0), "big": at(2.0)}
    assert verify(instance, make(instance, tasks, [("a", DIRECT, "gpu", 0, 0, 0, 1.0)])).ok
    late: list[Hop] = [("a", DIRECT, "gpu", 0, 0, 0, 1.5)]
    assert verify(instance, make(instance, tasks, late)).kinds == ("memory",)


def staged() -> Instance:
    """Producer on a gpu, consumers on a gpu's other unit and on the host, by way of the host."""
    return from_frames(
        {
            "devices": frame("name count_min count_max", ("cpu", 1, 1), ("gpu", 2, 2)),
            "links": frame("from to bandwidth_b_per_s both_ways", ("gpu", "cpu", 10.0, True)),
            "options": frame(
                "profile device time_s energy_j",
                ("p", "gpu", 1.0, 0.0),
                ("q", "gpu", 1.0, 0.0),
                ("r", "cpu", 1.0, 0.0),
            ),
            "tasks": frame("name", ("p",), ("q",), ("r",)),
            "transfers": frame(
                "from to bytes tensor staged",
                ("p", "q", 10.0, "x", True),
                ("p", "r", 10.0, "x", True),
            ),
        },
        {"objective": "makespan", "host": "cpu"},
    )


STAGED = {"p": ("gpu", "", 0, 0.0), "q": ("gpu", "", 1, 3.0), "r": ("cpu", "", 0, 2.0)}
STAGED_HOPS: list[Hop] = [
    ("x", WRITE, "cpu", -1, 0, 0, 1.0),
    ("x", READ, "gpu", 1, 0, 1, 2.0),
]


@pytest.mark.parametrize(
    ("kind", "tasks", "rows"),
    [
        (None, {}, STAGED_HOPS),
        ("missing-transfer", {}, STAGED_HOPS[1:]),
        ("missing-transfer", {}, STAGED_HOPS[:1]),
        ("transfer-start", {}, [STAGED_HOPS[0], ("x", READ, "gpu", 1, 0, 1, 1.5)]),
        ("arrival", {"r": ("cpu", "", 0, 1.5)}, STAGED_HOPS),
        ("arrival", {"q": ("gpu", "", 1, 2.5)}, STAGED_HOPS),
        ("unneeded-transfer", {}, [*STAGED_HOPS, ("x", READ, "cpu", 0, 0, 0, 5.0)]),
        ("unneeded-transfer", {"q": ("gpu", "", 0, 3.0)}, STAGED_HOPS),
    ],
)
def test_staged_tensors_are_written_once_and_read_once_per_unit(
    kind: str | None, tasks: dict[str, Task], rows: list[Hop]
) -> None:
    instance = staged()
    report = verify(instance, make(instance, STAGED | tasks, rows))
    assert report.kinds == (() if kind is None else (kind,)), report.violations


def test_zero_copy_pools_need_no_transfer_but_hold_the_output() -> None:
    tables = {
        "devices": frame("name memory_pool", ("cpu", "dram"), ("gpu", "dram")),
        "pools": frame("name memory_b zero_copy", ("dram", 100.0, True)),
        "links": frame("from to", ("cpu", "gpu")),
        "options": frame(
            "profile device time_s energy_j memory_b",
            ("a", "cpu", 1.0, 0.0, 0.0),
            ("b", "gpu", 1.0, 0.0, 0.0),
            ("big", "cpu", 1.0, 0.0, 50.0),
        ),
        "tasks": frame("name", ("a",), ("b",), ("big",)),
        "transfers": frame("from to bytes", ("a", "b", 60.0)),
    }
    instance = from_frames(tables, {"objective": "makespan"})
    after = {"a": at(0.0), "b": ("gpu", "", 0, 1.0), "big": at(2.0)}
    assert verify(instance, make(instance, after)).ok
    beside = after | {"big": at(1.5)}
    assert verify(instance, make(instance, beside)).kinds == ("pool-memory",)
    moved_rows: list[Hop] = [("a", DIRECT, "gpu", 0, 0, 0, 1.0)]
    assert verify(instance, make(instance, after, moved_rows)).kinds == ("unneeded-transfer",)


def test_another_path_of_equal_time_and_energy_is_accepted() -> None:
    """Two equal ways around, a slower one, and a cycle between the units of one device."""
    names = ["cpu", "hub1", "hub2", "hub3", "gpu"]
    tables = {
        "devices": frame("name count_min count_max", *((name, 2, 2) for name in names)),
        "links": frame(
            "from to bandwidth_b_per_s energy_j_per_b",
            *(
                (a, b, w, 0.1)
                for a, b, w in [
                    ("cpu", "hub1", 10.0),
                    ("hub1", "gpu", 10.0),
                    ("cpu", "hub2", 10.0),
                    ("hub2", "gpu", 10.0),
                    ("cpu", "hub3", 5.0),
                    ("hub3", "gpu", 10.0),
                    ("hub3", "cpu", 10.0),
                ]
            ),
        ),
        "options": frame(
            "profile device time_s energy_j",
            ("a", "cpu", 1.0, 0.0),
            ("b", "gpu", 1.0, 0.0),
            ("b", "cpu", 1.0, 0.0),
        ),
        "tasks": frame("name", ("a",), ("b",)),
        "transfers": frame("from to bytes", ("a", "b", 10.0)),
    }
    instance = from_frames(tables, {"objective": "makespan"})

    def over(first: int, second: int, b: Task) -> tuple[str, ...]:
        rows: list[Hop] = [
            ("a", DIRECT, b[0], b[2], 0, first, 1.0),
            ("a", DIRECT, b[0], b[2], 1, second, 3.0),
        ]
        return verify(instance, make(instance, {"a": at(0.0), "b": b}, rows)).kinds

    far = ("gpu", "", 0, 5.0)
    assert over(0, 1, far) == ()
    assert over(2, 3, far) == ()
    assert over(4, 5, far) == ("wrong-path",)
    assert over(0, 3, far) == ("broken-path",)
    assert over(4, 6, ("cpu", "", 1, 5.0)) == ()


def test_units_that_run_nothing_are_off_unless_they_are_always_on() -> None:
    tables = {
        "devices": frame(
            "name count_min count_max idle_power_w off_when_unused price_per_s",
            ("cpu", 0, 3, 1.0, True, 1.0),
            ("gpu", 1, 3, 10.0, False, 100.0),
        ),
        "options": frame("profile device time_s energy_j", ("t0", "cpu", 2.0, 5.0)),
        "tasks": frame("name", ("t0",)),
    }
    instance = from_frames(tables, {"objective": "energy"})
    report = verify(instance, make(instance, {"t0": ("cpu", "", 2, 0.0)}))
    assert report.ok
    assert report.objectives["energy"] == 5 + 2 * 1 + 2 * 10
    assert report.objectives["cost"] == 2 * (1 + 100)


def test_two_hundred_thousand_tasks_are_checked_in_two_seconds() -> None:
    """Random tasks on 64 devices, each waiting for a message from the one before on its unit."""
    instance, plan = rounds(200_000)
    begin = time.process_time()  # one thread; other processes must not count
    report = verify(instance, plan)
    took = time.process_time() - begin
    assert report.violations == ()
    assert took < 2.0
    late = plan.start_s.copy()
    late[[5, 77_777]] -= 1e-3
    assert not verify(instance, replace(plan, start_s=late)).ok


def rounds(n: int, devices: int = 64) -> tuple[Instance, SchedulePlan]:
    """Rounds of one task per device; each sends to the next device in the next round."""
    rng = np.random.default_rng(1)
    small = {
        "devices": frame("name idle_power_w", *((f"d{d}", 1.0) for d in range(devices))),
        "links": frame(
            "from to bandwidth_b_per_s latency_s energy_j_per_b channels",
            *((f"d{d}", f"d{(d + 1) % devices}", 1e9, 1e-5, 1e-10, 1) for d in range(devices)),
        ),
        "options": frame(
            "profile device time_s energy_j",
            *(
                (f"p{p}", f"d{d}", t, e)
                for p in range(100)
                for d, t, e in zip(
                    range(devices),
                    rng.uniform(0.01, 0.05, devices),
                    rng.uniform(1, 10, devices),
                    strict=True,
                )
            ),
        ),
        "tasks": frame("name profile", *((f"t{p}", f"p{p}") for p in range(100))),
    }
    base = from_frames(small, {"objective": "energy"})
    index = np.arange(n)
    src = index[: n - devices]
    dst = (src // devices + 1) * devices + (src % devices + 1) % devices
    src, dst = src[dst < n], dst[dst < n]
    message = np.arange(len(src))
    free = np.full(n, -1)
    none = np.empty(0, dtype=np.int64)
    text = np.dtypes.StringDType()
    tasks = replace(
        base.tasks,
        name=np.char.add("t", index.astype(str)).astype(text),
        profile=rng.integers(0, 100, n),
        work=rng.uniform(0.5, 1.5, n),
        job=np.zeros(n, dtype=np.int64),
        pin_device=free,
        pin_unit=free,
        forbid_task=none,
        forbid_device=none,
    )
    tensors = replace(
        base.tensors,
        name=np.full(len(src), "", dtype=text),
        producer=src,
        bytes_b=rng.uniform(1e5, 1e6, len(src)),
        staged=np.zeros(len(src), dtype=bool),
    )
    edges = replace(base.edges, src=src, dst=dst, tensor=message)
    instance = replace(base, tasks=tasks, tensors=tensors, edges=edges)
    device = index % devices
    option = instance.profiles.ptr[tasks.profile] + device
    length = tasks.work * instance.options.time_s[option]
    start = (index // devices) * 0.1
    ends = start[src] + length[src]
    hops = Hops(
        message,
        np.zeros(len(src), dtype=np.int64),
        device[dst],
        np.zeros(len(src), dtype=np.int64),
        np.zeros(len(src), dtype=np.int64),
        device[src],
        ends,
    )
    return instance, SchedulePlan(option, np.zeros(n, dtype=np.int64), start, hops)


def at(start: float) -> Task:
    return ("cpu", "", 0, start)


def chain(times: list[str], deadline: float = np.inf, edges: bool = True) -> Instance:
    """Tasks t0, t1, ... on one cpu, each after the one before."""
    names = [f"t{i}" for i in range(len(times))]
    tables = {
        "devices": frame("name", ("cpu",)),
        "options": frame(
            "profile device time_s energy_j",
            *((name, "cpu", float(t), 0.0) for name, t in zip(names, times, strict=True)),
        ),
        "tasks": frame("name job", *((name, "j") for name in names)),
        "jobs": frame("name deadline_s", ("j", deadline)),
    }
    if edges:
        tables["transfers"] = frame("from to", *pairwise(names))
    return from_frames(tables, {"objective": "makespan"})
