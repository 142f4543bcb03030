"""The shipped catalogue of measured options: look devices and tasks up, refer to them by ID.

One row is one *option*: one way to run one task on one device, as somebody measured and published
it. ``hetopt/data/SOURCES.md`` says where each data set comes from, under which licence, and what
its rows mean; ``tools/build_catalogue.py`` makes the table.

Columns (SI units; a number that is not known is NaN, a text that is not known is empty):

``dataset device name board kind task label``
    ``device`` and ``task`` are IDs; (device, task, label) is unique. ``name`` is the hardware;
    entries that name the same ``board`` are processors of one board, whose idle power each states.
``time_s energy_j power_w idle_power_w idle_known``
    Per execution; ``energy_j = (power_w - idle_power_w) * time_s`` is energy above idle. Where the
    source states no idle power, ``idle_known`` is false, ``idle_power_w`` is 0 and ``energy_j`` is
    the whole energy.
``batch unit latency_s accuracy memory_b``
    Requests per execution, and what a request is (sample, request, token, step, ...); measured
    latency of a request; fraction 0 to 1; bytes.
``scope power_measured preview``
    What the power meter covered: ``wall`` (whole system), ``board``, ``usb_stick``, ``soc`` (the
    chip's supply), ``gpu`` (the card as it reports itself); empty where no power was measured.
    ``preview``: the submitter did not sell the device yet.
``division suite round submitter system source licence note``
    Where the row comes from; the suite of MLPerf Inference is datacenter, edge, or both (``+``).
``caution``
    Why the device's figures are in doubt; empty where nothing speaks against them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache
from importlib.resources import files
from posixpath import commonpath
from typing import TYPE_CHECKING, Any

from hetopt.errors import HetoptError

if TYPE_CHECKING:
    import pandas as pd

NUMBER_COLUMNS = (
    *("time_s", "energy_j", "power_w", "idle_power_w"),
    *("latency_s", "accuracy", "memory_b"),
)
FLAG_COLUMNS = ("idle_known", "power_measured", "preview")
TEXT_SEARCHED = ("device", "name", "board", "task", "label", "submitter", "system", "note")

MLPERF_NOTICE = (
    "MLPerf is a trademark of MLCommons. Figures derived from MLPerf results (energy per sample, "
    "idle power, mixes, savings) are derived here and not verified by MLCommons."
)
"""To be shown wherever figures from MLPerf rows are shown."""


RENAMED = {
    "mlperf-v2.0/r282_z93_q5e-qaic-v1.6.80-aic100": (
        "mlperf-v2.0/Qualcomm/r282_z93_q5e-qaic-v1.6.80-aic100",
        "mlperf-v2.0/Krai/r282_z93_q5e-qaic-v1.6.80-aic100",
    ),
    "mlperf-v2.0/r282_z93_q8e-qaic-v1.6.80-aic100": (
        "mlperf-v2.0/Krai/r282_z93_q8e-qaic-v1.6.80-aic100",
        "mlperf-v2.0/Qualcomm/r282_z93_q8e-qaic-v1.6.80-aic100",
    ),
}
"""IDs of version 0.1.0, which had two submitters' systems as one device: files that name them are
read, as the better of both, above the idle power of the first."""


class UnknownEntry(HetoptError, LookupError):  # noqa: N818 (the word that users meet)
    """A device, task or label that the catalogue does not have; the message names close ones."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """What the catalogue knows about one device.

    Parameters
    ----------
    id
        Unique over the catalogue, as ``mlperf-v3.0/A100-PCIe-80GBx8_TRT_MaxQ``.
    name
        The hardware, for people.
    board
        Board that it is one processor of; empty where the entry is a machine of its own.
    kind
        cpu, gpu, npu, fpga, tpu, dsp, mcu or other.
    idle_power_w
        0 where the source states none.
    idle_known
        Whether the source states (or, for MLPerf Inference, bounds) the idle power.
    scope
        What the power meter covered; empty where no power was measured.
    preview
        Whether the device was not yet for sale when measured.
    source
        Repository and folder that all its rows come from.
    licence
        SPDX identifier of the licence of the source; ``not stated`` where it has none.
    suite
        MLPerf Inference: datacenter, edge, or both.
    caution
        Why the figures are in doubt; empty where nothing speaks against them.
    """

    id: str
    name: str
    board: str
    kind: str
    idle_power_w: float
    idle_known: bool
    scope: str
    preview: bool
    source: str
    licence: str
    suite: str
    caution: str


def catalogue() -> pd.DataFrame:
    """Return the whole catalogue, a copy that the caller may change."""
    return _table().copy()


def find(
    device: str | None = None,
    kind: str | None = None,
    task: str | Sequence[str] | None = None,
    dataset: str | None = None,
    scope: str | None = None,
    text: str | None = None,
) -> pd.DataFrame:
    """Return the rows that match every pattern given.

    Parameters
    ----------
    device, kind, task, dataset, scope
        Part of the value, or a pattern of the whole value with ``*`` and ``?``; upper and lower
        case are the same. Of several tasks, those of devices that ran all of them.
    text
        The same, in any of device, name, board, task, label, submitter, system, note.
    """
    table = _table()
    keep = [True] * len(table)
    tasks = [task] if isinstance(task, str) else list(task or ())
    if tasks:
        ran = [_matches(table["task"], pattern) for pattern in tasks]
        names = list(table["device"])
        who = [{n for n, hit in zip(names, hits, strict=True) if hit} for hits in ran]
        all_of_them = set.intersection(*who)
        keep = [n in all_of_them and any(h) for n, *h in zip(names, *ran, strict=True)]
    wanted = {"device": device, "kind": kind, "dataset": dataset, "scope": scope}
    for column, pattern in wanted.items():
        if pattern is not None:
            keep = [a and b for a, b in zip(keep, _matches(table[column], pattern), strict=True)]
    if text is not None:
        hits = [_matches(table[column], text) for column in TEXT_SEARCHED]
        keep = [a and any(b) for a, *b in zip(keep, *hits, strict=True)]
    return table.loc[keep].reset_index(drop=True)


DEVICE_COLUMNS = (
    *("device", "dataset", "name", "board", "kind", "options", "tasks", "idle_power_w"),
    *("idle_known", "scope", "preview", "source", "licence", "suite", "caution"),
)


def devices() -> pd.DataFrame:
    """Return one row per device, in the order of the catalogue.

    Columns are ``DEVICE_COLUMNS``, where ``options`` and ``tasks`` are numbers of rows and of
    different tasks.
    """
    import pandas as pd

    columns = _columns()
    rows = []
    for device, positions in _positions("device").items():
        entry = device_entry(device)
        own = {
            "device": device,
            "dataset": columns["dataset"][positions[0]],
            "options": len(positions),
            "tasks": len({columns["task"][i] for i in positions}),
        }
        rows.append([own[n] if n in own else getattr(entry, n) for n in DEVICE_COLUMNS])
    return pd.DataFrame(rows, columns=DEVICE_COLUMNS)


def device_entry(id: str) -> DeviceEntry:  # noqa: A002 (the word of the document form)
    """Return what is known about one device.

    Raises
    ------
    UnknownEntry
        If the catalogue has no device of that ID.
    """
    entries = _entries()
    id = RENAMED.get(id, (id,))[0]  # noqa: A001 (as above)
    if id not in entries:
        raise _unknown("device", id, entries)
    return entries[id]


def options_for(task_id: str, device_id: str, labels: Iterable[str] | None = None) -> pd.DataFrame:
    """Return the options of one task on one device.

    The frame is empty where nobody measured this task on this device: in the catalogue's terms the
    task cannot run there.

    Parameters
    ----------
    task_id, device_id
        IDs as in the columns ``task`` and ``device``.
    labels
        Only these options, in this order; default: all, in the order of the catalogue.

    Raises
    ------
    UnknownEntry
        If the catalogue has no such task or device, or the pair no such label.
    """
    if device_id in RENAMED:
        rows = _options_of_both(task_id, *RENAMED[device_id])
    else:
        positions = []
        for column, wanted in (("task", task_id), ("device", device_id)):
            known = _positions(column)
            if wanted not in known:
                raise _unknown(column, wanted, known)
            positions.append(known[wanted])
        on_device = frozenset(positions[1])
        rows = _table().iloc[[i for i in positions[0] if i in on_device]]
    if labels is not None:
        by_label = {str(label): i for i, label in enumerate(rows["label"])}
        chosen = []
        for label in labels:
            if label not in by_label:
                raise _unknown("label", label, by_label, f" of {task_id} on {device_id}")
            chosen.append(by_label[label])
        rows = rows.iloc[chosen]
    return rows.reset_index(drop=True)


def tasks_like(patterns: Sequence[str]) -> list[str]:
    """Return the IDs of the tasks that are named or match a pattern (``*``, ``?``), each once.

    Raises
    ------
    UnknownEntry
        If a name or pattern means no task; the message names close ones.
    """
    known = list(_positions("task"))
    found: dict[str, None] = {}
    for pattern in patterns:
        if "*" in pattern or "?" in pattern:
            test = re.compile(translate(pattern.replace("[", "[[]"))).match
            hits = [name for name in known if test(name)]
        else:
            hits = [pattern] if pattern in known else []
        if not hits:
            raise _unknown("task", pattern, known)
        found |= dict.fromkeys(hits)
    return list(found)


def _options_of_both(task_id: str, first: str, second: str) -> pd.DataFrame:
    """Return the better options of two entries that were one, energies above the first's idle."""
    import pandas as pd

    rows = pd.concat([options_for(task_id, first), options_for(task_id, second)])
    idle = device_entry(first).idle_power_w
    whole = rows["power_w"] * rows["time_s"] / rows["batch"]
    rows = rows.assign(
        idle_power_w=idle, energy_j=(rows["power_w"] - idle) * rows["time_s"], whole=whole
    )
    return rows.sort_values("whole").drop_duplicates("label").drop(columns="whole")


def scope_conflicts(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the different power scopes, empty ones left out, in order of appearance.

    More than one means that the powers cover different things and must not be compared.
    """
    return tuple(dict.fromkeys(scope for scope in scopes if scope))


def attribution(device_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the lines that say whose measurements these are, one a device, MLPerf's notice last.

    Raises
    ------
    UnknownEntry
        If the catalogue has no device of an ID.
    """
    lines = []
    mlperf = False
    for device_id in dict.fromkeys(device_ids):
        entry = device_entry(device_id)
        rows = _table().iloc[_positions("device")[device_id]]
        first = rows.iloc[0]
        if str(first["dataset"]).startswith("mlperf-"):
            mlperf = True
            suite = "Tiny" if str(first["dataset"]).startswith("mlperf-tiny") else "Inference"
            submitters = " and ".join(dict.fromkeys(str(name) for name in rows["submitter"]))
            line = (
                f"{entry.id}: MLPerf {suite} {first['round']}, {first['division']} division, "
                f"submitter {submitters}, system {first['system']}"
            )
            line += " (preview)" if entry.preview else ""
        else:
            line = f"{entry.id}: data set {first['dataset']}"
        lines.append(f"{line}; {entry.source}, {licence_text(entry.licence)}.")
    return (*lines, MLPERF_NOTICE) if mlperf else tuple(lines)


def licence_text(licence: str) -> str:
    """Return a licence as it reads in a sentence."""
    return "licence not stated" if licence == "not stated" else licence


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    """Return the shipped table; never handed out itself."""
    import pandas as pd

    return pd.DataFrame(_columns())


@lru_cache(maxsize=1)
def _columns() -> dict[str, list[Any]]:
    """Read the shipped table once, without pandas: most questions are about few cells."""
    with files("hetopt").joinpath("data", "catalogue.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    columns: dict[str, list[Any]] = dict(
        zip(names, map(list, zip(*rows, strict=True)), strict=True)
    )
    for name in NUMBER_COLUMNS:
        columns[name] = [float(cell) if cell else float("nan") for cell in columns[name]]
    for name in FLAG_COLUMNS:
        columns[name] = [cell == "True" for cell in columns[name]]
    columns["batch"] = [int(cell) for cell in columns["batch"]]
    return columns


@lru_cache(maxsize=1)
def _entries() -> dict[str, DeviceEntry]:
    """Every device by ID, in the order of the catalogue."""
    names = (
        *("name", "board", "kind", "idle_power_w", "idle_known", "scope", "preview", "source"),
        *("licence", "suite", "caution"),
    )
    columns = {name: _columns()[name] for name in names}
    entries = {}
    for device, positions in _positions("device").items():
        first = {name: column[positions[0]] for name, column in columns.items()}
        # Some boards have a power for some tasks only.
        scopes = scope_conflicts(columns["scope"][i] for i in positions)
        entries[device] = DeviceEntry(
            id=device,
            name=first["name"],
            board=first["board"],
            kind=first["kind"],
            idle_power_w=first["idle_power_w"],
            idle_known=bool(first["idle_known"]),
            scope=scopes[0] if scopes else "",
            preview=any(bool(columns["preview"][i]) for i in positions),
            source=commonpath([columns["source"][i] for i in positions]),
            licence=first["licence"],
            suite=first["suite"],
            caution=first["caution"],
        )
    return entries


@lru_cache(maxsize=2)
def _positions(column: str) -> dict[str, list[int]]:
    """Row numbers by value of a column, values in the order of the catalogue."""
    positions: dict[str, list[int]] = {}
    for i, value in enumerate(_columns()[column]):
        positions.setdefault(str(value), []).append(i)
    return positions


def _matches(column: pd.Series[str], pattern: str) -> list[bool]:
    """Say for each value whether it holds the pattern (or, with * or ?, is the pattern)."""
    wanted = pattern.casefold()
    if "*" in wanted or "?" in wanted:
        # A bracket is a plain character in an ID, not the start of a set.
        test = re.compile(translate(wanted.replace("[", "[[]"))).match
        hits = {v: test(str(v).casefold()) is not None for v in column.unique()}
    else:
        hits = {v: wanted in str(v).casefold() for v in column.unique()}
    return [hits[value] for value in column]


def _unknown(what: str, wanted: str, known: Iterable[str], where: str = "") -> UnknownEntry:
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    close = [folded[n] for n in get_close_matches(wanted.casefold(), folded, n=3, cutoff=0.5)]
    part = [name for name in names if wanted and wanted.casefold() in name.casefold()]
    hints = list(dict.fromkeys([*part[:3], *close]))[:4]
    if hints:
        hint = f"Did you mean {', '.join(hints)}?"
    elif names:
        hint = f"It has {len(names)}, for example {names[0]}."
    else:
        hint = "It has no option there at all."
    return UnknownEntry(f"The catalogue has no {what} {wanted!r}{where}. {hint}")
