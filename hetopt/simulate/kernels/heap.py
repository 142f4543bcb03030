"""Events in order of time, those of equal times in the order in which they were added."""

from __future__ import annotations

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.records import HEAP, SEQ, World


@inner
def push(w: World, t: float, kind: int, a: int, b: int) -> None:
    """Add an event."""
    i = w.count[HEAP]
    w.count[HEAP] += 1
    seq = w.count[SEQ]
    w.count[SEQ] += 1
    while i > 0:
        up = (i - 1) // 2
        if w.heap[up]["t"] < t or (w.heap[up]["t"] == t and w.heap[up]["s"] < seq):
            break
        w.heap[i] = w.heap[up]
        i = up
    w.heap[i]["t"] = t
    w.heap[i]["s"] = seq
    w.heap[i]["kind"] = kind
    w.heap[i]["a"] = a
    w.heap[i]["b"] = b


@inner
def pop(w: World) -> tuple[int, int, int]:
    """Take the first event; return its kind and what it is about."""
    kind, a, b = w.heap[0]["kind"], w.heap[0]["a"], w.heap[0]["b"]
    w.count[HEAP] -= 1
    n = w.count[HEAP]
    t, seq = w.heap[n]["t"], w.heap[n]["s"]
    i = 0
    while True:
        low = 2 * i + 1
        if low >= n:
            break
        right = low + 1
        if right < n and _before(w, right, w.heap[low]["t"], w.heap[low]["s"]):
            low = right
        if not _before(w, low, t, seq):
            break
        w.heap[i] = w.heap[low]
        i = low
    w.heap[i] = w.heap[n]
    return kind, a, b


@inner
def _before(w: World, i: int, t: float, seq: int) -> bool:
    at = w.heap[i]["t"]
    return bool(at < t or (at == t and w.heap[i]["s"] < seq))
