"""Periods against enumeration of what is on and held in each, on small instances."""

from __future__ import annotations

import numpy as np
import pytest

from hetopt.instance.tables import NO_MOST
from tests.oracles.campaign import PERIODS, run_chunk
from tests.random_periods import random_periods

CHUNK, CHUNKS = 10, 5
FOUND_WRONG = (76, 287, 312)
"""Seeds of which the program once left out a plan: units that are on and hold nothing, that hold
what they have no room to serve, that nothing uses and that need not go off."""


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_solve_agrees_with_enumeration(chunk: int) -> None:
    run_chunk(PERIODS, range(chunk * CHUNK, (chunk + 1) * CHUNK))


def test_plans_that_the_program_once_left_out_are_found() -> None:
    run_chunk(PERIODS, FOUND_WRONG)


def test_every_tie_is_switched_on_in_some_of_the_instances() -> None:
    seen = set[str]()
    for seed in range(CHUNK * CHUNKS):
        instance = random_periods(seed)
        periods, devices = instance.periods, instance.devices
        flags = {
            "cyclic": periods.cyclic,
            "initial": len(periods.initial_device),
            "initial weights": len(periods.initial_key),
            "min up": periods.min_up_s,
            "max changes": periods.max_changes != NO_MOST,
            "cap of a period": np.isfinite(periods.power_cap_w).any(),
            "price of a period": np.isfinite(periods.energy_price_per_j).any(),
            "loading": devices.load_energy_j_per_b.any(),
            "starts": devices.start_up_energy_j.any(),
            "start time": devices.start_up_time_s.any(),
            "money of starts": devices.start_up_cost.any(),
            "memory": np.isfinite(devices.memory_b).any(),
            "pool": len(instance.pools),
            "exclusive": devices.exclusive.any(),
            "always on": (~devices.off_when_unused).any(),
            "spare": devices.spare.any(),
            "least load": devices.min_load.any(),
            "sites": len(instance.sites),
            instance.objective[0]: True,
        }
        seen |= {name for name, on in flags.items() if on}
    assert len(seen) == 23, seen
