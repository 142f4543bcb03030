"""What happens, what is so, and what is to be done: events, states and actions (docs/events.md).

A policy answers ``decide(state, event)`` with actions. The simulator and a live controller speak to
it in the same words: the frozen dataclasses here, whose JSON form is one object each with the
fields by name. An event or action says in its field ``event`` or ``action`` which one it is.

Times are seconds from the beginning of the run, powers watts, energies joules. Devices, jobs, tasks
and options go by the names of the instance (an option by its label), units by their number.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from pydantic import TypeAdapter

UnitStatus = Literal["off", "starting", "on", "draining", "down"]
"""``draining``: takes no new work and goes off once what runs there is done."""
TaskStatus = Literal["waiting", "ready", "running", "done"]


class _Message:
    """What is read from JSON takes no other fields, and no infinite numbers."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
        "strict": False,
    }


@dataclass(frozen=True, slots=True)
class Arrived(_Message):
    """A request of a job asks for service (streams), or a job is released (schedules).

    Attributes
    ----------
    work
        Amount of work of some of its tasks, instead of what the instance states.
    id
        Name of the event, so that it is counted once however often it is told.
    """

    time_s: float
    job: str
    request: str = ""
    work: Mapping[str, float] | None = None
    id: str = ""
    event: Literal["arrived"] = "arrived"


@dataclass(frozen=True, slots=True)
class Started(_Message):
    """A task began to run; ``request`` is empty in schedules, where each task runs once."""

    time_s: float
    task: str
    device: str
    unit: int
    option: str = ""
    request: str = ""
    id: str = ""
    event: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Finished(_Message):
    """A task ended: how long it ran and what it drew above idle, where that was measured."""

    time_s: float
    task: str
    device: str
    unit: int
    option: str = ""
    request: str = ""
    duration_s: float | None = None
    energy_j: float | None = None
    id: str = ""
    event: Literal["finished"] = "finished"


@dataclass(frozen=True, slots=True)
class DeviceDown(_Message):
    """A unit failed, or all units of a device (``unit`` None); what ran there is lost."""

    time_s: float
    device: str
    unit: int | None = None
    id: str = ""
    event: Literal["device_down"] = "device_down"


@dataclass(frozen=True, slots=True)
class DeviceUp(_Message):
    """A unit, or all units of a device, can be used again; it is off until switched on."""

    time_s: float
    device: str
    unit: int | None = None
    id: str = ""
    event: Literal["device_up"] = "device_up"


@dataclass(frozen=True, slots=True)
class CapChanged(_Message):
    """Another power cap holds from now on; None: none."""

    time_s: float
    power_cap_w: float | None = None
    id: str = ""
    event: Literal["cap_changed"] = "cap_changed"


@dataclass(frozen=True, slots=True)
class RateChanged(_Message):
    """Requests of a job come at another mean rate from now on."""

    time_s: float
    job: str
    rate_per_s: float
    id: str = ""
    event: Literal["rate_changed"] = "rate_changed"


@dataclass(frozen=True, slots=True)
class Tick(_Message):
    """A multiple of Δ has passed: time for what is decided from time to time."""

    time_s: float
    id: str = ""
    event: Literal["tick"] = "tick"


Event = Arrived | Started | Finished | DeviceDown | DeviceUp | CapChanged | RateChanged | Tick


@dataclass(frozen=True, slots=True)
class Placement(_Message):
    """Where and how a task runs; ``unit`` None: any unit of the device that is on."""

    task: str
    device: str
    unit: int | None = None
    option: str = ""


@dataclass(frozen=True, slots=True)
class Start(_Message):
    """Start a task on a unit as soon as all it needs is there, after those asked for before.

    Attributes
    ----------
    not_before_s
        No sooner than at this time; None: as soon as it can be.
    """

    task: str
    device: str
    unit: int
    option: str = ""
    request: str = ""
    not_before_s: float | None = None
    action: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class Wait(_Message):
    """Nothing is to be done, at the latest until a time (None: until the next event)."""

    until_s: float | None = None
    reason: str = ""
    action: Literal["wait"] = "wait"


@dataclass(frozen=True, slots=True)
class TurnAway(_Message):
    """Serve a request not at all: the plan leaves a part of its job's unserved."""

    job: str
    request: str = ""
    action: Literal["turn_away"] = "turn_away"


@dataclass(frozen=True, slots=True)
class Route(_Message):
    """Send one request of a job along a route, or (``request`` empty) a share of all to come.

    The routes with shares that one decision names of a job replace all that it had before.
    """

    job: str
    placements: tuple[Placement, ...]
    request: str = ""
    share: float = 1.0
    action: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class SwitchOn(_Message):
    """Switch a unit on; it serves after its start-up time."""

    device: str
    unit: int
    action: Literal["switch_on"] = "switch_on"


@dataclass(frozen=True, slots=True)
class SwitchOff(_Message):
    """Switch a unit off, once what runs there is done."""

    device: str
    unit: int
    action: Literal["switch_off"] = "switch_off"


@dataclass(frozen=True, slots=True)
class Load(_Message):
    """Hold the weights of a model on a unit."""

    device: str
    unit: int
    model: str
    variant: str = ""
    action: Literal["load"] = "load"


@dataclass(frozen=True, slots=True)
class Unload(_Message):
    """Let go of the weights of a model on a unit."""

    device: str
    unit: int
    model: str
    variant: str = ""
    action: Literal["unload"] = "unload"


Action = Start | Wait | TurnAway | Route | SwitchOn | SwitchOff | Load | Unload


@dataclass(frozen=True, slots=True)
class UnitState(_Message):
    """One unit of a device.

    Attributes
    ----------
    until_s
        When its start-up ends.
    running, running_s
        Slots taken (a part of one for requests that share a batch), and the expected slot time of
        what runs there, from its start to its end.
    idle_since_s
        Since when nothing runs there, where nothing does.
    weights
        Models held there, as (model, variant).
    free_b
        In schedules: memory that all that was held so far, and weights, leave for weights to come.
    """

    device: str
    unit: int
    status: UnitStatus = "on"
    until_s: float | None = None
    running: float = 0.0
    running_s: float = 0.0
    idle_since_s: float | None = None
    weights: tuple[tuple[str, str], ...] = ()
    free_b: float | None = None


@dataclass(frozen=True, slots=True)
class QueueState(_Message):
    """What waits for a device, or for one unit of it, or there for one job.

    ``waiting_s`` is the expected slot time of the tasks that wait.
    """

    device: str
    unit: int | None = None
    job: str | None = None
    waiting: int = 0
    waiting_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JobState(_Message):
    """A stream: the requests that came since the last tick, and so in all."""

    job: str
    arrived: int = 0
    arrived_in_all: int = 0


@dataclass(frozen=True, slots=True)
class TaskState(_Message):
    """A task of a schedule: where it stands. ``ready``: nothing that it waits for is missing."""

    task: str
    status: TaskStatus = "waiting"
    device: str = ""
    unit: int | None = None
    option: str = ""
    started_s: float | None = None
    ended_s: float | None = None


@dataclass(frozen=True, slots=True)
class State(_Message):
    """What is known when a decision is asked for; streams have jobs, schedules have tasks."""

    time_s: float
    units: tuple[UnitState, ...] = ()
    queues: tuple[QueueState, ...] = ()
    jobs: tuple[JobState, ...] = ()
    tasks: tuple[TaskState, ...] = ()
    power_cap_w: float | None = None


Form = Literal["event", "events", "action", "state"]


def to_dict(value: Event | Action | State) -> dict[str, Any]:
    """Return the JSON form of an event, an action or a state; what is None is left out."""
    found: dict[str, Any] = _plain(value)
    return found


def event_to_json(event: Event) -> str:
    """Return the JSON form of an event as text; quicker than by :func:`to_dict`."""
    return str(_adapter("event").dump_json(event, exclude_none=True), "utf-8")


def events_from_list(rows: list[Any], place: str) -> list[Event]:
    """Return the events that JSON objects state; errors as :func:`event_from_dict`."""
    found: list[Event] = _read("events", rows, place)
    return found


def event_from_dict(data: Any, place: str = "event") -> Event:
    """Return the event that a JSON object states.

    Raises
    ------
    InputError
        With every field that is missing, unknown or of the wrong type.
    """
    found: Event = _read("event", data, place)
    return found


def action_from_dict(data: Any, place: str = "action") -> Action:
    """Return the action that a JSON object states; errors as :func:`event_from_dict`."""
    found: Action = _read("action", data, place)
    return found


def state_from_dict(data: Any, place: str = "state") -> State:
    """Return the state that a JSON object states; errors as :func:`event_from_dict`."""
    found: State = _read("state", data, place)
    return found


def events_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of events, actions and states."""
    definitions: dict[str, Any] = {}
    forms: dict[Form, Any] = {}
    for form in ("event", "action", "state"):
        schema = _adapter(form).json_schema(ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs", {})
        if form == "state":
            schema.pop("title", None)
            definitions["State"] = schema
            schema = {"$ref": "#/$defs/State"}
        forms[form] = {"oneOf": schema["oneOf"]} if "oneOf" in schema else schema
    for definition in definitions.values():
        definition.pop("title", None)
        _first_paragraph(definition)
        for name, field in definition.get("properties", {}).items():
            field.pop("title", None)
            if name in ("event", "action"):
                definition["required"] = [*definition.get("required", []), name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hetopt events",
        "description": "What happens (event), what is to be done (action), what is so (state).",
        "oneOf": list(forms.values()),
        "$defs": dict(sorted(definitions.items())),
    }


def read_events(lines: Iterable[str], name: str) -> list[Event]:
    """Read events from a text with one JSON object a line; blank lines do not count.

    Raises
    ------
    InputError
        With the line and field of the first line that is no event.
    """
    from hetopt.formats.json_text import parse_json

    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{name}:{number}"
            found.append(event_from_dict(parse_json(line, place), place))
    return found


def _first_paragraph(definition: dict[str, Any]) -> None:
    text = definition.get("description", "")
    definition["description"] = " ".join(text.split("\n\n")[0].split())


def _plain(value: Any) -> Any:
    # A controller does this for each event and decision: most of their fields are plain.
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if names := _fields(kind):
        pairs = ((name, getattr(value, name)) for name in names)
        return {name: _plain(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


_PLAIN = frozenset((str, int, float, bool))


@functools.cache
def _fields(kind: Hashable) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; none of another type."""
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


@functools.cache
def _adapter(form: Form) -> TypeAdapter[Any]:
    # Loading pydantic takes longer than all of this module: only who reads JSON pays.
    from typing import Annotated

    from pydantic import Field, TypeAdapter

    if form == "state":
        return TypeAdapter(State)
    event = Annotated[Event, Field(discriminator="event")]
    if form == "events":
        return TypeAdapter(list[event])
    action = Annotated[Action, Field(discriminator="action")]
    return TypeAdapter(event if form == "event" else action)


def _read(form: Form, data: Any, place: str) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(form).validate_python(data)
    except ValidationError as error:
        problems = [
            Problem(
                _place(place, e["loc"]),
                repr(e["input"])[:80],
                f"{e['msg']}.",
            )
            for e in error.errors(include_url=False)[:20]
        ]
        raise InputError(problems) from None


def _place(place: str, parts: Iterable[int | str]) -> str:
    """Return a place in JSON: ``events[3].arrived.job``."""
    return place + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts)
