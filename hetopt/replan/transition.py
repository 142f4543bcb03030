"""From the plan that runs to another: an ordered list of steps with times.

What replaces goes up before what is replaced goes down: units start and weights load first, then
requests go along the new routes, then units go off. Where the power cap or memory has no room for
both, requests of as few jobs as possible wait meanwhile (those with the least rates first), and
what is not served is stated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Instance
from hetopt.replan.boards import Board, board_of, boards_under_units
from hetopt.replan.fleet import Now, Unit
from hetopt.replan.replanned import Step
from hetopt.simulate.events import Load, Placement, Route, SwitchOff, SwitchOn, Unload
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import unit_capacity

SAME_SHARE = 1e-6
"""Difference of shares that is none."""


class Row(NamedTuple):
    """A task of a route: where it runs, slots taken there, watts, weights, working memory."""

    task: int
    option: int
    device: int
    unit: int
    load: float
    power_w: float
    weights: int
    memory_b: float


@dataclass
class Side:
    """A plan by jobs, in the numbers of the units that are there.

    ``routes`` has the rows and rate of each route of a job, ``needs`` weights by unit.
    """

    instance: Instance
    routes: dict[int, list[tuple[float, tuple[Row, ...]]]]
    on: set[Unit]
    needs: dict[Unit, set[int]]

    def shares(self, job: int) -> dict[tuple[tuple[int, int, int], ...], float]:
        """Return the part of a job's requests that each of its routes takes."""
        found: dict[tuple[tuple[int, int, int], ...], float] = {}
        whole = sum(rate for rate, _ in self.routes.get(job, [])) or 1.0
        for rate, rows in self.routes.get(job, []):
            key = tuple((r.task, r.option, r.unit) for r in rows)
            found[key] = found.get(key, 0.0) + rate / whole
        return found


def side(instance: Instance, plan: SteadyPlan, place: dict[Unit, int], on: set[Unit]) -> Side:
    """Return a plan by jobs; ``place`` says which unit each of its numbers is."""
    of = SteadyQuantities(instance, plan)
    options = instance.options
    rate = of.row_rate_per_s
    columns = (
        plan.task,
        plan.option,
        of.device,
        np.array(
            [
                place.get((d, u), u) if u >= 0 else -1
                for d, u in zip(of.device.tolist(), plan.unit.tolist(), strict=True)
            ],
            dtype=np.int64,
        ),
        rate * of.row_busy_s,
        rate * of.row_energy_j,
        options.weights_key[plan.option],
        options.memory_b[plan.option],
    )
    rows = [Row(*values) for values in zip(*(c.tolist() for c in columns), strict=True)]
    routes: dict[int, list[tuple[float, tuple[Row, ...]]]] = {}
    ptr = plan.ptr.tolist()
    needs: dict[Unit, set[int]] = {}
    for k in np.flatnonzero(plan.rate_per_s > 0).tolist():
        mine = tuple(rows[ptr[k] : ptr[k + 1]])
        routes.setdefault(int(plan.route_job[k]), []).append((float(plan.rate_per_s[k]), mine))
        for row in mine:
            if row.unit >= 0:
                held = needs.setdefault((row.device, row.unit), set())
                if row.weights >= 0:
                    held.add(row.weights)
    return Side(instance, routes, on, needs)


def rerouted(old: Side, new: Side) -> list[int]:
    """Return the jobs whose requests take other routes, or other shares of the same ones."""
    found = []
    for job in sorted({*old.routes, *new.routes}):
        before, after = old.shares(job), new.shares(job)
        keys = {*before, *after}
        if any(abs(before.get(k, 0.0) - after.get(k, 0.0)) > SAME_SHARE for k in keys):
            found.append(job)
    return found


@dataclass
class Transition:
    """Steps from one side to another.

    Parameters
    ----------
    start_s, load_s, load_each_s
        How long a unit of each device takes to start (D), to load a byte of weights (D), and to
        load any weights beside that (D).
    boards
        How many boards of each kind are on whatever units are (B).
    needed
        Part of the time that the old routes take at the rates of now on the units on at first, of
        devices that slow each other (D; 0 for others, inf where it is not known).
    slow
        Whether some devices slow each other down.
    """

    instance: Instance
    old: Side
    new: Side
    now: Now
    start_s: np.ndarray
    load_s: np.ndarray
    load_each_s: np.ndarray
    time_s: float
    boards: np.ndarray
    needed: np.ndarray
    slow: bool
    steps: list[Step] = field(default_factory=list)
    shortfall: dict[int, float] = field(default_factory=dict)

    def run(self) -> None:
        """Make the steps."""
        self._begin()
        while self._ups or self._jobs or self._downs():
            began = self._go_up()
            moved = self._move()
            fell = self._go_down()
            if not (began or moved or fell) and not self._give_way():
                break
        self._count_waiting()

    def _begin(self) -> None:
        instance = self.instance
        self._on = set(self.now.on)
        self._held = {unit: set(held) for unit, held in self.now.held.items()}
        self._bytes = dict(
            zip(
                instance.options.weights_key.tolist(),
                instance.options.weights_b.tolist(),
                strict=True,
            )
        )
        self._clock = self.time_s
        self._ready: dict[Unit, float] = {}
        self._board_ready: dict[Board, float] = {}
        self._loaded: dict[tuple[int, int, int], float] = {}
        self._ups: list[tuple[str, Unit, int]] = [
            ("on", unit, -1) for unit in sorted(self.new.on - self._on)
        ]
        for unit, wanted in sorted(self.new.needs.items()):
            missing = sorted(wanted - self._held.get(unit, set()))
            self._ups += [("load", unit, w) for w in missing]
        changed = self._changed = rerouted(self.old, self.new)
        self._jobs = dict.fromkeys(changed, self._clock)
        self._active = {j: self._at_rates_of_now(j) for j in self.old.routes}
        down = self.now.down
        for j in changed:
            if j not in self._active:
                self._jobs[j] = self._clock
            elif any((r.device, r.unit) in down for _, rows in self._active[j] for r in rows):
                self._active[j] = [
                    (rate, rows)
                    for rate, rows in self._active[j]
                    if not any((r.device, r.unit) in down for r in rows)
                ]
        self._count_short()

    def _at_rates_of_now(self, job: int) -> list[tuple[float, tuple[Row, ...]]]:
        """Return a job's old routes as its requests take them now: at the rates of the new plan."""
        old = self.old.routes[job]
        before = sum(rate for rate, _ in old)
        now = sum(rate for rate, _ in self.new.routes.get(job, []))
        if not (before > 0 and now > 0):
            return old
        f = now / before
        return [
            (rate * f, tuple(r._replace(load=r.load * f, power_w=r.power_w * f) for r in rows))
            for rate, rows in old
        ]

    def _count_short(self) -> None:
        """Note from when on the units on at first cannot take what is asked of them."""
        load = self._load()
        capacity = unit_capacity(self.instance)
        self._part: dict[int, float] = {}
        on = np.bincount([d for d, _ in self._on] or [0], minlength=len(capacity))
        on = on if self._on else on * 0
        room = capacity * on
        crowded = np.flatnonzero(load > room * (1 + LIMIT_TOLERANCE))
        part = {int(d): float(room[d] / load[d]) for d in crowded}
        for d in np.flatnonzero(np.isfinite(self.needed) & (self.needed > 1.0)).tolist():
            part[d] = min(part.get(d, 1.0), 1.0 / float(self.needed[d]))
        unknown = np.isinf(self.needed)
        self._short_on = {*part, *np.flatnonzero(unknown).tolist()}
        for job in sorted({*self._jobs, *self._active}):
            wanted = sum(rate for rate, _ in self.new.routes.get(job, []))
            before = sum(rate for rate, _ in self.old.routes.get(job, []))
            served = 0.0
            for rate, rows in self._active.get(job, []):
                if any(unknown[r.device] for r in rows):
                    # What the old plan promised, its units on still give.
                    served += rate * min(1.0, before / wanted if wanted > 0 else 1.0)
                    continue
                served += rate * min([1.0, *(part.get(r.device, 1.0) for r in rows)])
            short = wanted - served
            self._part[job] = short if short > LIMIT_TOLERANCE * wanted else 0.0

    def _count_waiting(self) -> None:
        """Count what jobs that keep their routes miss until what goes on for them is there."""
        inside = np.flatnonzero(self.needed > 0).tolist() if self.slow else []
        devices = {*self._short_on, *inside}
        at = max([self.time_s, *(t for (d, _), t in self._ready.items() if d in devices)])
        for job, rate in self._part.items():
            missing = rate * (at - self.time_s)
            if job not in self._changed and missing > 0:
                self.shortfall[job] = self.shortfall.get(job, 0.0) + missing

    def _load(self) -> np.ndarray:
        load = np.zeros(len(self.instance.devices))
        for routes in self._active.values():
            for _, rows in routes:
                for row in rows:
                    load[row.device] += row.load
        return load

    def _power(self, extra: Iterable[Unit] = ()) -> float:
        idle = self.instance.devices.idle_power_w
        units = {*self._on, *extra}
        boards = self.instance.boards
        lit = np.bincount(
            [kind for kind, _ in boards_under_units(self.instance, units)], minlength=len(boards)
        )
        carried = float((np.maximum(lit, self.boards) * boards.idle_power_w).sum())
        drawn = sum(r.power_w for rs in self._active.values() for _, rows in rs for r in rows)
        return float(sum(idle[d] for d, _ in units)) + carried + drawn

    def _go_up(self) -> bool:
        """Start units and load weights where cap and memory have room."""
        cap = self.instance.limits.power_cap_w
        power = self._power()
        left: list[tuple[str, Unit, int]] = []
        began = False
        for kind, unit, weights in self._ups:
            d, u = unit
            name = str(self.instance.devices.name[d])
            if kind == "on":
                more = self._more_power(unit)
                if power + more > cap * (1 + LIMIT_TOLERANCE):
                    left.append((kind, unit, weights))
                    continue
                power += more
                ready, why = self._with_board(unit)
                self._on.add(unit)
                self._ready[unit] = max(self._clock + float(self.start_s[d]), ready)
                self._add(self._clock, SwitchOn(name, u), self._ready[unit], why)
            else:
                if unit not in self._on or not self._has_room(unit, weights):
                    left.append((kind, unit, weights))
                    continue
                begin = max(self._clock, self._ready.get(unit, self._clock))
                takes = float(self.load_s[d]) * self._bytes[weights] + float(self.load_each_s[d])
                ready = begin + takes
                self._held.setdefault(unit, set()).add(weights)
                self._ready[unit] = ready
                self._add(begin, Load(name, u, *self.instance.model_keys[weights]), ready)
            began = True
        self._ups = left
        return began

    def _more_power(self, unit: Unit) -> float:
        """Return what a unit draws more once it is on, with its board where that goes on for it."""
        idle = float(self.instance.devices.idle_power_w[unit[0]])
        if board_of(self.instance, unit) is None:
            return idle
        return self._power([unit]) - self._power()

    def _with_board(self, unit: Unit) -> tuple[float, str]:
        """Return when the board of a unit that goes on is up, and what to say if that goes on."""
        board = board_of(self.instance, unit)
        if board is None:
            return self._clock, ""
        kind, number = board
        why = ""
        # Of those that are never off the first ones are on.
        lit = number < self.boards[kind] or board in boards_under_units(self.instance, self._on)
        if not lit:
            takes = float(self.instance.boards.start_up_time_s[kind])
            self._board_ready[board] = self._clock + takes
            why = f"{self.instance.boards.name[kind]}#{number} goes on with it"
        return self._board_ready.get(board, self._clock), why

    def _has_room(self, unit: Unit, weights: int) -> bool:
        d, _ = unit
        devices, pools = self.instance.devices, self.instance.pools
        pool = int(devices.pool[d])
        limit = float(devices.memory_b[d])
        if pool >= 0:
            limit = min(limit, float(pools.memory_b[pool]))
            units = [v for v in self._held if devices.pool[v[0]] == pool]
        else:
            units = [unit]
        held = sum(self._bytes[w] for v in {*units, unit} for w in self._held.get(v, set()))
        at = {unit} if pool < 0 else {*units, unit}
        working: dict[Unit, float] = {}
        for routes in (*self._active.values(), *self.new.routes.values()):
            for _, rows in routes:
                for row in rows:
                    place = (row.device, row.unit)
                    if place in at:
                        working[place] = max(working.get(place, 0.0), row.memory_b)
        room = limit - held - sum(working.values())
        return bool(self._bytes[weights] <= room + LIMIT_TOLERANCE * limit)

    def _move(self) -> bool:
        """Send requests along new routes whose units are on and hold what they need."""
        waiting = {unit for _, unit, _ in self._ups}
        devices_waiting = {d for kind, (d, _), _ in self._ups if kind == "on"}
        movable = []
        for job in self._jobs:
            rows = [r for _, rows in self.new.routes.get(job, []) for r in rows]
            if any((r.device, r.unit) in waiting for r in rows if r.unit >= 0):
                continue
            if self._ups and any(r.device in devices_waiting for r in rows if r.unit < 0):
                continue
            movable.append(job)
        if self.slow:
            # What runs beside what follows from the whole plan: old and new routes go not together.
            movable = [] if self._ups else movable
        elif self._ups:
            movable = [job for job in movable if self._fits(job)]
        if not movable:
            return False
        times = {}
        for job in movable:
            rows = [r for _, rows in self.new.routes.get(job, []) for r in rows]
            at = [self._clock]
            for row in rows:
                if row.unit >= 0:
                    at.append(self._ready.get((row.device, row.unit), self._clock))
                else:
                    at += [t for (d, _), t in self._ready.items() if d == row.device]
            times[job] = max(at)
        for job, time in times.items():
            self._route(job, max(times.values()) if self.slow else time)
        latest = [step.time_s for step in self.steps if isinstance(step.action, Route)]
        self._clock = max([self._clock, *latest])
        return True

    def _fits(self, job: int) -> bool:
        """Whether the units on can take a job's new routes beside what they serve."""
        load = self._load()
        for _, rows in self._active.get(job, []):
            for row in rows:
                load[row.device] -= row.load
        for _, rows in self.new.routes.get(job, []):
            for row in rows:
                load[row.device] += row.load
        capacity = unit_capacity(self.instance)
        on = np.bincount([d for d, _ in self._on] or [0], minlength=len(capacity))
        return bool((load <= capacity * on * (1 + LIMIT_TOLERANCE) + 1e-12).all())

    def _route(self, job: int, at: float) -> None:
        instance = self.instance
        routes = self.new.routes.get(job, [])
        whole = sum(rate for rate, _ in routes)
        name = str(instance.jobs.name[job])
        for rate, rows in routes:
            placements = tuple(
                Placement(
                    str(instance.tasks.name[r.task]),
                    str(instance.devices.name[r.device]),
                    None if r.unit < 0 else r.unit,
                    str(instance.options.label[r.option]),
                )
                for r in rows
            )
            self._add(at, Route(name, placements, share=rate / whole), at)
        if routes:
            self._active[job] = routes
        else:
            self._active.pop(job, None)
        missing = self._part.get(job, 0.0) * (at - self._jobs.pop(job))
        if missing > 0:
            self.shortfall[job] = self.shortfall.get(job, 0.0) + missing

    def _downs(self) -> list[tuple[str, Unit, int]]:
        off = self.instance.devices.off_when_unused
        found: list[tuple[str, Unit, int]] = [
            ("off", unit, -1) for unit in sorted(self._on - self.new.on) if off[unit[0]]
        ]
        for unit in sorted(self._held):
            if unit not in self._on:
                continue
            extra = self._held[unit] - self.new.needs.get(unit, set())
            if unit in self.new.on:
                found += [("unload", unit, w) for w in sorted(extra)]
        return found

    def _go_down(self) -> bool:
        """Let go of what no request uses any more."""
        used = {
            (r.device, r.unit, r.weights)
            for routes in self._active.values()
            for _, rows in routes
            for r in rows
        }
        units = {(d, u) for d, u, _ in used if u >= 0}
        load, capacity = self._load(), unit_capacity(self.instance)
        on = np.bincount([d for d, _ in self._on] or [0], minlength=len(capacity))
        fell = False
        for kind, unit, weights in self._downs():
            d, u = unit
            if self.slow and self._jobs:
                continue
            name = str(self.instance.devices.name[d])
            if kind == "off":
                enough = load[d] <= (on[d] - 1) * capacity[d] * (1 + LIMIT_TOLERANCE) + 1e-12
                if unit in units or not enough:
                    continue
                on[d] -= 1
                self._on.discard(unit)
                self._held.pop(unit, None)
                self._add(self._clock, SwitchOff(name, u), self._clock)
            else:
                if (d, u, weights) in used:
                    continue
                self._held[unit].discard(weights)
                key = self.instance.model_keys[weights]
                self._add(self._clock, Unload(name, u, *key), self._clock)
            fell = True
        return fell

    def _give_way(self) -> bool:
        """Stop the job of least rate that still takes old routes, to make room; False: none."""
        waiting = [job for job in self._jobs if self._active.get(job)]
        if not waiting:
            return False

        def rate(job: int) -> float:
            return sum(r for r, _ in self._active[job])

        job = min(waiting, key=lambda j: (rate(j), j))
        self._part[job] = sum(r for r, _ in self.new.routes.get(job, []))
        self._jobs[job] = self._clock
        self._active.pop(job)
        return True

    def _add(self, at: float, action: object, ready: float, why: str = "") -> None:
        self.steps.append(Step(at, action, ready, why))  # type: ignore[arg-type]
