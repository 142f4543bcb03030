"""The checker finds what is wrong with the states of a plan, and accepts a plan with right ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.solution import RunningStates, SteadyPlan
from hetopt.verify import verify


def instance(**settings: object) -> Instance:
    """A CPU with two slots and a GPU that ask for 0.8 each of what there is 1 of, and an NPU.

    Two together run at 0.5 (1 / 1.6, times 0.8 by loss); the CPU with both slots at 1 / 1.6 too.
    """
    frames = {
        "devices": pd.DataFrame(
            {
                "name": ["cpu", "gpu", "npu"],
                "slots": [2, 1, 1],
                "max_utilization": [0.9, 1.0, 1.0],
            }
        ),
        "resources": pd.DataFrame(
            {"name": ["dram"], "capacity": [1.0], "sharing": ["slow"], "loss": [0.2]}
        ),
        "options": pd.DataFrame(
            [("p", "cpu", 1.0), ("p", "gpu", 1.0), ("p", "npu", 1.0)],
            columns=["profile", "device", "time_s"],
        ).assign(label=""),
        "uses": pd.DataFrame(
            [("p", "cpu", "dram", 0.8), ("p", "gpu", "dram", 0.8)],
            columns=["profile", "device", "resource", "amount"],
        ).assign(label=""),
        "tasks": pd.DataFrame({"name": ["t"], "profile": ["p"], "job": ["j"], "work": [1.0]}),
        "jobs": pd.DataFrame({"name": ["j"], "rate_per_s": [1.0], "latency_slo_s": [2.0]}),
    }
    return from_frames(frames, {"regime": "steady", "objective": "power", **settings})


CPU, GPU, NPU = 0, 1, 2


def plan() -> SteadyPlan:
    """0.4/s on the CPU, 0.6/s on the GPU, half as fast while both run (a latency of 2 s)."""
    return SteadyPlan(
        route_job=np.array([0, 0]),
        rate_per_s=np.array([0.4, 0.6]),
        ptr=np.array([0, 1, 2]),
        task=np.array([0, 0]),
        option=np.array([CPU, GPU]),
        unit=np.array([-1, -1]),
        units_on=np.array([1, 1, 0]),
        units_had=np.array([1, 1, 1]),
        least_rate=np.array([0.5, 0.5]),
        states=RunningStates(
            share=np.array([0.8, 0.2]),
            ptr=np.array([0, 2, 3]),
            option=np.array([CPU, GPU, GPU]),
            unit=np.array([0, 0, 0]),
        ),
    )


def states(
    share: list[float], ptr: list[int], option: list[int], unit: list[int]
) -> Callable[[SteadyPlan], SteadyPlan]:
    made = RunningStates(*(np.array(column) for column in (share, ptr, option, unit)))
    return lambda p: replace(p, states=made)


def changed(**columns: object) -> Callable[[SteadyPlan], SteadyPlan]:
    return lambda p: replace(p, **columns)


def test_a_plan_whose_states_do_the_work_is_accepted() -> None:
    report = verify(instance(), plan())
    assert report.ok, report.violations


PLANTED = {
    "no states": (changed(states=None), "states"),
    "states are on for more than all the time": (
        states([0.8, 0.21], [0, 2, 3], [CPU, GPU, GPU], [0, 0, 0]),
        "state-time",
    ),
    "a state runs nothing": (
        states([0.8, 0.2, 0.0], [0, 2, 3, 3], [CPU, GPU, GPU], [0, 0, 0]),
        "state-devices",
    ),
    "a state runs on what nothing slows": (
        states([0.8, 0.2], [0, 2, 4], [CPU, GPU, GPU, NPU], [0, 0, 0, 0]),
        "state-devices",
    ),
    "more runs than slots": (
        states([0.8, 0.2], [0, 2, 4], [CPU, GPU, GPU, GPU], [0, 0, 0, 0]),
        "state-slots",
    ),
    "a unit that is off": (
        states([0.8, 0.2], [0, 2, 3], [CPU, GPU, GPU], [0, 0, 1]),
        "unit-range",
    ),
    "less work than routes need": (
        states([0.8, 0.199], [0, 2, 3], [CPU, GPU, GPU], [0, 0, 0]),
        "state-work",
    ),
    "work done in states that are too slow": (
        changed(least_rate=np.array([0.5, 0.51])),
        "state-work",
    ),
    "a latency that holds at full speed only": (
        changed(least_rate=np.array([0.5, 0.4])),
        "latency",
    ),
    "a rate above full speed": (changed(least_rate=np.array([0.5, 1.5])), "least-rate"),
    "a rate of 0": (changed(least_rate=np.array([0.5, 0.0])), "least-rate"),
    "rows of rates of another length": (changed(least_rate=np.array([0.5])), "malformed-plan"),
    "a share that is no number": (
        states([np.nan, 0.2], [0, 2, 3], [CPU, GPU, GPU], [0, 0, 0]),
        "state-share",
    ),
    "a negative share": (
        states([0.8, 0.4, -0.2], [0, 2, 3, 4], [CPU, GPU, GPU, GPU], [0] * 4),
        "state-share",
    ),
    "an option that does not exist": (
        states([0.8, 0.2], [0, 2, 3], [CPU, GPU, 7], [0, 0, 0]),
        "state-option",
    ),
    "pointers that do not rise": (
        states([0.8, 0.2], [0, 4, 3], [CPU, GPU, GPU], [0, 0, 0]),
        "malformed-plan",
    ),
}


@pytest.mark.parametrize("what", list(PLANTED))
def test_the_checker_finds(what: str) -> None:
    plant, kind = PLANTED[what]
    kinds = {violation.kind for violation in verify(instance(), plant(plan())).violations}
    assert kind in kinds


def test_units_are_occupied_no_longer_than_their_utilisation_allows() -> None:
    # The CPU has two slots for 0.9 of the time: three halves of them are fine, 0.95 twice not.
    both = states([0.95], [0, 2], [CPU, CPU], [0, 0])(plan())
    work = replace(both, rate_per_s=np.array([0.95, 0.0]), least_rate=np.array([0.5, 1.0]))
    kinds = {violation.kind for violation in verify(instance(), work).violations}
    assert "state-capacity" in kinds


def test_what_nothing_slows_has_a_rate_of_1() -> None:
    on_npu = replace(
        plan(),
        option=np.array([CPU, NPU]),
        units_on=np.array([1, 1, 1]),
        least_rate=np.array([0.5, 0.9]),
    )
    kinds = {violation.kind for violation in verify(instance(), on_npu).violations}
    assert "least-rate" in kinds
