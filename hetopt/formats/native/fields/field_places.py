"""Where each field of a document belongs, for those who wrote it somewhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from hetopt.formats.native.document_model import Shape, document_model, fields_of, shapes_in
from hetopt.formats.place import Path

PLACES = {
    "Instance": "the top level",
    "Device": "an entry of devices",
    "Board": "an entry of boards",
    "StartUp": "start_up of a device or board",
    "Sleep": "sleep of a device or board",
    "Load": "load of a device",
    "Setup": "setup of a device",
    "SetupRow": "an entry of setups of a device",
    "CountRange": "count of a device or board",
    "Pool": "an entry of pools",
    "Link": "an entry of links",
    "Site": "an entry of sites",
    "Network": "an entry of networks",
    "Resource": "an entry of resources",
    "Option": "an option (in profiles, or in options of a task or job)",
    "CatalogueProfile": "a profile from the catalogue",
    "Task": "an entry of tasks",
    "JobTask": "an entry of tasks of a job",
    "Transfer": "an entry of transfers",
    "Job": "an entry of jobs",
    "LatencyLimit": "latency_slo of a job",
    "KindShare": "an entry of kind_shares",
    "Scenario": "an entry of scenarios",
    "Periods": "periods",
    "Period": "an entry of list of periods",
    "Initial": "an entry of initial",
}
"""What each mapping of a document is called, by the name of its shape."""
TABLES_OF = {
    "Device": "devices",
    "Board": "boards",
    "SetupRow": "setups",
    "Pool": "pools",
    "Link": "links",
    "Site": "sites",
    "Network": "networks",
    "Resource": "resources",
    "Option": "options",
    "Task": "tasks",
    "JobTask": "tasks",
    "Transfer": "transfers",
    "Job": "jobs",
    "KindShare": "kind_shares",
    "Scenario": "scenarios",
    "Period": "periods",
    "Initial": "initial",
}
"""The table of each entry, by the name of its shape."""


@lru_cache(maxsize=1)
def field_places() -> Mapping[str, tuple[str, ...]]:
    """Return every name that a field of a document may have, with the places that know it."""
    found: dict[str, dict[str, None]] = {}
    for shape in shapes():
        for name in fields_of(shape):
            found.setdefault(name, {})[PLACES[shape.__name__]] = None
    return {name: tuple(places) for name, places in found.items()}


def meaning_of(path: Path) -> str:
    """Say what the field at a path of a document means, empty where there is none."""
    return _along(path)[0]


def fields_at(path: Path) -> list[str]:
    """Return the fields of the mapping that is expected at a path, each under its plainest name."""
    _, kinds = _along(path)
    if not kinds:
        return []
    # time_s and time have one meaning: the plainest of such names comes last.
    plainest = {f.description: str(f.alias) for f in kinds[-1].model_fields.values()}
    return list(plainest.values())


def column_at(path: Path) -> tuple[str, str]:
    """Return the table, and the name of the column, that a field at a path goes into."""
    if not path:
        return "", ""
    kinds = _along(path[:-1])[1]
    return TABLES_OF.get(kinds[-1].__name__, "") if kinds else "", str(path[-1])


def _along(path: Path) -> tuple[str, list[type[Shape]]]:
    """Return the meaning of the last field of a path, and the mappings that it may hold."""
    meaning, kinds = "", [document_model()]
    for part in path:
        fields = [f for kind in kinds for f in kind.model_fields.values() if f.alias == part]
        if fields:  # else a place in a list, or a name of the user's
            meaning = str(fields[0].description or "")
            kinds = [kind for f in fields for kind in shapes_in(f.annotation)]
    return meaning, kinds


def shapes() -> list[type[Shape]]:
    """Return every mapping that a document may hold, the whole one first."""
    known: dict[str, type[Shape]] = {}
    waiting: list[type[Shape]] = [document_model()]
    while waiting:
        shape = waiting.pop(0)
        if shape.__name__ not in known:
            known[shape.__name__] = shape
            waiting += [s for kind in fields_of(shape).values() for s in shapes_in(kind)]
    return list(known.values())
