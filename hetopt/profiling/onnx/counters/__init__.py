"""What operators compute and move: one registry, a module a family.

Conventions of all formulas: a multiply-accumulate (MAC) is two floating-point operations; an
addition, a product, a comparison and a function of one number (exp, sqrt, erf, tanh ...) are one
each; bytes are those of the operator alone, as if nothing were fused with its neighbours.
"""

from __future__ import annotations

from hetopt.profiling.onnx.counters import (  # noqa: F401 - each adds its operators to the registry
    attention,
    convolution,
    elementwise,
    matmul,
    movement,
    normalisation,
    pooling,
    quantised,
    recurrent,
    reduction,
    resize,
    spectral,
)
from hetopt.profiling.onnx.counters.registry import (
    COUNTERS,
    Count,
    Moves,
    Seen,
    UnknownSizeError,
)

__all__ = ["COUNTERS", "Count", "Moves", "Seen", "UnknownSizeError"]
