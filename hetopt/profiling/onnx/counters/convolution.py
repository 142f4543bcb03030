"""Convolutions."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements


@counts("convolution", "Conv DeformConv")
def convolution(op: Seen) -> Count:
    """MACs = outputs × (C_in / groups) × Π kernel; a bias adds one operation per output.

    The weight tensor is (C_out, C_in / groups, kernel...), so its tail is what one output sums.
    A deformable convolution counts as the plain one: its sampling is not counted.
    """
    per_output = elements(op.input(1)[1:])
    bias = op.has_input(2 if op.op_type == "Conv" else 3)
    return _of(elements(op.output()), per_output, bias)


@counts("convolution", "ConvTranspose")
def transposed(op: Seen) -> Count:
    """MACs = inputs × (C_out / groups) × Π kernel; a bias adds one operation per output."""
    macs = elements(op.input(0)) * elements(op.input(1)[1:])
    return Count(2.0 * macs + op.has_input(2) * elements(op.output()), macs)


def _of(outputs: int, per_output: int, bias: bool) -> Count:
    macs = outputs * per_output
    return Count(2.0 * macs + bias * outputs, macs)
