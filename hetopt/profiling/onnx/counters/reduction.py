"""Reductions along axes."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements


@counts(
    "reduction",
    "ReduceMax ReduceMin ReduceSum ReduceProd ReduceMean ArgMax ArgMin CumSum CumProd TopK",
)
def reduction(op: Seen) -> Count:
    """1 per input element."""
    return Count(float(elements(op.input(0))))


@counts("reduction", "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum")
def of_function(op: Seen) -> Count:
    """2 per input element: a function, and the sum."""
    return Count(2.0 * elements(op.input(0)))


@counts("reduction", "ReduceLogSumExp")
def log_sum_exp(op: Seen) -> Count:
    """4 per input element: greatest, difference, exp, sum."""
    return Count(4.0 * elements(op.input(0)))
