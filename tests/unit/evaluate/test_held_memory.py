"""What units hold beyond what they serve takes memory too."""

from __future__ import annotations

from hetopt.evaluate.memory import memory_use
from hetopt.solution import Held
from tests.unit.steady.program.test_periods import day, planned


def test_weights_that_are_held_count_once_and_beside_what_is_served() -> None:
    instance = day(byte="50 uJ/B")
    plan = planned(instance)
    night = instance.in_scenario(1)
    alone = memory_use(night, plan.plans[1])
    assert sorted(alone.unit_b.tolist()) == [6e9]
    with_held = memory_use(night, plan.plans[1], plan.held.of_period(1))
    assert sorted(with_held.unit_b.tolist()) == [6e9, 8e9]
    served = memory_use(night, plan.plans[1], Held.of([(1, 0, 0, 0)]))
    assert sorted(served.unit_b.tolist()) == [6e9]
