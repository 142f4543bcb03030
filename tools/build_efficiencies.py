"""Write hetopt/data/efficiencies.csv: fractions of rooflines fitted on public measurements.

python tools/build_efficiencies.py [SHARED]     SHARED: folder of the reference data, ../shared

NeuSight (MIT): kernels of language models in fp32 on NVIDIA and AMD cards, and convolutions. timm
(Apache-2.0): image networks on two CPUs in fp32 and four cards in fp16 (automatic mixed precision).
QuTiBench (Apache-2.0): image networks on edge processors of all kinds. OpenVINO (Apache-2.0): two
of them on an NPU and an integrated GPU. AI Hub (BSD-3-Clause), with the MACs of timm: image
networks in int8 on NPUs. Zeus (Apache-2.0): draws of cards at their limit; QuTiBench: of edge ones.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from bench.estimate_data import (
    aihub_runs,
    neusight_conv_runs,
    neusight_runs,
    openvino_runs,
    power_rows,
    qutibench_runs,
    timm_runs,
)
from hetopt.profiling.efficiencies import KERNELS, NETWORKS, Efficiency, fit, table

REPO = Path(__file__).resolve().parents[1]
TARGET = REPO / "hetopt" / "data" / "efficiencies.csv"


def efficiencies(data: Path) -> list[Efficiency]:
    """Return every fraction, in a fixed order."""
    rows: list[Efficiency] = []
    for runs, source, licence, counted in (
        (neusight_runs(data), "sitar-lab/NeuSight kernels of models", "MIT", KERNELS),
        (neusight_conv_runs(data), "sitar-lab/NeuSight convolutions", "MIT", KERNELS),
        (timm_runs(data), "huggingface/pytorch-image-models", "Apache-2.0", NETWORKS),
        (qutibench_runs(data), "RCL-lab/QutibenchWeb", "Apache-2.0", NETWORKS),
        (openvino_runs(data), "openvinotoolkit/openvino", "Apache-2.0", NETWORKS),
        (aihub_runs(data), "quic/ai-hub-models, MACs of timm", "BSD-3-Clause", NETWORKS),
    ):
        for device, measured in runs.items():
            known = {(row.device, row.operator, row.precision) for row in rows}
            rows += [
                row
                for row in fit(device, measured, source, licence, counted)
                if (row.device, row.operator, row.precision) not in known
            ]
    return rows + power_rows(data)


def main() -> None:
    """Write the table."""
    shared = Path(sys.argv[1]) if len(sys.argv) > 1 else REPO.parent / "shared"
    made = table(efficiencies(shared / "data"))
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(made[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    print(f"{TARGET}: {len(made)} rows")


if __name__ == "__main__":
    main()
