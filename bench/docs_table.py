"""The tables of docs/benchmarks.md: a row a version and family, each with commit and command."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.cases import FAMILIES, benchmarks, cases, published
from bench.curves import drawing
from bench.peers.command import read_titled
from bench.pictures import gaps_over_time, profiles
from bench.report import OWN, against, groups, having, percent, table

Rows = list[dict[str, Any]]

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
"""Lines of the page between which the tables stand."""

HOUR_S = 3600.0

WON = 1e-6
"""Relative difference up to which a plan counts as good as the best known one."""


def docs_tables(paths: Sequence[Path], page: Path | None = None) -> str:
    """Return the tables of some results; with a page, put them between its marks.

    Raises
    ------
    ValueError
        If a file is no table of results, or the page has no marks.
    OSError
        If a file cannot be read or written.
    """
    rows = read_titled(paths)
    text = tables(rows)
    if page is not None:
        old = page.read_text(encoding="utf-8")
        if not 0 <= old.find(BEGIN) < old.find(END):
            raise ValueError(f"{page} has no lines {BEGIN} and {END} to put tables between.")
        before, rest = old.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        assets = page.parent / "assets"
        assets.mkdir(exist_ok=True)
        for name, text_of in drawings(rows).items():
            (assets / name).write_text(text_of, encoding="utf-8")
        page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return text


def tables(rows: Rows) -> str:
    """Return what was measured where, hetopt's figures by family, and the peers'."""
    commands = list(dict.fromkeys(_command(row) for row in rows))
    parts = [hours(rows), _where(rows), by_family(rows, commands), references(rows)]
    able = [row for row in rows if row["status"] != "unsupported"]
    if any(row["solver"] != OWN for row in able):
        parts += [against(able), failures(rows)]
    parts += [f"![{words}](assets/{name})\n" for name, words in PICTURES.items()]
    parts.append("".join(f"{i}. `{c}`\n" for i, c in enumerate(commands, start=1)))
    return "\n".join(parts)


PICTURES = {
    "benchmark-profile.svg": "Share of runs whose plan is within a factor of the best value known",
    "benchmark-anytime.svg": "Mean gap to the best value known over time",
}
"""Drawings by the name of their file, and what they show."""


def drawings(rows: Rows) -> dict[str, str]:
    """Return the drawings by the names of their files.

    The profile is over cases that hetopt and a peer both ran; a run without a plan stays below.
    """
    both = _with_peers(rows)
    (share, shares), (gap, gaps) = PICTURES.items()
    factor = "factor of the best value known"
    return {
        share: drawing(shares, factor, "share of runs", profiles(both), most_x=1.5),
        gap: drawing(gaps, "seconds", "mean gap", gaps_over_time(both), log=True),
    }


def _with_peers(rows: Rows) -> Rows:
    """Rows of cases that a peer can express, or all where there are none."""
    able = [row for row in rows if row["status"] != "unsupported"]
    asked = {(row["family"], row["instance"]) for row in able if row["solver"] != OWN}
    return [row for row in able if (row["family"], row["instance"]) in asked] or able


def hours(rows: Rows) -> str:
    """Say how long the runs took, first of all."""
    ran = [row for row in rows if row["status"] != "unsupported"]
    spent = math.fsum(row["end_s"] for row in ran if not math.isnan(row["end_s"]))
    cases_run = {(row["family"], row["instance"]) for row in ran}
    families = {family for family, _ in cases_run}
    return (
        f"{len(ran)} runs of {len(cases_run)} cases in {len(families)} families took "
        f"{spent / HOUR_S:.1f} hours of solving. Not run: "
        + ("; ".join(_not_run(cases_run)) or "nothing")
        + ".\n"
    )


def _not_run(cases_run: set[tuple[str, str]]) -> list[str]:
    """Say of each family how many cases were not run."""
    found = []
    for family in FAMILIES:
        most = len(cases(family))
        run = sum(name == family for name, _ in cases_run)
        if run < most:
            found.append(f"{most - run} of {most} of {family}")
    return found


def references(rows: Rows) -> str:
    """Say in which families best-known values come from runs made for the reference data."""
    found = []
    for family in sorted({row["family"] for row in rows}):
        table_of = published(benchmarks() / family)
        known = [row for row in table_of if row.get("best_known")]
        here = sum("measured here" in row.get("source", "") for row in known)
        if here:
            found.append(f"{here} of {len(known)} of {family}")
    if not found:
        return "All best-known values are published ones.\n"
    return (
        f"Best-known values measured for the reference data, not published: {', '.join(found)}.\n"
    )


def failures(rows: Rows) -> str:
    """A row for each peer: what it could not express, where it crashed or found no plan."""
    lines = []
    for (solver,), group in groups(rows, "solver"):
        status = [row["status"] for row in group]
        ran = [row for row in group if row["status"] not in ("unsupported", "error")]
        none = sum(math.isnan(row["objective"]) and row["status"] != "infeasible" for row in ran)
        lines.append(
            (
                solver,
                str(len(group)),
                str(status.count("unsupported")),
                str(status.count("error")),
                str(none),
                str(status.count("optimal")),
            )
        )
    head = ("solver", "runs", "cannot express it", "crashed or wrong", "no plan", "optimal")
    return table(head, lines)


def by_family(rows: Rows, commands: Sequence[str]) -> str:
    """A row for each version, commit, time limit and family of hetopt's own runs."""
    head = (
        "version", "commit", "family", "limit", "cases", "runs", "plans", "proven optimal",
        "at best known", "mean gap to best known", "worst", "mean proven gap", "command",
    )  # fmt: skip
    own = [row for row in rows if row["solver"] == OWN]
    lines = []
    for (version, commit, limit, family), group in groups(
        own, "hetopt_version", "commit", "time_limit_s", "family"
    ):
        planned = having(group, "objective")
        gaps = [row["gap_best_known"] for row in having(planned, "gap_best_known")]
        proven = [row["gap_proven"] for row in having(planned, "gap_proven")]
        crashed = sum(row["status"] == "error" for row in group)
        numbers = {commands.index(_command(row)) + 1 for row in group}
        lines.append(
            (
                version,
                f"`{commit}`",
                family,
                f"{float(limit):g} s",
                f"{len({r['instance'] for r in group})} of {_published(family)}",
                f"{len(group)}" + (f", {crashed} crashed" * bool(crashed)),
                str(len(planned)),
                str(sum(row["status"] == "optimal" for row in group)),
                f"{sum(gap <= WON for gap in gaps)} of {len(gaps)}" if gaps else "",
                percent(fmean(gaps) if gaps else math.nan),
                percent(max(gaps, default=math.nan)),
                percent(fmean(proven) if proven else math.nan),
                ", ".join(map(str, sorted(numbers))),
            )
        )
    return table(head, lines)


def _published(family: str) -> str:
    """Count the cases that a family has here; ? where its data are missing."""
    found = len(cases(family)) if family in FAMILIES else 0
    return str(found or "?")


def _command(row: dict[str, Any]) -> str:
    """Return the command of a row, its table named without its folder."""
    words = shlex.split(row["command"])
    for i, word in enumerate(words[:-1]):
        if word in ("-o", "--output"):
            words[i + 1] = Path(words[i + 1]).name
    return shlex.join(words)


def _where(rows: Rows) -> str:
    """Say on what machine, with which versions and when the rows were measured."""
    days = sorted({row["started"][:10] for row in rows if row["started"]})
    found = ["; ".join(dict.fromkeys(row[c] for row in rows if row[c])) for c in
             ("machine", "versions")]  # fmt: skip
    when = "" if not days else f"{days[0]} to {days[-1]}" if days[0] != days[-1] else days[0]
    return "\n".join(f"- {line}" for line in (*found, when) if line) + "\n"
