"""Set-ups are read in every form, and what contradicts itself is named."""

from __future__ import annotations

from typing import Any

import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.build import Model
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.formats.native.document import read_yaml
from hetopt.formats.native.document_text import write_yaml
from hetopt.instance.states.setups import device_setups
from tests.comparing import differences
from tests.small_schedules import device, instance, option, task

DOCUMENT = """
hetopt: 1
devices:
  - name: f
    initial_configuration: none
    setups:
      - {from: none, to: a, time: 3 ms}
      - {from: a, to: b, time: 2 ms, energy: 1 mJ}
  - {name: g, setup: {time: 5 ms, energy: 2 mJ}}
profiles:
  p:
    - {device: f, configuration: a, time: 1 ms}
    - {device: g, configuration: x, time: 1 ms}
  q:
    - {device: f, configuration: b, time: 1 ms}
    - {device: g, configuration: y, time: 1 ms}
  r: [{device: f, time: 1 ms}]
tasks: [{name: t, profile: p}, {name: u, profile: q}, {name: v, profile: r}]
"""


def test_documents_tables_and_the_builder_say_the_same() -> None:
    read = read_yaml(DOCUMENT, "doc.yaml")
    tables = device_setups(read)
    assert tables[0].time_s.tolist() == [[0, 0.002], [0, 0], [0.003, 0]]
    assert tables[1].time_s.tolist() == [[0, 0.005], [0.005, 0], [0, 0]]
    assert tables[0].energy_j.max() == 0.001
    again = read_yaml(write_yaml(read), "again.yaml")
    assert differences(read, again) == []
    assert differences(read, from_frames(to_frames(read), to_settings(read))) == []
    m = Model()
    f = m.device(
        "f",
        initial_configuration="none",
        setups=[
            {"from": "none", "to": "a", "time": "3 ms"},
            {"from": "a", "to": "b", "time": "2 ms", "energy": "1 mJ"},
        ],
    )
    g = m.device("g", setup={"time": "5 ms", "energy": "2 mJ"})
    profiles = {
        "p": [f.option(configuration="a", time="1 ms"), g.option(configuration="x", time="1 ms")],
        "q": [f.option(configuration="b", time="1 ms"), g.option(configuration="y", time="1 ms")],
        "r": [f.option(time="1 ms")],
    }
    for name, options in profiles.items():
        m.profile(name, options)
    for name, profile in zip("tuv", profiles, strict=True):
        m.task(name, profile)
    assert differences(read, m.build()) == []


def test_set_ups_are_set_by_name() -> None:
    read = read_yaml(DOCUMENT, "doc.yaml")
    changed = set_values(read, ["setups.f/a->b.time=9 ms", "devices.g.setup.time=1 ms"])
    assert device_setups(changed)[0].time_s[0, 1] == 0.009
    assert device_setups(changed)[1].time_s[0, 1] == 0.001


def made(rows: list[dict[str, Any]], **fields: Any) -> Any:
    return instance(
        [device("f", **fields)],
        [option(p, "f", 1.0, configuration=p) for p in ("a", "b")],
        [task("a"), task("b")],
        more={"setups": [{"device": "f", "time_s": 1.0, **row} for row in rows]},
    )


@pytest.mark.parametrize(
    ("rows", "fields", "said"),
    [
        ([{"from": "a", "to": "c"}], {}, "A configuration of its options: a, b"),
        ([{"from": "c", "to": "b"}], {}, "A configuration of its options: a, b, none"),
        ([{"from": "a", "to": "a"}], {}, "Another configuration than it comes from"),
        ([{"from": "a", "to": "b"}] * 2, {}, "Each pair of configurations once"),
        ([{"from": "a", "to": "b"}], {"slots": 2}, "One slot"),
        ([{"from": "a", "to": "b"}], {"setup_time_s": 1.0}, "not both"),
        ([{"from": "a", "to": "b"}], {"initial_configuration": "z"}, "A configuration of its"),
        ([{"from": "a", "to": "b", "device": "g"}], {}, "A device: f"),
    ],
)
def test_contradictions_are_named(
    rows: list[dict[str, Any]], fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        made(rows, **fields)


def test_what_needs_a_configuration_takes_time_and_nothing_is_no_configuration() -> None:
    for time, name, said in ((0.0, "a", "A time of more than 0"), (1.0, "none", "is no name")):
        with pytest.raises(InputError, match=said):
            instance([device("f")], [option("a", "f", time, configuration=name)], [task("a")])


def test_schedules_that_repeat_for_ever_refuse_set_ups() -> None:
    with pytest.raises(InputError, match="has set-ups"):
        instance(
            [device("f", setup_time_s=1.0)],
            [option(p, "f", 1.0, configuration=p) for p in ("a", "b")],
            [task("a"), task("b")],
            cycle_s=10.0,
        )
