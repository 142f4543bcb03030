"""Checks of a schedule that repeats for ever: so many repetitions of it, written out.

Times, placement, groups and messages concern one repetition alone. What is used at once (slots,
channels, memory, resources, power) concerns all that overlap: with all that one repetition does
between 0 and its latest end E, at most ceil(E / H) of them do anything at one instant. So many are
written out one after the other, and one more, so that they are all there at some instant of every
phase of the cycle; before that, at the start, a part of them is there.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.instance import Groups, Instance, Ints
from hetopt.solution import Hops, SchedulePlan
from hetopt.verify.exact import fraction
from hetopt.verify.report import Findings, Mode, show
from hetopt.verify.schedule.check import check_and_draw

MOST_TASKS = 400_000
"""Tasks written out: a plan whose repetitions overlap so often is refused."""
SIMPLE = 100_000
"""Denominator up to which a period may be a fraction of a second (1/30 s)."""


def check_repeated(
    instance: Instance, plan: SchedulePlan, findings: Findings
) -> tuple[dict[str, float], dict[str, float], Mode]:
    """Check one repetition, then as many as overlap; objectives are those of one cycle."""
    alone = Findings()
    objectives, scales, mode, drawn = check_and_draw(instance, plan, alone)
    violations = alone.violations()
    if violations or not objectives:
        findings.extend(violations)
        return objectives, scales, mode
    cycle = instance.limits.cycle_s
    option = np.asarray(plan.option).astype(np.int64)
    times = instance.tasks.work * instance.options.time_s[option]
    # A message arrives before what it is for ends.
    latest = float((np.asarray(plan.start_s) + times).max(initial=0.0))
    over = latest / cycle
    if over * len(instance.tasks) > MOST_TASKS:
        findings.add(
            "too-late",
            f"A task ends at {show(latest, 's')}, {over:.3g} cycles after its repetition began; "
            "so many repetitions are not written out to be checked.",
        )
        return objectives, scales, mode
    copies = math.ceil(over) + 1
    written = Findings()
    repeated = drawn.repeated(cycle, 2 * copies + 1)
    whole, _, _, _ = check_and_draw(*_written_out(instance, plan, copies), written, repeated)
    findings.extend(written.violations())
    if "peak_power" in whole:
        objectives["peak_power"] = whole["peak_power"]
    return objectives, scales, mode


def _written_out(
    instance: Instance, plan: SchedulePlan, copies: int
) -> tuple[Instance, SchedulePlan]:
    """Return so many repetitions as an instance and a plan that run once."""
    tasks, tensors, edges, jobs = instance.tasks, instance.tensors, instance.edges, instance.jobs
    cycle = fraction(instance.limits.cycle_s)
    simple = cycle.limit_denominator(SIMPLE)
    if float(simple) == instance.limits.cycle_s:
        cycle = simple
    shift = np.array([float(k * cycle) for k in range(copies)])

    def names(column: np.ndarray) -> np.ndarray:
        later = [f"{name} (cycle {k})" for k in range(1, copies) for name in column.tolist()]
        return np.array([*column.tolist(), *later], dtype=object)

    def later(column: np.ndarray) -> np.ndarray:
        return np.asarray((column[None, :] + shift[:, None]).reshape(-1))

    def moved(column: Ints, by: int) -> Ints:
        """Repeat indices, each copy into its own rows; -1 stays."""
        tiled = np.tile(column, copies)
        step = np.repeat(np.arange(copies) * by, len(column))
        return np.asarray(np.where(tiled >= 0, tiled + step, tiled))

    def tiled(part: object, names_of: str = "name") -> dict[str, np.ndarray]:
        fields = part.__dataclass_fields__  # type: ignore[attr-defined]
        return {n: np.tile(getattr(part, n), copies) for n in fields if n != names_of}

    long_tasks = replace(
        tasks,
        **tiled(tasks)
        | {
            "name": names(tasks.name),
            "job": moved(tasks.job, len(jobs)),
            "forbid_task": moved(tasks.forbid_task, len(tasks)),
            "site_task": moved(tasks.site_task, len(tasks)),
        },
    )
    long_jobs = replace(
        jobs,
        **tiled(jobs)
        | {"name": names(jobs.name)}
        | {n: later(getattr(jobs, n)) for n in ("release_s", "deadline_s", "due_s")},
    )
    none = np.zeros(0, dtype=np.int64)
    apart = Groups(np.zeros(1, dtype=np.int64), none)
    long = replace(
        instance,
        tasks=long_tasks,
        jobs=long_jobs,
        tensors=replace(
            tensors, **tiled(tensors, "") | {"producer": moved(tensors.producer, len(tasks))}
        ),
        edges=replace(
            edges,
            src=moved(edges.src, len(tasks)),
            dst=moved(edges.dst, len(tasks)),
            tensor=moved(edges.tensor, len(tensors)),
        ),
        # Groups and budgets are of one repetition, which was checked.
        together=apart,
        apart=apart,
        resources=replace(instance.resources, budget=np.full(len(instance.resources), np.inf)),
        limits=replace(instance.limits, cycle_s=math.inf),
        # What repeats for ever has gone on long ago.
        devices=replace(instance.devices, start_up_time_s=0.0 * instance.devices.start_up_time_s),
        boards=replace(instance.boards, start_up_time_s=0.0 * instance.boards.start_up_time_s),
    )
    hops = plan.hops
    long_hops = Hops(
        **tiled(hops, "")
        | {
            "tensor": moved(np.asarray(hops.tensor), len(tensors)),
            "start_s": later(np.asarray(hops.start_s)),
        }
    )
    return long, SchedulePlan(
        np.tile(plan.option, copies),
        np.tile(plan.unit, copies),
        later(np.asarray(plan.start_s)),
        long_hops,
    )
