"""The shipped catalogue: its rows, what it says about devices, and that the script makes it."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetopt import Model
from hetopt.errors import HetoptError, InputError
from hetopt.profiling import catalogue as cat

COLUMNS = [
    *("dataset", "device", "name", "board", "kind", "task", "label"),
    *("time_s", "energy_j", "power_w", "idle_power_w", "idle_known"),
    *("batch", "unit", "latency_s", "accuracy", "memory_b", "scope", "power_measured", "preview"),
    *("division", "suite", "round", "submitter", "system", "source", "licence", "note", "caution"),
]
KINDS = {"cpu", "gpu", "npu", "fpga", "tpu", "dsp", "mcu", "other"}
HEADLINE_SYSTEMS = [
    "A100-PCIe-80GBx8_TRT_MaxQ",
    "H100-PCIe-80GBx8_TRT_MaxQ",
    "r282_z93_q8e-qaic-v1.8.3.7-aic100",
    "g292_z43_q16e-qaic-v1.8.3.7-aic100",
    "RecAccel-N3000-32GB-PCIEx8",
]
NETWORKS = ["resnet50", "retinanet", "bert-99", "rnnt", "dlrm-99"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key(row: dict[str, str]) -> tuple[str, ...]:
    """What names a published result of MLPerf Inference."""
    names = ("version", "division", "submitter", "system", "scenario", "model")
    return tuple(row[name].lower() if name == "scenario" else row[name] for name in names)


def asked(row: dict[Hashable, Any]) -> tuple[str, str, str]:
    """System, scenario and network of a row of the catalogue."""
    _, scenario, network = str(row["task"]).split("/")
    return (str(row["system"]), scenario, network)


def test_columns_are_all_there_in_order() -> None:
    assert list(cat.catalogue().columns) == COLUMNS


def test_rows_are_unique_by_device_task_and_label() -> None:
    assert not cat.catalogue().duplicated(["device", "task", "label"]).any()


def test_energy_is_draw_above_idle_times_time() -> None:
    table = cat.catalogue()
    table = table[table["power_measured"]]
    expected = (table["power_w"] - table["idle_power_w"]) * table["time_s"]
    np.testing.assert_allclose(table["energy_j"], expected, rtol=1e-5, atol=0)


def test_power_is_never_below_idle() -> None:
    table = cat.catalogue()
    table = table[table["power_measured"]]
    assert (table["power_w"] >= table["idle_power_w"]).all()


def test_rows_without_measured_power_state_no_power_energy_or_scope() -> None:
    table = cat.catalogue()
    bare = table[~table["power_measured"]]
    assert len(bare) > 0
    assert bare[["power_w", "energy_j"]].isna().all(axis=None)
    assert (bare["scope"] == "").all()
    assert (table.loc[table["power_measured"], "scope"] != "").all()


def test_idle_that_is_not_known_is_zero() -> None:
    table = cat.catalogue()
    assert (table.loc[~table["idle_known"], "idle_power_w"] == 0).all()


def test_a_device_has_one_kind_name_idle_power_and_scope() -> None:
    table = cat.catalogue()
    facts = ["kind", "name", "board", "suite", "submitter", "caution"]
    facts += ["idle_power_w", "idle_known", "licence", "dataset"]
    assert (table.groupby("device")[facts].nunique() == 1).all(axis=None)
    scoped = table[table["scope"] != ""]
    assert (scoped.groupby("device")["scope"].nunique() == 1).all()


def test_every_row_has_a_source_a_licence_that_allows_shipping_and_a_positive_time() -> None:
    table = cat.catalogue()
    assert (table["source"] != "").all()
    stated = table["dataset"] != "mlperf-inference-v5.1"  # its repository has no licence file
    assert set(table.loc[stated, "licence"]) == {"Apache-2.0", "MIT"}
    assert set(table.loc[~stated, "licence"]) == {"not stated"}
    assert set(table["kind"]) <= KINDS
    assert np.isfinite(table["time_s"]).all()
    assert (table["time_s"] > 0).all()
    assert (table["batch"] >= 1).all()
    known = table["accuracy"].dropna()
    assert known.between(0, 1).all()
    assert len(known) > 900


def test_the_licence_of_every_data_set_stands_in_the_attribution_page(repo_path: Path) -> None:
    page = (repo_path / "hetopt" / "data" / "SOURCES.md").read_text(encoding="utf-8")
    for dataset in cat.catalogue()["dataset"].unique():
        family = dataset.rsplit("-v", 1)[0] if dataset.startswith("mlperf") else dataset
        assert family in page


def test_every_mlperf_row_names_round_division_submitter_and_system() -> None:
    table = cat.find(dataset="mlperf-*")
    assert len(table) > 3000
    for column in ("round", "division", "submitter", "system"):
        assert (table[column] != "").all()


def test_a_device_of_an_open_division_is_not_that_of_the_closed_one() -> None:
    table = cat.find(dataset="mlperf-*")
    is_open = table["device"].str.split("/").str[0].str.endswith("-open")
    assert (is_open == (table["division"] == "open")).all()


@pytest.mark.parametrize("system", HEADLINE_SYSTEMS)
def test_headline_rows_carry_the_published_figures_exactly(
    system: str, shared_path: Callable[..., Path]
) -> None:
    path = shared_path("data", "mlperf_inference_power.csv")
    with path.open(newline="", encoding="utf-8") as file:
        published = [
            row
            for row in csv.DictReader(file)
            if (row["version"], row["division"], row["valid"]) == ("v3.0", "closed", "VALID")
            and row["system"] == system
        ]
    floor = min(float(row["floor_w"]) for row in published)
    rows = [r for r in published if r["scenario"] == "Server" and r["model_c"] in NETWORKS]
    assert rows
    for row in rows:
        options = cat.options_for(f"mlperf-v3.0/server/{row['model_c']}", f"mlperf-v3.0/{system}")
        assert len(options) == 1
        option = options.iloc[0]
        assert option["time_s"] == 1 / float(row["throughput_sps"])
        assert option["power_w"] == float(row["power_w"])
        assert option["idle_power_w"] == floor
        assert option["preview"] == (row["status"] == "preview")
        assert option["source"] == row["source"]
        assert option["scope"] == "wall"


def test_only_the_n3000_of_the_headline_servers_is_a_preview() -> None:
    previews = [s for s in HEADLINE_SYSTEMS if cat.device_entry(f"mlperf-v3.0/{s}").preview]
    assert previews == ["RecAccel-N3000-32GB-PCIEx8"]


def test_measured_energy_per_single_stream_sample_is_kept(shared_path: Callable[..., Path]) -> None:
    published = {
        key(row): float(row["energy_j_per_sample"])
        for row in read(shared_path("data", "mlperf_inference_power.csv"))
        if row["scenario"] in ("SingleStream", "MultiStream")
    }
    table = cat.find(task="*stream/*", dataset="mlperf-inference*")
    assert len(table) == len(published) > 3900
    for row in table.to_dict("records"):
        per_sample = published[(row["round"], row["division"], row["submitter"], *asked(row))]
        assert math.isclose(row["power_w"] * row["time_s"] / row["batch"], per_sample, rel_tol=1e-9)


def test_every_published_power_result_of_mlperf_inference_is_a_row(
    shared_path: Callable[..., Path],
) -> None:
    published = {key(row) for row in read(shared_path("data", "mlperf_inference_power.csv"))}
    table = cat.find(dataset="mlperf-inference-*")
    shipped = {
        (r["round"], r["division"], r["submitter"], *asked(r)) for r in table.to_dict("records")
    }
    assert shipped == published
    assert len(table) == len(published) == 4920


def test_rounds_whose_logs_are_missing_say_so_and_state_no_idle_power() -> None:
    table = cat.catalogue()
    table = table[table["round"].isin(["v3.1", "v4.0"])]
    assert len(table) == 1280
    assert not table["idle_known"].any()
    assert (table["energy_j"] > 0).all()
    words = "listed by MLCommons' checker with compliance 1 and no errors"
    assert table["note"].str.contains(words).all()
    assert set(cat.device_entry("mlperf-v3.1/XR5610_L4x1_TRT_MaxQ").suite.split("+")) == {"edge"}


def test_server_rows_of_the_last_rounds_count_completed_samples(
    shared_path: Callable[..., Path],
) -> None:
    checked = 0
    for row in read(shared_path("data", "mlperf_completed.csv")):
        if row["scenario"] != "Server":
            continue
        device = f"mlperf-{row['version']}/{row['system']}"
        task = f"mlperf-{row['version']}/server/{row['model']}"
        option = cat.options_for(task, device).iloc[0]
        assert option["time_s"] == 1 / float(row["completed_samples_per_second"])
        checked += 1
    assert checked == 18


def test_rows_of_language_models_say_what_a_request_is() -> None:
    def unit(task: str, device: str) -> str:
        return str(cat.options_for(task, device).iloc[0]["unit"])

    h100 = "mlperf-v4.0/DGX-H100_H100-SXM-80GBx8_TRT_MaxQ"
    assert unit("mlperf-v4.0/offline/llama2-70b-99.9", h100) == "token"
    assert unit("mlperf-v4.0/server/llama2-70b-99.9", h100) == "request"
    assert unit("mlperf-v4.0/offline/gptj-99", h100) == "request"
    assert unit("mlperf-v4.0/server/resnet50", h100) == "sample"
    units = cat.catalogue().groupby("dataset")["unit"].agg(set)
    assert units["mlenergy-v2"] == {"token", "image", "video"}
    assert units["zeus"] == {"epoch"}


def test_devices_that_nothing_speaks_against_carry_no_caution() -> None:
    doubtful = {row.device: row.caution for row in cat.devices().itertuples() if row.caution}
    assert set(doubtful) == {"mlperf-v3.0/XR5610_L4x1_TRT_MaxQ", "qutibench/U96-Quadcore-A53"}
    assert (
        "634 W, sister systems as fast draw 269.1 W" in doubtful["mlperf-v3.0/XR5610_L4x1_TRT_MaxQ"]
    )
    assert "those of ZCU104-Bismo, another board" in doubtful["qutibench/U96-Quadcore-A53"]


def test_an_fpga_that_only_holds_a_processor_is_no_fpga() -> None:
    assert not any("Andes" in device for device in cat.find(kind="fpga")["device"])
    andes = cat.find(device="AndesCore")
    assert set(andes["kind"]) == {"mcu"}


def test_processors_of_one_board_name_it() -> None:
    boards = {row.device: row.board for row in cat.devices().itertuples()}
    assert boards["mlperf-v3.0-open/firefly-armnn-v22.11-neon"] == "Firefly RK3588S"
    assert boards["mlperf-v3.0-open/firefly-armnn-v22.11-opencl"] == "Firefly RK3588S"
    assert boards["qutibench/Ultra96-DPU"] == boards["qutibench/U96-Quadcore-A53"] == "Ultra96"


@pytest.mark.parametrize("old", sorted(cat.RENAMED))
def test_two_submitters_systems_of_one_name_are_two_devices_and_the_old_name_is_read(
    old: str,
) -> None:
    both = cat.RENAMED[old]
    assert {submitter for id_ in both for submitter in cat.find(device=id_)["submitter"]} == {
        "Krai",
        "Qualcomm",
    }
    first, second = map(cat.device_entry, both)
    assert cat.device_entry(old) == first
    for task in cat.find(device=second.id)["task"]:
        options = cat.options_for(task, old)
        assert len(options) == 1
        option = options.iloc[0]
        assert math.isclose(
            option["energy_j"], (option["power_w"] - first.idle_power_w) * option["time_s"]
        )


def test_an_llm_option_keeps_joules_per_token_and_time_between_tokens(
    shared_path: Callable[..., Path],
) -> None:
    path = shared_path("data", "mlenergy_v2.csv")
    with path.open(newline="", encoding="utf-8") as file:
        published = {row["source"]: row for row in csv.DictReader(file) if row["TP"]}
    table = cat.find(dataset="mlenergy-v2")
    table = table[table["source"].isin(published)]
    assert len(table) == len(published)
    for option in table.itertuples():
        row = published[str(option.source)]
        per_token = float(row["Energy/req (J)"]) / float(row["Avg Output Tokens"])
        assert math.isclose(option.energy_j, per_token, rel_tol=2e-5)
        assert math.isclose(option.latency_s, float(row["Avg TPOT (s)"]), rel_tol=1e-5)
        assert math.isclose(1 / option.time_s, float(row["Token tput (tok/s)"]), rel_tol=1e-5)


def test_the_script_makes_the_committed_table_byte_for_byte(
    shared_path: Callable[..., Path], repo_path: Path, tmp_path: Path
) -> None:
    output = tmp_path / "catalogue.csv"
    script = repo_path / "tools" / "build_catalogue.py"
    command = [sys.executable, str(script), str(shared_path("data")), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    committed = (repo_path / "hetopt" / "data" / "catalogue.csv").read_bytes()
    assert output.read_bytes() == committed


def test_changing_the_returned_frame_leaves_the_catalogue_alone() -> None:
    whole, part = cat.catalogue(), cat.find(dataset="zeus")
    whole["time_s"] = 0.0
    part["time_s"] = 0.0
    assert (cat.catalogue()["time_s"] > 0).all()


def test_find_takes_parts_of_values_in_any_case() -> None:
    found = cat.find(device="a100-pcie-80gbx8", dataset="V3.0", task="/SERVER/")
    assert len(found) > 0
    assert found["device"].str.contains("A100-PCIe-80GBx8").all()
    assert found["task"].str.contains("/server/").all()


def test_find_takes_patterns_of_the_whole_value() -> None:
    assert set(cat.find(device="zeus/?100")["device"]) == {"zeus/v100", "zeus/p100"}
    assert len(cat.find(device="?100")) == 0


def test_find_combines_filters_and_searches_text_in_several_columns() -> None:
    fpgas = cat.find(kind="fpga", scope="board")
    assert set(fpgas["dataset"]) == {"qutibench"}
    by_submitter = cat.find(text="neuchips")
    assert set(by_submitter["device"]) == {"mlperf-v3.0/RecAccel-N3000-32GB-PCIEx8"}
    assert len(cat.find(text="no such thing")) == 0


def test_devices_counts_the_options_and_tasks_of_each_device() -> None:
    table, devices = cat.catalogue(), cat.devices()
    assert devices["device"].is_unique
    assert devices["options"].sum() == len(table)
    row = devices.set_index("device").loc["zeus/v100"]
    mine = table[table["device"] == "zeus/v100"]
    assert row["options"] == len(mine)
    assert row["tasks"] == mine["task"].nunique()
    assert row["scope"] == "gpu"
    assert not row["idle_known"]
    assert row["licence"] == "Apache-2.0"


def test_a_device_entry_says_idle_power_scope_and_source() -> None:
    entry = cat.device_entry("qutibench/TX2")
    assert (entry.kind, entry.idle_power_w, entry.idle_known) == ("gpu", 4.15, True)
    assert (entry.scope, entry.licence) == ("board", "Apache-2.0")
    assert entry.source.startswith("RCL-lab/QutibenchWeb:")


def test_an_unknown_device_is_an_error_that_suggests_close_ones() -> None:
    with pytest.raises(cat.UnknownEntry, match=r"no device 'zeus/v10'.*zeus/v100") as caught:
        cat.device_entry("zeus/v10")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, HetoptError)
    with pytest.raises(cat.UnknownEntry, match="for example"):
        cat.device_entry("~~~")


def test_options_come_in_the_order_of_the_labels_asked_for() -> None:
    labels = ["1410MHz", "855MHz"]
    options = cat.options_for("perseus/bloom/stage0/forward", "perseus/a100_sxm", labels)
    assert list(options["label"]) == labels
    assert options["time_s"].is_monotonic_increasing


def test_unknown_tasks_and_labels_are_errors_and_an_unmeasured_pair_is_empty() -> None:
    with pytest.raises(cat.UnknownEntry, match=r"no task 'zeus/cifar100'.*shufflenetv2"):
        cat.options_for("zeus/cifar100", "zeus/v100")
    with pytest.raises(cat.UnknownEntry, match=r"no label '1410'.*1410MHz"):
        cat.options_for("perseus/bloom/stage0/forward", "perseus/a100_sxm", ["1410"])
    assert len(cat.options_for("zeus/cifar100/shufflenetv2", "perseus/a40")) == 0


def test_clock_modes_of_one_board_are_options_of_one_device() -> None:
    options = cat.options_for("qutibench/ResNet-50", "qutibench/TX2")
    assert {label.rsplit("-", 1)[1] for label in options["label"]} == {"maxn", "maxp", "maxq"}


def test_scope_conflicts_are_the_different_scopes_without_the_empty_one() -> None:
    assert cat.scope_conflicts(["gpu", "", "wall", "gpu"]) == ("gpu", "wall")
    assert cat.scope_conflicts(["", ""]) == ()


def test_attribution_of_mlperf_rows_is_complete_and_carries_the_notice() -> None:
    line, notice = cat.attribution(["mlperf-v3.0/RecAccel-N3000-32GB-PCIEx8"])
    for part in ("Inference v3.0", "closed", "Neuchips", "RecAccel-N3000", "preview"):
        assert part in line
    assert "not verified by MLCommons" in notice
    assert len(cat.attribution(["zeus/v100", "zeus/v100"])) == 1


def test_a_pattern_or_a_list_of_tasks_joins_rounds_in_one_profile() -> None:
    m = Model("pooled", objective="power")
    count = (0, None)
    m.device("h200", catalogue="mlperf-v4.1/H200-SXM-141GBx8_TRT_MaxQ", count=count)
    m.device("ai100", catalogue="mlperf-v3.0/r282_z93_q8e-qaic-v1.8.3.7-aic100", count=count)
    m.profile("pattern", catalogue="mlperf-v?.?/server/resnet50")
    names = ["mlperf-v3.0/server/bert-99", "mlperf-v4.1/server/bert-99"]
    m.profile("list", catalogue=[n for n in names if n in cat.catalogue()["task"].tolist()])
    for name in ("pattern", "list"):
        m.job(name, profile=name, rate=10)
    assert m.build().options.device.tolist()[:2] == [0, 1]


def test_a_pattern_without_a_task_is_an_error() -> None:
    m = Model("pooled", objective="power")
    m.device("h200", catalogue="mlperf-v4.1/H200-SXM-141GBx8_TRT_MaxQ")
    m.job("a", profile=m.profile("a", catalogue="mlperf-v9*/resnet50"), rate=10)
    with pytest.raises(InputError, match="no task 'mlperf-v9"):
        m.build()


def test_several_tasks_find_the_devices_that_ran_all_of_them() -> None:
    rows = cat.find(task=["v3.0/server/resnet50", "v3.0/server/rnnt"])
    both = set(cat.find(task="v3.0/server/resnet50")["device"])
    both &= set(cat.find(task="v3.0/server/rnnt")["device"])
    assert set(rows["device"]) == both
    assert len(rows) == sum(
        len(cat.options_for(t, d))
        for d in both
        for t in ("mlperf-v3.0/server/resnet50", "mlperf-v3.0/server/rnnt")
    )
