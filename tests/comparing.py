"""When two instances are the same."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from hetopt.instance import Instance

PARTS = (
    *("devices", "pools", "links", "profiles", "options", "tasks", "tensors", "edges", "jobs"),
    *("together", "apart", "resources", "uses", "kind_shares", "scenarios", "periods", "sites"),
    *("setups", "boards"),
)


def differences(one: Instance, other: Instance) -> list[str]:
    """Return the names of columns and settings in which two instances differ."""
    found = []
    for part in PARTS:
        for column in fields(getattr(one, part)):
            a = np.asarray(getattr(getattr(one, part), column.name))
            b = np.asarray(getattr(getattr(other, part), column.name))
            if a.dtype.kind != b.dtype.kind or not np.array_equal(
                a, b, equal_nan=a.dtype.kind == "f"
            ):
                found.append(f"{part}.{column.name}")
    others = [field.name for field in fields(one) if field.name not in PARTS]
    return found + [name for name in others if getattr(one, name) != getattr(other, name)]
