"""Products of matrices."""

from __future__ import annotations

import math

from hetopt.profiling.onnx.counters.registry import (
    Count,
    Seen,
    UnknownSizeError,
    counts,
    elements,
)


@counts("matmul", "MatMul")
def matmul(op: Seen) -> Count:
    """MACs = outputs × K, with K the last axis of the first factor."""
    macs = elements(op.output()) * op.input(0)[-1]
    return Count(2.0 * macs, macs)


@counts("matmul", "Gemm")
def gemm(op: Seen) -> Count:
    """MACs = M × N × K; adding C is one operation per output."""
    a = op.input(0)
    k = a[0] if op.attributes.get("transA", 0) else a[1]
    outputs = elements(op.output())
    macs = outputs * k
    return Count(2.0 * macs + op.has_input(2) * outputs, macs)


@counts("matmul", "Einsum")
def einsum(op: Seen) -> Count:
    """MACs = product of the sizes of all letters, for two factors.

    One factor is a reduction (one operation per element), more than two are not counted, as the
    order of the products is the runtime's.
    """
    text = op.attributes.get("equation", b"")
    equation = (text.decode() if isinstance(text, bytes) else str(text)).replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if "." in equation or len(terms) > 2:
        raise UnknownSizeError
    sizes: dict[str, int] = {}
    for number, letters in enumerate(terms):
        for letter, size in zip(letters, op.input(number), strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    if len(terms) == 1:
        return Count(float(elements(op.input(0))))
    macs = math.prod(sizes.values())
    return Count(2.0 * macs, macs)
