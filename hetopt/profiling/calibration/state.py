"""What calibration keeps between calls, as JSON beside the instance."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.profiling.calibration.calibrate import Calibrated, Figure, Key
from hetopt.profiling.calibration.drift import Change, Watch

VERSION = 1
SUFFIX = ".calibration.json"


def state_path(instance: str | Path) -> Path:
    """Return where the state of an instance is kept: beside it."""
    path = Path(instance)
    return path.with_name(path.name + SUFFIX)


def state_text(found: Mapping[Key, Calibrated]) -> str:
    """Return the state as JSON."""
    rows = []
    for known in found.values():
        row = asdict(known)
        del row["added"]
        rows.append(row)
    data = {"hetopt_calibration": VERSION, "options": rows}
    return json.dumps(_finite(data), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_state(path: Path) -> dict[Key, Calibrated]:
    """Return the state kept in a file; empty where there is none.

    Raises
    ------
    InputError
        If the file is no state of this version.
    """
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["hetopt_calibration"] != VERSION:
            raise ValueError(data["hetopt_calibration"])
        made = [_calibrated(row) for row in data["options"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = (
            "The state that hetopt calibrate wrote beside the instance; remove it to begin anew "
            f"({type(error).__name__})."
        )
        raise InputError([Problem(str(path), "", text)]) from None
    return {known.key: known for known in made}


def _calibrated(row: dict[str, Any]) -> Calibrated:
    watch = dict(row["watch"])
    watch["changes"] = [Change(**change) for change in watch["changes"]]
    profile, device, label = row["key"]
    return Calibrated(
        key=(profile, device, label),
        estimated=row["estimated"],
        interval=row["interval"],
        time=_figure(row["time"]),
        energy=_figure(row["energy"]),
        watch=Watch(**watch),
        energies=row["energies"],
        energy_at=row["energy_at"],
        count=row["count"],
        until_s=-math.inf if row["until_s"] is None else row["until_s"],
        outliers=row["outliers"],
        worst=[(factor, at) for factor, at in row["worst"]],
    )


def _figure(row: Mapping[str, Any]) -> Figure:
    return Figure(**{name: math.nan if v is None else v for name, v in row.items()})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
