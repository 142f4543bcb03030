"""Fourier transforms."""

from __future__ import annotations

import math

from hetopt.profiling.onnx.counters.registry import (
    Count,
    Seen,
    UnknownSizeError,
    counts,
    elements,
)


@counts("spectral", "DFT")
def dft(op: Seen) -> Count:
    """5 n log2 n per signal of n points, the usual count of a fast transform; half if real."""
    shape = op.input(0)
    axis = int(op.attributes.get("axis", 1))
    if len(op.values) > 2 and op.values[2] is not None:
        axis = int(op.values[2])
    points = shape[axis]
    numbers = elements(shape) / shape[-1]
    return Count((0.5 if shape[-1] == 1 else 1.0) * 5.0 * numbers * math.log2(max(points, 2)))


@counts("spectral", "STFT")
def stft(op: Seen) -> Count:
    """As a DFT of each frame, and a product with the window per point."""
    batch, frames = op.output()[0], op.output()[1]
    points = op.input(2)[0] if op.has_input(2) else None
    if points is None and len(op.values) > 3 and op.values[3] is not None:
        points = int(op.values[3])
    if points is None:
        raise UnknownSizeError
    signals = batch * frames
    part = 0.5 if op.input(0)[-1] == 1 else 1.0
    return Count(signals * points * (1 + part * 5.0 * math.log2(max(points, 2))))
