"""Operators that compute nothing: they move bytes, or only see them differently."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Moves, Seen, counts


@counts("view", "Reshape Flatten Squeeze Unsqueeze Identity Dropout Shape Size Optional")
def view(op: Seen) -> Count:
    """Nothing: the same bytes in another shape (a dropout at inference passes them on)."""
    return Count(0.0, 0.0, Moves.NONE)


@counts(
    "movement",
    "Transpose Concat Split Pad Tile Expand DepthToSpace SpaceToDepth ReverseSequence "
    "ScatterElements ScatterND Scatter TensorScatter CenterCropPad Trilu Col2Im "
    "MaxUnpool",
)
def movement(op: Seen) -> Count:
    """No operations; reads its inputs, writes its outputs."""
    return Count(0.0, 0.0, Moves.ALL)


@counts("movement", "Slice Gather GatherElements GatherND")
def selection(op: Seen) -> Count:
    """No operations; reads only what it writes, and the indices."""
    return Count(0.0, 0.0, Moves.OUTPUT)


@counts(
    "movement",
    "ConstantOfShape Constant Range OneHot EyeLike BlackmanWindow HannWindow "
    "HammingWindow RandomNormal RandomUniform RandomNormalLike RandomUniformLike",
)
def creation(op: Seen) -> Count:
    """No operations counted; writes its output."""
    return Count(0.0, 0.0, Moves.WRITE)
