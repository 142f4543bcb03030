"""Solvers by name: hetopt itself and its peers, which run on the same instances and limits.

A peer is a function from an instance and limits to an `Answer`. It raises `UnsupportedError`
where it cannot express the case; ``missing`` says why it cannot run here at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.answers import Answer, Limits
    from hetopt.instance import Instance

    Solver = Callable[[Instance, Limits], Answer]

SOLVERS = {
    "hetopt": ("own", "hetopt_auto", {}),
    "plain-cpsat": ("plain_cpsat", "plain_cpsat", {}),
    "highs": ("mip", "plain_mip", {"solver": "highs"}),
    "cbc": ("mip", "plain_mip", {"solver": "cbc"}),
    "scip": ("mip", "plain_mip", {"solver": "scip"}),
    "glpk": ("mip", "plain_mip", {"solver": "glpk"}),
    "melange-ilp": ("melange", "melange_ilp", {}),
    "pyjobshop": ("outside", "pyjobshop", {}),
    "saga": ("outside", "saga", {}),
}
"""Module of this package, its function, and what it is given besides."""

PEERS = tuple(name for name in SOLVERS if name != "hetopt")


def solver(name: str) -> Solver:
    """Return a solver by its name.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    module, function, given = SOLVERS[name]
    return partial(getattr(import_module(f"bench.peers.{module}"), function), **given)


def missing(name: str) -> str:
    """Say why a solver cannot run here, as a full sentence; empty where it can."""
    from bench.peers.environments import ENVIRONMENTS
    from bench.peers.environments import missing as lacking

    return lacking(name) if name in ENVIRONMENTS else ""
