"""Instances as a folder of tables: Parquet or CSV, and ``instance.yaml`` for the settings."""

from __future__ import annotations

import csv
import difflib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.compile import from_frames, to_frames
from hetopt.errors import InputError, Problem
from hetopt.formats.decimal_signs import DecimalSigns, ambiguous, decimal_signs
from hetopt.formats.delimited import TextTable, read_delimited
from hetopt.formats.files import read_bytes
from hetopt.formats.native.document_model import VERSION
from hetopt.formats.native.document_text import settings_yaml
from hetopt.formats.native.fields.forgotten_units import ForgottenUnits
from hetopt.formats.native.yaml_source import YamlDocument, parse_yaml
from hetopt.formats.parquet import pyarrow
from hetopt.instance import Instance
from hetopt.instance.column_specs import SETTINGS, TABLES

if TYPE_CHECKING:
    import pandas as pd

SETTINGS_FILE = "instance.yaml"
SUFFIXES = (".parquet", ".csv", ".csv.gz")
LINES = "lines"
"""Attribute of a frame from a text: the line of each row in its file."""


def read_folder(folder: Path) -> Instance:
    """Read an instance from a folder of tables.

    Parameters
    ----------
    folder
        Holds ``devices``, ``options``, ``tasks`` and where needed ``pools``, ``links``,
        ``transfers``, ``jobs``, each as ``.parquet`` or ``.csv``, and ``instance.yaml``.

    Raises
    ------
    InputError
        With every problem: file, line or row, column, value and what was expected.
    """
    problems: list[Problem] = []
    files = table_files(folder, problems)
    told = _others(folder, files, problems)
    frames = {}
    signs: list[DecimalSigns] = []
    for name, path in files.items():
        try:
            frames[name] = read_table(path, signs)
        except InputError as error:
            problems += error.problems
    problems += ambiguous(signs)
    document, settings = _read_settings(folder / SETTINGS_FILE, problems)
    if problems:
        raise InputError(problems)
    if document is None:
        told.append(
            f"The folder has no {SETTINGS_FILE}: there are no limits, and an objective that is not "
            "asked for is the default one."
        )
    told += _forgotten_units(frames, settings)
    try:
        return from_frames(frames, settings).read_from(" ".join(told))
    except InputError as error:
        lines = {name: frame.attrs[LINES] for name, frame in frames.items() if LINES in frame.attrs}
        places = _Places(folder, files, lines, document)
        raise InputError([places.translated(p) for p in error.problems]) from None


def _forgotten_units(frames: dict[str, pd.DataFrame], settings: dict[str, Any]) -> list[str]:
    """Look at the columns of texts; a whole column of numbers has no unit beside it."""
    seen = ForgottenUnits()
    for table, frame in frames.items():
        for column in TABLES[table]:
            for label in column.names:
                if label not in frame or not column.dimension or frame[label].dtype != object:
                    continue
                for row, value in enumerate(frame[label].tolist()):
                    seen.see(column, label, value, f"{table}, row {row + 1}")
    for column in SETTINGS:
        for label in column.names:
            if label in settings:
                seen.see(column, label, settings[label], SETTINGS_FILE)
    return seen.notes()


def write_parquet(instance: Instance, folder: Path) -> None:
    """Write an instance as a folder of Parquet tables, whole or not at all."""
    pyarrow(folder)

    def write(frame: pd.DataFrame, path: Path) -> None:
        frame.to_parquet(path, index=False, engine="pyarrow")

    _write(instance, folder, ".parquet", write)


def write_csv(instance: Instance, folder: Path) -> None:
    """Write an instance as a folder of CSV tables, whole or not at all."""

    def write(frame: pd.DataFrame, path: Path) -> None:
        for column in ("forbid", "allowed_sites", "weights"):
            if column in frame:
                frame = frame.assign(**{column: [_joined(names) for names in frame[column]]})
        text = frame.to_csv(index=False, lineterminator="\n")
        if "\r" in text:  # the writer leaves these without quotes
            text = frame.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        path.write_bytes(text.encode("utf-8"))

    _write(instance, folder, ".csv", write)


def beside_folder(folder: Path) -> Path:
    """Make a folder beside one that is to be written, so that it can take its place at once."""
    return Path(tempfile.mkdtemp(dir=folder.absolute().parent, prefix=f".{folder.name}."))


def _joined(names: Any) -> str:
    """Return names in one cell: with commas, or as JSON where a name would not survive that."""
    names = list(names)
    text = ",".join(names)
    simple = all(name == name.strip() and name and "," not in name for name in names)
    return text if simple and not text.startswith("[") else json.dumps(names, ensure_ascii=False)


def _write(
    instance: Instance, folder: Path, suffix: str, write: Callable[[pd.DataFrame, Path], None]
) -> None:
    if folder.exists() and not folder.is_dir():
        text = "A folder, or a name that is free: a folder of tables goes there."
        raise InputError([Problem(str(folder), "a file", text)])
    beside = beside_folder(folder)
    try:
        frames = {name: frame for name, frame in to_frames(instance).items() if len(frame)}
        for name, frame in frames.items():
            write(frame, beside / f"{name}{suffix}")
        (beside / SETTINGS_FILE).write_text(settings_yaml(instance), encoding="utf-8")
        if not folder.exists():
            beside.chmod(0o755)
            beside.replace(folder)
            return
        for name in TABLES:
            for old in SUFFIXES:
                if name not in frames or old != suffix:
                    (folder / f"{name}{old}").unlink(missing_ok=True)
        for path in sorted(beside.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def table_files(folder: Path, problems: list[Problem]) -> dict[str, Path]:
    """Return the file of each table that is there."""
    files: dict[str, Path] = {}
    for name in TABLES:
        found = [folder / f"{name}{s}" for s in SUFFIXES if (folder / f"{name}{s}").is_file()]
        if len(found) > 1:
            both = " and ".join(path.name for path in found)
            problems.append(Problem(str(folder), both, f"One file for table {name}."))
        if found:
            files[name] = found[0]
    if not files:
        needed = "devices, options, tasks (.parquet or .csv)"
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        text = f"A folder of tables is expected: {needed}."
        raise InputError([Problem(str(folder), f"a folder with {there}", text)])
    return files


def _others(folder: Path, files: dict[str, Path], problems: list[Problem]) -> list[str]:
    """Refuse files named nearly as a table; return a sentence on others that look like tables."""
    others = []
    for path in sorted(folder.iterdir()):
        stem = path.name.partition(".")[0]
        if not path.name.lower().endswith(SUFFIXES) or path in files.values() or stem in TABLES:
            continue
        near = difflib.get_close_matches(stem.lower(), list(TABLES), n=1, cutoff=0.75)
        if near and near[0] not in files:
            text = f"A table's name; did you mean {near[0]}{path.suffix.lower()}?"
            problems.append(Problem(str(path), "", text))
        else:
            others.append(path.name)
    return [f"Not read, as no tables of an instance: {', '.join(others)}."] if others else []


def read_table(path: Path, signs: list[DecimalSigns] | None = None) -> pd.DataFrame:
    """Return the cells of one table; those of CSV are texts.

    Parameters
    ----------
    path
        The file.
    signs
        Where to add what the numbers of a text say of their decimal sign, if asked for.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path, signs)
    except OSError as error:
        # pyarrow says OSError too where the bytes are no Parquet.
        what = error.strerror or " ".join(str(error).split())
        text = f"A {path.suffix[1:]} table that can be read, but: {what}."
        raise InputError([Problem(str(path), "", text)]) from None


def _read_parquet(path: Path) -> pd.DataFrame:
    pa = pyarrow(path)
    try:
        table = pa.parquet.ParquetFile(path).read()
    except pa.ArrowException as error:
        what = " ".join(str(error).split()).rstrip(".")
        text = f"A Parquet table is expected, but: {what}."
        raise InputError([Problem(str(path), "", text)]) from None
    twice = [name for i, name in enumerate(table.column_names) if name in table.column_names[:i]]
    if twice:
        raise InputError([Problem(str(path), ", ".join(twice), "Each column once.")])
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_csv(path: Path, signs: list[DecimalSigns] | None) -> pd.DataFrame:
    import pandas as pd

    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        expected = "A text in UTF-8 is expected."
        byte = f"byte {error.object[error.start]:#04x}"
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError([Problem(f"{path}:{line}", byte, expected)]) from None
    table = read_delimited(text, str(path))
    columns = zip(*table.rows, strict=True) if table.rows else ((),) * len(table.header)
    # An empty cell is a missing one.
    frame = pd.DataFrame(
        {
            name: pd.Series([cell or None for cell in cells], dtype=object)
            for name, cells in zip(table.header, columns, strict=True)
        }
    )
    frame.attrs[LINES] = table.lines
    if signs is not None:
        signs.append(_signs(table, path))
    return frame


def _signs(table: TextTable, path: Path) -> DecimalSigns:
    """Look at the columns of numbers of a table that is named as its file."""
    columns = TABLES.get(path.name.partition(".")[0], ())
    numbers = [column for column in columns if column.type in ("number", "whole")]
    labels = {label for column in numbers for label in column.names}
    return decimal_signs(table, str(path), labels)


def _read_settings(
    path: Path, problems: list[Problem]
) -> tuple[YamlDocument | None, dict[str, Any]]:
    from hetopt.formats.files import read_text

    if not path.exists():
        return None, {}
    try:
        document = parse_yaml(read_text(path, str(path)), str(path))
    except InputError as error:
        problems += error.problems
        return None, {}
    if document.data is None:
        return document, {}
    if not isinstance(document.data, dict):
        text = "A mapping of settings (name: value)."
        problems.append(Problem(str(path), type(document.data).__name__, text))
        return document, {}
    settings = dict(document.data)
    version = settings.pop("hetopt", VERSION)
    if version != VERSION or isinstance(version, bool):
        text = f"{VERSION} is the version of the file format that is known here."
        problems.append(Problem(document.place(("hetopt",)), str(version), text))
    return document, settings


@dataclass(frozen=True, slots=True)
class _Places:
    """Table positions to files, lines and rows."""

    folder: Path
    files: dict[str, Path]
    lines: dict[str, list[int]]
    document: YamlDocument | None

    def translated(self, problem: Problem) -> Problem:
        """Return the problem with a place that the user knows."""
        if problem.table == "settings":
            place = self._setting(problem.column)
        elif problem.table in self.files:
            place = self._cell(problem)
        elif problem.table:
            place = f"{self.folder}, table {problem.table}"
        else:
            place = f"{self.folder}, {problem.place}" if problem.place else str(self.folder)
        return replace(problem, place=place)

    def _setting(self, name: str) -> str:
        if self.document is None:
            return f"{self.folder / SETTINGS_FILE}, {name}"
        data = self.document.data or {}
        group, _, number = name.removesuffix("]").partition("[")
        if number:
            return self.document.place((group, int(number)))
        for column in SETTINGS:
            if column.name == name:
                name = next((a for a in column.aliases if a in data), name)
        return self.document.place((name,))

    def _cell(self, problem: Problem) -> str:
        path = self.files[problem.table]
        column = f", column {problem.column}" if problem.column else ""
        if problem.row < 0:
            return f"{path}{column}"
        lines = self.lines.get(problem.table)
        if lines is not None:
            if problem.row >= len(lines):  # of a table without rows, whose one row is a default
                return f"{path}{column}"
            return f"{path}:{lines[problem.row]}{column}"
        return f"{path}, row {problem.row}{column}"
