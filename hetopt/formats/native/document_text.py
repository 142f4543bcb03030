"""Instances to YAML and JSON text: one line a row, defaults left out, numbers in SI units."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from hetopt.compile import to_frames, to_settings
from hetopt.formats.native.document_model import VERSION
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.instance.column_specs import TABLES


def write_yaml(instance: Instance) -> str:
    """Return the YAML document of an instance; :func:`hetopt.formats.read_instance` reads it."""
    return _yaml_text(to_document(instance))


def settings_yaml(instance: Instance) -> str:
    """Return the settings alone, as YAML, for a folder of tables."""
    return _yaml_text(_settings(instance))


def write_json(instance: Instance) -> str:
    """Return the JSON document of an instance; :func:`hetopt.formats.read_instance` reads it."""
    parts = []
    for key, value in to_document(instance).items():
        if isinstance(value, dict):
            profiles = [f"  {_json(name)}: {_json_rows(rows, 4)}" for name, rows in value.items()]
            text = "{\n" + ",\n".join(profiles) + "\n }"
        elif isinstance(value, list) and key != "objective":
            text = _json_rows(value, 3)
        else:
            text = _json(value)
        parts.append(f" {_json(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def document_text(document: dict[str, Any], *, yaml: bool) -> str:
    """Return the text of an instance's document, fields as they stand in it."""
    if yaml:
        return _yaml_text(document)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def to_document(instance: Instance) -> dict[str, Any]:
    """Return an instance as the plain data of a document, defaults left out."""
    frames = {n: {str(c): f[c] for c in f.columns} for n, f in to_frames(instance).items()}
    data = _settings(instance)
    rows = {name: list(_rows(name, columns)) for name, columns in frames.items()}
    for name in ("devices", "boards"):
        rows[name] = [_with_count(row) for row in rows.get(name, [])]
    by_device = {row["name"]: row for row in rows["devices"]}
    for setup in rows.pop("setups", []):
        by_device[setup.pop("device")].setdefault("setups", []).append(setup)
    profiles: dict[str, list[dict[str, Any]]] = {}
    options = rows.pop("options")
    by_option = {(row["profile"], row["device"], row.get("label", "")): row for row in options}
    for use in rows.pop("uses", []):
        row = by_option[use["profile"], use["device"], use.get("label", "")]
        row.setdefault("uses", {})[use["resource"]] = use["amount"]
    for row in options:
        profiles.setdefault(row.pop("profile"), []).append(row)
    for name in ("devices", "boards", "pools", "sites", "links", "resources"):
        if rows.get(name):
            data[name] = rows[name]
    data["profiles"] = profiles
    demands = [*rows.get("scenarios", []), *rows.get("periods", [])]
    by_scenario = {row["name"]: row for row in demands}
    for rate in rows.pop("rates", []):
        by_scenario[rate["scenario"]].setdefault("rates", {})[rate["job"]] = rate["rate_per_s"]
    for name in ("tasks", "transfers", "jobs", "kind_shares", "scenarios", "periods", "initial"):
        if rows.get(name):
            data[name] = rows[name]
    return data


def _settings(instance: Instance) -> dict[str, Any]:
    return {"hetopt": VERSION} | {k: _plain(v) for k, v in to_settings(instance).items()}


def _rows(table: str, columns: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the cells of each row that say something."""
    kept = []
    for spec in TABLES[table]:
        if spec.name not in columns:
            continue
        values = columns[spec.name].to_list()
        default: Any = spec.default
        if spec.type == "names":
            keep = [bool(v) for v in values]
        elif default is None:
            keep = [True] * len(values)
        else:
            keep = [v == v and v != default for v in values]
        kept.append((spec.name, values, keep))
    names = [name for name, _, _ in kept]
    cells = zip(*(values for _, values, _ in kept), strict=True)
    says = zip(*(keep for _, _, keep in kept), strict=True)
    for row, said in zip(cells, says, strict=True):
        yield {n: _plain(v) for n, v, keep in zip(names, row, said, strict=True) if keep}


def _with_count(row: dict[str, Any]) -> dict[str, Any]:
    """Return a device with its number of units as people write it."""
    low, high = row.pop("count_min", 1), row.pop("count_max", 1)
    if low == high == 1:
        return row
    count = (
        low if low == high else {"min": low} if high == NO_MAXIMUM else {"min": low, "max": high}
    )
    names = [name for name in ("name", "kind") if name in row]
    rest = {name: value for name, value in row.items() if name not in names}
    return {**{name: row[name] for name in names}, "count": count, **rest}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; whole numbers without a point, infinity as a text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if value == np.inf:
            return "unlimited"
        if value.is_integer() and abs(value) < 1e15:
            return int(value)
    return value


def _yaml_text(data: dict[str, Any]) -> str:
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            for name, rows in value.items():
                lines.append(f"  {_yaml(name)}:")
                lines += [f"    - {_yaml(row)}" for row in rows]
        elif isinstance(value, list) and key != "objective":
            lines.append(f"{key}:")
            lines += [f"  - {_yaml(row)}" for row in value]
        elif isinstance(value, str) and _is_block(value):
            lines.append(f"{key}: |-")
            lines += [f"  {line}".rstrip() for line in value.split("\n")]
        else:
            lines.append(f"{key}: {_yaml(value)}")
    return "\n".join(lines) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_rows(rows: list[Any], indent: int) -> str:
    blank = " " * indent
    return "[\n" + ",\n".join(blank + _json(row) for row in rows) + f"\n{blank[:-2]} ]"


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./#>-]*( [A-Za-z0-9_./>][A-Za-z0-9_./#>-]*)*")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
_BLOCK = re.compile(r"[^\s#][^\t\r\x00-\x1f\x7f]*")


def _yaml(value: Any) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_yaml(k)}: {_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(v) for v in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    """Return a text in double quotes; what YAML does not take as it is becomes an escape."""
    shown = []
    for c in text:
        if c in '"\\':
            shown.append("\\" + c)
        elif c.isprintable():
            shown.append(c)
        else:
            code = ord(c)
            shown.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(shown) + '"'


def _is_block(text: str) -> bool:
    """Whether a text of several lines can stand as it is, in a literal block."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and all(
            not line or (_BLOCK.fullmatch(line) and line.isprintable() and line == line.rstrip())
            for line in lines
        )
        and bool(lines[-1])
        and bool(lines[0])
    )
