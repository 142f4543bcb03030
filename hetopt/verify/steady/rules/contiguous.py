"""Contiguous jobs: whether the units that run a job can be put in an order as stages.

Rule: among the tasks of the job that are not ``backward``, no chain of edges leaves a unit and
comes back to it, by whatever units. Then, and only then, there is an order of the units along which
every edge stays or goes on. An edge without bytes counts as any other.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hetopt.instance import Instance
from hetopt.verify.report import Findings
from hetopt.verify.steady.streams import Stream

Place = tuple[int, int]


def check(instance: Instance, streams: list[Stream], findings: Findings) -> None:
    """Check that the units of each contiguous job are stages in some order."""
    for stream in streams:
        if instance.jobs.contiguous[stream.job]:
            device = instance.options.device
            places = {task: (int(device[option]), unit) for task, option, unit in stream.rows}
            _check_stages(instance, stream.job, places, findings)


def _check_stages(
    instance: Instance, job: int, places: dict[int, Place], findings: Findings
) -> None:
    """Record a circle of units of a job, where there is one.

    Parameters
    ----------
    places
        (device, unit) of each task of the job.
    """
    waits: dict[Place, list[Place]] = {}
    edges = zip(instance.edges.src.tolist(), instance.edges.dst.tolist(), strict=True)
    backward = instance.tasks.backward
    for a, b in edges:
        if a not in places or b not in places or backward[a] or backward[b]:
            continue
        if places[a] != places[b]:
            waits.setdefault(places[b], []).append(places[a])
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        names = [instance.unit_name(*place) for place in error.args[1]]
        findings.add(
            "contiguous",
            f"Job {instance.jobs.name[job]} goes from {' to '.join(names)}: its units are not "
            "stages in an order.",
            instance.jobs.name[job],
        )
