"""Operators that take each element by itself."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts, elements, per_input


@counts(
    "elementwise",
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot "
    "BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp "
    "Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu "
    "Less LessOrEqual Log Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu "
    "Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Swish Tan Tanh "
    "ThresholdedRelu Where Xor",
)
def elementwise(op: Seen) -> Count:
    """1 per output element, whatever the function."""
    return Count(float(elements(op.output())))


@counts("elementwise", "Sum Max Min Mean")
def of_several(op: Seen) -> Count:
    """(n − 1) per output element for n inputs; a mean divides once more."""
    each = len(op.inputs) - 1 + (op.op_type == "Mean")
    return Count(float(each) * elements(op.output()))


# Two products and a sum.
per_input("elementwise", "RotaryEmbedding", 3.0)
