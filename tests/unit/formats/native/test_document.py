"""YAML and JSON documents: shorthands, the catalogue, places."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetopt.errors import InputError
from hetopt.formats import formats, read_instance, write_instance
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.profiling.catalogue import device_entry, devices, options_for
from tests.comparing import differences
from tests.malformed import GOOD

STREAMS = """\
hetopt: 1
devices:
  - {name: gpu, count: {min: 0}, idle_power: 60 W}
  - {name: npu, count: {min: 1, max: 3}}
  - {name: cpu, count: {max: 2}}
  - {name: tpu, count: 4}
profiles:
  net:
    - {device: gpu, precision: int8, clock: 800 MHz, power_limit: 250, time: 1 ms, energy: 1}
    - {device: npu, label: plain, precision: int8, time: 1 ms, energy: 1}
jobs:
  - {name: stream, rate: 300 req/s, profile: net}
  - name: graph
    rate: 10
    tasks:
      - {name: first, profile: net, forbid: npu}
      - {name: second, options: [{device: cpu, time: 2 ms, energy: 1}], pin: cpu}
    transfers: [{from: first, to: second, bytes: 1 kB}]
"""


def read(text: str, name: str = "x.yaml") -> Instance:
    return read_instance(name, text=text)


def complaint(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    return str(caught.value)


def test_units_are_converted_once_at_the_border() -> None:
    instance = read(GOOD)
    assert instance.options.time_s.tolist() == [0.02, 0.004, 0.003]
    assert instance.options.energy_j.tolist() == [0.02 * 5, 0.008, 0.005]
    assert instance.devices.memory_b[1] == 2**30
    assert instance.links.bandwidth_b_per_s.tolist() == [4e9, 4e9]


def test_a_count_is_a_number_or_a_range() -> None:
    made = read(STREAMS).devices
    assert made.count_min.tolist() == [0, 1, 0, 4]
    assert made.count_max.tolist() == [NO_MAXIMUM, 3, 2, 4]


def test_precision_clock_and_power_limit_make_the_label_where_none_is_given() -> None:
    assert read(STREAMS).options.label.tolist() == ["int8 800 MHz 250 W", "plain", ""]


def test_a_job_with_a_profile_has_one_task_of_its_own_name() -> None:
    instance = read(STREAMS)
    assert instance.tasks.name.tolist() == ["stream", "first", "second"]
    assert instance.tasks.job.tolist() == [0, 1, 1]
    assert instance.profiles.name.tolist() == ["net", "second"]
    assert instance.regime == "steady"


def test_a_job_with_tasks_and_a_profile_is_refused() -> None:
    text = STREAMS.replace("    rate: 10\n", "    rate: 10\n    profile: net\n")
    assert "x.yaml:15, jobs[1].profile: got net; Either tasks" in complaint(text)


def test_a_task_with_a_profile_and_options_is_refused() -> None:
    text = STREAMS.replace("{name: second, options", "{name: second, profile: net, options")
    assert "x.yaml:17, jobs[1].tasks[1].options: Either a profile" in complaint(text)


def test_empty_fields_count_as_not_given() -> None:
    text = GOOD.replace("name: camera", "name:\nhorizon: null\njobs:\n")
    assert read(text).name == ""


def test_merge_keys_and_aliases_are_followed() -> None:
    text = GOOD.replace(
        "  - {name: npu, kind: npu, memory: 1 GiB}",
        "  - &npu {name: npu, kind: npu, memory: 1 GiB}\n  - {<<: *npu, name: npu2, slots: 3}",
    )
    made = read(text).devices
    assert made.name.tolist() == ["cpu", "npu", "npu2"]
    assert made.memory_b.tolist()[1:] == [2**30, 2**30]
    assert made.slots.tolist() == [1, 1, 3]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["hetopt: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "At most 20,000,000 values" in complaint("\n".join(lines))


def test_texts_that_look_like_flags_stay_texts() -> None:
    text = GOOD.replace("name: cpu", "name: on").replace("device: cpu", "device: on")
    assert read(text.replace("from: cpu", "from: on")).devices.name.tolist() == ["on", "npu"]


def test_devices_and_profiles_come_from_the_catalogue() -> None:
    entry = next(d for d in devices()["device"] if device_entry(d).idle_power_w > 0)
    table = next(t for t in _tasks_of(entry) if len(t))
    task = str(table["task"][0])
    text = (
        f"hetopt: 1\ndevices:\n  - {{name: box, from: catalogue, entry: {entry!r}}}\n"
        f"profiles:\n  net: {{from: catalogue, task: {task!r}}}\n"
        "tasks:\n  - {name: net}\n"
    )
    instance = read(text)
    known = device_entry(entry)
    assert instance.devices.kind[0] == known.kind
    assert instance.devices.idle_power_w[0] == known.idle_power_w
    assert instance.devices.scope[0] == known.scope
    assert instance.options.label.tolist() == table["label"].tolist()
    assert instance.options.time_s.tolist() == table["time_s"].tolist()
    assert instance.options.energy_j.tolist() == table["energy_j"].tolist()
    label = str(table["label"][0])
    one = read(text.replace(f"task: {task!r}", f"task: {task!r}, labels: [{label!r}]"))
    assert one.options.label.tolist() == [label]
    idle = read(text.replace("from: catalogue, entry", "idle_power: 0, from: catalogue, entry"))
    power = table["power_w"] * table["time_s"]
    assert idle.options.energy_j.tolist() == pytest.approx(power.tolist())


def _tasks_of(entry: str) -> list:
    from hetopt.profiling.catalogue import catalogue

    table = catalogue()
    tasks = dict.fromkeys(table.loc[table["device"] == entry, "task"])
    return [options_for(task, entry) for task in tasks]


def test_a_label_that_the_catalogue_does_not_have_is_refused() -> None:
    entry = str(devices()["device"][0])
    task = str(_tasks_of(entry)[0]["task"][0])
    text = (
        f"hetopt: 1\ndevices:\n  - {{name: box, from: catalogue, entry: {entry!r}}}\n"
        f"profiles:\n  net: {{from: catalogue, task: {task!r}, labels: [zzz]}}\n"
        "tasks:\n  - {name: net}\n"
    )
    assert "x.yaml:5, profiles.net.labels: got zzz; A label of this task here" in complaint(text)


def test_places_of_inline_and_nested_parts_are_exact() -> None:
    text = STREAMS.replace("time: 2 ms", "time: 2 parsecs").replace("to: second", "to: secnd")
    said = complaint(text)
    assert "x.yaml:17, jobs[1].tasks[1].options[0].time: got 2 parsecs" in said
    assert "x.yaml:18, jobs[1].transfers[0].to: got secnd" in said


def test_very_many_problems_of_one_kind_are_counted() -> None:
    rows = "".join(f"  - {{name: t{i}, profile: detect, wrk: 1}}\n" for i in range(100))
    said = complaint(GOOD.replace("transfers:", rows + "transfers:")).splitlines()
    assert len(said) == 21
    assert said[-1].endswith("80 more have the same problem.")


def test_yaml_that_is_written_is_short_and_read_again(tmp_path: Path) -> None:
    instance = read(GOOD)
    path = tmp_path / "out.yaml"
    write_instance(instance, path)
    text = path.read_text(encoding="utf-8")
    assert "  - {name: cpu, kind: cpu, idle_power_w: 2}\n" in text
    assert differences(instance, read_instance(path)) == []
    assert [p.name for p in tmp_path.iterdir()] == ["out.yaml"]


def test_a_path_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    instance = read(GOOD)
    for path in (tmp_path / "no" / "x.yaml", tmp_path / "no" / "folder"):
        with pytest.raises(InputError, match="no"):
            write_instance(instance, path)
    with pytest.raises(InputError, match="yaml"):
        write_instance(instance, tmp_path / "x.docx")
    assert list(tmp_path.iterdir()) == []


def test_the_format_is_told_by_extension_then_content() -> None:
    assert differences(read(GOOD, "x.yaml"), read(GOOD, "x.txt")) == []
    text = '{"hetopt": 1, "devices": [{"name": "a"}], "tasks": [{"name": "t",'
    text += ' "options": [{"device": "a", "time": 1}]}]}'
    assert differences(read(text, "x.json"), read(text, "noextension")) == []
    assert differences(read(text, "x.json"), read_instance("x.txt", text=text, format="json")) == []
    with pytest.raises(InputError, match=r"A format: .*yaml"):
        read_instance("x.yaml", text=GOOD, format="nonesuch")
    assert len({f.name for f in formats()}) == len(formats())


EXTREME = """
hetopt: 1
devices: [{name: a}, {name: b}]
links: [{from: a, to: b, bandwidth: 1}]
profiles: {p: [{device: a, time: 1}, {device: b, time: 1}]}
tasks: [{name: t, profile: p, work: 2}, {name: u, profile: p}]
transfers: [{from: t, to: u, bytes: 3}]
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("work: 2", "work: 1e300", r":5, tasks\[0\].work: got 1e\+300; 0, or a size from 1e-30"),
        ("bytes: 3", "bytes: 1e300", r":6, transfers\[0\].bytes: got 1e\+300; 0, or a size"),
        ("bandwidth: 1", "bandwidth: 1e-320", r":3, links\[0\].bandwidth: got 1e-320; 0, or"),
        ("{name: b}", "{name: b, count: 1000000000}", r":2, devices\[1\].count: got 1000000000"),
        ("{name: b}", "{name: b, count: 200000}", r"got 200001 units; At most 100,000 of all"),
        ("{name: b}", "{name: b, slots: 1000000000}", r":2, devices\[1\].slots: got 1000000000"),
        ("{name: b}", "{name: b, count: 9, slots: 900000}", r"got 8100001 slots; At most"),
    ],
)
def test_numbers_beyond_what_can_be_counted_or_summed_are_refused_at_their_place(
    old: str, new: str, expected: str
) -> None:
    read_instance("x.yaml", text=EXTREME.strip())
    with pytest.raises(InputError, match=expected):
        read_instance("x.yaml", text=EXTREME.strip().replace(old, new))
