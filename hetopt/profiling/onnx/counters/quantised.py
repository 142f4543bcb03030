"""Operators on integers, and to and from them."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements, per_input


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


# Quotient, rounding, zero point.
per_input("quantisation", "QuantizeLinear", 3.0)
# Zero point, product.
per_input("quantisation", "DequantizeLinear", 2.0)
# Least, greatest, quotient, rounding, zero point.
per_input("quantisation", "DynamicQuantizeLinear", 5.0)
