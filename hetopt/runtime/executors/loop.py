"""One loop over independent pieces of work, wherever they run; results in order.

A piece of work is a function of a module, and an item that can be pickled. It is called as
``function(item, stop)`` and heeds ``stop``. Any :class:`concurrent.futures.Executor` will do; those
of this package also tell their workers to stop, say what runs where, and run again what a worker
took with it when it ended.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future, wait
from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T, threading.Event], R]
Report = Callable[[str], None]

LISTEN_S = 0.1
"""How often a stop is listened for, and progress told, while results are waited for."""


@runtime_checkable
class Stoppable(Protocol):
    """An executor whose running work can be told to stop."""

    def stop_running(self) -> None:
        """Tell all work to return what it has, and start no more."""


@runtime_checkable
class Placed(Protocol):
    """An executor that knows what runs where."""

    def places(self) -> Mapping[Future[Any], str]:
        """Return where each piece of work that runs does so."""


def silent(line: str) -> None:
    """Tell nobody."""


class NotBegun:
    """What stands for a result where work was stopped before it began."""


def in_order(
    executor: Executor | None,
    work: Work[T, R],
    items: Mapping[str, T],
    stop: threading.Event,
    tell: Report,
) -> Iterator[tuple[str, R]]:
    """Run work on items and yield names and results in the order of the items.

    Parameters
    ----------
    executor
        Where it runs; None: here, one after another.
    work
        A function of a module.
    items
        Items by name.
    stop
        Once it is set, no more work begins and what runs is told to return; items whose work did
        not begin are left out.
    tell
        Called with a line about what runs; :func:`silent` asks nobody.

    Raises
    ------
    Exception
        What the first work that fails raises.
    """
    if executor is None or not items:
        for name, item in items.items():
            if stop.is_set():
                return
            tell(name)
            yield name, work(item, stop)
        return
    if stop.is_set():
        return
    futures = {name: executor.submit(call, work, item) for name, item in items.items()}
    try:
        for name, future in futures.items():
            _await(executor, future, futures, stop, tell)
            try:
                found = future.result()
            except CancelledError:
                continue
            if not isinstance(found, NotBegun):
                yield name, found
    finally:
        # After a failure, or where nobody asks for the rest.
        for future in futures.values():
            future.cancel()


def call(work: Work[T, R], item: T) -> R | NotBegun:
    """Do a piece of work in a worker, which is told to stop by its executor, if at all."""
    stop, over = threading.Event(), threading.Event()
    if _stopped():
        return NotBegun()

    def listen() -> None:
        while not over.wait(LISTEN_S):
            if _stopped():
                stop.set()
                return

    threading.Thread(target=listen, daemon=True).start()
    try:
        return work(item, stop)
    finally:
        over.set()


def heed(stopped: Callable[[], bool]) -> None:
    """Let the work of this process stop when ``stopped()`` says so."""
    global _stopped
    _stopped = stopped


def here() -> str:
    """Return the name of this place: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _never() -> bool:
    return False


_stopped: Callable[[], bool] = _never


def _await(
    executor: Executor,
    future: Future[Any],
    futures: Mapping[str, Future[Any]],
    stop: threading.Event,
    tell: Report,
) -> None:
    """Wait for one result, telling what runs, and pass a stop on once."""
    while not future.done():
        wait([future], LISTEN_S)
        if stop.is_set():
            if isinstance(executor, Stoppable):
                executor.stop_running()
            for other in futures.values():
                other.cancel()
            wait([future])
            return
        if tell is not silent:
            tell(_running(executor, futures))


def _running(executor: Executor, futures: Mapping[str, Future[Any]]) -> str:
    done = sum(future.done() for future in futures.values())
    line = f"{done} of {len(futures)} done"
    if not isinstance(executor, Placed):
        return line
    places = executor.places()
    shown = [f"{name} on {places[f]}" for name, f in futures.items() if f in places]
    return "; ".join([line, *shown])
