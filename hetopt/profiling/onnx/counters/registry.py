"""The registry of counters, and what a counter sees of an operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Shape = tuple[int, ...]


class UnknownSizeError(Exception):
    """A size that the formula needs is not known before the model runs."""


class Moves(Enum):
    """What of its tensors an operator moves through memory."""

    ALL = "all"
    """Reads all inputs, writes all outputs."""
    OUTPUT = "output"
    """Writes its outputs and reads as much of its first input, and all others."""
    WRITE = "write"
    """Writes its outputs and reads nothing."""
    NONE = "none"
    """Nothing: another view of the same bytes."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one execution of an operator computes.

    Attributes
    ----------
    flop
        Floating-point (or integer) operations, those of ``macs`` included twice.
    macs
        Multiply-accumulates of convolutions and products of matrices.
    moves
        Which of its tensors it moves.
    """

    flop: float
    macs: float = 0.0
    moves: Moves = Moves.ALL


@dataclass(frozen=True, slots=True)
class Seen:
    """An operator as a counter sees it.

    Attributes
    ----------
    op_type
        Its name in ONNX.
    inputs, outputs
        Shapes; ``None`` where an input or output is left out or its shape is not known.
    attributes
        Attributes by name, as Python values.
    values
        Values of inputs that are small constants, ``None`` for all others.
    """

    op_type: str
    inputs: tuple[Shape | None, ...]
    outputs: tuple[Shape | None, ...]
    attributes: Mapping[str, Any]
    values: tuple[Any, ...]

    def input(self, number: int) -> Shape:
        """Shape of an input that the formula needs."""
        return self._known(self.inputs, number)

    def output(self, number: int = 0) -> Shape:
        """Shape of an output that the formula needs."""
        return self._known(self.outputs, number)

    def has_input(self, number: int) -> bool:
        """Whether an optional input is there."""
        return number < len(self.inputs) and self.inputs[number] is not None

    @staticmethod
    def _known(shapes: tuple[Shape | None, ...], number: int) -> Shape:
        shape = shapes[number] if number < len(shapes) else None
        if shape is None:
            raise UnknownSizeError
        return shape


Counter = Callable[[Seen], Count]


@dataclass(frozen=True, slots=True)
class Entry:
    """A counter and the family of operators that it belongs to."""

    family: str
    count: Counter


COUNTERS: dict[str, Entry] = {}
"""Counters by name of the operator in ONNX's own domain."""


def counts(family: str, names: str) -> Callable[[Counter], Counter]:
    """Register a counter for operators of these names, which blanks separate."""

    def add(function: Counter) -> Counter:
        for name in names.split():
            COUNTERS[name] = Entry(family, function)
        return function

    return add


def elements(shape: Shape) -> int:
    """Return the number of elements of a tensor."""
    return math.prod(shape)


def per_input(family: str, names: str, each: float) -> None:
    """Register operators that take so many operations per element of their first input."""
    counts(family, names)(lambda op: Count(each * elements(op.input(0))))
