"""Readers of published formats, on small texts of each: what is read, and what is refused where."""

from __future__ import annotations

import itertools
import json
import time

import numpy as np
import pytest

from hetopt.errors import InputError
from hetopt.formats import formats, read_instance
from hetopt.solve import solve

FJSP = "2 3\n2 2 0 5 2 4 1 1 3\n1 3 0 1 1 2 2 3\n"
FAJSP = "3 2 2\n0 1\n0 2\n1 0 4\n2 0 3 1 5\n1 1 2\n"
RCMAX = "3 2\n1 2\n3 4\n5 6\n"
GREEN_PM = "3 3 4\n2 1 2\n5 3 5\n6 6 1 6\n"
STG = "2\n0 0 0\n1 4 1 0\n2 3 1 0\n3 0 2 1 2\n# comment\n"
DAG_COMM = "3 2 2\n4 5 6\n0 1 7\n0 2 8\n"
DAG_HETERO = "#critical\n0.0\n#tasks\n0: 3, 4\n1: 5, 6 \n#edges\n0: 0, 1, 7\n#end\n"
DAG_JSON = {"name": "x", "machines": 2, "w": [[3, 4], [5, 6]], "edges": [[0, 1, 7]]}
SAGA = {
    "format": "saga-export-1",
    "tasks": [{"name": "A", "cost": 6.0}, {"name": "B", "cost": 0.0}],
    "nodes": [{"name": "P", "speed": 2.0}, {"name": "Q", "speed": 3.0}],
    "links": [{"source": "P", "target": "Q", "speed": 0.5}],
    "dependencies": [{"source": "A", "target": "B", "size": 4.0}],
}
WF_REDUCED = {
    "name": "w",
    "machines": [{"nodeName": "n", "memoryInBytes": None, "cpu": {"coreCount": 3}}],
    "tasks": [
        {"name": "a", "runtime_s": 5.0, "memory_bytes": 100},
        {"name": "b", "runtime_s": 7, "memory_bytes": None},
        {"name": "b", "runtime_s": 0, "memory_bytes": 1},
    ],
    "edges": [[0, 1, 10], [0, 2, 20]],
}
WF_14 = {
    "name": "w",
    "schemaVersion": "1.3",
    "workflow": {
        "machines": [{"nodeName": "n", "cpu": {"count": 2}}],
        "tasks": [
            {
                "name": "a",
                "runtime": 5.0,
                "memory": 2,
                "parents": [],
                "files": [
                    {"link": "input", "name": "raw", "size": 9},
                    {"link": "output", "name": "f", "size": 10},
                ],
            },
            {
                "name": "b",
                "runtimeInSeconds": 7,
                "memoryInBytes": 30,
                "parents": ["a"],
                "files": [{"link": "input", "name": "f", "sizeInBytes": 10}],
            },
            {
                "name": "c",
                "runtime": 1,
                "parents": ["a", "b"],
                "files": [{"link": "input", "name": "f", "size": 10}],
            },
        ],
    },
}
WF_15 = {
    "name": "w",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "a", "id": "1", "parents": [], "outputFiles": ["f"]},
                {"name": "b", "id": "2", "parents": ["1"], "inputFiles": ["f"]},
                {"name": "b", "id": "3", "parents": ["2"], "inputFiles": []},
            ],
            "files": [{"id": "f", "sizeInBytes": 10}],
        },
        "execution": {
            "tasks": [
                {"id": "3", "runtimeInSeconds": 3},
                {"id": "2", "runtimeInSeconds": 2, "memoryInBytes": 5},
                {"id": "1", "runtimeInSeconds": 1},
            ],
            "machines": [{"nodeName": "n", "cpu": {"coreCount": 4}}, {"nodeName": "m"}],
        },
    },
}
NODE = {"supportedOnFpga": 1, "cpuLatency": 10.0, "fpgaLatency": 1.0, "size": 5.0}
DNN = {
    "maxSizePerFPGA": 8.0,
    "maxFPGAs": 2,
    "maxCPUs": 1,
    "nodes": [
        {"id": 7, **NODE, "colorClass": 1},
        {"id": 3, **NODE, "size": 3.0, "colorClass": 1},
        {"id": 4, **NODE, "supportedOnFpga": False},
    ],
    "edges": [
        {"sourceId": 7, "destId": 3, "cost": 0.5},
        {"sourceId": 7, "destId": 4, "cost": 0.5},
    ],
}
MELANGE = {
    "gpu_info": {
        "A10G": {"cost": 1.01, "tputs": [[2, 1], [5, 0]]},
        "A100": {"cost": 3.67, "tputs": [[20, 20], [40, 20]]},
    },
    "workload_distribution": [[0.2, 0.1], [0.0, 0.7]],
    "total_request_rate": 30.0,
    "slice_factor": 4,
}
SMALL = {
    "fjsp": FJSP,
    "fajsp": FAJSP,
    "green-pm": GREEN_PM,
    "stg": STG,
    "dag-comm": DAG_COMM,
    "dag-hetero": DAG_HETERO,
    "saga": json.dumps(SAGA),
    "wfformat": json.dumps(WF_14),
    "dnn-partitioning": json.dumps(DNN),
    "melange": json.dumps(MELANGE),
}


def edges(instance):
    """Edges as (from, to, bytes), None for precedence."""
    names = instance.tasks.name
    size = [None if t < 0 else float(instance.tensors.bytes_b[t]) for t in instance.edges.tensor]
    ends = zip(instance.edges.src, instance.edges.dst, size, strict=True)
    return [(str(names[a]), str(names[b]), s) for a, b, s in ends]


def times(instance):
    """Times of tasks by device, {task: {device: time}}."""
    found = {}
    for task, name in enumerate(instance.tasks.name):
        chosen = instance.task_options(task)
        devices = instance.devices.name[instance.options.device[chosen]]
        found[str(name)] = {
            str(d): float(t) for d, t in zip(devices, instance.options.time_s[chosen], strict=True)
        }
    return found


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("file", ["-", "x.txt or json", "x.unknown"])
def test_content_tells_the_format(name, file):
    if file == "x.txt or json":
        file = "x.json" if SMALL[name].startswith("{") else "x.txt"
    told = read_instance(file, text=SMALL[name])
    said = read_instance(file, text=SMALL[name], format=name)
    assert times(told) == times(said)
    assert edges(told) == edges(said)


@pytest.mark.parametrize("name", SMALL)
def test_no_other_format_claims_the_content(name):
    assert [f.name for f in formats() if f.sniff(SMALL[name])] == [name]


def test_text_that_fits_two_formats_names_both_and_asks():
    text = "1 6\n1 2 0 3 2 4\n"
    with pytest.raises(InputError, match=r"fjsp, rcmax, flow-shop, jsp; say which one with --from"):
        read_instance("x.txt", text=text)
    assert len(read_instance("x.txt", text=text, format="rcmax").devices) == 6


def test_a_table_of_times_may_be_a_flow_shop_or_unrelated_machines():
    text = "4 3\n3 2 2\n2 1 4\n4 3 1\n5 2 3\n"
    with pytest.raises(InputError, match=r"It may be rcmax, flow-shop; say which one"):
        read_instance("x.txt", text=text)
    times = [[3, 2, 2], [2, 1, 4], [4, 3, 1], [5, 2, 3]]
    shop = read_instance("x.txt", text=text, format="flow-shop")
    assert shop.source.startswith("Read as a file of the format flow-shop;")
    assert shop.source in solve(shop, time_limit=5).notes
    assert solve(shop, time_limit=20).objective == best_flow_shop(times)


def best_flow_shop(time):
    """Least makespan over all orders on each machine."""
    orders = list(itertools.permutations(range(len(time))))
    best = float("inf")
    for chosen in itertools.product(orders, repeat=len(time[0])):
        end = [0.0] * len(time)
        for machine, order in enumerate(chosen):
            free = 0.0
            for job in order:
                end[job] = free = max(free, end[job]) + time[job][machine]
        best = min(best, max(end))
    return best


def test_text_of_no_known_format_names_those_that_have_such_content():
    with pytest.raises(InputError, match=r"It may be yaml, dag-hetero, mrcpsp;"):
        read_instance("x.txt", text="nothing\n")
    with pytest.raises(InputError, match=r"It may be dag-comm, fajsp, fjsp, green-pm, jsp, upmr;"):
        read_instance("x.txt", text="3 4 5\n1 x\n")


def test_a_file_that_names_machine_0_counts_from_0():
    instance = read_instance("x.fjs", text=FJSP)
    assert times(instance) == {
        "J1.1": {"M0": 5.0, "M2": 4.0},
        "J1.2": {"M1": 3.0},
        "J2.1": {"M0": 1.0, "M1": 2.0, "M2": 3.0},
    }
    assert edges(instance) == [("J1.1", "J1.2", None)]
    assert instance.objective == ("makespan",)


def test_a_file_that_names_the_last_machine_counts_from_1():
    instance = read_instance("x.fjs", text="2 3 1.5\n2 2 1 5 3 4 1 2 3\n1 3 1 1 2 2 3 3\n")
    assert times(instance)["J1.1"] == {"M1": 5.0, "M3": 4.0}
    assert times(instance)["J1.2"] == {"M2": 3.0}


def test_a_file_that_names_neither_counts_from_1():
    instance = read_instance("x.fjs", text="1 3\n1 1 1 5\n")
    assert instance.devices.name.tolist() == ["M1", "M2", "M3"]
    assert times(instance)["J1.1"] == {"M1": 5.0}


def test_tasks_of_a_graph_count_from_0_unless_the_last_number_is_named():
    text = "3 1 2\n4 5 6\n1 {} 7\n"
    assert edges(read_instance("x", text=text.format(2))) == [("T1", "T2", 7.0)]
    counted_from_1 = read_instance("x", text=text.format(3))
    assert edges(counted_from_1) == [("T1", "T3", 7.0)]
    assert times(counted_from_1)["T3"] == {"core": 6.0}


def test_comments_and_blank_lines_are_left_out():
    text = "# two jobs\r\n\r\n" + FJSP.replace("\n", "\r\n") + "\r\n"
    assert times(read_instance("x.fjs", text=text)) == times(read_instance("x.fjs", text=FJSP))


def test_arbitrary_precedence():
    instance = read_instance("x", text=FAJSP)
    assert times(instance) == {"O0": {"M0": 4.0}, "O1": {"M0": 3.0, "M1": 5.0}, "O2": {"M1": 2.0}}
    assert edges(instance) == [("O0", "O1", None), ("O0", "O2", None)]


def test_unrelated_machines():
    instance = read_instance("x", text=RCMAX, format="rcmax")
    assert times(instance)["J2"] == {"M1": 3.0, "M2": 4.0}
    assert len(instance.edges) == 0


def test_standard_task_graph_on_the_cores_asked_for():
    instance = read_instance("x.stg", text=STG, platform="cores-3")
    assert instance.devices.count_max.tolist() == [3]
    assert times(instance)["T1"] == {"core": 4.0}
    assert sorted(edges(instance))[0] == ("T0", "T1", None)
    assert len(instance.edges) == 4
    assert read_instance("x.stg", text=STG).devices.count_max.tolist() == [4]


def test_identical_processors_with_communication():
    instance = read_instance("x", text=DAG_COMM)
    assert instance.devices.count_max.tolist() == [2]
    assert edges(instance) == [("T0", "T1", 7.0), ("T0", "T2", 8.0)]
    assert instance.links.bandwidth_b_per_s.tolist() == [1.0]
    assert instance.links.channel_group.tolist() == [-1]


@pytest.mark.parametrize("text", [DAG_HETERO, json.dumps(DAG_JSON)])
def test_heterogeneous_machines_pay_a_cost_between_each_other(text):
    instance = read_instance("x", text=text)
    assert times(instance) == {"T0": {"P0": 3.0, "P1": 4.0}, "T1": {"P0": 5.0, "P1": 6.0}}
    assert edges(instance) == [("T0", "T1", 7.0)]
    ends = zip(instance.links.src, instance.links.dst, strict=True)
    assert [(int(a), int(b)) for a, b in ends] == [(0, 1), (1, 0)]


def test_saga_divides_costs_by_speeds():
    instance = read_instance("x.json", text=json.dumps(SAGA))
    assert times(instance) == {"A": {"P": 3.0, "Q": 2.0}, "B": {"P": 0.0, "Q": 0.0}}
    assert edges(instance) == [("A", "B", 4.0)]
    assert instance.links.bandwidth_b_per_s.tolist() == [0.5, 0.5]


def test_a_reduced_trace_runs_on_as_many_cores_as_its_machines_have():
    instance = read_instance("x.json", text=json.dumps(WF_REDUCED))
    assert instance.devices.count_max.tolist() == [3]
    assert times(instance) == {"a": {"core": 5.0}, "b.1": {"core": 7.0}, "b.2": {"core": 0.0}}
    assert edges(instance) == [("a", "b.1", 10.0), ("a", "b.2", 20.0)]
    assert instance.options.memory_b.tolist() == [100.0, 0.0, 1.0]


def test_a_file_that_two_tasks_read_is_one_tensor():
    instance = read_instance("x.json", text=json.dumps(WF_14))
    assert sorted(edges(instance), key=str) == [
        ("a", "b", 10.0),
        ("a", "c", 10.0),
        ("b", "c", None),
    ]
    assert instance.tensors.name.tolist() == ["f"]
    assert instance.devices.count_max.tolist() == [2]
    assert instance.options.memory_b.tolist() == [2000.0, 30.0, 0.0]


def test_specification_and_execution_are_joined_by_id():
    instance = read_instance("x.json", text=json.dumps(WF_15))
    assert times(instance) == {"a": {"core": 1.0}, "b.1": {"core": 2.0}, "b.2": {"core": 3.0}}
    assert edges(instance) == [("a", "b.1", 10.0), ("b.1", "b.2", None)]
    assert instance.devices.count_max.tolist() == [5]


def test_a_platform_file_gives_devices_speeds_and_powers(tmp_path):
    path = tmp_path / "box.yaml"
    path.write_text(
        "devices:\n"
        "- {name: big, kind: cpu, count: 2, speed: 2.5, active_power: 95 W, idle_power: 20 W}\n"
        "- {name: little, kind: cpu, active_power: 12, idle_power: 2 W, memory: 1 GiB}\n"
        "links:\n"
        "- {from: big, to: little, bandwidth: 1 GB/s, both_ways: true}\n",
        encoding="utf-8",
    )
    instance = read_instance("x.json", text=json.dumps(WF_REDUCED), platform=str(path))
    assert times(instance)["b.1"] == {"big": 2.8, "little": 7.0}
    assert instance.options.energy_j[:2].tolist() == [75 * 2.0, 10 * 5.0]
    assert instance.links.bandwidth_b_per_s.tolist() == [1e9, 1e9]
    assert instance.devices.memory_b.tolist() == [np.inf, 2.0**30]


def test_an_instance_file_is_a_platform(repo_path):
    box = repo_path / "instances" / "edge-box.yaml"
    instance = read_instance("x.stg", text=STG, platform=str(box))
    assert instance.devices.name.tolist() == read_instance(box).devices.name.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("devices: 3\n", "devices"),
        ("devices:\n- {name: a, speed: 0}\n", r":2, devices\[0\].speed: got 0; A number above 0"),
        ("devices:\n- {name: a, speed: fast}\n", r":2.*got fast; A number above 0"),
        ("devices:\n- {name: a, active_power: 3 s}\n", r":2.*active_power: got 3 s"),
        ("devices:\n- {name: a, active_power: 3}\n- {name: b}\n", r":3.*active_power of each"),
        ("devices:\n- {name: a, cores: 3}\n", r":2.*cores"),
        ("devices:\n- {name: a}\nlinks:\n- {from: a, to: z}\n", r":4.*got z"),
    ],
)
def test_a_malformed_platform_is_refused_with_its_line(text, expected, tmp_path):
    path = tmp_path / "box.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=expected):
        read_instance("x.stg", text=STG, platform=str(path))


@pytest.mark.parametrize("platform", ["cores-0", "cores-x", "no-such-file.yaml"])
def test_a_platform_that_is_none_is_refused(platform):
    with pytest.raises(InputError, match=r"--platform: got .*cores-N"):
        read_instance("x.stg", text=STG, platform=platform)


def test_a_format_with_machines_of_its_own_takes_no_platform():
    with pytest.raises(InputError, match="No platform, as fjsp files have their devices"):
        read_instance("x.fjs", text=FJSP, platform="cores-2")


def test_a_network_is_placed_for_throughput():
    instance = read_instance("x.json", text=json.dumps(DNN))
    assert (instance.regime, instance.routing) == ("steady", "single")
    assert instance.objective == ("throughput",)
    assert times(instance) == {
        "7": {"accelerator": 1.0, "cpu": 10.0},
        "3": {"accelerator": 1.0, "cpu": 10.0},
        "4": {"cpu": 10.0},
    }
    assert [group.tolist() for group in instance.together] == [[0, 1]]
    assert instance.tensors.staged.tolist() == [True]
    assert instance.devices.overlap.tolist() == [False, True]
    assert instance.devices.memory_b.tolist() == [8.0, np.inf]
    assert instance.host == 1


@pytest.mark.parametrize(
    ("file", "name"), [("latency/x.json", None), ("x.json", "dnn-latency"), ("-", "dnn-latency")]
)
def test_a_network_is_scheduled_where_its_folder_or_the_format_says_latency(file, name):
    instance = read_instance(file, text=json.dumps(DNN), format=name)
    assert instance.regime == "schedule"
    assert instance.objective == ("makespan",)


def test_a_fleet_has_a_job_for_each_bucket_and_free_counts():
    instance = read_instance("x.json", text=json.dumps(MELANGE))
    assert times(instance) == {
        "in0.out0": {"A10G": 0.5, "A100": 0.05},
        "in0.out1": {"A10G": 1.0, "A100": 0.05},
        "in1.out1": {"A100": 0.05},
    }
    assert instance.jobs.rate_per_s.tolist() == [0.2 * 30.0, 0.1 * 30.0, 0.7 * 30.0]
    assert instance.devices.count_min.tolist() == [0, 0]
    assert instance.devices.count_max.tolist() == [-1, -1]
    assert instance.devices.price_per_s.tolist() == [1.01, 3.67]


def test_the_command_line_takes_a_format_and_a_platform(tmp_path):
    from typer.testing import CliRunner

    from hetopt.cli.app import app

    path, out = tmp_path / "graph", tmp_path / "out.yaml"
    path.write_text(STG, encoding="utf-8")
    flags = ["--from", "stg", "--platform", "cores-7"]
    done = CliRunner().invoke(app, ["convert", str(path), *flags, "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert read_instance(out).devices.count_max.tolist() == [7]
    refused = CliRunner().invoke(app, ["solve", str(path), "--from", "rcmax"])
    assert refused.exit_code == 2
    assert f"{path}:1" in refused.output


def changed(document, *path, value):
    """Text of a document with one field changed, or left out where the value is ``...``."""
    copy = json.loads(json.dumps(document))
    part = copy
    for key in path[:-1]:
        part = part[key]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return json.dumps(copy)


MALFORMED = [
    ("fjsp", "2 3\n1 1 0 5\n", r"x:2: got 1; 2 lines of jobs"),
    ("fjsp", "1 3\n1 1 0 5\n1 1 0 5\n", r"x:3: got 1 more line; The end of the file"),
    ("fjsp", "1\n", r"x:1: got 1 number; 2 numbers: number of jobs, number of machines"),
    ("fjsp", "0 2\n", r"x:1: got 0; The number of jobs, a whole number from 1 to 10,000,000"),
    ("fjsp", "1 2\n1 1 0 x\n", r"x:2: got x; A number is expected"),
    ("fjsp", "1 2\n1 1 0 nan\n", r"x:2: got nan; A number is expected"),
    ("fjsp", "1 2\n2 1 0 5\n", r"x:2: 2 operations, but the line ends after 1"),
    ("fjsp", "1 2\n1 2 0 5 1\n", r"x:2: got 3 numbers; 2 pairs of machine and time"),
    ("fjsp", "1 2\n1 1 0 5 9\n", r"x:2: got 1 more number; The end of the line"),
    ("fjsp", "1 2\n1 0\n", r"x:2: got 0; How many machines can run operation 1"),
    ("fjsp", "1 2\n1.5 1 0 5\n", r"x:2: got 1.5; The number of operations"),
    ("fjsp", "1 2\n1 1 3 5\n", r"x:2: got 3; One of 2 machines"),
    ("fjsp", "2 2\n1 1 0 5\n\n1 1 2 5\n", r"x:4: got 2; At most 1: line 2 names machine 0"),
    ("fjsp", "1 2\n1 1 0 -5\n", r"x:2: got -5; A time of at least 0"),
    ("fjsp", "1 2\n1 2 0 5 0 4\n", r"x:2: got 0; Each machine once"),
    ("fajsp", "2 1 2\n0 1\n1 0 4\n", r"x:3: got 1; 2 lines of operations after 1 arcs"),
    ("fajsp", "2 1 2\n0 2\n1 0 4\n1 0 4\n", r"x:2: got 2; At most 1: line 2 names operation 0"),
    ("fajsp", "2 1 2\n0 1 1\n1 0 4\n1 0 4\n", r"x:2: got 3 numbers; 2 numbers: an arc"),
    ("fajsp", "2 2 2\n0 1\n1 0\n1 0 4\n1 0 4\n", r"x.*cycle"),
    ("fajsp", "2 1\n", r"x:1: got 2 numbers; 3 numbers: number of operations"),
    ("rcmax", "2 2\n1 2\n", r"x:2: got 1 line; 2 lines, each the times of one job"),
    ("rcmax", "2 2\n1 2\n3\n", r"x:3: got 1 number; 2 numbers"),
    ("rcmax", "1 2\n1 -2\n", r"x:2: got -2; A time of at least 0"),
    ("rcmax", "1 2\n1 2\n3 4\n", r"x:3: got 1 more line"),
    ("flow-shop", "2 2\n1 2\n3\n", r"x:3: got 1 number; 2 numbers"),
    ("flow-shop", "1 2\n1 -2\n", r"x:2: got -2; A time of at least 0"),
    ("rcmax", "one two\n", r"x:1: got one; A number is expected"),
    ("green-pm", "3 3\n", r"x:1: got 2 numbers; 3 numbers: number of jobs, number of machines"),
    ("green-pm", "3 3 0\n2 1 2\n", r"x:1: got 0; The number of slots, a whole number"),
    ("green-pm", "3 3 4\n2 1\n", r"x:2: got 2 numbers; 3 numbers: the times of the jobs"),
    ("green-pm", "3 3 4\n2 1 2\n5 3 -5\n", r"x:3: got -5; Powers of the machines of at least 0"),
    ("green-pm", "3 3 4\n2 1 2\n5 3 5\n", r"x:3: got 0 lines; 1 lines, each the prices"),
    ("green-pm", GREEN_PM + "9\n", r"x:5: got 1 more line; The end of the file"),
    ("green-pm", GREEN_PM.replace("6 6", "6 six"), r"x:4: got six; A number"),
    ("stg", "2\n0 0 0\n1 4 1 0\n", r"x:3: got 2; 4 lines of tasks"),
    ("stg", STG.replace("1 4 1 0", "5 4 1 0"), r"x:3: got 5; Task 1"),
    ("stg", STG.replace("1 4 1 0", "1 4 2 0"), r"x:3: got 2; 1 as the number of predecessors"),
    ("stg", STG.replace("1 4 1 0", "1 4 1 9"), r"x:3: got 9; A task from 0 to 3"),
    ("stg", STG.replace("1 4 1 0", "1 -4 1 0"), r"x:3: got -4; A time of at least 0"),
    ("stg", STG.replace("1 4 1 0", "1 4"), r"x:3: got 2 numbers; Task, time, number"),
    ("stg", STG.replace("1 4 1 0", "1 4 1 3"), r"cycle"),
    ("dag-comm", "2 1 2\n4\n0 1 7\n", r"x:2: got 1 number; 2 numbers: the weights"),
    ("dag-comm", "2 1 2\n4 5\n0 1\n", r"x:3: got 2 numbers; 3 numbers: an edge"),
    ("dag-comm", "2 1 0\n4 5\n0 1 7\n", r"x:1: got 0; The number of processors"),
    ("dag-comm", "2 1 2\n4 5\n0 3 7\n", r"x:3: got 3; One of 2 tasks"),
    ("dag-comm", "2 1 2\n4 -5\n0 1 7\n", r"x:2: got -5; A weight of at least 0"),
    ("dag-comm", "2 1 2\n4 5\n0 1 -7\n", r"x:3: got -7; A communication cost"),
    ("dag-comm", "2 2 2\n4 5\n0 1 7\n1 0 7\n", r"cycle"),
    ("dag-hetero", "#edges\n0: 0, 1, 7\n", r"x: A section #tasks"),
    ("dag-hetero", DAG_HETERO.replace("1: 5, 6", "1: 5"), r"x:5: got 2 numbers; 3 numbers"),
    ("dag-hetero", DAG_HETERO.replace("1: 5", "2: 5"), r"x:5: got 2; Task 1"),
    ("dag-hetero", DAG_HETERO.replace("0, 1, 7", "0, 2, 7"), r"x:7: got 0, 2; Tasks 0 to 1"),
    ("dag-hetero", DAG_HETERO.replace("0, 1, 7", "0, 1"), r"x:7: got 3 numbers; 4 numbers"),
    ("dag-hetero", DAG_HETERO.replace("0, 1, 7", "0, 1, -7"), r"x:7: got -7; A cost"),
    ("dag-hetero", DAG_HETERO.replace("5, 6", "5, six"), r"x:5: got six; A number"),
    ("dag-hetero", changed(DAG_JSON, "w", 1, value=[5]), r"w\[1\]: got 1 number; 2 times"),
    ("dag-hetero", changed(DAG_JSON, "w", 1, 0, value=-1), r"w\[1\]\[0\]: got -1; A number"),
    ("dag-hetero", changed(DAG_JSON, "edges", 0, value=[0, 1]), r"edges\[0\]: got \[0, 1\]"),
    ("dag-hetero", changed(DAG_JSON, "edges", 0, 1, value=2), r"edges\[0\]\[1\]: got 2; A task"),
    ("dag-hetero", changed(DAG_JSON, "machines", value=...), r"machines: A number"),
    ("saga", changed(SAGA, "format", value="2"), r'format: got 2; "saga-export-1"'),
    ("saga", changed(SAGA, "nodes", 0, "speed", value=0), r"nodes\[0\].speed: got 0; .* above 0"),
    ("saga", changed(SAGA, "tasks", 0, "cost", value=...), r"tasks\[0\].cost: A number"),
    ("saga", changed(SAGA, "tasks", 1, "name", value="A"), r"tasks\[1\].name: got A; Each name"),
    ("saga", changed(SAGA, "links", 0, "target", value="R"), r"links\[0\].target: got R; A node"),
    ("saga", changed(SAGA, "dependencies", value=3), r"dependencies: got 3; A list"),
    ("saga", '{"tasks": [', r"x:1, column 12: JSON is expected"),
    ("wfformat", changed(WF_REDUCED, "tasks", value=[]), r"tasks: got \[\]; A list of at least 1"),
    ("wfformat", changed(WF_REDUCED, "tasks", 0, "runtime_s", value=-1), r"tasks\[0\].runtime_s"),
    ("wfformat", changed(WF_REDUCED, "edges", 0, 1, value=3), r"edges\[0\]\[1\]: got 3; A task"),
    ("wfformat", changed(WF_REDUCED, "edges", 0, value=[1]), r"edges\[0\]: got \[1\]"),
    ("wfformat", changed(WF_14, "workflow", "tasks", 1, "parents", value=["z"]), r"got z; A task"),
    (
        "wfformat",
        changed(WF_14, "workflow", "tasks", 0, "files", 0, "link", value="in"),
        r"workflow.tasks\[0\].files\[0\].link: got in; input or output",
    ),
    (
        "wfformat",
        changed(WF_15, "workflow", "execution", "tasks", 1, "id", value="9"),
        r"workflow.specification.tasks\[1\].id: got 2; A task that workflow.execution",
    ),
    (
        "wfformat",
        changed(WF_15, "workflow", "specification", "files", value=[]),
        r"tasks\[0\].outputFiles\[0\]: got f; A file",
    ),
    ("dnn-partitioning", changed(DNN, "maxFPGAs", value=...), r"maxFPGAs: A number"),
    ("dnn-partitioning", changed(DNN, "nodes", 1, "id", value=7), r"nodes\[1\].id: got 7; Each id"),
    ("dnn-partitioning", changed(DNN, "edges", 1, "destId", value=5), r"edges\[1\].destId: got 5"),
    ("dnn-partitioning", changed(DNN, "edges", 1, "cost", value=2), r"edges\[1\].cost: got 2.0; 0"),
    ("dnn-partitioning", changed(DNN, "nodes", 0, "size", value="x"), r"nodes\[0\].size: got x"),
    ("melange", changed(MELANGE, "gpu_info", value={}), r"gpu_info: At least one GPU"),
    ("melange", changed(MELANGE, "total_request_rate", value=0), r"total_request_rate: got 0"),
    (
        "melange",
        changed(MELANGE, "gpu_info", "A10G", "tputs", value=[[1, 2]]),
        r"gpu_info.A10G.tputs: got 1 × 2 numbers; 2 × 2 numbers",
    ),
    (
        "melange",
        changed(MELANGE, "gpu_info", "A100", "tputs", 1, 1, value=0),
        r"workload_distribution\[1\]\[1\]: got 0.7; A GPU whose tputs",
    ),
    (
        "melange",
        changed(MELANGE, "workload_distribution", 0, value=[0.2]),
        r"workload_distribution\[1\]: got 2 numbers; 1 number,",
    ),
    ("melange", changed(MELANGE, "slice_factor", value=0.5), r"slice_factor: got 0.5"),
]


@pytest.mark.parametrize(("name", "text", "expected"), MALFORMED)
def test_a_malformed_file_is_refused_where_it_is_wrong(name, text, expected):
    with pytest.raises(InputError, match=expected) as caught:
        read_instance("x", text=text, format=name)
    for problem in caught.value.problems:
        assert problem.place.startswith("x")
        assert problem.expected.endswith((".", "?"))


def test_the_time_to_read_a_graph_grows_with_its_size_and_not_faster():
    def seconds(tasks):
        tree = "\n".join(f"{i // 2} {i} 7" for i in range(1, tasks))
        text = f"{tasks} {tasks - 1} 2\n{' 3' * tasks}\n{tree}\n"
        began = time.process_time()
        assert len(read_instance("x", text=text, format="dag-comm").tasks) == tasks
        return time.process_time() - began

    seconds(10)
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.02)


def test_every_text_format_is_refused_at_the_line_of_every_mistake():
    with pytest.raises(InputError) as caught:
        read_instance("x", text="2 2\n1 -2\n-3 4\n", format="rcmax")
    assert [p.place for p in caught.value.problems] == ["x:2", "x:3"]
