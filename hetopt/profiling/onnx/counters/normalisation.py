"""Normalisation, and softmax."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements

SOFTMAX_FLOP = 5
"""Operations per element of a softmax: greatest, difference, exp, sum, quotient."""


@counts("normalisation", "BatchNormalization")
def batch_normalisation(op: Seen) -> Count:
    """2 per element: mean, variance, scale and shift are one product and one sum at inference."""
    return Count(2.0 * elements(op.input(0)))


@counts("normalisation", "LayerNormalization")
def layer_normalisation(op: Seen) -> Count:
    """6 per element: mean, difference, square, its mean, quotient, scale; 7 with a shift."""
    return Count((6.0 + op.has_input(2)) * elements(op.input(0)))


@counts("normalisation", "InstanceNormalization GroupNormalization")
def group_normalisation(op: Seen) -> Count:
    """7 per element: mean, difference, square, its mean, quotient, scale, shift."""
    return Count(7.0 * elements(op.input(0)))


@counts("normalisation", "MeanVarianceNormalization")
def mean_variance_normalisation(op: Seen) -> Count:
    """5 per element: mean, difference, square, its mean, quotient."""
    return Count(5.0 * elements(op.input(0)))


@counts("normalisation", "RMSNormalization")
def rms_normalisation(op: Seen) -> Count:
    """4 per element: square, its mean, quotient, scale."""
    return Count(4.0 * elements(op.input(0)))


@counts("normalisation", "LpNormalization")
def lp_normalisation(op: Seen) -> Count:
    """3 per element: power, sum, quotient."""
    return Count(3.0 * elements(op.input(0)))


@counts("normalisation", "LRN")
def local_response(op: Seen) -> Count:
    """N + 4 per element, N the window: a square, N − 1 sums, product, sum, power, quotient."""
    return Count((int(op.attributes["size"]) + 4.0) * elements(op.input(0)))


@counts("normalisation", "Softmax LogSoftmax Hardmax")
def softmax(op: Seen) -> Count:
    """5 per element: greatest, difference, exp, sum, quotient (of logs: a difference)."""
    return Count(float(SOFTMAX_FLOP) * elements(op.input(0)))
