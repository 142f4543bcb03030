"""A folder of files that is written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hetopt.deploy.target import Files
from hetopt.errors import InputError, Problem
from hetopt.formats.files import umask

MARKER = ".hetopt-deploy"
"""Names the files that were written, so that a later run replaces them and nothing else."""


def write_folder(folder: Path, files: Files) -> None:
    """Write all files of a folder, or none.

    They are written into a new folder beside it, which then takes its place. Files that an earlier
    run wrote are replaced; others (weights laid into a model repository) are carried over.

    Parameters
    ----------
    folder
        A new place, an empty folder, or one that was written here before.
    files
        Contents by path.

    Raises
    ------
    InputError
        If the folder holds something else, or cannot be written.
    """
    before = check_folder(folder)
    kept = _others(folder, before)
    clash = sorted(kept & set(files))
    if clash:
        text = "A folder without files of these names that were not written by hetopt deploy."
        raise InputError([Problem("-o", f"{folder}: {', '.join(clash[:3])}", text)])
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _write(beside, {**files, MARKER: _marker(files)})
        for name in sorted(kept):
            place = beside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(folder / name, place)
            except OSError:
                shutil.copy2(folder / name, place)
        beside.chmod(folder.stat().st_mode & 0o777 if folder.is_dir() else 0o777 & ~umask())
        _swap(folder, beside)
    except OSError as error:
        raise InputError([Problem("-o", str(folder), f"A folder to write: {error}.")]) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_folder(folder: Path) -> set[str]:
    """Return the paths that an earlier run wrote there.

    Raises
    ------
    InputError
        If the place is a file, holds files but none of ours, or its parent is closed.
    """
    parent = folder.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise InputError([Problem("-o", str(folder), f"A folder in one that is open: {parent}.")])
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise InputError([Problem("-o", str(folder), "A folder, not a file.")])
    marker = folder / MARKER
    if marker.is_file():
        with suppress(ValueError, TypeError):
            return set(json.loads(marker.read_text(encoding="utf-8"))["files"])
    if any(folder.iterdir()):
        text = "A new or empty folder, or one that hetopt deploy wrote."
        raise InputError([Problem("-o", str(folder), text)])
    return set()


def _others(folder: Path, before: set[str]) -> set[str]:
    """Files of the folder that no earlier run wrote."""
    if not folder.is_dir():
        return set()
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }
    return found - before - {MARKER}


def _marker(files: Files) -> bytes:
    return json.dumps({"files": sorted(files)}, indent=1).encode() + b"\n"


def _write(root: Path, files: Files) -> None:
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if content.startswith(b"#!"):
            place.chmod(0o777 & ~umask())


def _swap(folder: Path, beside: Path) -> None:
    """Put a folder into the place of another; if that fails, the other stays."""
    if not folder.exists():
        beside.replace(folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.")) / "old"
    try:
        folder.rename(old)
        try:
            beside.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)
