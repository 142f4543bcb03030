import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import (
    InputError,
    Instance,
    Model,
    SolveOptions,
    compare,
    from_frames,
    read_instance,
    verify,
)
from hetopt.report.comparison_page import comparison_page
from hetopt.report.terminal.comparison import comparison_to_dict

QUICK = SolveOptions(time_limit_s=10)


def fleet(**device_columns) -> Instance:
    devices = {
        "name": ["cpu", "gpu", "npu"],
        "kind": ["cpu", "gpu", "npu"],
        "count_min": [0, 0, 0],
        "count_max": [-1, -1, -1],
        "idle_power_w": [10.0, 20.0, 2.0],
    }
    return from_frames(
        {
            "devices": pd.DataFrame(devices | device_columns),
            "options": pd.DataFrame(
                {
                    "profile": ["a", "a", "b", "b", "b"],
                    "device": ["cpu", "gpu", "cpu", "gpu", "npu"],
                    "time_s": [0.5, 0.05, 0.5, 0.1, 0.1],
                    "power_w": [50.0, 120.0, 60.0, 120.0, 10.0],
                }
            ),
            "tasks": pd.DataFrame({"name": ["a", "b"], "job": ["a", "b"]}),
            "jobs": pd.DataFrame({"name": ["a", "b"], "rate_per_s": [10.0, 10.0]}),
        },
        {"objective": "power"},
    )


def graph(**settings) -> Instance:
    return from_frames(
        {
            "devices": pd.DataFrame(
                {"name": ["cpu", "npu"], "kind": ["cpu", "npu"], "idle_power_w": [1.0, 0.5]}
            ),
            "links": pd.DataFrame(
                {"from": ["cpu"], "to": ["npu"], "bandwidth": ["1 GB/s"], "both_ways": [True]}
            ),
            "options": pd.DataFrame(
                {
                    "profile": ["a", "b", "b"],
                    "device": ["cpu", "cpu", "npu"],
                    "time_s": [0.01, 0.04, 0.01],
                    "energy_j": [0.1, 0.5, 0.05],
                }
            ),
            "tasks": pd.DataFrame({"name": ["a", "b"]}),
            "transfers": pd.DataFrame({"from": ["a"], "to": ["b"], "bytes": [1e6]}),
            "jobs": pd.DataFrame({"name": ["j"], "deadline_s": [0.1]}),
        },
        {"objective": "energy"} | settings,
    )


def test_the_best_device_is_named_and_both_gains_agree_where_all_is_proven():
    result = compare(fleet(), options=QUICK)
    assert {r.name for r in result.rivals} == {
        "cpu",
        "gpu",
        "npu",
        "kind:cpu",
        "kind:gpu",
        "kind:npu",
    }
    assert result.best == "gpu"
    # 1.5 gpus' worth of load: 2 on; with npus for b, half a gpu and one npu.
    best = next(r for r in result.rivals if r.name == "gpu").solution
    assert best.objective == pytest.approx(2 * 20 + 1.5 * 100, rel=1e-6)
    assert result.heterogeneous.objective == pytest.approx(20 + 0.5 * 100 + 2 + 8, rel=1e-6)
    assert result.gain.value == pytest.approx(1 - 80 / 190, rel=1e-5)
    assert result.gain.proven == pytest.approx(result.gain.value, abs=1e-5)
    assert result.gain.proven <= result.gain.value


def test_a_rival_that_lacks_options_is_infeasible_with_the_tasks_named():
    npu = next(
        r for r in compare(fleet(), options=QUICK, sensitivity=False).rivals if r.name == "npu"
    )
    assert npu.solution.status == "infeasible"
    assert npu.cannot_run == ("a",)


def test_a_host_runs_what_the_rival_cannot_and_says_so():
    result = compare(fleet(), options=QUICK, host="cpu", sensitivity=False)
    npu = next(r for r in result.rivals if r.name == "npu")
    assert npu.solution.status == "optimal"
    assert npu.hosted == ("a",)
    used = npu.solution.quantities["devices"]
    assert [row["on"] > 0 for row in used] == [True, False, True]


def test_rivals_plans_are_plans_of_the_whole_instance():
    for instance in (fleet(), graph()):
        for rival in compare(instance, options=QUICK, sensitivity=False).rivals:
            if rival.solution.plan is not None:
                assert verify(instance, rival.solution.plan).ok


def test_devices_that_stay_on_pay_their_idle_power_in_every_rival():
    always = fleet(off_when_unused=[True, True, False], count_min=[0, 0, 1], count_max=[-1, -1, 1])
    result = compare(always, options=QUICK, sensitivity=False)
    gpu = next(r for r in result.rivals if r.name == "gpu").solution
    assert gpu.objective == pytest.approx(190 + 2, rel=1e-6)


def test_the_gain_is_never_negative():
    one_is_best = replace(graph(), objective=("makespan",))
    result = compare(one_is_best, options=QUICK)
    assert result.gain.value >= 0


def test_basis_power_frees_the_counts_on_both_sides_under_the_cap():
    capped = fleet(count_max=[1, 1, 1], count_min=[1, 1, 1]).with_limits(power_cap_w=500.0)
    capped = replace(capped, objective=("throughput",))
    result = compare(capped, basis="power", options=QUICK, sensitivity=False)
    gpu = next(r for r in result.rivals if r.name == "gpu").solution
    assert gpu.quantities["devices"][1]["on"] > 1
    assert gpu.quantities["power_w"] <= 500 * (1 + 1e-9)
    assert result.gain.value > 0


@pytest.mark.parametrize("basis", ["power", "price"])
def test_a_basis_without_its_limit_is_refused(basis):
    with pytest.raises(InputError, match="--basis"):
        compare(fleet(), basis=basis)


def test_an_unknown_host_is_refused():
    with pytest.raises(InputError, match="tpu"):
        compare(fleet(), host="tpu")


def test_sensitivity_asks_about_idle_power_each_device_preview_rows_the_mix_and_sharing():
    result = compare(fleet(preview=[False, False, True]), options=QUICK)
    changes = [s.change for s in result.sensitivity]
    assert changes == [
        "idle power x 0",
        "idle power x 0.5",
        "idle power x 1",
        "without cpu",
        "without gpu",
        "without npu",
        "without preview rows",
        "rate of a x 1.5",
        "rate of a / 1.5",
        "rate of b x 1.5",
        "rate of b / 1.5",
        "each unit for one workload",
    ]
    without_npu, without_preview = result.sensitivity[5], result.sensitivity[6]
    assert result.sensitivity[2].gain == result.gain
    assert without_npu.gain.value == pytest.approx(without_preview.gain.value, abs=1e-6)


def test_what_is_reused_in_the_sensitivity_equals_a_comparison_from_scratch():
    from hetopt.instance.overrides import without_device

    instance = fleet()
    reused = {s.change: s.gain.value for s in compare(instance, options=QUICK).sensitivity}
    for d, name in enumerate(["cpu", "npu"]):
        index = [0, 2][d]
        afresh = compare(without_device(instance, index), options=QUICK, sensitivity=False)
        assert reused[f"without {name}"] == pytest.approx(afresh.gain.value, abs=1e-5)


def test_the_json_of_a_comparison_has_the_documented_keys():
    result = comparison_to_dict(compare(fleet(), options=QUICK))
    keys = {
        "heterogeneous",
        "homogeneous",
        "best_homogeneous",
        "gain",
        "gain_proven",
        "sensitivity",
    }
    assert keys <= set(result)
    assert {"name", "kind", "status", "objective", "bound"} <= set(result["homogeneous"][0])
    assert not any(isinstance(v, float) and np.isnan(v) for v in result.values())


def test_a_rival_without_any_option_for_tasks_of_stated_accuracy_is_infeasible_and_no_error():
    document = """
hetopt: 1
regime: schedule
objective: energy
devices: [{name: host}, {name: npu}, {name: gpu}]
jobs:
  - name: frame
    min_accuracy: 0.5
    tasks:
      - {name: take, options: [{device: host, time: 1 ms, energy_j: 0.1}]}
      - name: look
        options:
          - {device: npu, time: 2 ms, energy_j: 1, accuracy: 0.6}
          - {device: gpu, time: 2 ms, energy_j: 2, accuracy: 0.6}
"""
    instance = read_instance("frame.yaml", text=document)
    rivals = compare(instance, host="host", options=QUICK, sensitivity=False).rivals
    by_name = {rival.name: rival for rival in rivals}
    assert by_name["host"].cannot_run == ("look",)
    assert by_name["host"].solution.status == "infeasible"
    assert by_name["npu"].solution.objective == pytest.approx(1.1)


def test_rivals_without_a_plan_say_why() -> None:
    text = """
hetopt: 1
objective: makespan
devices: [{name: a, kind: gpu}, {name: b, kind: cpu}]
jobs:
  - name: f
    deadline: 30 ms
    tasks:
      - {name: x, options: [{device: a, time: 20 ms}, {device: b, time: 40 ms}]}
      - {name: y, options: [{device: a, time: 20 ms}, {device: b, time: 20 ms}]}
"""
    found = compare(read_instance("f.yaml", text=text), time_limit=5, sensitivity=False)
    shown = str(found)
    assert "a has no plan: 2 tasks can only run on a and keep it busy for 40 ms" in shown
    assert "b has no plan: 2 tasks can only run on b" in shown
    page = comparison_page(found.instance, comparison_to_dict(found))
    assert "infeasible: 2 tasks can only run on a" in page
    assert "No gain: no homogeneous placement serves the work." in page


def test_jobs_that_a_rival_leaves_out_have_no_place_in_its_plan() -> None:
    model = Model("some", objective=("value", "energy"), horizon="40 ms")
    cpu, npu = model.device("cpu"), model.device("npu")
    for name, times in {"must": ("20 ms", "9 ms"), "may": ("30 ms", "16 ms")}.items():
        job = model.job(name, **({"optional": True, "value": 2} if name == "may" else {}))
        job.task(name, options=[cpu.option(time=times[0]), npu.option(time=times[1])])
    comparison = compare(model.build(), time_limit=5, workers=1)
    plans = {r.name: r.solution.plan for r in comparison.rivals}
    assert plans["cpu"].option.tolist()[1] == -1
    for plan in plans.values():
        assert verify(comparison.instance, plan).ok
    rows = {
        r["name"]: r["plan"]["assignments"] for r in comparison_to_dict(comparison)["homogeneous"]
    }
    assert [row["task"] for row in rows["cpu"]] == ["must"]
    assert json.dumps(rows, allow_nan=False)
