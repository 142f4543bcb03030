"""Processes of this machine, which outlive the crash of one of them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from hetopt.errors import HetoptError
from hetopt.runtime.executors.handed import HandedFuture
from hetopt.runtime.executors.loop import heed, here
from hetopt.runtime.executors.shared import SharedFile

TRIES = 3
"""How often a piece of work is begun before its worker's end is taken for its fault."""


class ProcessExecutor(Executor):
    """Runs work in ``jobs`` processes, and runs again what a process took with it when it ended.

    The standard pool gives up all work when one process ends. Here a new pool takes over what had
    not returned; what has been begun ``TRIES`` times is given up.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._context = multiprocessing.get_context("spawn")
        self._stopped = self._context.Event()
        self._lock = threading.RLock()
        self._number = 0
        self._begun: dict[int, int] = {}  # times that each piece of work has been begun
        self._at: dict[int, str] = {}  # where it runs
        self._future: dict[int, HandedFuture] = {}
        self._closed = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._barren = 0  # pools in a row whose processes ended before they began anything
        self._open_pool()

    @property
    def width(self) -> int:
        """Pieces of work that run at a time."""
        return self._jobs

    @property
    def used(self) -> bool:
        """Whether any work was given to it."""
        return self._number > 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in one of the processes; see :meth:`concurrent.futures.Executor.submit`.

        Raises
        ------
        RuntimeError
            After :meth:`shutdown`.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._number += 1
            future = HandedFuture()
            self._future[self._number] = future
            self._launch(self._number, fn, args, kwargs)
        return future

    def stop_running(self) -> None:
        """Tell the processes to stop: running solves return the best that they have."""
        self._stopped.set()

    def places(self) -> Mapping[Future[Any], str]:
        """Return the process of each piece of work that runs."""
        with self._lock:
            self._note_begun()
            return {self._future[n]: at for n, at in self._at.items() if n in self._future}

    def share(self, value: Any) -> SharedFile:
        """Lay a value into a file that the processes read once each."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="hetopt-shared-")
        return SharedFile(value, Path(self._folder.name))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; see :meth:`concurrent.futures.Executor.shutdown`."""
        with self._lock:
            self._closed = True
            pool = self._pool
        pool.shutdown(wait, cancel_futures=cancel_futures)
        if self._folder is not None:
            self._folder.cleanup()

    def _open_pool(self) -> None:
        # A queue of each pool's own: a process that is killed may hold its lock for ever.
        self._began = self._context.SimpleQueue()
        self._heard = False
        self._pool = ProcessPoolExecutor(
            self._jobs, self._context, _prepare, (self._stopped, self._began)
        )

    def _launch(
        self, number: int, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        pool = self._pool
        try:
            inner = pool.submit(_run, number, fn, args, kwargs)
        except BrokenProcessPool:
            self._replace(pool)
            pool = self._pool
            inner = pool.submit(_run, number, fn, args, kwargs)

        self._future[number].withdraw = inner.cancel

        def done(inner: Future[Any]) -> None:
            with self._lock:
                self._note_begun()
                self._at.pop(number, None)
                lost = not inner.cancelled() and isinstance(inner.exception(), BrokenProcessPool)
                tries = self._begun.get(number, 0)
                if lost and not self._closed:
                    self._replace(pool)
                    if tries < TRIES and self._barren < TRIES:
                        self._launch(number, fn, args, kwargs)
                        return
                future = self._future.pop(number)
            _settle(future, inner, _blame(tries) if lost else "")

        inner.add_done_callback(done)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        """Open another pool, unless somebody did."""
        if self._pool is broken:
            self._note_begun()
            self._barren = 0 if self._heard else self._barren + 1
            self._open_pool()

    def _note_begun(self) -> None:
        """Read what the processes said that they begin."""
        with contextlib.suppress(OSError, EOFError):
            while not self._began.empty():
                number, at = self._began.get()
                self._heard = True
                self._begun[number] = self._begun.get(number, 0) + 1
                if number in self._future:
                    self._at[number] = at


def _blame(tries: int) -> str:
    if tries:
        return f"A worker ended {tries} times while it did the same piece of work."
    return (
        "Processes end before they begin any work; a script that starts some must not do so when "
        'it is imported (if __name__ == "__main__").'
    )


def _settle(future: HandedFuture, inner: Future[Any], lost: str) -> None:
    """Hand a result on."""
    if inner.cancelled():
        future.settle(cancelled=True)
    elif lost:
        future.settle(error=HetoptError(lost))
    elif (error := inner.exception()) is not None:
        future.settle(error=error)
    else:
        future.settle(inner.result())


def _prepare(stopped: Event, began: Any) -> None:
    """Prepare a process: it stops when it is told to, and only then."""
    global _said
    _said = began
    heed(stopped.is_set)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: nobody waits for its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_said: Any = None


def _run(number: int, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _said is not None:
        _said.put((number, here()))
    return fn(*args, **kwargs)
