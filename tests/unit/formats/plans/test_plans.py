"""Plans and results in files: what is written is read again, and every mistake is named."""

from __future__ import annotations

import copy
import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames, read_instance
from hetopt.errors import InputError
from hetopt.formats import write_instance
from hetopt.formats.plans import (
    large_schedules,
    plan_from_dict,
    plan_to_dict,
    read_plan,
    read_result,
    solution_to_dict,
    write_result,
    write_solution,
)
from hetopt.solution import (
    DIRECT,
    READ,
    WRITE,
    HistoryEntry,
    Hops,
    SchedulePlan,
    Solution,
    SteadyPlan,
)


def make(settings, **tables):
    return from_frames({k: pd.DataFrame(v) for k, v in tables.items()}, settings)


def same(left, right):
    """Whether two plans are equal, column by column."""
    for field in dataclasses.fields(left):
        a, b = getattr(left, field.name), getattr(right, field.name)
        if a is None or isinstance(a, Hops):
            equal = same(a, b) if isinstance(a, Hops) else b is None
        else:
            equal = np.array_equal(a, b) and a.dtype == b.dtype
        if not equal:
            return False
    return True


@pytest.fixture
def platform():
    return {
        "devices": [
            {"name": "cpu"},
            {"name": "gpu", "count_min": 2, "count_max": 2},
            {"name": "npu", "count_min": 1, "count_max": 3},
        ],
        "options": [
            {"profile": p, "device": d, "label": label, "time_s": 1.0, "energy_j": 1.0}
            for p in ("p", "q")
            for d, label in (("cpu", ""), ("gpu", "fp16"), ("gpu", "fp32"), ("npu", "int8"))
        ],
    }


@pytest.fixture
def graph(platform):
    """Four tasks; a staged tensor, two messages between the same tasks, parallel links."""
    return make(
        {"host": "cpu"},
        links=[
            {"from": "gpu", "to": "npu", "bandwidth_b_per_s": 10.0, "latency_s": 0.5},
            {"from": "gpu", "to": "npu", "bandwidth_b_per_s": 20.0, "latency_s": 0.25},
            {"from": "gpu", "to": "cpu"},
            {"from": "cpu", "to": "npu"},
        ],
        tasks=[{"name": t, "profile": "pq"[i % 2]} for i, t in enumerate("abcd")],
        transfers=[
            {"from": "a", "to": "b", "bytes": 10.0, "tensor": "w", "staged": True},
            {"from": "a", "to": "c", "bytes": 10.0, "tensor": "w", "staged": True},
            {"from": "b", "to": "d", "bytes": 1.0},
            {"from": "b", "to": "d", "bytes": 2.0},
            {"from": "c", "to": "d"},
        ],
        **platform,
    )


@pytest.fixture
def plan():
    rows = [
        (0, WRITE, 0, -1, 0, 2, 1.0),
        (0, READ, 2, 0, 0, 3, 2.0),
        (0, READ, 2, 1, 0, 3, 2.5),
        (2, DIRECT, 2, 1, 0, 1, 5.0),
        (1, DIRECT, 2, 1, 0, 0, 5.125),
    ]
    columns = [np.array(c) for c in zip(*rows, strict=True)]
    hops = Hops(*columns)
    return SchedulePlan(
        np.array([1, 6, 3, 7]), np.array([1, 0, 0, 1]), np.array([0, 3, 4.1, 9.0]), hops
    )


@pytest.fixture
def streams(platform):
    return make(
        {"objective": ["cost", "power"]},
        tasks=[
            {"name": "a", "profile": "p", "job": "x"},
            {"name": "b", "profile": "q", "job": "x"},
            {"name": "c", "profile": "q", "job": "y"},
        ],
        jobs=[{"name": "x", "rate_per_s": 2.0}, {"name": "y", "rate_per_s": 3.0}],
        **platform,
    )


@pytest.fixture
def steady_plan():
    return SteadyPlan(
        route_job=np.array([0, 1, 0]),
        rate_per_s=np.array([1.5, 3.0, 0.5]),
        ptr=np.array([0, 2, 3, 5]),
        task=np.array([0, 1, 2, 0, 1]),
        option=np.array([1, 7, 4, 0, 4]),
        unit=np.array([1, -1, 0, -1, -1]),
        units_on=np.array([1, 2, 0]),
        units_had=np.array([1, 2, 1]),
    )


def solution(plan, names=("energy",), objectives=(4.0,), bounds=(3.0,), **more):
    return Solution(
        **{
            "status": "feasible",
            "termination": "time_limit",
            "method": "cpsat",
            "wall_time_s": 1.5,
            "verified": True,
            "seed": 7,
            "version": "0",
            "objective_names": names,
            "objectives": objectives,
            "bounds": bounds,
            "plan": plan,
            **more,
        }
    )


def test_a_schedule_is_written_by_name(graph, plan):
    written = plan_to_dict(graph, plan)
    assert written["assignments"][1] == {
        "task": "b",
        "device": "gpu",
        "unit": "gpu#0",
        "option": "fp32",
        "start_s": 3.0,
        "end_s": 4.0,
    }
    assert written["transfers"][0] == {
        "tensor": "w",
        "from": "a",
        "to": ["b", "c"],
        "edge": None,
        "leg": "write",
        "unit": None,
        "hop": 0,
        "link": "gpu->cpu",
        "link_index": 2,
        "start_s": 1.0,
        "end_s": 1.0,
    }
    assert written["transfers"][3] == {
        "tensor": None,
        "from": "b",
        "to": ["d"],
        "edge": 3,
        "leg": "direct",
        "unit": "npu#1",
        "hop": 0,
        "link": "gpu->npu",
        "link_index": 1,
        "start_s": 5.0,
        "end_s": 5.0 + 0.25 + 2 / 20,
    }


def test_a_steady_plan_is_written_by_name(streams, steady_plan):
    written = plan_to_dict(streams, steady_plan)
    assert written["units"][1] == {"device": "gpu", "had": 2, "on": 2}
    assert written["routes"][0] == {
        "job": "x",
        "rate_per_s": 1.5,
        "tasks": [
            {"task": "a", "device": "gpu", "unit": "gpu#1", "option": "fp16"},
            {"task": "b", "device": "npu", "unit": None, "option": "int8"},
        ],
    }


def test_what_is_written_is_read_again(graph, plan, streams, steady_plan):
    assert same(plan_from_dict(graph, json.loads(json.dumps(plan_to_dict(graph, plan)))), plan)
    again = plan_from_dict(streams, json.loads(json.dumps(plan_to_dict(streams, steady_plan))))
    assert same(again, steady_plan)


def test_assignments_may_stand_in_any_order(graph, plan):
    written = plan_to_dict(graph, plan)
    written["assignments"].reverse()
    assert same(plan_from_dict(graph, written), plan)


@pytest.mark.parametrize("name", ["plan.json", "folder"])
def test_results_on_disk_are_read_again_with_what_they_claim(
    tmp_path, name, graph, plan, streams, steady_plan
):
    write_solution(tmp_path / name, graph, solution(plan))
    found = read_result(graph, tmp_path / name)
    assert same(found.plan, plan)
    assert (found.claimed, found.bounds) == ({"energy": 4.0}, {"energy": 3.0})
    assert found.status == "feasible"
    write_solution(tmp_path / name, streams, solution(steady_plan))
    assert same(read_plan(streams, tmp_path / name), steady_plan)
    left_over = [p.name for p in tmp_path.rglob("*") if p.name.startswith(".")]
    assert left_over == []


def test_a_folder_holds_tables_and_a_result_without_the_plan(tmp_path, graph, plan):
    write_solution(tmp_path / "out", graph, solution(plan))
    table = pd.read_parquet(tmp_path / "out" / "assignments.parquet")
    assert table["unit"].tolist() == ["gpu#1", "gpu#0", "npu#0", "npu#1"]
    assert len(pd.read_parquet(tmp_path / "out" / "transfers.parquet")) == 5
    assert "plan" not in json.loads((tmp_path / "out" / "result.json").read_text())


@pytest.mark.parametrize("rows", [1, 3, 50_000])
def test_a_plan_in_pieces_is_the_same_object(tmp_path, monkeypatch, graph, plan, rows):
    monkeypatch.setattr(large_schedules, "PIECE_ROWS", rows)
    monkeypatch.setattr(large_schedules, "LARGE_ROWS", 0)
    found = solution(plan)
    assert large_schedules.is_large(found)
    text = "".join(large_schedules.json_pieces(graph, found))
    whole = solution_to_dict(graph, found)
    assert json.loads(text) == json.loads(json.dumps(whole))
    for place in (tmp_path / "result.json", tmp_path / "tables"):
        write_solution(place, graph, found)
        assert same(read_plan(graph, place), plan)


def test_a_plan_without_transfers_and_tasks_is_written_in_pieces_too(graph, plan):
    bare = dataclasses.replace(plan, option=np.full(4, -1), hops=Hops.empty())
    read = json.loads("".join(large_schedules.json_pieces(graph, solution(bare))))
    assert read["plan"] == {"assignments": [], "transfers": []}


@pytest.mark.parametrize("name", ["big0.1", "run-2026.11.30", "plain", "named.json/"])
def test_a_name_without_an_extension_is_a_folder(tmp_path, graph, plan, name):
    place = f"{tmp_path}/{name}"
    write_solution(place, graph, solution(plan))
    assert (tmp_path / name / "assignments.parquet").exists()
    write_instance(graph, place + "x" if not name.endswith("/") else f"{tmp_path}/i.yaml/")
    assert len(list(tmp_path.rglob("tasks.parquet"))) == 1


def test_a_bare_plan_and_its_text_are_read_too(tmp_path, graph, plan):
    text = json.dumps(plan_to_dict(graph, plan))
    assert same(read_plan(graph, text), plan)
    (tmp_path / "bare.json").write_text(text)
    found = read_result(graph, tmp_path / "bare.json")
    assert same(found.plan, plan)
    assert (found.claimed, found.status) == ({}, "")


def test_a_result_has_the_keys_of_the_design_and_no_nan(graph, plan):
    result = solution_to_dict(
        graph,
        solution(
            plan,
            bounds=(math.nan,),
            quantities={"peak": np.float64(math.inf), "rows": [{"n": np.int64(2)}]},
            history=(HistoryEntry(0.5, 5.0, math.nan),),
            notes=("A note.",),
        ),
    )
    wanted = (
        "status termination objective_name objective bound gap wall_time_s method verified seed "
        "version plan"
    )
    assert set(wanted.split()) <= set(result)
    assert (result["objective_name"], result["objective"]) == ("energy", 4.0)
    assert result["bound"] is result["gap"] is None
    assert result["history"] == [{"time_s": 0.5, "objective": 5.0, "bound": None}]
    assert result["quantities"] == {"peak": None, "rows": [{"n": 2}]}
    json.dumps(result, allow_nan=False)


def test_a_list_of_objectives_makes_lists(graph, plan):
    found = solution(plan, ("energy", "makespan"), (4.0, 2.0), (4.0, 1.0))
    result = solution_to_dict(graph, found)
    assert result["objective_name"] == ["energy", "makespan"]
    assert (result["objective"], result["bound"]) == ([4.0, 2.0], [4.0, 1.0])
    assert result["gap"] == [0.0, 0.5]
    assert read_result(graph, json.dumps(result)).bounds == {"energy": 4.0, "makespan": 1.0}


def test_without_a_plan_the_plan_is_null_and_reading_says_so(graph):
    result = solution_to_dict(graph, solution(None, objectives=(math.nan,)))
    assert result["plan"] is None
    with pytest.raises(InputError, match=r'holds no plan \(status "feasible"\)'):
        read_plan(graph, json.dumps(result))


def test_a_task_that_is_left_out_is_for_the_checker_to_report(graph, plan, streams, steady_plan):
    written = plan_to_dict(graph, plan)
    del written["assignments"][2]
    assert plan_from_dict(graph, written).option.tolist() == [1, 6, -1, 7]
    written = plan_to_dict(streams, steady_plan)
    del written["routes"][0]["tasks"][0]
    assert plan_from_dict(streams, written).option.tolist() == [-1, 7, 4, 0, 4]


def test_what_follows_from_the_rest_may_be_left_out(graph, plan, streams, steady_plan):
    written = plan_to_dict(graph, plan)
    for row in written["assignments"]:
        del row["end_s"]
    del written["assignments"][2]["option"]  # the only one on the npu
    for row in written["transfers"]:
        del row["end_s"], row["hop"]
    for row in written["transfers"][:3]:
        del row["link_index"], row["edge"]  # told by name
    assert same(plan_from_dict(graph, written), plan)
    written = plan_to_dict(streams, steady_plan)
    del written["units"][2]  # one had, none on
    del written["units"][1]["had"]
    assert same(plan_from_dict(streams, written), steady_plan)


SCHEDULE_MISTAKES = [
    ("assignments.0.task", "z", "assignments[0].task", "The name of a task of the instance"),
    ("assignments.0.task", None, "assignments[0].task", "is missing"),
    ("assignments.1.task", "a", "assignments[1].task", "assignments[0] has it too"),
    ("assignments.0.device", "gpx", "assignments[0].device", "did you mean gpu?"),
    ("assignments.0.device", "npu", "assignments[0].unit", "A unit of device npu"),
    ("assignments.0.unit", "gpu1", "assignments[0].unit", "# and a number"),
    ("assignments.0.unit", "gpu#-1", "assignments[0].unit", "# and a number"),
    ("assignments.0.unit", 1, "assignments[0].unit", "# and a number"),
    ("assignments.0.option", "fp8", "assignments[0].option", 'there: "fp16", "fp32"'),
    ("assignments.0.option", None, "assignments[0].option", 'there: "fp16", "fp32"'),
    ("assignments.0.start_s", "0", "assignments[0].start_s", "A finite number"),
    ("assignments.0.start_s", 10**400, "assignments[0].start_s", "A finite number"),
    ("assignments.0.start_s", math.inf, "assignments[0].start_s", "A finite number"),
    ("transfers.0.start_s", 10**400, "transfers[0].start_s", "A finite number"),
    ("assignments.0.start_s", True, "assignments[0].start_s", "A finite number"),
    ("assignments.0.colour", "red", "assignments[0].colour", "Fields here are task, device"),
    ("assignments.0", 3, "assignments[0]", "An object"),
    ("assignments", {}, "assignments", "A list"),
    ("moves", [], "moves", "assignments and transfers only"),
    ("transfers.0.tensor", "v", "transfers[0].tensor", "The name of a tensor"),
    ("transfers.0.from", "b", "transfers[0].from", "producer is a"),
    ("transfers.0.leg", "sideways", "transfers[0].leg", "One of direct, write, read"),
    ("transfers.0.leg", ["read"], "transfers[0].leg", "One of direct, write, read"),
    ("transfers.0.unit", "cpu#0", "transfers[0].unit", "null is expected"),
    ("transfers.1.unit", None, "transfers[1].unit", "missing"),
    ("transfers.1.hop", 0.5, "transfers[1].hop", "A whole number"),
    ("transfers.1.link", "npu->cpu", "transfers[1].link", "there are: gpu->npu"),
    ("transfers.3.link_index", None, "transfers[3].link_index", "0, 1"),
    ("transfers.3.link_index", 2, "transfers[3].link_index", "0, 1"),
    ("transfers.3.edge", None, "transfers[3].edge", "2, 3"),
    ("transfers.3.to", [], "transfers[3].to", "One task"),
    ("transfers.3.to", "c", "transfers[3].from", "no message from here to c"),
]

STEADY_MISTAKES = [
    ("units.0.device", "dsp", "units[0].device", "The name of a device"),
    ("units.1.device", "cpu", "units[1].device", "units[0] has it too"),
    ("units.0.on", -1, "units[0].on", "A whole number"),
    ("units.0.had", 1.5, "units[0].had", "A whole number"),
    ("routes.0.job", "z", "routes[0].job", "The name of a job"),
    ("routes.0.rate_per_s", None, "routes[0].rate_per_s", "A finite number"),
    ("routes.0.tasks.1.task", "a", "routes[0].tasks[1].task", "each task once"),
    ("routes.0.tasks.1.task", "c", "routes[0].tasks[1].task", "A task of job x"),
    ("routes.0.tasks.1.option", "x", "routes[0].tasks[1].option", 'there: "int8"'),
    ("routes.0.tasks", None, "routes[0].tasks", "A list"),
    ("assignments", [], "assignments", "units and routes only"),
]


def mistaken(written, where, value):
    broken = copy.deepcopy(written)
    *path, last = (int(step) if step.isdigit() else step for step in where.split("."))
    inner = broken
    for step in path:
        inner = inner[step]
    inner[last] = value
    return broken


@pytest.mark.parametrize(("where", "value", "place", "expected"), SCHEDULE_MISTAKES)
def test_mistakes_in_a_schedule_are_named(graph, plan, where, value, place, expected):
    broken = mistaken(plan_to_dict(graph, plan), where, value)
    with pytest.raises(InputError) as caught:
        plan_from_dict(graph, broken)
    found = {problem.place: problem.expected for problem in caught.value.problems}
    assert expected in found[place]


@pytest.mark.parametrize(("where", "value", "place", "expected"), STEADY_MISTAKES)
def test_mistakes_in_a_steady_plan_are_named(streams, steady_plan, where, value, place, expected):
    broken = mistaken(plan_to_dict(streams, steady_plan), where, value)
    with pytest.raises(InputError) as caught:
        plan_from_dict(streams, broken)
    found = {problem.place: problem.expected for problem in caught.value.problems}
    assert expected in found[place]


def test_all_mistakes_are_reported_at_once_with_file_and_path(tmp_path, graph, plan):
    result = solution_to_dict(graph, solution(plan))
    result["plan"]["assignments"][0]["task"] = "z"
    result["plan"]["transfers"][0]["start_s"] = None
    path = tmp_path / "plan.json"
    write_result(path, result)
    with pytest.raises(InputError) as caught:
        read_plan(graph, path)
    places = [problem.place for problem in caught.value.problems]
    assert places == [
        f"{path}: plan.assignments[0].task",
        f"{path}: plan.transfers[0].start_s",
    ]
    assert caught.value.problems[0].value == '"z"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"assignments": [', "plan.json:1, column 18: JSON is expected"),
        ('{"assignments": [{"task": "a", "start_s": NaN}]}', "start_s: got NaN; Numbers in JSON"),
        ('{"assignments": [], "assignments": []}', "assignments; Each key of an object once"),
        ("[1]", "A JSON object is expected"),
        ('{"plan": 3}', "An object with assignments and transfers is expected"),
        ('{"transfers": []}', "assignments: This list is missing"),
        ("", "JSON is expected"),
        ('{"assignments": ' + "9" * 5000 + "}", "Whole numbers of fewer digits"),
        ("[" * 100_000, "fewer levels of nesting"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_malformed_files_are_input_errors(tmp_path, graph, text, expected):
    path = tmp_path / "plan.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read_plan(graph, path)
    assert expected in str(caught.value)


def test_places_that_cannot_be_read_or_written_are_input_errors(tmp_path, graph, plan):
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(graph, tmp_path / "none.json")
    with pytest.raises(InputError, match=r"assignments\.parquet or routes\.parquet"):
        read_plan(graph, tmp_path)
    (tmp_path / "assignments.parquet").write_text("no table")
    with pytest.raises(InputError, match="A Parquet table is expected"):
        read_plan(graph, tmp_path)
    with pytest.raises(InputError, match="cannot be written"):
        write_result(tmp_path / "none" / "plan.json", {})


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "plan.json"
    write_result(path, {"status": "feasible"})
    with pytest.raises(ValueError, match="JSON"):
        write_result(path, {"status": math.nan})
    assert json.loads(path.read_text()) == {"status": "feasible"}
    assert [p.name for p in tmp_path.iterdir()] == ["plan.json"]


def test_a_schedule_is_no_plan_of_a_steady_instance(streams, graph, plan):
    with pytest.raises(InputError, match="units and routes only"):
        plan_from_dict(streams, plan_to_dict(graph, plan))


def test_a_plan_with_several_mistakes_names_each_claims_too() -> None:
    instance = read_instance("t.jsp", text="2 2\n0 3 1 2\n1 4 0 1\n")
    rows = [
        {"task": "J1.1", "device": "M7", "start_s": 0.0},
        {"task": "none", "device": "M1", "start_s": "later"},
        5,
    ]
    result = {"status": 3, "objective_name": "makespan", "objective": "x", "plan": None}
    with pytest.raises(InputError) as error:
        read_result(instance, json.dumps(result | {"plan": {"assignments": rows, "more": 1}}))
    assert [p.place.removeprefix("plan.") for p in error.value.problems] == [
        *("more", "assignments[0].device", "assignments[1].task", "assignments[1].start_s"),
        *("assignments[2]", "objective", "status"),
    ]
    assert "; there: M0, M1." in error.value.problems[1].expected


def test_a_list_of_rows_with_one_that_is_none_names_it(tmp_path) -> None:
    instance = read_instance("t.jsp", text="2 2\n0 3 1 2\n1 4 0 1\n")
    path = tmp_path / "plan.json"
    path.write_text(json.dumps([{"task": "J1.1", "machine": 0, "start": 0}, 5]))
    with pytest.raises(InputError, match=r"assignments\[1\]: got 5; An object with task"):
        read_result(instance, path)
