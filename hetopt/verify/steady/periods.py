"""Checks of what ties periods: weights held, starts, loading, times on, changes, power caps."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.solution import PeriodPlan, ScenarioPlan
from hetopt.verify.columns import read_columns
from hetopt.verify.exact import exceeds, fraction
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.assignment import least_loaded
from hetopt.verify.steady.boards import boards_of, boards_with, first_device
from hetopt.verify.steady.investment import begins, check_bought, counts, one_period

Place = tuple[int, int, int]
"""Period, device, unit."""
Units = dict[Place, set[int]]


def check_ties(
    instance: Instance,
    plan: ScenarioPlan,
    values: list[dict[str, float]],
    means: dict[str, float],
    findings: Findings,
) -> dict[str, float]:
    """Check what ties the periods; return the objectives that starts and loading add to.

    Parameters
    ----------
    values, means
        Objectives of each period alone, and their means.
    """
    on = [[int(n) for n in np.asarray(part.units_on)] for part in plan.plans]
    served, working = _served(instance, plan)
    held = _held(instance, plan, on, findings)
    units = {place: served.get(place, set()) | held.get(place, set()) for place in served | held}
    _check_room(instance, units, held, working, findings)
    _check_workload(instance, units, served, findings)
    before = [_before(instance, on, s) for s in range(len(on))]
    starts = [
        [max(0, now - was) for now, was in zip(*pair, strict=True)]
        for pair in zip(on, before, strict=True)
    ]
    _check_time_on(instance, on, starts, findings)
    loads = [_loaded(instance, units, on, s) for s in range(len(on))]
    _check_changes(instance, on, before, loads, findings)
    boards = _board_starts(instance, plan)
    totals = _totals(instance, starts, boards, loads, values, means, findings)
    if instance.periods.invest:
        had = [[int(n) for n in np.asarray(part.units_had)] for part in plan.plans]
        totals["cost"] += float(check_bought(instance, had, findings) / begins(instance)[-1])
    return totals


def _served(instance: Instance, plan: ScenarioPlan) -> tuple[Units, dict[Place, Fraction]]:
    """Return weights that named units need for what they serve, and the most working memory."""
    options = instance.options
    weights: Units = {}
    working: dict[Place, Fraction] = {}
    for s, part in enumerate(plan.plans):
        for k, rate in enumerate(np.asarray(part.rate_per_s).tolist()):
            if not rate > 0:
                continue
            for row in range(int(part.ptr[k]), int(part.ptr[k + 1])):
                option, unit = int(part.option[row]), int(part.unit[row])
                if not 0 <= option < len(options) or unit < 0:
                    continue
                place = s, int(options.device[option]), unit
                key, need = int(options.weights_key[option]), fraction(options.memory_b[option])
                weights.setdefault(place, set()).update({key} if key >= 0 else set())
                working[place] = max(need, working.get(place, need))
    return weights, working


def _held(instance: Instance, plan: ScenarioPlan, on: list[list[int]], findings: Findings) -> Units:
    """Return what units are said to hold; report rows that name nothing."""
    if not isinstance(plan, PeriodPlan):
        return {}
    rows = read_columns(
        findings,
        [(name, getattr(plan.held, name), True) for name in ("period", "device", "unit", "key")],
        None,
    )
    if rows is None:
        return {}
    options = instance.options
    usable = set(zip(options.device.tolist(), options.weights_key.tolist(), strict=True))
    found: Units = {}
    for i, (s, d, unit, key) in enumerate(zip(*(r.tolist() for r in rows), strict=True)):
        known = 0 <= s < len(on) and 0 <= d < len(instance.devices)
        if not known or not 0 <= unit < on[s][d] or key < 0 or (d, key) not in usable:
            findings.add(
                "held",
                f"Row {i} of what units hold names period {s}, device {d}, unit {unit} and weights "
                f"{key}; expected are a unit that is on and weights of an option of its device.",
                f"held[{i}]",
            )
            continue
        found.setdefault((s, d, unit), set()).add(key)
    return found


def _check_room(
    instance: Instance,
    units: Units,
    held: Units,
    working: dict[Place, Fraction],
    findings: Findings,
) -> None:
    """Check the memory of units that hold more than they serve, and of their pools."""
    if not held:
        return
    devices, pools, size = instance.devices, instance.pools, _sizes(instance)
    pooled: dict[tuple[int, int], Fraction] = {}
    for s, d, unit in sorted(units):
        place = s, d, unit
        use = sum((size[k] for k in units[place]), Fraction(0))
        use += int(devices.slots[d]) * working.get(place, Fraction(0))
        if place in held and exceeds(use, float(devices.memory_b[d])):
            findings.add(
                "memory",
                f"Period {instance.scenarios.name[s]}: unit {instance.unit_name(d, unit)} needs "
                f"{show(float(use), 'B')} for weights and work; its memory is "
                f"{show(devices.memory_b[d], 'B')}.",
                instance.unit_name(d, unit),
            )
        pool = int(devices.pool[d])
        if pool >= 0:
            pooled[s, pool] = pooled.get((s, pool), Fraction(0)) + use
    for (s, pool), use in pooled.items():
        if exceeds(use, float(pools.memory_b[pool])):
            findings.add(
                "pool-memory",
                f"Period {instance.scenarios.name[s]}: the units of memory pool "
                f"{pools.name[pool]} need {show(float(use), 'B')} for weights and work; its "
                f"memory is {show(pools.memory_b[pool], 'B')}.",
                pools.name[pool],
            )


def _check_workload(instance: Instance, units: Units, served: Units, findings: Findings) -> None:
    """Check that a unit of an exclusive device holds weights of one workload only."""
    options, tasks = instance.options, instance.tasks
    ptr, admissible = instance.admissible
    jobs_of: dict[tuple[int, int], set[int]] = {}
    for task in range(len(tasks)):
        for option in admissible[ptr[task] : ptr[task + 1]].tolist():
            pair = int(options.device[option]), int(options.weights_key[option])
            jobs_of.setdefault(pair, set()).add(int(tasks.job[task]))
    for s, d, unit in sorted(units):
        keys = units[s, d, unit]
        if not instance.devices.exclusive[d] or len(keys) < 2 or keys == served.get((s, d, unit)):
            continue
        if not set.intersection(*(jobs_of.get((d, k), set()) for k in keys)):
            findings.add(
                "exclusive",
                f"Period {instance.scenarios.name[s]}: unit {instance.unit_name(d, unit)} holds "
                "weights of several jobs, but may serve one only.",
                instance.unit_name(d, unit),
            )


def _before(instance: Instance, on: list[list[int]], period: int) -> list[int]:
    """Return the units on before a period begins, per device."""
    if period:
        return on[period - 1]
    if instance.periods.cyclic:
        return on[-1]
    found = [0] * len(instance.devices)
    periods = instance.periods
    for d, n in zip(periods.initial_device.tolist(), periods.initial_units.tolist(), strict=True):
        found[d] += n
    return found


def _board_starts(instance: Instance, plan: ScenarioPlan) -> list[list[int]]:
    """Return the boards of each kind that go on as each period begins; none that is never off."""
    on = [
        boards_of(instance, np.asarray(part.units_on), np.asarray(part.units_had))[0]
        for part in plan.plans
    ]
    none = [[0] * len(instance.devices) for _ in on]
    starts = []
    for s, lit in enumerate(on):
        if s == 0 and not instance.periods.cyclic:
            before = boards_with(instance, _before(instance, none, 0))
        else:
            before = on[s - 1]
        pairs = zip(lit, before, instance.boards.off_when_unused.tolist(), strict=True)
        starts.append([max(0, now - was) if off else 0 for now, was, off in pairs])
    return starts


def _check_time_on(
    instance: Instance, on: list[list[int]], starts: list[list[int]], findings: Findings
) -> None:
    """Check that as many units are on as went on less than ``min_up`` ago."""
    least = fraction(instance.periods.min_up_s)
    enough = least * (1 - Fraction(repr(LIMIT_TOLERANCE)))
    if not least:
        return
    duration = [fraction(float(w)) for w in instance.scenarios.weight]
    for s in range(len(on)):
        recent = [0] * len(on[s])
        ago, back = Fraction(0), s
        while ago < enough:
            recent = [a + b for a, b in zip(recent, starts[back], strict=True)]
            if back == 0 and not instance.periods.cyclic:
                break
            back = back - 1 if back else len(on) - 1
            ago += duration[back]
        for d, (went, now) in enumerate(zip(recent, on[s], strict=True)):
            if went > now:
                findings.add(
                    "min-up",
                    f"In period {instance.scenarios.name[s]} {now} units of "
                    f"{instance.devices.name[d]} are on, but {went} went on less than "
                    f"{show(float(least), 's')} before and must still be.",
                    instance.devices.name[d],
                )


def _loaded(
    instance: Instance, units: Units, on: list[list[int]], period: int
) -> list[tuple[int, Fraction]]:
    """Return weights loaded as a period begins, and their bytes, per device."""
    size = _sizes(instance)
    periods = instance.periods

    def holds(s: int, d: int) -> list[frozenset[int]]:
        return [frozenset(units.get((s, d, u), ())) for u in range(on[s][d])]

    found = []
    for d in range(len(instance.devices)):
        after = holds(period, d)
        if not any(after):
            found.append((0, Fraction(0)))
            continue
        if period or periods.cyclic:
            before = holds(period - 1 if period else len(on) - 1, d)
        else:
            before = []
            for g in np.flatnonzero(periods.initial_device == d).tolist():
                span = slice(int(periods.initial_ptr[g]), int(periods.initial_ptr[g + 1]))
                keys = frozenset(periods.initial_key[span].tolist())
                before += [keys] * int(periods.initial_units[g])
        found.append(least_loaded(before, after, size))
    return found


def _check_changes(
    instance: Instance,
    on: list[list[int]],
    before: list[list[int]],
    loads: list[list[tuple[int, Fraction]]],
    findings: Findings,
) -> None:
    most = instance.periods.max_changes
    for s in range(len(on)):
        switched = sum(abs(a - b) for a, b in zip(on[s], before[s], strict=True))
        loaded = sum(count for count, _ in loads[s])
        if most >= 0 and switched + loaded > most:
            findings.add(
                "max-changes",
                f"As period {instance.scenarios.name[s]} begins, {switched} units are switched and "
                f"{loaded} weights loaded; at most {most} changes are allowed.",
                instance.scenarios.name[s],
            )


def _totals(
    instance: Instance,
    starts: list[list[int]],
    boards: list[list[int]],
    loads: list[list[tuple[int, Fraction]]],
    values: list[dict[str, float]],
    means: dict[str, float],
    findings: Findings,
) -> dict[str, float]:
    """Add starts and loading to power, cost and carbon; check the power cap of each period."""
    devices, duration = instance.devices, [fraction(float(w)) for w in instance.scenarios.weight]
    spent = {name: Fraction(0) for name in ("power", "cost", "carbon")}
    for s in range(len(starts)):
        alone = one_period(instance, s)
        worth = fraction(counts(instance, begins(instance)[s]))
        drawn = Fraction(0)
        for d in range(len(devices)):
            start = fraction(devices.start_up_energy_j[d])
            start += fraction(devices.idle_power_w[d]) * fraction(devices.start_up_time_s[d])
            joules = starts[s][d] * start
            joules += loads[s][d][1] * fraction(devices.load_energy_j_per_b[d])
            pue, price, carbon = _joule(alone, d)
            drawn += joules
            spent["cost"] += joules * pue * price * worth
            spent["cost"] += starts[s][d] * fraction(devices.start_up_cost[d]) * worth
            spent["carbon"] += joules * pue * carbon
        kinds = instance.boards
        for b, number in enumerate(boards[s]):
            joules = fraction(kinds.start_up_energy_j[b])
            joules += fraction(kinds.idle_power_w[b]) * fraction(kinds.start_up_time_s[b])
            joules *= number
            pue, price, carbon = _joule(alone, first_device(instance, b))
            drawn += joules
            spent["cost"] += joules * pue * price
            spent["cost"] += number * fraction(kinds.start_up_cost[b])
            spent["carbon"] += joules * pue * carbon
        spent["power"] += drawn
        power = values[s]["power"] + float(drawn / duration[s])
        if drawn and exceeds(power, alone.limits.power_cap_w):
            findings.add(
                "power-cap",
                f"Period {instance.scenarios.name[s]}: the average power with starts and loading "
                f"is {show(power, 'W')}; the power cap is "
                f"{show(alone.limits.power_cap_w, 'W')}.",
            )
    whole = sum(duration, Fraction(0))
    return {name: means[name] + float(joules / whole) for name, joules in spent.items()}


def _joule(alone: Instance, device: int) -> tuple[Any, Any, Any]:
    """Return PUE, price and carbon of a joule of a device in one period."""
    limits, sites, site = alone.limits, alone.sites, int(alone.devices.site[device])
    found = [limits.pue, limits.energy_price_per_j, limits.carbon_kg_per_j]
    if site >= 0:
        for i, column in enumerate((sites.pue, sites.energy_price_per_j, sites.carbon_kg_per_j)):
            found[i] = found[i] if math.isnan(column[site]) else float(column[site])
    pue, price, carbon = (fraction(float(value)) for value in found)
    return pue, price, carbon


def _sizes(instance: Instance) -> dict[int, Fraction]:
    keys, sizes = instance.options.weights_key, instance.options.weights_b
    return {k: fraction(b) for k, b in zip(keys.tolist(), sizes.tolist(), strict=True) if k >= 0}
