"""What several methods say of one instance must fit together, where no enumeration knows it.

No bound may be beyond a plan that the checker accepts, whichever method found either, and where one
proves that there is no plan, none may have one.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.evaluate.slowing import slows
from hetopt.instance import Instance, is_maximised
from hetopt.instance.questions import check_question
from hetopt.solution import contradictions
from hetopt.solve import solve
from hetopt.verify import verify
from tests.oracles.paths import exact

METHODS = ("auto", "heft", "heuristic", "lns")
MORE_OFTEN = 0.3
"""Part of the instances of a campaign that are changed so that they are judged like this."""


def judge_together(instance: Instance, seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Ask several methods about an instance; return what does not fit together."""
    name, wrong = instance.objective[0], list[str]()
    sign = -1.0 if is_maximised(name) else 1.0
    values, bounds, without = [], [], []
    for method in METHODS:
        found = solve(
            replace(instance), method=method, time_limit=time_limit, deterministic=True, seed=seed
        )
        wrong += [f"{method}: {note}" for note in contradictions(found)]
        if found.status == "infeasible":
            without.append(method)
        if found.plan is not None:
            values.append((sign * found.objective, method))
            wrong += [f"{method}: {v.message}" for v in verify(instance, found.plan).violations]
        if not math.isnan(found.bound):
            bounds.append((sign * found.bound, method))
    if without and values:
        wrong.append(f"{without} say that there is no plan, but {min(values)}")
    if values and bounds:
        best, bound = min(values), max(bounds)
        if bound[0] > best[0] + GAP_TOLERANCE * abs(best[0]) + 1e-9:
            wrong.append(f"the bound {bound} of {name} is beyond the plan {best}")
    if wrong:
        return "disagreed", wrong
    return ("agreed infeasible" if without else "agreed"), []


def slowed(instance: Instance, seed: int) -> Instance | None:
    """Return an instance whose capacities slow instead of forbidding; None where it has none."""
    rng = np.random.default_rng([seed, 37])
    res, uses = instance.resources, instance.uses
    finite = np.isfinite(res.capacity)
    made = replace(
        instance,
        resources=replace(
            res,
            sharing=np.where(finite, "slow", "forbid").astype(res.sharing.dtype),
            loss=np.where(finite, rng.choice([0.0, 0.1, 0.3], len(res)), 0.0),
        ),
        uses=replace(uses, amount=np.minimum(uses.amount, res.capacity[uses.resource])),
    )
    return made if slows(made) and math.isinf(made.limits.cycle_s) else None


def with_more(instance: Instance, seed: int) -> Instance | None:
    """Return an instance with what enumeration does not know beside all else; mostly None.

    Capacities that slow, sleep and start-ups, and jobs that may be left out, as far as they go with
    what the instance has.
    """
    rng = np.random.default_rng([seed, 38])
    if rng.random() >= MORE_OFTEN:
        return None
    made = instance
    if len(instance.uses) and rng.random() < 0.6:
        made = slowed(made, seed) or made
    for change in (_sleeping, _optional):
        if rng.random() < 0.6:
            changed = change(made, rng)
            try:
                check_question(changed)
            except InputError:
                continue
            made = changed
    return None if made is instance else made


def _sleeping(instance: Instance, rng: np.random.Generator) -> Instance:
    """Let units sleep in gaps, and take time and energy to go on; times are those of options."""
    devices = instance.devices
    times = instance.options.time_s[instance.options.time_s > 0]
    unit = float(times.min(initial=np.inf)) if len(times) else 1.0
    count = len(devices)
    asleep = np.where(rng.random(count) < 0.7, 0.25 * devices.idle_power_w, np.nan)
    # Products as the decimals that they are, so that a tick divides them.
    wake = np.array([float(exact(unit) * int(k)) for k in rng.integers(0, 3, count)])
    return replace(
        instance,
        devices=replace(
            devices,
            sleep_power_w=np.where(devices.idle_power_w > 0, asleep, np.nan),
            wake_time_s=wake,
            wake_energy_j=wake * devices.idle_power_w * rng.choice([0.0, 0.5, 2.0], count),
            start_up_time_s=np.array(
                [float(exact(unit) * int(k)) for k in rng.integers(0, 2, count)]
            ),
            start_up_energy_j=unit * rng.integers(0, 4, count).astype(np.float64),
        ),
    )


def _optional(instance: Instance, rng: np.random.Generator) -> Instance:
    """Let jobs that no edge joins to others be left out."""
    job, jobs = instance.tasks.job, instance.jobs
    across = job[instance.edges.src] != job[instance.edges.dst]
    joined = np.concatenate([job[instance.edges.src[across]], job[instance.edges.dst[across]]])
    free = ~np.isin(np.arange(len(jobs)), joined) & (rng.random(len(jobs)) < 0.7)
    later = [name for name in instance.objective if name not in ("accuracy", "value")]
    return replace(
        instance,
        jobs=replace(jobs, optional=free, value=rng.integers(0, 5, len(jobs)).astype(np.float64)),
        objective=("value", *later),
    )
