"""The independent checker: everything about a plan, from the plan and the instance alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hetopt.constants import GAP_TOLERANCE, LIMIT_TOLERANCE
from hetopt.instance import Instance, is_maximised
from hetopt.solution import ScenarioPlan, SchedulePlan, Solution, SteadyPlan
from hetopt.verify.report import Findings, Mode, Report, show


def verify(
    instance: Instance,
    plan: object,
    claimed: Mapping[str, float] | None = None,
    *,
    bounds: Mapping[str, float] | None = None,
    status: str | None = None,
) -> Report:
    """Check a plan against an instance, and what is claimed about it.

    Every rule of docs/quantities.md is counted anew, without code of ``evaluate`` or the solvers.
    Floats are read as the decimals that ``repr`` prints; a limit is violated beyond
    ``LIMIT_TOLERANCE`` × the scale of its quantity: the limit itself, of times the latest end in
    the plan.

    Parameters
    ----------
    plan
        A ``SchedulePlan``, ``SteadyPlan`` or ``ScenarioPlan``. However malformed it is, the answer
        is a report.
    claimed
        Values of objectives that a result states, by name; compared with the recomputed ones
        within ``LIMIT_TOLERANCE`` × their scale: the value itself, of tardiness the makespan for
        each job, by its weight; of prices over time all energy at the dearest price, more where
        runs are so short that the rounding of a late time is a part of them. NaN claims nothing.
    bounds
        Bounds that a result states, by name of objective; NaN states none.
    status
        The status that a result states: ``optimal`` needs, for each objective in ``claimed`` or
        ``bounds``, a bound within ``GAP_TOLERANCE``, and ``infeasible`` cannot come with a plan.

    Returns
    -------
    Report
        All violations and the recomputed objectives.
    """
    findings = Findings()
    objectives: dict[str, float] = {}
    priced: dict[str, float] = {}
    mode: Mode = "float"
    steady = ScenarioPlan if len(instance.scenarios) else SteadyPlan
    if isinstance(plan, SchedulePlan if instance.regime == "schedule" else steady):
        objectives, priced, mode = _check(instance, plan, findings)
    else:
        findings.add(
            "wrong-regime",
            f"The instance is of the {instance.regime} regime and has {len(instance.scenarios)} "
            f"scenarios, but the plan is a {type(plan).__name__}.",
        )
    scales = _scales(instance, objectives) | priced
    _check_claims(objectives, scales, claimed or {}, findings)
    _check_bounds(objectives, scales, claimed or {}, bounds or {}, status, findings)
    return Report(findings.violations(), objectives, mode)


def verify_solution(instance: Instance, solution: Solution) -> Report:
    """Check a solution: its plan, objectives, bounds and status.

    A solution without a plan has nothing that could be checked; its report is empty.
    """
    if solution.plan is None:
        return Report((), {}, "float")
    names = solution.objective_names
    return verify(
        instance,
        solution.plan,
        dict(zip(names, solution.objectives, strict=False)),
        bounds=dict(zip(names, solution.bounds, strict=False)),
        status=solution.status,
    )


def _check(
    instance: Instance, plan: SchedulePlan | SteadyPlan | ScenarioPlan, findings: Findings
) -> tuple[dict[str, float], dict[str, float], Mode]:
    """Return objectives, the scales of those that prices over time make, and the arithmetic."""
    # Only the regime at hand is loaded.
    if isinstance(plan, SchedulePlan):
        from hetopt.verify.schedule.check import check_schedule
        from hetopt.verify.schedule.cyclic import check_repeated
        from hetopt.verify.schedule.optional import without_left_out, worth

        cyclic = math.isfinite(instance.limits.cycle_s)
        part, plan, runs = without_left_out(instance, plan, findings)
        found = (check_repeated if cyclic else check_schedule)(part, plan, findings)
        if "value" in instance.objective and found[0]:
            found[0]["value"] = worth(instance, runs)
        return found
    if isinstance(plan, ScenarioPlan):
        from hetopt.verify.steady.scenarios import check_scenarios

        objectives, mode = check_scenarios(instance, plan, findings)
        return objectives, {}, mode
    from hetopt.verify.steady.check import check_steady

    objectives, mode = check_steady(instance, plan, findings)
    return objectives, {}, mode


def _scales(instance: Instance, objectives: Mapping[str, float]) -> dict[str, float]:
    """Return the size of what each objective is computed from, at least its own."""
    scales = {name: abs(value) for name, value in objectives.items()}
    if "tardiness" in scales:
        # A difference of two times: it may be 0, or almost, where they are large.
        weights = math.fsum(instance.jobs.weight[instance.jobs.due_s < math.inf])
        scales["tardiness"] = max(scales["tardiness"], weights * objectives["makespan"])
    return scales


def _check_claims(
    objectives: Mapping[str, float],
    scales: Mapping[str, float],
    claimed: Mapping[str, float],
    findings: Findings,
) -> None:
    for name, value in claimed.items():
        if math.isnan(value):
            continue
        if name not in objectives:
            findings.add(
                "claimed-objective",
                f"The result states {name} {show(value)}, but the plan does not determine it.",
                name,
            )
        elif not abs(value - objectives[name]) <= LIMIT_TOLERANCE * scales[name]:
            findings.add(
                "claimed-objective",
                f"The result states {name} {value!r}, but the plan's is {objectives[name]!r}.",
                name,
            )


def _check_bounds(
    objectives: Mapping[str, float],
    scales: Mapping[str, float],
    claimed: Mapping[str, float],
    bounds: Mapping[str, float],
    status: str | None,
    findings: Findings,
) -> None:
    if status == "infeasible":
        findings.add("status", "The result says infeasible, but it has a plan.")
    for name in dict.fromkeys((*claimed, *bounds)):
        if name not in objectives:
            continue
        value, bound = objectives[name], bounds.get(name, math.nan)
        beyond = value - bound if is_maximised(name) else bound - value
        allowed = max(GAP_TOLERANCE * abs(value), LIMIT_TOLERANCE * scales[name])
        if beyond > allowed:
            findings.add(
                "bound-beyond-plan",
                f"The result states the bound {show(bound)} for {name}, but the plan reaches "
                f"{show(value)}.",
                name,
            )
        elif status == "optimal" and not abs(beyond) <= allowed:
            findings.add(
                "status",
                f"The result says optimal, but for {name} the bound {show(bound)} does not prove "
                f"the plan's {show(value)}.",
                name,
            )
