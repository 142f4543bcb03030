"""Without pyarrow all but Parquet works, and what needs it names the command that installs it."""

import sys

import pandas as pd
import pytest

from hetopt import InputError, Model, read_instance, solve, write_instance, write_solution
from hetopt.compile import from_frames, strings
from hetopt.compile.strings import codes, keys_of, positions, repeated

NAMED = r"Parquet needs pyarrow.*pip install 'hetopt\[parquet\]'.*--to csv"


def small():
    m = Model("small", objective="energy")
    cpu = m.device("cpu", kind="cpu", idle_power="1 W")
    m.job("frame").task("grab", options=[cpu.option(time="4 ms", energy="1 mJ")])
    return m.build()


@pytest.fixture
def without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # what import then refuses
    strings._arrow.cache_clear()
    with pd.option_context("mode.string_storage", "python"):  # as pandas does without it
        yield
    strings._arrow.cache_clear()


@pytest.mark.usefixtures("without_pyarrow")
def test_a_folder_of_parquet_tables_is_refused_by_name_in_all_ways(tmp_path):
    instance = small()
    solution = solve(instance, deterministic=True, time_limit=5)
    with pytest.raises(InputError, match=NAMED):
        write_instance(instance, tmp_path / "tables")
    with pytest.raises(InputError, match=NAMED):
        write_solution(tmp_path / "plan", instance, solution)
    for folder in ("instance", "result"):
        (tmp_path / folder).mkdir()
    for table in ("devices", "options", "tasks"):
        (tmp_path / "instance" / f"{table}.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=NAMED):
        read_instance(tmp_path / "instance")
    assert not (tmp_path / "tables").exists()
    assert not (tmp_path / "plan").exists()


@pytest.mark.usefixtures("without_pyarrow")
@pytest.mark.parametrize(("name", "form"), [("x.yaml", None), ("x.json", None), ("x", "csv")])
def test_all_other_forms_work(tmp_path, name, form):
    write_instance(small(), tmp_path / name, format=form)
    read = read_instance(tmp_path / name)
    assert read.tasks.name.tolist() == ["grab"]
    assert read.options.energy_j.tolist() == [1e-3]


@pytest.mark.parametrize("large", [1, 10**9])
def test_texts_are_looked_up_alike_with_and_without_arrow(large, monkeypatch):
    monkeypatch.setattr(strings, "LARGE", large)
    texts = strings.strings(["b", "a", "", "b", "Ω\0x", "a"])
    code, names = codes(keys_of(texts))
    assert code.tolist() == [0, 1, 2, 0, 3, 1]
    assert names.tolist() == ["b", "a", "", "Ω\0x"]
    known = keys_of(strings.strings(["a", "Ω\0x", "a", "c"]))
    assert positions(keys_of(texts), known).tolist() == [-1, 0, -1, -1, 1, 0]
    assert repeated(keys_of(texts)).tolist() == [3, 5]


def test_columns_of_both_sizes_are_looked_up_in_each_other(monkeypatch):
    few = keys_of(strings.strings(["a", "c"]))
    monkeypatch.setattr(strings, "LARGE", 3)
    many = keys_of(strings.strings(["c", "b", "a", "c"]))
    assert positions(many, few).tolist() == [1, -1, 0, 1]
    assert positions(few, many).tolist() == [2, 0]


@pytest.mark.parametrize("large", [1, 10**9])
def test_texts_of_frames_are_read_alike_with_and_without_arrow(large, monkeypatch):
    monkeypatch.setattr(strings, "LARGE", large)
    frames = {
        "devices": pd.DataFrame({"name": ["Ω", "b"], "kind": pd.array(["cpu", None], "str")}),
        "options": pd.DataFrame({"profile": ["p", "p"], "device": ["Ω", "b"], "time_s": 1.0}),
        "tasks": pd.DataFrame({"name": ["x" * 300, "y"], "profile": "p"}),
    }
    read = from_frames(frames)
    assert read.devices.name.tolist() == ["Ω", "b"]
    assert read.devices.kind[0] == "cpu"
    assert read.tasks.name.tolist() == ["x" * 300, "y"]
    frames["tasks"] = pd.DataFrame({"name": ["a\0b", None], "profile": ["p", "q"]})
    with pytest.raises(InputError) as refused:
        from_frames(frames)
    told = str(refused.value)
    assert "row 0, column name" in told
    assert "NUL" in told
    assert "row 1, column name" in told
