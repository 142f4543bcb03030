from __future__ import annotations

from pathlib import Path

import pytest

from hetopt import InputError
from hetopt.formats.native.document import read_yaml
from hetopt.formats.native.write_back import write_back

REPO = Path(__file__).resolve().parents[4]
DOCUMENTS = sorted((REPO / "instances").rglob("*.yaml"))

TEXT = """\
hetopt: 1  # first
devices:
- {name: npu, kind: npu, idle_power: 0.3 W}
- name: cpu
  kind: cpu      # host

profiles:
  a:
    - {device: npu, time: "4 ms", energy_j: 4.16635193349769e-06}   # flow
    - device: cpu
      time_s: 0.020   # block
      energy_j: 1
      # below

  b:
    - {device: cpu, precision: fp32, time: 1 s, energy: 1 kJ}
tasks: [{name: t, profile: a}, {name: u, profile: b}]
"""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_without_changes_is_the_same_to_the_byte(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert write_back(text, path.name, {}, {}) == text


def test_only_the_fields_that_change_change() -> None:
    made = write_back(
        TEXT,
        "a.yaml",
        {
            ("a", "npu", ""): {"time_s": 0.005, "time_low_s": 0.004, "time_high_s": 0.006},
            ("a", "cpu", ""): {"time_s": 0.03, "estimated": False, "source": "calibrated: 3"},
            ("b", "cpu", "fp32"): {"energy_j": 1500.0},
        },
        {"npu": {"idle_power_w": 0.25}, "cpu": {"idle_power_w": 2.0}},
    )
    expected = TEXT.replace(
        """time: "4 ms", energy_j: 4.16635193349769e-06}""",
        """time: 5 ms, energy_j: 4.16635193349769e-06, time_low: 4 ms, time_high: 6 ms}""",
    )
    expected = expected.replace("time_s: 0.020   # block", "time_s: 0.03   # block")
    expected = expected.replace(
        "      energy_j: 1\n",
        '      energy_j: 1\n      estimated: false\n      source: "calibrated: 3"\n',
    )
    expected = expected.replace("energy: 1 kJ", "energy: 1.5 kJ")
    expected = expected.replace("idle_power: 0.3 W", "idle_power: 0.25 W")
    expected = expected.replace(
        "  kind: cpu      # host\n", "  kind: cpu      # host\n  idle_power_w: 2.0\n"
    )
    assert made == expected
    assert read_yaml(made, "a.yaml").options.time_s.tolist() == [0.005, 0.03, 1.0]


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: "# ü 𝛼\n" + t]
)
def test_line_ends_marks_and_characters_of_any_kind_stay(change) -> None:
    text = change(TEXT)
    new = {"time_s": 0.03, "estimated": False}
    made = write_back(text, "a.yaml", {("a", "cpu", ""): new})
    plain = TEXT.replace("time_s: 0.020 ", "time_s: 0.03 ")
    plain = plain.replace("      energy_j: 1\n", "      energy_j: 1\n      estimated: false\n")
    assert made == change(plain)


def test_a_mapping_that_an_alias_shares_is_not_changed_for_one_of_its_places() -> None:
    text = TEXT.replace("  b:\n    - {", "  b: &b\n    - {").replace("tasks:", "  c: *b\ntasks:")
    same = {("b", "cpu", "fp32"): {"time_s": 2.0}, ("c", "cpu", "fp32"): {"time_s": 2.0}}
    assert "time: 2 s" in write_back(text, "a.yaml", same)
    other = same | {("c", "cpu", "fp32"): {"time_s": 3.0}}
    with pytest.raises(InputError, match="alias"):
        write_back(text, "a.yaml", other)


def test_fields_of_a_merge_key_become_the_options_own() -> None:
    text = TEXT.replace(
        "    - {device: cpu, precision: fp32, time: 1 s, energy: 1 kJ}",
        "    - &x {device: cpu, precision: fp32, time: 1 s, energy: 1 kJ}\n"
        "    - {<<: *x, precision: int8}",
    )
    made = write_back(text, "a.yaml", {("b", "cpu", "int8"): {"time_s": 2.0}})
    assert "{<<: *x, precision: int8, time: 2 s}" in made
    assert read_yaml(made, "a.yaml").options.time_s.tolist() == [0.004, 0.02, 1.0, 2.0]


def test_a_change_that_makes_no_instance_is_refused() -> None:
    with pytest.raises(InputError, match="At least the time"):
        write_back(TEXT, "a.yaml", {("a", "npu", ""): {"time_low_s": 1e-3, "time_high_s": 2e-3}})
