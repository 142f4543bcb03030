"""Instances whose models CP-SAT answered wrongly once: the proofs hold now."""

from __future__ import annotations

import pytest

from hetopt.solve import solve
from tests.cpsat_reproducers import REPRODUCERS, Reproducer


@pytest.mark.parametrize("case", REPRODUCERS, ids=lambda case: case.name.replace(" ", "-"))
def test_where_a_version_of_cpsat_was_wrong_the_optimum_is_proved(case: Reproducer) -> None:
    solution = solve(case.make(), time_limit=10)
    assert solution.objective == pytest.approx(case.optimum)
    assert solution.status == "optimal"
