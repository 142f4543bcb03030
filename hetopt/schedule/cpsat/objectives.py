"""Objectives of the CP-SAT model, as integer expressions that never exceed the true value.

Each objective is a constant plus a sum of non-negative variables with fractional coefficients, to
be minimised (accuracy is negated). Coefficients are scaled to integers by their common divisor
where that fits, else rounded down; the integer optimum is then a lower bound of the true one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance.states.idle_sleep_start_up import idlers
from hetopt.instance.tariffs import series_of
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.measures import Measure, add_window, least_makespan, unit_of
from hetopt.schedule.cpsat.variables import Build, Place
from hetopt.schedule.model.grid import exact, read
from hetopt.schedule.model.problem import BILLED


@dataclass(frozen=True, slots=True)
class Scaled:
    """An integer expression: true measure >= constant + unit × expression."""

    expression: Any
    constant: Fraction
    unit: Fraction
    sign: int
    terms: tuple[tuple[int, Any], ...] = ()

    def value(self, integer: float) -> float:
        """Objective in real units of a value (or bound) of the integer expression."""
        if not math.isfinite(integer):
            return math.nan
        return self.sign * float(self.constant + self.unit * Fraction(integer))


def scale(measure: Measure) -> Scaled:
    """Scale a measure to integers, rounding coefficients down where they have no divisor."""
    most = sum((abs(c) * upper for c, _, upper in measure.terms), Fraction(0))
    unit = measure.unit or unit_of((c for c, _, _ in measure.terms), most)
    terms = tuple((math.floor(c / unit), v) for c, v, _ in measure.terms)
    expression = sum(c * v for c, v in terms)
    return Scaled(expression, measure.constant, unit, measure.sign, terms)


def measure(build: Build, name: str, peak: tuple[Any, Fraction] | None) -> Measure:
    """Return the measure of one objective, making the variables that it needs."""
    if name == "makespan":
        found = Measure()
        found.add(build.problem.grid.tick, build.makespan, build.span)
        return found
    if name == "tardiness":
        return _tardiness(build)
    if name == "accuracy":
        return _accuracy(build)
    if name == "peak_power":
        if peak is None:
            raise ValueError("The model has no variable for the peak power.")
        found = Measure()
        found.add(peak[1], peak[0], 1 << 40)
        return found
    series = series_of(build.problem.instance, name)
    if series is not None:
        # That module uses the types above.
        from hetopt.schedule.cpsat.tariff_objective import priced_measure

        return priced_measure(build, name, series)
    return _energy_like(build, name)


def bound_makespan(build: Build) -> None:
    """Let the makespan follow every end, and every end plus the tail behind it."""
    for task, rests in enumerate(TimeWindows.of(build.problem).rests):
        least = min(rests.values(), default=0)
        more = [
            (rests[device] - least) * literal
            for device, literal in build.on[task].items()
            if rests[device] > least
        ]
        # On a circle the makespan is the longest latency.
        zero = build.problem.release[task] if build.problem.cycle else 0
        build.model.add(build.makespan >= build.end[task] + least + sum(more) - zero)


def load_rows(build: Build) -> None:
    """Σ time × choice <= slots × units × makespan per device; per unit where units have places.

    Also for the tasks that cannot start early and those that cannot end late: they must fit
    between their least head and the makespan less their least tail (window rows).
    """
    problem, model = build.problem, build.model
    if problem.cycle:
        _cycle_rows(build)
        return
    shortest = least_makespan(build)
    model.add(build.makespan >= shortest)
    for device in range(len(problem.units)):
        rows = [
            (task, choice)
            for task, choices in enumerate(build.choices)
            for choice in choices
            if choice.place[0] == device and choice.mode.duration
        ]
        if not rows:
            continue
        room = problem.slots[device] * problem.units[device]
        for head, tail in _windows(build, device, [task for task, _ in rows]):
            inside = [
                c.mode.duration * c.literal
                for task, c in rows
                if TimeWindows.of(problem).heads[task][device] >= head
                and TimeWindows.of(problem).rests[task][device] >= tail
            ]
            # Where nothing of it runs here, the row must hold all the same.
            if head + tail <= shortest:
                model.add(sum(inside) <= room * (build.makespan - head - tail))
        if problem.units[device] > 1 and rows[0][1].place[1] >= 0:
            for unit in range(problem.units[device]):
                inside = [c.mode.duration * c.literal for _, c in rows if c.place[1] == unit]
                if inside:
                    model.add(sum(inside) <= problem.slots[device] * build.makespan)


def _cycle_rows(build: Build) -> None:
    """Σ time × choice <= slots × cycle per unit, none of it where the unit is not used."""
    problem = build.problem
    work: dict[Place, list[Any]] = {}
    for choices in build.choices:
        for choice in choices:
            if choice.mode.duration:
                work.setdefault(choice.place, []).append(choice.mode.duration * choice.literal)
    for (device, unit), inside in work.items():
        room = problem.slots[device] * problem.cycle
        build.model.add(sum(inside) <= room * build.used[device][unit])


def _windows(build: Build, device: int, tasks: list[int]) -> list[tuple[int, int]]:
    """(head, tail) pairs that cut off a fifth, two fifths ... of the device's tasks."""
    heads = sorted({TimeWindows.of(build.problem).heads[t][device] for t in tasks})
    tails = sorted({TimeWindows.of(build.problem).rests[t][device] for t in tasks})
    pairs = {(0, 0)}
    for part in range(5):
        head, tail = heads[len(heads) * part // 5], tails[len(tails) * part // 5]
        pairs.update({(head, 0), (0, tail), (head, tails[0])})
    return sorted(pairs)


def _energy_like(build: Build, name: str) -> Measure:
    """Energy, or what it costs or emits: options, hops, idle of units on, price of units had."""
    problem = build.problem
    instance = problem.instance
    billed = BILLED.index(name)
    per_joule = problem.joule_prices[billed]
    found = Measure()
    for task, choices in enumerate(build.choices):
        energy: dict[int, Fraction] = {}
        for choice in choices:
            option = choice.mode.option
            if option not in energy:
                energy[option] = problem.energy(task, option)
            found.add(energy[option] * per_joule[choice.mode.device], choice.literal)
    for literal, bill in build.paid:
        found.add(bill[billed], literal)
    rows = idlers(instance)
    for rest in build.rests:
        each = per_joule[int(rows.device[rest.row])]
        awake = exact(float(rows.idle_power_w[rest.row]))
        awake -= exact(float(rows.sleep_power_w[rest.row]))
        found.add(awake * each * problem.grid.tick, rest.awake, problem.cycle or build.span)
        for nap in rest.naps:
            found.add(exact(float(rows.wake_energy_j[rest.row])) * each, nap.literal)
    for row in range(len(rows)):
        # What it draws awake beyond sleep stands above.
        idle = exact(float(rows.sleep_power_w[row])) * per_joule[int(rows.device[row])]
        going_on = exact(float(rows.start_up_energy_j[row])) * per_joule[int(rows.device[row])]
        if name == "cost":
            going_on += exact(float(rows.start_up_cost[row]))
        for literal in build.counted[row]:
            found.add(going_on, literal)
        price = exact(float(rows.price_per_s[row])) if name == "cost" else Fraction(0)
        had = int(rows.count_min[row])
        always_on = bool(rows.always_on[row])
        surely = had * (price + (idle if always_on else 0))
        add_window(build, found, surely, None)
        for k, literal in enumerate(build.counted[row]):
            rate = idle if (k >= had or not always_on) else Fraction(0)
            rate += price if k >= had else 0
            add_window(build, found, rate, (row, k, literal))
    return found


def _tardiness(build: Build) -> Measure:
    problem, jobs = build.problem, build.problem.instance.jobs
    grid = problem.grid
    found = Measure()
    rows: dict[int, list[int]] = {}
    for task, job in enumerate(problem.job):
        rows.setdefault(job, []).append(task)
    for job, tasks in rows.items():
        due = float(jobs.due_s[job])
        if not np.isfinite(due) or not jobs.weight[job]:
            continue
        ticks = math.ceil(read(problem.instance, due) / grid.tick)
        late = build.time(f"T{job}")
        for task in tasks:
            build.model.add(late >= build.end[task] - ticks)
            reach = TimeWindows.of(build.problem).tails[task] if len(rows) == 1 else 0
            if reach:
                build.model.add(late >= build.end[task] + reach - ticks)
        found.add(exact(float(jobs.weight[job])) * grid.tick, late, build.span)
    return found


def _accuracy(build: Build) -> Measure:
    """Weighted mean of the jobs' least accuracies, negated: shortfall from 1."""
    problem = build.problem
    instance = problem.instance
    stated = instance.options.accuracy
    rows: dict[int, list[int]] = {}
    for task, job in enumerate(problem.job):
        if any(not np.isnan(stated[c.mode.option]) for c in build.choices[task]):
            rows.setdefault(job, []).append(task)
    total = sum((exact(float(instance.jobs.weight[j])) for j in rows), Fraction(0))
    found = Measure(sign=-1)
    if not total:
        return found
    found.constant = Fraction(-1)
    shares = {job: exact(float(instance.jobs.weight[job])) / total for job in rows}
    values = [exact(value) for value in np.unique(stated[~np.isnan(stated)]).tolist()]
    each = np.unique(list(shares.values())).tolist()
    # Shortfalls are counted in the unit of the objective itself.
    found.unit = unit = unit_of((s * (1 - v) for s in each for v in values), Fraction(1))
    for job, tasks in rows.items():
        parts = math.ceil(shares[job] / unit)
        short = build.model.new_int_var(0, parts, f"A{job}")
        for task in tasks:
            loss = [
                math.floor(shares[job] * (1 - exact(float(stated[c.mode.option]))) / unit)
                * c.literal
                for c in build.choices[task]
                if not np.isnan(stated[c.mode.option])
            ]
            build.model.add(short >= sum(loss))
        found.add(unit, short, parts)
    return found
