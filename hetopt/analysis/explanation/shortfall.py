"""What an infeasible instance lacks, in a few sentences: the limit, its value, what is needed.

Arithmetic first (:mod:`hetopt.analysis.explanation.quick_tests`), scenario by scenario; where it
finds nothing, how much of the demand of each scenario can be served at most, which is a bound that
:func:`hetopt.solve` proves.
"""

from __future__ import annotations

import time
from dataclasses import replace

from hetopt.analysis.explanation.quick_tests.run import screens
from hetopt.instance import Instance
from hetopt.instance.questions import least_shares
from hetopt.solve import SolveOptions, solve_with

MOST = 3
"""Sentences said; ``hetopt explain`` says more."""
GAP = 0.02
"""A bound on what can be served is as good a reason when it is this close."""


def shortfalls(instance: Instance, options: SolveOptions) -> list[str]:
    """Return sentences, each true of every plan, the worst first; none where none was found.

    Parameters
    ----------
    instance
        One that is infeasible.
    options
        How it was solved; at most as long again is spent.
    """
    parts = _parts(instance)
    found = [(s.excess, where + s.text) for where, part in parts for s in screens(part)]
    if found or instance.regime != "steady":
        worst = sorted(found, key=lambda pair: -pair[0])
        return list(dict.fromkeys(text for _, text in worst))[:MOST]
    began = time.monotonic()
    served = []
    for where, part in parts:
        left = options.time_limit_s - (0.0 if options.deterministic else time.monotonic() - began)
        if left <= 0:
            break
        must = part.jobs.rate_per_s * least_shares(part)
        part = replace(part, jobs=replace(part.jobs, rate_per_s=must))
        if not must.any():
            continue
        few = replace(options, time_limit_s=left / 2, gap=max(options.gap, GAP), method="auto")
        bound = solve_with(part.with_objective("throughput"), few).bound
        demand = float(part.jobs.rate_per_s.sum())
        if bound < demand * (1 - 1e-6):
            what = "least shares" if "value" in part.objective else "demand"
            text = (
                f"{where}At most {100 * bound / demand:.3g} % of the {what} can be served "
                f"({bound:.6g} of {demand:.6g} /s), with the units and under the limits there are."
            )
            served.append((bound / demand, text))
    return [text for _, text in sorted(served)[:MOST]]


def _parts(instance: Instance) -> list[tuple[str, Instance]]:
    scenarios = instance.scenarios
    if not len(scenarios):
        return [("", instance)]
    return [
        (f"{instance.when.title()} {scenarios.name[s]}: ", instance.in_scenario(s))
        for s in range(len(scenarios))
    ]
