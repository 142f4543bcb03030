"""Instances that ship with the package are found by name, and files of the folder come first."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hetopt import InputError, read_instance
from hetopt.cli.app import app
from hetopt.formats.shipped import shipped_names

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_every_file_of_instances_ships_under_its_name():
    files = (ROOT / "instances").rglob("*.yaml")
    names = {p.relative_to(ROOT / "instances").with_suffix("").as_posix() for p in files}
    assert set(shipped_names()) == names
    assert {"edge-box", "synthetic/sites"} <= names


def test_every_shipped_instance_is_read_by_its_name():
    for name in shipped_names():
        assert len(read_instance(name).tasks) > 0, name


def test_instances_lists_names_with_a_sentence_each():
    lines = run("instances").output.splitlines()
    assert any(line.startswith("edge-box ") and "camera box" in line for line in lines)
    rows = json.loads(run("instances", "--json").output)["instances"]
    assert [row["name"] for row in rows] == shipped_names()
    assert all(row["about"][-1] in ".?" and Path(row["file"]).is_file() for row in rows)


@pytest.mark.parametrize(
    "arguments",
    [
        ("solve", "edge-box", "--method", "heft"),
        ("convert", "edge-box", "-o", "mine.yaml"),
        ("export", "edge-boards", "-o", "model.mps"),
    ],
)
def test_commands_find_a_shipped_instance_by_name(arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output


def test_a_case_that_swaps_entries_of_the_catalogue_reads_the_shipped_file():
    swap = "swap heimdall=mlperf-v3.0/gloria_highend-qaic-v1.8.3.7-aic100"
    result = run("whatif", "edge-boards", "--case", swap)
    assert result.exit_code == 0, result.output


def test_a_file_of_the_same_name_in_the_folder_comes_first(empty_folder):
    text = (ROOT / "instances" / "synthetic" / "exclusive.yaml").read_text(encoding="utf-8")
    (empty_folder / "edge-box").write_text(text, encoding="utf-8")
    assert read_instance("edge-box").name == "exclusive"


@pytest.mark.parametrize("wrong", ["edge-bx", "instances/edge-box.yaml"])
def test_an_unknown_name_is_told_near_ones_and_where_all_are_listed(wrong):
    with pytest.raises(
        InputError, match=r"there is none\. Did you mean edge-box.*hetopt instances"
    ):
        read_instance(wrong)
    result = run("solve", wrong)
    assert result.exit_code == 2
