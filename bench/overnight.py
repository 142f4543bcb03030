"""The benchmark page, as a referee wants it, in pieces that go on where they were stopped.

``python -m bench overnight -o page.csv`` runs `CASES` cases of each family (all, where there are
fewer), evenly spaced: hetopt with `SEEDS` seeds, and every peer that is installed with one, for
`LIMIT_S` seconds each on two threads. It says first how many hours that takes at most.
``--hours 2`` runs a piece of two hours; called again it goes on. Families take turns, so that each
has something wherever it ends.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from bench.cases import FAMILIES, Case, cases, missing
from bench.peers import PEERS
from bench.peers import missing as lacking
from bench.rows import Table, key_of
from bench.run import Plan, run, select

CASES, SEEDS, LIMIT_S, WORKERS = 10, 3, 20.0, 2
HOUR_S = 3600.0


def overnight(
    path: Path,
    hours: float = math.inf,
    families: Sequence[str] = (),
    cases_each: int = CASES,
    limit_s: float = LIMIT_S,
    command: str = "",
) -> int:
    """Run what the table lacks, for so many hours at most; return the runs that are left."""
    chosen = _cases(families, cases_each)
    peers = [peer for peer in PEERS if not lacking(peer)]
    for peer in PEERS:
        if why := lacking(peer):
            _say(f"Without {peer}: {why}")
    own = Plan(chosen, ["hetopt"], SEEDS, limit_s, WORKERS, command)
    others = Plan(chosen, ["hetopt", *peers], 1, limit_s, WORKERS, command)
    left = _left(path, own, others)
    _say(
        f"{len(chosen)} cases of {len({c.family for c in chosen})} families: {left} runs of at "
        f"most {limit_s:g} s are left, {left * limit_s / HOUR_S:.1f} hours at most."
    )
    until = time.monotonic() + hours * HOUR_S
    for plan in (others, own):
        if peers or plan is own:
            run(plan, path, until=until)
    left = _left(path, own, others)
    _say(f"{left} runs are left; the same command goes on." if left else "Everything has been run.")
    return left


def _cases(families: Sequence[str], most: int) -> list[Case]:
    found = []
    for name in families or [f for f in FAMILIES if f not in ("generated",)]:
        if why := missing(name):
            _say(f"Family {name} is left out: {why}")
        else:
            found.append(select(cases(name), limit=most))
    return [case for turn in zip_longest(*found) for case in turn if case is not None]


def _left(path: Path, *plans: Plan) -> int:
    done = Table(path).done() if path.exists() else set()
    wanted = {
        key_of(
            {
                "family": case.family,
                "instance": case.instance,
                "solver": solver,
                "seed": seed,
                "time_limit_s": plan.time_limit_s,
                "workers": plan.workers,
            }
        )
        for plan in plans
        for case in plan.cases
        for solver in plan.solvers
        for seed in range(plan.seeds)
    }
    return len(wanted - done)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
