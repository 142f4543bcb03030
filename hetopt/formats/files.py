"""Files that are written whole or not at all, texts that are read with what is wrong with them.

Places that results are written to, looked at before the work rather than after it.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hetopt.errors import InputError, Problem

LARGEST_UNPACKED = 4 * 2**30
"""Most bytes that a packed file may hold: more is hardly meant."""


def write_whole(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    """Write a file beside its place, then rename it.

    Parameters
    ----------
    path
        Where the file goes; what was there is replaced. A link is followed.
    content
        Text (written in UTF-8), bytes, or what writes the file at the place that it is given.

    Raises
    ------
    OSError
        If the folder cannot be written to; then nothing has changed.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        # A device or a pipe (/dev/stdout) cannot be replaced.
        _write(path, content)
        return
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~umask()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        _write(beside, content)
        beside.chmod(mode)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file, unpacked where it is packed by gzip, whatever its name.

    Raises
    ------
    OSError
        If it cannot be read, or its packing is broken.
    """
    return unpacked(Path(path).read_bytes())


def unpacked(data: bytes) -> bytes:
    """Return bytes as they were before gzip, or as they are.

    Raises
    ------
    OSError
        If the packing is broken, or what it holds is larger than LARGEST_UNPACKED.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(LARGEST_UNPACKED + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"its gzip packing is broken ({error})") from None
    if len(found) > LARGEST_UNPACKED:
        raise OSError(f"it holds more than {LARGEST_UNPACKED // 2**30} GiB")
    return found


def _write(path: Path, content: str | bytes | Callable[[Path], object]) -> None:
    if callable(content):
        content(path)
    else:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def umask() -> int:
    """Return which permissions new files are not given."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def means_folder(path: str | Path) -> bool:
    """Whether a place means a folder of tables.

    It does where it is a folder, ends in a separator, or has no extension; what begins with a
    digit is none (``big0.1``, ``run-2026.11.30``).
    """
    target = Path(path)
    if target.is_dir() or str(path).endswith(("/", os.sep)):
        return True
    return not re.match(r"\.[^\W\d]", target.suffix)


def check_writable(path: str | Path | None, *endings: str) -> None:
    """Make sure that a result can be written, so that a long search is not lost.

    Parameters
    ----------
    path
        None where nothing is to be written.
    endings
        Of names of files, in lower case; none: any.

    Raises
    ------
    InputError
        If the name has another ending, or if the folder that the file or folder of tables goes
        into does not exist, or is closed.
    """
    if path is None:
        return
    target = Path(path)
    if endings and target.suffix.lower() not in endings:
        raise InputError([Problem("-o", str(path), f"A file that ends in {', '.join(endings)}.")])
    folder = target if target.is_dir() else target.absolute().parent
    if not folder.is_dir():
        raise InputError(
            [Problem("-o", str(path), f"A file in a folder that exists: no {folder}.")]
        )
    if not os.access(folder, os.W_OK) or (target.is_file() and not os.access(target, os.W_OK)):
        raise InputError([Problem("-o", str(path), "A place that can be written to.")])


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


NO_JSON = (".html", ".htm", ".csv", ".xlsx", ".xls", ".parquet", ".md", ".yaml", ".png", ".svg")


def check_json_place(path: str | Path | None) -> None:
    """Make sure that a JSON file can be written, and that its name does not ask for another form.

    Raises
    ------
    InputError
        As :func:`check_writable`, and for a page or a table, which is not made of this answer.
    """
    check_writable(path)
    if path is not None and Path(path).suffix.lower() in NO_JSON:
        raise InputError([Problem("-o", str(path), "A .json file: this answer has no other form.")])
