"""Plans that others wrote: other names, CSV, units left out."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt import InputError, Model, read_instance
from hetopt.formats.plans import read_plan
from hetopt.formats.plans.foreign import fill_units, in_our_words
from hetopt.formats.plans.reading import plan_from_dict
from hetopt.verify import verify

JSP = "2 2\n0 3 1 2\n1 4 0 1\n"
PLAN = [("J1.1", "M0", 0), ("J1.2", "M1", 4), ("J2.1", "M1", 0), ("J2.2", "M0", 4)]


@pytest.fixture
def shop():
    return read_instance("x.jsp", text=JSP)


def as_rows(task, machine, start):
    return [{task: t, machine: m, start: s} for t, m, s in PLAN]


@pytest.mark.parametrize(
    "plan",
    [
        {"assignments": as_rows("task", "device", "start_s")},
        {"schedule": as_rows("activity", "machine", "start")},
        as_rows("name", "resource", "begin"),
        [
            {"job": int(t[1]) - 1, "operation": int(t[3]) - 1, "machine": int(m[1]), "start": s}
            for t, m, s in PLAN
        ],
        [{"job": int(t[1]), "op": int(t[3]), "machine": m, "start": f"{s} s"} for t, m, s in PLAN],
    ],
)
def test_a_plan_in_the_words_of_others_is_read_and_holds(shop, plan) -> None:
    report = verify(shop, read_from(shop, plan))
    assert report.ok
    assert report.objectives["makespan"] == 6


def read_from(shop, plan):
    return plan_from_dict(shop, in_our_words(shop, plan))


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_plan_as_a_table_is_read(tmp_path, shop, separator) -> None:
    lines = ["task,machine,start,end", *(f"{t},{m},{s},9" for t, m, s in PLAN)]
    path = tmp_path / "plan.csv"
    path.write_text("\n".join(lines).replace(",", separator))
    assert verify(shop, read_plan(shop, path)).ok


def test_a_wrong_task_in_a_table_is_named(tmp_path, shop) -> None:
    (tmp_path / "plan.csv").write_text("task,machine,start\nJ9.1,M0,0\n")
    with pytest.raises(InputError, match=r"J9\.1"):
        read_plan(shop, tmp_path / "plan.csv")


def test_open_units_are_those_that_are_free() -> None:
    m = Model("x", objective="makespan")
    gpu = m.device("gpu", count=2)
    for name in ("a", "b", "c", "d"):
        m.task(name, options=[gpu.option(time=2)])
    instance = m.build()
    option = np.arange(4)
    unit = fill_units(instance, option, np.array([-1, -1, -1, 1]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert unit.tolist() == [0, 1, 0, 1]


def test_a_plan_that_no_units_can_hold_is_left_to_the_checker(shop) -> None:
    rows = [{"task": t, "device": m, "start_s": 0} for t, m, _ in PLAN]
    report = verify(shop, read_from(shop, rows))
    assert {"slots", "precedence"} <= set(report.kinds)


def test_machines_counted_from_1_in_a_table_are_told_once_with_line_and_devices(
    tmp_path, shop
) -> None:
    path = tmp_path / "plan.csv"
    rows = [f"{task},{int(machine[1]) + 1},{start}" for task, machine, start in PLAN]
    path.write_text("\n".join(["task,machine,start", *rows]))
    with pytest.raises(InputError) as error:
        read_plan(shop, path)
    first, *others = [str(problem) for problem in error.value.problems]
    assert first.startswith(f'{path}:3, column machine: got "2"; The name of a device')
    assert "there: M0, M1. Machines count from 0" in first
    assert "write 0 to 1 for 1 to 2" in first
    assert "The first of 2 lines" in first
    assert len(others) == 1  # the machines that are there but not for these tasks


def test_an_unknown_device_in_a_table_is_no_matter_of_counting(tmp_path, shop) -> None:
    (tmp_path / "plan.csv").write_text("task,machine,start\nJ1.1,gpu,0\nJ1.2,M1,4\n")
    with pytest.raises(InputError, match=r"plan\.csv:2, column machine: .*M0, M1\.$") as error:
        read_plan(shop, tmp_path / "plan.csv")
    assert "count from" not in str(error.value)
