"""Routes: what they take, and which are left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.steady.routes.routes import Routes, enumerate_routes, pareto


def instance_of(devices: list[str], options: Any, tasks: list[str], **more: Any) -> Instance:
    """One job; options are (task, device, time, energy, further fields)."""
    frames = {
        "devices": [{"name": d} | more.get("device", {}) for d in devices],
        "options": [
            {"profile": t, "device": d, "label": f"o{i}", "time_s": time, "energy_j": energy} | rest
            for i, (t, d, time, energy, rest) in enumerate(options)
        ],
        "tasks": [{"name": t, "job": "job"} for t in tasks],
        "jobs": [{"name": "job", "rate_per_s": 1.0} | more.get("job", {})],
        "transfers": more.get("transfers", []),
        "links": more.get("links", []),
        "pools": more.get("pools", []),
    }
    settings = {"regime": "steady", "objective": "power"} | more.get("settings", {})
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items() if v}, settings)


def labels(instance: Instance, found: Routes) -> list[list[str]]:
    return [[str(instance.options.label[o]) for o in r.options] for r in found.routes]


def test_an_option_that_is_no_better_in_anything_is_left_out() -> None:
    options = [("a", "cpu", 1.0, 1.0, {}), ("a", "cpu", 1.0, 2.0, {}), ("a", "cpu", 2.0, 0.5, {})]
    instance = instance_of(["cpu"], options, ["a"])
    assert labels(instance, enumerate_routes(instance)) == [["o0"], ["o2"]]


def test_of_equal_options_the_quicker_then_the_first_stays() -> None:
    options = [
        ("a", "cpu", 1.0, 1.0, {"latency_s": 3.0}),
        ("a", "cpu", 1.0, 1.0, {"latency_s": 2.0}),
        ("a", "cpu", 1.0, 1.0, {"latency_s": 2.0}),
    ]
    instance = instance_of(["cpu"], options, ["a"])
    assert labels(instance, enumerate_routes(instance)) == [["o1"]]


def test_options_on_other_devices_are_never_dominated() -> None:
    options = [("a", "cpu", 1.0, 1.0, {}), ("a", "npu", 9.0, 9.0, {})]
    instance = instance_of(["cpu", "npu"], options, ["a"])
    assert len(enumerate_routes(instance).routes) == 2


def test_busy_time_is_per_request_of_a_batch() -> None:
    options = [("a", "cpu", 1.0, 4.0, {"batch": 8})]
    route = enumerate_routes(instance_of(["cpu"], options, ["a"])).routes[0]
    assert route.busy_s == {0: 0.125}
    assert route.energy_j == 0.5
    assert route.latency_s == 2.0


def test_weights_count_only_where_memory_is_limited() -> None:
    options = [
        ("a", "cpu", 1.0, 1.0, {"weights_b": 5.0, "model": "m"}),
        ("a", "cpu", 1.5, 1.5, {"weights_b": 1.0, "model": "n"}),
    ]
    assert len(enumerate_routes(instance_of(["cpu"], options, ["a"])).routes) == 1
    limited = instance_of(["cpu"], options, ["a"], device={"memory_b": 10.0})
    assert len(enumerate_routes(limited).routes) == 2


def test_a_shared_tensor_travels_once_per_destination() -> None:
    options = [(t, d, 1.0, 1.0, {}) for t, d in (("a", "cpu"), ("b", "npu"), ("c", "npu"))]
    transfers = [{"from": "a", "to": t, "bytes": 100.0, "tensor": "x"} for t in "bc"]
    links = [{"from": "cpu", "to": "npu", "bandwidth_b_per_s": 100.0, "energy_j_per_b": 0.01}]
    shared = instance_of(["cpu", "npu"], options, ["a", "b", "c"], transfers=transfers, links=links)
    route = enumerate_routes(shared).routes[0]
    assert route.link_b == {0: 100.0}
    assert route.energy_j == pytest.approx(3 + 1)
    assert route.latency_s == 3.0
    own = [{k: v for k, v in t.items() if k != "tensor"} for t in transfers]
    apart = instance_of(["cpu", "npu"], options, ["a", "b", "c"], transfers=own, links=links)
    assert enumerate_routes(apart).routes[0].link_b == {0: 200.0}


def test_a_staged_tensor_goes_by_way_of_the_host() -> None:
    options = [(t, d, 1.0, 0.0, {}) for t, d in (("a", "npu"), ("b", "gpu"), ("c", "gpu"))]
    transfers = [{"from": "a", "to": t, "bytes": 10.0, "tensor": "x", "staged": True} for t in "bc"]
    links = [
        {"from": "npu", "to": "cpu", "bandwidth_b_per_s": 10.0},
        {"from": "cpu", "to": "gpu", "bandwidth_b_per_s": 5.0},
    ]
    instance = instance_of(
        ["cpu", "npu", "gpu"],
        options,
        ["a", "b", "c"],
        transfers=transfers,
        links=links,
        settings={"host": "cpu"},
    )
    route = enumerate_routes(instance).routes[0]
    assert route.link_b == {0: 10.0, 1: 10.0}
    assert route.latency_s == 1 + 1 + 2 + 1


def test_a_pair_of_devices_without_a_path_makes_no_route() -> None:
    options = [("a", "cpu", 1.0, 1.0, {}), ("b", "npu", 1.0, 1.0, {})]
    transfers = [{"from": "a", "to": "b", "bytes": 1.0}]
    found = enumerate_routes(instance_of(["cpu", "npu"], options, ["a", "b"], transfers=transfers))
    assert not found.routes
    assert "no route" in found.reasons[0]


def test_a_zero_copy_pool_needs_no_link() -> None:
    options = [("a", "cpu", 1.0, 1.0, {}), ("b", "npu", 1.0, 1.0, {})]
    transfers = [{"from": "a", "to": "b", "bytes": 1.0}]
    instance = instance_of(
        ["cpu", "npu"],
        options,
        ["a", "b"],
        transfers=transfers,
        device={"memory_pool": "dram"},
        pools=[{"name": "dram", "zero_copy": True}],
    )
    route = enumerate_routes(instance).routes[0]
    assert (route.link_b, route.latency_s) == ({}, 2.0)


def test_a_long_chain_of_options_that_dominate_stays_small() -> None:
    names = [f"t{i}" for i in range(20)]
    options = [(t, "cpu", 1.0 + k, 1.0 + k, {}) for t in names for k in range(4)]
    transfers = [{"from": a, "to": b} for a, b in pairwise(names)]
    found = enumerate_routes(instance_of(["cpu"], options, names, transfers=transfers))
    assert len(found.routes) == 1


def test_too_many_routes_are_an_input_error() -> None:
    names = [f"t{i}" for i in range(8)]
    options = [(t, d, 1.0 + 2.0**-i, 1.0, {}) for i, t in enumerate(names) for d in ("cpu", "npu")]
    with pytest.raises(InputError, match="more than can be listed"):
        enumerate_routes(instance_of(["cpu", "npu"], options, names), limit=100)


def test_a_unit_pin_needs_a_memory_limit() -> None:
    free = instance_of(["cpu"], [("a", "cpu", 1.0, 1.0, {})], ["a"])
    zero = np.zeros(1, dtype=np.int64)
    pinned = replace(free, tasks=replace(free.tasks, pin_device=zero, pin_unit=zero))
    with pytest.raises(InputError, match="memory limit"):
        enumerate_routes(pinned)


def test_pareto_keeps_what_nothing_beats() -> None:
    table = np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0], [0.5, 3.0]])
    assert pareto(table, [0.0] * 5) == [0, 1, 4]
