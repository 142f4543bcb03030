"""Random numbers of compiled loops: xorshift (G. Marsaglia, Journal of Statistical Software, 2003).

``seed`` is the state of a generator, one unsigned integer of 64 bits that is not 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner


@inner
def bits(seed: Any) -> Any:
    """Next 64 random bits."""
    x = seed[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    seed[0] = x
    return x


@inner
def draw(below: int, seed: Any) -> Any:
    """Next integer of 0 to ``below`` - 1 (below 2^32)."""
    return np.int64(((bits(seed) >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))


@inner
def random(seed: Any) -> float:
    """Next number of [0, 1)."""
    return float(bits(seed) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
