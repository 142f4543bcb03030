"""Instances of streams put side by side, so that they share nothing: names get a prefix each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.instance import Instance

NAMES = {
    "devices": ("name", "memory_pool", "site", "board"),
    "boards": ("name",),
    "pools": ("name",),
    "sites": ("name",),
    "links": ("from", "to", "bus"),
    "options": ("profile", "device", "model"),
    "resources": ("name",),
    "uses": ("profile", "device", "resource"),
    "tasks": ("name", "profile", "job", "pin", "forbid", "allowed_sites"),
    "transfers": ("from", "to", "tensor"),
    "jobs": ("name",),
    "rates": ("job",),
}
"""Columns that hold names of one instance, or lists of them."""
COMMON = ("scenarios",)
"""Tables that all must have alike."""


def side_by_side(instances: Sequence[Instance]) -> Instance:
    """Return one instance of all, with the settings of the first.

    Raises
    ------
    ValueError
        Where the first states a host or shares of kinds, or scenarios differ.
    """
    settings = dict(to_settings(instances[0]))
    tables: dict[str, list[pd.DataFrame]] = {}
    groups: dict[str, list[list[str]]] = {"together": [], "apart": []}
    for k, instance in enumerate(instances):
        prefix = f"{'abcdefgh'[k]}."
        own = to_settings(instance)
        if "host" in own or len(instance.kind_shares):
            raise ValueError("A host, or shares of kinds, are of all together.")
        for name, frame in to_frames(instance).items():
            if name in COMMON:
                if name in tables and not frame.equals(tables[name][0]):
                    raise ValueError("Scenarios differ.")
                tables.setdefault(name, [frame])
                continue
            frame = frame.copy()
            for column in NAMES[name]:
                if column in frame:
                    frame[column] = [_prefixed(value, prefix) for value in frame[column]]
            tables.setdefault(name, []).append(frame)
        for name, found in groups.items():
            found += [[prefix + task for task in group] for group in own.get(name, ())]
        if len(instance.scenarios) != len(instances[0].scenarios):
            raise ValueError("Scenarios differ.")
    frames = {
        name: pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        for name, parts in tables.items()
    }
    return from_frames(frames, settings | {n: g for n, g in groups.items() if g})


def _prefixed(value: Any, prefix: str) -> Any:
    if isinstance(value, list | tuple):
        return [_prefixed(entry, prefix) for entry in value]
    if not isinstance(value, str) or not value:
        return value
    return prefix + value
