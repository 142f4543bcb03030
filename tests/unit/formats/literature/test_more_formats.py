"""Formats that people have: job shops, shops in JSON, Patterson projects, SAGA's own files."""

from __future__ import annotations

import json

import pytest

from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.solve import solve

JSP = "4 3\n0 3 1 2 2 2\n0 2 2 1 1 4\n1 4 2 3 0 1\n2 5 0 2 1 3\n"
TAILLARD = "4 3\n3 2 2\n2 1 4\n4 3 1\n5 2 3\n1 2 3\n1 3 2\n2 3 1\n3 1 2\n"
MATRICES = {
    "name": "x",
    "machines_matrix": [[0, 1, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1]],
    "duration_matrix": [[3, 2, 2], [2, 1, 4], [4, 3, 1], [5, 2, 3]],
}
PAIRS = list(zip(MATRICES["machines_matrix"], MATRICES["duration_matrix"], strict=True))
OBJECTS = {
    "jobs": [
        {"operations": [{"machine": m, "duration": t} for m, t in zip(ms, ts, strict=True)]}
        for ms, ts in PAIRS
    ]
}
ALTERNATIVES = {
    "jobs": [
        [[{"machine": f"m{m}", "processing_time": t}] for m, t in zip(ms, ts, strict=True)]
        for ms, ts in PAIRS
    ]
}
BY_MACHINE = {
    "jobs": [
        {"tasks": [{"machines": {str(m + 1): t}} for m, t in zip(ms, ts, strict=True)]}
        for ms, ts in PAIRS
    ]
}
LIBRARY = {  # the layout of the flexible job shops of SchedulingLab
    "machines": 3,
    "jobs": [
        [[{"machine": m, "processing": t}] for m, t in zip(ms, ts, strict=True)] for ms, ts in PAIRS
    ],
}
RCP = "5 2\n3 1\n0 0 0 2 2 3\n4 2 1 1 4\n3 2 0\n1 4\n2 1 1 1 5\n0 0 0 0\n"
SAGA_OWN = {
    "name": "diamond",
    "task_graph": {
        "tasks": [{"name": "A", "cost": 6.0}, {"name": "B", "cost": 2.0}],
        "dependencies": [{"source": "A", "target": "B", "size": 4.0}],
    },
    "network": {
        "nodes": [{"name": "P", "speed": 1.0}, {"name": "Q", "speed": 2.0}],
        "edges": [
            {"source": "P", "target": "P", "speed": None},
            {"source": "P", "target": "Q", "speed": 0.5},
        ],
    },
}


@pytest.mark.parametrize(
    "text",
    [JSP, TAILLARD, JSP.replace("2 2\n", "2 2 -1 -1\n", 1), *map(json.dumps, (MATRICES, OBJECTS))],
)
def test_a_job_shop_has_its_optimum_in_every_form(text) -> None:
    name = "x.json" if text.startswith("{") else "x.txt"
    solution = solve(read_instance(name, text=text), time_limit=10)
    assert (solution.status, solution.objective) == ("optimal", 13)


@pytest.mark.parametrize("data", [ALTERNATIVES, BY_MACHINE, LIBRARY])
def test_choices_of_machines_are_read_by_name_and_by_number(data) -> None:
    one = read_instance("x.json", text=json.dumps(OBJECTS))
    other = read_instance("x.json", text=json.dumps(data))
    assert other.options.time_s.tolist() == one.options.time_s.tolist()
    pattern = [one.options.device.tolist().index(d) for d in one.options.device]
    assert [other.options.device.tolist().index(d) for d in other.options.device] == pattern


def test_a_job_may_come_back_to_a_machine_and_have_any_length() -> None:
    instance = read_instance("x.jsp", text="2 2\n0 1 1 2 0 3\n1 4\n")
    assert instance.options.time_s.tolist() == [1, 2, 3, 4]
    assert [str(instance.devices.name[d]) for d in instance.options.device] == [
        *("M0", "M1", "M0", "M1")
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.jsp", "2 2\n0 1 1\n1 4\n", r"x\.jsp:2: got 3 numbers; Pairs of machine and time"),
        ("x.jsp", "2 2\n0 1 3 2\n1 4\n", r"x\.jsp:2: got 3; One of 2 machines"),
        ("x.jsp", "3 2\n0 1\n1 4\n", r"3 lines of jobs"),
        ("x.jsp", "2 2\n0 1\n1 -4\n", r"x\.jsp:3: got -4; A time of at least 0"),
        ("x.rcp", RCP[:-8], r"the end of the file; "),
        ("x.rcp", RCP.replace("1 5\n", "1 9\n"), r"got 9; A successor of activity 4"),
        ("x.rcp", RCP + "7\n", r"got 7; The end of the file after 5 activities"),
    ],
)
def test_what_is_wrong_is_named_by_line(name, text, message) -> None:
    with pytest.raises(InputError, match=message):
        read_instance(name, text=text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["duration_matrix"].pop(), "3 jobs; 4 jobs"),
        (lambda d: d["duration_matrix"][1].pop(), "2 operations; 3 operations"),
        (lambda d: d["machines_matrix"][0].__setitem__(1, 1.5), "A machine: a whole number"),
        (lambda d: d["duration_matrix"][0].__setitem__(1, -2), "at least 0"),
    ],
)
def test_what_is_wrong_in_matrices_is_named_by_path(change, message) -> None:
    data = json.loads(json.dumps(MATRICES))
    change(data)
    with pytest.raises(InputError, match=message):
        read_instance("x.json", text=json.dumps(data))


def test_a_patterson_project_is_read_also_with_wrapped_lines() -> None:
    instance = read_instance("x.rcp", text=RCP)
    assert instance.resources.capacity.tolist() == [3, 1]
    assert len(instance.edges.src) == 5
    # 2 and 3 together ask for 4 of 3: one after the other, then 4.
    assert solve(instance, time_limit=10).objective == 9


def test_saga_own_files_and_exports_are_the_same_problem() -> None:
    own = read_instance("x.json", text=json.dumps(SAGA_OWN))
    flat = {
        "tasks": SAGA_OWN["task_graph"]["tasks"],
        "dependencies": SAGA_OWN["task_graph"]["dependencies"],
        "nodes": SAGA_OWN["network"]["nodes"],
        "links": SAGA_OWN["network"]["edges"][1:],
    }
    export = read_instance("x.json", text=json.dumps(flat))
    assert own.options.time_s.tolist() == export.options.time_s.tolist()
    assert own.links.bandwidth_b_per_s.tolist() == export.links.bandwidth_b_per_s.tolist()


def test_places_in_saga_own_files_are_those_of_the_file() -> None:
    data = json.loads(json.dumps(SAGA_OWN))
    data["task_graph"]["dependencies"][0]["target"] = "A"
    with pytest.raises(InputError, match=r"task_graph\.dependencies\[0\]"):
        read_instance("x.json", text=json.dumps(data))


def test_doubled_entries_of_a_trace_count_once_and_contradictions_are_refused() -> None:
    task = {"name": "a", "id": "1", "parents": [], "outputFiles": ["f", "f"]}
    after = {"name": "b", "id": "2", "parents": ["1", "1"], "inputFiles": ["f", "f"]}
    ran = [{"id": i, "runtimeInSeconds": 2} for i in ("1", "2", "2")]
    files = [{"id": "f", "sizeInBytes": 5}] * 2
    data = {
        "name": "w",
        "schemaVersion": "1.6",
        "workflow": {
            "specification": {"tasks": [task, task, after], "files": files},
            "execution": {"tasks": ran},
        },
    }
    instance = read_instance("w.json", text=json.dumps(data))
    assert len(instance.tasks) == 2
    assert len(instance.edges.src) == 1
    ran[2] = {"id": "2", "runtimeInSeconds": 3}
    with pytest.raises(InputError, match="Each task once, or the same twice"):
        read_instance("w.json", text=json.dumps(data))


FJSP = "2 3 1,5\n2 2 1 5 2 4 1 1 3 // chain\n1 3\n1 1 2 2 3 3\n"


def test_a_flexible_job_shop_may_be_wrapped_and_commented() -> None:
    instance = read_instance("x.fjs", text=FJSP)
    assert instance.options.time_s.tolist() == [5, 4, 3, 1, 2, 3]
    assert len(read_instance("x.txt", text=FJSP).tasks) == 3


@pytest.mark.parametrize(
    ("name", "text", "named", "not_named"),
    [
        ("x.txt", "3 3 9\n1 2\n", "upmr", "rcmax"),
        ("x.txt", "3 3\n1 2\n", "rcmax", "fajsp"),
        ("x.data", '{"a": 1}', "saga", "fjsp"),
        ("x.data", "hello world\n", "mrcpsp", "saga"),
    ],
)
def test_an_unknown_file_is_refused_with_formats_that_could_be_meant(
    name, text, named, not_named
) -> None:
    with pytest.raises(InputError) as error:
        read_instance(name, text=text)
    assert named in str(error.value)
    assert not_named not in str(error.value)


def test_a_count_beyond_all_machines_is_refused_before_each_gets_a_name() -> None:
    with pytest.raises(InputError, match="number of machines, a whole number from 1 to"):
        read_instance("x.txt", text="1 18446744073709551616\n1 1 0 5\n", format="fjsp")
