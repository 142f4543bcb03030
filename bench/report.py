"""Tables of results: a family and solver a row, peers against hetopt, and the cases.

Everything is computed from the rows; nothing is left out silently: cases without a plan, crashed
runs and cases that a solver cannot express are counted beside the means that lack them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.peers.command import read_titled

OWN = "hetopt"
TIE = 1e-6
SHIFT_S = 1.0
"""Shift of the geometric mean of times, so that milliseconds do not rule it."""

KINDS = (".md", ".html")
"""Kinds of file that a report is written as."""
Rows = list[dict[str, Any]]


def write_report(paths: Sequence[Path], output: Path | None) -> str:
    """Return the report of some tables of results as Markdown.

    Parameters
    ----------
    paths
        The tables.
    output
        A file, ``.md`` or ``.html`` (with pictures, self-contained), or a folder for both, as
        ``report.md`` and ``report.html``; None: nothing is written.

    Raises
    ------
    ValueError
        If a file is no table of results.
    OSError
        If a file cannot be read or written.
    """
    rows = read_titled(paths)
    text = markdown(rows)
    if output is None:
        return text
    from bench.pictures import page

    kind = output.suffix.lower()
    if kind not in ("", *KINDS):
        raise ValueError(f"{output}: a report is .md, .html, or a folder for both.")
    files = [output] if kind else [output / f"report{suffix}" for suffix in KINDS]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = page(rows, text) if file.suffix.lower() == ".html" else text
        file.write_text(whole, encoding="utf-8")
    return text


def markdown(rows: Rows) -> str:
    """Return all tables, and where and how they were measured."""
    parts = ["# Results\n", origin(rows), "\n## Families\n", families(rows)]
    if any(row["solver"] != OWN for row in rows):
        parts += ["\n## Peers against hetopt\n", against(rows)]
    parts += ["\n## Cases\n", each(rows)]
    return "\n".join(parts) + "\n"


def families(rows: Rows) -> str:
    """A row for each family, solver and commit.

    Gaps are means over the runs that have them; times are medians over the runs with a plan.
    """
    head = (
        "family", "solver", "version", "runs", "plans", "optimal", "gap to best known",
        "proven gap", "first plan", "within 1 %", "time", "memory", "crashed", "unsupported",
    )  # fmt: skip
    lines = []
    for (family, solver, version, commit), group in groups(
        rows, "family", "solver", "hetopt_version", "commit"
    ):
        ran = [r for r in group if r["status"] not in ("error", "unsupported")]
        planned = having(ran, "objective")
        lines.append(
            (
                family,
                solver,
                f"{version} {commit}".strip(),
                str(len(group)),
                str(len(planned)),
                str(sum(r["status"] == "optimal" for r in ran)),
                _mean(ran, "gap_best_known", percent),
                _mean(ran, "gap_proven", percent),
                _middle(planned, "first_plan_s"),
                _middle(planned, "within_1pct_s"),
                _seconds(_shifted_mean([r["end_s"] for r in having(ran, "end_s")])),
                _peak(group),
                str(sum(r["status"] == "error" for r in group)),
                str(sum(r["status"] == "unsupported" for r in group)),
            )
        )
    note = (
        "\nTimes in seconds: medians to the first plan and to within 1 % of the best-known value "
        "(of the run's own last one where none is known), the shifted geometric mean (1 s) to "
        "the end. Memory: the largest process of any run, MiB. A mean over some of the runs only "
        "has their number in brackets.\n"
    )
    return table(head, lines) + note


def against(rows: Rows) -> str:
    """A row for each family and peer: ratios over the pairs of runs that both solved.

    Ratios are geometric means of the peer's value by hetopt's, so above 1 hetopt is better.
    """
    head = ("family", "peer", "pairs", "hetopt better", "equal", "worse", "objective ratio",
            "time ratio", "gap of the peer", "gap of hetopt")  # fmt: skip
    own = {_run_key(r): r for r in rows if r["solver"] == OWN}
    own |= {(*_run_key(r), r["commit"]): r for r in rows if r["solver"] == OWN}
    lines = []
    for (family, solver), group in groups(rows, "family", "solver"):
        if solver == OWN:
            continue
        # Runs of one commit belong together; where there is none, any run of the same case does.
        found = [(r, own.get((*_run_key(r), r["commit"]), own.get(_run_key(r)))) for r in group]
        pairs = [(a, b) for a, b in found if b is not None]
        both = [(a, b) for a, b in pairs if _known(a, "objective") and _known(b, "objective")]
        signs = [-1 if b["sense"] == "max" else 1 for _, b in both]
        wins = [_order(s * b["objective"], s * a["objective"]) for s, (a, b) in
                zip(signs, both, strict=True)]  # fmt: skip
        ratios = [
            (a["objective"] / b["objective"]) ** s
            for s, (a, b) in zip(signs, both, strict=True)
            if a["objective"] > 0 and b["objective"] > 0
        ]
        times = [(a["end_s"] + SHIFT_S) / (b["end_s"] + SHIFT_S) for a, b in both]
        lines.append(
            (
                family,
                solver,
                f"{len(both)} of {len(group)}",
                str(wins.count(-1)),
                str(wins.count(0)),
                str(wins.count(1)),
                _ratio(ratios),
                _ratio(times),
                _mean([a for a, _ in both], "gap_proven", percent),
                _mean([b for _, b in both], "gap_proven", percent),
            )
        )
    note = (
        "\nRatios are geometric means of the peer's value by hetopt's (inverted where more is "
        "better), over the cases where both have a plan: above 1, hetopt is better.\n"
    )
    return table(head, lines) + note


def each(rows: Rows) -> str:
    """A row for each run."""
    head = ("case", "solver", "seed", "status", "objective", "bound", "best known", "gap",
            "proven gap", "time", "note")  # fmt: skip
    lines = [
        (
            f"{r['family']}/{r['instance']}",
            r["solver"],
            f"{r['seed']:.0f}",
            r["status"],
            _figure(r["objective"]),
            _figure(r["bound"]),
            _figure(r["best_known"]) + ("*" if r["known_optimal"] == "1" else ""),
            percent(r["gap_best_known"]),
            percent(r["gap_proven"]),
            _seconds(r["end_s"]),
            r["error"].replace("|", "/"),
        )
        for r in sorted(rows, key=lambda r: (r["family"], r["instance"], r["solver"], r["seed"]))
    ]
    return table(head, lines) + "\n`*`: proven optimal by the source.\n"


def origin(rows: Rows) -> str:
    """Say where, when, with what and by which commands the rows were measured."""
    named = (("commit", "Commits"), ("command", "Commands"), ("machine", "Machines"),
             ("versions", "Versions"))  # fmt: skip
    lines = [f"{len(rows)} runs."]
    days = sorted({r["started"][:10] for r in rows if r["started"]})
    if days:
        lines.append(f"Measured from {days[0]} to {days[-1]}.")
    for column, title in named:
        found = list(dict.fromkeys(r[column] for r in rows if r[column]))
        shown = ", ".join(f"`{v}`" if column in ("commit", "command") else v for v in found)
        lines.append(f"{title}: {shown or 'not known'}.")
    loads = [r["load_1min"] for r in having(rows, "load_1min")]
    if loads:
        lines.append(
            f"Load of the machine before the runs: {min(loads):.1f} to {max(loads):.1f} "
            f"(median {median(loads):.1f}); times mean little on a machine that does other work."
        )
    return "\n".join(f"- {line}" for line in lines) + "\n"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def groups(rows: Rows, *columns: str) -> list[tuple[tuple[str, ...], Rows]]:
    """Group rows by columns, ordered by their values as text."""
    found: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        found.setdefault(tuple(str(row[c]) for c in columns), []).append(row)
    return sorted(found.items())


def _run_key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[c] for c in ("family", "instance", "seed", "time_limit_s", "workers"))


def _known(row: dict[str, Any], column: str) -> bool:
    return not math.isnan(row[column])


def having(rows: Iterable[dict[str, Any]], column: str) -> Rows:
    """Return the rows that have a number in a column."""
    return [row for row in rows if _known(row, column)]


def _order(a: float, b: float) -> int:
    """-1 where a is less than b, 1 where it is more, 0 where they are equal but for rounding."""
    if abs(a - b) <= TIE * max(abs(a), abs(b)):
        return 0
    return -1 if a < b else 1


def _mean(rows: Rows, column: str, form: Callable[[float], str]) -> str:
    values = [r[column] for r in having(rows, column)]
    if not values:
        return ""
    text = form(fmean(values))
    return text if len(values) == len(rows) else f"{text} ({len(values)})"


def _middle(rows: Rows, column: str) -> str:
    values = [r[column] for r in having(rows, column)]
    if not values:
        return ""
    text = _seconds(median(values))
    return text if len(values) == len(rows) else f"{text} ({len(values)})"


def _shifted_mean(values: Sequence[float]) -> float:
    if not values:
        return math.nan
    return math.exp(fmean(math.log(v + SHIFT_S) for v in values)) - SHIFT_S


def _ratio(values: Sequence[float]) -> str:
    return f"{math.exp(fmean(math.log(v) for v in values)):.3f}" if values else ""


def _peak(rows: Rows) -> str:
    values = [r["peak_mb"] for r in having(rows, "peak_mb")]
    return f"{max(values):.0f}" if values else ""


def percent(value: float) -> str:
    """Write a fraction in percent, nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.2%}"


def _seconds(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}"


def _figure(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.7g}"
