"""Schedules whose plan leaves jobs out: these are never released, and all others run."""

from __future__ import annotations

import pytest

from hetopt import evaluate, read_instance, simulate, solve
from hetopt.errors import InputError
from hetopt.evaluate.optional import left_out
from hetopt.instance import Instance
from hetopt.solution import SchedulePlan


@pytest.fixture(scope="module")
def drone() -> Instance:
    return read_instance("synthetic/optional-jobs")


@pytest.fixture(scope="module")
def plan(drone: Instance) -> SchedulePlan:
    found = solve(drone, time_limit=30).plan
    assert isinstance(found, SchedulePlan)
    assert (found.option < 0).any()
    return found


def test_a_plan_that_leaves_jobs_out_runs_as_it_is(drone: Instance, plan: SchedulePlan) -> None:
    found = simulate(drone, plan, policies=["plan", "greedy", "rolling"], times="fixed")
    told = evaluate(drone, plan)
    run = next(o for o in found.outcomes if o.policy == "plan")
    assert run.totals["energy_j"] == pytest.approx(told["energy_j"], rel=1e-9)
    assert run.totals["makespan_s"] == pytest.approx(told["makespan_s"], rel=1e-9)
    assert run.totals["unserved"] == 0
    out = left_out(drone, plan)
    assert not {str(n) for n in drone.jobs.name[out]} & {row["job"] for row in run.jobs}
    (note,) = found.notes
    assert f"worth {drone.jobs.value[out].sum():g} of 16.5" in note
    assert all(str(name) in note for name in drone.jobs.name[out])
    assert all(found.over_bound(o.policy) >= 1 - 1e-9 for o in found.outcomes)


def test_a_plan_without_a_task_of_a_job_that_must_run_is_refused(
    drone: Instance, plan: SchedulePlan
) -> None:
    option = plan.option.copy()
    option[0] = -1
    cut = SchedulePlan(option, plan.unit, plan.start_s, plan.hops)
    with pytest.raises(InputError, match="jobs that must run"):
        simulate(drone, cut, policies="plan")
