"""Optimum of a tiny schedule whose jobs may be left out: every set of them enumerated.

Each set is an instance of its own, made of the tables without the other jobs; the most valuable set
that has a plan wins, then the later objectives as `schedule_optimum` finds them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.overrides import some_jobs
from hetopt.instance.questions import check_question
from hetopt.instance.states.setups import device_setups
from hetopt.solve import solve
from tests.idling_schedules import idling_schedule
from tests.oracles.agreement import disagreements
from tests.oracles.idling_oracle import idling_optimum
from tests.oracles.schedule_oracle import schedule_optimum
from tests.oracles.timing import less
from tests.random_schedules import Dice, random_schedule
from tests.setup_schedules import add_setups

SET_UP = 3
"""Of so many seeds one has set-ups where it may."""
SLEEPY = 4
"""Of so many seeds one is a schedule with sleep and start-ups."""


def optional_schedule(seed: int) -> tuple[Instance, Fraction]:
    """Return a schedule of at most 4 tasks in jobs of one or two, of which all but one may go."""
    for again in range(20 if seed % SET_UP == 1 else 0):
        instance, tick = _drawn(seed + again * 1_000_003, set_up=True)
        try:
            check_question(instance)
        except InputError:
            continue
        if device_setups(instance):
            return instance, tick
    return _drawn(seed, set_up=False)


def sleepy_schedule(seed: int) -> tuple[Instance, Fraction] | None:
    """Return a schedule with sleep whose jobs without edges may go; None where none may."""
    dice = Dice(np.random.default_rng([seed, 25]))
    instance, tick = idling_schedule(seed)
    job, jobs = instance.tasks.job, instance.jobs
    across = job[instance.edges.src] != job[instance.edges.dst]
    joined = np.concatenate([job[instance.edges.src[across]], job[instance.edges.dst[across]]])
    free = [j not in joined and dice.chance(0.8) for j in range(len(jobs))]
    free[dice.whole(0, len(jobs) - 1)] = False
    value = np.array([dice.pick(0.0, 1.0, 1.0, 2.0, 4.0) for _ in range(len(jobs))])
    value[0] = max(value[0], 1.0)
    made = replace(
        instance,
        jobs=replace(jobs, optional=np.array(free), value=value),
        objective=("value", *instance.objective),
    )
    try:
        check_question(made)
    except InputError:
        return None
    return made, tick


def _drawn(seed: int, *, set_up: bool) -> tuple[Instance, Fraction]:
    dice = Dice(np.random.default_rng([seed, 21]))
    own = Dice(np.random.default_rng([seed, 26]))

    def twist(
        frames: dict[str, pd.DataFrame], settings: dict[str, Any], tick: Fraction
    ) -> Fraction:
        tasks, old = frames["tasks"], frames["jobs"]
        size = dice.pick(1, 1, 2)
        tasks["job"] = [f"k{t // size}" for t in range(len(tasks))]
        names = list(dict.fromkeys(tasks["job"]))
        must = dice.whole(0, len(names) - 1)
        rows = [old.iloc[dice.whole(0, len(old) - 1)].to_dict() for _ in names]
        jobs = pd.DataFrame(rows).assign(name=names)
        jobs["optional"] = [k != must for k in range(len(names))]
        jobs["value"] = [dice.pick(0.0, 1.0, 1.0, 2.0, 2.5, 4.0) for _ in names]
        if not jobs["value"].any():
            jobs["value"] = 1.0
        frames["jobs"] = jobs
        if "transfers" in frames:
            home = dict(zip(tasks["name"], tasks["job"], strict=True))
            edges = frames["transfers"]
            inside = [home[a] == home[b] for a, b in zip(edges["from"], edges["to"], strict=True)]
            frames["transfers"] = edges[inside].reset_index(drop=True)
            if not any(inside):
                del frames["transfers"]
        later = [n for n in settings["objective"] if n != "accuracy"]
        settings["objective"] = dice.pick(["value"], ["value", *later])
        if dice.chance(0.7):
            step = tick * max(1, round(1 / float(tick) * _unit(tick)))
            settings["horizon_s"] = float(step * dice.whole(1, 5))
        if set_up:
            add_setups(own, frames, settings, tick)
            frames["devices"]["overlap"] = True
            options = frames["options"]
            bare = (options["configuration"] == "") & (options["time_s"] > 0)
            options.loc[bare, "configuration"] = "x"
        return tick

    return random_schedule(seed, twist)


def _unit(tick: Fraction) -> float:
    """Return a time of a few ticks, of the size of the tasks."""
    return float(tick) * (3 if tick.denominator % 3 == 0 else 1)


def optional_optimum(instance: Instance, tick: Fraction) -> tuple[float, ...] | None:
    """Return the lexicographic optimum, None where the jobs that must run have no plan."""
    return _best(instance, lambda out: schedule_optimum(_without(instance, out), tick))


def sleepy_optimum(instance: Instance, tick: Fraction) -> tuple[float, ...] | None:
    """Return the same of a schedule with sleep."""

    def optimum(out: set[int]) -> tuple[float, ...] | None:
        kept = np.array([j for j in range(len(instance.jobs)) if j not in out], dtype=np.int64)
        later = instance.objective[1:]
        return idling_optimum(replace(some_jobs(instance, kept), objective=later), tick)

    return _best(instance, optimum)


def _best(
    instance: Instance, optimum: Callable[[set[int]], tuple[float, ...] | None]
) -> tuple[float, ...] | None:
    jobs = instance.jobs
    free = np.flatnonzero(jobs.optional).tolist()
    best: tuple[float, ...] | None = None
    for count in range(len(free) + 1):
        for out in itertools.combinations(free, count):
            found = optimum(set(out))
            if found is None:
                continue
            kept = [j for j in range(len(jobs)) if j not in out]
            value = float(sum(Fraction(repr(float(jobs.value[j]))) for j in kept))
            later = found if len(instance.objective) > 1 else ()
            scored = (-value, *later)
            if best is None or less(np.array(scored), np.array(best)):
                best = scored
    return None if best is None else (-best[0], *best[1:])


def _without(instance: Instance, out: set[int]) -> Instance:
    """Return the instance without some jobs, asked for the later objectives."""
    frames, settings = to_frames(instance), to_settings(instance)
    names = {str(instance.jobs.name[j]) for j in out}
    tasks = frames["tasks"]
    if "job" in tasks:
        tasks = tasks[~tasks["job"].isin(names)]
    kept = set(tasks["name"])
    frames["tasks"] = tasks.reset_index(drop=True)
    jobs = frames["jobs"]
    frames["jobs"] = jobs[~jobs["name"].isin(names)].reset_index(drop=True)
    if "transfers" in frames:
        edges = frames["transfers"]
        frames["transfers"] = edges[edges["from"].isin(kept)].reset_index(drop=True)
    for kind in ("together", "apart"):
        groups = [[t for t in group if t in kept] for group in settings.get(kind, [])]
        settings[kind] = [group for group in groups if len(group) > 1]
    settings["objective"] = list(instance.objective[1:]) or ["makespan"]
    return from_frames(frames, settings)


def judge_optional(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Return how it ended, and in what solve and enumeration differ."""
    sleepy = sleepy_schedule(seed) if seed % SLEEPY == 3 else None
    instance, tick = optional_schedule(seed) if sleepy is None else sleepy
    optimum = (optional_optimum if sleepy is None else sleepy_optimum)(instance, tick)
    method = ("auto", "auto", "cpsat")[seed % 3]
    solution = solve(instance, time_limit=time_limit, workers=1, seed=seed, method=method)
    wrong = disagreements(instance, solution, optimum)
    if wrong:
        return "disagreed", wrong
    return ("agreed" if optimum is not None else "agreed infeasible"), []
