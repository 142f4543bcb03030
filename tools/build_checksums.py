"""Record the checksums of published instances that may be fetched: bench/checksums.csv.

python tools/build_checksums.py SHARED     the folder that has benchmarks/FAMILY
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH.parent))

from bench.fetch import checksum  # noqa: E402 (the tree is not installed)

COLUMNS = (
    *("family", "instance", "file", "address", "sha256"),
    *("lower_bound", "best_known", "optimal", "source"),
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shared", type=Path, help="folder with benchmarks/")
    shared = parser.parse_args().shared
    sources = json.loads((BENCH / "sources.json").read_text(encoding="utf-8"))
    rows = []
    for family, source in sources.items():
        if "raw" not in source:
            continue
        folder = shared / "benchmarks" / family
        with (folder / "bks.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                data = (folder / row["file"]).read_bytes()
                rows.append(
                    {
                        "family": family,
                        "address": address(source["raw"], family, row),
                        "sha256": checksum(data),
                        **{c: row.get(c, "") for c in COLUMNS if c in row},
                    }
                )
    with (BENCH / "checksums.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} rows")


def address(template: str, family: str, row: dict[str, str]) -> str:
    """Return where one file is kept."""
    if "{commit}" in template:
        found = re.match(r"[^:]+:(.+?)@([0-9a-f]+)", row["source"])
        return template.format(path=found[1], commit=found[2]) if found else ""
    name = row["file"]
    if family == "dnn":
        name = re.sub(r"^(throughput|latency)/", r"\1-inputs/", name)
    return template.format(file=name)


if __name__ == "__main__":
    main()
