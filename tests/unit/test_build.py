"""The Python builder: the same instance as the document, and problems by object."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import hetopt.build
from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.formats.native.document_model import LABEL_PARTS
from hetopt.instance import NO_MAXIMUM, fields
from hetopt.instance.column_specs import SETTINGS, TABLES, Column
from tests.comparing import differences
from tests.malformed import GOOD


def test_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(hetopt.build).failed == 0


def test_a_model_is_the_instance_of_the_document() -> None:
    m = Model("camera")
    cpu = m.device("cpu", kind="cpu", idle_power="2 W")
    npu = m.device("npu", kind="npu", memory="1 GiB")
    m.link(cpu, npu, bandwidth="4 GB/s", both_ways=True)
    detect = m.profile(
        "detect",
        [
            m.option(cpu, time="20 ms", power="7 W"),
            npu.option("int8", time="4 ms", energy="8 mJ"),
        ],
    )
    grab = m.task("grab", options=[cpu.option(time="3 ms", energy="5 mJ")])
    find = m.task("detect", detect, after=grab)
    m.transfer(grab, find, bytes="1 MB", tensor="image")
    assert differences(m.build(), read_instance("x.yaml", text=GOOD)) == []


def test_jobs_pools_groups_and_limits_arrive() -> None:
    m = Model("all", objective=["tardiness", "energy"], horizon=np.float64(1.0))
    dram = m.pool("dram", memory="8 GiB", zero_copy=True)
    cpu = m.device("cpu", kind="cpu", memory_pool=dram, count=(1, 2))
    run = m.profile("run", [cpu.option(time=np.float32(0.5), energy=1)])
    job = m.job("frame", due="0.9 s", weight=2)
    a = job.task("a", run, pin=cpu.unit(1), work=2)
    b = job.task("b", run, after=[a], forbid=[])
    c = job.task("c", run)
    m.transfer(a, [b, c], 10, tensor="x", staged=True)
    m.together(a, b)
    m.apart(a, c)
    m.limit(power_cap="20 W", host=cpu)
    instance = m.build()
    assert instance.objective == ("tardiness", "energy")
    assert instance.limits.power_cap_w == 20
    assert instance.pools.zero_copy.tolist() == [True]
    assert instance.devices.count_max.tolist() == [2]
    assert instance.tasks.pin_unit.tolist() == [1, -1, -1]
    assert instance.tensors.staged.tolist() == [True]
    assert len(instance.edges) == 2
    assert [g.tolist() for g in instance.together] == [[0, 1]]
    assert [g.tolist() for g in instance.apart] == [[0, 2]]
    assert instance.jobs.due_s.tolist() == [0.9]


def test_streams_are_jobs_with_a_rate() -> None:
    m = Model("rack", objective="power")
    gpu = m.device("gpu", count=(0, None))
    m.job("photos", rate="300 req/s", options=[gpu.option(time="1 ms", energy=1)])
    instance = m.build()
    assert instance.regime == "steady"
    assert instance.devices.count_max.tolist() == [NO_MAXIMUM]
    assert instance.tasks.name.tolist() == ["photos"]


def test_problems_name_the_object_and_the_field() -> None:
    m = Model("bad", horizon="4 W")
    cpu = m.device("cpu", idle_power="2 Q")
    m.profile("p", [cpu.option("x", time=-1), cpu.option("x", time=1)])
    m.profile("p", [cpu.option(time=1, colour="red")])  # type: ignore[call-arg]
    job = m.job("j", deadline=-1)
    job.task("t", "q")
    m.link(cpu, "gpu")
    m.together("t", "u")
    with pytest.raises(InputError) as caught:
        m.build()
    places = [p.place for p in caught.value.problems]
    assert places == [
        "setting horizon",
        "together[0]",
        "device 'cpu', field idle_power",
        "link 'cpu' -> 'gpu', field to",
        "profile 'p'",
        "profile 'p', option 0 (on 'cpu'), field colour",
        "task 't', field profile",
        "job 'j', field deadline",
    ]


@pytest.mark.parametrize(
    ("typed", "columns", "left_out", "more"),
    [
        (
            fields.DeviceFields,
            TABLES["devices"],
            {"name"},
            tuple(
                Column(name, "A mapping.")
                for name in ("start_up", "sleep", "load", "setup", "setups")
            ),
        ),
        (
            fields.BoardFields,
            TABLES["boards"],
            {"name"},
            (Column("start_up", "A mapping."), Column("sleep", "A mapping.")),
        ),
        (fields.PoolFields, TABLES["pools"], {"name"}, ()),
        (fields.SiteFields, TABLES["sites"], {"name"}, ()),
        (fields.NetworkFields, TABLES["networks"], {"from", "to"}, ()),
        (fields.LinkFields, TABLES["links"], {"from", "to"}, ()),
        (
            fields.OptionFields,
            TABLES["options"],
            {"profile", "device", "label"},
            (*LABEL_PARTS, Column("uses", "Amounts by resource.")),
        ),
        (fields.ResourceFields, TABLES["resources"], {"name"}, ()),
        (fields.TaskFields, TABLES["tasks"], {"name", "profile", "job"}, ()),
        (fields.KindShareFields, TABLES["kind_shares"], {"kind"}, ()),
        (fields.SettingFields, SETTINGS, {"name"}, ()),
        (
            fields.PeriodFields,
            TABLES["periods"],
            {"name", "duration_s", "duration"},
            (Column("rates", "By job."),),
        ),
    ],
)
def test_the_builders_fields_are_the_tables_columns(
    typed: type, columns: tuple[Column, ...], left_out: set[str], more: tuple[Column, ...]
) -> None:
    names = {n for c in (*columns, *more) for n in c.names} - left_out
    assert set(typed.__annotations__) == names


def test_a_job_takes_the_fields_of_a_job_and_of_its_only_task() -> None:
    names = {n for c in TABLES["jobs"] for n in c.names} - {"name"}
    assert set(fields.JobFields.__annotations__) == names | {"work", "pin", "forbid"}


def test_a_mistake_in_a_set_up_names_the_set_up() -> None:
    model = Model("x")
    fpga = model.device("fpga", setups=[{"from": "a", "to": "a", "time": "3 ms"}])
    model.job("j", options=[fpga.option(time="1 ms", configuration="a")])
    with pytest.raises(InputError, match="device 'fpga', setup 'a' -> 'a', field to: got a;"):
        model.build()
