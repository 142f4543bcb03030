"""How long a search goes on, cut into steps of a compiled loop, and the threads it goes on in."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

CHUNK_S = 0.02
"""Time between two looks at the clock and the stop event."""
POLL_S = 0.25
"""Time between two looks at what the threads have found."""
PARTS = 100
"""Parts of a number of moves in which it is made, at most."""


@dataclass(frozen=True)
class Effort:
    """When a search ends: by the clock or a number of moves, by an event, or as it met its aim.

    Attributes
    ----------
    until
        ``time.monotonic()`` at which it ends; None where moves count.
    moves
        Moves of each worker; None where the clock counts. Then nothing depends on the clock.
    stop
        Ends the search from outside.
    met
        Set by whoever sees that nothing better is to be found.
    began
        Time at which it began.
    """

    until: float | None
    moves: int | None
    stop: threading.Event | None = None
    met: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls, seconds: float | None, moves: int | None, default: int, stop: threading.Event | None
    ) -> Effort:
        """Count seconds where they are given, else moves, else ``default`` moves."""
        if seconds is None:
            return cls(None, default if moves is None else moves, stop)
        return cls(time.monotonic() + seconds, None, stop)

    def over(self) -> bool:
        """Whether the search ends now."""
        if self.met.is_set() or (self.stop is not None and self.stop.is_set()):
            return True
        return self.until is not None and time.monotonic() >= self.until

    def left_s(self) -> float:
        """Seconds left by the clock, infinite where moves count."""
        return math.inf if self.until is None else max(0.0, self.until - time.monotonic())

    def steps(
        self, first: int, part: tuple[float, float] = (0.0, 1.0)
    ) -> Iterator[tuple[int, float, float]]:
        """Yield (moves, part done before, part done after) of each step, until the search is over.

        Steps by the clock take ``CHUNK_S`` each: the work between two of them is timed.

        Parameters
        ----------
        first
            Moves of the first step.
        part
            Of the whole search, a round from its first to its second part; what is yielded goes
            from 0 to 1 in it.
        """
        begin, end = part
        whole = end - begin
        moves = None if self.moves is None else math.ceil(self.moves * whole)
        done, size, before = 0, first, 0.0
        while before < 1.0 and not self.over():
            at = time.monotonic()
            if moves is None:
                after = min(1.0, max(before, (self._passed(at + CHUNK_S) - begin) / whole))
                yield size, before, after
                now = time.monotonic()
                size = int(min(4 * size, max(1.0, size * CHUNK_S / max(1e-6, now - at))))
                before = max(after, (self._passed(now) - begin) / whole)
            else:
                size = min(size, moves - done)
                after = (done + size) / moves
                yield size, before, after
                done, before = done + size, after
                size = max(first, moves // PARTS)

    def _passed(self, now: float) -> float:
        until = now if self.until is None else self.until
        return (now - self.began) / max(1e-9, until - self.began)


def in_threads(
    works: Sequence[Callable[[], None]],
    look: Callable[[], None],
    *,
    meanwhile: Callable[[], None] = lambda: None,
    poll_s: float = POLL_S,
) -> None:
    """Run each work in a thread of its own, ``meanwhile`` in this one, and wait for all.

    ``look`` is called every ``poll_s`` seconds, and once in the end. What a work raises is raised.
    """
    with ThreadPoolExecutor(len(works)) as pool:
        running = {pool.submit(work) for work in works}
        meanwhile()
        while running:
            done, running = wait(running, poll_s)
            for work in done:
                work.result()
            look()
