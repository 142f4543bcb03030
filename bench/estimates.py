"""How far estimates are off: each processor left out of what they are made of, in turn.

python -m bench.estimates [--shared FOLDER] [--docs FILE]     tables in Markdown, or into a page
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.estimate_data import NEUSIGHT, TIMM, Case, neusight_cases, timm_cases
from hetopt.profiling.capabilities import capability
from hetopt.profiling.efficiencies import Efficiency, launch_s, shipped
from hetopt.profiling.roofline import Estimate, estimate

BEGIN, END = "<!-- made by python -m bench.estimates -->", "<!-- end of estimates -->"
REPO = Path(__file__).resolve().parents[1]


def without(device: str) -> tuple[Efficiency, ...]:
    """Return what ships, less what was measured on a processor."""
    return tuple(row for row in shipped() if row.device != device)


def left_out(cases: Sequence[Case]) -> list[tuple[Case, Estimate]]:
    """Estimate each case from other processors alone."""
    rows = {device: without(device) for device in dict.fromkeys(c.device for c in cases)}
    return [(c, estimate(c.works, c.device, calibration=rows[c.device])) for c in cases]


def transferred(cases: Sequence[Case]) -> list[tuple[Case, Estimate]]:
    """Estimate each case with the same network's times on the other processors of its kind."""
    rows = {device: without(device) for device in dict.fromkeys(c.device for c in cases)}
    times: dict[tuple[str, str], dict[str, float]] = {}
    for case in cases:
        kind = capability(case.device).kind
        times.setdefault((kind, case.name), {})[case.device] = case.time_s
    found = []
    for case in cases:
        others = dict(times[capability(case.device).kind, case.name])
        del others[case.device]
        made = estimate(case.works, case.device, calibration=rows[case.device], measured=others)
        found.append((case, made))
    return found


def plain(case: Case) -> float:
    """Return the roofline alone, as if every fraction were 1."""
    device = capability(case.device)
    launched = launch_s(device) * sum(w.launches for w in case.works)
    return launched + sum(device.roofline_s(w) for w in case.works)


def error(case: Case, time_s: float) -> float:
    """Return the relative error."""
    return abs(time_s / case.time_s - 1)


def coverage(pairs: Iterable[tuple[Case, Estimate]]) -> float:
    """Return the share of cases whose measured time lies in the interval."""
    return statistics.fmean(e.time_low_s <= c.time_s <= e.time_high_s for c, e in pairs)


def width(pairs: Iterable[tuple[Case, Estimate]]) -> str:
    """Return the median ends of the interval, relative to the estimate."""
    chosen = [*pairs]
    low = statistics.median(e.time_low_s / e.time_s for _, e in chosen)
    high = statistics.median(e.time_high_s / e.time_s for _, e in chosen)
    return f"{low - 1:+.0%} to {high - 1:+.0%}"


def by_device(pairs: Sequence[tuple[Case, Estimate]]) -> dict[str, list[tuple[Case, Estimate]]]:
    """Return cases by processor, in order of appearance."""
    groups: dict[str, list[tuple[Case, Estimate]]] = {}
    for case, made in pairs:
        groups.setdefault(case.device, []).append((case, made))
    return groups


def mean_error(pairs: Iterable[tuple[Case, Estimate]]) -> float:
    """Return the mean relative error."""
    return statistics.fmean(error(c, e.time_s) for c, e in pairs)


def one_factor(cases: Sequence[Case]) -> Callable[[Case], float]:
    """Return a roofline with one factor, the geometric mean over the other processors' cases."""
    logs = [(c.device, math.log(c.time_s / plain(c))) for c in cases]

    def predict(case: Case) -> float:
        others = [value for device, value in logs if device != case.device]
        return plain(case) * math.exp(statistics.fmean(others))

    return predict


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]


def neusight_table(data: Path) -> str:
    """Return the table of the 54 forward passes."""
    import pandas as pd

    cases = neusight_cases(data)
    pairs = left_out(cases)
    peers = pd.read_csv(data / "neusight_inference.csv")
    factor = one_factor(cases)
    lines = _head(
        *("processor", "cases", "hetopt", "roofline × one factor", "roofline", "NeuSight"),
        *("Habitat", "Li", "90 % interval holds", "its ends"),
    )
    groups = by_device(pairs)
    names = {v: k for k, v in NEUSIGHT.items()}
    for device, group in [*groups.items(), ("all", pairs)]:
        theirs = peers if device == "all" else peers[peers.gpu == names[device]]
        cells = [mean_error(group)]
        cells.append(statistics.fmean(error(c, factor(c)) for c, _ in group))
        cells.append(statistics.fmean(error(c, plain(c)) for c, _ in group))
        cells += [
            float((theirs[column] / theirs.measured_ms - 1).abs().mean())
            for column in ("neusight_ms", "habitat_ms", "li_ms")
        ]
        numbers = " | ".join(f"{cell:.1%}" for cell in cells)
        name = "**all**" if device == "all" else capability(device).name
        lines.append(
            f"| {name} | {len(group)} | {numbers} | {coverage(group):.0%} | {width(group)} |"
        )
    return "\n".join(lines)


def timm_table(data: Path) -> str:
    """Return the table of image networks."""
    cases = timm_cases(data)
    alone, helped = left_out(cases), transferred(cases)
    factor: dict[str, Callable[[Case], float]] = {}
    for kind in ("cpu", "gpu"):
        factor[kind] = one_factor([c for c in cases if capability(c.device).kind == kind])
    lines = _head(
        *("processor", "networks", "hetopt", "roofline × one factor", "90 % interval holds"),
        *("its ends", "the network known elsewhere", "interval holds", "its ends"),
    )
    both = by_device(helped)
    for device, group in [*by_device(alone).items(), ("all", alone)]:
        other = helped if device == "all" else both[device]
        single = statistics.fmean(error(c, factor[capability(c.device).kind](c)) for c, _ in group)
        name = "**all**" if device == "all" else capability(device).name
        lines.append(
            f"| {name} | {len(group)} | {mean_error(group):.1%} | {single:.1%} "
            f"| {coverage(group):.0%} | {width(group)} "
            f"| {mean_error(other):.1%} | {coverage(other):.0%} | {width(other)} |"
        )
    assert set(both) == set(TIMM.values())
    return "\n".join(lines)


def fractions_table() -> str:
    """Return the fractions that ship, a row a processor and precision."""
    groups: dict[tuple[str, str], list[Efficiency]] = {}
    for row in shipped():
        groups.setdefault((row.device, row.precision or "power"), []).append(row)
    lines = ["| processor | precision | fractions of the roofline | source |", "|---|---|---|---|"]
    for (device, precision), rows in groups.items():
        shown = ", ".join(f"{r.operator} {r.fraction:.2f}" for r in rows)
        sources = "; ".join(dict.fromkeys(f"{r.source} ({r.licence})" for r in rows))
        lines.append(f"| {capability(device).name} | {precision} | {shown} | {sources} |")
    return "\n".join(lines)


def tables(data: Path) -> str:
    """Return all tables, with headings."""
    return (
        "### Language models on GPUs\n\n"
        f"{neusight_table(data)}\n\n"
        "### Image networks on CPUs and GPUs\n\n"
        f"{timm_table(data)}\n\n"
        "### Fractions that ship\n\n"
        f"{fractions_table()}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimates", description=__doc__)
    shared = os.environ.get("HETOPT_SHARED") or REPO.parent / "shared"
    parser.add_argument("--shared", type=Path, default=Path(shared))
    parser.add_argument("--docs", type=Path)
    parsed = parser.parse_args(arguments)
    made = tables(parsed.shared / "data")
    if parsed.docs is None:
        print(made)
        return 0
    text = parsed.docs.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    parsed.docs.write_text(f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
