"""Which tasks of a plan are freed together: the neighbourhoods of large neighbourhood search.

Time windows and pairs of devices: Godard, Laborie, Nuijten, "Randomized large neighborhood search
for cumulative scheduling", ICAPS 2005; critical blocks: Grabowski, Nowicki, Smutnicki, "Block
algorithm for scheduling operations in a job-shop system", 1988 (only they can shorten a schedule).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hetopt.schedule.model.tick_schedule import TickSchedule


@dataclass(frozen=True, slots=True)
class View:
    """A plan, and who is next to whom in it."""

    schedule: TickSchedule

    @property
    def tasks(self) -> range:
        """All tasks."""
        return range(self.schedule.problem.n_tasks)

    def place(self, task: int) -> tuple[int, int]:
        """Device and unit of a task."""
        return self.schedule.mode[task].device, self.schedule.unit[task]

    def middle(self, task: int) -> float:
        """Middle of a task's run, in ticks."""
        return (self.schedule.start[task] + self.schedule.end(task)) / 2

    def near(self, tasks: list[int], size: int, draw: random.Random) -> list[int]:
        """Return the tasks of a list nearest in time to a random one of it."""
        at = self.middle(draw.choice(tasks))
        return sorted(tasks, key=lambda task: (abs(self.middle(task) - at), task))[:size]

    def sequences(self) -> dict[tuple[int, int], list[int]]:
        """Tasks of each unit in the order of their starts."""
        found: dict[tuple[int, int], list[int]] = {}
        for task in sorted(self.tasks, key=lambda t: (self.schedule.start[t], t)):
            found.setdefault(self.place(task), []).append(task)
        return found


Picker = Callable[[View, int, random.Random], list[int]]
"""Returns at most so many tasks of a plan."""


def window(view: View, size: int, draw: random.Random) -> list[int]:
    """Tasks that run about the same time."""
    return view.near(list(view.tasks), size, draw)


def pair(view: View, size: int, draw: random.Random) -> list[int]:
    """Tasks of two units that run about the same time."""
    sequences = view.sequences()
    places = draw.sample(sorted(sequences), min(2, len(sequences)))
    return view.near([task for place in places for task in sequences[place]], size, draw)


def graph(view: View, size: int, draw: random.Random) -> list[int]:
    """Tasks around one in the graph."""
    problem = view.schedule.problem
    first = draw.choice(view.tasks)
    found, seen = [first], {first}
    for task in found:
        if len(found) >= size:
            break
        around = [problem.edges[e][1] for e in problem.leaving[task]]
        around += [problem.edges[e][0] for e in problem.entering[task]]
        draw.shuffle(around)
        for other in around:
            if other not in seen:
                seen.add(other)
                found.append(other)
    return found[:size] if len(found) > 1 else window(view, size, draw)


def critical(view: View, size: int, draw: random.Random) -> list[int]:
    """Return a part of a chain that holds the last task back, and tasks that run about then."""
    chain = _critical_chain(view)
    half = max(1, size // 2)
    begin = draw.randrange(max(1, len(chain) - half + 1))
    found = chain[begin : begin + half]
    taken = set(found)
    at = view.middle(draw.choice(found))
    others = [task for task in view.tasks if task not in taken]
    others.sort(key=lambda task: (abs(view.middle(task) - at), task))
    return found + others[: size - len(found)]


def scattered(view: View, size: int, draw: random.Random) -> list[int]:
    """Tasks drawn at random."""
    return draw.sample(view.tasks, min(size, len(view.tasks)))


PICKERS: dict[str, Picker] = {
    "window": window,
    "pair": pair,
    "graph": graph,
    "critical": critical,
    "scattered": scattered,
}
"""Neighbourhoods by name."""


def _critical_chain(view: View) -> list[int]:
    """Tasks from the last one back, each with the one that ended last before it could start."""
    schedule = view.schedule
    problem = schedule.problem
    before: dict[int, int] = {}
    for sequence in view.sequences().values():
        before.update(zip(sequence[1:], sequence, strict=False))
    task: int | None = max(view.tasks, key=lambda t: (schedule.end(t), t))
    chain = []
    while task is not None:
        chain.append(task)
        held = [problem.edges[e][0] for e in problem.entering[task]]
        if task in before:
            held.append(before[task])
        start = schedule.start[task]
        held = [other for other in held if schedule.end(other) <= start and other not in chain[-1:]]
        task = max(held, key=lambda t: (schedule.end(t), t)) if held else None
        if task is not None and schedule.end(task) == 0:
            task = None
    return chain[::-1]
