"""From the program's solution to a plan: numbers of units that shares of kinds ask for."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest

from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.formats.shipped import shipped_path
from hetopt.instance import Instance
from hetopt.solve import solve
from hetopt.steady.program.extract_plan import _fewest, _shares_hold


def fleet(gpu_price: float = 2.0) -> Instance:
    """GPUs at most 60 % of the units and 70 % of the money, CPUs at least 10 % of the units."""
    instance = read_instance(shipped_path("synthetic/spares-shares"))
    price = np.array([gpu_price, 1.1, 0.4])
    return replace(instance, devices=replace(instance.devices, price_per_s=price))


def by_trying_each(instance: Instance, of: str, needed: np.ndarray, asked: np.ndarray) -> list[int]:
    units = np.maximum(needed, asked)
    for device in range(len(units)):
        for number in range(needed[device], units[device]):
            fewer = units.copy()
            fewer[device] = number
            if _shares_hold(instance, of, fewer):
                units = fewer
                break
    return units.tolist()


def test_the_fewest_units_with_which_shares_hold_are_those_that_trying_each_number_gives() -> None:
    rng = random.Random(3)
    for _ in range(400):
        instance = fleet(rng.choice([0.1, 2.0, 40.0]))
        needed = np.array([rng.randrange(4) for _ in range(3)])
        asked = np.array([rng.randrange(40) for _ in range(3)])
        of = rng.choice(["units", "price"])
        found = _fewest(instance, of, needed, asked).tolist()
        expected = needed.tolist()
        if not _shares_hold(instance, of, needed):
            expected = by_trying_each(instance, of, needed, asked)
        assert found == expected


def test_millions_of_units_that_shares_ask_for_are_not_tried_one_by_one() -> None:
    instance = fleet(1e9)
    began = time.process_time()
    found = _fewest(instance, "price", np.array([3, 0, 2]), np.array([3, 2 * 10**9, 2]))
    assert time.process_time() - began < 0.5
    # 30 % of the money is at least 3/7 of what GPUs cost: 3e9 * 3 / 7 less two CPUs, at 1.1 each.
    assert abs(int(found[1]) - round((3e9 * 3 / 7 - 0.8) / 1.1)) <= 1
    assert _shares_hold(instance, "price", found)


def many_units(rate_per_s: float) -> Instance:
    """One workload that keeps as many units with weights busy as it has requests a second."""
    model = Model("many", regime="steady", objective="power")
    unit = model.device("g", kind="gpu", count={"min": 0}, idle_power=1.0, memory="4 GB")
    option = unit.option(time=1.0, energy=1.0, weights="1 MB")
    model.job("j", rate=rate_per_s, options=[option])
    return model.build()


def test_rounding_does_not_add_up_over_units_that_are_named_one_by_one() -> None:
    solution = solve(many_units(40_000.0), time_limit=20)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(80_000.0)


def test_more_units_than_a_plan_can_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"devices\.g.*1,000,000,000 units.*At most 100,000"):
        solve(many_units(1e9), time_limit=5)
