"""Platforms for workloads that name no machines (``--platform NAME|FILE``).

``cores-N`` is N identical cores of speed 1 that share their memory: a message between them takes no
time. A file (YAML or JSON) has ``devices``, and ``links``, ``pools``, ``sites`` and ``networks``
where needed, with the fields of an instance file, so an instance file is a platform too; only what
it says of hardware is read. A device may say two more things: its ``speed`` (default 1; a runtime
of the workload is divided by it), and its ``active_power``, the whole draw of a unit that is busy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from hetopt import units
from hetopt.compile import to_frames
from hetopt.errors import InputError, Problem
from hetopt.formats.json_text import JsonDocument, parse_json
from hetopt.formats.literature.shared.assemble import grid_options
from hetopt.formats.native.yaml_source import YamlDocument, parse_yaml
from hetopt.formats.place import Fault, Parsed, Path
from hetopt.instance import Floats

HARDWARE = ("devices", "links", "pools", "sites", "networks", "host")
MOST_CORES = 1_000_000


@dataclass(frozen=True, slots=True)
class Platform:
    """Devices, links and pools; D devices.

    Attributes
    ----------
    frames
        Tables ``devices``, ``links``, ``pools`` (columns by name).
    settings
        Settings that belong to the hardware.
    names
        Names of the devices (D).
    speed
        What times are divided by (D).
    power_w
        Whole draw of a busy unit (D), all NaN where not stated.
    """

    frames: dict[str, Any]
    settings: dict[str, Any]
    names: list[str]
    speed: Floats
    power_w: Floats

    def options(
        self, tasks: list[str], time_s: Floats, memory_b: Floats | None = None
    ) -> dict[str, Any]:
        """Return one option for every task on every device.

        Parameters
        ----------
        tasks
            Names (T).
        time_s
            Times at speed 1 (T).
        memory_b
            Working memory (T).
        """
        wide = len(self.names)
        table = grid_options(tasks, self.names, time_s[:, None] / self.speed[None, :])
        if not np.isnan(self.power_w).any():
            table["power_w"] = np.tile(self.power_w, len(tasks))
        if memory_b is not None:
            table["memory_b"] = np.repeat(memory_b, wide)
        return table


def cores(count: int) -> Platform:
    """Return ``count`` identical cores that share their memory."""
    frames = {
        "devices": {
            "name": ["core"],
            "kind": ["cpu"],
            "count_min": [count],
            "count_max": [count],
        },
        "links": {"from": ["core"], "to": ["core"]},
    }
    return Platform(frames, {}, ["core"], np.ones(1), np.full(1, np.nan))


def find_platform(wanted: str) -> Platform:
    """Return a platform by its name, or from a file.

    Parameters
    ----------
    wanted
        ``cores-N``, or the path of a YAML or JSON file.

    Raises
    ------
    InputError
        If it is neither, or the file is wrong: with every problem.
    """
    named = re.fullmatch(r"cores-(\d{1,9})", wanted)
    if named:
        count = int(named[1])
        if not 1 <= count <= MOST_CORES:
            text = f"cores-N with N from 1 to {MOST_CORES:,}."
            raise InputError([Problem("--platform", wanted, text)])
        return cores(count)
    if not FilePath(wanted).is_file():
        text = "cores-N (N identical cores), or a YAML or JSON file with devices and links."
        raise InputError([Problem("--platform", wanted, text)])
    from hetopt.formats.files import read_text

    text = read_text(wanted, wanted)
    json_ = FilePath(wanted).suffix.lower() == ".json"
    if json_:
        return read_platform(JsonDocument(wanted, parse_json(text, wanted)))
    return read_platform(parse_yaml(text, wanted))


def read_platform(parsed: YamlDocument | JsonDocument) -> Platform:
    """Return the platform that a parsed document describes.

    Raises
    ------
    InputError
        With every problem: place, value and what was expected.
    """
    from hetopt.formats.native.document import read_parsed

    data = parsed.data if isinstance(parsed.data, dict) else {}
    devices = data.get("devices")
    if not isinstance(devices, list) or not all(isinstance(d, dict) for d in devices):
        text = "A platform is expected: a mapping with a list of devices."
        raise InputError([Problem(parsed.place(("devices",)), "", text)])
    faults: list[Fault] = []
    speed = [_speed(device, ("devices", i, "speed"), faults) for i, device in enumerate(devices)]
    power = [_power(d, ("devices", i, "active_power"), faults) for i, d in enumerate(devices)]
    if any(np.isnan(power)) and not all(np.isnan(power)):
        for i in np.flatnonzero(np.isnan(power)).tolist():
            text = "The active_power of each device, or of none."
            faults.append(Fault(("devices", i), "", text))
    hardware: dict[str, Any] = {key: data[key] for key in HARDWARE if key in data}
    hardware["devices"] = [_without(device, "speed", "active_power") for device in devices]
    first = devices[0].get("name") if devices else ""
    probe = [{"name": "probe", "options": [{"device": first, "time": 1}]}]
    document = _Hardware(parsed, {"hetopt": 1, **hardware, "tasks": probe})
    instance = read_parsed(document, faults)
    frames = to_frames(instance)
    return Platform(
        {
            table: frames[table]
            for table in ("devices", "links", "pools", "sites")
            if len(frames[table])
        },
        {key: hardware[key] for key in ("host",) if key in hardware},
        [str(name) for name in instance.devices.name],
        np.array(speed),
        np.array(power),
    )


class _Hardware:
    """The hardware of a document as an instance of its own, with the document's places."""

    def __init__(self, parsed: Parsed, data: Any) -> None:
        self.name = parsed.name
        self.data = data
        self._parsed = parsed

    def place(self, path: Path) -> str:
        return self._parsed.place(path)


def _without(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


def _speed(device: dict[str, Any], path: Path, faults: list[Fault]) -> float:
    value = device.get("speed", 1.0)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < np.inf:
        return float(value)
    faults.append(Fault(path, str(value), "A number above 0: times are divided by it."))
    return 1.0


def _power(device: dict[str, Any], path: Path, faults: list[Fault]) -> float:
    value = device.get("active_power")
    if value is None:
        return float("nan")
    try:
        return units.parse(value, "power")
    except units.UnitError as error:
        faults.append(Fault(path, str(value), f"{error.expected}. {error.hint}".strip()))
        return float("nan")
