"""Recurrent layers: every step counts, and every direction."""

from __future__ import annotations

from hetopt.profiling.onnx.counters.registry import Count, Seen, counts


@counts("recurrent", "LSTM")
def lstm(op: Seen) -> Count:
    """MACs = T × D × B × 4 H × (I + H).

    T steps, D directions, B batch, I inputs, H hidden. Per step, direction, batch and hidden
    number, beside the MACs: 4 sums of the two products, 8 biases where given, 5 activations, 4 for
    cell and output (f c + i g, then o × tanh), and 3 products of peepholes with 3 sums where given.
    """
    return _layer(op, gates=4, others=5 + 4 + 6 * op.has_input(7))


@counts("recurrent", "GRU")
def gru(op: Seen) -> Count:
    """MACs = T × D × B × 3 H × (I + H).

    Beside them, per step, direction, batch and hidden number: 3 sums of the two products, 6 biases
    where given, 3 activations, 1 product with the reset gate, 4 for the output
    ((1 − z) n + z h).
    """
    return _layer(op, gates=3, others=3 + 1 + 4)


@counts("recurrent", "RNN")
def rnn(op: Seen) -> Count:
    """MACs = T × D × B × H × (I + H); beside them 1 sum, 2 biases where given, 1 activation."""
    return _layer(op, gates=1, others=1)


def _layer(op: Seen, gates: int, others: int) -> Count:
    first, weights = op.input(0), op.input(1)
    directions, inputs = weights[0], weights[2]
    hidden = weights[1] // gates
    batch_first = int(op.attributes.get("layout", 0))
    steps, batch = (first[1], first[0]) if batch_first else (first[0], first[1])
    numbers = steps * directions * batch * hidden
    macs = numbers * gates * (inputs + hidden)
    biases = 2 * gates * op.has_input(3)
    return Count(2.0 * macs + numbers * (gates + biases + others), macs)
