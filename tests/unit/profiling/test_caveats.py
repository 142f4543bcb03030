from dataclasses import replace

import numpy as np
import pytest

from hetopt import default_instance, read_instance
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.profiling.caveats import caveats


def with_scopes(instance: Instance, scopes: list[str]) -> Instance:
    column = np.array(scopes, dtype=instance.devices.scope.dtype)
    return replace(
        instance,
        allow_mixed_scopes=True,
        devices=replace(instance.devices, scope=column),
    )


def test_previews_and_the_owner_of_the_figures_are_named():
    notes = caveats(default_instance())
    assert notes[0] == "Preview, not on sale when measured: n3000."
    assert any("closed/NVIDIA/results/A100-PCIe-80GBx8_TRT_MaxQ" in note for note in notes)
    assert "not verified by MLCommons" in notes[-1]


def test_mixed_scopes_are_named_only_where_they_are_mixed():
    one = with_scopes(default_instance(), ["wall"] * 4)
    two = with_scopes(default_instance(), ["wall", "board", "", "wall"])
    assert not any("scope" in note for note in caveats(one))
    assert "Power figures of different scope are compared: wall, board." in caveats(two)


def catalogue_device(entry: str, task: str) -> Instance:
    return read_instance(
        "one.yaml",
        text=f"""
hetopt: 1
regime: steady
objective: power
devices: [{{name: mine, from: catalogue, entry: {entry}}}]
profiles: {{work: {{from: catalogue, task: {task}}}}}
jobs: [{{name: job, profile: work, rate: 1/s}}]
""",
    )


def test_figures_in_doubt_are_named_with_the_reason():
    doubtful = catalogue_device("mlperf-v3.0/XR5610_L4x1_TRT_MaxQ", "mlperf-v3.0/offline/resnet50")
    note = "Figures of mine are in doubt: outlier: offline/resnet50: 634 W"
    assert any(text.startswith(note) for text in caveats(doubtful))
    sound = catalogue_device("mlperf-v3.0/Orin_TRT_MaxQ", "mlperf-v3.0/offline/resnet50")
    assert not any("in doubt" in text for text in caveats(sound))


def test_idle_power_that_nobody_states_is_named():
    unstated = catalogue_device("mlperf-v3.1/Orin_TRT_MaxQ", "mlperf-v3.1/offline/resnet50")
    assert any(text.startswith("No idle power is stated for mine") for text in caveats(unstated))
    assert not any("No idle power" in text for text in caveats(default_instance()))


def small(more: str) -> Instance:
    return read_instance("small.yaml", text=f"hetopt: 1\n{more}")


def test_what_plays_no_part_is_named():
    notes = caveats(
        small(
            "objective: energy\n"
            "devices: [{name: a, memory: 24 GB}, {name: b}, {name: c}]\n"
            "profiles: {p: [{device: a, time: 1, weights: 29 GB}, {device: c, time: 2}]}\n"
            "tasks: [{name: t, profile: p, forbid: c}, {name: u, profile: p, forbid: c}]\n"
        )
    )
    assert "No task has an option on b, so nothing runs there." in notes
    assert "Pins, forbids and sites keep every task away from c." in notes
    assert any("so these options never run: p on a." in note for note in notes)
    assert "Nothing states an energy or a power, so it is 0 in every plan." in notes


def test_what_plays_its_part_is_not_named():
    one = "devices: [{name: a, memory: 29 GB, idle_power: 1 W}]\n"
    tasks = "tasks: [{name: t, options: [{device: a, time: 1, weights: 29 GB}]}]\n"
    assert caveats(small(one + tasks)) == ()
    assert caveats(small("objective: makespan\n" + one.replace("1 W", "0 W") + tasks)) == ()


def test_jobs_without_tasks_are_named():
    with pytest.raises(InputError, match=r"in table tasks: a profile, options or tasks of job j"):
        small("devices: [{name: m}]\njobs: [{name: j}]\n")


def test_processors_of_one_board_that_each_state_its_idle_power_are_named():
    def board(
        idle: str = "", gpu: str = "mlperf-v3.0-open/firefly-armnn-v22.11-opencl"
    ) -> Instance:
        return read_instance(
            "board.yaml",
            text=f"""
hetopt: 1
regime: steady
objective: power
allow_mixed_scopes: true
devices:
  - {{name: cpu, from: catalogue, entry: mlperf-v3.0-open/firefly-armnn-v22.11-neon{idle}}}
  - {{name: gpu, from: catalogue, entry: {gpu}}}
profiles:
  a: {{from: catalogue, task: mlperf-v3.0-open/singlestream/efficientnet-lite0-quantized}}
jobs: [{{name: a, profile: a, rate: 20/s}}]
""",
        )

    def said(instance: Instance) -> list[str]:
        return [note for note in caveats(instance) if "of one board" in note]

    assert len(said(board())) == 1
    assert said(board())[0].startswith("cpu, gpu are processors of one board, Firefly RK3588S")
    assert said(board(idle=", idle_power: 0 W")) == []
    assert said(board(idle=", board: another one")) == []


STREAM = """
hetopt: 1
regime: steady
objective: power
devices: [{name: box, idle_power: 5 W, start_up: {energy: 1 J}}]
jobs:
  - {name: j, rate: 10 /s, value: 3, min_share: 0.5,
     options: [{device: box, time: 10 ms, energy: 1 J}]}
"""
PLAN = """
hetopt: 1
regime: schedule
objective: makespan
devices: [{name: box, idle_power: 1 W, start_up: {energy: 1 J}}]
jobs: [{name: j, optional: true, options: [{device: box, time: 1 s, energy: 1 J}]}]
"""


def without_effect(text: str) -> list[str]:
    notes = caveats(read_instance("one.yaml", text=text))
    return [note.split()[0].strip("`") for note in notes if "has no effect" in note]


def test_fields_without_effect_are_named_once_each():
    assert without_effect(STREAM) == ["value", "min_share", "start_up"]
    assert without_effect(PLAN) == ["optional"]
    assert without_effect(PLAN.replace("makespan", "makespan\ncycle: 5 s")) == [
        "optional",
        "start_up",
    ]


def test_fields_that_count_have_no_note():
    valued = STREAM.replace("objective: power", "objective: value")
    periods = "periods: [{name: a, duration: 1 h}, {name: b, duration: 1 h}]\n"
    assert without_effect(valued + periods) == []
    assert without_effect(PLAN.replace("makespan", "value")) == []
