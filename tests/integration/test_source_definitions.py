"""What the checker computes for trivial plans is what the source of each family defines.

The plans are made here, straight from the files and by code that shares nothing with the readers:
everything in a row on one machine, an assignment by hand, a serial schedule of a project. Plans
that break a limit of the source are made too, and must be rejected.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import defaultdict

import numpy as np
import pytest

from hetopt import read_instance, solve, verify
from hetopt.errors import InputError
from hetopt.instance.overrides import without_device
from hetopt.solution import Hops, SchedulePlan
from tests.integration.test_benchmark_files import AMBIGUOUS, FAMILIES, files, numbers, placed

FILES = 8
"""Files of a family, evenly spaced over it."""


def some(found, count=FILES):
    assert found
    return found if len(found) <= count else [found[i * len(found) // count] for i in range(count)]


def schedule(instance, device, label, unit, start):
    """A plan without messages from the names of devices and labels; labels only where given."""
    options = instance.options
    number = {str(name): i for i, name in enumerate(instance.devices.name)}
    chosen = []
    for task in range(len(instance.tasks)):
        ways = instance.task_options(task)
        ways = ways[options.device[ways] == number[device[task]]]
        if label is not None:
            ways = [o for o in ways if str(options.label[o]) == label[task]]
        chosen.append(int(ways[0]))
    none = np.empty(0, dtype=np.int64)
    return SchedulePlan(
        np.array(chosen),
        np.array(unit, dtype=np.int64),
        np.array(start, dtype=np.float64),
        Hops(none, none, none, none, none, none, np.empty(0)),
    )


def in_order(edges, count):
    """Tasks in an order that the edges allow."""
    after, waits = defaultdict(list), [0] * count
    for u, v, *_ in edges:
        after[u].append(v)
        waits[v] += 1
    ready, found = [t for t in range(count) if not waits[t]], []
    while ready:
        task = ready.pop()
        found.append(task)
        for v in after[task]:
            waits[v] -= 1
            if not waits[v]:
                ready.append(v)
    assert len(found) == count
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_all_in_a_row_takes_the_sum_of_the_times(family, shared_path):
    """On one machine where one can run all, else on machines that need no messages."""
    found, read, _ = files(shared_path, family)
    for path in some(found):
        instance, raw = (
            read_instance(path, format=AMBIGUOUS.get(family)),
            read(path.read_text(encoding="utf-8")),
        )
        count = len(raw.times)
        common = sorted(set.intersection(*(set(times) for times in raw.times)))
        rng = random.Random(path.name)
        machine = [
            rng.choice(common) if common else rng.choice(sorted(times)) for times in raw.times
        ]
        if common:
            machine = [machine[0]] * count
        start, now = [0.0] * count, 0.0
        for task in in_order(raw.edges, count):
            start[task], now = now, now + raw.times[task][machine[task]]
        names = instance.devices.name
        plan = schedule(instance, [str(names[m]) for m in machine], None, [0] * count, start)
        report = verify(instance, plan)
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["makespan"] == pytest.approx(now, rel=1e-9), path


@pytest.mark.parametrize("tasks", [100, 1000])
def test_the_fastest_node_alone_takes_what_the_file_reports(tasks, shared_path):
    (path,) = shared_path("benchmarks", "saga").glob(f"*n{tasks}_*.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    fastest = max(range(len(data["nodes"])), key=lambda k: data["nodes"][k]["speed"])
    number = {t["name"]: i for i, t in enumerate(data["tasks"])}
    edges = [(number[e["source"]], number[e["target"]]) for e in data["dependencies"]]
    start, now = [0.0] * len(number), 0.0
    for task in in_order(edges, len(number)):
        start[task] = now
        now += data["tasks"][task]["cost"] / data["nodes"][fastest]["speed"]
    instance = read_instance(path)
    name = str(instance.devices.name[fastest])
    plan = schedule(instance, [name] * len(start), None, [0] * len(start), start)
    report = verify(instance, plan)
    assert report.ok, report.violations[:2]
    assert report.objectives["makespan"] == pytest.approx(data["fastest_node_serial"], rel=1e-9)


def test_an_assignment_to_unrelated_machines_takes_the_largest_sum(shared_path):
    for path in some(sorted(shared_path("benchmarks", "rcmax").glob("*.txt"))):
        times = numbers(path.read_text())[1:]
        rng = random.Random(path.name)
        chosen = [rng.randrange(len(row)) for row in times]
        load, start = [0.0] * len(times[0]), []
        for row, m in zip(times, chosen, strict=True):
            start.append(load[m])
            load[m] += row[m]
        instance = read_instance(path, format="rcmax")
        names = [str(instance.devices.name[m]) for m in chosen]
        report = verify(instance, schedule(instance, names, None, [0] * len(start), start))
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["makespan"] == max(load), path


def test_an_assignment_costs_what_the_table_says_and_agents_are_not_overfull(shared_path):
    found = sorted(p for p in shared_path("benchmarks", "gap").glob("*/*") if p.is_file())
    overfull = 0
    for path in some(found, 14):
        agents, jobs, *rest = (int(w) for w in path.read_text().split())
        cost = np.reshape(rest[: agents * jobs], (agents, jobs))
        weight = np.reshape(rest[agents * jobs : 2 * agents * jobs], (agents, jobs))
        capacity = np.array(rest[2 * agents * jobs :])
        instance = read_instance(path)
        for agent in (_by_regret(weight, capacity), [0] * jobs):
            load = np.bincount(agent, weights=weight[agent, range(jobs)], minlength=agents)
            names = [str(instance.devices.name[a]) for a in agent]
            report = verify(instance, schedule(instance, names, None, [0] * jobs, [0.0] * jobs))
            assert report.objectives["energy"] == cost[agent, range(jobs)].sum(), path
            assert report.ok == bool((load <= capacity).all()), path
            if not report.ok:
                overfull += 1
                assert set(report.kinds) == {"resource-budget"}
                assert len(report.violations) == (load > capacity).sum()
    assert overfull


def _by_regret(weight, capacity):
    """Put each job where it takes the least part of what is left."""
    left, agent = capacity.astype(float), []
    for job in range(weight.shape[1]):
        agent.append(int(np.argmin(weight[:, job] / np.maximum(left, 1e-9))))
        left[agent[-1]] -= weight[agent[-1], job]
    return agent


def earliest(profile, capacity, length, need, ready):
    """First time from which every slot has room for the need; ``profile`` is use by slot."""
    start = ready
    while any(
        profile[k, t] + n > capacity[k] for t in range(start, start + length) for k, n in need
    ):
        start += 1
    return start


def test_machines_that_share_a_resource_wait_for_it(shared_path):
    for path in some(sorted(shared_path("benchmarks", "upmr").glob("*.txt"))):
        (jobs, machines, capacity), *rows = ([int(w) for w in row] for row in
                                             numbers(path.read_text()))  # fmt: skip
        time, use = rows[:jobs], rows[jobs:]
        rng = random.Random(path.name)
        ways = [[m for m in range(machines) if use[j][m] <= capacity] for j in range(jobs)]
        chosen = [rng.choice(way) for way in ways]
        profile, free, start = defaultdict(int), [0] * machines, []
        for j, m in enumerate(chosen):
            need = [(0, use[j][m])]
            start.append(earliest(profile, [capacity], time[j][m], need, free[m]))
            free[m] = start[-1] + time[j][m]
            for t in range(start[-1], free[m]):
                profile[0, t] += use[j][m]
        instance = read_instance(path)
        names = [str(instance.devices.name[m]) for m in chosen]
        plan = schedule(instance, names, None, [0] * jobs, start)
        report = verify(instance, plan)
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["makespan"] == max(free), path
        _crowd(instance, plan, "resource-capacity", path)


def _crowd(instance, plan, kind, path):
    """Start all at once, which must be a violation of this kind."""
    start = np.zeros(len(plan.start_s))
    crowded = verify(instance, SchedulePlan(plan.option, plan.unit, start, plan.hops))
    assert not crowded.ok, path
    assert kind in crowded.kinds, (path, crowded.kinds)


def project(text):
    """Successors, modes as (duration, requests), number of renewables, and what there is."""
    parts = re.split(r"\*{5,}", text)
    counted = next(p for p in parts if "renewable" in p)
    renewable, fixed = (
        int(re.search(rf"-\s+{kind}\s*:\s*(\d+)", counted)[1])
        for kind in ("renewable", "nonrenewable")
    )
    rows = {}
    for head in ("PRECEDENCE", "REQUESTS", "AVAIL"):
        (part,) = (p for p in parts if re.match(rf"\s*{head}|\s*RESOURCE ?{head}", p))
        rows[head] = [
            [int(w) for w in line.split()]
            for line in part.splitlines()
            if re.fullmatch(r"[\d\s]+", line) and line.strip()
        ]
    after = [row[3:] for row in rows["PRECEDENCE"]]
    modes = []
    for row in rows["REQUESTS"]:
        if len(row) == 3 + renewable + fixed:
            modes.append([])
            row = row[1:]
        modes[-1].append((row[1], row[2:]))
    return after, modes, renewable, rows["AVAIL"][0]


def cheapest_modes(modes, renewable, there):
    """A mode that can run for each activity, within the budgets, by greedy repairs; or None."""
    ways = [
        [k for k, (_, r) in enumerate(m) if all(r[i] <= there[i] for i in range(renewable))]
        for m in modes
    ]
    spent = [[np.array(r[renewable:]) for _, r in m] for m in modes]
    limit = np.array(there[renewable:])
    taken = [min(w, key=lambda k, s=s: s[k].sum()) for w, s in zip(ways, spent, strict=True)]
    for _ in range(100):
        over = sum(s[k] for s, k in zip(spent, taken, strict=True)) - limit
        if (over <= 0).all():
            return taken
        scarce = int(over.argmax())
        _, a, k = max(
            (spent[a][taken[a]][scarce] - spent[a][k][scarce], a, k)
            for a, way in enumerate(ways)
            for k in way
        )
        taken[a] = k
    return None


def test_projects_scheduled_serially_take_what_the_source_says(shared_path):
    found, made = sorted(shared_path("benchmarks", "mrcpsp").glob("*/*.mm")), 0
    for path in some(found, 16):
        after, modes, renewable, there = project(path.read_text())
        taken = cheapest_modes(modes, renewable, there)
        if taken is None:
            continue
        made += 1
        edges = [(a, b - 1) for a, row in enumerate(after) for b in row]
        before = defaultdict(list)
        for a, b in edges:
            before[b].append(a)
        profile, start, end = defaultdict(int), [0] * len(modes), [0] * len(modes)
        for a in in_order(edges, len(modes)):
            length, request = modes[a][taken[a]]
            need = list(enumerate(request[:renewable]))
            ready = max((end[b] for b in before[a]), default=0)
            start[a] = earliest(profile, there, length, need, ready)
            end[a] = start[a] + length
            for t in range(start[a], end[a]):
                for k, amount in need:
                    profile[k, t] += amount
        instance = read_instance(path)
        (name,) = instance.devices.name.tolist()
        labels = [str(k + 1) for k in taken]
        plan = schedule(instance, [name] * len(modes), labels, [0] * len(modes), start)
        report = verify(instance, plan)
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["makespan"] == max(end), path
        _crowd(instance, plan, "precedence", path)
    assert made >= 10


def test_budgets_of_projects_are_those_of_the_source(shared_path):
    """Modes that use most of what is non-renewable are too much where their sum is."""
    beyond = 0
    for path in some(sorted(shared_path("benchmarks", "mrcpsp").glob("*/*.mm")), 10):
        after, modes, renewable, there = project(path.read_text())
        taken = [max(range(len(m)), key=lambda k, m=m: sum(m[k][1][renewable:])) for m in modes]
        use = np.sum([m[k][1][renewable:] for m, k in zip(modes, taken, strict=True)], axis=0)
        edges = [(a, b - 1) for a, row in enumerate(after) for b in row]
        start, now = [0] * len(modes), 0
        for a in in_order(edges, len(modes)):
            start[a], now = now, now + modes[a][taken[a]][0]
        instance = read_instance(path)
        (name,) = instance.devices.name.tolist()
        labels = [str(k + 1) for k in taken]
        plan = schedule(instance, [name] * len(modes), labels, [0] * len(modes), start)
        report = verify(instance, plan)
        over = int((use > there[renewable:]).sum())
        assert report.kinds == ("resource-budget",) * bool(over), path
        assert len(report.violations) == over
        assert report.objectives["makespan"] == now
        beyond += over
    assert beyond


def green(text):
    (_, _, slots), time, power, price = numbers(text)
    assert len(price) == slots
    return [int(t) for t in time], power, price


def test_energy_costs_power_times_price_over_the_slots(shared_path):
    for path in some(sorted(shared_path("benchmarks", "energy_green_pm").glob("*.txt"))):
        time, power, price = green(path.read_text())
        instance, rng = read_instance(path), random.Random(path.name)
        # Machines of one power are the units of one device.
        machines = sorted(range(len(power)), key=lambda m: power[m])
        same = defaultdict(list)
        for m in machines:
            same[power[m]].append(m)
        free, cost, names, units, start = [0] * len(power), 0.0, [], [], []
        for length in sorted(time, reverse=True):
            room = [m for m in machines if free[m] + length <= len(price)]
            m = rng.choice(room)
            wait = rng.randint(0, max(0, (len(price) - free[m] - length) // len(time)))
            begin = free[m] + wait
            free[m] = begin + length
            cost += power[m] * sum(price[begin : free[m]])
            names.append(f"power {power[m]:g}")
            units.append(same[power[m]].index(m))
            start.append(begin)
        order = sorted(range(len(time)), key=lambda j: -time[j])
        back = np.argsort(order)
        plan = schedule(
            instance, [names[k] for k in back], None, [units[k] for k in back],
            [start[k] for k in back],
        )  # fmt: skip
        report = verify(instance, plan)
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["cost"] == pytest.approx(cost, rel=1e-9), path
        assert report.objectives["makespan"] == max(free), path


def test_published_fronts_lie_where_plans_can_be(shared_path):
    """No makespan is below the mean load, no cost below all work in the cheapest slots."""
    for path in some(sorted(shared_path("benchmarks", "energy_green_pm").glob("*.txt"))):
        time, power, price = green(path.read_text())
        points = numbers(path.with_suffix(".front").read_text())
        assert min(m for m, _ in points) >= max(*time, math.ceil(sum(time) / len(power)))
        cheap = sorted(p * w for p in price for w in power)[: sum(time)]
        assert min(c for _, c in points) >= sum(cheap)
        solution = solve(read_instance(path), time_limit=3, method="heft")
        assert solution.bound <= min(c for _, c in points) * (1 + 1e-6)


def test_a_network_on_one_cpu_takes_the_sum_of_its_times(shared_path):
    folder = shared_path("benchmarks", "dnn")
    for path in sorted(folder.glob("latency/*/*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        instance = read_instance(path)
        number = {node["id"]: i for i, node in enumerate(data["nodes"])}
        assert [int(n) for n in instance.tasks.name] == list(number)
        edges = [(number[e["sourceId"]], number[e["destId"]]) for e in data["edges"]]
        start, now = [0.0] * len(number), 0.0
        for task in in_order(edges, len(number)):
            start[task], now = now, now + data["nodes"][task]["cpuLatency"]
        plan = schedule(instance, ["cpu"] * len(start), None, [0] * len(start), start)
        report = verify(instance, plan)
        assert report.ok, (path, report.violations[:2])
        assert report.objectives["makespan"] == pytest.approx(now, rel=1e-9), path
    for path in some(sorted(folder.glob("throughput/*/*.json")), 4):
        data = json.loads(path.read_text(encoding="utf-8"))
        instance = read_instance(path)
        report = verify(instance, placed(instance, {n["id"]: ("cpu", 0) for n in data["nodes"]}))
        whole = sum(node["cpuLatency"] for node in data["nodes"])
        overfull = [v for v in report.violations if v.kind == "capacity"]
        assert bool(overfull) == (whole > 1), path


@pytest.mark.parametrize("gpu", ["A10G", "A100-80GB"])
def test_one_kind_of_gpu_costs_what_its_load_rounded_up_costs(gpu, shared_path):
    path = shared_path("benchmarks", "melange", "example.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    shares = np.ravel(data["workload_distribution"]) * data["total_request_rate"]
    info = data["gpu_info"][gpu]
    expected = info["cost"] * math.ceil((shares / np.ravel(info["tputs"])).sum() - 1e-9)
    instance = read_instance(path)
    for other in range(len(instance.devices) - 1, -1, -1):
        if str(instance.devices.name[other]) != gpu:
            instance = without_device(instance, other)
    solution = solve(instance, time_limit=20)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(expected, rel=1e-6)


def test_the_family_without_a_reader_is_refused_and_not_misread(shared_path):
    for path in some(sorted(shared_path("benchmarks", "energy_effs_sl").glob("sim*.csv")), 2):
        with pytest.raises(InputError):
            read_instance(path)
