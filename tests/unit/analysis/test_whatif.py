"""Changed instances beside the one given: what changes mean, and what differences prove."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from hetopt import InputError, Instance, Model, verify
from hetopt.analysis.changes import catalogue_entries, changed, usual_cases
from hetopt.analysis.whatif import whatif
from hetopt.cli.app import main
from hetopt.solve import SolveOptions

OPTIONS = SolveOptions(time_limit_s=20, workers=1)


@pytest.fixture(scope="module")
def fleet() -> Instance:
    m = Model("fleet", objective="power")
    gpu = m.device("gpu", kind="gpu", count=(0, 4), idle_power="10 W")
    npu = m.device("npu", kind="npu", count=2, idle_power="2 W")
    m.device("spare", kind="npu", count=1, idle_power="1 W")
    stream = m.job("stream", rate="150 Hz")
    stream.task(
        "detect",
        options=[
            gpu.option(time="10 ms", power="60 W"),
            npu.option(time="10 ms", power="12 W"),
        ],
    )
    return m.build()


def test_differences_are_those_of_solves_of_their_own(fleet: Instance) -> None:
    cases = {case: changed(fleet, case) for case in ("drop npu", "demand 2", "add npu 1")}
    study = whatif(fleet, cases, options=OPTIONS)
    # 1.5 NPUs: 2 x 2 W + 1.5 x 10 W. Twice the demand: 2 full NPUs, 1 full GPU.
    assert study.base.objective == pytest.approx(19)
    found = {o.name: o.difference for o in study.outcomes}
    assert found == pytest.approx({"drop npu": 95 - 19, "demand 2": 24 + 60 - 19, "add npu 1": 0})
    for outcome in study.outcomes:
        assert outcome.least <= outcome.difference + 1e-4
        assert outcome.most >= outcome.difference - 1e-4
        assert outcome.solution.plan is not None
        assert verify(outcome.instance, outcome.solution.plan).ok


def test_processes_side_by_side_give_the_same_answers(fleet: Instance) -> None:
    cases = {case: changed(fleet, case) for case in ("drop gpu", "drop npu")}
    alone = whatif(fleet, cases, options=OPTIONS)
    beside = whatif(fleet, cases, options=OPTIONS, parallel=2)
    assert [o.name for o in beside.outcomes] == [o.name for o in alone.outcomes]
    assert [o.solution.objective for o in beside.outcomes] == pytest.approx(
        [o.solution.objective for o in alone.outcomes]
    )


def test_a_stop_leaves_out_what_was_not_solved(fleet: Instance) -> None:
    stop = threading.Event()
    stop.set()
    study = whatif(fleet, {"drop npu": changed(fleet, "drop npu")}, options=OPTIONS, stop=stop)
    assert study.interrupted
    assert study.outcomes == ()


def test_changes_mean_what_they_say(fleet: Instance) -> None:
    assert changed(fleet, "add npu 3").devices.count_max.tolist() == [4, 5, 1]
    assert changed(fleet, "add npu 3").devices.count_min.tolist() == [0, 5, 1]
    assert changed(fleet, "add gpu").devices.count_max.tolist() == [5, 2, 1]
    assert changed(fleet, "swap npu=spare").devices.count_max.tolist() == [4, 0, 3]
    assert changed(fleet, "demand 1.5, power-cap 1kW").jobs.rate_per_s.tolist() == [225.0]
    assert changed(fleet, "demand 1.5, power-cap 1kW").limits.power_cap_w == 1000.0
    assert changed(fleet, "set devices.npu.idle_power_w=3").devices.idle_power_w[1] == 3.0
    assert np.array_equal(fleet.devices.count_max, [4, 2, 1])


def test_usual_cases_drop_and_add_each_device_and_let_streams_grow(fleet: Instance) -> None:
    cases = usual_cases(fleet)
    assert cases == [
        *(f"drop {d}" for d in ("gpu", "npu", "spare")),
        *(f"add {d} 1" for d in ("gpu", "npu", "spare")),
        "demand 1.5",
        "demand 2",
    ]
    for case in cases:
        changed(fleet, case)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("frobnicate npu", "drop DEVICE"),
        ("drop", "drop DEVICE"),
        ("drop tpu", "A device: gpu, npu, spare"),
        ("demand more", "demand FACTOR"),
        ("demand 0", "more than 0"),
        ("power-cap 3 parsecs", "power"),
        ("swap npu", "swap DEVICE=DEVICE"),
        ("deadline 3 ms", "a stream has no deadline"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(fleet: Instance, case: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        changed(fleet, case)


def test_a_swap_with_a_slash_is_an_entry_of_the_catalogue(fleet: Instance) -> None:
    entries, rest = catalogue_entries(fleet, "swap npu=zeus/v100, demand 2")
    assert entries == {"npu": "zeus/v100"}
    assert rest == "demand 2"


DOCUMENT = """
hetopt: 1
regime: steady
objective: power
devices:
  - {name: board, from: catalogue, entry: mlperf-v3.0/Orin_TRT_MaxQ, count: {min: 0}}
profiles:
  classify: {from: catalogue, task: mlperf-v3.0/singlestream/resnet50}
jobs:
  - {name: classify, profile: classify, rate: 300 images/s}
"""


def test_the_command_swaps_a_device_for_another_of_the_catalogue(
    capsys, monkeypatch, tmp_path
) -> None:
    path = tmp_path / "boards.yaml"
    path.write_text(DOCUMENT, encoding="utf-8")
    case = "swap board=mlperf-v3.0/eb6-qaic-v1.8.3.7-aic100"
    arguments = [str(path), "--case", case, "--case", "demand 2", "--json"]
    monkeypatch.setattr("sys.argv", ["hetopt", "whatif", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    shown = json.loads(capsys.readouterr().out)
    swapped, doubled = shown["cases"]
    assert swapped["case"] == case
    assert swapped["status"] == doubled["status"] == "optimal"
    assert swapped["objective"] != shown["base"]["objective"]
    assert doubled["difference"] == pytest.approx(doubled["objective"] - shown["base"]["objective"])


def test_a_case_sets_a_list_and_other_values_in_the_tables_as_they_were_read():
    from hetopt.analysis.changes import set_apart

    sets, others = set_apart("drop a, set objective=energy,makespan, set jobs.j.period=2, add b 2")
    assert sets == ["objective=energy,makespan", "jobs.j.period=2"]
    assert others == "drop a, add b 2"
