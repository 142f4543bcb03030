"""The tables of docs/benchmarks.md: a row a version and family, each with commit and command."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.cases import FAMILIES, cases
from bench.report import OWN, against, groups, having, percent, table
from bench.rows import read_rows

Rows = list[dict[str, Any]]

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
"""Lines of the page between which the tables stand."""

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
    text = tables([row for path in paths for row in read_rows(path)])
    if page is not None:
        old = page.read_text(encoding="utf-8")
        if not 0 <= old.find(BEGIN) < old.find(END):
            raise ValueError(f"{page} has no lines {BEGIN} and {END} to put tables between.")
        before, rest = old.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return text


def tables(rows: Rows) -> str:
    """Return what was measured where, hetopt's figures by family, and the peers'."""
    commands = list(dict.fromkeys(_command(row) for row in rows))
    parts = [_where(rows), by_family(rows, commands)]
    able = [row for row in rows if row["status"] != "unsupported"]
    if any(row["solver"] != OWN for row in able):
        parts.append(against(able))
    parts.append("".join(f"{i}. `{c}`\n" for i, c in enumerate(commands, start=1)))
    return "\n".join(parts)


def by_family(rows: Rows, commands: Sequence[str]) -> str:
    """A row for each version, commit, time limit and family of hetopt's own runs."""
    head = (
        "version", "commit", "family", "limit", "cases", "plans", "proven optimal",
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
                f"{len(group)} of {_published(family)}" + (f", {crashed} crashed" * bool(crashed)),
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
