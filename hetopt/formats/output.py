"""Places that results are written to, looked at before the work rather than after it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hetopt.errors import InputError, Problem


def means_folder(path: str | Path) -> bool:
    """Whether a place means a folder of tables.

    It does where it is a folder, ends in a separator, or has no extension; what begins with a
    digit is none (``big0.1``, ``run-2026.11.30``).
    """
    target = Path(path)
    if target.is_dir() or str(path).endswith(("/", os.sep)):
        return True
    return not re.match(r"\.[^\W\d]", target.suffix)


def check_writable(path: str | Path) -> None:
    """Make sure that a result can be written, so that a long search is not lost.

    Raises
    ------
    InputError
        If the folder that the file or folder of tables goes into does not exist, or is closed.
    """
    target = Path(path)
    folder = target if target.is_dir() else target.absolute().parent
    if not folder.is_dir():
        raise InputError(
            [Problem("-o", str(path), f"A file in a folder that exists: no {folder}.")]
        )
    if not os.access(folder, os.W_OK) or (target.is_file() and not os.access(target, os.W_OK)):
        raise InputError([Problem("-o", str(path), "A place that can be written to.")])
