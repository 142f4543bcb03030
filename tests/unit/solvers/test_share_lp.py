"""Programs over shares: optimum and prices by hand; no prices where there is no answer."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hetopt.solvers import share_lp
from hetopt.solvers.share_lp import Entries, solve_shares

OWNER = np.array([0, 0, 1, 1])
COST = np.array([1.0, 4.0, 2.0, 3.0])
BUSY = csr_matrix(np.array([[2.0, 0.0, 2.0, 0.0]]))


@pytest.fixture(autouse=True, params=["GLOP", "HiGHS"])
def solver(request, monkeypatch):
    monkeypatch.setattr(share_lp, "SMALL", 1_000 if request.param == "GLOP" else 0)


def test_prices_give_the_optimum_where_a_limit_binds():
    limit = np.array([3.0])
    found = solve_shares(OWNER, 2, COST, BUSY, limit)
    # Half of the second class goes to the dearer option: 1 + 2.5.
    assert found.solved
    assert COST @ found.x == pytest.approx(3.5)
    reduced = COST + found.prices @ BUSY.toarray()
    proven = np.minimum.reduceat(reduced, [0, 2]).sum() - found.prices @ limit
    assert proven == pytest.approx(3.5)


def test_columns_after_those_of_classes_belong_to_none():
    upper = csr_matrix(np.array([[2.0, 0.0, 2.0, 0.0, -1.0], [0.0, 1.0, 0.0, 1.0, -1.0]]))
    found = solve_shares(OWNER, 2, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), upper, np.zeros(2))
    # Both rows take 4/3: two thirds of a share on the first, four thirds on the second.
    assert found.x[-1] == pytest.approx(4 / 3)
    assert found.prices.sum() == pytest.approx(1.0)


def test_a_matrix_may_be_given_by_its_entries():
    entries = Entries(np.array([0, 0]), np.array([0, 2]), np.array([2.0, 2.0]), (1, 4))
    limit, whole = np.array([3.0]), np.array([[0.0, 1.0]] * 4)
    by_entries = solve_shares(OWNER, 2, COST, entries, limit, whole)
    assert COST @ by_entries.x == pytest.approx(3.5)
    assert by_entries.prices == pytest.approx(solve_shares(OWNER, 2, COST, BUSY, limit).prices)


def test_a_program_without_a_solution_has_prices_of_nothing():
    found = solve_shares(OWNER, 2, COST, BUSY, np.array([-1.0]))
    assert found.infeasible
    assert not found.solved
    assert found.prices.tolist() == [0.0]
