"""What a search tree proves is asked a second time."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from hetopt.generate import generate_schedule
from hetopt.solvers.mip import solve_arrays
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.solvers.result import MipResult
from hetopt.solvers.second_look import REFUTED, below, looked_again, needs_second_look


def machines(tasks: int, devices: int, tick_s: float) -> MipArrays:
    """Return R||Cmax: each task on one of unrelated machines, in ticks, least makespan."""
    instance = generate_schedule(
        tasks=tasks, devices=devices, shape="independent", ccr=0.0, deadline_factor=None
    )
    options = instance.options
    x = [(t, o) for t in range(tasks) for o in instance.task_options(t).tolist()]
    device = np.array([options.device[o] for _, o in x])
    ticks = np.array([round(instance.tasks.work[t] * options.time_s[o] / tick_s) for t, o in x])
    size, task = len(x) + 1, np.array([t for t, _ in x])
    every = np.arange(len(x))
    last = np.full(devices, len(x))
    rows = np.concatenate([task, tasks + device, tasks + np.arange(devices)])
    columns = np.concatenate([every, every, last])
    values = np.concatenate([np.ones(len(x)), ticks, np.full(devices, -1.0)])
    order = np.lexsort((columns, rows))
    return MipArrays(
        names=[f"x{k}" for k in every] + ["C"],
        sign=1,
        cost=np.append(np.zeros(len(x)), 1.0),
        offset=0.0,
        lower=np.zeros(size),
        upper=np.append(np.ones(len(x)), np.inf),
        integer=np.append(np.ones(len(x), dtype=bool), False),
        row_names=[f"r{r}" for r in range(tasks + devices)],
        row_lower=np.append(np.ones(tasks), np.full(devices, -np.inf)),
        row_upper=np.append(np.ones(tasks), np.zeros(devices)),
        rows=rows[order],
        columns=columns[order],
        coefficients=values[order],
    )


@pytest.mark.parametrize("again", [True, False])
def test_highs_proves_nothing_beyond_a_known_plan_of_unrelated_machines(again: bool) -> None:
    # HiGHS 1.11 with a tolerance of 1e-9 called 30,646 optimal after 0.2 s.
    result = solve_arrays(machines(200, 6, 1e-5), time_limit_s=3.0, again=again)
    assert result.bound is None or result.bound <= 29_904


def test_small_optima_are_proved_twice() -> None:
    result = solve_arrays(machines(12, 3, 1e-3), time_limit_s=60.0)
    assert result.ended
    assert result.proofs == 2
    assert result.bound is not None
    assert result.objective == pytest.approx(result.bound, rel=2e-6)


def first(bound: float = 7.0) -> MipResult:
    """Return what a first solve says."""
    return MipResult(values={"x": bound}, objective=bound, bound=bound, ended=True)


@pytest.fixture
def arrays() -> MipArrays:
    """Minimise 2 x + 1, x whole."""
    one, none = np.ones(1), np.zeros(0, dtype=np.int64)
    return MipArrays(
        names=["x"], sign=1, cost=2 * one, offset=1.0, lower=0 * one, upper=9 * one,
        integer=np.ones(1, dtype=bool), row_names=[], row_lower=np.zeros(0),
        row_upper=np.zeros(0), rows=none, columns=none, coefficients=np.zeros(0),
    )  # fmt: skip


def test_a_point_below_the_bound_refutes_it(arrays: MipArrays) -> None:
    better = MipResult(values={"x": 1.0}, objective=3.0, bound=3.0, ended=True)
    result = looked_again(arrays, first(), lambda *_: better, time.monotonic(), None, 0)
    assert (result.objective, result.bound, result.proofs) == (3.0, 3.0, 0)
    assert REFUTED in result.message
    unknown = replace(better, ended=False)
    assert looked_again(arrays, first(), lambda *_: unknown, 0.0, None, 0).bound is None


def test_a_second_look_that_does_not_end_leaves_one_proof(arrays: MipArrays) -> None:
    timed = MipResult(timed_out=True)
    assert looked_again(arrays, first(), lambda *_: timed, time.monotonic(), None, 0).proofs == 1
    assert looked_again(arrays, first(), pytest.fail, 0.0, time.monotonic(), 0).proofs == 1


def test_the_program_below_a_value_has_just_the_points_that_cost_no_more(arrays: MipArrays) -> None:
    held = below(arrays, 6.0)
    for x in range(5):
        inside = held.violation(np.array([float(x)])) <= 1e-9
        assert inside == (2 * x + 1 <= 6), x


def test_programs_without_integers_and_searches_that_were_ended_need_none(
    arrays: MipArrays,
) -> None:
    assert needs_second_look(arrays, first())
    assert not needs_second_look(replace(arrays, integer=np.zeros(1, dtype=bool)), first())
    assert not needs_second_look(arrays, replace(first(), ended=False))
