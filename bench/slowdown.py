"""How well demands fitted from pairs of measurements tell what CPU and GPU of one chip do together.

``python -m bench slowdown`` reads ``data/corun_pairs.csv`` of the reference data (OpenVINO's
published benchmarks, Apache-2.0): for each release, chip and network the requests per second of the
CPU, of the GPU, and of both. Three questions, each answered without what is asked about:

* the same pair in the other release: demands and loss of the chip are fitted on one;
* a network that was not measured together on this chip: by the law of the chip's other networks;
* a chip that was not measured together at all: by the law of all others.

*Error* is that of requests per second of both, relative; *decision* whether to use both, or the
better one alone.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hetopt.profiling.slowdown import LEAST_MEASURED, Pair, fit_chip, law_of_chip


@dataclass(frozen=True)
class Predicted:
    """A pair of one release, and what was predicted of it (requests per second of both)."""

    release: str
    pair: Pair
    both_per_s: float

    @property
    def error(self) -> float:
        """Relative error."""
        return abs(self.both_per_s / self.pair.both_per_s - 1.0)

    @property
    def decides(self) -> bool:
        """Whether the prediction decides rightly whether to use both."""
        best = max(self.pair.first_per_s, self.pair.second_per_s)
        return (self.both_per_s > best) == (self.pair.both_per_s > best)


def read_pairs(path: Path) -> dict[str, list[Pair]]:
    """Return the pairs of each release."""
    found: dict[str, list[Pair]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            speeds = (float(row[name]) for name in ("cpu_fps", "igpu_fps", "both_fps"))
            pair = Pair(row["platform"], row["model"], *speeds)
            found.setdefault(row["release"], []).append(pair)
    return found


def next_release(pairs: dict[str, list[Pair]], known: str, asked: str) -> list[Predicted]:
    """Predict the pairs of a release by demands and loss fitted on another one."""
    found = []
    for chip in sorted({p.chip for p in pairs[known]}):
        mine = [p for p in pairs[known] if p.chip == chip]
        demands = fit_chip(mine)
        tasks = {p.task for p in mine}
        for p in pairs[asked]:
            if p.chip == chip and p.task in tasks:
                rate = demands.rate(p.options())
                found.append(Predicted(asked, p, rate * (p.first_per_s + p.second_per_s)))
    return found


def new_task(pairs: dict[str, list[Pair]]) -> list[Predicted]:
    """Predict each pair by the law of the same chip's other tasks in the same release."""
    found = []
    for release, all_of in pairs.items():
        for p in all_of:
            others = [o for o in all_of if o.chip == p.chip and o.task != p.task]
            if len(others) >= LEAST_MEASURED:
                rate = law_of_chip(others).rate(p)
                found.append(Predicted(release, p, rate * (p.first_per_s + p.second_per_s)))
    return found


def new_chip(pairs: dict[str, list[Pair]]) -> list[Predicted]:
    """Predict each pair by the law of all other chips in the same release."""
    found = []
    for release, all_of in pairs.items():
        for p in all_of:
            rate = law_of_chip([o for o in all_of if o.chip != p.chip]).rate(p)
            found.append(Predicted(release, p, rate * (p.first_per_s + p.second_per_s)))
    return found


def main(path: Path) -> int:
    """Print the tables of docs/measurements.md."""
    pairs = read_pairs(path)
    first, second = sorted(pairs)
    rows = [
        (f"same pair, {first} → {second}", next_release(pairs, first, second)),
        (f"same pair, {second} → {first}", next_release(pairs, second, first)),
        ("network not measured on this chip", new_task(pairs)),
        ("chip not measured", new_chip(pairs)),
    ]
    print("| question | pairs | median error | mean error | decision right |")
    print("|---|--:|--:|--:|--:|")
    for name, found in rows:
        print(f"| {name} | {_summary(found)} |")
    print()
    print("| chip | " + " | ".join(f"{name}" for name, _ in rows[:1] + rows[2:]) + " |")
    print("|---|--:|--:|--:|")
    chips = sorted({p.chip for all_of in pairs.values() for p in all_of}, key=str.lower)
    for chip in chips:
        cells = []
        for _, found in rows[:1] + rows[2:]:
            mine = [f for f in found if f.pair.chip == chip]
            cells.append(f"{np.median([f.error for f in mine]):.1%}" if mine else "–")
        print(f"| {chip} | {' | '.join(cells)} |")
    alone = sum(
        p.both_per_s < max(p.first_per_s, p.second_per_s) for a in pairs.values() for p in a
    )
    print(f"\nThe better one alone is faster in {alone} of {sum(map(len, pairs.values()))} pairs.")
    return 0


def _summary(found: Sequence[Predicted]) -> str:
    errors = [f.error for f in found]
    right = np.mean([f.decides for f in found])
    return f"{len(found)} | {np.median(errors):.1%} | {np.mean(errors):.1%} | {right:.0%}"
