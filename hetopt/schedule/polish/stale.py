"""Schedules that leave tasks out, overlap or name units that are not there, made whole.

Each task keeps its option, and its unit where it may; tasks are placed anew in the order of their
starts, each as early as data, units, memory and power allow, and those that the plan leaves out
where they end first: list scheduling with the plan's order as priorities.
"""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.schedule.list_scheduling.timetable import Timetable, Trial
from hetopt.schedule.list_scheduling.timetable_scheduler import build, earliest_finish
from hetopt.schedule.model.problem import Mode, Problem, plan_problem
from hetopt.solution import SchedulePlan

MOST_NAMES = 5


def repaired(
    instance: Instance, plan: SchedulePlan, *, limit: float | None = None
) -> tuple[SchedulePlan | None, list[str]]:
    """Return a plan close to one that does not hold, None where none was found, and what changed.

    Parameters
    ----------
    plan
        Of the instance's tasks; option -1 for one that it leaves out.
    limit
        ``time.monotonic()`` value at which to give up.
    """
    problem = plan_problem(instance)
    modes = [_modes(problem, t, int(option)) for t, option in enumerate(plan.option)]
    device = np.where(plan.option >= 0, instance.options.device[plan.option], -1)
    wanted = list(zip(device.tolist(), plan.unit.tolist(), strict=True))

    def choice(table: Timetable, trial: Trial) -> tuple[float, ...]:
        kept = (trial.mode.device, trial.unit) == wanted[trial.task]
        return (0.0 if kept else 1.0, *earliest_finish(table, trial))

    begins = [-at for at in _starts(problem, plan)]
    table = build(problem, begins, choice, modes, limit=limit)
    if table is None:
        # Where options chosen before do not fit any more, any may be taken.
        table = build(problem, begins, earliest_finish, limit=limit)
    if table is None:
        return None, []
    found = table.plan()
    return found, _told(instance, plan, found)


def _modes(problem: Problem, task: int, option: int) -> list[Mode]:
    modes: list[Mode] = problem.modes[task]
    if option < 0:
        return modes
    device = int(problem.instance.options.device[option])
    same = [mode for mode in modes if mode.option == option]
    # An option that another one makes superfluous is not among the modes.
    beside = [mode for mode in modes if mode.device == device]
    return same or beside[:1] or modes


def _starts(problem: Problem, plan: SchedulePlan) -> list[float]:
    """Return when each task begins in the plan, or would after what it waits for (T)."""
    tick = float(problem.grid.tick)
    start: list[float] = plan.start_s.tolist()
    length = [min((m.duration for m in modes), default=0) * tick for modes in problem.modes]
    for task in problem.instance.topological_order.tolist():
        if plan.option[task] < 0:
            before = [problem.edges[e][0] for e in problem.entering[task]]
            start[task] = max((start[b] + length[b] for b in before), default=0.0)
    return start


def _told(instance: Instance, plan: SchedulePlan, found: SchedulePlan) -> list[str]:
    out = plan.option < 0
    moved = ~out & ((plan.option != found.option) | (plan.unit != found.unit))
    later = ~out & ~moved & (plan.start_s != found.start_s)
    lines = []
    for rows, text in (
        (out, "left out, placed"),
        (moved, "on another unit or option"),
        (later, "start at another time"),
    ):
        tasks = np.flatnonzero(rows)
        if len(tasks):
            names = ", ".join(str(name) for name in instance.tasks.name[tasks[:MOST_NAMES]])
            more = f" and {len(tasks) - MOST_NAMES} more" if len(tasks) > MOST_NAMES else ""
            lines.append(f"{len(tasks)} of {len(out)} tasks {text}: {names}{more}")
    return lines
