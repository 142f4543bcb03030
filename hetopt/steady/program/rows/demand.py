"""What routes serve: the demand of each job, in slices, and on which kind of unit."""

from __future__ import annotations

import pulp

from hetopt.steady.program.rows.stream_variables import StreamVariables


def demand(model: StreamVariables) -> None:
    """Σ_{r of j} y_r = θ; from min_share_j to 1 where value is an objective."""
    for job, mine in enumerate(model.of_job):
        if not model.rate[job] > 0:
            # Nothing is asked of the job in this scenario.
            for r in mine:
                model.share[r].bounds(0, 0)
            continue
        served = pulp.LpAffineExpression([(model.share[r], 1.0) for r in mine])
        if not model.question.value:
            model.add_row(served == model.theta, f"demand_{job}")
            continue
        least = float(model.instance.jobs.min_share[job])
        model.add_row(served <= 1, f"demand_{job}")
        if least > 0:
            model.add_row(served >= least, f"minshare_{job}")


def slices(model: StreamVariables) -> None:
    """S_j y_r = c_r."""
    for job, mine in enumerate(model.of_job):
        parts = int(model.instance.jobs.slices[job])
        for r in mine if parts else ():
            model.slices[r] = model.variable(f"c_{r}", 0, parts, "Integer")
            model.add_row(model.share[r] * parts == model.slices[r], f"slices_{r}")


def flow(model: StreamVariables) -> None:
    """Σ_{k on d} f_rk = y_r for each device d of route r."""
    for (r, device), serving in model.serving.items():
        if len(serving) > 1:
            parts = pulp.LpAffineExpression([(model.flow[r, k], 1.0) for k in serving])
            model.add_row(parts == model.share[r], f"flow_{r}_{device}")
    # A route that no kind of unit can take on one of its devices serves nothing.
    for r, route in enumerate(model.routes):
        if any((r, device) not in model.serving for device in route.busy_s):
            model.share[r].bounds(0, 0)
