"""Types of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Strings = NDArray[Any]
"""A column of text: NumPy's variable-width ``StringDType``, no Python object per row."""
