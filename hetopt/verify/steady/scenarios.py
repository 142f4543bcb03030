"""Checks of a plan for several scenarios: each like a plan of its own, then what joins them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance
from hetopt.solution import ScenarioPlan
from hetopt.verify.exact import exceeds, fraction
from hetopt.verify.report import Findings, Mode, show
from hetopt.verify.steady.check import check_steady
from hetopt.verify.steady.investment import begins, counts, one_period
from hetopt.verify.steady.least_load import check_same_part
from hetopt.verify.steady.periods import check_ties


def check_scenarios(
    instance: Instance, plan: ScenarioPlan, findings: Findings
) -> tuple[dict[str, float], Mode]:
    """Check every scenario and the fleet that they share; return objectives and arithmetic."""
    scenarios = instance.scenarios
    if len(plan.plans) != len(scenarios):
        findings.add(
            "scenarios",
            f"The plan is for {len(plan.plans)} scenarios; the instance has {len(scenarios)}.",
        )
        return {}, "float"
    what = "Period" if len(instance.periods) else "Scenario"
    modes: list[Mode] = []
    values: list[dict[str, float]] = []
    for s, part in enumerate(plan.plans):
        name = str(scenarios.name[s])
        own = Findings()
        found, mode = check_steady(one_period(instance, s), part, own)
        for violation in own.violations():
            text = f"{what} {name}: {violation.message}"
            findings.add(violation.kind, text, violation.subject)
        if found and instance.periods.invest:
            found["cost"] *= counts(instance, begins(instance)[s])
        values.append(found)
        modes.append(mode)
    if any(not found for found in values):
        return {}, "float"
    _check_fleet(instance, plan, findings)
    if instance.devices.min_load.any() and "throughput" in instance.objective:
        check_same_part(instance, values, findings)
    objectives = _means(instance, values)
    if len(instance.periods):
        objectives |= check_ties(instance, plan, values, objectives, findings)
    if exceeds(objectives["cost"], instance.limits.budget_per_s):
        findings.add(
            "budget",
            f"The mean cost of the scenarios is {show(objectives['cost'])} per second; the budget "
            f"is {show(instance.limits.budget_per_s)}.",
        )
    return objectives, "float" if "float" in modes else modes[0]


def _check_fleet(instance: Instance, plan: ScenarioPlan, findings: Findings) -> None:
    """Check that all scenarios have the same units, but where they are bought over time."""
    names = instance.scenarios.name
    if instance.periods.invest:
        return
    had = [np.asarray(part.units_had) for part in plan.plans]
    for s in range(1, len(had)):
        for d in np.flatnonzero(had[s] != had[0]).tolist():
            findings.add(
                "scenario-fleet",
                f"Scenario {names[0]} has {had[0][d]} units of {instance.devices.name[d]}, "
                f"scenario {names[s]} {had[s][d]}; all share one fleet.",
                instance.devices.name[d],
            )


def _means(instance: Instance, values: list[dict[str, float]]) -> dict[str, float]:
    """Return means by weight; throughput from the least scale of all scenarios."""
    weight = [fraction(float(w)) for w in instance.scenarios.weight]
    demand = [
        sum((fraction(float(r)) for r in rates), Fraction(0))
        for rates in instance.scenarios.rate_per_s
    ]
    result = {
        name: _mean(weight, [v[name] for v in values]) for name in ("power", "cost", "carbon")
    }
    if all("value" in v for v in values):
        result["value"] = _mean(weight, [v["value"] for v in values])
    scale = min(v["throughput"] / float(d) for v, d in zip(values, demand, strict=True))
    result["throughput"] = scale * _mean(weight, [float(d) for d in demand])
    rated = [(w, v["accuracy"]) for w, v in zip(weight, values, strict=True) if "accuracy" in v]
    if sum(w for w, _ in rated) > 0:
        result["accuracy"] = _mean([w for w, _ in rated], [a for _, a in rated])
    return result


def _mean(weight: list[Fraction], values: list[float]) -> float:
    parts = (float(w) * v for w, v in zip(weight, values, strict=True))
    return math.fsum(parts) / float(sum(weight))
