"""Every published file is read as its source defines it.

The files are read a second time here, by code that shares nothing with the readers, and plans are
timed by the rules of the families alone: a task starts when its unit is free and all that it waits
for has arrived.
"""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
from collections import defaultdict

import numpy as np
import pytest

from hetopt import evaluate, read_instance, solve, verify
from hetopt.compile.set_values import set_values
from hetopt.schedule.list_scheduling.constructors import heft
from hetopt.solution import SteadyPlan

NEAR = 1e-7


class Raw:
    """A file as its source defines it: times by machine per task, edges, and their delays."""

    def __init__(self, times, edges, delay=lambda cost, src, dst: 0.0):
        self.times, self.edges, self.delay = times, edges, delay


def numbers(text):
    return [[float(w) for w in line.split()] for line in text.splitlines() if line.strip()]


def choices(words):
    """Operations ``k m d m d …`` as {machine: time}."""
    found = []
    while words:
        k = int(words[0])
        found.append({int(words[1 + 2 * i]): words[2 + 2 * i] for i in range(k)})
        words = words[1 + 2 * k :]
    return found


def raw_fjsp(text):
    (_, *jobs), times, edges = numbers(text), [], []
    for job in jobs:
        operations = choices(job[1:])
        assert len(operations) == job[0]
        edges += [(len(times) + i, len(times) + i + 1, 0) for i in range(len(operations) - 1)]
        times += operations
    return Raw(times, edges)


def raw_fajsp(text):
    text = "\n".join(line.split("#")[0] for line in text.splitlines())
    (head, *rows) = numbers(text)
    arcs = rows[: int(head[1])]
    return Raw(
        [choices(row)[0] for row in rows[len(arcs) :]], [(int(u), int(v), 0) for u, v in arcs]
    )


def raw_rcmax(text):
    return Raw([dict(enumerate(row)) for row in numbers(text)[1:]], [])


def raw_stg(text):
    rows = numbers(re.sub("#.*", "", text))[1:]
    edges = [(int(p), int(row[0]), 0) for row in rows for p in row[3:]]
    return Raw([{0: row[1]} for row in rows], edges)


def raw_dag_comm(text):
    _, weights, *edges = numbers(text)
    return Raw(
        [{0: w} for w in weights],
        [(int(u), int(v), c) for u, v, c in edges],
        lambda cost, src, dst: cost if src != dst else 0.0,
    )


def raw_dag_hetero(text):
    def between(cost, src, dst):
        return cost if src != dst else 0.0

    if text.startswith("{"):
        data = json.loads(text)
        return Raw([dict(enumerate(row)) for row in data["w"]], data["edges"], between)
    _, tasks, edges = re.split(r"#tasks|#edges", text.split("#end")[0])
    times = [
        dict(enumerate(map(float, t.split(":")[1].split(",")))) for t in tasks.split("\n")[1:-1]
    ]
    ends = [e.split(":")[1].split(",") for e in edges.strip().split("\n")]
    return Raw(times, [(int(u), int(v), float(c)) for u, v, c in ends], between)


def raw_saga(text):
    data = json.loads(text)
    number = {task["name"]: i for i, task in enumerate(data["tasks"])}
    node = {node["name"]: i for i, node in enumerate(data["nodes"])}
    speed = {}
    for link in data["links"]:
        pair = node[link["source"]], node[link["target"]]
        speed[pair] = speed[pair[::-1]] = link["speed"]
    times = [
        {node[p["name"]]: t["cost"] / p["speed"] for p in data["nodes"]} for t in data["tasks"]
    ]
    edges = [(number[e["source"]], number[e["target"]], e["size"]) for e in data["dependencies"]]

    def between(size, src, dst):
        return size / speed[src[0], dst[0]] if src[0] != dst[0] else 0.0

    return Raw(times, edges, between)


def raw_wfinstance(text):
    data = json.loads(text)
    return Raw([{0: t["runtime_s"]} for t in data["tasks"]], data["edges"])


FAMILIES = {
    "fjsp": ("fjsp", "*/**/*.txt", raw_fjsp, 173, 7),
    "fajsp": ("fajsp", "*.txt", raw_fajsp, 25, 5),
    "rcmax": ("rcmax", "*.txt", raw_rcmax, 91, 20),
    "stg": ("stg", "*/*.stg", raw_stg, 360, 30),
    "dag-comm": ("dag_comm_opt", "*.txt", raw_dag_comm, 271, 12),
    "dag-hetero": ("dag_hetero", "*/*.*", raw_dag_hetero, 36, 8),
    "dag-canonical": ("dag_canonical", "*.json", raw_dag_hetero, 2, 1),
    "saga": ("saga", "*n100_*.json", raw_saga, 1, 1),
    "wfformat": ("wfinstances", "*.json", raw_wfinstance, 22, 4),
}
"""Folder, files, the second reader, how many files there are, and how many to pass over."""
AMBIGUOUS = {"rcmax": "rcmax"}
"""Families whose files only ``--from`` tells from those of another."""


def files(shared_path, family):
    folder, pattern, read, count, every = FAMILIES[family]
    found = sorted(shared_path("benchmarks", folder).glob(pattern))
    assert len(found) == count
    return found, read, every


def read_times(instance):
    """Times of all tasks by machine number, as the instance has them."""
    number = {str(d): i for i, d in enumerate(instance.devices.name)}
    found = []
    for task in range(len(instance.tasks)):
        chosen = instance.task_options(task)
        names = instance.devices.name[instance.options.device[chosen]]
        times = instance.options.time_s[chosen].tolist()
        found.append({number[str(n)]: t for n, t in zip(names, times, strict=True)})
    return found


def read_edges(instance):
    """Edges with the sizes of their messages, 0 where they are precedence."""
    edges = instance.edges
    size = np.append(instance.tensors.bytes_b, 0.0)[edges.tensor]
    return list(zip(edges.src.tolist(), edges.dst.tolist(), size.tolist(), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_file_has_the_tasks_times_and_edges_of_its_source(family, shared_path):
    found, read, _ = files(shared_path, family)
    for path in found:
        instance = read_instance(path, format=AMBIGUOUS.get(family))
        raw = read(path.read_text(encoding="utf-8"))
        assert read_times(instance) == raw.times, path
        assert sorted(read_edges(instance)) == sorted(map(tuple, raw.edges)), path
        assert instance.objective == ("makespan",)


def left_shifted(raw, unit, start):
    """Makespan of a plan's assignment and order on units, each task as early as they allow."""
    before = defaultdict(list)
    for u, v, cost in raw.edges:
        before[v].append((u, cost))
    end, free = {}, defaultdict(float)
    waits = {v: len(edges) for v, edges in before.items()}
    after = defaultdict(list)
    for v, edges in before.items():
        for u, _ in edges:
            after[u].append(v)
    # By start; tasks of time 0 may share a start with what they wait for.
    left = sorted(range(len(raw.times)), key=lambda t: (start[t], raw.times[t][unit[t][0]]))
    while left:
        task = next(t for t in left if not waits.get(t))
        left.remove(task)
        arrived = [end[u] + raw.delay(c, unit[u], unit[task]) for u, c in before[task]]
        end[task] = max([free[unit[task]], *arrived]) + raw.times[task][unit[task][0]]
        free[unit[task]] = end[task]
        for v in after[task]:
            waits[v] -= 1
    return max(end.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_makespan_of_a_plan_is_that_of_the_source(family, shared_path):
    found, read, every = files(shared_path, family)
    for path in found[::every]:
        instance = read_instance(path, format=AMBIGUOUS.get(family))
        plan = heft(instance)
        raw = read(path.read_text(encoding="utf-8"))
        device = instance.options.device[plan.option].tolist()
        unit = list(zip(device, plan.unit.tolist(), strict=True))
        makespan = left_shifted(raw, unit, plan.start_s.tolist())
        assert evaluate(instance, plan)["makespan_s"] == pytest.approx(makespan, rel=NEAR), path
        assert verify(instance, plan).ok, path


OPTIMA = {
    "dag_canonical/topcuoglu2002_fig3.json": 73.0,
    "dag_canonical/arabnejad2014_fig1.json": 113.0,
    "fjsp/brandimarte/mk01.txt": 40.0,
    "dag_hetero/Synthetic/Kuan-3-10.txt": 26.0,
    "fajsp/YFJS01.txt": 773.0,
}


@pytest.mark.parametrize("file", OPTIMA)
def test_published_optima_are_proven(file, shared_path):
    solution = solve(read_instance(shared_path("benchmarks", *file.split("/"))), time_limit=60)
    assert solution.status == "optimal"
    assert solution.objective == OPTIMA[file]


@pytest.mark.parametrize(
    ("file", "makespan"), [("topcuoglu2002_fig3.json", 80.0), ("arabnejad2014_fig1.json", 133.0)]
)
def test_heft_gives_the_published_makespans(file, makespan, shared_path):
    instance = read_instance(shared_path("benchmarks", "dag_canonical", file))
    assert solve(instance, method="heft").objective == makespan


def test_no_plan_beats_and_no_bound_exceeds_a_proven_optimum(shared_path):
    folder = shared_path("benchmarks", "dag_comm_opt")
    with (folder / "bks.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["optimal"] == "1"]
    for row in rows[::15]:
        solution = solve(read_instance(folder / row["file"]), method="heft")
        optimum = float(row["best_known"])
        assert solution.bound <= optimum * (1 + 1e-6) <= solution.objective * (1 + 2e-6), row


def saga_heft(raw, nodes):
    """HEFT as SAGA has it: the mean message counts a node's link to itself, which takes no time."""
    after = defaultdict(list)
    before = defaultdict(list)
    for u, v, size in raw.edges:
        pairs = itertools.combinations(range(nodes), 2)
        total = sum(raw.delay(size, (a, 0), (b, 0)) for a, b in pairs)
        after[u].append((v, total / (nodes * (nodes + 1) / 2)))
        before[v].append((u, size))
    rank = {}

    def ranked(task):
        if task not in rank:
            tail = max((c + ranked(v) for v, c in after[task]), default=0.0)
            rank[task] = sum(raw.times[task].values()) / nodes + tail
        return rank[task]

    depth = {}

    def level(task):
        if task not in depth:
            depth[task] = max((level(u) + 1 for u, _ in before[task]), default=0)
        return depth[task]

    # Tasks of no cost share a rank with what waits for them.
    order = sorted(range(len(raw.times)), key=lambda task: (-ranked(task), level(task)))
    busy, place, end = defaultdict(list), {}, {}
    for task in order:
        best = None
        for node in range(nodes):
            here = (node, 0)
            ready = max(
                (end[u] + raw.delay(s, place[u], here) for u, s in before[task]), default=0.0
            )
            time, at = raw.times[task][node], ready
            for begin, stop in busy[node]:
                if at + time <= begin:
                    break
                at = max(at, stop)
            if best is None or at + time < best[0]:
                best = (at + time, at, node)
        end[task], begin, node = best
        place[task] = (node, 0)
        busy[node] = sorted([*busy[node], (begin, end[task])])
    return max(end.values())


def test_saga_instances_reproduce_the_makespan_that_their_file_reports(shared_path):
    path = shared_path("benchmarks", "saga", "saga_n100_p8_ccr1.json")
    text = path.read_text(encoding="utf-8")
    instance, raw = read_instance(path), raw_saga(text)
    read = Raw(read_times(instance), raw.edges, raw.delay)
    reported = json.loads(text)["results"]["Heft"]["makespan"]
    assert saga_heft(read, len(instance.devices)) == pytest.approx(reported, rel=1e-12)


def accelerator_loads(data, unit):
    """Load of each unit by the rule of the source, from the raw file and a placement."""
    load = defaultdict(float)
    cost, reads = {}, defaultdict(set)
    for edge in data["edges"]:
        cost[edge["sourceId"]] = edge["cost"]
        reads[edge["sourceId"]].add(unit[edge["destId"]])
    for node in data["nodes"]:
        here = unit[node["id"]]
        load[here] += node["fpgaLatency" if here[0] == "accelerator" else "cpuLatency"]
        away = reads[node["id"]] - {here}
        payers = [u for u in away if u[0] == "accelerator"]
        payers += [here] if away and here[0] == "accelerator" else []
        for u in payers:
            load[u] += cost[node["id"]]
    return load


def test_loads_of_placed_networks_are_those_of_the_source(shared_path):
    found = sorted(shared_path("benchmarks", "dnn", "throughput").glob("*/*.json"))
    assert len(found) == 8
    rng = random.Random(1)
    for path in found:
        instance = read_instance(path)
        data = json.loads(path.read_text(encoding="utf-8"))
        units = [("accelerator", i) for i in range(data["maxFPGAs"])]
        units += [("cpu", i) for i in range(data["maxCPUs"])]
        colour = {n["id"]: n.get("colorClass", f"own {n['id']}") for n in data["nodes"]}
        chosen = {c: rng.choice(units) for c in sorted(set(colour.values()), key=str)}
        unit = {node: chosen[c] for node, c in colour.items()}
        load = accelerator_loads(data, unit)
        plan = placed(instance, unit)
        for row in evaluate(instance, plan)["units"]:
            expected = load[row["device"], row["unit"]]
            assert row["load"] == pytest.approx(expected, rel=1e-9), path
        together = [instance.tasks.name[group].tolist() for group in instance.together]
        assert all(len({colour[int(name)] for name in group}) == 1 for group in together)
        assert sum(len(g) - 1 for g in together) == len(colour) - len(set(colour.values()))


def placed(instance, unit):
    """A plan that serves one request per second with the tasks on the units given."""
    device = {str(name): i for i, name in enumerate(instance.devices.name)}
    rows = [unit[int(name)] for name in instance.tasks.name]
    options = []
    for task, (name, _) in enumerate(rows):
        chosen = instance.task_options(task)
        options.append(int(chosen[instance.options.device[chosen] == device[name]][0]))
    count = instance.devices.count_max
    return SteadyPlan(
        route_job=np.zeros(1, dtype=np.int64),
        rate_per_s=np.ones(1),
        ptr=np.array([0, len(rows)]),
        task=instance.job_tasks[1],
        option=np.array(options),
        unit=np.array([number for _, number in rows]),
        units_on=count,
        units_had=count,
    )


def test_a_placed_network_reaches_the_published_load(shared_path):
    path = shared_path("benchmarks", "dnn", "throughput", "LayerGraphs", "bert24_inference.json")
    solution = solve(read_instance(path), time_limit=6)
    assert solution.bound * 17.714719 >= 1 - 1e-6
    assert solution.objective * 17.714718 <= 1


@pytest.mark.parametrize("count", range(4))
def test_latency_graphs_are_schedules(count, shared_path):
    path = sorted(shared_path("benchmarks", "dnn", "latency").glob("*/*.json"))[count]
    instance = read_instance(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert instance.regime == "schedule"
    assert len(instance.tasks) == len(data["nodes"])
    assert instance.devices.count_max.tolist() == [data["maxFPGAs"], data["maxCPUs"]]
    assert read_instance(path, format="dnn-latency").regime == "schedule"


def test_the_fleet_example_costs_what_free_splitting_costs(shared_path):
    path = shared_path("benchmarks", "melange", "example.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    solution = solve(read_instance(path), time_limit=30)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(4.68, abs=1e-6)
    assert whole_buckets(data) == pytest.approx(6.70)


@pytest.mark.parametrize(("slices", "cost"), [(1, 6.70), (2, 5.69), (16, 5.69)])
def test_the_fleet_example_in_whole_slices_costs_what_its_own_solver_reports(
    shared_path, slices, cost
):
    path = shared_path("benchmarks", "melange", "example.json")
    instance = set_values(read_instance(path), [f"jobs.*.slices={slices}"])
    solution = solve(instance, time_limit=30, workers=1)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(cost, abs=1e-6)


def whole_buckets(data):
    """Least cost where each bucket goes to one kind of GPU as a whole, as in the source's model."""
    shares = np.ravel(data["workload_distribution"]) * data["total_request_rate"]
    gpus = list(data["gpu_info"].values())
    least = np.inf
    for choice in itertools.product(range(len(gpus)), repeat=len(shares)):
        load = np.zeros(len(gpus))
        for bucket, gpu in enumerate(choice):
            load[gpu] += shares[bucket] / np.ravel(gpus[gpu]["tputs"])[bucket]
        cost = sum(gpu["cost"] * np.ceil(x - 1e-9) for gpu, x in zip(gpus, load, strict=True))
        least = min(least, cost)
    return least
