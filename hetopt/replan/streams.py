"""New plans of streams: keep, change a part, or change all, whichever is proven to pay.

Three kinds of plan are compared: the one that runs, with units switched on where its load asks for
them; one made anew; and mixtures in which the jobs that gain most take new routes, the others keep
theirs. Each is charged for what it changes. The one of least value and charge together is taken,
and only if it beats the one that runs by what is asked of a voluntary change.

**Bound of value and charge.** A plan is either the one that runs, with its shares of requests and
the units that these need (nothing but units may go on), whose value and charge are known; or it is
another one: it changes at least one thing, is charged at least the price of one change and the part
that all changes must gain, and its value is at or beyond the proven bound of the objective, which
holds for every plan of the instance. The less of the two bounds every plan. Where the plan cannot
go on, the first case is empty. So where the plan that runs reaches that, keeping it is optimal, and
constant rates change nothing: no tick at which value less bound stays below price and part can
lead to a change.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hetopt.constants import GAP_TOLERANCE
from hetopt.errors import InputError, Problem
from hetopt.evaluate import objectives
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import NO_MAXIMUM, Instance, is_maximised
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.questions import several_demands
from hetopt.instance.states.setups import configured_devices
from hetopt.instance.states.slow_domains import domain_of_device
from hetopt.instance.states.stream_boards import board_joule_prices, going_on_j
from hetopt.replan.boards import (
    boards_under_units,
    fewest_boards,
    has_room,
    more_boards,
    never_off,
    shares_of_boards,
    worth,
)
from hetopt.replan.fleet import Now, Unit, laid_over, needs, now_of, renumbered, without_down
from hetopt.replan.replanned import Replanned, Stability, Step
from hetopt.replan.transition import Side, Transition, rerouted, side
from hetopt.simulate.events import State
from hetopt.solution import Solution, SteadyPlan
from hetopt.solve import SolveOptions, solve_with
from hetopt.steady.model.stale import filled, fitted, names_units, repaired
from hetopt.steady.states.repair import time_needed, with_time_shared
from hetopt.verify import verify

MOST_MIXTURES = 12


@dataclass(frozen=True)
class Costs:
    """What changes take.

    Attributes
    ----------
    start_s, start_j
        To switch on a unit of each device, time and energy above idle (D).
    load_s, load_each_s, load_j
        To load a byte of weights on each device (D), any weights beside that (D), and the energy
        above idle of a byte (D).
    hold_s
        How long a plan is expected to hold: what starts cost is spread over it.
    """

    start_s: np.ndarray
    start_j: np.ndarray
    load_s: np.ndarray
    load_each_s: np.ndarray
    load_j: np.ndarray
    hold_s: float


@dataclass
class _Candidate:
    plan: SteadyPlan
    value: float
    changes: int
    charge: float
    words: tuple[str, ...]
    target: Side
    place: dict[Unit, int]
    score: float
    more: tuple[np.ndarray, np.ndarray]
    """Boards on, and had, beyond those that the plan counts (B, B)."""
    fits: bool = True


def replan_streams(
    instance: Instance,
    plan: SteadyPlan,
    state: State | None,
    stability: Stability,
    costs: Costs,
    options: SolveOptions,
) -> Replanned:
    """Return the plan to go on with, and the steps that lead to it; see :func:`replan`."""
    began = time.monotonic()
    now = now_of(instance, plan, state)
    if state is not None and state.power_cap_w is not None:
        instance = instance.with_limits(power_cap_w=state.power_cap_w)
    usable = without_down(instance, now)
    return _Search(usable, instance, plan, now, state, stability, costs, options, began).run()


@dataclass
class _Search:
    instance: Instance
    whole: Instance
    old: SteadyPlan
    now: Now
    state: State | None
    stability: Stability
    costs: Costs
    options: SolveOptions
    began: float

    def run(self) -> Replanned:
        instance = self.instance
        place = laid_over(self.whole, self.old, self.now, old=True)
        for unit, held in needs(self.whole, self.old).items():
            there = (unit[0], place.get(unit, unit[1]))
            if there in self.now.on and there not in self.now.stated:
                self.now.held.setdefault(there, set()).update(held)
        self.before = side(self.whole, self.old, place, self.now.on)
        mine, lost = renumbered(self.whole, self.old, place, self.now)
        left, without, told = repaired(instance, mine)
        if lost:
            told.insert(0, f"{lost} routes go over units that are down")
        needed = self._time_needed(left)
        left = self._timed(self._with_units_on(left))
        on = {unit for unit in self.now.on if unit not in self.now.down}
        crowded, _ = more_boards(instance, left, on)
        for b in np.flatnonzero(crowded).tolist():
            n = int(crowded[b])
            name, verb = instance.boards.name[b], "is" if n == 1 else "are"
            told.append(
                f"{n} more of {name} {verb} on than so many units need, as they are spread over "
                "them"
            )
        spent = time.monotonic() - self.began
        limit = max(0.05, self.options.time_limit_s - spent)
        start = left if not len(without) and verify(instance, left).ok else None
        # Quick methods make nothing of a start, and would only have it checked again.
        known = None if self.options.method == "heuristic" else start
        fresh = solve_with(instance, replace(self.options, time_limit_s=limit), start=known)
        found: list[_Candidate] = []
        kept = None if start is None else self._candidate(left)
        if isinstance(fresh.plan, SteadyPlan):
            plans = self._plans(left, fresh.plan, without.tolist())
            found += [c for p in plans for c in self._candidates(p)]
        kept = kept if kept is not None and kept.fits else None
        return self._answer(fresh, kept, found, told, needed)

    def _timed(self, plan: SteadyPlan) -> SteadyPlan:
        """Return a plan with states, on the units that it has on where these suffice."""
        instance, inside = self.instance, domain_of_device(self.instance) >= 0
        if not inside.any():
            return plan
        found = with_time_shared(_at_most(instance, plan.units_on, inside), plan)
        if found.states is None:
            found = with_time_shared(instance, plan)
        return replace(found, units_had=np.maximum(found.units_had, found.units_on))

    def _time_needed(self, left: SteadyPlan) -> np.ndarray:
        """Return the part of the time that what runs takes now where devices slow others (D)."""
        inside = domain_of_device(self.instance) >= 0
        if not inside.any():
            return np.zeros(len(inside))
        on = np.bincount(
            [d for d, u in self.now.on if (d, u) not in self.now.down], minlength=len(inside)
        )
        limited = _at_most(self.instance, on, inside)
        # With one unit on nothing is slowed, and its load tells all.
        return np.where(domain_of_device(limited) >= 0, time_needed(limited, left), 0.0)

    def _with_units_on(self, left: SteadyPlan) -> SteadyPlan:
        """Keep on what is on: that costs nothing to change."""
        on = np.zeros(len(self.instance.devices), dtype=np.int64)
        for d, units in enumerate(self.now.usable):
            on[d] = sum((d, u) in self.now.on for u in units)
        return fitted(self.instance, left, on)

    def _plans(
        self, left: SteadyPlan, fresh: SteadyPlan, without: list[int]
    ) -> Iterator[SteadyPlan]:
        """Yield plans made of both: those that save most per changed job first, then all."""
        instance = self.instance
        yield fresh
        if names_units(instance) or instance.objective[0] in ("throughput", "accuracy"):
            return
        gain = self._gain(left, fresh)
        order = sorted(range(len(instance.jobs)), key=lambda j: (j not in without, -gain[j], j))
        better = [j for j in order if gain[j] > 0 or j in without]
        size = max(1, len(without))
        tried: set[int] = set()
        if not without:
            yield self._timed(fitted(instance, left))
        while len(tried) < MOST_MIXTURES and size < len(order):
            tried.add(size)
            mixed = filled(instance, left, fresh, np.array(order[:size], dtype=np.int64))
            yield self._timed(mixed)
            yield self._timed(self._with_units_on(mixed))
            size = min(2 * size, len(better)) if size < len(better) else len(order)

    def _gain(self, left: SteadyPlan, fresh: SteadyPlan) -> np.ndarray:
        """Return what new routes save of each job: energy, and units at what they idle (J)."""
        devices = self.instance.devices
        capacity = np.maximum(
            devices.max_utilization * (1 - devices.reserved) * devices.slots, 1e-300
        )
        name = self.instance.objective[0]
        joule = joule_prices(self.instance, name)
        boards = self.instance.boards
        idle = devices.idle_power_w + shares_of_boards(self.instance, boards.idle_power_w)
        price = devices.price_per_s + shares_of_boards(self.instance, boards.price_per_s)
        held = idle * joule + (price if name == "cost" else 0.0)
        spent = []
        for plan in (left, fresh):
            of = SteadyQuantities(self.instance, plan)
            row = of.row_rate_per_s * (
                of.row_energy_j * joule[of.device] + of.row_busy_s * (held / capacity)[of.device]
            )
            job = plan.route_job[of.route]
            spent.append(np.bincount(job, row, len(self.instance.jobs)))
        return np.asarray(spent[0] - spent[1])

    def _candidates(self, plan: SteadyPlan) -> Iterator[_Candidate]:
        """Yield a plan where most stays on, and where it needs the fewest boards."""
        first = self._candidate(plan)
        if first.fits:
            yield first
        if not first.more[0].any():
            return
        among = fewest_boards(self.instance, plan, self.now)
        if among is not None:
            second = self._candidate(plan, among)
            if second.fits:
                yield second

    def _candidate(self, plan: SteadyPlan, among: set[Unit] | None = None) -> _Candidate:
        instance = self.instance
        place = laid_over(instance, plan, self.now, among=among)
        on = {(d, place[d, i]) for d, n in enumerate(plan.units_on.tolist()) for i in range(n)}
        target = side(instance, plan, place, on)
        more = more_boards(instance, plan, on)
        value = float(objectives(instance, plan)[0]) + worth(instance, *more)
        words, count, charge = self._changes(target)
        sign = -1.0 if is_maximised(instance.objective[0]) else 1.0
        score = sign * value + charge
        fits = not more[0].any() or has_room(instance, plan, *more)
        return _Candidate(plan, value, count, charge, words, target, place, score, more, fits)

    def _changes(self, target: Side) -> tuple[tuple[str, ...], int, float]:
        """Return what a side changes, in words, how many changes, and what they are charged."""
        devices, now = self.instance.devices, self.now
        off = devices.off_when_unused
        ups = sorted(target.on - now.on)
        downs = sorted(u for u in now.on - target.on if off[u[0]] and u not in now.down)
        loads = [
            (unit, w)
            for unit, wanted in sorted(target.needs.items())
            for w in sorted(wanted - now.held.get(unit, set()))
        ]
        jobs = rerouted(self.before, target)
        words = [f"switch on {self._unit(u)}" for u in ups]
        words += [
            f"load {'/'.join(self.instance.model_keys[w])} on {self._unit(u)}" for u, w in loads
        ]
        words += [f"reroute {self.instance.jobs.name[j]}" for j in jobs]
        words += [f"switch off {self._unit(u)}" for u in downs]
        # A unit that goes off lets go of its weights: that is no change of its own.
        count = len(ups) + len(downs) + len(loads) + len(jobs)
        charge = self.stability.price * count + self._starts(ups, loads)
        return tuple(words), count, charge

    def _starts(self, ups: list[Unit], loads: list[tuple[Unit, int]]) -> float:
        """Return what starts and loading draw, spread over the time that the plan holds."""
        name = self.instance.objective[0]
        if name not in ("power", "cost", "carbon") or (not ups and not loads):
            return 0.0
        idle, joule = self.instance.devices.idle_power_w, joule_prices(self.instance, name)
        options, costs = self.instance.options, self.costs
        size = dict(zip(options.weights_key.tolist(), options.weights_b.tolist(), strict=True))
        spent = sum(
            joule[d] * (costs.start_j[d] + idle[d] * costs.start_s[d]) for d, _ in ups
        ) + sum(
            joule[d]
            * (
                idle[d] * (costs.load_s[d] * size[w] + costs.load_each_s[d])
                + costs.load_j[d] * size[w]
            )
            for (d, _), w in loads
        )
        boards = self.instance.boards
        lit = boards_under_units(self.instance, self.now.on)
        rise = [
            kind
            for kind, n in boards_under_units(self.instance, ups)
            if (kind, n) not in lit and boards.off_when_unused[kind]
        ]
        spent += sum((going_on_j(self.instance) * board_joule_prices(self.instance, name))[rise])
        if name == "cost":
            spent += sum(self.instance.devices.start_up_cost[d] for d, _ in ups)
            spent += sum(boards.start_up_cost[rise])
        return float(spent) / costs.hold_s

    def _unit(self, unit: Unit) -> str:
        return self.instance.unit_name(*unit)

    def _answer(
        self,
        fresh: Solution,
        kept: _Candidate | None,
        found: list[_Candidate],
        told: list[str],
        needed: np.ndarray,
    ) -> Replanned:
        stability = self.stability
        allowed = [c for c in found if stability.most is None or c.changes <= stability.most]
        stays = kept if kept is not None and self._allowed(kept) else None
        threshold = 0.0 if stays is None else stability.least * abs(stays.value)
        best = stays
        for candidate in sorted(allowed, key=lambda c: c.score):
            base = math.inf if best is None else best.score - threshold
            least = 0.0 if best is None else GAP_TOLERANCE * abs(best.score)
            if candidate.score >= base - least:
                break
            if candidate.plan is fresh.plan or verify(self.instance, candidate.plan).ok:
                best = candidate
                break
        return self._result(fresh, stays, best, threshold, told, bool(found), needed)

    def _allowed(self, candidate: _Candidate) -> bool:
        return self.stability.most is None or candidate.changes <= self.stability.most

    def _result(
        self,
        fresh: Solution,
        stays: _Candidate | None,
        best: _Candidate | None,
        threshold: float,
        told: list[str],
        some: bool,
        needed: np.ndarray,
    ) -> Replanned:
        maximised = is_maximised(self.instance.objective[0])
        sign = -1.0 if maximised else 1.0
        bound = sign * fresh.bound + threshold + self.stability.price
        if stays is not None and not np.isnan(bound):
            bound = min(stays.score, bound)
        steps: tuple[Step, ...] = ()
        shortfall: dict[str, float] = {}
        if best is not None and best.changes:
            transition = Transition(
                self.instance,
                self.before,
                best.target,
                self.now,
                self.costs.start_s,
                self.costs.load_s,
                self.costs.load_each_s,
                0.0 if self.state is None else self.state.time_s,
                never_off(self.instance, best.plan),
                needed,
                bool((domain_of_device(self.instance) >= 0).any()),
            )
            transition.run()
            steps = tuple(transition.steps)
            names = self.instance.jobs.name
            shortfall = {str(names[j]): n for j, n in transition.shortfall.items()}
        reason = ""
        if best is None:
            most = self.stability.most
            reason = fresh.reason or "No plan was found in the time given."
            if some and most is not None:
                reason = f"No plan was found that changes at most {most} things."
        score = math.nan if best is None else best.score + (0.0 if best is stays else threshold)
        return Replanned(
            instance=self.instance,
            plan=None if best is None else best.plan,
            solution=fresh,
            kept=best is not None and best.changes == 0,
            changes=() if best is None else best.words,
            repaired=tuple(told),
            value=math.nan if best is None else best.value,
            value_before=stays.value if stays is not None else math.nan,
            charge=0.0 if best is None else best.charge,
            score=sign * score,
            score_bound=sign * bound,
            steps=steps,
            shortfall=shortfall,
            wall_time_s=time.monotonic() - self.began,
            reason=reason,
            place={} if best is None else best.place,
        )


def _at_most(instance: Instance, units: np.ndarray, where: np.ndarray) -> Instance:
    """Return the instance with no more than so many units of some devices."""
    devices = instance.devices
    most = np.where(where, units, devices.count_max)
    capped = where & (devices.count_max != NO_MAXIMUM)
    most = np.where(capped, np.minimum(most, devices.count_max), most)
    least = np.where(where, np.minimum(devices.count_min, most), devices.count_min)
    return replace(instance, devices=replace(devices, count_min=least, count_max=most))


def check_streams(instance: Instance) -> None:
    """Refuse what has more than one demand at a time, and states that units are not known to be in.

    Raises
    ------
    InputError
        For an instance with scenarios, or units that are set up for several configurations.
    """
    for device in np.flatnonzero(configured_devices(instance))[:1].tolist():
        text = (
            "Options of one configuration: what units have loaded is no part of a state. "
            "`hetopt solve --start PLAN` plans anew; set units up one after the other."
        )
        raise InputError([Problem(f"device {instance.devices.name[device]}", "", text)])
    if len(instance.scenarios):
        raise InputError([several_demands(instance)])
