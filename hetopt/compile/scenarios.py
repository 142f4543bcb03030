"""Tables to columns: scenarios of demand, and the rates that jobs have in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.compile.problems import Checker
from hetopt.instance import Jobs, Regime, Scenarios

Table = dict[str, Any]


def make_scenarios(
    home: str,
    table: Table,
    rates: Table,
    jobs: Jobs,
    question: tuple[Regime, str, bool],
    check: Checker,
) -> Scenarios:
    """Return the scenarios; a job without a rate of its own in one has ``demand`` × its rate.

    Parameters
    ----------
    home
        Name of the table: ``scenarios``, or ``periods``.
    table, rates
        What they are, and the table ``rates``.
    question
        Regime, routing, and whether the jobs' rates are more than ratios.
    """
    regime, routing, known = question
    check.unique(home, "name", table["name"])
    count = len(table["name"])
    scenario = check.lookup("rates", "scenario", rates["scenario"], table["name"], home[:-1])
    job = check.lookup("rates", "job", rates["job"], jobs.name, "job")
    if count:
        _check_meaning(home, table, regime, routing, check)
    if not known:
        for row in range(len(rates["job"])):
            text = "A demand_per_s beside the jobs' shares: without one they are ratios only."
            check.add("rates", row, "rate_per_s", rates["rate_per_s"][row], text)
    rate_per_s = table["demand"][:, None] * jobs.rate_per_s[None, :]
    told = np.zeros(rate_per_s.shape, dtype=np.bool_)
    for row in np.flatnonzero((scenario >= 0) & (job >= 0)).tolist():
        at = int(scenario[row]), int(job[row])
        if told[at]:
            check.add("rates", row, "job", rates["job"][row], f"Each job once in a {home[:-1]}.")
        told[at] = True
        rate_per_s[at] = rates["rate_per_s"][row]
    if regime == "steady":
        for row in np.flatnonzero(~(rate_per_s > 0).any(axis=1)).tolist():
            text = f"A job with a rate above 0 in the {home[:-1]}."
            check.add(home, row, "demand", float(table["demand"][row]), text)
    return Scenarios(table["name"], table["weight"], table["demand"], rate_per_s)


def _check_meaning(home: str, table: Table, regime: Regime, routing: str, check: Checker) -> None:
    if regime == "schedule":
        for row in range(len(table["name"])):
            text = "This belongs to the steady regime; the instance is schedule."
            check.add(home, row, "name", table["name"][row], text)
    elif routing == "single":
        check.setting("routing", routing, f"split: one placement cannot differ by {home[:-1]}.")
    if not (table["weight"] > 0).any():
        check.add(home, -1, "weight", "0", "A weight above 0 of at least one scenario.")
