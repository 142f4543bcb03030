"""What processes cost and bring: 40 independent solves, and the parts of one instance or another.

``python -m bench executors`` solves the same questions in this process and in 2 (``--jobs 1,2``)
processes, each with one worker and deterministic limits, so that the work is the same wherever it
is done. Beside the time on the clock it tells the processors' time: on a machine that others use
too, the clock says little, and the quotient of processors' times is what processes add.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from bench.machine import machine
from hetopt.analysis.whatif import whatif
from hetopt.build import Model
from hetopt.generate import generate_schedule
from hetopt.instance import Instance
from hetopt.instance.overrides import scale_demand
from hetopt.runtime.executors.processes import ProcessExecutor
from hetopt.solve import SolveOptions, solve_with
from hetopt.steady.column_generation.column_generation import generate
from hetopt.steady.column_generation.graph_pricer import GraphPricer, master_of_graphs

PARTS = 8
GRAPHS = 300
MOST_S = 600.0


def run(jobs: Sequence[int], cases: int, limit_s: float) -> str:
    """Measure both loops with each number of processes; return a table in Markdown."""
    options = SolveOptions(limit_s, workers=1, deterministic=True)
    base = generate_schedule(tasks=40, devices=4, shape="layered", deadline_factor=1.3, seed=1)
    changed = {f"idle power x {k / cases:g}": _idle(base, k / cases) for k in range(cases)}

    def loop(executor: ProcessExecutor | None) -> object:
        study = whatif(base, changed, options=options, executor=executor)
        return [outcome.solution.objectives for outcome in study.outcomes]

    parts = parted(PARTS)
    # Deterministic time is shared among parts.
    whole = replace(options, time_limit_s=limit_s * PARTS)

    def one(executor: ProcessExecutor | None) -> object:
        return solve_with(parts, whole, executor=executor).objectives

    rows = racks(PARTS)

    def fleet(executor: ProcessExecutor | None) -> object:
        return solve_with(rows, whole, executor=executor).objectives

    streams = graphs(GRAPHS)

    def relaxation(executor: ProcessExecutor | None) -> object:
        pricer = GraphPricer(streams, executor=executor)
        master = master_of_graphs(streams, pricer.searches)
        master.aim(streams.objective[0], pricer.chosen)
        found = generate(master, pricer, until=time.monotonic() + MOST_S, first=3, more=3)
        return found.outcome, found.bound, found.rounds, len(pricer.routes)

    lines = [
        f"{machine()}; load {os.getloadavg()[0]:.1f}",
        "",
        "| loop | processes | clock | processors | times as fast | added work |",
        "|---|---|---|---|---|---|",
    ]
    loops = (
        (f"whatif, {cases} cases", loop),
        (f"solve, {PARTS} parts", one),
        (f"solve, streams of {PARTS} racks", fleet),
        (f"relaxation, {GRAPHS} graph jobs", relaxation),
    )
    for name, work in loops:
        lines += _rows(name, work, jobs)
    return "\n".join(lines)


def _rows(
    name: str, work: Callable[[ProcessExecutor | None], object], jobs: Sequence[int]
) -> list[str]:
    first: tuple[float, float] | None = None
    answer: object = None
    rows = []
    for count in jobs:
        clock, processors = time.monotonic(), _processors()
        with ProcessExecutor(count) if count > 1 else nullcontext() as executor:
            found = work(executor)
        took, used = time.monotonic() - clock, _processors() - processors
        if first is None:
            first, answer = (took, used), found
        if found != answer:
            raise ValueError(f"{name}: another answer with {count} processes.")
        rows.append(
            f"| {name} | {count} | {took:.1f} s | {used:.1f} s | {first[0] / took:.2f} "
            f"| {used / first[1] - 1:+.1%} |"
        )
    return rows


def parted(parts: int) -> Instance:
    """Return a schedule that falls into parts which share nothing: a box each, 40 tasks on it."""
    m = Model("boxes", objective="makespan")
    for b in range(parts):
        devices = [m.device(f"d{b}-{k}", kind="cpu") for k in range(3)]
        job = m.job(f"job{b}")
        for t in range(40):
            times = [10 + (7 * t + 13 * b + 5 * k * k) % 17 for k in range(3)]
            options = [d.option(time=time_) for d, time_ in zip(devices, times, strict=True)]
            job.task(f"t{b}-{t}", options=options)
            if t >= 4:
                m.transfer(f"t{b}-{t - 4}", f"t{b}-{t}")
    return m.build()


def racks(count: int) -> Instance:
    """Return streams on racks that share nothing: 16 chains of 9 tasks on 4 devices each."""
    from tests.side_by_side import side_by_side

    made = []
    for k in range(count):
        rack = graphs(16, seed=k)
        # One host would join them.
        loose = replace(rack.tensors, staged=np.zeros(len(rack.tensors), dtype=bool))
        made.append(replace(rack, host=-1, tensors=loose))
    return side_by_side(made)


def graphs(jobs: int, seed: int = 5) -> Instance:
    """Return streams of chains of 9 tasks on 4 devices with links, as in tests of generation."""
    from tests.unit.steady.column_generation.test_solve_graphs import pipelines

    return scale_demand(pipelines(seed, jobs=jobs, tasks=9, devices=4, slo=1.5), 0.016)


def _idle(instance: Instance, factor: float) -> Instance:
    devices = instance.devices
    changed = replace(devices, idle_power_w=devices.idle_power_w * factor)
    return replace(instance, devices=changed)


def _processors() -> float:
    """Return the processors' seconds of this process and of those that it started and ended."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
