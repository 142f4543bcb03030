"""Stages of a pipeline: tasks that one unit runs in a row, joined where that changes nothing.

Two neighbours on a unit are joined where they run the same option of one job, what the later one
needs from elsewhere is there when the earlier one starts, and what others need of the earlier one
is not needed before the later one ends. Joined stages then start and end no later than their parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.solution import Plan, ScenarioPlan, SchedulePlan, SteadyPlan


@dataclass(frozen=True, slots=True)
class Part:
    """A task of a route, with what the plan says of it; ``start_s`` is NaN in streams."""

    task: int
    option: int
    unit: int
    start_s: float
    time_s: float

    @property
    def end_s(self) -> float:
        """End of the task."""
        return self.start_s + self.time_s

    def way(self, instance: Instance) -> tuple[int, int, str, int]:
        """Return what parts of one stage have in common: job, device, label, batch."""
        options = instance.options
        return (
            int(instance.tasks.job[self.task]),
            int(options.device[self.option]),
            str(options.label[self.option]),
            int(options.batch[self.option]),
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """Parts that one unit runs as one model, in order."""

    parts: tuple[Part, ...]

    @property
    def first(self) -> Part:
        """Its first part, whose option and unit are those of all."""
        return self.parts[0]

    @property
    def time_s(self) -> float:
        """Time that the plan counts on."""
        return sum(p.time_s for p in self.parts)


@dataclass(frozen=True, slots=True)
class Route:
    """How requests of a job run: its stages in order, ``rate_per_s`` NaN in a schedule."""

    job: int
    rate_per_s: float
    stages: tuple[Stage, ...]


def routes(instance: Instance, plan: Plan, *, join: bool = True) -> list[Route]:
    """Return the routes of a plan.

    Parameters
    ----------
    instance
        The instance.
    plan
        A schedule has one route for each job, streams as many as the plan has.
    join
        Whether neighbours become one stage.

    Raises
    ------
    InputError
        If the plan is one of scenarios: which of them to run is not said.
    """
    if isinstance(plan, ScenarioPlan):
        when = instance.when
        expected = f"A plan of one {when}: remove {when}s from the instance, or solve each."
        raise InputError([Problem("plan", f"{when}s", expected)])
    if isinstance(plan, SchedulePlan):
        return _of_schedule(instance, plan, join)
    return _of_streams(instance, plan, join)


def _of_schedule(instance: Instance, plan: SchedulePlan, join: bool) -> list[Route]:
    times = instance.options.time_s[plan.option] * instance.tasks.work
    parts = [
        Part(t, int(plan.option[t]), int(plan.unit[t]), float(plan.start_s[t]), float(times[t]))
        for t in range(len(instance.tasks))
    ]
    order = sorted(parts, key=lambda p: (p.start_s, p.end_s, p.task))
    links = _links(instance)
    by_task = {p.task: p for p in parts}
    stages: list[list[Part]] = []
    last: dict[tuple[int, int], list[Part]] = {}
    for part in order:
        place = (int(instance.options.device[part.option]), part.unit)
        open_stage = last.get(place)
        if join and open_stage and _joins(instance, open_stage, part, by_task, links):
            open_stage.append(part)
        else:
            last[place] = [part]
            stages.append(last[place])
    made = [Stage(tuple(s)) for s in stages]
    return [
        Route(
            j,
            float("nan"),
            tuple(s for s in made if int(instance.tasks.job[s.first.task]) == j),
        )
        for j in range(len(instance.jobs))
    ]


def _joins(
    instance: Instance,
    stage: Sequence[Part],
    part: Part,
    by_task: dict[int, Part],
    links: dict[int, tuple[list[int], list[int]]],
) -> bool:
    first, tasks = stage[0], {p.task for p in stage}
    if part.way(instance) != first.way(instance):
        return False
    scale = LIMIT_TOLERANCE * max(1e-9, part.end_s)
    before = [by_task[t] for t in links[part.task][0] if t not in tasks]
    after = [by_task[t] for p in stage for t in links[p.task][1] if t not in tasks | {part.task}]
    connected = any(t in tasks for t in links[part.task][0])
    return (
        connected
        and all(p.end_s <= first.start_s + scale for p in before)
        and all(p.start_s >= part.end_s - scale for p in after)
    )


def _of_streams(instance: Instance, plan: SteadyPlan, join: bool) -> list[Route]:
    links = _links(instance)
    found = []
    for k, job in enumerate(plan.route_job.tolist()):
        rows = range(int(plan.ptr[k]), int(plan.ptr[k + 1]))
        parts = {}
        for r in rows:
            task, option = int(plan.task[r]), int(plan.option[r])
            time = float(instance.options.time_s[option] * instance.tasks.work[task])
            parts[task] = Part(task, option, max(0, int(plan.unit[r])), float("nan"), time)
        stages: list[list[Part]] = []
        for task in _topological(parts, links):
            part = parts[task]
            before = set(links[task][0])
            if (
                join
                and stages
                and before <= {p.task for p in stages[-1]}
                and before
                and part.way(instance) == stages[-1][0].way(instance)
                and part.unit == stages[-1][0].unit
                and all(
                    t == task or t in {p.task for p in stages[-1]}
                    for p in stages[-1]
                    for t in links[p.task][1]
                )
            ):
                stages[-1].append(part)
            else:
                stages.append([part])
        found.append(Route(job, float(plan.rate_per_s[k]), tuple(Stage(tuple(s)) for s in stages)))
    return found


def _links(instance: Instance) -> dict[int, tuple[list[int], list[int]]]:
    """Return the tasks before and after each."""
    found: dict[int, tuple[list[int], list[int]]] = {
        t: ([], []) for t in range(len(instance.tasks))
    }
    for a, b in zip(instance.edges.src.tolist(), instance.edges.dst.tolist(), strict=True):
        found[b][0].append(a)
        found[a][1].append(b)
    return found


def _topological(
    parts: dict[int, Part], links: dict[int, tuple[list[int], list[int]]]
) -> list[int]:
    done: list[int] = []
    left = sorted(parts)
    while left:
        ready = next(t for t in left if all(b in done for b in links[t][0]))
        done.append(ready)
        left.remove(ready)
    return done


def option_words(label: str) -> dict[str, Any]:
    """Read an option's label as ``hetopt profile`` writes it: ``int8-t2-b8``.

    Words that it does not write are left to whoever wrote them.
    """
    words = label.split("-")
    found: dict[str, Any] = {"precision": "fp32", "threads": 0}
    for word in words:
        if word in ("fp32", "int8"):
            found["precision"] = word
        elif word[:1] == "t" and word[1:].isdecimal():
            found["threads"] = int(word[1:])
    return found
