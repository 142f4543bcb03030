"""Frames become columns: defaults, units, references, and every problem at once."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.column_specs import SETTINGS, TABLES

DEVICES = {"name": ["cpu", "npu"], "kind": ["cpu", "npu"], "idle_power_w": [2.0, 0.5]}
OPTIONS = {
    "profile": ["p", "p"],
    "device": ["cpu", "npu"],
    "time_s": [2.0, 0.5],
    "energy_j": [4.0, 1.0],
}
TASKS = {"name": ["a", "b"], "profile": ["p", "p"]}
RATES = {"name": ["j"], "rate_per_s": [5.0]}


def build(settings: dict[str, Any] | None = None, **tables: Any) -> Instance:
    frames = {"devices": DEVICES, "options": OPTIONS, "tasks": TASKS} | tables
    return from_frames({name: pd.DataFrame(table) for name, table in frames.items()}, settings)


def problems(settings: dict[str, Any] | None = None, **tables: Any) -> list[tuple[str, int, str]]:
    with pytest.raises(InputError) as caught:
        build(settings, **tables)
    return [(p.table, p.row, p.column) for p in caught.value.problems]


def test_defaults_are_those_of_the_design() -> None:
    instance = build()
    devices = instance.devices
    assert devices.slots.tolist() == [1, 1]
    assert devices.count_min.tolist() == devices.count_max.tolist() == [1, 1]
    assert devices.max_utilization.tolist() == [1, 1]
    assert devices.reserved.tolist() == [0, 0]
    assert np.isinf(devices.memory_b).all()
    assert devices.off_when_unused.all()
    assert devices.overlap.all()
    assert instance.limits.pue == 1
    assert instance.regime == "schedule"
    assert instance.objective == ("energy",)
    assert instance.jobs.name.tolist() == ["job"]


def test_power_is_the_whole_draw_and_energy_is_above_idle() -> None:
    instance = build(options={**OPTIONS, "energy_j": [4.0, None], "power_w": [None, 8.5]})
    assert instance.options.energy_j.tolist() == [4.0, (8.5 - 0.5) * 0.5]


def test_power_below_idle_is_refused() -> None:
    options = {**OPTIONS, "energy_j": [None, None], "power_w": [2.0, 0.4]}
    assert problems(options=options) == [("options", 1, "power_w")]


def test_power_is_the_whole_energy_where_no_idle_power_is_known() -> None:
    devices = {**DEVICES, "idle_power_w": [0.0, 0.0], "idle_known": [False, False]}
    options = {**OPTIONS, "energy_j": [None, None], "power_w": [3.0, 4.0]}
    assert build(devices=devices, options=options).options.energy_j.tolist() == [6.0, 2.0]


def test_a_purchase_price_is_spread_over_the_lifetime() -> None:
    devices = {**DEVICES, "price": ["3600 USD", "1.01 USD/h"], "lifetime": ["1 h", None]}
    instance = build(devices=devices)
    assert instance.devices.price_per_s.tolist() == [1.0, pytest.approx(1.01 / 3600)]
    assert instance.currency == "USD"


def test_prices_in_two_currencies_are_refused() -> None:
    devices = {**DEVICES, "price": ["1 EUR/h", "1 USD/h"]}
    assert problems(devices=devices) == [("settings", -1, "currency")]
    assert problems({"currency": "EUR"}, devices={**DEVICES, "price": "1 USD/h"}) == [
        ("settings", -1, "currency")
    ]


def test_a_count_sets_both_ends_and_no_maximum_is_for_streams() -> None:
    assert build(devices={**DEVICES, "count": [3, None]}).devices.count_max.tolist() == [3, 1]
    free = {**DEVICES, "count_min": [0, 1], "count_max": [-1, 2]}
    assert problems(devices=free) == [("devices", 0, "count_max")]
    jobs = {"name": ["j"], "rate_per_s": [5.0]}
    assert build(devices=free, jobs=jobs).devices.count_max.tolist() == [NO_MAXIMUM, 2]


def test_cell_problems_and_reference_problems_come_together() -> None:
    found = problems(
        {"horizon": "4 W", "host": "gpu"},
        devices={**DEVICES, "slots": [0, 1]},
        options={**OPTIONS, "time_s": ["soon", 0.5], "device": ["cpu", "gpu"]},
        tasks={**TASKS, "pin": ["npu#7", ""], "colour": "red"},
        links={"from": ["cpu"], "to": ["tpu"]},
    )
    assert found == [
        ("settings", -1, "horizon_s"),
        ("devices", 0, "slots"),
        ("options", 0, "time_s"),
        ("tasks", -1, "colour"),
        ("links", 0, "to"),
        ("options", 1, "device"),
        ("tasks", 0, "pin"),
        ("settings", -1, "host"),
    ]


def test_a_wrong_name_is_not_reported_again_where_it_is_used() -> None:
    assert problems(devices={**DEVICES, "name": ["cpu", None]}) == [("devices", 1, "name")]


def test_a_missing_table_is_reported_once() -> None:
    frames = {"devices": pd.DataFrame(DEVICES), "tasks": pd.DataFrame(TASKS)}
    with pytest.raises(InputError) as caught:
        from_frames(frames)
    assert [p.table for p in caught.value.problems] == ["options"]


def test_many_rows_with_one_problem_are_counted() -> None:
    tasks = {"name": [f"t{i}" for i in range(500)], "profile": "q"}
    with pytest.raises(InputError) as caught:
        build(tasks=tasks)
    assert len(caught.value.problems) == 21
    assert "480 more" in str(caught.value)


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, c.name) for t, columns in TABLES.items() for c in columns if c.regime == "steady"],
)
def test_fields_of_streams_are_refused_in_schedules(table: str, column: str) -> None:
    flags = ("exclusive", "per_unit", "backward", "contiguous")
    value = True if column in flags else 0.5
    base: dict[str, Any] = {
        "devices": DEVICES,
        "links": {"from": ["cpu"], "to": ["npu"]},
        "tasks": TASKS,
        "jobs": {"name": ["j"]},
    }[table]
    found = problems({"regime": "schedule"}, **{table: {**base, column: value}})
    assert (table, 0, column) in found


@pytest.mark.parametrize("name", [c.name for c in SETTINGS if c.regime == "steady"])
def test_settings_of_streams_are_refused_in_schedules(name: str) -> None:
    value = "single" if name == "routing" else 2.0
    assert problems({"regime": "schedule", name: value}) == [("settings", -1, name)]


@pytest.mark.parametrize("column", ["release_s", "deadline_s", "due_s", "period_s"])
def test_times_of_schedules_are_refused_for_streams(column: str) -> None:
    assert ("jobs", 0, column) in problems(jobs={**RATES, column: 1.0})


def test_shares_need_to_sum_to_one() -> None:
    tasks = {**TASKS, "job": ["i", "j"]}
    jobs = {"name": ["i", "j"], "share": [0.5, 0.4]}
    assert problems(jobs=jobs, tasks=tasks) == [("jobs", -1, "share")]
    shares = build({"demand": "10 req/s"}, jobs={**jobs, "share": [0.5, 0.5]}, tasks=tasks)
    assert shares.jobs.rate_per_s.tolist() == [5.0, 5.0]
    assert not build(jobs={**jobs, "share": [0.5, 0.5]}, tasks=tasks).limits.demand_known


def test_a_job_without_tasks_is_refused() -> None:
    jobs = {"name": ["i", "j"]}
    assert problems(jobs=jobs, tasks={**TASKS, "job": "i"}) == [("jobs", 1, "name")]


def test_a_cycle_is_named() -> None:
    with pytest.raises(InputError, match=r"(a -> b -> a|b -> a -> b)"):
        build(transfers={"from": ["a", "b"], "to": ["b", "a"]})


def test_edges_of_one_tensor_share_producer_and_size() -> None:
    tasks = {"name": ["a", "b", "c"], "profile": "p"}
    edges = {"from": ["a", "a"], "to": ["b", "c"], "tensor": "x"}
    instance = build(tasks=tasks, transfers={**edges, "bytes": [None, 8.0]})
    assert instance.tensors.bytes_b.tolist() == [8.0]
    assert instance.edges.tensor.tolist() == [0, 0]
    assert problems(tasks=tasks, transfers={**edges, "bytes": [7.0, 8.0]}) == [
        ("transfers", 1, "bytes")
    ]
    assert ("transfers", 0, "bytes") in problems(tasks=tasks, transfers=edges)
    moved = {"from": ["a", "b"], "to": ["b", "c"], "tensor": "x", "bytes": 8.0}
    assert problems(tasks=tasks, transfers=moved) == [("transfers", 1, "from")]


def test_weights_of_one_model_and_variant_have_one_size() -> None:
    options = {**OPTIONS, "model": "net", "variant": "fp16", "weights_b": [10.0, 11.0]}
    assert problems(options=options) == [("options", 1, "weights_b")]
    apart = build(options={**options, "variant": ["fp16", "int8"]})
    assert apart.model_keys == (("net", "fp16"), ("net", "int8"))


def test_both_ways_and_buses_are_expanded() -> None:
    links = {"from": ["cpu", "cpu"], "to": ["npu", "cpu"], "both_ways": True, "bus": "b"}
    made = build(links={**links, "channels": 2}).links
    assert made.src.tolist() == [0, 1, 0]
    assert made.dst.tolist() == [1, 0, 0]
    assert made.channel_group.tolist() == [0, 0, 0]
    assert made.group_channels.tolist() == [2]
    assert problems(links={**links, "channels": [2, 3]}) == [("links", 1, "channels")]


def test_a_periodic_job_is_repeated_over_the_horizon() -> None:
    jobs = {"name": ["j"], "period": ["10 ms"], "deadline": ["8 ms"]}
    instance = build(
        {"horizon": "30 ms", "apart": [["a", "b"]]},
        jobs=jobs,
        transfers={"from": ["a"], "to": ["b"], "tensor": "x", "bytes": 1.0},
    )
    assert instance.jobs.deadline_s.tolist() == [0.008, 0.018, 0.028]
    names = instance.tasks.name.tolist()
    assert names == ["a@0", "a@1", "a@2", "b@0", "b@1", "b@2"]
    assert instance.jobs.name[instance.tasks.job].tolist() == ["j@0", "j@1", "j@2"] * 2
    assert instance.tensors.name.tolist() == ["x@0", "x@1", "x@2"]
    apart = [[names[t] for t in group] for group in instance.apart]
    assert apart == [["a@0", "b@0"], ["a@1", "b@1"], ["a@2", "b@2"]]


def test_problems_of_periodic_jobs_name_the_rows_as_written() -> None:
    jobs = {"name": ["j"], "period": ["10 ms"]}
    tasks = {**TASKS, "profile": ["p", "q"]}
    assert problems({"horizon": "30 ms"}, jobs=jobs, tasks=tasks) == [("tasks", 1, "profile")]


def test_a_unit_of_a_split_stream_can_only_be_pinned_where_memory_is_limited() -> None:
    tasks = {**TASKS, "pin": ["cpu#0", ""]}
    assert problems(jobs=RATES, tasks=tasks) == [("tasks", 0, "pin")]
    limited = {**DEVICES, "memory": "1 GiB"}
    assert build(jobs=RATES, tasks=tasks, devices=limited).tasks.pin_unit.tolist() == [0, -1]


def test_a_hundred_thousand_tasks_become_columns_quickly() -> None:
    n, d, p = 100_000, 64, 1000
    rng = np.random.default_rng(1)
    names = np.char.add("task", np.arange(n).astype(str))
    devices = np.char.add("d", np.arange(d).astype(str))
    profiles = np.char.add("p", np.arange(p).astype(str))
    src = rng.integers(0, n - 1, 2 * n)
    tables = {
        "devices": {"name": devices, "kind": "npu"},
        "options": {
            "profile": np.repeat(profiles, d),
            "device": np.tile(devices, p),
            "time_s": rng.uniform(1, 2, p * d),
            "energy_j": rng.uniform(1, 2, p * d),
        },
        "tasks": {"name": names, "profile": profiles[rng.integers(0, p, n)]},
        "transfers": {"from": names[src], "to": names[src + 1], "bytes": 1e6},
    }
    frames = {name: pd.DataFrame(table) for name, table in tables.items()}
    started = time.perf_counter()
    instance = from_frames(frames)
    assert time.perf_counter() - started < 3  # half a second where nothing else runs
    assert len(instance.tasks) == n
    assert instance.edges.src.tolist()[:100] == src.tolist()[:100]


def test_streams_with_transfers_but_without_any_task_lack_tasks() -> None:
    faults = problems(
        {"regime": "steady", "objective": "power"},
        tasks={"name": [], "profile": []},
        transfers={"from": ["a", "b"], "to": ["b", "a"]},
    )
    assert ("tasks", -1, "") in faults, faults
