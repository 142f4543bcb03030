"""Cost and carbon in the CP-SAT model where prices change over time.

The mean price over a run of length p that starts at s is piecewise linear in s; it bends where the
run's start or end meets a change of prices. Per task i, class κ of its modes (same time and energy)
and stretch g of starts [a_g, b_g] without a bend there is a literal z, and per task one excess r:

    Σ_g z[i,κ,g] = Σ_{m in κ, q} x[i,m,q],    a_g <= s[i] <= b_g                where z[i,κ,g]
    r[i] >= |slope_g| (s[i] - a_g)  (falling: b_g - s[i])                       where z[i,κ,g]
    cost  = Σ energy_κ least_g z[i,κ,g] + Σ r[i]

and the same for each hop with its literal. Idle power P costs P F(W), with F the integral of the
price up to the makespan (a constant where there is a horizon): v[P] >= P F(W) by stretches of W,
and v[d,k] >= v[P] where more than k units of d run something.

All of r and v count the integers of the objective itself, so that their coefficients are 1: prices
such as 0.12 EUR/kWh have no common divisor in EUR/J, and parts of excesses that are worth few units
of the objective would lose much of it to rounding.

What may sleep draws p of sleep for the window, and idle - p until the end e of its last occupant
but for its gaps: P (F(e) - Σ_o (F(n_o) - F(b_o)) z_o), sleep from b_o to n_o; what waking draws is
priced as a run. F is told by stretches of time, rounded down where it is paid and up where saved.

On a grid that rounds down a start stands for all of its tick, and is counted at the least of it,
with the true length of the run: the objective stays a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ortools.sat.python import cp_model

from hetopt.instance import Series
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep, idlers
from hetopt.instance.tariffs import ExactSeries, Number, whole
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.idle_sleep_start_up import Rest, draws_by_gaps
from hetopt.schedule.cpsat.measures import Measure, add_window, least_makespan, on_time, unit_of
from hetopt.schedule.cpsat.variables import Build, Literal
from hetopt.schedule.model.grid import exact

MOST_HOP_STRETCHES = 20_000
"""Stretches of all hops above which hops are counted at the least price of their windows: the
bound stays one, and plans are priced as they are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ticks [first, last] on which a function is linear: its values at both."""

    first: int
    last: int
    at_first: Number
    at_last: Number

    @property
    def slope(self) -> Number:
        """Change per tick."""
        if self.last == self.first or self.at_last == self.at_first:
            return 0
        return whole(Fraction(self.at_last - self.at_first) / (self.last - self.first))


def priced_measure(build: Build, name: str, series: Series) -> Measure:
    """Return cost or carbon under prices that change over time."""
    problem = build.problem
    by_gaps = draws_by_gaps(build)
    # Where sleep is relaxed it does not count when it begins.
    instance, grid = problem.instance if by_gaps else as_if_asleep(problem.instance), problem.grid
    pue = exact(instance.limits.pue)
    work = problem.instance.tasks.work
    prices = ExactSeries(series, grid.tick)
    found = Measure()
    bill = _Bill(build, found, prices)
    placed: dict[int, list[tuple[Fraction, Literal, Stretch]]] = {}
    for task, choices in enumerate(build.choices):
        classes: dict[tuple[int, Fraction, Fraction], list[Literal]] = {}
        known: dict[int, tuple[int, Fraction, Fraction]] = {}
        for choice in choices:
            option = choice.mode.option
            if option not in known:
                known[option] = (
                    choice.mode.device,
                    problem.length(task, option),
                    pue
                    * exact(float(work[task]))
                    * exact(float(instance.options.energy_j[option])),
                )
            classes.setdefault(known[option], []).append(choice.literal)
        low = min(TimeWindows.of(problem).heads[task][c.mode.device] for c in choices)
        high = max(
            TimeWindows.of(problem).latest_ends[task][c.mode.device] - c.mode.duration
            for c in choices
        )
        runs = [(literals, length, joules) for (_, length, joules), literals in classes.items()]
        parts = bill.add_runs(build.start[task], runs, (low, high))
        for device, (length, here) in zip((key[0] for key in classes), parts, strict=True):
            placed.setdefault(device, []).extend((length, z, part) for z, part in here)
    _load_pieces(build, prices, placed)
    few = 2 * len(build.drawn) * len(prices.begin) <= MOST_HOP_STRETCHES
    for drawn in build.drawn:
        if not few or drawn.loose:
            first, last = drawn.window
            if drawn.loose:
                first, last = max(0, first - 1), last + 1
            pieces = slice(max(0, prices.piece(first) - 1), prices.piece(last + drawn.length) + 1)
            least = min(prices.value[pieces]) * prices.unit
            found.add(pue * drawn.joules * least, drawn.literal)
            bill.most += pue * drawn.joules * least
            continue
        runs = [([drawn.literal], drawn.length, pue * drawn.joules)]
        bill.add_runs(drawn.start, runs, drawn.window)
    rows = idlers(problem.instance)
    drawing = rows.sleep_power_w if by_gaps else instance.devices.idle_power_w
    for row in range(len(rows)):
        idle = pue * exact(float(drawing[row])) * grid.tick
        price = exact(float(rows.price_per_s[row])) if name == "cost" else Fraction(0)
        had, always_on = int(rows.count_min[row]), bool(rows.always_on[row])
        add_window(build, found, had * price, None)
        if always_on:
            bill.add_idle(had * idle, None)
        going_on = _going_on(build, name, prices, row)
        for literal in build.counted[row] if going_on else ():
            found.add(going_on, literal)
            bill.most += going_on
        for k, literal in enumerate(build.counted[row]):
            if k >= had:
                add_window(build, found, price, (row, k, literal))
            if k >= had or not always_on:
                bill.add_idle(idle, (row, k, literal))
    for rest in build.rests if by_gaps else ():
        bill.add_rest(rest, pue)
    bill.close()
    return found


def _going_on(build: Build, name: str, prices: ExactSeries, row: int) -> Fraction:
    """Return what going on costs or emits: it draws from the beginning of the window on."""
    instance = build.problem.instance
    rows, tick = idlers(instance), build.problem.grid.tick
    length = exact(float(rows.start_up_time_s[row])) / tick
    mean = Fraction(prices.area(0, whole(length))) / (length or 1) * prices.unit
    joules = exact(instance.limits.pue) * exact(float(rows.start_up_energy_j[row]))
    money = exact(float(rows.start_up_cost[row])) if name == "cost" else Fraction(0)
    return joules * mean + money


def stretches(
    prices: ExactSeries, length: Number, low: int, high: int, *, rounded: bool
) -> list[Stretch]:
    """Area of the price over runs that start in [low, high], as stretches of ticks that cover it.

    Parameters
    ----------
    length
        Length of the run in ticks, 0 for an instant (then: the price of the instant).
    rounded
        Whether a start stands for all of its tick, to be counted at its least.
    """
    if not length:
        return _instants(prices, low, high, rounded=rounded)
    bends = {b - back for b in prices.begin[1:] for back in (0, length)}
    inside = sorted(b for b in bends if low < b < high + 1)
    found: list[Stretch] = []
    for a, b in zip([low, *inside], [*inside, high + 1], strict=True):
        first, last = math.ceil(a), math.ceil(b) - 1
        if rounded:
            if a != first and (not found or found[-1].last < first - 1):
                # Bends within this tick: its ends and all of them.
                near = [x for x in inside if first - 1 < x < first]
                least = min(prices.area(x, length) for x in (first - 1, *near, first))
                _join(found, Stretch(first - 1, first - 1, least, least))
            last = math.floor(b) - 1
        if last < first:
            continue
        # Falling, a tick costs least at its end.
        late = int(rounded and prices.area(first + 1, length) < prices.area(first, length))
        ends = prices.area(first + late, length), prices.area(last + late, length)
        _join(found, Stretch(first, last, *ends))
    return found


def _instants(prices: ExactSeries, low: int, high: int, *, rounded: bool) -> list[Stretch]:
    """Prices of instants: the stretches share the tick of a change, which may use the lower."""
    found = []
    for k, value in enumerate(prices.value):
        first = max(low, math.ceil(prices.begin[k] - int(rounded)))
        ends = math.floor(prices.begin[k + 1]) if k + 1 < len(prices.value) else high
        if first <= min(high, ends):
            found.append(Stretch(first, min(high, ends), value, value))
    return found


def _join(found: list[Stretch], new: Stretch) -> None:
    """Append a stretch, as part of the last one where both are on one line."""
    if found:
        old = found[-1]
        step = new.at_first - old.at_last
        straight = (old.last == old.first or step == old.slope) and (
            new.last == new.first or step == new.slope
        )
        if straight and new.first == old.last + 1:
            found[-1] = Stretch(old.first, new.last, old.at_first, new.at_last)
            return
    found.append(new)


def _known(
    build: Build, prices: ExactSeries, length: Fraction, low: int, high: int
) -> list[Stretch]:
    """Return the stretches of a run; tasks that share times and windows share them."""
    key = (id(prices), length, low, high)
    found: list[Stretch] | None = build.stretches.get(key)
    if found is None:
        rounded = build.problem.grid.direction != "exact"
        found = stretches(prices, whole(length), low, high, rounded=rounded)
        build.stretches[key] = found
    return found


def _load_pieces(
    build: Build,
    prices: ExactSeries,
    placed: dict[int, list[tuple[Fraction, Literal, Stretch]]],
) -> None:
    """Σ least overlap of a run with a price piece <= slots × units × length of the piece."""
    problem = build.problem
    rounded = int(problem.grid.direction != "exact")
    for device, runs in placed.items():
        rows: dict[int, list[tuple[int, Literal]]] = {}
        for length, literal, part in runs:
            # Starts are anywhere in [first, last], off an exact grid up to a tick later.
            first, last, long = part.first, part.last + rounded, whole(length)
            for k in range(prices.piece(last), len(prices.begin) - 1):
                begin, ends = prices.begin[k], prices.begin[k + 1]
                if begin >= first + long:
                    break
                least = min(min(ends, at + long) - max(begin, at) for at in (first, last))
                if least >= 1:
                    rows.setdefault(k, []).append((math.floor(least), literal))
        room = problem.slots[device] * problem.units[device]
        for k, terms in rows.items():
            most = (prices.begin[k + 1] - prices.begin[k]) * room
            # A piece with room for all runs says nothing, and may be longer than CP-SAT counts.
            if sum(least for least, _ in terms) > most:
                build.model.add(sum(least * run for least, run in terms) <= math.floor(most))


class _Bill:
    """Collects what is paid, chooses the unit that it is counted in, and makes what counts in it.

    ``most`` is what no solution pays more than, apart from prices per second.
    """

    def __init__(self, build: Build, found: Measure, prices: ExactSeries) -> None:
        self.build, self.found, self.prices = build, found, prices
        self.most = Fraction(0)
        self.bent: list[tuple[Any, list[tuple[Literal, Stretch, Fraction]]]] = []
        self.idle: list[tuple[Fraction, tuple[int, int, Literal] | None]] = []
        self.spent: dict[Fraction, Any] = {}
        self.rests: list[tuple[Rest, Fraction]] = []
        self.pieces: dict[int, list[tuple[int, int, Literal | None]]] = {}
        horizon = build.problem.instance.limits.horizon_s
        self.whole: Fraction | None = None
        if math.isfinite(horizon):
            ticks = exact(float(horizon)) / build.problem.grid.tick
            self.whole = prices.unit * prices.integral(whole(ticks))

    def add_runs(
        self,
        start: Any,
        runs: Sequence[tuple[list[Literal], Fraction, Fraction]],
        window: tuple[int, int],
    ) -> list[tuple[Fraction, list[tuple[Literal, Stretch]]]]:
        """Add energy × mean price of the run that is chosen (of at most one of the literals).

        Returns per run its length and the stretches that its start may lie in, with literals.
        """
        build, model, found = self.build, self.build.model, self.found
        low, high = window
        lower, upper, chosen = [], [], []
        bent: list[tuple[Literal, Stretch, Fraction]] = []
        told: list[tuple[Fraction, list[tuple[Literal, Stretch]]]] = []
        dearest = Fraction(0)
        for literals, length, joules in runs:
            chosen += literals
            factor = joules * self.prices.unit / (length or 1)
            parts = _known(build, self.prices, length, low, high) if joules else []
            ends = (max(part.at_first, part.at_last) for part in parts)
            dearest = max(dearest, factor * max(ends, default=0))
            if len(parts) <= 1 and not (parts and parts[0].slope):
                if joules:
                    for literal in literals:
                        found.add(factor * parts[0].at_first, literal)
                lower.append(low * sum(literals))
                upper.append(high * sum(literals))
                anywhere = Stretch(low, high, 0, 0)
                told.append((length, [(literal, anywhere) for literal in literals]))
                continue
            here = []
            for part in parts:
                literal = build.bool("z")
                model.add_linear_constraint(start, part.first, part.last).only_enforce_if(literal)
                found.add(factor * min(part.at_first, part.at_last), literal)
                if part.slope:
                    bent.append((literal, part, factor * part.slope))
                here.append((literal, part))
            model.add(sum(z for z, _ in here) == sum(literals))
            told.append((length, here))
            lower.append(sum(part.first * z for z, part in here))
            upper.append(sum(part.last * z for z, part in here))
        # The windows as rows for the linear relaxation; where nothing is chosen they hold too.
        # Python's sum fails where a term that is 0 comes before a sum.
        total = cp_model.LinearExpr.sum
        model.add(start >= total(lower))
        model.add(start <= total(upper) + build.span * (1 - sum(chosen)))
        self.most += dearest
        if bent:
            self.bent.append((start, bent))
        return told

    def add_idle(self, rate: Fraction, counted: tuple[int, int, Literal] | None) -> None:
        """Add rate × integral of the price over the window, for certain or where it is counted."""
        if not rate:
            return
        if self.whole is None:
            self.idle.append((rate * self.prices.unit, counted))
        elif counted is None:
            self.found.constant += rate * self.whole
        else:
            self.found.add(rate * self.whole, counted[2])
            self.most += rate * self.whole

    def add_rest(self, rest: Rest, pue: Fraction) -> None:
        """Add what one that may sleep costs beyond sleep: awake, and waking."""
        build = self.build
        rows, tick = idlers(build.problem.instance), build.problem.grid.tick
        more = exact(float(rows.idle_power_w[rest.row]))
        more -= exact(float(rows.sleep_power_w[rest.row]))
        if not more:
            return
        self.rests.append((rest, pue * more * tick * self.prices.unit))
        joules = pue * exact(float(rows.wake_energy_j[rest.row]))
        length = exact(float(rows.wake_time_s[rest.row])) / tick
        for nap in rest.naps if joules else ():
            begin = build.time("wb")
            build.model.add(begin == nap.end - math.floor(length)).only_enforce_if(nap.literal)
            self.add_runs(begin, [([nap.literal], length, joules)], (0, build.span))

    def close(self) -> None:
        """Choose the unit, and make excesses and idle costs that count in it."""
        found, prices, span = self.found, self.prices, self.build.span
        slopes = [abs(slope) for _, bent in self.bent for _, _, slope in bent]
        rates = sorted({rate for rate, _ in self.idle})
        marks = [prices.integral(b) for b in prices.begin[1:] if b < span]
        rested = {rate for _, rate in self.rests}
        times = [rate * mark for rate in (*rates, *rested) for mark in (*marks, *prices.value)]
        drawn = [rate for rate, _ in self.idle] + [rate for _, rate in self.rests]
        idle = sum(drawn, Fraction(0)) * prices.integral(span)
        literal = sum((c * upper for c, _, upper in found.terms), Fraction(0))
        seconds = sum((c * upper for c, _, upper in found.terms if upper > 1), Fraction(0))
        most = self.most + idle + seconds
        amounts = [*(c for c, _, _ in found.terms), *slopes, *times]
        found.unit = unit_of(amounts, most, literal + self.most + idle)
        for start, bent in self.bent:
            self._add_excess(start, bent)
        for rate, counted in self.idle:
            self._add_idle(rate, counted)
        for rest, rate in self.rests:
            self._add_rest(rest, rate)

    def _add_excess(self, start: Any, bent: list[tuple[Literal, Stretch, Fraction]]) -> None:
        """Count what a start costs above the least of its stretch."""
        model, unit = self.build.model, self.found.unit
        most = max(abs(slope) * (part.last - part.first) for _, part, slope in bent)
        excess = model.new_int_var(0, math.floor(most / unit), "r")
        for literal, part, slope in bent:
            rate = math.floor(abs(slope) / unit)
            above = start - part.first if slope > 0 else part.last - start
            model.add(excess >= rate * above).only_enforce_if(literal)
        self.found.add(unit, excess, math.floor(most / unit))

    def _add_idle(self, rate: Fraction, counted: tuple[int, int, Literal] | None) -> None:
        build, prices, unit = self.build, self.prices, self.found.unit
        spent = self._spent(rate)
        most = math.floor(rate * prices.integral(build.span) / unit)
        if counted is None:
            self.found.add(unit, spent, most)
            return
        device, k, literal = counted
        here = build.model.new_int_var(0, most, f"v{device},{k}")
        build.model.add(here >= spent).only_enforce_if(literal)
        least = math.floor(rate * prices.integral(least_makespan(build)) / unit)
        build.model.add(here >= least * literal)
        cheapest = math.floor(rate * min(prices.value) / unit)
        if cheapest:
            build.model.add(here >= cheapest * on_time(build, device, k, literal))
        self.found.add(unit, here, most)

    def _add_rest(self, rest: Rest, rate: Fraction) -> None:
        """Count rate × what the price is in sum while one that may sleep is awake."""
        model, prices, unit = self.build.model, self.prices, self.found.unit
        most = math.ceil(rate * prices.integral(self.build.span) / unit)
        dearest = math.ceil(rate * max(prices.value) / unit)
        saved = []
        for nap in rest.naps:
            end = self.build.time("nz")
            model.add(end == nap.end).only_enforce_if(nap.literal)
            here = model.new_int_var(0, most, "nv")
            later, sooner = self._up_to(end, rate, saved=True), self._up_to(nap.begin, rate)
            model.add(here <= later - sooner).only_enforce_if(nap.literal)
            model.add(here <= most * nap.literal)
            model.add(here <= dearest * nap.length)
            saved.append(here)
        paid = model.new_int_var(0, most, "rv")
        model.add(paid >= self._up_to(rest.last, rate) - sum(saved))
        model.add(paid >= math.floor(rate * min(prices.value) / unit) * rest.awake)
        self.found.add(unit, paid, most)

    def _up_to(self, time: Any, rate: Fraction, *, saved: bool = False) -> Any:
        """Return a variable of rate × F(time) / unit: at least that, or ``saved``: at most."""
        build, prices, unit = self.build, self.prices, self.found.unit
        rounded = math.ceil if saved else math.floor
        most = math.ceil(rate * prices.integral(build.span) / unit)
        found = build.model.new_int_var(0, most, "F")
        for first, last, literal in self._pieces(time, 0, build.span):
            base = prices.integral(first)
            climb = prices.integral(first + 1) - base if last > first else 0
            at = rounded(rate * base / unit) + rounded(rate * climb / unit) * (time - first)
            row = build.model.add(found <= at if saved else found >= at)
            if literal is not None:
                row.only_enforce_if(literal)
        return found

    def _spent(self, rate: Fraction) -> Any:
        """Return a variable >= rate × F(W) / unit, made once a rate."""
        if rate in self.spent:
            return self.spent[rate]
        build, prices, unit = self.build, self.prices, self.found.unit
        most = math.floor(rate * prices.integral(build.span) / unit)
        spent = self.spent[rate] = build.model.new_int_var(0, most, "v")
        bases = []
        for first, last, literal in self._pieces(build.makespan, least_makespan(build), build.span):
            base = prices.integral(first)
            climb = prices.integral(first + 1) - base if last > first else 0
            least, slope = math.floor(rate * base / unit), math.floor(rate * climb / unit)
            row = build.model.add(spent >= least + slope * (build.makespan - first))
            if literal is not None:
                row.only_enforce_if(literal)
                bases.append(least * literal)
        if bases:
            build.model.add(spent >= sum(bases))
        return spent

    def _pieces(self, time: Any, low: int, high: int) -> list[tuple[int, int, Literal | None]]:
        """Stretches of a time with their literals (None: it is the only one), made once."""
        if time.index in self.pieces:
            return self.pieces[time.index]
        build, found = self.build, self.pieces.setdefault(time.index, [])
        bends = sorted(b for b in self.prices.begin[1:] if low < b < high)
        for a, b in zip([low, *bends], [*bends, high + 1], strict=True):
            first, last = math.ceil(a), math.ceil(b) - 1
            if last < first:
                continue
            literal = build.bool("y") if bends else None
            if literal is not None:
                held = build.model.add_linear_constraint(time, first, last)
                held.only_enforce_if(literal)
            found.append((first, last, literal))
        if bends:
            build.model.add_exactly_one(z for _, _, z in found if z is not None)
        return found
