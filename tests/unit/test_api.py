"""What a user of the package's own names meets: solutions that show, write and read themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hetopt
from hetopt import InputError, Model, Solution, read_instance, solve

REPO = Path(__file__).resolve().parents[2]


def small_model() -> Model:
    m = Model("camera", objective="energy")
    cpu = m.device("cpu", kind="cpu", idle_power="2 W")
    npu = m.device("npu", kind="npu", idle_power="0.3 W")
    m.link(cpu, npu, bandwidth="4 GB/s", latency="20 us", both_ways=True)
    frame = m.job("frame", deadline="33 ms")
    grab = frame.task("grab", options=[cpu.option(time="2 ms", power="4 W")])
    slow = cpu.option("fp32", time="25 ms", power="7 W")
    detect = frame.task("detect", options=[slow, npu.option("int8", time="6 ms", power="3 W")])
    m.transfer(grab, detect, bytes="1.2 MB")
    return m


def streams() -> Model:
    m = Model("rack", objective="power")
    gpu = m.device("gpu", kind="gpu", count=(0, 4), idle_power=60)
    fast = m.profile("resnet", [gpu.option("int8", time="1 ms", power="180 W")])
    m.job("photos", rate="300 req/s", profile=fast)
    return m


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(hetopt, name) is not None for name in hetopt.__all__)


def test_a_model_is_solved_as_it_stands_and_texts_with_units_are_taken() -> None:
    from_model = solve(small_model(), time_limit="20 s", gap="0 %")
    from_instance = solve(small_model().build(), time_limit=20)
    assert from_model.status == from_instance.status == "optimal"
    assert from_model.objective == from_instance.objective


@pytest.mark.parametrize(
    ("field", "value"), [("time_limit", "20 m"), ("time_limit", 0), ("gap", "1 s"), ("gap", -1)]
)
def test_a_wrong_option_is_named(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        solve(small_model(), **{field: value})


def test_a_solution_is_a_start() -> None:
    first = solve(small_model())
    again = solve(small_model(), start=first)
    assert again.objective == first.objective


def test_the_frame_of_a_schedule_has_a_row_per_task() -> None:
    frame = solve(small_model()).to_frame().set_index("task")
    assert list(frame.index) == ["grab", "detect"]
    assert frame.loc["detect", "unit"] == "npu#0"
    assert frame.loc["detect", "option"] == "int8"
    assert frame.loc["detect", "end_s"] - frame.loc["detect", "start_s"] == pytest.approx(0.006)


def test_the_frame_of_streams_has_a_row_per_task_of_a_route() -> None:
    frame = solve(streams()).to_frame()
    assert frame["rate_per_s"].sum() == pytest.approx(300)
    assert list(frame["job"].unique()) == ["photos"]
    assert list(frame["option"].unique()) == ["int8"]


@pytest.mark.parametrize("model", [small_model, streams])
@pytest.mark.parametrize("place", ["answer.json", "answer"])
def test_what_a_solution_saves_is_loaded_as_it_was(
    model: object, place: str, tmp_path: Path
) -> None:
    if "." not in place:
        pytest.importorskip("pyarrow", reason="tables of plans are Parquet files")
    solution = solve(model())
    solution.save(tmp_path / place)
    loaded = Solution.load(tmp_path / place, model().build())
    assert loaded.status == solution.status
    assert loaded.objectives == solution.objectives
    assert loaded.bounds == solution.bounds
    assert loaded.to_frame().equals(solution.to_frame())


def test_a_saved_solution_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    solve(small_model()).save(path)
    text = path.read_text()
    path.write_text(re.sub(r'"objective": [0-9.e-]+', '"objective": 0.001', text, count=1))
    with pytest.raises(InputError, match="energy"):
        Solution.load(path, small_model().build())


def test_a_plan_alone_is_saved_and_read(tmp_path: Path) -> None:
    instance = small_model().build()
    plan = solve(instance).plan
    assert plan is not None
    plan.save(tmp_path / "plan.json", instance)
    assert (
        hetopt.read_plan(instance, tmp_path / "plan.json")
        .to_frame(instance)
        .equals(plan.to_frame(instance))
    )


def test_a_report_is_one_page_with_the_answer(tmp_path: Path) -> None:
    solve(small_model()).report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "detect" in page
    assert "npu#0" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_notebook_shows_status_value_and_bound() -> None:
    solution = solve(small_model())
    shown = solution._repr_html_()
    assert "optimal" in shown
    assert f"{solution.objective:.6g}" in shown


def test_a_solution_without_a_plan_says_so(tmp_path: Path) -> None:
    model = small_model()
    model.limit(horizon="1 ms")
    solution = solve(model)
    assert solution.status == "infeasible"
    with pytest.raises(InputError, match="holds no plan"):
        solution.to_frame()
    with pytest.raises(InputError, match="holds no plan"):
        solution.report(tmp_path / "page.html")


def test_shipped_instances_are_read_by_the_public_name() -> None:
    assert read_instance(REPO / "instances" / "edge-box.yaml").regime == "schedule"


def test_questions_take_models_and_options_of_solve_by_keyword() -> None:
    model = small_model()
    comparison = hetopt.compare(model, time_limit="20 s", sensitivity=False)
    assert comparison.heterogeneous.status == "optimal"
    front = hetopt.pareto(model, ("energy", "makespan"), points=3, time_limit="20 s")
    assert len(front.points) > 0
    study = hetopt.whatif(model, ["drop npu"], time_limit="20 s")
    assert [outcome.name for outcome in study.outcomes] == ["drop npu"]
    assert hetopt.explain(model, solve(model), time_limit="20 s").status == "feasible"
    with pytest.raises(InputError, match="gap"):
        hetopt.compare(model, gap="1 s")


def test_answers_print_as_the_command_line_shows_them() -> None:
    model = small_model()
    solution = solve(model)
    assert "detect" in str(solution)
    assert "npu" in str(hetopt.compare(model, sensitivity=False))
    assert "drop npu" in hetopt.whatif(model, ["drop npu"])._repr_html_()
    assert "makespan" in str(hetopt.pareto(model, ("energy", "makespan"), points=3))
    model.limit(horizon="1 ms")
    assert "horizon" in str(hetopt.explain(model))
