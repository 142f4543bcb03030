"""Operators on integers, and to and from them."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements


@counts("convolution", "QLinearConv ConvInteger")
def convolution(op: Seen) -> Count:
    """MACs as of a convolution; QLinearConv adds 3 per output to quantise it, 1 for a bias."""
    linear = op.op_type == "QLinearConv"
    outputs = elements(op.output())
    macs = outputs * elements(op.input(3 if linear else 1)[1:])
    return Count(2.0 * macs + linear * (3 + op.has_input(8)) * outputs, macs)


@counts("matmul", "QLinearMatMul MatMulInteger")
def matmul(op: Seen) -> Count:
    """MACs = outputs × K; QLinearMatMul adds 3 per output to quantise it."""
    outputs = elements(op.output())
    macs = outputs * op.input(0)[-1]
    return Count(2.0 * macs + 3.0 * (op.op_type == "QLinearMatMul") * outputs, macs)


@counts("quantisation", "QuantizeLinear")
def quantise(op: Seen) -> Count:
    """3 per element: quotient, rounding, zero point."""
    return Count(3.0 * elements(op.input(0)))


@counts("quantisation", "DequantizeLinear")
def dequantise(op: Seen) -> Count:
    """2 per element: zero point, product."""
    return Count(2.0 * elements(op.input(0)))


@counts("quantisation", "DynamicQuantizeLinear")
def quantise_dynamically(op: Seen) -> Count:
    """5 per element: least, greatest, quotient, rounding, zero point."""
    return Count(5.0 * elements(op.input(0)))
