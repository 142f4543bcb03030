"""Look for results that cannot be true: each is a bug of a reader, of a solver, or of a table."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.peers.command import read_titled

TOLERANCE = 1e-6
"""Relative: what counts as a gap of 0 in hetopt."""


def check(paths: Sequence[Path]) -> int:
    """Print every impossible result of some tables; return 1 if there is any, else 0.

    Crashed runs are listed too, as a reminder, but do not count.
    """
    rows = read_titled(paths)
    wrong = impossible(rows)
    for text in wrong:
        print(text)
    crashed = [row for row in rows if row["status"] == "error"]
    for row in crashed:
        print(f"{_name(row)} crashed: {row['error']}", file=sys.stderr)
    print(f"{len(rows)} runs, {len(wrong)} impossible, {len(crashed)} crashed.")
    return 1 if wrong else 0


def impossible(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for every claim that contradicts another one.

    Held against each other: bound and best-known value; objective and proven lower bound; bound
    and objective of all runs of a case, whatever their solver; ``optimal`` and a better plan;
    ``infeasible`` and any plan.
    """
    found = []
    for group in _by_case(rows):
        found += [text for row in group for text in _against_known(row)]
        found += _against_each_other(group)
    return found


def _by_case(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        if row["status"] not in ("error", "unsupported"):
            groups.setdefault((row["family"], row["instance"], row["measure"]), []).append(row)
    return list(groups.values())


def _against_known(row: dict[str, Any]) -> list[str]:
    found = []
    sign = -1 if row["sense"] == "max" else 1
    if _beyond(sign * row["bound"], sign * row["best_known"]):
        found.append(
            f"{_name(row)}: the bound {row['bound']:.9g} is beyond the best-known value "
            f"{row['best_known']:.9g}."
        )
    if _beyond(sign * row["known_bound"], sign * row["objective"]):
        found.append(
            f"{_name(row)}: the plan of {row['objective']:.9g} is better than the proven bound "
            f"{row['known_bound']:.9g} allows."
        )
    if row["status"] == "infeasible" and not math.isnan(row["best_known"]):
        found.append(
            f"{_name(row)}: infeasible, although {row['best_known']:.9g} is known to be reached."
        )
    return found


def _against_each_other(group: list[dict[str, Any]]) -> list[str]:
    """Hold each bound against the best plan of all runs of the same case."""
    planned = [row for row in group if not math.isnan(row["objective"])]
    if not planned:
        return []
    sign = -1 if group[0]["sense"] == "max" else 1
    best = min(planned, key=lambda row: sign * row["objective"])
    found = []
    for row in group:
        if _beyond(sign * row["bound"], sign * best["objective"]):
            found.append(
                f"{_name(row)}: the bound {row['bound']:.9g} is beyond the plan of "
                f"{best['objective']:.9g} that {best['solver']} found."
            )
        elif row["status"] == "optimal" and _beyond(
            sign * row["objective"], sign * best["objective"]
        ):
            found.append(
                f"{_name(row)}: {row['objective']:.9g} is called optimal, and {best['solver']} "
                f"found {best['objective']:.9g}."
            )
        elif row["status"] == "infeasible":
            found.append(f"{_name(row)}: infeasible, and {best['solver']} found a plan.")
    return found


def _beyond(value: float, limit: float) -> bool:
    """Whether a value is larger than a limit by more than rounding (False where one is NaN)."""
    return value - limit > TOLERANCE * max(abs(value), abs(limit))


def _name(row: dict[str, Any]) -> str:
    return f"{row['family']}/{row['instance']} by {row['solver']}, seed {row['seed']:.0f}"
