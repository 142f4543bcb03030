"""Resources that slow what runs instead of forbidding it: stated, kept, wrong ones named."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetopt import (
    from_frames,
    plan_frame,
    read_instance,
    read_plan,
    to_frames,
    to_settings,
    write_instance,
)
from hetopt.analysis.explanation.critical_chain import critical_steps
from hetopt.analysis.explanation.limits.listing import limits_of
from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.replan import replan
from hetopt.report.trace import trace
from hetopt.schedule.cpsat.model_file import schedule_file
from hetopt.solution import SchedulePlan
from hetopt.solve import solve
from tests.comparing import differences
from tests.slow_pairs import sharing, started

HEAD = "hetopt: 1\nobjective: makespan\ndevices: [{name: gpu}, {name: dla, count: 2}]\n"
TASKS = """tasks:
  - {name: detect, options: [{device: gpu, time: 45 ms, uses: {dram: 60}}]}
  - {name: lanes, options: [{device: dla, time: 17 ms, uses: {dram: 25}}]}
"""


def read(resource: str) -> Instance:
    return read_instance("x.yaml", text=f"{HEAD}resources: [{resource}]\n{TASKS}")


def test_a_slow_resource_is_stated_in_every_form(tmp_path: Path) -> None:
    instance = read("{name: dram, capacity: 100, sharing: slow, loss: 5 %}")
    assert instance.resources.slow.tolist() == [True]
    assert instance.resources.loss.tolist() == [0.05]
    again = from_frames(to_frames(instance), to_settings(instance))
    assert differences(instance, again) == []
    for name in ("x.yaml", "folder"):
        write_instance(instance, tmp_path / name)
        assert differences(instance, read_instance(tmp_path / name)) == []
    m = Model(objective="makespan")
    m.resource("dram", capacity=100, sharing="slow", loss="5 %")
    gpu = m.device("gpu")
    m.task("detect", options=[gpu.option(time="45 ms", uses={"dram": 60})])
    assert m.build().resources.loss.tolist() == [0.05]


def test_what_says_nothing_of_sharing_forbids() -> None:
    instance = read("{name: dram, capacity: 100}")
    assert instance.resources.sharing.tolist() == ["forbid"]
    assert not instance.resources.slow.any()


@pytest.mark.parametrize(
    ("resource", "place", "expected"),
    [
        ("{name: dram, budget: 100, sharing: slow}", "resources[0].sharing", "A capacity beside"),
        ("{name: dram, capacity: 50, sharing: slow}", "dram", "A demand of at most 50"),
        ("{name: dram, capacity: 100, sharing: slow, loss: 1}", "loss", "Less than 1"),
        ("{name: dram, capacity: 100, loss: 0.1}", "loss", "`sharing: slow` beside a loss"),
        ("{name: dram, capacity: 100, sharing: fast}", "sharing", "forbid, slow"),
    ],
)
def test_wrong_statements_are_named(resource: str, place: str, expected: str) -> None:
    with pytest.raises(InputError) as error:
        read(resource)
    assert place in str(error.value)
    assert expected in str(error.value)


def test_what_does_not_know_slow_refuses_it() -> None:
    text = HEAD + "resources: [{name: dram, capacity: 100, sharing: slow}]\ncyclic: true\n"
    jobs = "jobs: [{name: j, period: 1, tasks: [{name: a, options: [{device: gpu, time: 1}]}]}]\n"
    with pytest.raises(InputError, match="repeats for ever, which knows no slowing"):
        solve(read_instance("x.yaml", text=text + jobs), time_limit=1)
    once = read("{name: dram, capacity: 100, sharing: slow}")
    plan = solve(once, time_limit=5).plan
    assert plan is not None
    with pytest.raises(InputError, match="replanning does not know resources that slow"):
        replan(once, plan, None)


def frame() -> tuple[Instance, SchedulePlan]:
    """Two tasks that slow each other from 0 on, one of them to 1.1 times its time."""
    instance = sharing([(45.0, 60.0), (17.0, 50.0)])
    return instance, started(instance, [0, 0])


def test_files_pages_and_pictures_show_real_ends(tmp_path: Path) -> None:
    instance, plan = frame()
    ends = plan_frame(instance, plan)["end_s"].tolist()
    assert ends == pytest.approx([46.7, 18.7])
    plan.save(tmp_path / "p.json", instance)
    read = read_plan(instance, tmp_path / "p.json")
    assert isinstance(read, SchedulePlan)
    assert read.start_s.tolist() == [0.0, 0.0]
    plan.report(tmp_path / "p.html", instance)
    assert "46.7 s" in (tmp_path / "p.html").read_text(encoding="utf-8")
    events = trace(instance, plan)["traceEvents"]
    lasting = {e["name"]: e["dur"] for e in events if e.get("cat") == "task"}
    assert lasting == pytest.approx({"t0": 46.7e6, "t1": 18.7e6})


def test_explanations_say_what_is_slowed_and_that_the_capacity_limits() -> None:
    instance, plan = frame()
    steps = critical_steps(instance, plan)
    assert "what it shares slows it: alone it takes 45 s" in steps[-1].because
    assert "sharing:dram" in {limit.key for limit in limits_of(instance)}


def test_exported_models_bound_or_restrict() -> None:
    instance, _ = frame()
    bounds, plans = schedule_file(instance, "down"), schedule_file(instance, "up")
    assert "cumulative" in str(plans.model.proto)
    assert len(str(plans.model.proto)) != len(str(bounds.model.proto))
