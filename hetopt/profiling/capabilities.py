"""What data sheets say of processors: peak rates, memory, power, price.

``hetopt/data/capabilities.csv`` has a row per processor with its source. Peak rates are dense (no
sparsity), of tensor or matrix units where a processor has them, with accumulation in 32 bits; of
CPUs at the base clock. A figure that no source states is missing, never guessed.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

from hetopt.errors import InputError, Problem
from hetopt.profiling.operator_work import MATRIX_CLASSES, OperatorWork

UNKNOWN = float("nan")
PEAKS = {
    "fp32": "fp32_tflop_s",
    "fp32_matrix": "fp32_matrix_tflop_s",
    "fp16": "fp16_tflop_s",
    "bf16": "bf16_tflop_s",
    "fp8": "fp8_tflop_s",
    "int8": "int8_top_s",
}


@dataclass(frozen=True, slots=True)
class Capability:
    """One processor as its data sheet describes it; NaN where that states nothing.

    Attributes
    ----------
    device, name, kind, vendor
        ID, name for people, kind of processor, maker.
    year
        When it came out.
    peaks
        Operations per second by precision; ``fp32_matrix`` where matrix units do fp32 faster.
    bandwidth_b_per_s, memory_b
        Of its memory; NaN bandwidth where weights stay on the chip.
    power_w
        Power limit of the processor: of the card, the module or the chip.
    price_usd, launch_s
        List price; time that starting one operator takes.
    source, note
        Where the figures come from, and what to know of them.
    """

    device: str
    name: str
    kind: str
    vendor: str
    year: int
    peaks: Mapping[str, float]
    bandwidth_b_per_s: float
    memory_b: float
    power_w: float
    price_usd: float
    launch_s: float
    source: str
    note: str

    @property
    def power_shared(self) -> bool:
        """Whether the power limit is that of a whole chip, with other processors on it."""
        return "power with" in self.note

    def peak(self, work: OperatorWork) -> float:
        """Return the peak rate for an operator, operations per second.

        Raises
        ------
        InputError
            Where no peak of its precision is stated.
        """
        matrix = work.operator in MATRIX_CLASSES
        if work.precision == "fp32" and matrix and "fp32_matrix" in self.peaks:
            return self.peaks["fp32_matrix"]
        if not matrix and "fp32" in self.peaks:
            return self.peaks["fp32"]  # vector units
        if work.precision in self.peaks:
            return self.peaks[work.precision]
        stated = ", ".join(name for name in self.peaks if name != "fp32_matrix")
        text = f"A precision whose peak is stated for {self.device}: {stated}."
        raise InputError([Problem("precision", work.precision, text)])

    def roofline_s(self, work: OperatorWork) -> float:
        """Return the least time that arithmetic and memory allow, launches left out."""
        by_arithmetic = work.flop / self.peak(work)
        if math.isnan(self.bandwidth_b_per_s):
            return by_arithmetic
        return max(by_arithmetic, work.bytes_b / self.bandwidth_b_per_s)


def capability(device: str) -> Capability:
    """Return one processor.

    Raises
    ------
    InputError
        If there is none of that ID; the message names close ones.
    """
    known = capabilities()
    if device in known:
        return known[device]
    folded = {name.casefold(): name for name in (*known, *(c.name for c in known.values()))}
    by_name = {c.name: c.device for c in known.values()}
    near = get_close_matches(device.casefold(), folded, n=3, cutoff=0.4)
    part = [name for name in known if device and device.casefold() in name]
    hints = [*part, *(by_name.get(folded[n], folded[n]) for n in near)]
    hint = ", ".join(dict.fromkeys(hints)) or ", ".join([*known][:5])
    expected = f"A processor that hetopt devices --capabilities lists; {hint}, for example."
    raise InputError([Problem("device", device, expected)])


@lru_cache(maxsize=1)
def capabilities() -> Mapping[str, Capability]:
    """Return all processors by ID, in the order of the table."""
    with files("hetopt").joinpath("data", "capabilities.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["device"]: _capability(row) for row in rows}


def _capability(row: Mapping[str, str]) -> Capability:
    peaks = {name: _number(row[column]) * 1e12 for name, column in PEAKS.items()}
    return Capability(
        device=row["device"],
        name=row["name"],
        kind=row["kind"],
        vendor=row["vendor"],
        year=int(row["year"]),
        peaks={name: peak for name, peak in peaks.items() if not math.isnan(peak)},
        bandwidth_b_per_s=_number(row["bandwidth_gb_s"]) * 1e9,
        memory_b=_number(row["memory_gib"]) * 2**30,
        power_w=_number(row["power_w"]),
        price_usd=_number(row["price_usd"]),
        launch_s=_number(row["launch_us"]) * 1e-6,
        source=row["source"],
        note=row["note"],
    )


def _number(cell: str) -> float:
    return float(cell) if cell else UNKNOWN
