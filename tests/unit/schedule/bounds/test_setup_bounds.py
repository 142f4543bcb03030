"""The charge of a set-up that is shared among tasks: never more than what it takes."""

from __future__ import annotations

import pytest

from hetopt.schedule.bounds.objective_bounds import bound
from hetopt.schedule.bounds.setup_bounds import charged
from tests.setup_schedules import setup_schedule
from tests.small_schedules import device, instance, option, solved, task


def test_tasks_that_may_run_there_bear_no_charge_beside_one_that_must() -> None:
    devices = [
        device("d", kind="fpga", setup_energy_j=3.0, initial_configuration="none"),
        device("e", kind="cpu"),
    ]
    options = [
        option("forced", "d", 1.0, 1.0, configuration="x"),
        option("free", "d", 1.0, 1.0, configuration="x"),
        option("free", "e", 1.0, 2.5),
    ]
    made = instance(devices, options, [task("forced"), task("free")], objective="energy")
    # Both on d: 1 + 1 J, and one set-up of 3 J.
    assert solved(made).values[0] == pytest.approx(5.0)
    assert bound(made, "energy") == pytest.approx(5.0)
    changed = charged(made)
    assert changed is not None
    assert changed.options.energy_j.tolist() == pytest.approx([4.0, 1.0, 2.5])


def test_tasks_of_one_profile_share_the_charge_where_only_some_must_run_there() -> None:
    devices = [
        device("d", kind="fpga", setup_energy_j=3.0, initial_configuration="none"),
        device("e", kind="cpu"),
    ]
    options = [
        option("p", "d", 1.0, 1.0, configuration="x"),
        option("p", "e", 1.0, 9.0),
    ]
    tasks = [task("forced", "p", forbid=["e"]), task("free", "p")]
    made = instance(devices, options, tasks, objective="energy")
    assert solved(made).values[0] == pytest.approx(5.0)
    assert bound(made, "energy") <= 5.0
    changed = charged(made)
    assert changed is not None
    assert changed.options.energy_j.tolist() == pytest.approx([2.5, 9.0])


@pytest.mark.parametrize("seed", range(12))
def test_no_bound_with_set_ups_is_beyond_a_plan(seed: int) -> None:
    made, _ = setup_schedule(70_000 + seed)
    found = solved(made, 2.0)
    if found.values and made.objective[0] in ("energy", "makespan", "cost", "carbon"):
        assert bound(made, made.objective[0]) <= found.values[0] * (1 + 1e-9)
