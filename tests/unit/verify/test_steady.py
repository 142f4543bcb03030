"""The checker finds every kind of planted violation in steady plans, and accepts valid ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import Model, from_frames, solve
from hetopt.instance import Instance
from hetopt.solution import SteadyPlan
from hetopt.verify import verify

Route = tuple[str, float, list[tuple[str, str, int]]]
"""Job, rate, and per task of the job: device, label, unit."""


def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


def make(instance: Instance, routes: list[Route], units: dict[str, tuple[int, int]]) -> SteadyPlan:
    """Write a plan from names; `units` has on and had per device."""
    jobs = [str(name) for name in instance.jobs.name]
    device = {str(name): i for i, name in enumerate(instance.devices.name)}
    first, members = instance.job_tasks
    ptr, task, option, unit = [0], [], [], []
    for job, _, rows in routes:
        j = jobs.index(job)
        for t, (where, label, number) in zip(
            members[first[j] : first[j + 1]].tolist(), rows, strict=True
        ):
            profile = instance.tasks.profile[t]
            span = range(instance.profiles.ptr[profile], instance.profiles.ptr[profile + 1])
            task.append(t)
            option.append(
                next(
                    o
                    for o in span
                    if instance.options.device[o] == device[where]
                    and instance.options.label[o] == label
                )
            )
            unit.append(number)
        ptr.append(len(task))
    return SteadyPlan(
        route_job=np.array([jobs.index(job) for job, _, _ in routes], dtype=np.int64),
        rate_per_s=np.array([rate for _, rate, _ in routes], dtype=np.float64),
        ptr=np.array(ptr, dtype=np.int64),
        task=np.array(task, dtype=np.int64),
        option=np.array(option, dtype=np.int64),
        unit=np.array(unit, dtype=np.int64),
        units_on=np.array([units[name][0] for name in device], dtype=np.int64),
        units_had=np.array([units[name][1] for name in device], dtype=np.int64),
    )


TABLES: dict[str, pd.DataFrame] = {
    "devices": frame(
        "name count_min count_max slots memory_b memory_pool idle_power_w max_utilization "
        "reserved off_when_unused exclusive overlap price_per_s",
        ("cpu", 1, 4, 1, np.inf, "", 10.0, 1.0, 0.0, True, False, True, 0.5),
        ("gpu", 2, 2, 2, 1000.0, "", 20.0, 0.8, 0.5, True, False, True, 0.0),
        ("npu", 1, 5, 1, np.inf, "", 1.0, 1.0, 0.0, True, True, True, 0.0),
        ("fpga", 1, 2, 1, np.inf, "soc", 2.0, 1.0, 0.0, False, False, False, 0.0),
    ),
    "pools": frame("name memory_b zero_copy", ("soc", 500.0, False)),
    "links": frame(
        "from to bandwidth_b_per_s latency_s energy_j_per_b channels per_unit",
        ("cpu", "gpu", 1000.0, 0.01, 0.001, 0, False),
        ("cpu", "fpga", 1000.0, 0.0, 0.0, 1, True),
        ("cpu", "npu", 100.0, 0.0, 0.0, 0, False),
    ),
    "options": frame(
        "profile device label time_s energy_j memory_b weights_b model accuracy batch latency_s",
        ("pre", "cpu", "", 0.01, 0.1, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("net", "gpu", "", 0.04, 2.0, 50.0, 300.0, "net", 0.9, 4, np.nan),
        ("net", "gpu", "big", 0.04, 2.0, 50.0, 700.0, "bignet", 0.9, 4, np.nan),
        ("net", "gpu", "wide", 0.04, 2.0, 400.0, 300.0, "net", 0.9, 4, np.nan),
        ("net", "gpu", "slow", 0.04, 2.0, 50.0, 300.0, "net", 0.9, 4, 0.3),
        ("net", "gpu", "int4", 0.02, 1.0, 50.0, 100.0, "int4", 0.7, 4, np.nan),
        ("net", "npu", "", 0.1, 0.1, 0.0, 0.0, "", 0.9, 1, np.nan),
        ("net", "fpga", "", 0.05, 0.2, 100.0, 100.0, "fpganet", 0.9, 1, np.nan),
        ("net", "fpga", "fat", 0.05, 0.2, 100.0, 300.0, "fat", 0.9, 1, np.nan),
        ("net", "cpu", "", 0.1, 5.0, 0.0, 0.0, "", 0.9, 1, np.nan),
        ("solo", "npu", "", 0.05, 0.5, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("solo", "cpu", "", 0.1, 0.5, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("duo", "npu", "", 0.05, 0.5, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("duo", "cpu", "", 0.1, 0.5, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("lone", "fpga", "", 0.01, 0.0, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("one", "gpu", "", 0.001, 0.0, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("one", "cpu", "", 0.001, 0.0, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("two", "gpu", "", 0.001, 0.0, 0.0, 0.0, "", np.nan, 1, np.nan),
        ("two", "cpu", "", 0.001, 0.0, 0.0, 0.0, "", np.nan, 1, np.nan),
    ),
    "tasks": frame(
        "name profile job pin forbid",
        ("pre", "pre", "vision", "", ""),
        ("net", "net", "vision", "", ""),
        ("solo", "solo", "voice", "", ""),
        ("duo", "duo", "text", "npu", ""),
        ("lone", "lone", "radar", "", ""),
        ("one", "one", "pair", "", ""),
        ("two", "two", "pair", "", ""),
        ("one2", "one", "other", "", ""),
        ("two2", "two", "other", "", "gpu"),
    ),
    "transfers": frame("from to bytes", ("pre", "net", 5.0)),
    "jobs": frame(
        "name rate_per_s latency_slo_s min_accuracy weight",
        ("vision", 50.0, 0.25, 0.8, 1.0),
        ("voice", 8.0, np.inf, 0.0, 1.0),
        ("text", 8.0, np.inf, 0.0, 1.0),
        ("radar", 1.0, np.inf, 0.0, 1.0),
        ("pair", 1.0, np.inf, 0.0, 1.0),
        ("other", 1.0, np.inf, 0.0, 1.0),
    ),
}
SETTINGS: dict[str, Any] = {
    "objective": "power",
    "power_cap_w": 200.0,
    "budget_per_s": 4.0,
    "energy_price_per_j": 0.01,
    "carbon_kg_per_j": 0.001,
    "together": [["one", "two"]],
    "apart": [["one2", "two2"]],
}
ROUTES: list[Route] = [
    ("vision", 30.0, [("cpu", "", -1), ("gpu", "", 0)]),
    ("vision", 20.0, [("cpu", "", -1), ("gpu", "", 1)]),
    ("voice", 8.0, [("npu", "", -1)]),
    ("text", 8.0, [("npu", "", -1)]),
    ("radar", 1.0, [("fpga", "", 0)]),
    ("pair", 1.0, [("cpu", "", -1), ("cpu", "", -1)]),
    ("other", 1.0, [("gpu", "", 1), ("cpu", "", -1)]),
]
UNITS = {"cpu": (1, 1), "gpu": (2, 2), "npu": (2, 2), "fpga": (1, 1)}


@pytest.fixture(scope="module")
def instance() -> Instance:
    return from_frames(TABLES, SETTINGS)


def routes(*changed: tuple[int, Route | None], units: dict[str, tuple[int, int]] = UNITS) -> Any:
    """The valid plan with some routes replaced (None: dropped; beyond the last: added)."""
    rows: list[Route | None] = list(ROUTES)
    for k, route in changed:
        if k < len(rows):
            rows[k] = route
        else:
            rows.append(route)
    return lambda instance: make(instance, [row for row in rows if row is not None], units)


def units(**changed: tuple[int, int]) -> Any:
    return routes(units=UNITS | changed)


def raw(column: str, row: int, value: float) -> Any:
    """The valid plan with one raw value changed."""

    def change(instance: Instance) -> SteadyPlan:
        plan = make(instance, ROUTES, UNITS)
        values = getattr(plan, column).copy()
        values[row] = value
        return replace(plan, **{column: values})

    return change


def test_a_valid_plan_is_accepted_and_its_objectives_are_recomputed(instance: Instance) -> None:
    report = verify(instance, make(instance, ROUTES, UNITS))
    assert report.violations == ()
    assert report.mode == "fractions"
    # Idle 10 + 40 + 2 + 2; vision 0.1 + 2/4 and 5 B at 1 mJ/B; voice and text 0.5 J each.
    power = 54 + 50 * (0.1 + 0.5 + 0.005) + 16 * 0.5
    assert report.objectives == pytest.approx(
        {
            "power": power,
            "cost": 0.5 + power * 0.01,
            "carbon": power * 0.001,
            "throughput": 69.0,
            "accuracy": 0.9,
        },
        rel=1e-12,
    )


VISION: Route = ROUTES[0]
PLANTED: list[tuple[str, str, Callable[[Instance], SteadyPlan]]] = [
    ("job beyond the table", "route-job", raw("route_job", 4, 9)),
    ("tasks of another job", "route-tasks", raw("route_job", 2, 3)),
    ("a task twice", "route-tasks", raw("task", 1, 0)),
    ("rate that is no number", "rate", raw("rate_per_s", 4, np.nan)),
    ("negative rate", "rate", raw("rate_per_s", 4, -1.0)),
    ("infinite rate", "rate", raw("rate_per_s", 4, np.inf)),
    ("unknown option", "unknown-option", raw("option", 6, 99)),
    ("option of another profile", "wrong-profile", raw("option", 6, 0)),
    (
        "device other than the pinned one",
        "forbidden-device",
        routes((3, ("text", 8.0, [("cpu", "", -1)])), units=UNITS | {"cpu": (2, 2)}),
    ),
    (
        "forbidden device",
        "forbidden-device",
        routes((6, ("other", 1.0, [("cpu", "", -1), ("gpu", "", 1)]))),
    ),
    ("unit beyond those on", "unit-range", routes((4, ("radar", 1.0, [("fpga", "", 1)])))),
    ("unit below -1", "unit-range", routes((4, ("radar", 1.0, [("fpga", "", -2)])))),
    (
        "no unit named where memory is limited",
        "unit-missing",
        routes((4, ("radar", 1.0, [("fpga", "", -1)]))),
    ),
    ("fewer units had than the least", "units-had", units(gpu=(1, 1))),
    ("more units had than the most", "units-had", units(cpu=(1, 5))),
    ("more units on than had", "units-on", units(cpu=(2, 1))),
    ("negative units on", "units-on", units(npu=(-1, 2))),
    ("units off that are never off", "always-on", units(fpga=(1, 2))),
    (
        "latency beyond the limit by a stated latency",
        "latency",
        routes((0, ("vision", 30.0, [("cpu", "", -1), ("gpu", "slow", 0)]))),
    ),
    (
        "too little accuracy",
        "min-accuracy",
        routes((0, ("vision", 30.0, [("cpu", "", -1), ("gpu", "int4", 0)]))),
    ),
    ("demand not met", "demand", routes((4, ("radar", 0.9, [("fpga", "", 0)])))),
    ("job not served at all", "demand", routes((4, None))),
    (
        "busy beyond the capacity of a device",
        "capacity",
        routes((2, ("voice", 8.0, [("cpu", "", -1)]))),
    ),
    (
        "busy beyond the capacity of a unit",
        "capacity",
        routes((4, ("radar", 101.0, [("fpga", "", 0)]))),
    ),
    (
        "busy beyond what others leave of a unit",
        "capacity",
        routes(
            (0, ("vision", 81.0, [("cpu", "", -1), ("gpu", "", 0)])),
            units=UNITS | {"cpu": (2, 2)},
        ),
    ),
    ("two jobs on too few exclusive units", "exclusive", units(npu=(1, 2))),
    (
        "two jobs on one exclusive unit",
        "exclusive",
        routes(
            (2, ("voice", 4.0, [("npu", "", 0)])),
            (3, ("text", 4.0, [("npu", "", 0)])),
            (7, ("voice", 4.0, [("npu", "", 1)])),
            (8, ("text", 4.0, [("npu", "", 2)])),
            units=UNITS | {"npu": (3, 3)},
        ),
    ),
    (
        "weights of two models beyond the memory",
        "memory",
        routes(
            (0, ("vision", 15.0, [("cpu", "", -1), ("gpu", "", 0)])),
            (7, ("vision", 15.0, [("cpu", "", -1), ("gpu", "big", 0)])),
        ),
    ),
    (
        "working memory in every slot beyond the memory",
        "memory",
        routes((0, ("vision", 30.0, [("cpu", "", -1), ("gpu", "wide", 0)]))),
    ),
    (
        "memory beyond a pool's",
        "pool-memory",
        routes(
            (0, ("vision", 28.0, [("cpu", "", -1), ("gpu", "", 0)])),
            (7, ("vision", 1.0, [("cpu", "", -1), ("fpga", "", 0)])),
            (8, ("vision", 1.0, [("cpu", "", -1), ("fpga", "fat", 1)])),
            units=UNITS | {"fpga": (2, 2)},
        ),
    ),
    (
        "bytes beyond a link's bandwidth",
        "link",
        routes(
            (0, ("vision", 28.0, [("cpu", "", -1), ("npu", "", -1)])),
            (7, ("vision", 2.0, [("cpu", "", -1), ("gpu", "", 0)])),
            units=UNITS | {"npu": (5, 5)},
        ),
    ),
    (
        "tasks of a route on two units of a device",
        "route-units",
        routes((5, ("pair", 1.0, [("gpu", "", 0), ("gpu", "", 1)]))),
    ),
    (
        "tasks apart that belong together",
        "together",
        routes((5, ("pair", 1.0, [("cpu", "", -1), ("gpu", "", 0)]))),
    ),
    (
        "tasks together that must be apart",
        "apart",
        routes((6, ("other", 1.0, [("cpu", "", -1), ("cpu", "", -1)]))),
    ),
]


@pytest.mark.parametrize(
    ("kind", "plant"), [case[1:] for case in PLANTED], ids=[case[0] for case in PLANTED]
)
def test_a_planted_violation_is_found(
    instance: Instance, kind: str, plant: Callable[[Instance], SteadyPlan]
) -> None:
    report = verify(instance, plant(instance))
    # A row that cannot be read serves nobody, and a fleet too large is counted as such.
    follows = {
        "route-job": {"demand"},
        "route-tasks": {"demand"},
        "rate": {"demand"},
        "unknown-option": {"demand"},
        "wrong-profile": {"demand"},
        "unit-range": {"demand"},
        "unit-missing": {"demand"},
        "units-had": {"unit-range", "demand"},
        "units-on": {"unit-range", "demand"},
    }
    assert kind in report.kinds, [str(v) for v in report.violations]
    assert set(report.kinds) <= {kind} | follows.get(kind, set()), report.violations


@pytest.mark.parametrize(
    ("kind", "limit"), [("power-cap", {"power_cap_w": 92.0}), ("budget", {"budget_per_s": 1.42})]
)
def test_limits_of_the_whole_fleet_are_checked(
    instance: Instance, kind: str, limit: dict[str, float]
) -> None:
    plan = make(instance, ROUTES, UNITS)
    assert verify(instance.with_limits(**limit), plan).kinds == (kind,)
    roomy = {name: value + 0.5 for name, value in limit.items()}
    assert verify(instance.with_limits(**roomy), plan).ok


def test_routes_without_requests_are_not_held_to_limits(instance: Instance) -> None:
    idle: Route = ("vision", 0.0, [("cpu", "", -1), ("gpu", "int4", 0)])
    assert verify(instance, routes((7, idle))(instance)).ok


def test_under_throughput_the_demand_need_not_be_met() -> None:
    fast = from_frames(TABLES, SETTINGS | {"objective": "throughput"})
    half = [(job, rate / 2, rows) for job, rate, rows in ROUTES]
    report = verify(fast, make(fast, half, UNITS))
    assert report.ok
    assert report.objectives["throughput"] == 69 / 2
    assert verify(fast, make(fast, ROUTES[1:], UNITS)).objectives["throughput"] == 69 * 20 / 50


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_per_s": np.ones(3)},
        {"route_job": ["vision"] * 7},
        {"ptr": np.arange(8)},
        {"ptr": np.array([0, 2, 1, 5, 6, 7, 9, 10])},
        {"task": np.full(10, 0.5)},
        {"unit": np.zeros((5, 2), dtype=np.int64)},
        {"units_on": np.zeros(2, dtype=np.int64)},
        {"units_had": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_malformed_columns_are_violations_not_exceptions(
    instance: Instance, changes: dict[str, Any]
) -> None:
    plan = replace(make(instance, ROUTES, UNITS), **changes)
    assert verify(instance, plan).kinds == ("malformed-plan",)


def test_any_garbage_in_integer_columns_gives_a_report(instance: Instance) -> None:
    rng = np.random.default_rng(4)
    plan = make(instance, ROUTES, UNITS)
    wild = np.array([-(2**62), -2, -1, 0, 1, 2, 5, 99, 2**40])
    for _ in range(200):
        changes = {
            name: rng.choice(wild, len(getattr(plan, name)))
            for name in ("route_job", "task", "option", "unit", "units_on", "units_had")
            if rng.random() < 0.3
        }
        changes["rate_per_s"] = rng.choice([np.nan, np.inf, -1.0, 0.0, 1e300], 7)
        assert not verify(instance, replace(plan, **changes)).ok


def small(objective: str = "power", **tables: pd.DataFrame) -> Instance:
    settings: dict[str, Any] = {"objective": objective}
    if objective == "single":
        settings = {"objective": "power", "routing": "single"}
    return from_frames(tables, settings)


def test_rates_are_compared_as_printed_decimals() -> None:
    """0.1 + 0.2 busy seconds fill a capacity of 0.3 exactly."""
    instance = small(
        devices=frame("name max_utilization", ("cpu", 0.3)),
        options=frame("profile device time_s energy_j", ("a", "cpu", 0.1, 0.0)),
        tasks=frame("name job", ("a", "j")),
        jobs=frame("name rate_per_s", ("j", 3.0)),
    )
    assert verify(instance, make(instance, [("j", 3.0, [("cpu", "", -1)])], {"cpu": (1, 1)})).ok
    over = [("j", 3.00000002, [("cpu", "", -1)])]
    assert verify(instance, make(instance, over, {"cpu": (1, 1)})).kinds == ("capacity",)


def test_batches_share_time_and_energy_and_double_the_latency() -> None:
    def serve(slo: float, batch: int) -> tuple[str, ...]:
        instance = small(
            devices=frame("name", ("gpu",)),
            options=frame("profile device time_s energy_j batch", ("a", "gpu", 0.1, 8.0, batch)),
            tasks=frame("name job", ("a", "j")),
            jobs=frame("name rate_per_s latency_slo_s", ("j", 10.0 * batch, slo)),
        )
        plan = make(instance, [("j", 10.0 * batch, [("gpu", "", -1)])], {"gpu": (1, 1)})
        report = verify(instance, plan)
        assert report.objectives["power"] == 80.0
        return report.kinds

    assert serve(0.2, 4) == ()
    assert serve(0.19, 4) == ("latency",)
    assert serve(0.1, 1) == ()


def test_transfers_count_in_latency_and_where_they_do_not_overlap_in_load() -> None:
    def serve(slo: float, rate: float, overlap: bool) -> tuple[str, ...]:
        instance = small(
            devices=frame("name overlap", ("cpu", True), ("gpu", overlap)),
            links=frame("from to bandwidth_b_per_s latency_s", ("cpu", "gpu", 100.0, 0.05)),
            options=frame(
                "profile device time_s energy_j", ("a", "cpu", 0.1, 0.0), ("b", "gpu", 0.1, 0.0)
            ),
            tasks=frame("name job", ("a", "j"), ("b", "j")),
            transfers=frame("from to bytes", ("a", "b", 5.0)),
            jobs=frame("name rate_per_s latency_slo_s", ("j", rate, slo)),
        )
        rows = [("cpu", "", -1), ("gpu", "", -1)]
        return verify(
            instance, make(instance, [("j", rate, rows)], {"cpu": (1, 1), "gpu": (1, 1)})
        ).kinds

    assert serve(0.3, 5.0, False) == ()
    assert serve(0.29, 5.0, False) == ("latency",)
    assert serve(0.3, 6.0, True) == ()
    assert serve(0.3, 6.0, False) == ("capacity",)


def test_a_bus_is_shared_and_grows_with_units_where_it_says_so() -> None:
    def serve(per_unit: bool, channels: int) -> tuple[str, ...]:
        instance = small(
            devices=frame("name count_min count_max", ("cpu", 2, 2), ("gpu", 1, 1), ("npu", 1, 1)),
            links=frame(
                "from to bandwidth_b_per_s channels bus per_unit",
                ("cpu", "gpu", 100.0, channels, "pcie", per_unit),
                ("cpu", "npu", 50.0, channels, "pcie", per_unit),
            ),
            options=frame(
                "profile device time_s energy_j",
                ("a", "cpu", 0.01, 0.0),
                ("b", "gpu", 0.01, 0.0),
                ("c", "npu", 0.01, 0.0),
            ),
            tasks=frame("name job", ("a", "j"), ("b", "j"), ("c", "j")),
            transfers=frame("from to bytes", ("a", "b", 10.0), ("a", "c", 5.0)),
            jobs=frame("name rate_per_s", ("j", 8.0)),
        )
        rows = [("cpu", "", -1), ("gpu", "", -1), ("npu", "", -1)]
        fleet = {"cpu": (2, 2), "gpu": (1, 1), "npu": (1, 1)}
        return verify(instance, make(instance, [("j", 8.0, rows)], fleet)).kinds

    # 8 × (10 / 100 + 5 / 50) = 1.6 channels.
    assert serve(False, 1) == ("link",)
    assert serve(False, 2) == ()
    assert serve(True, 1) == ()


def test_two_models_that_do_not_fit_one_unit_need_their_own() -> None:
    """Loads of 1.5 and 0.5 units of two models cannot share two units that hold one each."""
    instance = small(
        devices=frame("name count_min count_max memory_b", ("gpu", 2, 2, 100.0)),
        options=frame(
            "profile device time_s energy_j weights_b",
            ("a", "gpu", 0.1, 0.0, 80.0),
            ("b", "gpu", 0.1, 0.0, 80.0),
        ),
        tasks=frame("name job", ("a", "x"), ("b", "y")),
        jobs=frame("name rate_per_s", ("x", 15.0), ("y", 5.0)),
    )
    plan = [
        ("x", 10.0, [("gpu", "", 0)]),
        ("x", 5.0, [("gpu", "", 1)]),
        ("y", 5.0, [("gpu", "", 1)]),
    ]
    assert verify(instance, make(instance, plan, {"gpu": (2, 2)})).kinds == ("memory",)
    plan[1] = ("x", 5.0, [("gpu", "", 0)])
    assert verify(instance, make(instance, plan, {"gpu": (2, 2)})).kinds == ("capacity",)


def test_messages_without_a_path_are_found() -> None:
    instance = small(
        devices=frame("name", ("cpu",), ("gpu",)),
        options=frame(
            "profile device time_s energy_j",
            ("a", "cpu", 0.1, 0.0),
            ("b", "gpu", 0.1, 0.0),
            ("b", "cpu", 0.1, 0.0),
        ),
        tasks=frame("name job", ("a", "j"), ("b", "j")),
        transfers=frame("from to bytes", ("a", "b", 1.0)),
        jobs=frame("name rate_per_s", ("j", 1.0)),
    )
    fleet = {"cpu": (1, 1), "gpu": (1, 1)}
    apart = [("j", 1.0, [("cpu", "", -1), ("gpu", "", -1)])]
    assert verify(instance, make(instance, apart, fleet)).kinds == ("no-path",)
    here = [("j", 1.0, [("cpu", "", -1), ("cpu", "", -1)])]
    assert verify(instance, make(instance, here, fleet)).ok


SINGLE = {
    "devices": frame("name count_min count_max", ("cpu", 2, 2)),
    "options": frame(
        "profile device time_s energy_j", ("a", "cpu", 0.1, 0.0), ("b", "cpu", 0.1, 0.0)
    ),
    "tasks": frame("name job pin", ("a", "x", "cpu#0"), ("b", "y", "")),
    "jobs": frame("name rate_per_s", ("x", 5.0), ("y", 5.0)),
}


@pytest.mark.parametrize(
    ("kinds", "plan"),
    [
        ((), [("x", 5.0, 0), ("y", 5.0, 0)]),
        (("unit-missing", "placements", "demand"), [("x", 5.0, 0), ("y", 5.0, -1)]),
        (("placements",), [("x", 5.0, 0), ("y", 2.5, 0), ("y", 2.5, 1)]),
        (("placements", "demand"), [("x", 5.0, 0)]),
        (("pinned-unit",), [("x", 5.0, 1), ("y", 5.0, 1)]),
        (("capacity",), [("x", 5.0, 0), ("y", 5.1, 0)]),
    ],
)
def test_single_routing_places_each_job_once_on_units(
    kinds: tuple[str, ...], plan: list[tuple[str, float, int]]
) -> None:
    instance = small("single", **SINGLE)
    rows: list[Route] = [(job, rate, [("cpu", "", unit)]) for job, rate, unit in plan]
    assert verify(instance, make(instance, rows, {"cpu": (2, 2)})).kinds == kinds


def test_large_plans_are_checked_in_floats() -> None:
    n = 3000
    instance = small(
        devices=frame("name count_min count_max", ("cpu", n, n)),
        options=frame("profile device time_s energy_j", ("a", "cpu", 0.1, 1.0)),
        tasks=frame("name profile job", *((f"t{i}", "a", f"j{i}") for i in range(n))),
        jobs=frame("name rate_per_s", *((f"j{i}", 1 + i / 1000) for i in range(n))),
    )
    rows: list[Route] = [(f"j{i}", 1 + i / 1000, [("cpu", "", -1)]) for i in range(n)]
    report = verify(instance, make(instance, rows, {"cpu": (n, n)}))
    assert report.ok
    assert report.mode == "float"
    assert verify(instance, make(instance, rows, {"cpu": (700, n)})).kinds == ("capacity",)


def test_staged_tensors_go_by_the_host_once_per_device() -> None:
    """Written once (10 B), read once for both consumers on the npu; latency 0.1 + 0.2 + 0.1."""
    instance = from_frames(
        {
            "devices": frame("name", ("cpu",), ("gpu",), ("npu",)),
            "links": frame(
                "from to bandwidth_b_per_s energy_j_per_b",
                ("gpu", "cpu", 100.0, 0.5),
                ("cpu", "npu", 100.0, 0.25),
            ),
            "options": frame(
                "profile device time_s energy_j",
                ("a", "gpu", 0.1, 0.0),
                ("b", "npu", 0.1, 0.0),
                ("c", "npu", 0.1, 0.0),
            ),
            "tasks": frame("name job", ("a", "j"), ("b", "j"), ("c", "j")),
            "transfers": frame(
                "from to bytes tensor staged",
                ("a", "b", 10.0, "x", True),
                ("a", "c", 10.0, "x", True),
            ),
            "jobs": frame("name rate_per_s latency_slo_s", ("j", 1.0, 0.4)),
        },
        {"objective": "power", "host": "cpu"},
    )
    fleet = {"cpu": (0, 1), "gpu": (1, 1), "npu": (1, 1)}
    rows = [("gpu", "", -1), ("npu", "", -1), ("npu", "", -1)]
    report = verify(instance, make(instance, [("j", 1.0, rows)], fleet))
    assert report.ok
    assert report.objectives["power"] == 10 * 0.5 + 10 * 0.25
    fast = replace(instance, jobs=replace(instance.jobs, latency_slo_s=np.array([0.39])))
    assert verify(fast, make(fast, [("j", 1.0, rows)], fleet)).kinds == ("latency",)


def test_of_a_trillion_exclusive_units_the_tolerance_of_limits_is_more_than_one() -> None:
    m = Model("two", objective="power")
    npu = m.device("npu", count={"min": 0, "max": -1}, idle_power="1 W", exclusive=True)
    for name in ("one", "other"):
        m.job(name, rate="1e14 /s").task(name, options=[npu.option(time="10 ms", power="3 W")])
    instance = m.build()
    rows = [(name, 1e14, [("npu", "", -1)]) for name in ("one", "other")]
    for lacking, found in ((0, ()), (500, ()), (5_000, ("capacity", "exclusive"))):
        units = 2_000_000_000_000 - lacking
        assert verify(instance, make(instance, rows, {"npu": (units, units)})).kinds == found


def test_a_job_that_hardly_asks_has_an_exclusive_unit_of_its_own_all_the_same() -> None:
    m = Model("two", objective="power")
    npu = m.device("npu", count={"min": 0, "max": 3}, idle_power="1 W", exclusive=True)
    for name, rate in (("much", "90 /s"), ("hardly", "1e-12 /s")):
        m.job(name, rate=rate).task(name, options=[npu.option(time="10 ms", power="3 W")])
    instance = m.build()
    solution = solve(instance, time_limit=20)
    assert isinstance(solution.plan, SteadyPlan)
    assert solution.plan.units_on.tolist() == [2]
    fewer = replace(solution.plan, units_on=np.array([1]), units_had=np.array([1]))
    assert "exclusive" in verify(instance, fewer).kinds
