"""How fast tasks run that slow each other down, and so when they end (docs/quantities.md).

At each change of what runs, all that shares a resource is carried on to now, at the speeds that
held since the last change, and gets its new speed and end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hetopt.evaluate.slowing import demands_of
from hetopt.instance import Instance

Demands = Sequence[tuple[int, float]]


@dataclass
class _Runs:
    """A run: its time at full speed, what is left of it, and its speed since some time."""

    demands: Demands
    whole_s: float
    left_s: float
    speed: float
    since_s: float
    ends_s: float


class Speeds:
    """The tasks that run and share a resource that slows."""

    def __init__(self, instance: Instance) -> None:
        self.demands = demands_of(instance)
        self._capacity: list[float] = instance.resources.capacity.tolist()
        self._kept: list[float] = (1.0 - instance.resources.loss).tolist()
        self._runs: dict[int, _Runs] = {}

    def start(self, t: int, option: int, takes_s: float, now: float) -> list[tuple[int, float]]:
        """Begin a run; return the tasks that end at other times than before, and when."""
        demands = self.demands[option]
        if not demands or takes_s <= 0:
            return [(t, now + takes_s)]
        self._carry(now)
        self._runs[t] = _Runs(demands, takes_s, takes_s, 0.0, now, now)
        return self._changed(now)

    def stop(self, t: int, now: float) -> tuple[float, list[tuple[int, float]]]:
        """End a run; return what part of it was not done, and what changes for others."""
        if t not in self._runs:
            return 0.0, []
        self._carry(now)
        run = self._runs.pop(t)
        return max(0.0, run.left_s / run.whole_s), self._changed(now)

    def _carry(self, now: float) -> None:
        for run in self._runs.values():
            run.left_s -= run.speed * (now - run.since_s)
            run.since_s = now

    def _changed(self, now: float) -> list[tuple[int, float]]:
        speeds = speeds_of([r.demands for r in self._runs.values()], self._capacity, self._kept)
        found = []
        for (t, run), speed in zip(self._runs.items(), speeds, strict=True):
            if speed != run.speed:
                run.speed = speed
                run.ends_s = now + max(0.0, run.left_s) / speed
                found.append((t, run.ends_s))
        return found


def speeds_of(
    demands: Sequence[Demands], capacity: Sequence[float], kept: Sequence[float]
) -> list[float]:
    """Return the part of full speed of each of several runs that share resources.

    Parameters
    ----------
    kept
        What is left of a resource where several use it.
    """
    total: dict[int, float] = {}
    count: dict[int, int] = {}
    for used in demands:
        for k, amount in used:
            total[k] = total.get(k, 0.0) + amount
            count[k] = count.get(k, 0) + 1
    allowed = {
        k: min(1.0, capacity[k] / wanted) * (kept[k] if count[k] > 1 else 1.0)
        for k, wanted in total.items()
    }
    return [min((allowed[k] for k, _ in used), default=1.0) for used in demands]
