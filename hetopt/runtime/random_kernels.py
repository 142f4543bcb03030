"""Random numbers of compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner


@inner
def draw(below: int, seed: Any) -> Any:
    """Next number of 0 to ``below`` - 1 of an xorshift generator (Marsaglia, 2003)."""
    x = seed[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    seed[0] = x
    return np.int64(((x >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32))
