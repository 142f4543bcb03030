"""What explanations, comparisons and fronts claim of random tiny instances, against oracles.

Every sentence is a statement about an instance with something lifted, moved, left out or held. Each
is put to the exhaustive oracle of the regime, which shares no code with what made it. An instance
that is too hard for the oracle is passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hetopt.analysis.axes import axis_of, step
from hetopt.analysis.compare import Comparison, compare
from hetopt.analysis.explanation import Explanation, Group, explain
from hetopt.analysis.explanation.limits.limit import Limit
from hetopt.analysis.explanation.repairs import Repair
from hetopt.analysis.pareto import Front, pareto
from hetopt.analysis.sensitivity import MIX_FACTOR
from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError
from hetopt.instance import Instance, is_maximised
from hetopt.instance.overrides import (
    keep_options,
    only_option_of,
    restrict,
    scale_idle,
    without_device,
)
from hetopt.instance.questions import check_question, stuck_tasks
from hetopt.solution import CONTRADICTED, contradictions
from hetopt.solve import SolveOptions
from hetopt.verify import verify
from tests.oracles.campaign import Outcome
from tests.oracles.scenario_oracle import scenario_optimum
from tests.oracles.schedule_oracle import TooHardError, schedule_optimum
from tests.oracles.steady_oracle import steady_optimum
from tests.random_schedules import Dice, random_schedule
from tests.random_streams import random_stream

TIME_LIMIT_S = 20.0
MORE_UNITS = 2
"""Units that a lifted number of units grows by here; the claim is about any number."""
MOST_UNITS = 6
"""Units of a device up to which streams are put to the oracle."""
SLACK = 5 * GAP_TOLERANCE
"""Relative difference by which two proven optima may differ."""
FRONT_RESOLUTION = 0.15
"""Relative distance of the points asked for on fronts that are no finite set."""


class Truth:
    """Optimum of an instance by enumeration: the first objective, None where there is no plan."""

    def __init__(self, tick: Fraction | None) -> None:
        self.tick = tick

    def __call__(self, instance: Instance) -> float | None:
        """Return the optimum of the first objective.

        Raises
        ------
        TooHardError
            Where there is too much to enumerate.
        """
        # Where value is among the objectives less than the demand may be served.
        first, *later = instance.objective
        kept = ("value",) if "value" in later and self.tick is None else ()
        instance = replace(instance, objective=(first, *kept))
        if len(stuck_tasks(instance)) or (instance.devices.count_min > _most(instance)).any():
            return None
        if self.tick is not None:
            found = schedule_optimum(instance, self.tick)
        else:
            budgeted = len(instance.scenarios) and np.isfinite(instance.limits.budget_per_s)
            if _most(instance).max() > MOST_UNITS or budgeted:
                raise TooHardError
            found = (scenario_optimum if len(instance.scenarios) else steady_optimum)(instance)
        return None if found is None else float(found[0])

    def any_plan(self, instance: Instance) -> bool:
        """Whether there is a plan at all (of streams: one that serves)."""
        name = "makespan" if self.tick is not None else "power"
        if "value" in instance.objective:
            name = "value"  # less than the demand may be served then
        if "throughput" in instance.objective:
            value = self(replace(instance, objective=("throughput",)))
            return value is not None and value > 0
        return self(replace(instance, objective=(name,))) is not None


def _most(instance: Instance) -> np.ndarray:
    most = instance.devices.count_max
    return np.where(most < 0, np.maximum(instance.devices.count_min, 1), most)


def drawn(seed: int) -> tuple[Instance, Truth]:
    """Return the instance of a seed: a schedule where it is even, else streams."""
    if seed % 2 == 0:
        instance, tick = random_schedule(seed)
        return instance, Truth(tick)
    return random_stream(seed), Truth(None)


def tightened(instance: Instance, truth: Truth, seed: int) -> Instance:
    """Make one or two limits tight in most of the draws, so that they conflict."""
    dice = Dice(np.random.default_rng([seed, 9]))
    limits, jobs, devices = instance.limits, instance.jobs, instance.devices
    for _ in range(dice.pick(0, 1, 1, 2)):
        factor = dice.pick(0.3, 0.5, 0.7)
        what = dice.pick("time", "time", "power", "memory", "supply", "load")
        if what == "time" and truth.tick is not None:
            deadline = [_on_tick(t * factor, truth.tick) for t in jobs.deadline_s.tolist()]
            if not np.isfinite(jobs.deadline_s).any():
                span = float(instance.options.time_s.max() * instance.tasks.work.max())
                deadline = [_on_tick(t + span, truth.tick) for t in jobs.release_s.tolist()]
            jobs = replace(jobs, deadline_s=np.array(deadline))
        elif what == "time":
            jobs = replace(jobs, latency_slo_s=jobs.latency_slo_s * factor)
        elif what == "power":
            limits = replace(limits, power_cap_w=limits.power_cap_w * factor)
            limits = replace(limits, budget_per_s=limits.budget_per_s * factor)
        elif what == "memory":
            devices = replace(devices, memory_b=np.floor(devices.memory_b * factor))
        elif what == "supply":
            budget = instance.resources.budget * factor
            resources = replace(instance.resources, budget=budget)
            instance = replace(instance, resources=resources)
        elif truth.tick is None and limits.demand_known and not len(instance.scenarios):
            jobs = replace(jobs, rate_per_s=jobs.rate_per_s / factor)
    return replace(instance, limits=limits, jobs=jobs, devices=devices)


def _on_tick(time: float, tick: Fraction) -> float:
    if not math.isfinite(time):
        return time
    return float(math.floor(Fraction(repr(time)) / tick) * tick)


# --- explanations -------------------------------------------------------------------------------


def judge_explanation(seed: int) -> Outcome:
    """Explain the instance of a seed; check each sentence."""
    instance, truth = drawn(seed)
    instance = tightened(instance, truth, seed)
    try:
        check_question(instance)
        feasible = truth.any_plan(instance)
        found = explain(instance, options=_options(seed))
        wrong = [*_explained(instance, found, feasible, truth), *_refuted(found.notes)]
    except (TooHardError, InputError) as why:
        return Outcome(seed, "too hard", [str(why)] if isinstance(why, InputError) else [])
    return Outcome(seed, _kind(wrong, found.status), wrong)


def _options(seed: int) -> SolveOptions:
    return SolveOptions(time_limit_s=TIME_LIMIT_S, workers=1, seed=seed)


def _refuted(notes: Iterable[str]) -> list[str]:
    """Return the notes on proofs that a plan refuted: faults, although nothing false was said."""
    return [note for note in notes if CONTRADICTED in note]


def _kind(wrong: list[str], agreed: str) -> str:
    return "disagreed" if wrong else agreed


class Checks(list[str]):
    """Faults; questions that are too hard are counted only."""

    passed_over = 0

    def that(self, claim: Callable[[], bool], text: str) -> None:
        """Note a fault where a claim is false."""
        try:
            if not claim():
                self.append(text)
        except TooHardError:
            self.passed_over += 1


def _explained(instance: Instance, found: Explanation, feasible: bool, truth: Truth) -> Checks:
    checks = Checks()
    if found.status != "unknown" and (found.status == "feasible") != feasible:
        checks.append(f"status {found.status}; by enumeration feasible: {feasible}")
        return checks
    if found.screens and feasible:
        checks.append(f"a plan exists, yet: {found.screens[0].text}")
    if found.status == "infeasible":
        every = {limit.key: limit for group in found.conflicts for limit in _all_of(group)}
        for group in found.conflicts:
            _conflict(checks, instance, group, truth)
        for screen in found.screens:
            _screen(checks, instance, screen.limits, screen.text, every, truth)
        for repair in found.repairs:
            _repair(checks, instance, repair, truth)
    if found.solution is not None and found.plan is not None:
        _plan(checks, instance, found, truth)
    return checks


def _all_of(group: Group) -> list[Limit]:
    return [*group.limits, *group.lifted]


def _conflict(checks: Checks, instance: Instance, group: Group, truth: Truth) -> None:
    alone = _without(instance, group.lifted)
    keys = [limit.key for limit in group.limits]
    checks.that(lambda: not truth.any_plan(alone), f"{keys} can be met together, others lifted")
    for limit in group.limits if group.minimal else ():
        # Lifted as far as it is said to be: the claim is that a plan is known.
        rest = _said(instance, [*group.lifted, limit])
        checks.that(
            lambda rest=rest: truth.any_plan(rest), f"{keys} is not minimal: {limit.key} is idle"
        )


def _screen(
    checks: Checks,
    instance: Instance,
    keys: tuple[str, ...],
    text: str,
    every: dict[str, Limit],
    truth: Truth,
) -> None:
    """Check a sentence: its limits conflict, together with rules on places."""
    lifted = [
        limit
        for key, limit in every.items()
        if key not in keys and limit.kind not in ("pin", "forbid", "allowed_sites", "no_link")
    ]
    checks.that(
        lambda: not truth.any_plan(_without(instance, lifted)), f"there is a plan, yet: {text}"
    )


def _repair(checks: Checks, instance: Instance, repair: Repair, truth: Truth) -> None:
    """Check that a repair repairs, that all of it is needed, and that no less does."""
    text = ", ".join(f"{m.limit.key} -> {m.value}" for m in repair.moves)

    def moved(skip: int = -1, value: float | None = None) -> Instance:
        made = instance
        for i, move in enumerate(repair.moves):
            if i == skip and value is None:
                continue
            to = value if i == skip else move.value
            amount = move.limit.amount
            if to is None or amount is None:
                made = move.limit.lift(made)
            else:
                made = amount.at(made, to)
        return made

    if not verify(moved(), repair.plan).ok:
        checks.append(f"the plan of {text} is none")
    checks.that(lambda: truth.any_plan(moved()), f"no plan after {text}")
    for i, move in enumerate(repair.moves):
        if repair.minimal and not repair.blend and len(repair.moves) > 1:
            checks.that(lambda i=i: not truth.any_plan(moved(i)), f"{text}: move {i} is idle")
        amount, bound = move.limit.amount, move.bound
        if amount is None or move.value is None or bound is None or move.limit.kind == "demand":
            continue
        if not amount.sign * (bound - amount.value) > 0:
            continue
        # No value tighter than the bound suffices, the moves before it made.
        tighter = bound - amount.sign * max(1e-4 * abs(bound), 1.0 if amount.whole else 0.0)
        if amount.sign * (tighter - amount.value) < 0:
            tighter = amount.value
        later = [m.limit for m in repair.moves[i + 1 :]] if not repair.blend else []
        made = _said(moved(i, tighter), later)
        checks.that(
            lambda made=made: not truth.any_plan(made),
            f"{text}: {move.limit.key} {tighter!r} suffices, said to need {bound!r}",
        )


def _plan(checks: Checks, instance: Instance, found: Explanation, truth: Truth) -> None:
    """Check what is said of a plan: its bound, other places, and the limits' effects."""
    solution, told = found.solution, found.plan
    assert solution is not None
    assert told is not None
    name = solution.objective_names[0]
    sign = -1.0 if is_maximised(name) else 1.0
    value = solution.objective

    def beyond(bound: float, other: Instance) -> bool:
        """Whether a bound holds: no plan is better."""
        if math.isnan(bound):
            return True
        best = truth(other)
        return best is None or sign * (best - bound) >= -_slack(best)

    checks.that(lambda: beyond(solution.bound, instance), f"{name} {value}: {solution.bound}")
    for other in told.alternatives:
        changed = _placed(instance, found, other.task, other.place)
        if changed is None:
            continue
        text = f"{other.task} on {other.place}: {other.status}, {other.objective}, {other.bound}"
        if other.status == "infeasible":
            checks.that(lambda c=changed: truth(c) is None, text)
        else:
            checks.that(lambda c=changed, b=other.bound: beyond(b, c), text)
            least = value + sign * other.at_least
            checks.that(lambda c=changed, b=least: beyond(b, c), f"{text}: at least")
    for effect in told.effects:
        limit, amount = effect.limit, effect.limit.amount
        lifted = _without(instance, [limit])
        bound = value if effect.free else effect.without_bound
        checks.that(
            lambda c=lifted, b=bound: beyond(b, c),
            f"without {limit.key} {name} is {bound}, or worse (now {value})",
        )
        if amount is None:
            continue
        if effect.refuted is not None and not amount.whole:
            upto = amount.at(instance, effect.refuted)
            checks.that(
                lambda c=upto: beyond(value, c),
                f"{limit.key} {effect.refuted}: better than {value}",
            )
        use = next(s.use for s in told.slacks if s.limit.key == limit.key)
        step = 1.0 if amount.whole else 10 * GAP_TOLERANCE * abs(use)
        tight = amount.at(instance, use - amount.sign * step)
        if effect.tighter_status == "infeasible":
            checks.that(
                lambda c=tight: truth(c) is None, f"{limit.key} tighter than {use}: there is a plan"
            )
        elif effect.tighter_status:
            checks.that(
                lambda c=tight, b=effect.tighter_bound: beyond(b, c),
                f"{limit.key} tighter than {use}: {effect.tighter_bound}",
            )


def _placed(instance: Instance, found: Explanation, task: str, place: str) -> Instance | None:
    """Give a task the options of another device only; None for other options on its own."""
    names = instance.devices.name.tolist()
    if place not in names:
        return None
    t = instance.tasks.name.tolist().index(task)
    able = instance.task_options(t)
    return only_option_of(instance, t, able[instance.options.device[able] == names.index(place)])


def _slack(value: float) -> float:
    return SLACK * max(abs(value), 1e-9)


def _said(instance: Instance, limits: list[Limit]) -> Instance:
    """Lift some limits as the explanation does.

    Throughput cannot be asked for where a job is served in slices: a little of the demand can.
    """
    for limit in limits:
        sliced = limit.kind == "demand" and bool((instance.jobs.slices > 0).any())
        instance = _lifted(instance, limit) if sliced else limit.lift(instance)
    return instance


def _without(instance: Instance, limits: list[Limit] | tuple[Limit, ...]) -> Instance:
    """Lift some limits, in a way of its own where a number could be lifted too little."""
    for limit in limits:
        instance = _lifted(instance, limit)
    return instance


def _lifted(instance: Instance, limit: Limit) -> Instance:
    devices, limits = instance.devices, instance.limits
    if limit.kind == "memory":
        memory = devices.memory_b.copy()
        memory[devices.name.tolist().index(limit.subject)] = 1e15
        return replace(instance, devices=replace(devices, memory_b=memory))
    if limit.kind == "pool":
        memory = instance.pools.memory_b.copy()
        memory[instance.pools.name.tolist().index(limit.subject)] = 1e15
        return replace(instance, pools=replace(instance.pools, memory_b=memory))
    if limit.kind == "units":
        count = devices.count_max.copy()
        count[devices.name.tolist().index(limit.subject)] += MORE_UNITS
        return replace(instance, devices=replace(devices, count_max=count))
    if limit.kind == "power_cap":
        return replace(instance, limits=replace(limits, power_cap_w=1e15))
    if limit.kind == "budget":
        return replace(instance, limits=replace(limits, budget_per_s=1e15))
    if limit.kind == "demand":
        # A thousandth of the demand is none that a device could be too slow for.
        jobs = replace(instance.jobs, rate_per_s=instance.jobs.rate_per_s * 1e-3)
        told = instance.scenarios.rate_per_s * 1e-3
        scenarios = replace(instance.scenarios, rate_per_s=told)
        return replace(instance, jobs=jobs, scenarios=scenarios)
    return limit.lift(instance)


# --- comparisons --------------------------------------------------------------------------------


def judge_comparison(seed: int) -> Outcome:
    """Compare on the instance of a seed; check gains and every line on how firm they are."""
    instance, truth = drawn(seed)
    dice = Dice(np.random.default_rng([seed, 10]))
    kind = dice.pick("device", "device", "kind")
    host = str(dice.pick(*instance.devices.name.tolist())) if dice.chance(0.2) else None
    try:
        check_question(instance)
        found = compare(instance, rival=kind, host=host, options=_options(seed))
        wrong = [*_compared(instance, found, truth), *_refuted(found.notes)]
    except (TooHardError, InputError):
        return Outcome(seed, "too hard", [])
    return Outcome(seed, _kind(wrong, "agreed"), wrong)


def _compared(instance: Instance, found: Comparison, truth: Truth) -> Checks:
    checks = Checks()
    sign = -1.0 if is_maximised(instance.objective[0]) else 1.0
    host = instance.devices.name.tolist().index(found.host) if found.host else -1
    for rival in found.rivals:
        best = truth(_homogeneous(instance, rival.devices, host))
        solution = rival.solution
        if best is None and solution.plan is not None:
            checks.append(f"{rival.name} has a plan of {solution.objective}, by enumeration none")
        elif best is not None and solution.status == "infeasible":
            checks.append(f"{rival.name} is called infeasible, by enumeration {best}")
        elif best is not None and sign * (solution.bound - best) > _slack(best):
            checks.append(f"{rival.name}: bound {solution.bound} beyond {best}")
    _gain(checks, "as it is", instance, found, found.gain, truth, host)
    for line in found.sensitivity:
        changed = changed_as(instance, line.change)
        if line.gain.reason.startswith("some task"):
            if not len(stuck_tasks(changed)):
                checks.append(f"{line.change}: {line.gain.reason}, yet every task has one")
            continue
        _gain(checks, line.change, changed, found, line.gain, truth, host)
    return checks


def _gain(checks, change, instance, found, gain, truth, host) -> None:  # type: ignore[no-untyped-def]
    """Check a gain: not negative, and the proven one no larger than against any rival's optimum."""
    name = instance.objective[0]
    sign = -1.0 if is_maximised(name) else 1.0
    try:
        ours = truth(instance)
        rivals = [truth(_homogeneous(instance, r, host)) for r in _groups(instance, found.rival)]
    except TooHardError:
        checks.passed_over += 1
        return
    known = [value for value in rivals if value is not None]
    text = f"{change}: gain {gain.value}, proven {gain.proven}, ours {ours}, rivals {rivals}"
    if gain.reason.startswith("no homogeneous") and known:
        checks.append(text)
    if gain.reason.startswith("no heterogeneous") and ours is not None:
        checks.append(text)
    if math.isnan(gain.value) or ours is None or not known:
        return
    best = sign * min(sign * value for value in known)
    if gain.is_difference:
        true = sign * (best - ours)
    elif best == 0:
        return
    else:
        true = 1 - ours / best if sign > 0 else ours / best - 1
    slack = 3 * SLACK * max(1.0, abs(true), abs(best) if gain.is_difference else 0.0)
    # With more than one objective, plans may use the tolerance by which earlier ones are held.
    if gain.proven > true + slack or abs(gain.value - true) > slack or gain.value < -slack:
        checks.append(f"{text}, true {true}")


def _groups(instance: Instance, kind: str) -> list[tuple[int, ...]]:
    devices = instance.devices
    present = np.flatnonzero(devices.count_max != 0).tolist()
    if kind == "device":
        return [(d,) for d in present]
    kinds = dict.fromkeys(devices.kind[present].tolist())
    return [tuple(d for d in present if devices.kind[d] == k) for k in kinds]


def _homogeneous(instance: Instance, members: tuple[int, ...], host: int) -> Instance:
    allowed = np.isin(np.arange(len(instance.devices)), members)
    return replace(restrict(instance, allowed, host)[0], allow_mixed_scopes=True)


def changed_as(instance: Instance, change: str) -> Instance:
    """Make the change that a line on firmness names."""
    words = change.split()
    if words[0] == "idle":
        return scale_idle(instance, float(words[-1]))
    if words[0] == "rate":
        j = instance.jobs.name.tolist().index(words[2])
        rate = instance.jobs.rate_per_s.copy()
        factor = MIX_FACTOR if words[3] == "x" else 1 / MIX_FACTOR
        rate[j] *= factor
        told = instance.scenarios.rate_per_s.copy()
        told[:, j] *= factor
        scenarios = replace(instance.scenarios, rate_per_s=told)
        return replace(instance, jobs=replace(instance.jobs, rate_per_s=rate), scenarios=scenarios)
    if words[0] in ("units", "each"):
        exclusive = np.full(len(instance.devices), words[0] == "each")
        return replace(instance, devices=replace(instance.devices, exclusive=exclusive))
    if words[-1] == "rows":
        options = instance.options
        preview = options.preview | instance.devices.preview[options.device]
        return keep_options(instance, ~(preview if words[1] == "preview" else options.estimated))[0]
    return without_device(instance, instance.devices.name.tolist().index(words[1]))


# --- fronts -------------------------------------------------------------------------------------

PAIRS = {
    "schedule": [("energy", "makespan"), ("makespan", "peak_power"), ("energy", "accuracy")],
    "steady": [("power", "throughput"), ("power", "cost"), ("power", "accuracy")],
}


def judge_front(seed: int) -> Outcome:
    """Walk over the front of the instance of a seed; check its points and whether it is whole."""
    instance, truth = drawn(seed)
    dice = Dice(np.random.default_rng([seed, 11]))
    able = [pair for pair in PAIRS[instance.regime] if _askable(instance, pair)]
    objectives = dice.pick(*(able or PAIRS[instance.regime]))
    options = _options(seed)
    if dice.chance(0.3):
        options = replace(options, **dice.pick({"method": "heuristic"}, {"gap": 0.7}))
    points = dice.pick(None, None, 4)
    try:
        found = pareto(
            instance, objectives, points=points, options=options, resolution=FRONT_RESOLUTION
        )
        wrong = [*_front(instance, found, truth), *_refuted(found.notes)]
        wrong += [note for p in found.points for note in contradictions(p.solution)]
    except (TooHardError, InputError):
        return Outcome(seed, "too hard", [])
    return Outcome(seed, _kind(wrong, "whole" if found.complete else "partial"), wrong)


def _askable(instance: Instance, pair: tuple[str, str]) -> bool:
    """Whether a front of two objectives can be asked for."""
    try:
        check_question(replace(instance, objective=pair[::-1]))
    except InputError:
        return False
    return axis_of(instance, pair[1]) is not None


def _front(instance: Instance, found: Front, truth: Truth) -> Checks:
    checks = Checks()
    axis = axis_of(instance, found.held)
    assert axis is not None
    target, towards = found.optimised, -1.0 if is_maximised(found.optimised) else 1.0
    side = -1.0 if axis.maximised else 1.0

    def best_within(limit: float) -> float | None:
        # As the checker sees a limit: 0.3 - 0.1 is a little less than 0.2.
        held = instance if math.isnan(limit) else axis.within(instance, limit * (1 + side * 1e-9))
        return truth(replace(held, objective=(target,)))

    def point_holds(point) -> bool:  # type: ignore[no-untyped-def]
        best = best_within(point.limit)
        if best is None:
            return point.solution.plan is None
        if point.solution.status == "infeasible":
            return False
        if not math.isnan(point.bound) and towards * (point.bound - best) > _slack(best):
            return False
        return point.solution.status != "optimal" or _near(point.value, best)

    for point in found.points:
        text = f"{found.held} {point.limit}: {target} {point.value}, bound {point.bound}"
        checks.that(lambda p=point: point_holds(p), text)
    shown = found.efficient()
    for one in shown:
        for other in shown:
            better = side * (other.held - one.held) < 0 and towards * (other.value - one.value) < 0
            if better:
                checks.append(
                    f"{(one.held, one.value)} is dominated by {(other.held, other.value)}"
                )
    if found.complete and not shown:
        checks.that(
            lambda: best_within(math.nan) is None, "complete without points, there are some"
        )
    elif found.complete:
        _whole(checks, instance, found, best_within)
    return checks


def _whole(checks, instance, found, best_within) -> None:  # type: ignore[no-untyped-def]
    """Beyond each point, by more than the resolution, the next is best; beyond the last none."""
    axis = axis_of(instance, found.held)
    side = -1.0 if axis.maximised else 1.0
    shown = sorted(found.efficient(), key=lambda p: -side * p.held)
    for i, point in enumerate(shown):
        coarse = step(instance, axis, point.held, FRONT_RESOLUTION)
        if found.held == "accuracy":
            coarse = 1e-6
        limit = point.held - side * coarse
        text = f"complete, yet beyond {found.held} {point.held} there is more than the next point"

        def whole(limit=limit, i=i) -> bool:  # type: ignore[no-untyped-def]
            best = best_within(limit)
            if i + 1 == len(shown):
                return best is None
            return best is not None and _near(best, shown[i + 1].value)

        checks.that(whole, text)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _slack(other)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Judges by name, and how many instances each is to see."""

    judge: Callable[[int], Outcome]
    count: int


CAMPAIGNS = {
    "explain": Campaign(judge_explanation, 300),
    "compare": Campaign(judge_comparison, 300),
    "pareto": Campaign(judge_front, 150),
}
