"""One's own solver beside hetopt, a plain table of results, and instances from their sources."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest

from bench import fetch as fetching
from bench.__main__ import main
from bench.peers.command import is_command, read_titled, title
from bench.plain import plain_table
from bench.rows import read_rows

SOLVER = """\
import sys
instance, time, output = sys.argv[1:]
rows = [[int(w) for w in line.split()] for line in open(instance)][1:]
at = 0
with open(output, "w") as out:
    print("job;operation;machine;start", file=out)
    for j, row in enumerate(rows):
        for k in range(0, len(row), 2):
            print(j, k // 2, row[k], at, sep=";", file=out)
            at += row[k + 1]
print("bound 5")
"""
JSP = "2 2\n0 3 1 2\n1 4 0 1\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shared" / "benchmarks" / "jsp"
    folder.mkdir(parents=True)
    (folder / "tiny.txt").write_text(JSP)
    (folder / "bks.csv").write_text(
        "instance,file,lower_bound,best_known,optimal,source\ntiny,tiny.txt,6,6,1,by hand\n"
    )
    monkeypatch.setenv("HETOPT_SHARED", str(tmp_path / "shared"))
    return tmp_path


def test_a_solver_of_ones_own_is_run_checked_and_listed(data: Path) -> None:
    (data / "mine.py").write_text(SOLVER)
    command = f"{sys.executable} {data / 'mine.py'} {{instance}} {{time}} {{output}}"
    results = data / "r.csv"
    arguments = ["run", "--family", "jsp", "--time-limit", "2", "-o", str(results)]
    assert main([*arguments, "--against", command, "--against", f"bad={command} more"]) == 0
    rows = {row["solver"].split("=")[0][:4]: row for row in read_rows(results)}
    assert rows["heto"]["objective"] == 6
    assert rows["bad"]["status"] == "error"
    mine = next(r for r in read_rows(results) if r["solver"] == command)
    assert (mine["status"], mine["objective"], mine["bound"]) == ("feasible", 10, 5)
    plain = list(csv.DictReader(io.StringIO(plain_table([results]))))
    assert {row["solver"] for row in plain} == {"hetopt", "mine", "bad"}
    assert {row["best_known"] for row in plain} == {"6"}
    # It ended by itself long before its time, and tables call it what it was called.
    assert mine["termination"] == "ended"
    for name, begin in (("rep.md", "# Results"), ("rep.html", "<!doctype html>")):
        assert main(["report", str(results), "-o", str(data / name)]) == 0
        text = (data / name).read_text()
        assert text.startswith(begin)
        assert "| jsp/tiny | mine |" in text or name == "rep.html"
        assert command not in text.split("Commands:")[0].partition("# Results")[2]
    assert main(["report", str(results), "-o", str(data / "both")]) == 0
    assert {path.name for path in (data / "both").iterdir()} == {"report.md", "report.html"}
    assert main(["report", str(results), "-o", str(data / "rep.pdf")]) == 2


def test_solvers_of_one_title_are_told_apart(tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    own = ["a=x {instance} {output}", "a=y {instance} {output}", "z/hetopt.py {instance} {output}"]
    text = "".join(f"f,i,{solver},0,1,1\n" for solver in [*own, "hetopt", own[0]])
    table.write_text("family,instance,solver,seed,time_limit_s,workers\n" + text)
    found = [row["solver"] for row in read_titled([table])]
    assert found == ["a", "a (2)", "hetopt (2)", "hetopt", "a"]


def test_commands_and_peers_are_told_apart() -> None:
    assert not is_command("plain-cpsat")
    assert is_command("x {instance} {output}")
    assert title("ours=python s.py {instance} {output}") == "ours"
    assert title("/usr/bin/python -O /a/s.py {instance} {output}") == "s"


def entry(address: str = "", text: str = JSP) -> list[dict[str, str]]:
    return [
        {
            "family": "jsp",
            "instance": "tiny",
            "file": "tiny.txt",
            "address": address,
            "sha256": fetching.checksum(text.encode()),
            "best_known": "6",
        }
    ]


def test_files_are_taken_from_where_they_are_and_checked(data, monkeypatch, capsys) -> None:
    monkeypatch.setattr(fetching, "checksums", lambda family: entry())
    assert fetching.fetch(["jsp"], data / "out") == 0
    assert (data / "out/benchmarks/jsp/tiny.txt").read_text() == JSP
    assert "tiny" in (data / "out/benchmarks/jsp/bks.csv").read_text()
    monkeypatch.setattr(fetching, "checksums", lambda family: entry(text="3 3\n"))
    assert fetching.fetch(["jsp"], data / "other") == 1
    assert "checksum" in capsys.readouterr().err


def test_files_are_fetched_from_their_address(data, monkeypatch, tmp_path) -> None:
    source = tmp_path / "source.txt"
    source.write_text(JSP.replace(" ", "   ").replace("\n", "\r\n"))
    monkeypatch.delenv("HETOPT_SHARED")
    monkeypatch.setattr(fetching, "checksums", lambda family: entry(source.as_uri()))
    assert fetching.fetch(["jsp"], data / "out") == 0
    monkeypatch.setattr(fetching, "checksums", lambda family: entry((tmp_path / "no").as_uri()))
    assert fetching.fetch(["jsp"], data / "none") == 1


def test_checksums_are_of_the_content() -> None:
    assert fetching.checksum(b"1 2\n3\n") == fetching.checksum(b"\xef\xbb\xbf 1  2\r\n\r\n3")
    assert fetching.checksum(b'{"a": 1, "b": 2}') == fetching.checksum(b'{"b":2,\n"a":1}')
    assert fetching.checksum(b"1 2") != fetching.checksum(b"1 3")


def test_recorded_checksums_are_those_of_the_reference_data(shared_path) -> None:
    for family in ("fjsp", "jsp", "gap", "dnn"):
        rows = fetching.checksums(family)
        assert rows
        for row in rows[:: max(1, len(rows) // 8)]:
            data = shared_path("benchmarks", family, row["file"]).read_bytes()
            assert fetching.checksum(data) == row["sha256"]
            assert row["address"].startswith("https://raw.githubusercontent.com/")


def test_families_that_may_not_be_fetched_say_where_they_are(tmp_path, capsys) -> None:
    assert fetching.fetch(["stg"], tmp_path) == 1
    assert "all rights reserved" in capsys.readouterr().err
    assert "fjsp" in fetching.listing()
