"""New figures into a folder of tables: other cells stay, in text and in Parquet."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.formats.native.tables_folder import write_csv, write_parquet
from hetopt.formats.native.write_back_tables import write_back_tables

OPTIONS = """profile,device,label,time,power
a,cpu,,0.004,7 W
a,npu,int8,6 ms,3
"""
NEW = {
    ("a", "npu", "int8"): {"time_s": 0.007, "time_low_s": 0.0065, "time_high_s": 0.008},
    ("a", "cpu", ""): {"time_s": 0.005, "time_low_s": 0.0045, "time_high_s": 0.006},
}


def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tables"
    made.mkdir()
    (made / "options.csv").write_text(OPTIONS)
    (made / "devices.csv").write_text("name,kind,idle_power\ncpu,cpu,2 W\nnpu,npu,0.5\n")
    (made / "tasks.csv").write_text("name,profile\nt,a\n")
    (made / "instance.yaml").write_text("# mine\nobjective: energy\n")
    return made


def test_cells_keep_their_units_and_all_else_stays(tmp_path: Path) -> None:
    source, target = folder(tmp_path), tmp_path / "new"
    write_back_tables(source, target, NEW, {"cpu": {"idle_power_w": 1.5}})
    lines = (target / "options.csv").read_text().splitlines()
    assert lines[0] == "profile,device,label,time,power,time_low,time_high"
    assert lines[1:] == [
        "a,cpu,,0.005,7 W,0.0045,0.006",
        "a,npu,int8,7 ms,3,6.5 ms,8 ms",
    ]
    assert (target / "devices.csv").read_text().splitlines()[1] == "cpu,cpu,1.5 W"
    assert (target / "instance.yaml").read_text() == "# mine\nobjective: energy\n"
    made = read_instance(target)
    assert sorted(made.options.time_s.tolist()) == [0.005, 0.007]
    assert (source / "options.csv").read_text().splitlines()[1] == "a,cpu,,0.004,7 W"


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_tables_are_written_back_in_place_and_twice_is_once(tmp_path: Path, write) -> None:
    place = tmp_path / "own"
    write(read_instance(folder(tmp_path)), place)
    write_back_tables(place, place, NEW)
    found = read_instance(place)
    assert sorted(found.options.time_high_s.tolist()) == [0.006, 0.008]
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    write_back_tables(place, place, NEW)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_tables_of_another_form_in_the_target_are_replaced(tmp_path: Path) -> None:
    source, target = folder(tmp_path), tmp_path / "own"
    write_parquet(read_instance(source), target)
    write_back_tables(source, target, NEW)
    assert not list(target.glob("*.parquet"))
    assert read_instance(target).options.time_s.max() == 0.007


def test_what_cannot_be_written_back_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source, target = folder(tmp_path), tmp_path / "new"
    with pytest.raises(InputError, match="A row of the table"):
        write_back_tables(source, target, {("b", "cpu", ""): {"time_s": 1.0}})
    with pytest.raises(InputError, match="as it would be written"):
        write_back_tables(source, target, {("a", "cpu", ""): {"time_s": -1.0}})
    with pytest.raises(InputError, match="A folder"):
        write_back_tables(source, tmp_path / "new.yaml", NEW)
    assert not target.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tables"]
