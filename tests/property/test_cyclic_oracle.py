"""Schedules that repeat for ever against enumeration of every start, counted modulo the cycle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from hetopt import Instance, evaluate, solve, verify
from hetopt.evaluate.memory import memory_use
from hetopt.formats.native.document import read_json
from hetopt.solution import Hops, SchedulePlan

MS = 1e-3
CHUNKS, CHUNK = 6, 10


@dataclass(frozen=True)
class Way:
    """One way to run one task: option, device, unit, whole ms, mJ, bytes."""

    option: int
    device: int
    unit: int
    time: int
    energy: float
    memory: float


def made(doc: dict[str, Any]) -> Instance:
    """Read a document."""
    return read_json(json.dumps(doc), "drawn")


def random_cyclic(seed: int) -> dict[str, Any]:
    """Draw a tiny cyclic instance: times in whole ms, so that all best starts are."""
    rng = np.random.default_rng(seed)
    cycle = int(rng.integers(4, 9))
    names = ["a", "b"][: int(rng.integers(1, 3))]
    pooled, linked = rng.random() < 0.4, rng.random() < 0.5
    devices: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": "cpu",
            "count": int(rng.integers(1, 3)),
            "slots": int(rng.integers(1, 3)),
            "idle_power": float(rng.integers(0, 4)),
            "off_when_unused": bool(rng.random() < 0.7),
        }
        for name in names
    ]
    doc: dict[str, Any] = {"hetopt": 1, "devices": devices}
    if pooled:
        doc["pools"] = [{"name": "dram", "memory": int(rng.integers(5, 14)), "zero_copy": True}]
        for device in devices:
            device["memory_pool"] = "dram"
    elif linked:
        doc["links"] = [
            {
                "from": x,
                "to": y,
                "latency": f"{int(rng.integers(0, 3))} ms",
                "energy_per_byte": 1e-3,
            }
            for x in names
            for y in names
        ]
    if rng.random() < 0.3:
        doc["power_cap"] = float(rng.integers(6, 14))
    doc["objective"] = str(rng.choice(["energy", "energy", "makespan", "peak_power", "tardiness"]))
    jobs, several = [], rng.random() < 0.3
    for j in range(2 if several else 1):
        period = cycle if j == 0 or cycle % 2 else cycle // 2
        number = 1 if several else int(rng.integers(1, 4))
        tasks: list[dict[str, Any]] = []
        for t in range(number):
            options = [
                _option(rng, name, cycle)
                for name in names
                if name == names[0] or rng.random() < 0.8
            ]
            tasks.append({"name": f"t{j}{t}", "options": options})
        job = {
            "name": f"j{j}",
            "period": f"{period} ms",
            "release": f"{int(rng.integers(0, 3))} ms",
            "deadline": f"{int(rng.integers(cycle - 1, 2 * cycle + 2))} ms",
            "due": f"{int(rng.integers(2, 8))} ms",
            "tasks": tasks,
            "transfers": [
                {"from": f"t{j}{s}", "to": f"t{j}{t}"}
                | ({"bytes": int(rng.integers(1, 4))} if rng.random() < 0.7 else {})
                for t in range(number)
                for s in range(t)
                if rng.random() < 0.6
            ],
        }
        jobs.append(job)
    doc["jobs"] = jobs
    doc["cyclic"] = True
    return doc


def _option(rng: np.random.Generator, device: str, cycle: int) -> dict[str, Any]:
    time = int(rng.integers(0 if rng.random() < 0.1 else 1, cycle + 2))
    return {
        "device": device,
        "time": f"{time} ms",
        "energy": f"{int(rng.integers(0, 30)) if time else 0} mJ",
        "memory": int(rng.integers(0, 6)),
    }


class Enumeration:
    """Every plan of an instance with times in whole ms, by rules written anew here."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.cycle = round(instance.limits.cycle_s / MS)
        self.ways = [self._ways(t) for t in range(len(instance.tasks))]
        self.edges = list(
            zip(
                instance.edges.src.tolist(),
                instance.edges.dst.tolist(),
                instance.edges.tensor.tolist(),
                strict=True,
            )
        )

    def _ways(self, task: int) -> list[Way]:
        o, d = self.instance.options, self.instance.devices
        return [
            Way(
                k,
                int(o.device[k]),
                unit,
                round(float(o.time_s[k]) / MS),
                float(o.energy_j[k]),
                float(o.memory_b[k]),
            )
            for k in self.instance.task_options(task).tolist()
            for unit in range(int(d.count_max[o.device[k]]))
        ]

    def plans(self) -> Iterator[tuple[list[Way], list[int]]]:
        """Yield ways and starts that meet all times and orders; what is used at once is not."""
        yield from self._placed([], [])

    def _placed(self, ways: list[Way], starts: list[int]) -> Iterator[tuple[list[Way], list[int]]]:
        task = len(ways)
        if task == len(self.ways):
            yield ways, starts
            return
        jobs, job = self.instance.jobs, int(self.instance.tasks.job[task])
        release, deadline = (round(float(x[job]) / MS) for x in (jobs.release_s, jobs.deadline_s))
        for way in self.ways[task]:
            first = release
            for src, dst, tensor in self.edges:
                if dst == task:
                    delay = self._delay(ways[src], way, tensor)
                    if delay is None:
                        break
                    first = max(first, starts[src] + ways[src].time + delay)
            else:
                for start in range(first, deadline - way.time + 1):
                    yield from self._placed([*ways, way], [*starts, start])

    def _delay(self, one: Way, other: Way, tensor: int) -> int | None:
        """Ms of a message, None where no link joins the devices."""
        if tensor < 0 or (one.device, one.unit) == (other.device, other.unit):
            return 0
        if len(self.instance.pools):
            return 0
        links = self.instance.links
        for k in range(len(links)):
            if (links.src[k], links.dst[k]) == (one.device, other.device):
                return round(float(links.latency_s[k]) / MS)
        return None

    def holds(self, ways: list[Way], starts: list[int]) -> bool:
        """Whether slots, memory and power suffice at every ms of the cycle."""
        devices, limits = self.instance.devices, self.instance.limits
        busy: dict[tuple[int, int, int], int] = {}
        for way, start in zip(ways, starts, strict=True):
            for at in range(start, start + way.time):
                key = (way.device, way.unit, at % self.cycle)
                busy[key] = busy.get(key, 0) + 1
                if busy[key] > devices.slots[way.device]:
                    return False
        if self.power(ways, starts) > limits.power_cap_w * (1 + 1e-9):
            return False
        if len(self.instance.pools):
            held = [0.0] * self.cycle
            for way, start in zip(ways, starts, strict=True):
                for at in range(start, start + way.time):
                    held[at % self.cycle] += way.memory
            for tensor in range(len(self.instance.tensors)):
                source = int(self.instance.tensors.producer[tensor])
                ends = [
                    starts[d] + ways[d].time
                    for s, d, n in self.edges
                    if s == source and n == tensor
                ]
                for at in range(starts[source], max(ends)):
                    held[at % self.cycle] += float(self.instance.tensors.bytes_b[tensor])
            return bool(max(held) <= self.instance.pools.memory_b[0])
        return True

    def idle_w(self, ways: list[Way]) -> float:
        """Idle power of the units on."""
        devices = self.instance.devices
        used = {(w.device, w.unit) for w in ways}
        total = 0.0
        for d in range(len(devices)):
            on = sum(1 for device, _ in used if device == d)
            if not devices.off_when_unused[d]:
                on = max(on, int(devices.count_min[d]))
            total += on * float(devices.idle_power_w[d])
        return total

    def power(self, ways: list[Way], starts: list[int]) -> float:
        """Largest power at any ms."""
        drawn = [0.0] * self.cycle
        for way, start in zip(ways, starts, strict=True):
            for at in range(start, start + way.time):
                drawn[at % self.cycle] += way.energy / (way.time * MS)
        return self.idle_w(ways) + max(drawn)

    def value(self, name: str, ways: list[Way], starts: list[int]) -> float:
        """Objective of a plan."""
        jobs, job = self.instance.jobs, self.instance.tasks.job.tolist()
        ends = [s + w.time for s, w in zip(starts, ways, strict=True)]
        if name == "energy":
            moved = {
                (n, ways[d].device, ways[d].unit)
                for s, d, n in self.edges
                if n >= 0
                and not len(self.instance.pools)
                and (ways[s].device, ways[s].unit) != (ways[d].device, ways[d].unit)
            }
            sent = sum(float(self.instance.tensors.bytes_b[n]) * 1e-3 for n, _, _ in moved)
            return sum(w.energy for w in ways) + sent + self.idle_w(ways) * self.cycle * MS
        if name == "makespan":
            release = [round(float(r) / MS) for r in jobs.release_s.tolist()]
            return float(max(e - release[j] for e, j in zip(ends, job, strict=True)) * MS)
        if name == "peak_power":
            return self.power(ways, starts)
        last: dict[int, int] = {}
        for e, j in zip(ends, job, strict=True):
            last[j] = max(last.get(j, 0), e)
        return float(sum(max(0.0, e * MS - float(jobs.due_s[j])) for j, e in last.items()))

    def best(self) -> float | None:
        """Least value over all plans, None where there is none."""
        name, least = self.instance.objective[0], None
        for ways, starts in self.plans():
            value = self.value(name, ways, starts)
            if (least is None or value < least) and self.holds(ways, starts):
                least = value
        return least


def check(seed: int) -> bool | None:
    """Compare ``solve`` with enumeration; return whether there is a plan, None: too many plans."""
    instance = made(random_cyclic(seed))
    every = Enumeration(instance)
    size = np.prod([len(w) for w in every.ways]) * float(2 * every.cycle) ** len(every.ways)
    if size > 60_000:
        return None
    least = every.best()
    solution = solve(instance, time_limit=30, deterministic=True)
    assert solution.termination == "proved", (seed, solution)
    if least is None:
        assert solution.status == "infeasible", seed
        return False
    assert solution.status == "optimal", (seed, solution.status, least)
    assert solution.objectives[0] == pytest.approx(least, rel=1e-6, abs=1e-9), seed
    assert isinstance(solution.plan, SchedulePlan)
    assert verify(instance, solution.plan).ok
    _check_figures(instance, solution.plan, seed)
    return True


def _check_figures(instance: Instance, plan: SchedulePlan, seed: int) -> None:
    """``evaluate`` winds what ``verify`` writes out: both must see the same."""
    report, quantities = verify(instance, plan), evaluate(instance, plan)
    for name in ("energy", "makespan", "tardiness", "peak_power"):
        unit = {"energy": "_j", "peak_power": "_w"}.get(name, "_s")
        expected = report.objectives[name]
        assert quantities[name + unit] == pytest.approx(expected, rel=1e-9, abs=1e-12), (seed, name)
    if len(instance.pools):
        assert memory_use(instance, plan).pool_b[0] <= instance.pools.memory_b[0] * (1 + 1e-9), seed


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_solve_agrees_with_enumeration_on_the_circle(chunk: int) -> None:
    seen = [check(seed) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK)]
    assert sum(found is not None for found in seen) >= 4
    assert any(seen)


@pytest.mark.parametrize("chunk", range(4))
def test_the_checker_accepts_what_enumeration_does_and_nothing_else(chunk: int) -> None:
    rng = np.random.default_rng(chunk)
    accepted = refused = 0
    for seed in range(40 * chunk, 40 * (chunk + 1)):
        instance = made(random_cyclic(seed))
        if len(instance.links):
            continue  # their plans state hops
        every = Enumeration(instance)
        for _ in range(6):
            ways = [row[int(rng.integers(len(row)))] for row in every.ways]
            starts = [int(rng.integers(0, 2 * every.cycle)) for _ in ways]
            jobs, job = instance.jobs, instance.tasks.job.tolist()
            fits = all(
                start * MS >= float(jobs.release_s[j]) - 1e-12
                and (start + way.time) * MS <= float(jobs.deadline_s[j]) + 1e-12
                for start, way, j in zip(starts, ways, job, strict=True)
            )
            fits &= all(
                (delay := every._delay(ways[s], ways[d], n)) is not None
                and starts[d] >= starts[s] + ways[s].time + delay
                for s, d, n in every.edges
            )
            fits &= every.holds(ways, starts)
            plan = SchedulePlan(
                np.array([w.option for w in ways]),
                np.array([w.unit for w in ways]),
                np.array([float(f"{s}e-3") for s in starts]),
                Hops.empty(),
            )
            assert verify(instance, plan).ok == fits, (seed, ways, starts)
            accepted, refused = accepted + fits, refused + (not fits)
    assert accepted >= 3
    assert refused >= 20


def _frames() -> tuple[Instance, SchedulePlan]:
    """One task of 3 ms each 4 ms, started late: it wraps around the end of the cycle."""
    doc = {
        "hetopt": 1,
        "cyclic": True,
        "power_cap": 10,
        "devices": [{"name": "cpu", "kind": "cpu", "idle_power": 1, "memory": 10}],
        "jobs": [
            {
                "name": "j",
                "period": "4 ms",
                "deadline": "9 ms",
                "tasks": [
                    {"name": "x", "options": [{"device": "cpu", "time": "3 ms", "energy": "9 mJ"}]},
                    {"name": "y", "options": [{"device": "cpu", "time": "1 ms", "energy": "1 mJ"}]},
                ],
                "transfers": [{"from": "x", "to": "y"}],
            }
        ],
    }
    plan = SchedulePlan(np.array([0, 1]), np.array([0, 0]), np.array([0.003, 0.006]), Hops.empty())
    return made(doc), plan


def test_a_task_may_wrap_around_the_end_of_the_cycle() -> None:
    instance, plan = _frames()
    report = verify(instance, plan)
    assert report.ok, report.violations
    assert report.objectives["makespan"] == pytest.approx(0.007)
    assert report.objectives["energy"] == pytest.approx(0.014)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"start_s": np.array([0.003, 0.0065])}, "slots"),
        ({"start_s": np.array([0.003, 0.0085])}, "deadline"),
        ({"start_s": np.array([0.003, 0.005])}, "precedence"),
        ({"start_s": np.array([0.003, 9e9])}, "deadline"),
        ({"unit": np.array([0, 1])}, "unit-range"),
    ],
)
def test_planted_faults_on_the_circle_are_found(change: dict[str, Any], kind: str) -> None:
    instance, plan = _frames()
    assert kind in verify(instance, replace(plan, **change)).kinds


def test_power_and_memory_of_repetitions_that_overlap_add_up() -> None:
    instance, plan = _frames()
    devices = replace(instance.devices, slots=np.array([2]))
    wide = replace(instance, devices=devices)
    both = replace(plan, start_s=np.array([0.003, 0.0065]))
    assert verify(wide, both).ok
    assert verify(wide, both).objectives["peak_power"] == pytest.approx(1 + 3 + 1)
    assert verify(wide.with_limits(power_cap_w=4.5), both).kinds == ("power-cap",)
    heavy = replace(wide.options, memory_b=np.array([6.0, 5.0]))
    assert verify(replace(wide, options=heavy), both).kinds == ("memory",)
    assert verify(replace(wide, options=heavy), plan).ok
