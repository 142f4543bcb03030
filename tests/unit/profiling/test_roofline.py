from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from hetopt.errors import InputError
from hetopt.instance import KINDS
from hetopt.profiling.capabilities import capabilities, capability
from hetopt.profiling.efficiencies import Efficiency, Run, fit, launch_s, shipped, table
from hetopt.profiling.operator_work import CLASSES, NEXT_CLASS, OperatorWork
from hetopt.profiling.roofline import estimate, is_calibrated


def matmul(flop: float = 1e12, bytes_b: float = 1e8, precision: str = "fp32") -> OperatorWork:
    return OperatorWork("matmul", flop, bytes_b, precision)


def test_forty_processors_of_all_four_kinds_state_a_source() -> None:
    known = capabilities()
    assert len(known) >= 40
    kinds = [c.kind for c in known.values()]
    assert all(kinds.count(kind) >= 5 for kind in ("cpu", "gpu", "npu", "fpga"))
    for found in known.values():
        assert found.kind in KINDS
        assert found.source
        assert found.peaks
        assert all(1e9 < peak < 1e17 for peak in found.peaks.values())
        assert math.isnan(found.bandwidth_b_per_s) or 1e9 < found.bandwidth_b_per_s < 1e13


def test_an_unknown_processor_gets_close_names() -> None:
    with pytest.raises(InputError, match="rtx-3090"):
        capability("rtx3090")


def test_every_class_has_a_next_one_that_is_known() -> None:
    assert {*NEXT_CLASS} == {*CLASSES}
    assert {*NEXT_CLASS.values()} <= {*CLASSES}


@pytest.mark.parametrize("bad", [{"operator": "magic"}, {"precision": "fp64"}, {"flop": -1.0}])
def test_works_refuse_what_they_do_not_know(bad: dict) -> None:
    with pytest.raises(ValueError, match=r"expected|none of"):
        OperatorWork(**({"operator": "conv", "flop": 1.0, "bytes_b": 1.0} | bad))


def test_fractions_are_found_again_from_runs_with_outliers() -> None:
    device = capability("v100-pcie-32gb")
    random = np.random.default_rng(3)
    true = {"matmul": 0.8, "elementwise": 0.6}
    runs = []
    for i in range(60):
        works = (
            matmul(random.uniform(1e11, 1e13), 1e6),
            OperatorWork("elementwise", 0.0, random.uniform(1e9, 1e11)),
        )
        time = sum(device.roofline_s(w) / true[w.operator] + launch_s(device) for w in works)
        time *= 3.0 if i % 10 == 0 else math.exp(random.normal(0, 0.02))
        runs.append(Run(works, time))
    found = {row.operator: row.fraction for row in fit(device, runs)}
    assert found["matmul"] == pytest.approx(0.8, rel=0.03)
    assert found["elementwise"] == pytest.approx(0.6, rel=0.03)


def test_own_runs_have_precedence_and_narrow_the_interval() -> None:
    works = [matmul()]
    far = estimate(works, "rtx-4090")
    own = (Efficiency("rtx-4090", "matmul", "fp32", 0.5, 0.05, 20),)
    near = estimate(works, "rtx-4090", calibration=(*shipped(), *own))
    device = capability("rtx-4090")
    expected = device.roofline_s(works[0]) / 0.5 + launch_s(device)
    assert near.time_s == pytest.approx(expected)
    assert near.time_high_s / near.time_s < far.time_high_s / far.time_s
    assert near.time_high_s / near.time_s == pytest.approx(math.exp(1.645 * 0.05), rel=1e-3)


def test_a_wider_claim_is_a_wider_interval() -> None:
    ends = [estimate([matmul()], "l4", interval=share).time_high_s for share in (0.5, 0.9, 0.99)]
    assert ends == sorted(ends)


def test_without_runs_of_the_kind_it_is_an_error_or_says_uncalibrated() -> None:
    works = [OperatorWork("conv", 1e9, 1e6, "int8")]
    assert not is_calibrated("tpu-v5e")
    with pytest.raises(InputError, match="--uncalibrated"):
        estimate(works, "tpu-v5e")
    made = estimate(works, "tpu-v5e", uncalibrated=True)
    assert not made.calibrated
    device = capability("tpu-v5e")
    assert made.time_low_s == pytest.approx(device.roofline_s(works[0]))
    assert made.time_high_s / made.time_low_s == pytest.approx(10)
    assert made.option_fields()["estimated"] is True


@pytest.mark.parametrize("kind", ["cpu", "gpu", "npu", "fpga"])
def test_every_one_of_the_four_kinds_is_calibrated(kind: str) -> None:
    known = [c for c in capabilities().values() if c.kind == kind]
    for device in known:
        precision = next(p for p in ("int8", "fp32", "fp16", "bf16") if p in device.peaks)
        made = estimate([OperatorWork("conv", 1e9, 1e6, precision)], device)
        assert made.calibrated
        assert made.time_low_s < made.time_s < made.time_high_s


def test_a_precision_without_a_peak_is_an_error() -> None:
    with pytest.raises(InputError, match="int8"):
        estimate([matmul(precision="fp16")], "edgetpu")


def test_energy_is_above_idle_and_missing_where_no_draw_is_known() -> None:
    whole = estimate([matmul()], "a40")
    above = estimate([matmul()], "a40", idle_power_w=30.0)
    assert whole.energy_j - above.energy_j == pytest.approx(30.0 * whole.time_s)
    assert whole.energy_low_j < whole.energy_j < whole.energy_high_j
    nothing = estimate([OperatorWork("conv", 1e9, 1e6, "int8")], "snapdragon-x-elite-npu")
    assert math.isnan(nothing.energy_j)
    assert "energy_j" not in nothing.option_fields()
    assert any("no energy" in text for text in nothing.basis)


def test_energy_of_npus_is_told_where_a_draw_of_about_their_limit_was_measured() -> None:
    works = [OperatorWork("conv", 8e9, 5e7, "int8")]
    stick = estimate(works, "hailo-8")
    assert stick.energy_low_j < stick.energy_j < stick.energy_high_j
    assert 0.3 * 2.5 < stick.energy_j / stick.time_s < 2.5
    for device, why in (
        ("gaudi2", "about this power limit"),
        ("core-ultra-7-165h-npu", "whole chip"),
        ("alveo-u50-dpu", "kind fpga"),
    ):
        made = estimate(
            [OperatorWork("conv", 8e9, 5e7, "fp16" if device == "gaudi2" else "int8")], device
        )
        assert math.isnan(made.energy_j), device
        assert any(why in text and "no energy" in text for text in made.basis)


def test_a_task_slow_elsewhere_is_expected_slow_here() -> None:
    works = [OperatorWork("conv", 1e11, 1e8, "fp16")]
    plain = estimate(works, "rtx-4090")
    elsewhere = {name: 2 * estimate(works, name).time_s for name in ("rtx-3090", "rtx-5090")}
    helped = estimate(works, "rtx-4090", measured=elsewhere)
    assert helped.time_s == pytest.approx(2 * plain.time_s)
    assert helped.time_high_s / helped.time_s < plain.time_high_s / plain.time_s


def test_each_processor_left_out_is_estimated_within_the_published_error(shared_path) -> None:
    from bench.estimates import by_device, coverage, left_out, mean_error, neusight_cases

    pairs = left_out(neusight_cases(shared_path("data")))
    assert len(pairs) == 54
    assert mean_error(pairs) <= 0.15
    assert coverage(pairs) >= 0.85
    assert all(coverage(group) >= 0.85 for group in by_device(pairs).values())


def test_intervals_hold_image_networks_on_processors_left_out(shared_path) -> None:
    from bench.estimates import coverage, left_out, mean_error, timm_cases

    cases = timm_cases(shared_path("data"))
    pairs = left_out(cases[::20])
    assert mean_error(pairs) <= 0.35
    assert coverage(pairs) >= 0.85


def test_the_fractions_that_ship_are_those_of_the_data(shared_path, repo_path) -> None:
    import importlib.util

    path = repo_path / "tools" / "build_efficiencies.py"
    spec = importlib.util.spec_from_file_location("build_efficiencies", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = table(module.efficiencies(shared_path("data")))
    with (repo_path / "hetopt" / "data" / "efficiencies.csv").open(encoding="utf-8") as file:
        kept = list(csv.DictReader(file))
    assert [(r["device"], r["operator"], r["precision"]) for r in kept] == [
        (r["device"], r["operator"], r["precision"]) for r in made
    ]
    for old, new in zip(kept, made, strict=True):
        assert float(old["fraction"]) == pytest.approx(float(new["fraction"]), rel=0.01)
