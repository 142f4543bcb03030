"""Attention as one operator (ONNX opset 23 and later)."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.normalisation import SOFTMAX_FLOP
from hetopt.profiling.onnx.counters.registry import Count, Seen, UnknownSizeError, counts


@counts("attention", "Attention")
def attention(op: Seen) -> Count:
    """MACs = B × H × L × S × (E + E_v): queries with keys, then weights with values.

    B batch, H heads of the queries, L query and S key positions (past ones included), E and E_v
    sizes of a head. Per score 1 operation for the scale, 1 for a mask, and 5 for the softmax.
    Inputs of three axes hold all heads side by side: (B, L, H × E).
    """
    query, key, value = op.input(0), op.input(1), op.input(2)
    if len(query) == 4:
        batch, heads, length, size = query
        positions, value_size = key[2], value[3]
    else:
        heads = int(op.attributes.get("q_num_heads", 0))
        of_keys = int(op.attributes.get("kv_num_heads", 0)) or heads
        if not heads:
            raise UnknownSizeError
        batch, length, size = query[0], query[1], query[2] // heads
        positions, value_size = key[1], value[2] // of_keys
    if op.has_input(4):
        positions += op.input(4)[2]
    scores = batch * heads * length * positions
    macs = scores * (size + value_size)
    return Count(2.0 * macs + scores * (1 + op.has_input(3) + SOFTMAX_FLOP), macs)
