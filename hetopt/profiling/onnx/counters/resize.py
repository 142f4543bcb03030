"""Interpolation."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Moves, Seen, counts, elements

TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
"""Samples that an output takes along each axis."""


@counts("resize", "Resize Upsample")
def resize(op: Seen) -> Count:
    """Per output 2 s − 1: s products and s − 1 sums of s = taps ^ axes samples; nearest: 0.

    Taps are 2 (linear) or 4 (cubic), axes those whose length changes. Making the weights is not
    counted.
    """
    taps = TAPS[_mode(op, "nearest")]
    axes = sum(a != b for a, b in zip(op.input(0), op.output(), strict=True))
    return _of(elements(op.output()), taps, axes)


@counts("resize", "GridSample")
def grid_sample(op: Seen) -> Count:
    """As a resize along all axes of the grid, and 2 operations per coordinate to scale it."""
    taps = TAPS[_mode(op, "linear")]
    grid = op.input(1)
    sampled = _of(elements(op.output()), taps, grid[-1])
    return Count(sampled.flop + 2.0 * elements(grid), 0.0)


def _mode(op: Seen, default: str) -> str:
    mode = op.attributes.get("mode", default)
    return mode.decode() if isinstance(mode, bytes) else str(mode)


def _of(outputs: int, taps: int, axes: int) -> Count:
    if taps == 1:
        return Count(0.0, 0.0, Moves.ALL)
    return Count(float(outputs * (2 * taps**axes - 1)))
