"""Ctrl-C while a solver runs: the first one stops the search, the second ends the process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

SIGNAL_CHECK_S = 0.05
"""How often the main thread looks up from waiting for the search."""


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
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(search())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            failed.append(error)

    worker = threading.Thread(target=run, name="hetopt search", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(SIGNAL_CHECK_S)
    if failed:
        raise failed[0]
    return found[0]
