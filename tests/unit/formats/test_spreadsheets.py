"""Tables as spreadsheets of any country and their programs write them; packed files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hetopt import InputError, read_instance
from hetopt.formats.delimited import read_delimited
from hetopt.formats.registry import write_instance

TABLES = {
    "devices": "name,kind,idle_power\ncpu,cpu,4 W\nnpu,npu,0.5 W\n",
    "options": "profile,device,time,power\na,cpu,12.5 ms,9 W\na,npu,3 ms,2.5 W\n",
    "tasks": "name,profile,work\nfirst,a,1\nsecond,a,1.5\n",
}
SETTINGS = "hetopt: 1\nobjective: energy\nhorizon: 50 ms\n"


def folder(path: Path, tables: dict[str, str]) -> Path:
    path.mkdir()
    (path / "instance.yaml").write_text(SETTINGS)
    for name, text in tables.items():
        (path / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return folder(tmp_path / "plain", TABLES)


def semicolons(text: str) -> str:
    return text.replace(",", ";").replace(".", ",")


@pytest.mark.parametrize(
    "change",
    [
        semicolons,
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n" + text.replace("\n", "\n\n"),
        lambda text: semicolons(text).replace("\n", "\n;;;\n") + ";;\n",
        lambda text: "\ufeff" + text,
    ],
    ids=["semicolons", "tabs", "crlf", "blank lines", "empty rows", "byte order mark"],
)
def test_tables_are_read_however_a_spreadsheet_wrote_them(tmp_path, plain, change) -> None:
    changed = folder(tmp_path / "other", {name: change(text) for name, text in TABLES.items()})
    one, other = read_instance(plain), read_instance(changed)
    assert one.options.time_s.tolist() == other.options.time_s.tolist() == [0.0125, 0.003]
    assert one.tasks.work.tolist() == other.tasks.work.tolist() == [1, 1.5]


def test_problems_keep_their_lines_behind_blank_ones(tmp_path) -> None:
    tables = TABLES | {"devices": "name;kind\n\n;\ncpu;cpu\nnpu;quantum\n"}
    with pytest.raises(InputError, match=r"devices\.csv:5, column kind: got quantum"):
        read_instance(folder(tmp_path / "x", tables))


def test_a_decimal_comma_between_commas_is_told(tmp_path) -> None:
    with pytest.raises(InputError, match="Decimal commas need another separator"):
        read_delimited("device,time,power\ncpu,12,5,9\n", "m.csv")


def test_thousands_and_decimal_signs_are_not_guessed() -> None:
    table = read_delimited("name;a;b\nx;1.234,5;1,5,2\n", "m.csv")
    assert table.rows == [["x", "1.234,5", "1,5,2"]]


def test_a_workbook_is_the_instance_that_it_was_written_from(tmp_path, plain) -> None:
    pytest.importorskip("openpyxl")
    instance = read_instance(plain)
    write_instance(instance, tmp_path / "book.xlsx")
    again = read_instance(tmp_path / "book.xlsx")
    assert again.options.energy_j.tolist() == instance.options.energy_j.tolist()
    assert again.limits.horizon_s == 0.05
    assert again.objective == ("energy",)


def book(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


SHEETS: dict[str, list[list[object]]] = {
    "Settings": [["objective", "energy"], ["horizon", "50 ms"]],
    "Devices": [["name", "kind"], ["cpu", "cpu"]],
    "Options": [["profile", "device", "time", "energy"], [], ["a", "cpu", "3 ms", 0.2]],
    "Tasks": [["name", "profile"], ["t", "a"]],
    "Notes": [["made by hand"]],
}


def test_a_workbook_made_by_hand_is_read_and_other_sheets_are_named(tmp_path) -> None:
    instance = read_instance(book(tmp_path / "hand.xlsx", SHEETS))
    assert instance.options.time_s.tolist() == [0.003]
    assert "Not read, as no tables of an instance: Notes" in instance.source


@pytest.mark.parametrize(
    ("sheet", "rows", "message"),
    [
        ("Options", [["profile", "device", "time"], [], ["a", "cpu", "3 Ms"]], "Options.*row 3"),
        ("Settings", [["horizon", "50 W"]], "sheet settings, row 1"),
        ("Tasks", [["name", "profile"], ["t", "a", "lost"]], "Nothing beside the named columns"),
        ("Devices", [["name", "name"], ["cpu", "cpu"]], "Each column once"),
        ("Devices", [["name", "slots"], ["cpu", "=1+1"]], "save it again"),
        ("Device", [["name"], ["cpu"]], "did you mean devices"),
    ],
)
def test_mistakes_in_a_workbook_are_named_by_sheet_and_row(tmp_path, sheet, rows, message) -> None:
    sheets = {k: v for k, v in SHEETS.items() if not k.startswith(sheet[:6])} | {sheet: rows}
    with pytest.raises(InputError, match=f"(?i){message}"):
        read_instance(book(tmp_path / "wrong.xlsx", sheets))


def test_a_file_that_is_no_workbook_is_told(tmp_path) -> None:
    pytest.importorskip("openpyxl")
    (tmp_path / "x.xlsx").write_text("name;kind")
    with pytest.raises(InputError, match="An Excel workbook is expected"):
        read_instance(tmp_path / "x.xlsx")


def test_a_packed_file_of_any_format_is_read(tmp_path) -> None:
    text = "2 2\n1 2 1 3 2 4\n1 1 1 5\n"
    (tmp_path / "x.fjs.gz").write_bytes(gzip.compress(text.encode()))
    assert len(read_instance(tmp_path / "x.fjs.gz").tasks) == 2
    broken = gzip.compress(text.encode())[:-9]
    (tmp_path / "y.fjs.gz").write_bytes(broken)
    with pytest.raises(InputError, match="gzip packing is broken"):
        read_instance(tmp_path / "y.fjs.gz")


def test_a_packed_table_of_a_folder_is_read(tmp_path, plain) -> None:
    text = (plain / "devices.csv").read_bytes()
    (plain / "devices.csv").unlink()
    (plain / "devices.csv.gz").write_bytes(gzip.compress(text))
    assert read_instance(plain).devices.name.tolist() == ["cpu", "npu"]
