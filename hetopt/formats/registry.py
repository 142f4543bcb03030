"""The registry of file formats, and reading and writing by it.

A format is an entry of ``FORMATS``; the module that knows it is imported when it is needed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import means_folder, read_bytes, unpacked
from hetopt.formats.shipped import located, near_names
from hetopt.formats.sniffing import (
    fits_at_all,
    is_dag_comm,
    is_dag_hetero,
    is_dnn,
    is_fajsp,
    is_fjsp,
    is_flow_shop,
    is_gap,
    is_green_pm,
    is_job_shop,
    is_melange,
    is_mrcpsp,
    is_rcmax,
    is_rcp,
    is_saga,
    is_shop_json,
    is_stg,
    is_upmr,
    is_wfformat,
)

if TYPE_CHECKING:
    from hetopt.instance import Instance


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Parameters
    ----------
    name
        What ``--from`` calls it.
    extensions
        Ends of file names in lower case, with the dot.
    module, reader, writer
        Module of :mod:`hetopt.formats`, and its functions ``reader(text, name) -> Instance`` and
        ``writer(instance) -> text``; for a folder ``reader(path)`` and ``writer(instance, path)``.
        ``writer`` is empty where the format is only read.
    sniff
        Whether a text is surely of this format.
    folder
        Whether the format is a folder of files.
    platform
        Whether files of the format name no machines, so that the reader takes a platform too:
        ``reader(text, name, platform)``.
    native
        Whether the format is hetopt's own: the one meant where no content tells.
    binary
        Whether a file of it is no text, and told by its extension: ``reader(path)``,
        ``writer(instance, path)``.
    """

    name: str
    extensions: tuple[str, ...]
    module: str
    reader: str
    writer: str = ""
    sniff: Callable[[str], bool] = lambda text: False
    folder: bool = False
    platform: bool = False
    native: bool = False
    binary: bool = False

    def read(self, *arguments: Any) -> Instance:
        """Call the reader."""
        instance: Instance = self.function(self.reader)(*arguments)
        return instance

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the format's module."""
        found: Callable[..., Any] = getattr(import_module(f"hetopt.formats.{self.module}"), name)
        return found


def _is_json(text: str) -> bool:
    return bool(re.match(r"\s*\{", text) and re.search(r'"hetopt"\s*:', text))


def _is_yaml(text: str) -> bool:
    return re.search(r"(?m)^(hetopt|[\"']hetopt[\"'])\s*:", text) is not None


FORMATS = (
    Format("json", (".json",), "native.document", "read_json", "write_json", _is_json, native=True),
    Format(
        "yaml",
        (".yaml", ".yml"),
        "native.document",
        "read_yaml",
        "write_yaml",
        _is_yaml,
        native=True,
    ),
    Format("parquet", (), "native.tables_folder", "read_folder", "write_parquet", folder=True),
    Format("csv", (), "native.tables_folder", "read_folder", "write_csv", folder=True),
    Format(
        "excel",
        (".xlsx", ".xlsm"),
        "native.workbook",
        "read_workbook",
        "write_workbook",
        native=True,
        binary=True,
    ),
    Format("fjsp", (".fjs", ".fjsp", ".txt"), "literature.fjsp", "read_fjsp", sniff=is_fjsp),
    Format(
        "jsp",
        (".jsp", ".jss", ".txt"),
        "literature.shops.job_shop",
        "read_job_shop",
        sniff=is_job_shop,
    ),
    Format(
        "shop-json", (".json",), "literature.shops.shop_json", "read_shop_json", sniff=is_shop_json
    ),
    Format("rcp", (".rcp",), "literature.rcp", "read_rcp", sniff=is_rcp),
    Format("fajsp", (".fajsp", ".txt"), "literature.fajsp", "read_fajsp", sniff=is_fajsp),
    Format("rcmax", (".rcmax", ".txt"), "literature.rcmax", "read_rcmax", sniff=is_rcmax),
    Format(
        "flow-shop",
        (".fsp", ".txt"),
        "literature.shops.flow_shop",
        "read_flow_shop",
        sniff=is_flow_shop,
    ),
    Format("green-pm", (".txt",), "literature.green_pm", "read_green_pm", sniff=is_green_pm),
    Format("mrcpsp", (".mm", ".sm"), "literature.mrcpsp", "read_mrcpsp", sniff=is_mrcpsp),
    Format("gap", (".gap", ".txt"), "literature.gap", "read_gap", sniff=is_gap),
    Format("upmr", (".upmr", ".txt"), "literature.upmr", "read_upmr", sniff=is_upmr),
    Format("stg", (".stg", ".txt"), "literature.stg", "read_stg", sniff=is_stg, platform=True),
    Format(
        "dag-hetero",
        (".dag", ".txt", ".json"),
        "literature.dag_hetero",
        "read_dag_hetero",
        sniff=is_dag_hetero,
    ),
    Format("dag-comm", (".txt",), "literature.dag_comm", "read_dag_comm", sniff=is_dag_comm),
    Format("saga", (".json",), "literature.saga", "read_saga", sniff=is_saga),
    Format(
        "wfformat",
        (".json",),
        "literature.wfformat.reader",
        "read_wfformat",
        sniff=is_wfformat,
        platform=True,
    ),
    Format("dnn-partitioning", (".json",), "literature.dnn", "read_dnn", sniff=is_dnn),
    Format("dnn-latency", (), "literature.dnn", "read_dnn_latency"),
    Format("melange", (".json",), "literature.melange", "read_melange", sniff=is_melange),
)


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
    for chosen in FORMATS if text is None else ():
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
    instance = chosen.read(content, name, *([platform] if chosen.platform else []))
    if chosen.native:
        return instance
    return instance.read_from(
        f"Read as a file of the format {chosen.name}; --from FORMAT asks for another."
    )


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
    writers = [f for f in FORMATS if f.writer]
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
            chosen.function(chosen.writer)(instance, Path(path))
        else:
            _write_text(chosen.function(chosen.writer)(instance), path)
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


def read_text(path: str | Path, name: str) -> str:
    """Return the text of a file, or of the standard input where the path is ``-``.

    Parameters
    ----------
    path
        The file.
    name
        What problems call it.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it is no text in UTF-8.
    """
    try:
        data = unpacked(sys.stdin.buffer.read()) if str(path) == "-" else read_bytes(path)
    except FileNotFoundError:
        raise InputError([Problem(name, "", "A file is expected, but there is none.")]) from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        text = f"A file that can be read is expected, but: {what}."
        raise InputError([Problem(name, "", text)]) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = "A text in UTF-8 is expected, but this one is in UTF-16: save it as UTF-8."
        raise InputError([Problem(name, "", text)])
    if b"\0" in data:
        text = "A text file is expected, but this one is binary."
        raise InputError([Problem(name, "", text)])
    try:
        return _lines(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte {data[error.start]:#04x}"
        text = "A text in UTF-8 is expected."
        raise InputError([Problem(f"{name}:{line}", byte, text)]) from None


def _lines(text: str) -> str:
    """Return a text whose lines end as those of old Macs do with the usual ends."""
    text = text.removesuffix("\x1a")  # the end of a file of DOS
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def _check_platform(chosen: Format, platform: str | None) -> None:
    """Refuse a platform for a format whose files name their own devices."""
    if platform is not None and not chosen.platform:
        names = ", ".join(f.name for f in FORMATS if f.platform)
        text = f"No platform, as {chosen.name} files have their devices; {names} take one."
        raise InputError([Problem("--platform", platform, text)])


def _folder(path: Path, name: str | None) -> Format:
    found = [f for f in FORMATS if f.folder and name in (None, f.name)]
    if not found:
        text = f"A file is expected, as {name} is no format of a folder."
        raise InputError([Problem(str(path), "", text)])
    return found[0]


def _told(text: str, name: str, wanted: str | None) -> Format:
    """Return the format of a text: the one asked for, or told by extension, then content."""
    known = [f for f in FORMATS if not f.folder and not f.binary]
    if wanted is not None:
        named = [f for f in known if f.name == wanted]
        if not named:
            names = ", ".join(f.name for f in known)
            raise InputError([Problem(name, wanted, f"A format: {names}.")])
        return named[0]
    suffix = Path(name.lower().removesuffix(".gz")).suffix
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
    likely = sure or [f for f in known if fits_at_all(text, f.name)] or candidates
    names = ", ".join(f.name for f in likely)
    expected = (
        "A file whose extension or content tells its format is expected. "
        f"It may be {names}; say which one with --from FORMAT."
    )
    raise InputError([Problem(name, "", expected)])
