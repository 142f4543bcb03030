"""Tasks that share a unit, and tasks that must not."""

from __future__ import annotations

from hetopt.instance import Instance
from hetopt.verify.exact import Timeline
from hetopt.verify.report import Findings
from hetopt.verify.schedule.placed import Placed


def check(instance: Instance, placed: Placed, times: Timeline, findings: Findings) -> None:
    """Check groups that share one unit or are apart."""
    place, usable = placed.place, placed.usable
    names = instance.tasks.name
    for group in instance.together:
        members = group[usable[group]]
        for task in members[place[members] != place[members[:1]]]:
            findings.add(
                "together",
                f"Task {names[task]} must run on the same unit as {names[members[0]]}, but does "
                "not.",
                names[task],
            )
    for group in instance.apart:
        seen: dict[int, int] = {}
        for task in group[usable[group]]:
            other = seen.setdefault(int(place[task]), int(task))
            if other != task:
                findings.add(
                    "apart",
                    f"Task {names[task]} must not run on the same unit as {names[other]}, but "
                    "does.",
                    names[task],
                )
