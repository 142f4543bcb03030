"""How a second proof is asked for: with another seed, and for about as long as the first one took.

What a solver alone says, CP-SAT or a MIP solver, of a schedule, a placement or a program of
streams, is asked again in another way (docs/schedule.md, docs/steady.md).
"""

from __future__ import annotations

LEAST_S = 1.0
"""Seconds that a second proof may take at least: shorter ones differ by chance."""
OTHER_SEED = 7919
"""What is added to the seed."""


def seconds_again(first_s: float, left_s: float) -> float:
    """Return the seconds of a second proof, of those that the first took and those that are left.

    All are deterministic ones where the budget counts those.
    """
    return min(left_s, max(first_s, LEAST_S))


def other_seed(seed: int) -> int:
    """Return the seed of a second proof."""
    return (seed + OTHER_SEED) % 2**31
