"""Fronts of two objectives: against enumeration, and what is claimed of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from hetopt import InputError, Instance, Model, read_instance, verify
from hetopt.analysis import pareto as module
from hetopt.analysis.axes import axis_of
from hetopt.analysis.pareto import Front, pareto
from hetopt.cli.app import main
from hetopt.report.front import front_page, front_to_dict
from hetopt.solve import SolveOptions

OPTIONS = SolveOptions(time_limit_s=20)
TIMES, POWERS, PRICES = (2, 1, 2), (3, 5), (6, 6, 1, 6, 2, 6)


@pytest.fixture(scope="module")
def machines() -> Instance:
    """Three jobs on two machines, under prices that change with every slot."""
    rows = (f"3 2 {len(PRICES)}", *(" ".join(map(str, r)) for r in (TIMES, POWERS, PRICES)))
    return read_instance("x.txt", text="\n".join(rows) + "\n", format="green-pm")


@pytest.fixture(scope="module")
def front(machines: Instance) -> Front:
    return pareto(machines, ("cost", "makespan"), points=None, options=OPTIONS)


def enumerated() -> list[tuple[float, float]]:
    """All efficient (makespan, cost) of whole-slot plans."""
    found = set()
    slots = range(len(PRICES))
    for machine in product(range(len(POWERS)), repeat=len(TIMES)):
        for start in product(slots, repeat=len(TIMES)):
            used = [
                (m, s + k) for m, s, t in zip(machine, start, TIMES, strict=True) for k in range(t)
            ]
            end = max(slot for _, slot in used) + 1
            if end <= len(PRICES) and len(set(used)) == len(used):
                found.add((float(end), float(sum(POWERS[m] * PRICES[slot] for m, slot in used))))
    return sorted(
        a for a in found if not any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in found)
    )


def test_the_whole_front_is_what_enumeration_finds(front: Front) -> None:
    assert front.complete
    assert sorted((p.held, p.value) for p in front.efficient()) == enumerated()


def test_every_point_is_a_valid_plan_no_better_than_its_bound(
    machines: Instance, front: Front
) -> None:
    for point in front.points:
        assert point.solution.plan is not None
        report = verify(machines, point.solution.plan)
        assert report.ok
        assert report.objectives["cost"] == pytest.approx(point.value)
        assert point.bound <= point.value * (1 + 1e-6)
    assert front.best_held <= min(p.held for p in front.points)


def test_bounds_rise_towards_tighter_limits(machines: Instance) -> None:
    front = pareto(machines, ("cost", "makespan"), points=4, options=OPTIONS)
    assert all(a.bound <= b.bound for a, b in pairwise(front.points))
    assert {p.held for p in front.efficient()} <= {held for held, _ in enumerated()}


def test_limits_are_kept_to_between_two_values(machines: Instance) -> None:
    front = pareto(machines, ("cost", "makespan"), points=2, between=(4.0, 5.0), options=OPTIONS)
    assert [p.limit for p in front.points] == [5.0, 4.0]
    assert all(p.held <= p.limit for p in front.points)
    assert not front.complete


def streams() -> Instance:
    """One stream on two devices in two precisions: accuracy costs power."""
    m = Model("streams", objective="power")
    cpu = m.device("cpu", kind="cpu", count=4, idle_power="5 W")
    npu = m.device("npu", kind="npu", count=2, idle_power="1 W")
    camera = m.job("camera", rate="100 Hz")
    camera.task(
        "detect",
        options=[
            cpu.option("fp32", time="20 ms", power="20 W", accuracy=0.9),
            npu.option("int8", time="5 ms", power="4 W", accuracy=0.8),
            npu.option("int16", time="12 ms", power="5 W", accuracy=0.85),
        ],
    )
    return m.build()


def test_accuracy_is_traded_at_its_own_levels() -> None:
    front = pareto(streams(), ("power", "accuracy"), points=None, options=OPTIONS)
    assert front.complete
    assert [p.limit for p in front.points] == [0.8, 0.85, 0.9]
    values = [p.value for p in front.efficient()]
    assert values == sorted(values)
    assert [p.held for p in front.efficient()] == pytest.approx([0.8, 0.85, 0.9])


def test_throughput_is_traded_for_power_up_to_what_the_units_serve() -> None:
    front = pareto(streams(), ("power", "throughput"), points=3, options=OPTIONS)
    held = [p.held for p in front.points]
    assert held[0] == pytest.approx(100)
    # 2 NPUs at 200/s each and 4 CPUs at 50/s each.
    assert held[-1] == pytest.approx(600)
    assert all(p.proven for p in front.points)


def test_without_a_limit_throughput_is_asked_for_up_to_a_multiple_of_the_demand() -> None:
    instance = streams()
    devices = instance.devices
    open_ended = replace(
        instance, devices=replace(devices, count_max=np.full(len(devices), -1, dtype=np.int64))
    )
    front = pareto(open_ended, ("power", "throughput"), points=2, options=OPTIONS)
    assert [p.held for p in front.points] == pytest.approx([100, 400])
    assert np.isnan(front.best_held)


@pytest.mark.parametrize(
    ("objectives", "points", "expected"),
    [
        (("cost",), 5, "Two different objectives"),
        (("cost", "cost"), 5, "Two different objectives"),
        (("energy", "tardiness"), 5, "makespan, peak_power, accuracy"),
        (("cost", "makespan"), 1, "At least 2, or all"),
        (("carbon", "makespan"), 5, "carbon_intensity"),
    ],
)
def test_questions_without_a_front_are_refused(
    machines: Instance, objectives: tuple[str, ...], points: int, expected: str
) -> None:
    with pytest.raises(InputError, match=expected):
        pareto(machines, objectives, points=points, options=OPTIONS)


def test_limited_instances_are_no_looser_than_the_given_one(machines: Instance) -> None:
    axis = axis_of(machines, "makespan")
    assert axis is not None
    tight = axis.within(machines, 3.0)
    assert (axis.within(tight, 5.0).jobs.deadline_s == 3.0).all()


def test_the_page_needs_no_network_and_shows_every_point(front: Front) -> None:
    page = front_page(front, "hetopt pareto x.txt")
    assert "<script src" not in page
    assert "<link" not in page
    for entry in front_to_dict(front)["points"]:
        assert entry["status"] == "optimal"
    assert page.count("<tr>") == len(front.points) + 1
    assert page.count("<circle") == len(front.efficient())
    assert page.count('class="lb"') == 1


def test_the_command_prints_the_front_as_json(capsys, monkeypatch, tmp_path) -> None:
    path = tmp_path / "x.txt"
    rows = (f"3 2 {len(PRICES)}", *(" ".join(map(str, r)) for r in (TIMES, POWERS, PRICES)))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = [str(path), "--from", "green-pm", "--points", "2", "--json"]
    monkeypatch.setattr("sys.argv", ["hetopt", "pareto", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["optimised"], shown["held"]) == ("cost", "makespan")
    assert all(p["plan"]["assignments"] for p in shown["points"])


FLEET = """
hetopt: 1
regime: steady
objective: power
budget: 10
devices:
  - {name: a, kind: gpu, count: {min: 0, max: 5}, price: 6}
  - {name: b, kind: npu, count: {min: 0, max: 5}, price: 5}
jobs:
  - name: j
    rate: 8
    options:
      - {device: a, time: 0.125, energy: 1}
      - {device: b, time: 0.19230769230769232, energy: 1}
"""


@pytest.mark.parametrize("how", [{"method": "heuristic"}, {"gap": 0.7}])
def test_a_front_is_complete_only_where_its_end_is_proven(how: dict[str, object]) -> None:
    """Two units of b serve 10.4/s: rounding, or a wide gap, stops at 8/s with one of a."""
    fleet = read_instance("x.yaml", text=FLEET, format="yaml")
    options = SolveOptions(time_limit_s=20, **how)
    found = pareto(fleet, ("power", "throughput"), points=None, options=options, resolution=0.05)
    reached = max(p.held for p in found.efficient())
    assert reached == pytest.approx(10.4, rel=0.05) or not found.complete
    assert not found.complete or all(p.proven for p in found.points)


def test_jobs_that_state_no_accuracy_are_left_as_they_are_on_a_front_of_accuracy() -> None:
    model = Model()
    cpu, npu = model.device("cpu"), model.device("npu")
    seen, heard = model.job("seen"), model.job("heard")
    seen.task(
        "look",
        options=[
            cpu.option(time=2, energy=2, accuracy=0.9),
            npu.option(time=1, energy=1, accuracy=0.7),
        ],
    )
    heard.task("listen", options=[cpu.option(time=1, energy=1)])
    model.objective = "energy"
    found = pareto(model.build(), ("energy", "accuracy"), points=None, options=OPTIONS)
    assert found.complete
    assert sorted((p.held, p.value) for p in found.efficient()) == [(0.7, 2.0), (0.9, 3.0)]


def test_a_demand_beyond_the_most_throughput_is_infeasible_and_no_error() -> None:
    text = FLEET.replace("rate: 8", "rate: 80")
    fleet = read_instance("x.yaml", text=text, format="yaml")
    found = pareto(fleet, ("power", "throughput"), points=4, options=OPTIONS)
    assert [p.solution.status for p in found.points] == ["infeasible"]


def test_a_walk_of_too_many_steps_says_that_it_ended(monkeypatch, machines: Instance) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 2)
    found = pareto(machines, ("cost", "makespan"), points=None, options=OPTIONS)
    assert len(found.points) == 2
    assert not found.complete
    assert "ended after 2 solves" in found.notes[0]
    assert found.notes[0] in front_to_dict(found)["notes"]


def test_a_plan_that_serves_less_than_the_demand_refutes_no_proof_of_power() -> None:
    # The model's own objective lets the demand go; the least power must serve all of it.
    m = Model("small", regime="steady", objective="throughput")
    gpu = m.device("gpu", kind="gpu", count=1, idle_power="10 W")
    m.job("s", rate="2 /s").task("t", options=[gpu.option(time="1 s", energy="5 J")])
    found = pareto(m.build(), ("power", "throughput"), points=None, options=OPTIONS)
    assert not [note for note in found.notes if "contradict" in note]
    assert found.points[0].solution.status == "infeasible"
