"""The instances that ship with the package, found by name where no file of that name is there.

They are the files of ``instances/`` in the repository; the package has them as data.
"""

from __future__ import annotations

import difflib
import re
from importlib import resources
from pathlib import Path

SUFFIX = ".yaml"


def shipped_names() -> list[str]:
    """Return the names: paths below the folder without the suffix, measured instances first."""
    folder = shipped_path("").parent
    found = [path.relative_to(folder).with_suffix("") for path in folder.rglob(f"*{SUFFIX}")]
    return [path.as_posix() for path in sorted(found, key=lambda p: (len(p.parts), p))]


def shipped_about(name: str) -> str:
    """Return the first sentence of the comment that heads a shipped instance."""
    words: list[str] = []
    for line in shipped_path(name).read_text(encoding="utf-8").splitlines()[1:]:
        text = line.removeprefix("#").strip()
        if not line.startswith("#") or (words and not text):
            break
        words += text.split()
    return re.split(r"(?<=[.?!])\s", " ".join(words), maxsplit=1)[0]


def shipped_path(name: str) -> Path:
    """Return the file of a shipped instance.

    In a checkout whose file system has no links, ``instances/`` itself has it.
    """
    package = Path(str(resources.files("hetopt")))
    folder = package / "data" / "instances"
    return (folder if folder.is_dir() else package.parent / "instances") / f"{name}{SUFFIX}"


def located(path: str | Path) -> str | Path:
    """Return the path of the shipped instance that is named, else the path as it is.

    A file or folder of that name in the working directory has precedence.
    """
    name = str(path)
    if name not in shipped_names() or Path(name).exists():
        return path
    return shipped_path(name)


def near_names(path: str | Path) -> str:
    """Say which shipped instances a path that is not there may have meant, and what lists them."""
    wanted = Path(path).stem
    stems = {Path(name).name: name for name in shipped_names()}
    near = [wanted] if wanted in stems else difflib.get_close_matches(wanted, stems, n=3)
    lists = "`hetopt instances` lists those that ship with hetopt."
    if not near:
        return lists
    return f"Did you mean {' or '.join(stems[name] for name in near)}? {lists}"
