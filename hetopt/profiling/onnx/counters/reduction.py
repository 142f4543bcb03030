"""Reductions along axes."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import per_input

# 1 per input element.
per_input(
    "reduction",
    "ReduceMax ReduceMin ReduceSum ReduceProd ReduceMean ArgMax ArgMin CumSum CumProd TopK",
    1.0,
)
# A function, and the sum.
per_input("reduction", "ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum", 2.0)
# Greatest, difference, exp, sum.
per_input("reduction", "ReduceLogSumExp", 4.0)
