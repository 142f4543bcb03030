"""Build the headline instances from MLPerf Inference v3.0 results with power.

Run by hand, from the root of the repository::

    python tools/build_instances.py ../shared/data

It reads ``mlperf_inference_power.csv`` (one row a submitted result, each with its source) and
writes ``instances/mlperf-v3.0-server.yaml`` (also shipped in the package as
``hetopt/data/default.yaml``) and ``instances/mlperf-v3.0-server-h100.yaml``. The same input gives
the same bytes. How mix, idle power and demand are derived is in the header that it writes.
"""

from __future__ import annotations

import argparse
import csv
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ("resnet50", "retinanet", "bert-99", "rnnt", "dlrm-99")

HEADER = """\
Measured inference servers, five networks. This file is made by tools/build_instances.py.

Figures: MLPerf Inference v3.0, closed division, Server scenario, results marked VALID with power,
retrieved from the repository mlcommons/inference_results_v3.0 (Apache-2.0). Submitter and system
of each device stand below. Power is the whole system at the wall, so all figures have one scope.

What is derived here, and not verified by MLCommons: time_s = 1 / throughput (busy time per sample,
not a latency; latency_s is the measured 99th percentile); idle_power_w is the least reading of the
power meter during the system's runs of these five networks, an upper bound on idle power; the mix;
the demand; every power, energy and saving that hetopt computes. MLPerf is a trademark of MLCommons.

Mix: the share of a network is in inverse proportion to e, where e is the geometric mean of power /
throughput over the servers that can run all five ({general}). So on average each network costs the
same energy.

Demand (1x): the samples/s that {best}, the best single device, reaches under a cap of its idle
power and its largest power, {cap} W; it then runs two servers.

Assumptions: counts are free; a server may share its time between networks, which the Server
scenario does not measure (exclusive: true on the devices forbids it); a network without a result
cannot run on that server, though somebody might port it ({partly}). n3000 was submitted as
preview: it was not on sale when measured. The Server scenario holds each network's latency limit,
so every result is admissible as it stands. Part of the lead of the ai100 is its smaller host."""

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Server:
    """A system of the closed division, and the short name that the instance gives it."""

    name: str
    kind: str
    system: str
    what: str


A100 = Server("a100", "gpu", "A100-PCIe-80GBx8_TRT_MaxQ", "8x NVIDIA A100-PCIe-80GB, MaxQ")
H100 = Server("h100", "gpu", "H100-PCIe-80GBx8_TRT_MaxQ", "8x NVIDIA H100-PCIe-80GB, MaxQ")
AI100_8 = Server(
    "ai100-8", "npu", "r282_z93_q8e-qaic-v1.8.3.7-aic100", "8x Qualcomm Cloud AI 100 Pro, 75 W"
)
AI100_16 = Server(
    "ai100-16", "npu", "g292_z43_q16e-qaic-v1.8.3.7-aic100", "16x Qualcomm Cloud AI 100 Pro, 75 W"
)
N3000 = Server("n3000", "npu", "RecAccel-N3000-32GB-PCIEx8", "8x Neuchips RecAccel N3000")

FILES = {
    "mlperf-v3.0-server": (A100, AI100_8, AI100_16, N3000),
    "mlperf-v3.0-server-h100": (A100, H100, AI100_8, AI100_16, N3000),
}
DEFAULT = "mlperf-v3.0-server"


def main() -> None:
    """Write the instances."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, help="folder that holds mlperf_inference_power.csv")
    table = read(parser.parse_args().data / "mlperf_inference_power.csv")
    for path, text in built(table).items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")


def read(path: Path) -> list[Record]:
    """Return the rows of the headline scenario: v3.0, closed, Server, valid, five networks."""
    wanted = {"version": "v3.0", "division": "closed", "scenario": "Server", "valid": "VALID"}
    with path.open(encoding="utf-8", newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["model_c"] in NETWORKS and all(row[k] == v for k, v in wanted.items())
        ]


def built(table: Sequence[Record]) -> dict[str, str]:
    """Return the text of every file by its path from the root of the repository."""
    texts = {
        f"instances/{name}.yaml": instance(name, servers, table) for name, servers in FILES.items()
    }
    texts["hetopt/data/default.yaml"] = texts[f"instances/{DEFAULT}.yaml"]
    return texts


def instance(name: str, servers: Sequence[Server], table: Sequence[Record]) -> str:
    """Return one instance as a document."""
    rows = {
        server: {r["model_c"]: r for r in table if r["system"] == server.system}
        for server in servers
    }
    idle = {s: min(float(r["floor_w"]) for r in rows[s].values()) for s in servers}
    shares = mix(rows)
    best, cap, demand = one_times_demand(rows, idle, shares)
    parts = [
        header(servers, rows, best, cap),
        "hetopt: 1\n",
        f"name: {name}\n",
        "description: >-\n",
        "  Five networks on whole servers, each measured at the wall by MLPerf Inference v3.0\n",
        "  (closed division, Server scenario). How many servers of which type serve the demand\n",
        "  on the least power? Mix, idle power and demand are derived here and not verified by\n",
        "  MLCommons.\n",
        "regime: steady\n",
        "objective: power\n",
        f"demand_per_s: {demand!r}  # 1x; --demand 4 asks for four times as much\n",
        "\ndevices:\n",
    ]
    for s in servers:
        first = next(iter(rows[s].values()))
        mark = " (preview)" if first["status"] == "preview" else ""
        preview = "    preview: true\n" if mark else ""
        parts.append(
            f"  - name: {s.name}  # {s.what}; submitter {first['submitter']}{mark}\n"
            f"    kind: {s.kind}\n"
            "    count: {min: 0}\n"
            f"    idle_power_w: {idle[s]!r}\n"
            "    scope: wall\n"
            f"{preview}"
            f"    source: {source(rows[s])}\n"
        )
    parts.append(
        "\n# power_w is the whole draw of a server that runs this network alone.\nprofiles:\n"
    )
    for network in NETWORKS:
        parts.append(f"  {network}:\n")
        parts += [option(s, rows[s][network]) for s in servers if network in rows[s]]
    parts.append("\n# The mix: parts of all samples per second.\njobs:\n")
    parts += [
        f"  - {{name: {network}, profile: {network}, share: {shares[network]!r}}}\n"
        for network in NETWORKS
    ]
    return "".join(parts)


def mix(rows: dict[Server, dict[str, Record]]) -> dict[str, float]:
    """Return the share of each network, as full-precision fractions that sum to 1.

    The share is in inverse proportion to the geometric mean, over the servers that run all five
    networks, of the energy of a sample.
    """
    general = [r for r in rows.values() if len(r) == len(NETWORKS)]
    weight = {}
    for network in NETWORKS:
        logs = [
            math.log(float(r[network]["power_w"]) / float(r[network]["throughput_sps"]))
            for r in general
        ]
        weight[network] = math.exp(-math.fsum(logs) / len(logs))
    total = math.fsum(weight.values())
    return {network: w / total for network, w in weight.items()}


def one_times_demand(
    rows: dict[Server, dict[str, Record]], idle: dict[Server, float], shares: dict[str, float]
) -> tuple[Server, float, float]:
    """Return the best single server type, its power cap (W), and the samples/s it reaches there.

    The cap of a type is its idle power and the largest power of its rows. With n servers on, the
    total rate is limited by their time and by the power that idling leaves.
    """
    best: tuple[Server, float, float] | None = None
    for server, by_network in rows.items():
        if len(by_network) < len(NETWORKS):
            continue
        time = {n: 1 / float(r["throughput_sps"]) for n, r in by_network.items()}
        power = {n: float(r["power_w"]) for n, r in by_network.items()}
        cap = idle[server] + max(power.values())
        busy = math.fsum(shares[n] * time[n] for n in NETWORKS)
        energy = math.fsum(shares[n] * time[n] * (power[n] - idle[server]) for n in NETWORKS)
        rate = max(
            min(on / busy, (cap - on * idle[server]) / energy)
            for on in range(1, int(cap / idle[server]) + 1)
        )
        if best is None or rate > best[2]:
            best = (server, cap, rate)
    if best is None:
        raise SystemExit("No server runs all five networks.")
    return best


def option(server: Server, row: Record) -> str:
    """Return one line of a profile: time of a sample, whole power, 99th percentile latency."""
    time = 1 / float(row["throughput_sps"])
    latency = float(row["p99_ms"]) / 1000
    preview = ", preview: true" if row["status"] == "preview" else ""
    return (
        f"    - {{device: {server.name}, time_s: {time!r}, power_w: {float(row['power_w'])!r}, "
        f"latency_s: {latency:.9g}{preview}}}\n"
    )


def source(rows: dict[str, Record]) -> str:
    """Return the folder that holds the results of one system."""
    return next(iter(rows.values()))["source"].split("/results/")[0] + (
        "/results/" + next(iter(rows.values()))["source"].split("/results/")[1].split("/")[0]
    )


def header(
    servers: Sequence[Server], rows: dict[Server, dict[str, Record]], best: Server, cap: float
) -> str:
    """Return the comment that says where every figure comes from."""
    general = [s.name for s in servers if len(rows[s]) == len(NETWORKS)]
    only = [s for s in servers if len(rows[s]) < len(NETWORKS)]
    partly = "; ".join(f"{s.name} runs {', '.join(rows[s])} only" for s in only)
    text = HEADER.format(
        general=", ".join(general), partly=partly, best=best.name, cap=f"{cap:.4f}"
    )
    lines = ["# yaml-language-server: $schema=../docs/instance.schema.json", "#"]
    for paragraph in text.split("\n\n"):
        lines += [*textwrap.wrap(paragraph, 98, initial_indent="# ", subsequent_indent="# "), "#"]
    lines += ["# Questions:"]
    file = "mlperf-v3.0-server-h100" if H100 in servers else "mlperf-v3.0-server"
    for flags in (
        "--objective power --demand 4",
        "--objective throughput --power-cap 50kW",
    ):
        lines.append(f"#   hetopt compare instances/{file}.yaml {flags}")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    main()
