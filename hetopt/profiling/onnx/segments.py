"""Segments: the parts that a model is cut into, which become the tasks of an instance.

A cut after operator p of the (topological) file order is crossed by the tensors that an operator
up to p makes and a later one reads. Where exactly one tensor crosses, every path from the model's
inputs to its outputs passes it: such a cut separates the graph in every topological order. Between
two of them lies a *block*, and a block whose inside falls apart into branches is a parallel part.

``segments`` contracts operators to at most N parts. As many as the single-tensor cuts give are had
by merging blocks along the chain; beyond that, blocks with parallel branches are opened (largest
first: each branch a segment), and beyond that the remaining cuts with the fewest bytes are taken.
The contraction is exact: segments partition the operators, so their operations, bytes and weights
are sums of the operators', and transfers are the tensors that cross, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hetopt.profiling.onnx.graph import Operator, OperatorGraph

RATE_FLOP, RATE_BYTES, RATE_CUT = 1e11, 1e10, 1e9
"""A processor and a link of usual speed (FLOP/s, B/s, B/s).

They weigh work against bytes that cross when cuts are chosen, and decide nothing else."""

UNKNOWN_B = 1e15
"""What a tensor of unknown size counts as: no place can be kept for it, so nothing is cut there
unless every cut is so."""

MOST_CUTS = 1500
"""Cuts that are looked at; of larger models those that the fewest bytes cross."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a model.

    Attributes
    ----------
    name
        ``s1``, ``s2`` ... in topological order.
    operators
        Its operators.
    inputs, outputs
        Tensors that come in (from other segments, or inputs of the model) and go out (to others,
        or outputs of the model).
    flop, macs
        Sums over its operators.
    read_b, written_b
        Bytes of activations that its operators read and write, as if nothing were fused.
    weights_b
        Bytes of its constants, each once.
    memory_b
        Most bytes of activations alive at once, in the order of the file.
    places
        First and last operators of runs that hold only its operators and constants.
    """

    name: str
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    flop: float
    macs: float
    read_b: float
    written_b: float
    weights_b: float
    memory_b: float
    places: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """A tensor that one segment makes and another reads."""

    source: str
    target: str
    tensor: str
    bytes_b: float


def segments(graph: OperatorGraph, most: int) -> tuple[list[Segment], list[Crossing]]:
    """Cut a model into at most ``most`` segments.

    Parameters
    ----------
    graph
        Its operators.
    most
        Largest number of segments, at least 1; fewer come back where there are fewer operators.

    Returns
    -------
    tuple
        The segments in topological order, and the tensors that cross between them.
    """
    return _assembled(graph, _parts(graph, most))


def cut_alike(
    graph: OperatorGraph, like: Sequence[Segment]
) -> tuple[list[Segment], list[Crossing]]:
    """Cut a model where another reading of the same file, with other sizes, is cut."""
    return _assembled(graph, [select(graph, s.places) for s in like])


def _assembled(
    graph: OperatorGraph, parts: list[list[Operator]]
) -> tuple[list[Segment], list[Crossing]]:
    made = {name: n for n, part in enumerate(parts) for o in part for name in o.outputs}
    found = [_segment(graph, f"s{n + 1}", part, parts, made) for n, part in enumerate(parts)]
    crossings = [
        Crossing(found[made[name]].name, found[n].name, name, graph.types[name].bytes)
        for n, segment in enumerate(found)
        for name in segment.inputs
        if name in made
    ]
    return found, crossings


def select(graph: OperatorGraph, places: str) -> list[Operator]:
    """Return the operators at places: runs ``FIRST-LAST`` of places in the file.

    Raises
    ------
    ValueError
        If the text is no list of runs, or no operator stands there.
    """
    wanted: set[int] = set()
    for run in places.split(","):
        first, _, last = run.partition("-")
        wanted.update(range(int(first), int(last or first) + 1))
    found = [o for o in graph.operators if o.index in wanted]
    if not found:
        raise ValueError(places)
    return found


def _places(graph: OperatorGraph, part: Sequence[Operator]) -> str:
    """Write operators as runs; constants between two of them do not end a run."""
    following = dict(pairwise(o.index for o in graph.operators))
    runs: list[list[int]] = []
    for operator in part:
        if runs and following.get(runs[-1][1]) == operator.index:
            runs[-1][1] = operator.index
        else:
            runs.append([operator.index, operator.index])
    return ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in runs)


def _segment(
    graph: OperatorGraph,
    name: str,
    part: Sequence[Operator],
    parts: Sequence[Sequence[Operator]],
    made: dict[str, int],
) -> Segment:
    number = made_of(part, made)
    inside = {n for o in part for n in o.outputs}
    inputs = dict.fromkeys(n for o in part for n in o.inputs if n not in inside)
    read_elsewhere = {
        n for k, other in enumerate(parts) if k != number for o in other for n in o.inputs
    }
    wanted = read_elsewhere | set(graph.outputs)
    outputs = [n for o in part for n in o.outputs if n in wanted]
    return Segment(
        name,
        tuple(part),
        tuple(inputs),
        tuple(outputs),
        sum(o.flop for o in part),
        sum(o.macs for o in part),
        sum(o.read_b for o in part),
        sum(o.written_b for o in part),
        graph.size_b({c for o in part for c in o.constants}),
        _peak(graph, part, tuple(inputs), set(outputs)),
        _places(graph, part),
    )


def made_of(part: Sequence[Operator], made: dict[str, int]) -> int:
    """Return the number of the part that an operator with outputs belongs to."""
    return next((made[n] for o in part for n in o.outputs), -1)


def _peak(
    graph: OperatorGraph, part: Sequence[Operator], inputs: Sequence[str], outputs: set[str]
) -> float:
    last = {n: k for k, o in enumerate(part) for n in (*o.inputs, *o.outputs)}
    alive = {n: graph.size_b([n]) for n in inputs}
    peak = now = sum(alive.values())
    for k, operator in enumerate(part):
        for n in operator.outputs:
            alive[n] = graph.size_b([n])
            now += alive[n]
        peak = max(peak, now)
        for n in {*operator.inputs, *operator.outputs}:
            if last[n] == k and n not in outputs and n in alive:
                now -= alive.pop(n)
    return peak


def _parts(graph: OperatorGraph, most: int) -> list[list[Operator]]:
    operators = list(graph.operators)
    crossing, size = _crossings(graph)
    positions = np.arange(len(operators) - 1)
    single = positions[(crossing[:-1] == 1) & (size[:-1] < UNKNOWN_B)]
    if most <= len(single) + 1:
        return _chain(operators, single, size, most)
    opened = _open_blocks(operators, single.tolist(), most)
    if len(opened) > len(single) + 1:
        return opened
    # The cheapest cuts beyond those of one tensor: every position may be one.
    order = np.lexsort((size[:-1], crossing[:-1], size[:-1] >= UNKNOWN_B))
    enough = np.sort(order[: max(MOST_CUTS, len(single))])
    return _chain(operators, enough, size, min(most, len(operators)))


def _crossings(graph: OperatorGraph) -> tuple[np.ndarray, np.ndarray]:
    """Return how many tensors cross after each operator, and their bytes."""
    n = len(graph.operators)
    made = {name: k for k, o in enumerate(graph.operators) for name in o.outputs}
    last = dict(made)
    for k, operator in enumerate(graph.operators):
        for name in operator.inputs:
            if name in made:
                last[name] = k
    count, size = np.zeros(n + 1), np.zeros(n + 1)
    for name, begin in made.items():
        end = last[name]
        kind = graph.types.get(name)
        weight = UNKNOWN_B if kind is None or kind.shape is None else kind.bytes
        count[begin] += 1
        count[end] -= 1
        size[begin] += weight
        size[end] -= weight
    return np.rint(np.cumsum(count)[:n]).astype(np.int64), np.cumsum(size)[:n]


def _chain(
    operators: list[Operator], cuts: np.ndarray, size: np.ndarray, most: int
) -> list[list[Operator]]:
    """Choose ``most - 1`` cuts: least Σ work² / mean work + 2 × Σ time of what crosses.

    The first term is least where segments take equally long, the second where few bytes cross. By
    dynamic programming over cuts, exactly.
    """
    if len(cuts) > MOST_CUTS:
        cuts = np.sort(cuts[np.argsort(size[cuts], kind="stable")[:MOST_CUTS]])
    most = min(most, len(cuts) + 1)
    work = np.array(
        [
            o.flop / RATE_FLOP + (o.read_b + o.written_b + o.weights_b) / RATE_BYTES
            for o in operators
        ]
    )
    total = np.concatenate([[0.0], np.cumsum(work)])
    ends = np.concatenate([[-1], cuts, [len(operators) - 1]]) + 1
    done = total[ends]
    cost = np.concatenate([[0.0], 2 * size[cuts] / RATE_CUT, [0.0]])
    mean = max(float(total[-1]) / most, 1e-30)
    step = (done[None, :] - done[:, None]) ** 2 / mean
    step[np.tril_indices(len(ends))] = np.inf
    value = step[0] + cost
    came: list[np.ndarray] = []
    for _ in range(most - 1):
        through = value[:, None] + step
        came.append(np.argmin(through, axis=0))
        value = through[came[-1], np.arange(len(ends))] + cost
    at, chosen = len(ends) - 1, []
    for previous in reversed(came):
        at = int(previous[at])
        chosen.append(int(ends[at]))
    bounds = [0, *sorted(chosen), len(operators)]
    return [operators[a:b] for a, b in pairwise(bounds)]


def _open_blocks(operators: list[Operator], single: list[int], most: int) -> list[list[Operator]]:
    """Return the blocks, the heaviest parallel ones opened into their branches."""
    bounds = [0, *(p + 1 for p in single), len(operators)]
    blocks = [operators[a:b] for a, b in pairwise(bounds)]
    branches = {k: _branches(block) for k, block in enumerate(blocks)}
    gains = [
        (-sorted(_work(b) for b in found)[-2], k) for k, found in branches.items() if len(found) > 2
    ]
    total, opened = len(blocks), set[int]()
    for _, k in sorted(gains):
        if total + len(branches[k]) - 1 <= most:
            total += len(branches[k]) - 1
            opened.add(k)
    return [
        part for k, block in enumerate(blocks) for part in (branches[k] if k in opened else [block])
    ]


def _work(part: Sequence[Operator]) -> float:
    return sum(
        o.flop / RATE_FLOP + (o.read_b + o.written_b + o.weights_b) / RATE_BYTES for o in part
    )


def _branches(block: list[Operator]) -> list[list[Operator]]:
    """Return what is left of a block without its last operator, piece by piece, then that one."""
    inside, join = block[:-1], block[-1]
    root = list(range(len(inside)))

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    made = {name: k for k, o in enumerate(inside) for name in o.outputs}
    for k, operator in enumerate(inside):
        for name in operator.inputs:
            if name in made:
                root[find(k)] = find(made[name])
    groups: dict[int, list[Operator]] = {}
    for k, operator in enumerate(inside):
        groups.setdefault(find(k), []).append(operator)
    return [*groups.values(), [join]]
