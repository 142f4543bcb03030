"""An hour of Azure's requests on two generations of GPUs: each policy beside the proven bound.

python -m bench.azure [--shared FOLDER] [--docs FILE]     tables in Markdown, or into a page

The fleet is ``instances/llm-two-generations.yaml``; requests are those of
``data/azure_llm_2023.csv`` of the reference data (Azure/AzurePublicDataset, CC BY 4.0).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import hetopt
from hetopt.simulate import Simulation

BEGIN, END = "<!-- made by python -m bench.azure -->", "<!-- end of azure -->"
REPO = Path(__file__).resolve().parents[1]
POLICIES = ("plan", "greedy", "energy-greedy", "price", "rolling", "homogeneous")
START_UP, DELTA = "30 s", "10 s"
"""140 GB of weights at some 5 GB/s; how often the policy that plans anew looks."""
HEADS = (
    "| policy | energy | / bound | saved of what it leaves | p50 | p99 | misses | units on | loop |"
)
PARTS = {"conv": "conversations", "all": "conversations and coding"}


@dataclass(frozen=True)
class Hour:
    """One simulation, and the seconds that it took with its solves."""

    name: str
    simulation: Simulation
    seconds: float

    def saved(self, policy: str) -> float:
        """Part of what the bound leaves below the static fleet that a policy saves."""
        static = self.simulation.mean("plan", "energy_j")
        bound = self.simulation.bounds[0].energy_j
        return (static - self.simulation.mean(policy, "energy_j")) / (static - bound)


def hour(trace: Path, part: str, policies: Sequence[str] = POLICIES) -> Hour:
    """Simulate the hour, or the conversations of it."""
    frame = pd.read_csv(trace)
    if part != "all":
        frame = frame[frame.service == part]
    instance = hetopt.read_instance("llm-two-generations")
    began = time.perf_counter()
    simulation = hetopt.simulate(
        instance, policies=policies, arrivals=frame, start_up=START_UP, delta=DELTA
    )
    return Hour(part, simulation, time.perf_counter() - began)


def table(found: Hour) -> str:
    """Return one row a policy, in Markdown."""
    simulation = found.simulation
    lines = [HEADS, "|---" * HEADS.count("| ") + "|"]
    for policy in simulation.policies:
        mean = {n: simulation.mean(policy, n) for n in ("energy_j", "p50_latency_s", "misses")}
        outcome = next(o for o in simulation.outcomes if o.policy == policy)
        lines.append(
            f"| `{policy}` | {mean['energy_j'] / 3.6e6:.2f} kWh "
            f"| {simulation.over_bound(policy):.3f} | {found.saved(policy):.0%} "
            f"| {mean['p50_latency_s']:.1f} s | {simulation.mean(policy, 'p99_latency_s'):.1f} s "
            f"| {mean['misses']:.2%} | {simulation.mean(policy, 'mean_units_on'):.1f} "
            f"| {outcome.wall_time_s:.2f} s |"
        )
    bound = simulation.bounds[0].energy_j / 3.6e6
    lines.append(f"| proven bound | {bound:.2f} kWh | 1 | 100 % | | | | | |")
    lines += [f"\n`{policy}`: {why}" for policy, why in simulation.failed.items()]
    return "\n".join(lines)


def text(shared: Path) -> str:
    """Return both tables with their headings."""
    trace = shared / "data" / "azure_llm_2023.csv"
    parts = []
    for part, name in PARTS.items():
        found = hour(trace, part)
        count = len(found.simulation.requests)
        parts.append(f"{count:,} {name}:\n\n{table(found)}")
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    shared = os.environ.get("HETOPT_SHARED") or REPO.parent / "shared"
    parser.add_argument("--shared", type=Path, default=Path(shared), help="reference data")
    parser.add_argument("--docs", type=Path, help="page whose part between the marks is rewritten")
    given = parser.parse_args()
    made = text(given.shared)
    if given.docs is None:
        print(made)
        return
    page = given.docs.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    given.docs.write_text(f"{head}{BEGIN}\n\n{made}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
