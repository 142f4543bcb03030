"""Pooling."""

from __future__ import annotations

import math

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements, per_input


@counts("pooling", "MaxPool")
def largest(op: Seen) -> Count:
    """(Π kernel − 1) comparisons per output."""
    return Count(float(elements(op.output()) * (math.prod(op.attributes["kernel_shape"]) - 1)))


@counts("pooling", "AveragePool")
def average(op: Seen) -> Count:
    """Π kernel per output: Π kernel − 1 sums and a product."""
    return Count(float(elements(op.output()) * math.prod(op.attributes["kernel_shape"])))


@counts("pooling", "LpPool")
def power(op: Seen) -> Count:
    """2 Π kernel per output: a power and a sum for each, the root in place of one sum."""
    return Count(2.0 * elements(op.output()) * math.prod(op.attributes["kernel_shape"]))


# The sums, and a product per output.
per_input("pooling", "GlobalAveragePool", 1.0)


@counts("pooling", "GlobalMaxPool")
def global_largest(op: Seen) -> Count:
    """1 per input element but the first of each output."""
    return Count(float(elements(op.input(0)) - elements(op.output())))


# A power and a sum.
per_input("pooling", "GlobalLpPool", 2.0)
