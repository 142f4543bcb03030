"""What a file format is: how it is known, read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from hetopt.instance import Instance


def _not_written(*_: Any) -> Any:
    """Stand in for a writer: files are written in native formats, which all have one."""
    raise NotImplementedError("This format is only read.")


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Parameters
    ----------
    name
        What ``--from`` calls it.
    extensions
        Ends of file names in lower case, with the dot.
    read, write
        Functions ``read(text, name) -> Instance`` and ``write(instance) -> text``; for a folder
        ``read(path)`` and ``write(instance, path)``. Formats of others are only read. Readers take
        the whole text and what problems call it, and raise an ``InputError`` with every problem:
        its line or path, the value, and what was expected there.
    sniff
        Whether a text is surely of this format.
    begins
        How a text of it may begin, damaged as the rest may be: with JSON, with words, or with so
        many numbers in its first line of numbers.
    folder
        Whether the format is a folder of files.
    platform
        Whether files of the format name no machines, so that the reader takes a platform too:
        ``read(text, name, platform)``.
    native
        Whether the format is hetopt's own: the one meant where no content tells.
    binary
        Whether a file of it is no text, and told by its extension: ``read(path)``,
        ``write(instance, path)``.
    """

    name: str
    extensions: tuple[str, ...]
    read: Callable[..., Instance]
    write: Callable[..., Any] = _not_written
    sniff: Callable[[str], bool] = lambda text: False
    begins: tuple[int | Literal["json", "words"], ...] = ()
    folder: bool = False
    platform: bool = False
    native: bool = False
    binary: bool = False

    def begins_as(self, text: str) -> bool:
        """Whether a text can be meant as this format, by its first signs."""
        if text.lstrip()[:1] in ("{", "["):
            return "json" in self.begins
        lines = [line for line in text.splitlines() if line.strip()]
        numbers = next((count for line in lines if (count := _numbers_in(line))), 0)
        if lines and not _numbers_in(lines[0]):
            commented = lines[0].lstrip()[:1] in ("#", "/")
            return "words" in self.begins or (commented and any(map(_is_number, self.begins)))
        return numbers in self.begins


def _is_number(begin: int | str) -> bool:
    return isinstance(begin, int)


def _numbers_in(line: str) -> int:
    """How many numbers a line has, 0 where it has anything else."""
    words = line.partition("#")[0].partition("//")[0].replace(",", ".").split()
    try:
        return len([float(word) for word in words])
    except ValueError:
        return 0
