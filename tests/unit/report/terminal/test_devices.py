"""What `hetopt devices` shows: filters, sources, licences, scopes, attribution."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from hetopt.errors import InputError
from hetopt.profiling.catalogue import MLPERF_NOTICE, catalogue
from hetopt.report.terminal.devices import (
    details_to_dict,
    details_view,
    devices_to_dict,
    devices_view,
)


def printed(view: object) -> str:
    out = Console(width=240, force_terminal=False)
    with out.capture() as text:
        out.print(view)
    return text.get()


def test_all_devices_are_listed_once_with_source_licence_and_scope() -> None:
    devices = devices_to_dict()["devices"]
    assert [d["device"] for d in devices] == list(dict.fromkeys(catalogue()["device"]))
    assert all(d["source"] and d["licence"] for d in devices)
    assert {d["kind"] for d in devices} >= {"cpu", "gpu", "npu", "fpga", "mcu"}
    assert sum(d["options"] for d in devices) == len(catalogue())


def test_filters_narrow_the_list_and_count_only_rows_that_match() -> None:
    found = devices_to_dict(dataset="mlperf-inference-v3.0", task="server/dlrm-99", kind="npu")
    names = [d["device"] for d in found["devices"]]
    assert "mlperf-v3.0/RecAccel-N3000-32GB-PCIEx8" in names
    n3000 = found["devices"][names.index("mlperf-v3.0/RecAccel-N3000-32GB-PCIEx8")]
    assert n3000["preview"] is True
    assert n3000["scope"] == "wall"
    whole = details_to_dict("mlperf-v3.0/RecAccel-N3000-32GB-PCIEx8")
    assert 0 < n3000["options"] < len(whole["options"])


def test_idle_power_that_no_source_states_is_null_and_a_dash() -> None:
    zeus = devices_to_dict(text="zeus/v100")["devices"]
    assert [d["idle_power_w"] for d in zeus] == [None]
    assert "–" in printed(devices_view(text="zeus/v100"))


def test_an_upper_bound_on_idle_power_is_marked_as_one() -> None:
    assert "≤" in printed(devices_view(text="mlperf-v3.0/Orin_TRT_MaxQ"))
    assert "≤" not in printed(devices_view(text="qutibench/TX2"))


def test_the_limit_says_how_many_devices_there_are() -> None:
    text = printed(devices_view(limit=3, kind="fpga"))
    total = len(devices_to_dict(kind="fpga")["devices"])
    assert f"3 of {total} devices" in text
    assert "All that match" in printed(devices_view(limit=0, kind="fpga"))


def test_nothing_found_is_said_in_words() -> None:
    assert "no such device" in printed(devices_view(text="no-such-thing"))
    assert devices_to_dict(text="no-such-thing") == {"devices": [], "attribution": []}


def test_mlperf_rows_carry_the_trademark_notice_and_others_do_not() -> None:
    assert MLPERF_NOTICE in devices_to_dict(dataset="mlperf-tiny-v1.0")["attribution"]
    assert MLPERF_NOTICE not in devices_to_dict(dataset="zeus")["attribution"]


def test_details_hold_every_option_its_source_and_how_to_use_it() -> None:
    device = details_to_dict("qutibench/EdgeTPU")
    rows = catalogue()
    assert len(device["options"]) == (rows["device"] == "qutibench/EdgeTPU").sum()
    assert all(option["source"] for option in device["options"])
    text = printed(details_view("qutibench/EdgeTPU"))
    assert "from: catalogue, entry: qutibench/EdgeTPU" in text
    assert "above idle" in text


def test_details_are_valid_json_without_nan() -> None:
    for device in ("qutibench/EdgeTPU", "gavel/k80", "zeus/v100"):
        json.dumps(details_to_dict(device), allow_nan=False)


def test_an_unknown_device_is_an_input_error_that_names_close_ones() -> None:
    with pytest.raises(InputError, match="qutibench/EdgeTPU"):
        details_to_dict("qutibench/EdgeTPUs")


def test_a_negative_limit_is_an_input_error() -> None:
    with pytest.raises(InputError, match="--limit"):
        devices_view(limit=-1)


def test_the_list_shows_hardware_board_suite_and_what_is_in_doubt() -> None:
    text = printed(devices_view(text="mlperf-v3.0/XR5610_L4x1_TRT_MaxQ"))
    assert "NVIDIA L4" in text
    assert "edge" in text
    assert "! mlperf-v3.0/XR5610_L4x1_TRT_MaxQ: outlier: offline/resnet50: 634 W" in text
    assert "Firefly RK3588S" in printed(devices_view(text="firefly-armnn-v22.11-opencl"))
    assert "In doubt: unsound idle" in printed(details_view("qutibench/U96-Quadcore-A53"))


def test_the_licence_of_a_repository_without_one_is_not_stated() -> None:
    (line, _) = devices_to_dict(text="SR680a_V3_B200SXMx8_TRT")["attribution"]
    assert line.endswith("(licence not stated).")
