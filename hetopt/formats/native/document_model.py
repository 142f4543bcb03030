"""The document model: what fields a YAML or JSON instance has, made from the tables' columns.

The model checks the *shape* (mappings, lists, texts, numbers, known fields); values, units, ranges
and references are checked on columns by :mod:`hetopt.compile`, for every form of an instance alike.
So no field is required here, and none has a default; both stand in the generated schema.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from pydantic.json_schema import WithJsonSchema

from hetopt.formats.native.fields.field_kinds import NAMES, TEXT, choice, kind_of, number
from hetopt.instance.column_specs import (
    BOARDS,
    DEVICES,
    INITIAL,
    JOBS,
    KIND_SHARES,
    LINKS,
    NETWORKS,
    OPTIONS,
    PERIODS,
    POOLS,
    RATES,
    RESOURCES,
    SCENARIOS,
    SETTINGS,
    SETUPS,
    SITES,
    TASKS,
    TRANSFERS,
    USES,
    Column,
)

VERSION = 1
LABEL_PARTS = (
    Column("precision", "Goes into the label where none is given: int8, fp16, ..."),
    Column(
        "clock", "Goes into the label where none is given.", "number", 0.0, dimension="frequency"
    ),
    Column(
        "power_limit", "Goes into the label where none is given.", "number", 0.0, dimension="power"
    ),
)
"""Fields of an option that only tell it apart from others."""

MAPPINGS = {
    "start_up": "What going on takes: time, energy above idle, cost.",
    "load": "What loading weights onto a unit takes (streams): time, energy_per_byte.",
    "setup": "Each set-up from one configuration to another: time, energy above idle.",
    "sleep": "Sleep in gaps in which nothing runs (schedules): power, wake_time, wake_energy.",
}
"""Mappings of a document that hold columns, and what they mean."""


class Shape(BaseModel):
    """Base of every mapping of a document: fields that are not known are errors."""

    model_config = ConfigDict(extra="forbid")


@lru_cache(maxsize=1)
def document_model() -> type[Shape]:
    """Return the pydantic model of a whole document."""
    option = _shape(
        "Option",
        _fields(OPTIONS, leave_out=("profile",)) | _fields(LABEL_PARTS) | {"uses": _uses()},
    )
    listed = list[option]  # type: ignore[valid-type]  # a model made at run time
    options: dict[str, Any] = {
        "options": (listed, Field(default=None, description="The task's own options."))
    }
    from_catalogue = _shape(
        "CatalogueProfile",
        {
            "from": _field(choice(("catalogue",)), "Where the options come from."),
            "task": _field(
                NAMES, "ID of the catalogue's task, a pattern of IDs (*, ?), or a list of them."
            ),
            "labels": _field(
                NAMES, "Only options of these labels; default: all that the devices have."
            ),
        },
        required=("from", "task"),
    )
    profile = _either(listed, from_catalogue)
    task = _fields(TASKS) | options
    nested = _shape("JobTask", {k: v for k, v in task.items() if k != "job"}, required=("name",))
    transfer = _shape("Transfer", _fields(TRANSFERS), required=("from", "to"))
    alone = {k: v for k, v in task.items() if k in ("profile", "options", "work", "pin", "forbid")}
    job = _shape(
        "Job",
        _fields(JOBS)
        | alone
        | {
            "latency_slo": _latency_slo(),
            "tasks": _list(nested, "Tasks of this job."),
            "transfers": _list(transfer, "Transfers of this job."),
        },
        required=("name",),
        note="A job with a profile or options and without tasks has one task of its own name.",
    )
    groups = _list(NAMES, "Lists of tasks.")
    return _shape(
        "Instance",
        {
            "hetopt": (
                Annotated[Any, WithJsonSchema({"const": VERSION})],
                Field(default=None, description="Version of the file format."),
            ),
            **_fields(SETTINGS),
            "together": groups,
            "apart": groups,
            "devices": _list(_device(), "Types of processor."),
            "boards": _list(_board(), "What carries devices, and draws its idle power once."),
            "pools": _list(_shape("Pool", _fields(POOLS), required=("name",)), "Shared memories."),
            "links": _list(
                _shape("Link", _fields(LINKS), required=("from", "to")), "Links between devices."
            ),
            "sites": _list(
                _shape("Site", _fields(SITES), required=("name",)), "Places where devices stand."
            ),
            "networks": _list(
                _shape("Network", _fields(NETWORKS), required=("from", "to")),
                "Links between all devices of two sites.",
            ),
            "resources": _list(
                _shape("Resource", _fields(RESOURCES), required=("name",)),
                "What options use beside their unit.",
            ),
            "profiles": (
                dict[str, profile],  # type: ignore[valid-type]  # a model made at run time
                Field(default=None, description="Named sets of options."),
            ),
            "tasks": _list(_shape("Task", task, required=("name",)), "Pieces of work."),
            "transfers": _list(transfer, "What tasks wait for."),
            "jobs": _list(job, "Graphs of tasks that share times, rate and weight."),
            "kind_shares": _list(
                _shape("KindShare", _fields(KIND_SHARES), required=("kind",)),
                "Shares of kinds of device in the fleet.",
            ),
            "scenarios": _list(
                _shape("Scenario", _fields(SCENARIOS) | {"rates": _rates()}, required=("name",)),
                "Demands that one fleet serves at different times (steady regime).",
            ),
            "periods": _periods(),
            "initial": _list(
                _shape("Initial", _fields(INITIAL), required=("device",)),
                "Units on, and the weights that they hold, before the first of periods that do not "
                "repeat.",
            ),
        },
        required=("hetopt", "devices"),
    )


def _uses() -> tuple[Any, Any]:
    amount = next(c for c in USES if c.name == "amount")
    text = "Amounts of resources, by name: of a capacity while it runs, of a budget once."
    return dict[str, number(amount)], Field(default=None, description=text)  # type: ignore[misc]  # a type made at run time


def _periods() -> tuple[Any, Any]:
    text = "Times that follow each other, with what ties them (steady regime); or their list alone."
    period = _shape("Period", _fields(PERIODS) | {"rates": _rates()}, required=("name",))
    listed = list[period]  # type: ignore[valid-type]  # a model made at run time
    ties = {
        name: _field(kind_of(column), column.meaning)
        for column in SETTINGS
        if column.within == "periods"
        for name in column.inner_names
    }
    whole = _shape(
        "Periods",
        ties | {"list": _list(period, "The periods, in their order.")},
        required=("list",),
    )
    return _either(listed, whole), Field(default=None, description=text)


def _rates() -> tuple[Any, Any]:
    rate = next(c for c in RATES if c.name == "rate_per_s")
    text = "Rates of jobs in it, by name; the factor holds for the others."
    return dict[str, number(rate)], Field(default=None, description=text)  # type: ignore[misc]  # a type made at run time


def _board() -> type[Shape]:
    return _shape(
        "Board", _fields(BOARDS) | mappings(BOARDS) | {"count": _count()}, required=("name",)
    )


def _count() -> tuple[Any, Any]:
    """Return the field of identical units, a number or a range."""
    both = {
        "min": _field(number(Column("min", "", "whole", 0, minimum=0)), "Fewest units; default 0."),
        "max": _field(
            number(Column("max", "", "whole", 1, minimum=1)),
            "Most units; without it there is no maximum (steady regime).",
        ),
    }
    count = _either(number(Column("count", "", "whole", 1, minimum=1)), _shape("CountRange", both))
    return count, Field(
        default=None, description="Identical units, or their range: {min: 0, max: 3}."
    )


def _device() -> type[Shape]:
    return _shape(
        "Device",
        _fields(DEVICES)
        | mappings(DEVICES)
        | {
            "count": _count(),
            "from": _field(choice(("catalogue",)), "Take the device's figures from there."),
            "entry": _field(TEXT, "ID in the catalogue; default: the name."),
            "setups": _list(
                _shape("SetupRow", _fields(SETUPS, leave_out=("device",)), required=("from", "to")),
                "Set-ups from one configuration to another; a pair without a row takes nothing.",
            ),
        },
        required=("name",),
    )


def _latency_slo() -> Any:
    """Return the field of a limit, of the service alone or with a quantile that counts waiting."""
    limit, quantile = (
        next(c for c in JOBS if c.name == n) for n in ("latency_slo_s", "latency_quantile")
    )
    both = {
        "limit": _field(kind_of(limit), limit.meaning),
        "quantile": _field(kind_of(quantile), quantile.meaning),
    }
    kind = _either(kind_of(limit), _shape("LatencyLimit", both, required=("limit", "quantile")))
    return kind, Field(default=None, description=limit.meaning)


def _shape(
    name: str, fields: dict[str, Any], *, required: tuple[str, ...] = (), note: str = ""
) -> type[Shape]:
    """Return a model; required fields are only so in the schema, the tables report them."""
    extra: dict[str, Any] = {"required": list(required)} if required else {}
    if note:
        extra["description"] = note
    # Names such as "from" are no Python names, so every field has an alias.
    aliased = {
        f"f_{key}": (kind, Field(default=None, alias=key, **_described(info)))
        for key, (kind, info) in fields.items()
    }
    base = type(name, (Shape,), {"model_config": ConfigDict(json_schema_extra=extra)})
    return create_model(name, __base__=base, **aliased)  # type: ignore[call-overload, no-any-return]  # fields known at run time only


def _described(info: Any) -> dict[str, Any]:
    return {"description": info.description} if info.description else {}


def _fields(columns: tuple[Column, ...], leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    fields = {}
    for column in columns:
        if column.name not in leave_out:
            fields[column.name] = _field(kind_of(column), column.meaning)
            for alias in column.aliases:
                fields[alias] = _field(kind_of(column), column.meaning)
    return fields


def mappings(columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return the mappings that hold some of the columns, by name."""
    held: dict[str, dict[str, Any]] = {}
    for column in columns:
        if column.within:
            fields = held.setdefault(column.within, {})
            for name in column.inner_names:
                fields[name] = _field(kind_of(column), column.meaning)
    return {
        name: _field(_shape(_titled(name), fields), MAPPINGS[name]) for name, fields in held.items()
    }


def _titled(name: str) -> str:
    return name.title().replace("_", "")


def _field(kind: Any, description: str) -> tuple[Any, Any]:
    return kind, Field(default=None, description=description)


def _list(item: Any, description: str) -> tuple[Any, Any]:
    return list[item], Field(default=None, description=description)


COLUMNS = {
    "Device": DEVICES,
    "SetupRow": SETUPS,
    "Board": BOARDS,
    "Pool": POOLS,
    "Link": LINKS,
    "Site": SITES,
    "Network": NETWORKS,
    "Option": OPTIONS,
    "Resource": RESOURCES,
    "Task": TASKS,
    "JobTask": TASKS,
    "Transfer": TRANSFERS,
    "Job": JOBS,
    "KindShare": KIND_SHARES,
    "Scenario": SCENARIOS,
    "Period": PERIODS,
    "Initial": INITIAL,
    "Instance": SETTINGS,
}
"""The columns behind each shape."""

LIST_TAG, MAPPING_TAG = "<list>", "<mapping>"
"""Parts of an error's location that pydantic adds where a field takes either."""


def _either(first: Any, second: Any) -> Any:
    """Return a field that is ``second`` where the value is a mapping, else ``first``.

    A discriminator keeps the other branch's complaints out of the errors.
    """

    def tag(value: Any) -> str:
        return MAPPING_TAG if isinstance(value, dict) else LIST_TAG

    return Annotated[
        Annotated[first, Tag(LIST_TAG)] | Annotated[second, Tag(MAPPING_TAG)],
        Discriminator(tag),
    ]


def known_fields(location: tuple[str | int, ...]) -> tuple[list[str], list[str]]:
    """Return the fields of the mapping in which pydantic met an unknown one: names, all aliases.

    Parameters
    ----------
    location
        As pydantic gives it; the last part is the unknown field.
    """
    shape = document_model()
    for part, following in pairwise(location):
        field = fields_of(shape).get(str(part))
        found = [] if field is None else shapes_in(field)
        if found:
            shape = found[-1 if MAPPING_TAG in (following, *location[2:4]) else 0]
    known = list(fields_of(shape))
    aliases = [alias for c in COLUMNS.get(shape.__name__, ()) for alias in c.aliases]
    return [name for name in known if name not in aliases], known


def fields_of(shape: type[Shape]) -> dict[str, Any]:
    """Return the kinds of the fields of a mapping, by every name that they may have."""
    return {str(f.alias): f.annotation for f in shape.model_fields.values()}


def shapes_in(annotation: Any) -> list[type[Shape]]:
    """Return the mappings that a field of this kind may hold."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        return [annotation]
    return [shape for part in get_args(annotation) for shape in shapes_in(part)]
