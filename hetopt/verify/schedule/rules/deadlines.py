"""Release times, deadlines, the horizon, and tasks that wait for others."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.verify.exact import Scale, Timeline
from hetopt.verify.report import Findings, show
from hetopt.verify.schedule.placed import Placed


def check(instance: Instance, placed: Placed, times: Timeline, findings: Findings) -> None:
    """Release, deadline, horizon and precedence."""
    tasks, jobs, edges, scale = instance.tasks, instance.jobs, instance.edges, times.scale
    usable, job = placed.usable, instance.tasks.job

    findings.rows(
        "release",
        np.flatnonzero(usable & scale.under(times.start, times.release[job])),
        lambda t: (
            (
                f"Task {tasks.name[t]} starts at {_at(scale, times.start[t])}, before its job "
                f"{jobs.name[job[t]]} is released at {show(jobs.release_s[job[t]], 's')}."
            ),
            tasks.name[t],
        ),
    )
    findings.rows(
        "deadline",
        np.flatnonzero(usable & scale.over(times.end, times.deadline[job])),
        lambda t: (
            (
                f"Task {tasks.name[t]} ends at {_at(scale, times.end[t])}, after the deadline "
                f"{show(jobs.deadline_s[job[t]], 's')} of its job {jobs.name[job[t]]}."
            ),
            tasks.name[t],
        ),
    )
    findings.rows(
        "horizon",
        np.flatnonzero(usable & scale.over(times.end, np.repeat(times.horizon, len(tasks)))),
        lambda t: (
            (
                f"Task {tasks.name[t]} ends at {_at(scale, times.end[t])}, after the horizon "
                f"{show(instance.limits.horizon_s, 's')}."
            ),
            tasks.name[t],
        ),
    )
    early = scale.under(times.start[edges.dst], times.end[edges.src])
    findings.rows(
        "precedence",
        np.flatnonzero(early & usable[edges.src] & usable[edges.dst]),
        lambda e: (
            (
                f"Task {tasks.name[edges.dst[e]]} starts at "
                f"{_at(scale, times.start[edges.dst[e]])}, before {tasks.name[edges.src[e]]}, "
                f"which it waits for, ends at {_at(scale, times.end[edges.src[e]])}."
            ),
            tasks.name[edges.dst[e]],
        ),
    )


def _at(scale: Scale, value: object) -> str:
    return show(scale.seconds(value), "s")
