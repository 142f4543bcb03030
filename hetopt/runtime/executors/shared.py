"""A large value that many pieces of work need: sent to each worker once, and kept there."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

KEPT = 4
"""Values that a worker keeps; the one that was asked for longest ago goes first."""


class Shared(Protocol):
    """Where a value lies; small to send, :func:`load` takes it from there."""

    key: str

    def read(self) -> Any:
        """Return the value from where it lies."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """An executor that lays values where its workers can reach them."""

    def share(self, value: Any) -> Shared:
        """Lay a value there, for as long as the executor lives."""


class SharedHere:
    """A value in this process's memory, for threads; elsewhere it is sent whole each time."""

    def __init__(self, value: Any) -> None:
        self.key = uuid.uuid4().hex
        self._value = value

    def read(self) -> Any:
        """Return the value."""
        return self._value


class SharedFile:
    """A value in a file, for processes of one machine."""

    def __init__(self, value: Any, folder: Path) -> None:
        self.key = uuid.uuid4().hex
        self._path = folder / self.key
        self._path.write_bytes(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))

    def read(self) -> Any:
        """Return the value from its file, which only this user's processes write."""
        return pickle.loads(self._path.read_bytes())


def share(executor: Executor, value: Any) -> Shared:
    """Lay a value where the workers of an executor can reach it."""
    if isinstance(executor, Sharing):
        return executor.share(value)
    return SharedHere(value)


def load(shared: Shared, make: Callable[[Any], Any]) -> Any:
    """Return ``make`` of a shared value, made once in this process."""
    if shared.key not in _kept:
        while len(_kept) >= KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[shared.key] = make(shared.read())
    return _kept[shared.key]


_kept: dict[str, Any] = {}
