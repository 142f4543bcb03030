"""Each fault that `bench.planted_faults` plants still has its place and its tests."""

from __future__ import annotations

import pytest

from bench.planted_faults import FAULTS, ROOT, Fault, standing


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_be_planted_in_one_place_and_its_tests_are_there(fault: Fault) -> None:
    assert len(standing(fault, ROOT)) == 1
    assert fault.wrong != fault.right
    assert [name for name in fault.tests if not (ROOT / "tests" / name).exists()] == []
