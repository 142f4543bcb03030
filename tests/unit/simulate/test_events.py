"""Events, actions and states: one JSON form each, strict, with a schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from hetopt.errors import InputError
from hetopt.simulate.events import (
    Action,
    Arrived,
    CapChanged,
    DeviceDown,
    Event,
    Finished,
    JobState,
    Load,
    Placement,
    QueueState,
    RateChanged,
    Route,
    Start,
    State,
    SwitchOn,
    TaskState,
    Tick,
    UnitState,
    Wait,
    action_from_dict,
    event_from_dict,
    events_schema,
    read_events,
    state_from_dict,
    to_dict,
)

DOCS = Path(__file__).resolve().parents[3] / "docs"
EVENTS: list[Event] = [
    Arrived(1.0, "chat", "r1", {"decode": 120.0}, id="e1"),
    Finished(2.5, "decode", "gpu", 0, "b8", "r1", 1.25, 300.0),
    DeviceDown(3.0, "gpu"),
    CapChanged(4.0, None),
    RateChanged(5.0, "chat", 2.0),
    Tick(60.0),
]
ACTIONS: list[Action] = [
    Start("a", "gpu", 1, "fp16"),
    Wait(3.0, "no unit is free"),
    Route("chat", (Placement("decode", "gpu", None, "b8"),), "r1"),
    Route("chat", (Placement("decode", "gpu", 2, "b8"),), share=0.25),
    SwitchOn("gpu", 3),
    Load("gpu", 3, "llama", "int8"),
]
STATE = State(
    12.0,
    (UnitState("gpu", 0, "starting", 20.0), UnitState("gpu", 1, weights=(("llama", "int8"),))),
    (QueueState("gpu", waiting=3, waiting_s=1.5),),
    (JobState("chat", 7, 70),),
    (TaskState("a", "running", "gpu", 0, "fp16", 3.0),),
    300.0,
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.event)
def test_events_survive_json(event: Event) -> None:
    assert event_from_dict(json.loads(json.dumps(to_dict(event)))) == event


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.action)
def test_actions_survive_json(action: Action) -> None:
    assert action_from_dict(json.loads(json.dumps(to_dict(action)))) == action


def test_states_survive_json() -> None:
    assert state_from_dict(json.loads(json.dumps(to_dict(STATE)))) == STATE


def test_the_published_schema_is_that_of_the_code_and_accepts_every_form() -> None:
    schema = events_schema()
    assert json.loads((DOCS / "events.schema.json").read_text(encoding="utf-8")) == schema
    for value in (*EVENTS, *ACTIONS, STATE):
        jsonschema.validate(to_dict(value), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {"time_s": 1.0, "device": "gpu"}, {**schema, "oneOf": [{"$ref": "#/$defs/DeviceDown"}]}
        )


def test_each_kind_of_event_and_action_stands_in_the_docs() -> None:
    page = (DOCS / "events.md").read_text(encoding="utf-8")
    for kind in (*get_args(Event), *get_args(Action)):
        name = kind.event if hasattr(kind, "event") else kind.action
        word = name if isinstance(name, str) else _default(kind)
        assert f"`{word}`" in page


def _default(kind: Any) -> str:
    fields = kind.__dataclass_fields__
    return str((fields.get("event") or fields["action"]).default)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"event": "vanished"}, "event"),
        ({"event": "tick"}, "event.tick.time_s"),
        ({"event": "tick", "time_s": "soon"}, "event.tick.time_s"),
        ({"event": "tick", "time_s": float("nan")}, "event.tick.time_s"),
        ({"event": "tick", "time_s": 1.0, "colour": 2}, "event.tick.colour"),
        ([1, 2], "event"),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(data: Any, place: str) -> None:
    with pytest.raises(InputError) as caught:
        event_from_dict(data)
    assert caught.value.problems[0].place == place


def test_a_file_of_events_names_the_line_that_is_none() -> None:
    lines = ['{"event": "tick", "time_s": 1}', "", '{"event": "tick", "time_s": "x"}']
    assert read_events(lines[:2], "f") == [Tick(1.0)]
    with pytest.raises(InputError, match="f:3"):
        read_events(lines, "f")
