"""Paths of messages: direct links, store-and-forward, cycles, pools, and ties."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance.paths import Network, message_tables


def instance(devices, links, sizes=(100.0,), pools=()):
    tasks = [{"name": f"t{i}", "profile": "p"} for i in range(len(sizes) + 1)]
    messages = [{"from": f"t{i}", "to": f"t{i + 1}", "bytes": size} for i, size in enumerate(sizes)]
    frames = {
        "devices": pd.DataFrame(devices),
        "links": pd.DataFrame(
            links, columns=["from", "to", "latency_s", "bandwidth_b_per_s", "energy_j_per_b"]
        ),
        "options": pd.DataFrame(
            [{"profile": "p", "device": d["name"], "time_s": 1.0, "energy_j": 1.0} for d in devices]
        ),
        "tasks": pd.DataFrame(tasks),
        "transfers": pd.DataFrame(messages),
    }
    if pools:
        frames["pools"] = pd.DataFrame(pools)
    return from_frames(frames, {})


def abc(**more):
    return [{"name": name, **more} for name in "abc"]


def test_a_direct_link_is_taken_even_where_a_detour_is_faster():
    net = Network(
        instance(abc(), [("a", "b", 9, 1, 0), ("a", "c", 0, 1000, 0), ("c", "b", 0, 1000, 0)])
    )
    assert net.path(0, 1, 100.0) == (0,)
    assert net.time_s(0, 1, 100.0) == 109.0


def test_of_several_direct_links_the_fastest_for_the_size_is_taken():
    net = Network(
        instance(
            abc(),
            [("a", "b", 0.0, 10, 1), ("a", "b", 5.0, 100, 2), ("b", "c", 0, 1, 0)],
            sizes=(10.0, 50.0, 60.0, 1000.0),
        )
    )
    # Equal at 5 + s/100 = s/10, s = 500/9 = 55.6 B.
    assert [net.path(0, 1, s) for s in (10.0, 50.0, 55.0, 56.0, 60.0, 1000.0)] == [
        *((0,), (0,), (0,)),
        *((1,), (1,), (1,)),
    ]
    assert net.energy_j(0, 1, 60.0) == 120.0


def test_links_of_equal_time_are_told_apart_by_energy_then_by_order():
    links = [("a", "b", 0.3, math.inf, 3), ("a", "b", 0.1, 500, 2), ("a", "b", 0.2, 1000, 2)]
    net = Network(instance(abc(), links))
    # 0.1 + 100 / 500 is exactly 0.3, and 0.2 + 100 / 1000 too; floats say 0.30000000000000004.
    assert net.path(0, 1, 100.0) == (1,)


def test_without_a_direct_link_the_message_is_stored_and_forwarded_on_the_fastest_path():
    links = [("a", "c", 1, 100, 0.5), ("c", "b", 2, 50, 0.25), ("b", "a", 0, 1, 0)]
    net = Network(instance(abc(), links))
    assert net.path(0, 1, 100.0) == (0, 1)
    assert net.time_s(0, 1, 100.0) == 1 + 1 + 2 + 2
    assert net.energy_j(0, 1, 100.0) == 75.0
    assert net.hop_times_s((0, 1), 100.0).tolist() == [2.0, 4.0]


def test_paths_of_equal_time_and_energy_are_told_apart_by_file_order():
    devices = [{"name": n} for n in "abcd"]
    links = [("c", "d", 1, 100, 1), ("a", "c", 1, 100, 1), ("a", "b", 1, 100, 1)]
    net = Network(instance(devices, [*links, ("b", "d", 1, 100, 1)]))
    assert net.path(0, 3, 100.0) == (1, 0)


def test_units_of_one_device_are_joined_by_a_self_link_else_by_the_fastest_cycle():
    links = [("a", "b", 1, 100, 0), ("b", "a", 1, 100, 0), ("a", "c", 1, 200, 0)]
    links += [("c", "a", 1, 200, 0), ("c", "c", 5, 1, 0)]
    net = Network(instance(abc(count_min=2, count_max=2), links))
    assert net.path(0, 0, 100.0) == (2, 3)
    assert net.time_s(0, 0, 100.0) == 3.0
    assert net.path(2, 2, 100.0) == (4,)
    # The way from b round c comes back over a.
    assert net.path(1, 1, 100.0) == (1, 0)


def test_a_pair_without_a_path_is_forbidden():
    net = Network(instance(abc(), [("a", "b", 1, 100, 0)]))
    assert net.path(1, 0, 100.0) is None
    assert net.path(0, 0, 100.0) is None
    assert net.time_s(1, 0, 100.0) == math.inf
    assert net.energy_j(1, 0, 100.0) == math.inf
    ptr, link = net.paths(np.array([0, 1]), np.array([1, 0]), np.array([100.0, 100.0]))
    assert (ptr.tolist(), link.tolist()) == ([0, 1, 2], [0, -1])


def test_inside_a_zero_copy_pool_nothing_is_taken_and_other_pools_do_not_count():
    devices = [
        {"name": "a", "memory_pool": "dram"},
        {"name": "b", "memory_pool": "dram"},
        {"name": "c", "memory_pool": "plain"},
        {"name": "d", "memory_pool": "plain"},
    ]
    pools = [{"name": "dram", "zero_copy": True}, {"name": "plain", "zero_copy": False}]
    net = Network(instance(devices, [("a", "b", 1, 1, 1)], pools=pools))
    assert net.zero_copy(0, 1)
    assert net.zero_copy(0, 0)
    assert net.path(0, 1, 100.0) == ()
    assert net.time_s(1, 0, 100.0) == 0.0
    assert not net.zero_copy(2, 3)
    assert net.path(2, 3, 100.0) is None


def test_tables_hold_where_one_path_serves_all_sizes_and_say_where_not():
    links = [("a", "b", 0.0, 10, 1), ("a", "b", 5.0, 100, 2), ("b", "c", 1, 50, 0.5)]
    tables = message_tables(instance(abc(), links, sizes=(10.0, 1000.0)))
    assert not tables.uniform[0, 1]
    assert math.isnan(tables.latency_s[0, 1])
    assert tables.uniform[1, 2]
    assert tables.latency_s[1, 2] == 1.0
    assert tables.s_per_b[1, 2] == 0.02
    assert tables.energy_j_per_b[1, 2] == 0.5
    assert not tables.allowed[2, 0]
    # All sizes are beyond the break-even point here, so one path serves them all.
    assert message_tables(instance(abc(), links, sizes=(60.0, 1000.0))).uniform[0, 1]


def by_enumeration(links, src, dst, size):
    """Best path among all simple ones, from the definition."""

    def cost(path):
        time = sum(Fraction(links[k][2]) + Fraction(size) / Fraction(links[k][3]) for k in path)
        return time, sum(Fraction(size) * Fraction(links[k][4]) for k in path), path

    direct = [(k,) for k, link in enumerate(links) if link[:2] == (src, dst)]
    found = list(direct)
    if not direct:
        stack = [((), src, frozenset())]
        while stack:
            path, at, seen = stack.pop()
            for k, link in enumerate(links):
                if link[0] != at or link[1] in seen or link[0] == link[1]:
                    continue
                if link[1] == dst:
                    found.append((*path, k))
                elif link[1] != src:
                    stack.append(((*path, k), link[1], seen | {link[1]}))
    return min(map(cost, found))[2] if found else None


@pytest.mark.parametrize("seed", range(30))
def test_paths_are_the_best_of_all_simple_paths(seed):
    rng = random.Random(seed)
    names = "abcd"
    pairs = list(itertools.product(names, repeat=2))
    sizes = sorted(float(s) for s in rng.sample(range(1, 60), 8))
    # Few distinct figures, so that ties are frequent.
    links = [
        (*rng.choice(pairs), rng.choice([0, 1, 2]), rng.choice([1, 2, 4, 8]), rng.choice([0, 1]))
        for _ in range(rng.randint(3, 9))
    ]
    net = Network(instance([{"name": n} for n in names], links, sizes=sizes))
    asked = [(s, d, b) for s, d in pairs for b in [*sizes, 0.0, 0.5, 17.25, 100.0]]
    expected = [by_enumeration(links, *question) for question in asked]
    index = [(names.index(s), names.index(d), b) for s, d, b in asked]
    assert [net.path(*question) for question in index] == expected
    ptr, link = net.paths(*(np.array(column) for column in zip(*index, strict=True)))
    pieces = [tuple(p.tolist()) for p in np.split(link, ptr[1:-1])]
    assert pieces == [(-1,) if path is None else path for path in expected]
