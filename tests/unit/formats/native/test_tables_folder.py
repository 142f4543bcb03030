"""Folders of tables: Parquet and CSV, settings beside, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hetopt.errors import InputError
from hetopt.formats import read_instance, write_instance
from hetopt.instance import Instance
from tests.comparing import differences
from tests.malformed import GOOD


@pytest.fixture
def instance() -> Instance:
    return read_instance("x.yaml", text=GOOD)


def test_tables_that_hold_nothing_are_not_written(instance: Instance, tmp_path: Path) -> None:
    write_instance(instance, tmp_path / "t")
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "devices.parquet",
        "instance.yaml",
        "jobs.parquet",
        "links.parquet",
        "options.parquet",
        "tasks.parquet",
        "transfers.parquet",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["t"]


def test_writing_again_replaces_the_tables_and_keeps_other_files(
    instance: Instance, tmp_path: Path
) -> None:
    folder = tmp_path / "t"
    write_instance(instance, folder)
    (folder / "notes.txt").write_text("mine")
    write_instance(instance, folder, format="csv")
    assert (folder / "notes.txt").read_text() == "mine"
    assert not list(folder.glob("*.parquet"))
    assert differences(instance, read_instance(folder)) == []


def test_a_file_in_the_place_of_the_folder_is_kept(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("mine")
    with pytest.raises(InputError, match="A folder"):
        write_instance(instance, tmp_path / "t")
    assert (tmp_path / "t").read_text() == "mine"


def test_csv_cells_may_carry_units_and_be_empty(instance: Instance, tmp_path: Path) -> None:
    write_instance(instance, tmp_path / "t", format="csv")
    (tmp_path / "t" / "options.csv").write_text(
        "\ufeffprofile,device,time,energy,power\r\n"
        "detect,cpu,20 ms,,7 W\r\n"
        "detect,npu,4 ms,8 mJ,\r\n"
        "grab,cpu,0.003,0.005,\r\n",
        encoding="utf-8",
    )
    made = read_instance(tmp_path / "t").options
    assert made.time_s.tolist() == instance.options.time_s.tolist()
    assert made.energy_j.tolist() == instance.options.energy_j.tolist()


def test_a_folder_needs_no_settings(instance: Instance, tmp_path: Path) -> None:
    write_instance(instance, tmp_path / "t")
    (tmp_path / "t" / "instance.yaml").unlink()
    read = read_instance(tmp_path / "t")
    assert read.name == ""
    assert read.source.startswith("The folder has no instance.yaml")


def test_a_table_of_a_misspelt_name_is_refused_and_another_file_named(
    instance: Instance, tmp_path: Path
) -> None:
    write_instance(instance, tmp_path / "t", format="csv")
    (tmp_path / "t" / "measured.csv").write_text("a,b\n1,2\n")
    assert read_instance(tmp_path / "t").source == (
        "Not read, as no tables of an instance: measured.csv."
    )
    (tmp_path / "t" / "scenario.csv").write_text("name,weight\nday,1\n")
    with pytest.raises(InputError, match=r"scenario.csv: A table's name; did you mean scenarios"):
        read_instance(tmp_path / "t")


def test_rows_of_parquet_tables_are_named_in_problems(instance: Instance, tmp_path: Path) -> None:
    write_instance(instance, tmp_path / "t")
    path = tmp_path / "t" / "tasks.parquet"
    pd.read_parquet(path).assign(work=[1.0, -2.0]).to_parquet(path)
    with pytest.raises(InputError) as caught:
        read_instance(tmp_path / "t")
    assert str(caught.value) == f"{path}, row 1, column work: got -2.0; A value of more than 0."


def test_parquet_columns_of_other_types_are_read(instance: Instance, tmp_path: Path) -> None:
    write_instance(instance, tmp_path / "t")
    path = tmp_path / "t" / "devices.parquet"
    table = pd.read_parquet(path)
    table["kind"] = table["kind"].astype("category")
    table["slots"] = pd.array([2, None], dtype="Int64")
    table["idle_power_w"] = table["idle_power_w"].astype("float32")
    table.to_parquet(path)
    made = read_instance(tmp_path / "t").devices
    assert made.kind.tolist() == ["cpu", "npu"]
    assert made.slots.tolist() == [2, 1]
    assert made.idle_power_w.tolist() == [2.0, 0.0]


def test_line_ends_in_names_survive_csv(tmp_path: Path) -> None:
    text = GOOD.replace("name: camera", 'name: "a\\rb"').replace("grab", '"g\\r\\nb"')
    odd = read_instance("x.yaml", text=text)
    assert odd.tasks.name.tolist() == ["g\r\nb", "detect"]
    write_instance(odd, tmp_path / "t", format="csv")
    assert differences(odd, read_instance(tmp_path / "t")) == []


def test_a_problem_of_the_row_that_a_table_does_not_have_is_named_by_its_file(
    instance: Instance, tmp_path: Path
) -> None:
    write_instance(instance, tmp_path / "t", format="csv")
    (tmp_path / "t" / "jobs.csv").write_text("name,rate_per_s\n")
    (tmp_path / "t" / "instance.yaml").write_text("hetopt: 1\nregime: steady\n")
    with pytest.raises(InputError, match=r"jobs.csv, column rate_per_s"):
        read_instance(tmp_path / "t")
