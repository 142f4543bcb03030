"""The registry of file formats, and reading and writing by it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.formats.files import means_folder, read_text
from hetopt.formats.format import Format
from hetopt.formats.shipped import located, near_names
from hetopt.instance.instance import READ_AS

if TYPE_CHECKING:
    from hetopt.instance import Instance


def _later(module: str, function: str) -> Callable[..., Any]:
    """Return a function of a module of our own formats, which is loaded when it is called."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(f"hetopt.formats.native.{module}"), function)(*arguments)

    return call


def _is_json(text: str) -> bool:
    return bool(re.match(r"\s*\{", text) and re.search(r'"hetopt"\s*:', text))


def _is_yaml(text: str) -> bool:
    return re.search(r"(?m)^(hetopt|[\"']hetopt[\"'])\s*:", text) is not None


NATIVE = (
    Format(
        "json",
        (".json",),
        _later("document", "read_json"),
        _later("document", "write_json"),
        sniff=_is_json,
        begins=("json",),
        native=True,
    ),
    Format(
        "yaml",
        (".yaml", ".yml"),
        _later("document", "read_yaml"),
        _later("document", "write_yaml"),
        sniff=_is_yaml,
        begins=("json", "words"),
        native=True,
    ),
    Format(
        "parquet",
        (),
        _later("tables_folder", "read_folder"),
        _later("tables_folder", "write_parquet"),
        folder=True,
    ),
    Format(
        "csv",
        (),
        _later("tables_folder", "read_folder"),
        _later("tables_folder", "write_csv"),
        folder=True,
    ),
    Format(
        "excel",
        (".xlsx", ".xlsm"),
        _later("workbook", "read_workbook"),
        _later("workbook", "write_workbook"),
        native=True,
        binary=True,
    ),
)
"""Our own formats, which all can be written."""


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats: our own, then those of the modules of :mod:`hetopt.formats.literature`.

    Each of these says in ``FORMATS`` what it reads; none is loaded where our own suffice.
    """
    found = list(NATIVE)
    place = "hetopt.formats.literature"
    for module in walk_packages(import_module(place).__path__, f"{place}."):
        found += getattr(import_module(module.name), "FORMATS", ())
    return tuple(found)


def read_instance(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002 (the word of the command line)
    text: str | None = None,
    platform: str | None = None,
) -> Instance:
    """Read an instance from a file or a folder of tables.

    Parameters
    ----------
    path
        The file or folder; ``-`` is the standard input. Where nothing of that name is there, it
        may be the name of a shipped instance (``edge-box``; ``hetopt instances`` lists them).
    format
        Name of the format; by default told by extension and content.
    text
        Content to read instead of the file; ``path`` is then only its name.
    platform
        Devices for a workload whose format names none (``wfformat``, ``stg``): ``cores-N``, or a
        YAML or JSON file with devices and links (:mod:`hetopt.formats.literature.shared.platform`).

    Raises
    ------
    InputError
        If the file cannot be read, its format cannot be told, or its content is wrong: with every
        problem that was found.
    """
    if text is None:
        path = located(path)
    name = "standard input" if str(path) == "-" else str(path)
    if text is None and str(path) != "-" and Path(path).is_dir():
        chosen = _folder(Path(path), format)
        try:
            return chosen.read(Path(path))
        except OSError as error:
            expected = f"A folder that can be read, but: {error.strerror or error}."
            raise InputError([Problem(name, "", expected)]) from None
    for chosen in NATIVE if text is None else ():
        told = format == chosen.name if format else name.lower().endswith(chosen.extensions)
        if chosen.binary and told:
            _check_platform(chosen, platform)
            _check_there(path, name)
            return chosen.read(Path(path))
    content = _read(path, name) if text is None else text
    if not content.strip():
        raise InputError([Problem(name, "", "An instance is expected, but the file is empty.")])
    chosen = _told(content, name, format)
    _check_platform(chosen, platform)
    # What a product of two absurd figures overflows to is refused by name, as any other is.
    with np.errstate(over="ignore", invalid="ignore"):
        instance = chosen.read(content, name, *([platform] if chosen.platform else []))
    if chosen.native:
        return instance
    return instance.read_from(f"{READ_AS}{chosen.name}; --from FORMAT asks for another.")


def write_instance(
    instance: Instance,
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
) -> None:
    """Write an instance to a file, or to a folder of tables where the path has no extension.

    The file or folder is written whole or not at all.

    Parameters
    ----------
    instance
        What to write; periodic jobs are written unrolled.
    path
        ``x.yaml``, ``x.json``, a folder, or ``-`` for the standard output.
    format
        Name of the format; by default told by the extension, and Parquet for a folder.

    Raises
    ------
    InputError
        If the format is not known or the path cannot be written.
    """
    writers = NATIVE
    if format is None:
        folder = str(path) != "-" and means_folder(path)
        suffix = "" if folder else Path(path).suffix.lower()
        default = "yaml" if str(path) == "-" else "parquet" if folder else ""
        found = [f for f in writers if suffix in f.extensions or f.name == default]
    else:
        found = [f for f in writers if f.name == format]
    if not found:
        names = ", ".join(f.name for f in writers)
        text = f"A format that can be written: {names} (by extension, or as the format)."
        raise InputError([Problem(str(path), format or Path(path).suffix, text)])
    chosen = found[0]
    try:
        if chosen.folder or chosen.binary:
            chosen.write(instance, Path(path))
        else:
            _write_text(chosen.write(instance), path)
    except OSError as error:
        text = f"A path that can be written, but {error.strerror or error}."
        raise InputError([Problem(str(path), "", text)]) from None


def _write_text(text: str, path: str | Path) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
        return
    from hetopt.formats.files import write_whole

    write_whole(Path(path), text)


def _read(path: str | Path, name: str) -> str:
    """Return the text of an instance's file; where there is none, say which was meant."""
    _check_there(path, name)
    return read_text(path, name)


def _check_there(path: str | Path, name: str) -> None:
    if str(path) != "-" and not _there(path):
        expected = f"A file is expected, but there is none. {near_names(path)}"
        raise InputError([Problem(name, "", expected)])


def _there(path: str | Path) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True  # what is wrong with it, reading tells
    return True


def _check_platform(chosen: Format, platform: str | None) -> None:
    """Refuse a platform for a format whose files name their own devices."""
    if platform is not None and not chosen.platform:
        names = ", ".join(f.name for f in formats() if f.platform)
        text = f"No platform, as {chosen.name} files have their devices; {names} take one."
        raise InputError([Problem("--platform", platform, text)])


def _folder(path: Path, name: str | None) -> Format:
    found = [f for f in NATIVE if f.folder and name in (None, f.name)]
    if not found:
        text = f"A file is expected, as {name} is no format of a folder."
        raise InputError([Problem(str(path), "", text)])
    return found[0]


def _told(text: str, name: str, wanted: str | None) -> Format:
    """Return the format of a text: the one asked for, or told by extension, then content."""
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    for own in NATIVE:
        if wanted in (None, own.name) and suffix in own.extensions and own.sniff(text):
            return own
    known = [f for f in formats() if not f.folder and not f.binary]
    if wanted is not None:
        named = [f for f in known if f.name == wanted]
        if not named:
            names = ", ".join(f.name for f in known)
            raise InputError([Problem(name, wanted, f"A format: {names}.")])
        return named[0]
    fitting = [f for f in known if suffix in f.extensions]
    if len(fitting) == 1:
        return fitting[0]
    candidates = fitting or known
    # An extension that several formats share says little: hetopt's own may bear it too.
    sure = [f for f in candidates if f.sniff(text)] or [f for f in known if f.sniff(text)]
    if not sure:
        # A malformed file of hetopt's own is told its mistakes by its own reader.
        sure = [f for f in fitting if f.native]
    if len(sure) == 1:
        return sure[0]
    likely = sure or [f for f in known if f.begins_as(text)] or candidates
    names = ", ".join(f.name for f in likely)
    expected = (
        "A file whose extension or content tells its format is expected. "
        f"It may be {names}; say which one with --from FORMAT."
    )
    raise InputError([Problem(name, "", expected)])
