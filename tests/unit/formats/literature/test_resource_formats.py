"""Readers of formats with resources: multi-mode projects, assignment, machines with units."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from hetopt.errors import InputError
from hetopt.formats import formats, read_instance
from hetopt.solve import solve
from hetopt.verify import verify

STARS = "*" * 72
PSPLIB = f"""{STARS}
file with basedata            : mm35_.bas
initial value random generator: 317177163
{STARS}
projects                      :  1
jobs (incl. supersource/sink ):  4
horizon                       :  90
RESOURCES
  - renewable                 :  1   R
  - nonrenewable              :  1   N
  - doubly constrained        :  0   D
{STARS}
PROJECT INFORMATION:
pronr.  #jobs rel.date duedate tardcost  MPM-Time
    1     2      0       20        4       20
{STARS}
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        2          1           4
   3        1          1           4
   4        1          0
{STARS}
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  N 1
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     3       4    9
         2     7       2    0
  3      1     5       3    0
  4      1     0       0    0
{STARS}
RESOURCEAVAILABILITIES:
  R 1  N 1
    6    9
{STARS}
"""
MMLIB = (
    PSPLIB[PSPLIB.index("jobs (incl") :]
    .replace("horizon                       :  90\n", "")
    .replace("REQUESTS/DURATIONS:", "REQUESTS/DURATIONS")
    .replace("RESOURCEAVAILABILITIES:", " RESOURCE AVAILABILITIES ")
    .replace("   ", "\t")
)
GAP = "2 3\n4 5 6\n7 2 9\n1 2\n3\n2 2 2\n5 4\n"
UPMR = "2 2 3\n4 6\n5 5\n2 1\n2 0\n"
SMALL = {"mrcpsp": PSPLIB, "gap": GAP, "upmr": UPMR}
NAMES = {"mrcpsp": "x.mm", "gap": "x", "upmr": "x.txt"}


@pytest.mark.parametrize("name", SMALL)
def test_name_and_content_tell_the_format(name: str) -> None:
    assert [f.name for f in formats() if f.sniff(SMALL[name])] == [name]
    assert len(read_instance(NAMES[name], text=SMALL[name]).uses)
    assert len(read_instance("-", text=SMALL[name]).uses)


@pytest.mark.parametrize("text", [PSPLIB, MMLIB])
def test_a_project_has_modes_as_options_and_both_kinds_of_resource(text: str) -> None:
    instance = read_instance("x.mm", text=text)
    assert instance.tasks.name.tolist() == ["1", "2", "3", "4"]
    assert instance.resources.name.tolist() == ["R1", "N1"]
    assert instance.resources.capacity.tolist() == [6, np.inf]
    assert instance.resources.budget.tolist() == [np.inf, 9]
    assert instance.options.time_s.tolist() == [0, 3, 7, 5, 0]
    assert [instance.uses.of(o) for o in (1, 2, 3)] == [[(0, 4), (1, 9)], [(0, 2)], [(0, 3)]]
    ends = zip(instance.edges.src.tolist(), instance.edges.dst.tolist(), strict=True)
    assert sorted(ends) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    # Side by side only in the slow mode: 7, against 3 + 5.
    solution = solve(instance, time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 7.0)


def test_without_the_budget_a_project_takes_the_other_modes() -> None:
    scarce = PSPLIB.replace("    6    9\n", "    7    8\n")
    assert solve(read_instance("x.mm", text=scarce), time_limit=20).objective == 7.0
    plenty = PSPLIB.replace("    6    9\n", "    7    9\n")
    assert solve(read_instance("x.mm", text=plenty), time_limit=20).objective == 5.0


def test_an_agent_is_a_device_with_a_budget_of_its_own() -> None:
    instance = read_instance("x", text=GAP, format="gap")
    assert instance.options.energy_j.reshape(3, 2).tolist() == [[4, 7], [5, 2], [6, 9]]
    assert instance.resources.budget.tolist() == [5, 4]
    # All cheapest would be 4 + 2 + 6 and weighs 1 + 3 on the first agent, 2 on the second.
    solution = solve(instance, time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 12.0)


def test_machines_share_the_units_of_a_resource() -> None:
    instance = read_instance("x.txt", text=UPMR)
    assert instance.resources.capacity.tolist() == [3]
    # J1 on M1 (2 units) beside J2 on M2 (none).
    solution = solve(instance, time_limit=20)
    assert (solution.status, solution.objective) == ("optimal", 5.0)
    scarce = read_instance("x.txt", text=UPMR.replace("2 0\n", "2 2\n"))
    assert solve(scarce, time_limit=20).objective == 6.0


MALFORMED = [
    ("mrcpsp", "hello\n", r"x: A line 'jobs"),
    ("mrcpsp", PSPLIB.replace("):  4", "):  x"), r"x:6: got x; A whole number"),
    ("mrcpsp", PSPLIB.replace("):  4", "):  5"), r"x:22: got 4 lines; 5 lines"),
    ("mrcpsp", PSPLIB.replace("0   D", "1   D"), r"x:11: got 1; 0: resources that are"),
    ("mrcpsp", PSPLIB.replace("projects                      :  1", "projects : 2"), r"x:5: got 2"),
    ("mrcpsp", PSPLIB.replace("2           2   3", "3           2   3"), r"x:19: got 3; 2 as the"),
    (
        "mrcpsp",
        PSPLIB.replace("2           2   3", "2           2   5"),
        r"x:19: got 5; An activity",
    ),
    (
        "mrcpsp",
        PSPLIB.replace("   3        1          1", "   2        1          1"),
        r"x:21: got 2",
    ),
    ("mrcpsp", PSPLIB.replace("         2     7 ", "         3     7 "), r"x:29: .*Mode 2 of act"),
    (
        "mrcpsp",
        PSPLIB.replace("  3      1     5       3    0\n", ""),
        r"x:30: .*Mode 1 of activity 3",
    ),
    ("mrcpsp", PSPLIB.replace("3       4    9", "3       4"), r"x:28: got 4 numbers; Mode 1 of"),
    ("mrcpsp", PSPLIB.replace("3       4    9", "-3      4    9"), r"x:28: got -3"),
    ("mrcpsp", PSPLIB.replace("3       4    9", "3      -4    9"), r"x:28: got -4"),
    ("mrcpsp", PSPLIB.replace("3       4    9", "x       4    9"), r"x:28: .*Activity, mode"),
    ("mrcpsp", PSPLIB.replace("    6    9\n", "    6\n"), r"x:35: got 1 number; 2 numbers"),
    ("mrcpsp", PSPLIB.replace("    6    9\n", "    6   -9\n"), r"x:35: got -9; What is there"),
    (
        "mrcpsp",
        PSPLIB.replace("2          1           4", "2          1           1"),
        r"cycle",
    ),
    ("gap", "2 3\n4 5 6\n", r"x:2: got 5 numbers; 16 numbers: 2 × 3 costs"),
    ("gap", GAP.replace("5 4", "5"), r"x:7: got 15 numbers; 16"),
    ("gap", GAP.replace("7 2", "7 -2"), r"x:3: got -2; A cost, weight"),
    ("gap", GAP.replace("2 3\n4", "0 3\n4"), r"x:1: got 0; The number of agents"),
    ("gap", GAP.replace("5 4", "5 four"), r"x:7: got four; A number"),
    ("upmr", UPMR.replace("2 0\n", ""), r"x:4: got 1 line; 2 lines, each the units"),
    ("upmr", UPMR.replace("5 5", "5"), r"x:3: got 1 number; 2 numbers: the times"),
    ("upmr", UPMR.replace("2 0", "2 -1"), r"x:5: got -1; A time or a use"),
    ("upmr", UPMR.replace("2 2 3", "2 2"), r"x:1: got 2 numbers; 3 numbers"),
    ("upmr", UPMR + "1 1\n", r"x:6: got 1 more line"),
]


@pytest.mark.parametrize(("name", "text", "expected"), MALFORMED)
def test_a_malformed_file_is_refused_where_it_is_wrong(name: str, text: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_instance("x", text=text, format=name)
    assert any(re.search(expected, str(p)) for p in caught.value.problems), caught.value.problems


@pytest.mark.parametrize(
    ("family", "pattern", "count", "step"),
    [("mrcpsp", "*/*.mm", 99, 3), ("gap", "*/*[0-9]", 56, 4), ("upmr", "*.txt", 90, 2)],
)
def test_published_files_of_every_size_are_read(
    shared_path, family: str, pattern: str, count: int, step: int
) -> None:
    folder = shared_path("benchmarks", family)
    sizes = {row["file"]: row for row in csv.DictReader((folder / "bks.csv").open())}
    files = sorted(folder.glob(pattern))
    assert len(files) == count
    for path in files[::step]:
        instance = read_instance(path)
        row = sizes[path.relative_to(folder).as_posix()]
        if "jobs" in row:
            assert len(instance.tasks) == int(row["jobs"])
            assert len(instance.devices) == int(row.get("machines") or row["agents"])
        assert len(instance.uses)


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("mrcpsp", ["PSPLIB/j1045_6", "PSPLIB/j107_3", "PSPLIB/j1035_3", "PSPLIB/j1211_10"]),
        ("gap", ["cattrysse1994/gap1-1", "cattrysse1994/gap1-2", "cattrysse1994/gap2-2"]),
        ("upmr", ["8x6_1_U_1_100__R_uni"]),
    ],
)
def test_published_optima_are_proven(shared_path, family: str, names: list[str]) -> None:
    folder = shared_path("benchmarks", family)
    known = {row["instance"]: row for row in csv.DictReader((folder / "bks.csv").open())}
    for name in names:
        instance = read_instance(folder / known[name]["file"])
        solution = solve(instance, time_limit=60)
        assert verify(instance, solution.plan).ok
        assert (solution.status, solution.objective) == (
            "optimal",
            float(known[name]["best_known"]),
        )
