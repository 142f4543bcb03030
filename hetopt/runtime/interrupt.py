"""Ctrl-C while a solver runs: the first one stops the search, the second ends the process."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")

SIGNAL_CHECK_S = 0.05
"""How often the main thread looks up from waiting for the search."""

STOP_GRACE_S = 0.5
"""How long work that was asked to stop may take to hand over what it has."""


@contextlib.contextmanager
def interruptible(stop: threading.Event) -> Iterator[None]:
    """Make the first Ctrl-C set ``stop`` and the second end the process (main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            os._exit(128 + signal.SIGINT)
        stop.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def beside_main_thread(search: Callable[[], T]) -> T:
    """Run a search in a thread of its own, so that the main thread is free to hear Ctrl-C.

    Python runs signal handlers in the main thread only, and not while that is inside a solver.
    """
    if threading.current_thread() is not threading.main_thread():
        return search()
    outcome = _Outcome(search)
    while outcome.wait(SIGNAL_CHECK_S):
        pass
    return outcome.value()


def in_time(work: Callable[[], T], seconds: float, stop: threading.Event) -> T | None:
    """Run work that may not hear the clock; leave it behind after ``seconds``, or after a stop.

    Work that is left behind ends at its next :func:`go_on`.

    Returns
    -------
    T or None
        What the work returned, None where it was left behind.
    """
    outcome = _Outcome(work)
    until = time.monotonic() + seconds
    while outcome.wait(SIGNAL_CHECK_S):
        if stop.is_set():
            # Work that listens to the stop has something to return.
            until = min(until, time.monotonic() + STOP_GRACE_S)
            stop = threading.Event()
        if time.monotonic() > until:
            outcome.leave()
            return None
    return outcome.value()


class LeftBehindError(Exception):
    """Nobody waits for the work of this thread any more."""


def go_on() -> None:
    """Return at once; in work that was left behind, end it, so that it takes no more time.

    Raises
    ------
    LeftBehindError
        Where nobody waits for this thread any more.
    """
    if threading.get_ident() in _left_behind:
        raise LeftBehindError


def end_process(code: int) -> NoReturn:
    """End the process with an exit code; at once, where work that was left behind still runs.

    The interpreter ends such a thread where it next asks for Python's lock. If that is within a
    solver's or a compiler's own code, which expects no end there, the whole process aborts.
    """
    if not _left_behind:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


_left_behind: set[int] = set()
"""Threads whose work nobody waits for."""

_leaving = threading.Lock()


class _Outcome(Generic[T]):
    """What a function run in a thread returns or raises."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._found: list[T] = []
        self._failed: list[BaseException] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._found.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._failed.append(error)
        finally:
            with _leaving:
                self._over = True
                _left_behind.discard(threading.get_ident())

    def leave(self) -> None:
        """Tell the work that nobody waits for it."""
        with _leaving:
            # Identifiers of threads that have ended are used again.
            if not self._over and self._thread.ident is not None:
                _left_behind.add(self._thread.ident)

    def wait(self, seconds: float) -> bool:
        """Wait a while; return whether it still runs."""
        self._thread.join(seconds)
        return self._thread.is_alive()

    def value(self) -> T:
        """Return what it returned, or raise what it raised."""
        if self._failed:
            raise self._failed[0]
        return self._found[0]
