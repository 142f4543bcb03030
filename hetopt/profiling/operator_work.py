"""What an operator asks of a processor: floating-point operations and bytes, by class of operator.

Estimates (:mod:`hetopt.profiling.roofline`) know nothing of a network but a list of these records:
one for each operator, or one for each class of a segment, as sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CLASSES = (
    "conv",
    "depthwise-conv",
    "matmul",
    "batched-matmul",
    "recurrent",
    "elementwise",
    "normalisation",
    "pool",
    "resize",
    "copy",
    "gather",
    "other",
)
"""Classes of operators whose share of a processor's roofline is alike.

``matmul`` multiplies by weights (fully connected, ``Gemm``), ``batched-matmul`` two activations
(attention), ``normalisation`` is also softmax and reductions, ``copy`` moves bytes (transpose,
concatenation), ``gather`` reads rows of a table (embedding).
"""

MATRIX_CLASSES = ("conv", "matmul", "batched-matmul", "recurrent")
"""Classes that run on matrix units where a processor has them."""

NEXT_CLASS = {
    "conv": "matmul",
    "depthwise-conv": "elementwise",
    "matmul": "conv",
    "batched-matmul": "matmul",
    "recurrent": "matmul",
    "normalisation": "elementwise",
    "pool": "elementwise",
    "resize": "elementwise",
    "copy": "elementwise",
    "gather": "copy",
    "other": "elementwise",
    "elementwise": "conv",
}
"""Class whose share is taken, at a wider interval, where nobody measured the class itself.

``elementwise`` to ``conv``: rows of whole networks, on processors that fuse elementwise operators
into their convolutions, are booked under ``conv``.
"""

FAMILIES = {
    "attention": "batched-matmul",
    "convolution": "conv",
    "elementwise": "elementwise",
    "matmul": "matmul",
    "movement": "copy",
    "normalisation": "normalisation",
    "pooling": "pool",
    "quantised": "elementwise",
    "recurrent": "recurrent",
    "reduction": "normalisation",
    "resize": "resize",
    "spectral": "other",
}
"""Classes by family of the operators that are counted in model files."""

PRECISION_NAMES = {
    "float32": "fp32",
    "float": "fp32",
    "tf32": "fp32",
    "amp": "fp16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "uint8": "int8",
    "w8a8": "int8",
    "float8": "fp8",
}
"""Other names of precisions."""

PRECISIONS = ("fp32", "fp16", "bf16", "fp8", "int8")


@dataclass(frozen=True, slots=True)
class OperatorWork:
    """Work of one operator, or of several of one class as their sum.

    Parameters
    ----------
    operator
        One of :data:`CLASSES`.
    flop
        Floating-point (or integer) operations, a multiply-add counting as two.
    bytes_b
        Bytes read and written: inputs, weights and outputs, at the precision of the work.
    precision
        One of :data:`PRECISIONS`.
    launches
        Operators that the record stands for; each takes the processor's launch time once.
    """

    operator: str
    flop: float
    bytes_b: float
    precision: str = "fp32"
    launches: float = 1.0

    def __post_init__(self) -> None:
        if self.operator not in CLASSES:
            raise ValueError(f"operator {self.operator!r} is none of {', '.join(CLASSES)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}")
        if not (self.flop >= 0 and self.bytes_b >= 0 and self.launches >= 0):
            raise ValueError("flop, bytes_b and launches are expected to be 0 or more")


def family_work(family: str, flop: float, bytes_b: float, precision: str) -> OperatorWork:
    """Return the record of an operator by the family that counts it in model files.

    A family or precision that is not known here is ``other``, or fp32: estimates are then no
    better than that.
    """
    named = PRECISION_NAMES.get(precision, precision)
    return OperatorWork(
        family if family in CLASSES else FAMILIES.get(family, "other"),
        flop,
        bytes_b,
        named if named in PRECISIONS else "fp32",
    )


def as_network(works: Iterable[OperatorWork]) -> tuple[OperatorWork, ...]:
    """Return works as networks are counted whose operators nobody measured one by one.

    What runs on matrix units counts by its operations in one class, that of the network, and by
    its bytes as elementwise (in transformers: normalisation), which stands for all operators
    between: runtimes fuse these into their neighbours, as no count of operators knows. Works
    without any matrix operator stay as they are.
    """
    listed = tuple(works)
    matrix = [w for w in listed if w.operator in (*MATRIX_CLASSES, "depthwise-conv")]
    if not any(w.flop for w in matrix):
        return listed
    by_class: dict[str, float] = {}
    for work in matrix:
        by_class[work.operator] = by_class.get(work.operator, 0.0) + work.flop
    convolved = by_class.get("conv", 0.0) + by_class.get("depthwise-conv", 0.0)
    multiplied = sum(by_class.values()) - convolved
    name = "depthwise-conv" if "depthwise-conv" in by_class else "conv"
    name = "matmul" if multiplied > convolved else name
    through = "normalisation" if name == "matmul" else "elementwise"
    precisions = dict.fromkeys(w.precision for w in matrix)
    made = []
    for precision in precisions:
        mine = [w for w in matrix if w.precision == precision]
        launches = sum(w.launches for w in mine)
        flop, size = sum(w.flop for w in mine), sum(w.bytes_b for w in mine)
        made.append(OperatorWork(name, flop, 0.0, precision, launches))
        made.append(OperatorWork(through, 0.0, size, precision, 0.0))
    return tuple(made)
