"""Plans as CSV, Excel, Parquet and pages, by the extension of the file; replicas."""

from __future__ import annotations

import csv

import pandas as pd
import pytest

from hetopt import InputError, Model, plan_frame, solve
from hetopt.formats.plans.replicas import replica_columns
from hetopt.formats.plans.sheets import plan_tables
from hetopt.report.terminal.text import view_text


def rack(memory: bool = False):
    m = Model("rack", objective="power")
    gpu = m.device("gpu", count=3, idle_power="10 W", **({"memory": "10 GB"} if memory else {}))
    weights = {"weights": "6 GB"} if memory else {}
    for name, rate in (("a", 15), ("b", 5)):
        m.job(name, rate=rate, options=[gpu.option("fp8", time="0.1 s", power="90 W", **weights)])
    return solve(m.build())


def box():
    m = Model("box", objective="energy")
    cpu, npu = m.device("cpu"), m.device("npu", idle_power=1)
    m.link(cpu, npu, bandwidth="1 MB/s")
    job = m.job("frame", deadline="9 s")
    first = job.task("first", options=[cpu.option(time=1, energy=1)])
    second = job.task("second", options=[npu.option(time=1, energy=1)])
    m.transfer(first, second, bytes="1 kB")
    return solve(m.build())


def test_a_csv_holds_the_table_that_places_the_work(tmp_path) -> None:
    for solution in (box(), rack()):
        solution.save(tmp_path / "plan.csv")
        with (tmp_path / "plan.csv").open(newline="") as file:
            found = list(csv.DictReader(file))
        frame = plan_frame(solution.instance, solution.plan)
        assert list(found[0]) == list(frame.columns)
        assert [row["task"] for row in found] == frame["task"].tolist()


def test_a_workbook_holds_every_table_and_the_result(tmp_path) -> None:
    pytest.importorskip("openpyxl")
    solution = rack()
    solution.save(tmp_path / "plan.xlsx")
    sheets = pd.read_excel(tmp_path / "plan.xlsx", sheet_name=None)
    assert list(sheets) == ["result", *plan_tables(solution.instance, solution)]
    facts = dict(zip(sheets["result"]["name"], sheets["result"]["value"], strict=True))
    assert facts["status"] == "optimal"
    assert sheets["units"]["had"].tolist() == [3]


def test_a_parquet_file_is_the_frame_of_the_plan(tmp_path) -> None:
    pytest.importorskip("pyarrow")
    solution = box()
    solution.save(tmp_path / "plan.parquet")
    frame = pd.read_parquet(tmp_path / "plan.parquet")
    assert frame["task"].tolist() == plan_frame(solution.instance, solution.plan)["task"].tolist()


@pytest.mark.parametrize(("name", "message"), [("x.xls", ".xlsx"), ("x.html", "Solution.report")])
def test_a_place_that_means_something_else_is_refused(tmp_path, name, message) -> None:
    with pytest.raises(InputError, match=message):
        box().save(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_replicas_are_the_units_that_run_a_model() -> None:
    solution = rack()
    columns = replica_columns(solution.instance, solution.plan)
    assert dict(zip(columns["job"], columns["replicas"], strict=True)) == {"a": 2, "b": 1}
    assert columns["busy_units"] == pytest.approx([1.5, 0.5])
    shown = view_text(solution)
    assert "Replicas" in shown


def test_replicas_of_a_plan_that_names_units_are_those_that_hold_the_weights() -> None:
    solution = rack(memory=True)
    columns = replica_columns(solution.instance, solution.plan)
    for job, count in zip(columns["job"], columns["replicas"], strict=True):
        frame = plan_frame(solution.instance, solution.plan)
        assert frame[frame["job"] == job]["unit"].nunique() == count
