"""How much of one resource is in use over time: a step function with a capacity."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from hetopt.schedule.model.problem import NEVER


class Profile:
    """Use of a resource over half-open intervals of ticks, [0, ``NEVER``).

    Parameters
    ----------
    capacity
        Most that may be in use at once, in the unit of the amounts.
    """

    __slots__ = ("capacity", "level", "time")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.time: list[int] = [0]
        self.level: list[int] = [0]

    def add(self, start: int, end: int, amount: int) -> None:
        """Use ``amount`` more during [start, end); a negative amount takes it back."""
        if end <= start or not amount:
            return
        first, last = self._cut(start), self._cut(end) if end < NEVER else len(self.time)
        for i in range(first, last):
            self.level[i] += amount
        self._join(last)
        self._join(first)

    def fit(self, start: int, duration: int, amount: int) -> int:
        """Earliest time from ``start`` on at which ``amount`` is free for ``duration``."""
        if duration <= 0 or not amount:
            return start
        room = self.capacity - amount
        if room < 0:
            return NEVER
        time, level = self.time, self.level
        i, n = bisect_right(time, start) - 1, len(time)
        while i < n and time[i] < start + duration:
            if level[i] > room:
                i += 1
                if i == n:
                    return NEVER
                start = time[i]
            else:
                i += 1
        return start

    def fit_tail(self, start: int, amount: int) -> int:
        """Earliest time from ``start`` on from which ``amount`` is free for ever."""
        if not amount:
            return start
        room = self.capacity - amount
        for i in range(len(self.time) - 1, -1, -1):
            if self.level[i] > room:
                return max(start, self.time[i + 1]) if i + 1 < len(self.time) else NEVER
            if self.time[i] <= start:
                break
        return start

    def _cut(self, at: int) -> int:
        """Index of the step that begins at ``at``, made where there is none."""
        i = bisect_left(self.time, at)
        if i == len(self.time) or self.time[i] != at:
            self.time.insert(i, at)
            self.level.insert(i, self.level[i - 1])
        return i

    def _join(self, i: int) -> None:
        """Drop the step at index ``i`` where the level does not change."""
        if 0 < i < len(self.time) and self.level[i] == self.level[i - 1]:
            del self.time[i]
            del self.level[i]
