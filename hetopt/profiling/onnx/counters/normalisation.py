"""Normalisation, and softmax."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements, per_input

SOFTMAX_FLOP = 5
"""Operations per element of a softmax: greatest, difference, exp, sum, quotient."""


# Mean, variance, scale and shift are one product and one sum at inference.
per_input("normalisation", "BatchNormalization", 2.0)


@counts("normalisation", "LayerNormalization")
def layer_normalisation(op: Seen) -> Count:
    """6 per element: mean, difference, square, its mean, quotient, scale; 7 with a shift."""
    return Count((6.0 + op.has_input(2)) * elements(op.input(0)))


# Mean, difference, square, its mean, quotient, scale, shift.
per_input("normalisation", "InstanceNormalization GroupNormalization", 7.0)
# Mean, difference, square, its mean, quotient.
per_input("normalisation", "MeanVarianceNormalization", 5.0)
# Square, its mean, quotient, scale.
per_input("normalisation", "RMSNormalization", 4.0)
# Power, sum, quotient.
per_input("normalisation", "LpNormalization", 3.0)


@counts("normalisation", "LRN")
def local_response(op: Seen) -> Count:
    """N + 4 per element, N the window: a square, N − 1 sums, product, sum, power, quotient."""
    return Count((int(op.attributes["size"]) + 4.0) * elements(op.input(0)))


@counts("normalisation", "Softmax LogSoftmax Hardmax")
def softmax(op: Seen) -> Count:
    """5 per element: greatest, difference, exp, sum, quotient (of logs: a difference)."""
    return Count(float(SOFTMAX_FLOP) * elements(op.input(0)))
