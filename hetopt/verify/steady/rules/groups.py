"""Tasks of streams that share a unit or device, and tasks that must not."""

from __future__ import annotations

from hetopt.instance import Instance
from hetopt.verify.report import Findings
from hetopt.verify.steady.streams import Stream


def check(instance: Instance, streams: list[Stream], findings: Findings) -> None:
    """Check ``together`` and ``apart``: units under ``single``, devices of a route otherwise."""
    names = instance.tasks.name
    single = instance.routing == "single"
    sets = [
        {
            task: (int(instance.options.device[option]), unit if single else 0)
            for task, option, unit in stream.rows
        }
        for stream in streams
        if stream.used or single
    ]
    if single:
        merged: dict[int, tuple[int, int]] = {}
        for places in sets:
            merged |= places
        sets = [merged]
    what = "unit" if single else "device"
    for groups, kind in ((instance.together, "together"), (instance.apart, "apart")):
        for group in groups:
            for places in sets:
                members = [int(task) for task in group if int(task) in places]
                for i, task in enumerate(members):
                    others = members[: min(i, 1)] if kind == "together" else members[:i]
                    other = next(
                        (o for o in others if (places[o] == places[task]) is (kind == "apart")),
                        None,
                    )
                    if other is not None:
                        rule = "must" if kind == "together" else "must not"
                        findings.add(
                            kind,
                            f"Tasks {names[other]} and {names[task]} {rule} run on the same "
                            f"{what}.",
                            names[task],
                        )
