"""What follows a loss."""

import pytest

from hetopt import solve
from hetopt.analysis.changes import changed
from hetopt.generate.schedule import generate_schedule
from hetopt.replan import contingency


def test_each_loss_is_planned_as_its_own_solve_would(fleet, planned):
    found = contingency(fleet, planned, time_limit=3)
    big, small = found.losses
    assert big.unserved == ("chat",)
    assert big.part == 1.0
    assert "chat" not in big.instance.jobs.name.tolist()
    assert small.unserved == ()
    alone = solve(changed(fleet, "drop small"), time_limit=3)
    assert small.solution.objective == pytest.approx(alone.objective, rel=1e-3)
    assert small.difference == pytest.approx(alone.objective - planned.objective, rel=1e-3)


def test_what_there_is_no_room_for_is_a_proven_share(fleet):
    from hetopt.instance.overrides import scale_job

    found = contingency(scale_job(fleet, 0, 4.0), lose="unit", time_limit=3)
    big = next(loss for loss in found.losses if loss.device == "big")
    # Two big units left serve 200 chats/s of 240.
    assert big.part == pytest.approx(200 / 240, rel=0.02)
    assert big.part <= big.most * (1 + 1e-6)


def test_schedules_say_which_losses_they_bear():
    instance = generate_schedule(8, 3, seed=1, deadline_factor=4.0)
    found = contingency(instance, time_limit=1)
    assert [loss.device for loss in found.losses] == instance.devices.name.tolist()
    for loss in found.losses:
        assert (loss.solution.plan is None) == (loss.part != 1.0)
