"""Mélange's own program of fleets for language models, given to CBC as its authors do.

    A[i,o] ∈ {0, 1}   slice i of a job's rate runs by option o
    B[j]   whole      GPUs of type j
    minimise    Σ price B
    subject to  Σ A[i,·] = 1;  Σ load A ≤ capacity B[j]

M. Griggs and others, "Mélange: Cost Efficient Large Language Model Serving by Exploiting GPU
Heterogeneity" (2024), section 5.4. The program is written anew from the paper.
"""

from __future__ import annotations

import time

import numpy as np
import pulp

from bench.answers import Answer, Limits, UnsupportedError
from hetopt.instance import Instance, Ints
from hetopt.solution import SteadyPlan
from hetopt.solvers.mip import solve_mip


def melange_ilp(instance: Instance, limits: Limits) -> Answer:
    """Solve Mélange's program.

    Raises
    ------
    UnsupportedError
        If the instance is no fleet for jobs of one task each whose rates come in slices.
    """
    began = time.monotonic()
    _check(instance)
    program = pulp.LpProblem("fleet", pulp.LpMinimize)
    devices, options, jobs = instance.devices, instance.options, instance.jobs
    most = [float(c) if c >= 0 else None for c in devices.count_max.tolist()]
    units = [
        program.add_variable(f"B_{d}", float(devices.count_min[d]), most[d], "Integer")
        for d in range(len(devices))
    ]
    load: list[list[tuple[pulp.LpVariable, float]]] = [[] for _ in units]
    ways: dict[str, tuple[int, int]] = {}
    for task in range(len(instance.tasks)):
        job = int(instance.tasks.job[task])
        slices = int(jobs.slices[job])
        rate = float(jobs.rate_per_s[job]) / slices
        for piece in range(slices):
            row = []
            for option in instance.task_options(task).tolist():
                variable = program.add_variable(f"A_{task}_{piece}_{option}", 0, 1, "Integer")
                ways[variable.name] = (task, option)
                row.append(variable)
                device = int(options.device[option])
                load[device].append((variable, rate * float(options.time_s[option])))
            program.addConstraint(pulp.LpAffineExpression([(v, 1) for v in row]) == 1)
    for device, terms in enumerate(load):
        free = float(devices.max_utilization[device]) * (1 - float(devices.reserved[device]))
        holds = free * float(devices.slots[device])
        row = [*terms, (units[device], -holds)]
        program.addConstraint(pulp.LpAffineExpression(row) <= 0)
    prices = zip(units, devices.price_per_s.tolist(), strict=True)
    program.setObjective(pulp.LpAffineExpression([(v, p) for v, p in prices]))
    build_s = time.monotonic() - began
    left = max(0.01, limits.time_limit_s - build_s)
    result = solve_mip(program, time_limit_s=left, threads=1, seed=limits.seed, solver="cbc")
    answer = Answer(method="melange-ilp", build_s=build_s, note=result.message)
    if result.proven_infeasible:
        answer.status = "infeasible"
    if result.bound is not None:
        answer.bound = result.bound
    if result.values is not None and result.objective is not None:
        chosen = [way for name, way in ways.items() if result.values[name] > 0.5]
        counts = np.array([round(result.values[v.name]) for v in units], dtype=np.int64)
        answer.plan = _plan(instance, chosen, counts)
        answer.claimed = result.objective
        answer.status = "feasible" if result.timed_out else "optimal"
        answer.history = [(time.monotonic() - began, result.objective, answer.bound)]
    return answer


def _check(instance: Instance) -> None:
    jobs = instance.jobs
    if instance.regime != "steady" or instance.objective != ("cost",):
        raise UnsupportedError("Mélange's program asks for the cost of a fleet.")
    if (np.bincount(instance.tasks.job, minlength=len(jobs)) != 1).any():
        raise UnsupportedError("Mélange's program knows jobs of one task only.")
    if (jobs.slices < 1).any():
        raise UnsupportedError("Mélange's program splits no slice; here rates split freely.")
    if np.isfinite(jobs.latency_slo_s).any() or np.isfinite(instance.devices.memory_b).any():
        raise UnsupportedError("Mélange's program has no limits of latency or memory.")


def _plan(instance: Instance, chosen: list[tuple[int, int]], counts: Ints) -> SteadyPlan:
    jobs = instance.jobs
    pieces: dict[tuple[int, int], int] = {}
    for way in chosen:
        pieces[way] = pieces.get(way, 0) + 1
    task = np.array([t for t, _ in pieces], dtype=np.int64)
    job = instance.tasks.job[task]
    many = np.array(list(pieces.values()), dtype=np.float64)
    return SteadyPlan(
        route_job=job,
        rate_per_s=jobs.rate_per_s[job] * many / jobs.slices[job],
        ptr=np.arange(len(task) + 1, dtype=np.int64),
        task=task,
        option=np.array([o for _, o in pieces], dtype=np.int64),
        unit=np.full(len(task), -1, dtype=np.int64),
        units_on=counts,
        units_had=counts,
    )
