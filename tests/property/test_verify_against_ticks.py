"""The checker of schedules against a tick-by-tick simulation of random small plans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solution import DIRECT, READ, WRITE, Hops, SchedulePlan
from hetopt.verify import verify

LAST = 60
"""No random plan lasts longer (ticks of 1 s)."""

Place = tuple[int, int]
Move = tuple[int, int, int, int]
"""Tensor, leg, destination device and unit."""


def random_instance(rng: np.random.Generator) -> Instance:
    """Three devices, direct links between all pairs, five tasks, tight resources."""
    names = ["cpu", "gpu", "npu"]
    tasks = [f"t{i}" for i in range(5)]
    tables = {
        "devices": pd.DataFrame(
            {
                "name": names,
                "count_min": [2, 1, 2],
                "count_max": [2, 1, 2],
                "slots": rng.integers(1, 3, 3),
                "memory_b": rng.choice([np.inf, 4.0, 8.0], 3),
                "memory_pool": rng.choice(["", "soc"], 3),
                "idle_power_w": rng.integers(0, 3, 3).astype(float),
                "off_when_unused": rng.random(3) < 0.5,
                "overlap": rng.random(3) < 0.7,
            }
        ),
        "pools": pd.DataFrame(
            {
                "name": ["soc"],
                "memory_b": [rng.choice([np.inf, 10.0])],
                "zero_copy": [rng.random() < 0.5],
            }
        ),
        "links": pd.DataFrame(
            [
                (a, b, float(rng.integers(1, 3)), int(rng.integers(0, 3)))
                for a in names
                for b in names
            ],
            columns=["from", "to", "latency_s", "channels"],
        ),
        "options": pd.DataFrame(
            [
                (
                    task,
                    device,
                    float(rng.integers(0, 4)),
                    0.0,
                    float(rng.integers(0, 3)),
                    float(m),
                    f"m{m}" if m else "",
                )
                for task in tasks
                for device in names
                for m in [int(rng.integers(0, 3))]
            ],
            columns=["profile", "device", "time_s", "power_w", "memory_b", "weights_b", "model"],
        ),
        "tasks": pd.DataFrame({"name": tasks}),
        "transfers": pd.DataFrame(
            [
                (
                    tasks[i],
                    tasks[j],
                    [np.nan, float(rng.integers(1, 4))][int(shared < 2)],
                    f"x{i}" if shared == 0 else "",
                    bool(shared == 0 and rng.random() < 0.5),
                )
                for i in range(5)
                for j in range(i + 1, 5)
                if rng.random() < 0.5
                for shared in [int(rng.integers(0, 3))]
            ],
            columns=["from", "to", "bytes", "tensor", "staged"],
        ),
    }
    options = tables["options"]
    idle = dict(zip(names, tables["devices"]["idle_power_w"], strict=True))
    options["power_w"] = [idle[d] + int(rng.integers(0, 4)) for d in options["device"]]
    edges = tables["transfers"]
    for tensor, rows in edges[edges["tensor"] != ""].groupby("tensor"):
        edges.loc[edges["tensor"] == tensor, ["bytes", "staged"]] = (
            rows[["bytes", "staged"]].iloc[0].tolist()
        )
    return from_frames(
        tables,
        {
            "objective": "energy",
            "host": "cpu",
            "power_cap_w": float(rng.integers(6, 14)),
            "horizon_s": float(rng.integers(20, LAST)),
        },
    )


class Simulation:
    """What a plan does, tick by tick, straight from the rules and without the checker's code."""

    def __init__(self, instance: Instance, rng: np.random.Generator) -> None:
        self.instance = instance
        self.option = [int(rng.choice(instance.task_options(t))) for t in range(5)]
        self.place: list[Place] = [
            (
                int(instance.options.device[o]),
                int(rng.integers(0, instance.devices.count_max[instance.options.device[o]])),
            )
            for o in self.option
        ]
        self.length = [int(instance.options.time_s[o]) for o in self.option]
        loose = rng.random() < 0.7
        self.start = [0] * 5
        self.hop: dict[Move, int] = {}
        needs = self.needs()
        for t in range(5):
            earliest = 0
            for e in np.flatnonzero(instance.edges.dst == t).tolist():
                src = int(instance.edges.src[e])
                earliest = max(earliest, self.start[src] + self.length[src])
                for move in needs.get(e, []):
                    ready = self.start[src] + self.length[src]
                    if move[1] == READ and needs[e][0][1] == WRITE:
                        ready = self.ends(needs[e][0])
                    if move not in self.hop:
                        self.hop[move] = max(0, ready + int(rng.integers(0 if loose else -1, 3)))
                    earliest = max(earliest, self.ends(move))
            wait = int(rng.integers(0, 5 if loose else 3))
            self.start[t] = max(0, earliest + wait - (0 if loose else 1))

    def needs(self) -> dict[int, list[Move]]:
        """The transfers that each edge waits for, in order."""
        found: dict[int, list[Move]] = {}
        edges, tensors = self.instance.edges, self.instance.tensors
        for e in range(len(edges)):
            n = int(edges.tensor[e])
            src, dst = self.place[edges.src[e]], self.place[edges.dst[e]]
            if n < 0 or self.local(e):
                continue
            if not tensors.staged[n]:
                found[e] = [(n, DIRECT, *dst)]
                continue
            host = self.instance.host
            moves: list[Move] = []
            if src[0] != host and not self.shared(src[0], host):
                moves.append((n, WRITE, host, -1))
            if dst[0] != host and not self.shared(dst[0], host):
                moves.append((n, READ, *dst))
            if moves:
                found[e] = moves
        return found

    def shared(self, a: int, b: int) -> bool:
        pool = self.instance.devices.pool
        return bool(pool[a] >= 0 and pool[a] == pool[b] and self.instance.pools.zero_copy[0])

    def local(self, edge: int) -> bool:
        src = self.place[self.instance.edges.src[edge]]
        dst = self.place[self.instance.edges.dst[edge]]
        return src == dst or self.shared(src[0], dst[0])

    def link(self, move: Move) -> int:
        producer = self.place[self.instance.tensors.producer[move[0]]][0]
        src = self.instance.host if move[1] == READ else producer
        return src * 3 + move[2]

    def ends(self, move: Move) -> int:
        return self.hop[move] + int(self.instance.links.latency_s[self.link(move)])

    def plan(self) -> SchedulePlan:
        rows = [(*move, 0, self.link(move)) for move in self.hop]
        columns = [np.array([row[i] for row in rows], dtype=np.int64) for i in range(6)]
        return SchedulePlan(
            np.array(self.option),
            np.array([unit for _, unit in self.place]),
            np.array(self.start, dtype=float),
            Hops(*columns, np.array(list(self.hop.values()), dtype=float)),
        )

    def kinds(self) -> set[str]:
        """The kinds of violations."""
        found = set()
        instance, end = self.instance, [s + n for s, n in zip(self.start, self.length, strict=True)]
        needs = self.needs()
        if max([*end, *(self.ends(m) for m in self.hop)]) > instance.limits.horizon_s:
            found.add("horizon")
        for e in range(len(instance.edges)):
            src, dst = int(instance.edges.src[e]), int(instance.edges.dst[e])
            if self.start[dst] < end[src]:
                found.add("precedence")
            elif e in needs and self.start[dst] < self.ends(needs[e][-1]):
                found.add("arrival")
            for i, move in enumerate(needs.get(e, [])):
                if self.hop[move] < (end[src] if i == 0 else self.ends(needs[e][0])):
                    found.add("transfer-start")
        for tick in range(2 * LAST):
            found |= self.at(tick, end, needs)
        return found

    def at(self, tick: int, end: list[int], needs: dict[int, list[Move]]) -> set[str]:
        instance, devices = self.instance, self.instance.devices
        found = set()
        slots: dict[Place, int] = {}
        memory: dict[Place, float] = dict.fromkeys(self.place, 0.0)
        channels: dict[int, int] = {}
        power = 0.0
        for t in range(5):
            if self.start[t] <= tick < end[t]:
                slots[self.place[t]] = slots.get(self.place[t], 0) + 1
                memory[self.place[t]] += instance.options.memory_b[self.option[t]]
                power += instance.options.energy_j[self.option[t]] / self.length[t]
        for move, begin in self.hop.items():
            if begin <= tick < self.ends(move):
                producer = self.place[instance.tensors.producer[move[0]]]
                channels[self.link(move)] = channels.get(self.link(move), 0) + 1
                if move[1] != READ and not devices.overlap[producer[0]]:
                    slots[producer] = slots.get(producer, 0) + 1
                if move[1] != WRITE and not devices.overlap[move[2]]:
                    slots[move[2:]] = slots.get(move[2:], 0) + 1
        for n in range(len(instance.tensors)):
            producer = int(instance.tensors.producer[n])
            readers = np.flatnonzero(instance.edges.tensor == n).tolist()
            until = end[producer]
            home = self.place[producer][0]
            at_host = home == instance.host or self.shared(home, instance.host)
            for e in readers:
                if self.local(e):
                    until = max(until, end[instance.edges.dst[e]])
                for move in needs.get(e, []):
                    if move[1] != READ or at_host:
                        until = max(until, self.ends(move))
            if self.start[producer] <= tick < until:
                memory[self.place[producer]] += instance.tensors.bytes_b[n]
            for move, begin in self.hop.items():
                if move[0] == n and move[1] != WRITE:
                    gone = [end[instance.edges.dst[e]] for e in readers if move in needs.get(e, [])]
                    if begin <= tick < max([*gone, self.ends(move)]):
                        memory[move[2:]] += instance.tensors.bytes_b[n]
        for place in memory:
            keys = {
                int(instance.options.weights_key[o]): float(instance.options.weights_b[o])
                for o, p in zip(self.option, self.place, strict=True)
                if p == place
            }
            memory[place] += sum(size for key, size in keys.items() if key >= 0)
            if memory[place] > devices.memory_b[place[0]]:
                found.add("memory")
        pooled = sum(use for place, use in memory.items() if devices.pool[place[0]] >= 0)
        if pooled > instance.pools.memory_b[0]:
            found.add("pool-memory")
        if any(n > devices.slots[place[0]] for place, n in slots.items()):
            found.add("slots")
        for link, n in channels.items():
            group = instance.links.channel_group[link]
            if group >= 0 and n > instance.links.group_channels[group]:
                found.add("channels")
        for d in range(3):
            used = len({place for place in self.place if place[0] == d})
            on = used if devices.off_when_unused[d] else int(devices.count_max[d])
            power += on * devices.idle_power_w[d]
        if power > instance.limits.power_cap_w + 1e-9:
            found.add("power-cap")
        return found


@pytest.mark.parametrize("block", range(4))
def test_the_checker_agrees_with_a_simulation_tick_by_tick(block: int) -> None:
    seen: dict[Any, int] = {}
    for seed in range(60):
        rng = np.random.default_rng([block, seed])
        instance = random_instance(rng)
        simulation = Simulation(instance, rng)
        report = verify(instance, simulation.plan())
        expected = simulation.kinds()
        assert set(report.kinds) == expected, (block, seed, report.violations)
        for kind in expected or {"valid"}:
            seen[kind] = seen.get(kind, 0) + 1
    wanted = [
        "valid",
        "arrival",
        "channels",
        "memory",
        "pool-memory",
        "power-cap",
        "precedence",
        "slots",
        "transfer-start",
    ]
    assert [kind for kind in wanted if not seen.get(kind)] == [], seen
