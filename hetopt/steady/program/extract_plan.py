"""From the solution of the program to a plan: rates, units on, and which unit serves what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Instance, Ints
from hetopt.solution import SteadyPlan
from hetopt.steady.model.capacity import memory_limited
from hetopt.steady.program.formulation import SteadyModel

NO_SHARE = 1e-11
"""A share of a job's rate below this is a solver's rounding; the other routes take it over."""

MOST_NAMED = 100_000
"""Units of a device that a plan names one by one, at the most: each is a row of the plan."""

MOST_TRIED = 10_000
"""Numbers of units of a device that are tried one by one."""

SLIVER = 1e-10
"""Load, in units, that is not worth another row: a tenth of ``LIMIT_TOLERANCE``."""


@dataclass(slots=True)
class _Rows:
    """Rows of the plan under construction."""

    job: list[int] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    task: list[int] = field(default_factory=list)
    option: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    ptr: list[int] = field(default_factory=lambda: [0])

    def add(
        self, job: int, rate: float, tasks: list[int], options: list[int], units: list[int]
    ) -> None:
        """Append a route."""
        self.job.append(job)
        self.rate.append(rate)
        self.task.extend(tasks)
        self.option.extend(options)
        self.unit.extend(units)
        self.ptr.append(len(self.task))


Portions = list[tuple[int, float]]
Contents = list[tuple[int, int, tuple[int, ...]]]
"""Device, unit, and the weights that it holds."""


def build_plan(model: SteadyModel, values: Mapping[str, float]) -> SteadyPlan:
    """Make a plan of the values of the program's variables, integers whole.

    Parts that the kinds of unit serve are dealt out to single units, one unit filled after the
    other; the parts of a route on several devices are then joined row by row. No more units are
    on than the load and the limits of links need.
    """
    return _built(model, values, None)


def build_whole_plan(
    model: SteadyModel, values: Mapping[str, float]
) -> tuple[SteadyPlan, Contents]:
    """Make a plan with as many units on, of each kind, as the values say.

    Returns
    -------
    plan, contents
        The plan, and what the units that it names hold.
    """
    contents: Contents = []
    return _built(model, values, contents), contents


def _built(
    model: SteadyModel, values: Mapping[str, float], contents: Contents | None
) -> SteadyPlan:
    instance = model.instance
    share = _shares(model, values)
    limited = memory_limited(instance)
    dealt: dict[tuple[int, int], Portions] = {}
    on = np.zeros(len(instance.devices), dtype=np.int64)
    for device in model.kinds_of:
        if limited[device]:
            on[device] = _deal(model, device, share, values, dealt, contents)
        else:
            on[device] = _needed(model, device, share)
    _links_need(model, share, on)
    if contents is not None:
        on = np.maximum(on, settled(model.work, values))
    rows = _Rows()
    ptr, tasks = instance.job_tasks
    for r, route in enumerate(model.routes):
        if share[r] <= 0:
            continue
        mine = [int(t) for t in tasks[ptr[route.job] : ptr[route.job + 1]]]
        devices = [int(instance.options.device[o]) for o in route.options]
        named = sorted({d for d in devices if limited[d]})
        for part, units in _joined([(d, dealt[r, d]) for d in named]):
            rate = share[r] * model.route_rate(r) * part
            unit = [units.get(d, -1) for d in devices]
            rows.add(route.job, rate, mine, list(route.options), unit)
    if not model.question.throughput and not model.question.value:
        _meet_demand(instance, rows)
    plan = SteadyPlan(
        route_job=np.array(rows.job, dtype=np.int64),
        rate_per_s=np.array(rows.rate, dtype=np.float64),
        ptr=np.array(rows.ptr, dtype=np.int64),
        task=np.array(rows.task, dtype=np.int64),
        option=np.array(rows.option, dtype=np.int64),
        unit=np.array(rows.unit, dtype=np.int64),
        units_on=on.astype(np.int64),
        units_had=on.astype(np.int64),
    )
    if model.states is not None:
        plan = model.states.completed(model, plan, values)
    on, had = _fleet(model, values, share, plan.units_on)
    return replace(plan, units_on=on.astype(np.int64), units_had=had.astype(np.int64))


def _fleet(
    model: SteadyModel, values: Mapping[str, float], share: list[float], working: Ints
) -> tuple[Ints, Ints]:
    """Return units on and had: those that serve, spares, and what shares of kinds ask for."""
    devices, kinds = model.instance.devices, model.instance.kind_shares.of.tolist()
    serves = np.zeros(len(devices), dtype=bool)
    for r, route in enumerate(model.routes):
        if share[r] > 0:
            serves[sorted(route.busy_s)] = True
    always = ~devices.off_when_unused
    spare = np.where(serves, devices.spare, 0)
    units = np.where(always, np.maximum(devices.count_min, working + spare), working)
    if "units" in kinds:
        units = _fewest(model.instance, "units", units, settled(model.on, values))
    had = np.where(always, units, np.maximum(devices.count_min, units + spare))
    if "price" in kinds:
        had = _fewest(model.instance, "price", had, settled(model.had, values))
    return np.where(always, had, units), had


def _fewest(instance: Instance, of: str, needed: Ints, asked: Ints) -> Ints:
    """Return units as needed, or as many as the limits on shares of kinds ask for.

    Where no objective counts units, a solver leaves more than that.
    """
    if _shares_hold(instance, of, needed):
        return needed
    units = np.maximum(needed, asked)
    for device in range(len(units)):
        least, most = int(needed[device]), int(units[device])
        # Numbers of one device with which shares hold are those between two: where the most does,
        # the first is found by halves.
        if _shares_hold(instance, of, units):
            while least < most:
                middle = (least + most) // 2
                if _shares_hold(instance, of, _with(units, device, middle)):
                    most = middle
                else:
                    least = middle + 1
            units = _with(units, device, most)
            continue
        for number in range(least, min(most, least + MOST_TRIED)):
            if _shares_hold(instance, of, _with(units, device, number)):
                units = _with(units, device, number)
                break
    return units


def _with(units: Ints, device: int, number: int) -> Ints:
    changed = units.copy()
    changed[device] = number
    return changed


def _shares_hold(instance: Instance, of: str, units: Ints) -> bool:
    devices, shares = instance.devices, instance.kind_shares
    fleet = units * (devices.price_per_s if of == "price" else 1.0)
    whole = float(fleet.sum())
    for s in np.flatnonzero(shares.of == of).tolist():
        part = float(fleet[devices.kind == shares.kind[s]].sum())
        if not shares.least[s] * whole <= part <= shares.most[s] * whole:
            return False
    return True


def settled(units: Mapping[int, Any], values: Mapping[str, float]) -> Ints:
    """Numbers of units in the program's solution (D)."""
    return np.array([_whole(units[d], values) for d in sorted(units)], dtype=np.int64)


def _whole(number: Any, values: Mapping[str, float]) -> int:
    """Return a number of units in the program's solution, a variable or not."""
    return round(values.get(number.name, 0.0)) if hasattr(number, "name") else int(number)


def _shares(model: SteadyModel, values: Mapping[str, float]) -> list[float]:
    """Share of each route; negligible ones are 0, and the rest of the job makes up for them."""
    share = [max(0.0, values.get(y.name, 0.0)) for y in model.share]
    for job, mine in enumerate(model.of_job):
        parts = int(model.instance.jobs.slices[job])
        for r in mine if parts else ():
            share[r] = round(share[r] * parts) / parts
        whole = sum(share[r] for r in mine)
        for r in mine:
            if share[r] <= NO_SHARE * whole:
                share[r] = 0.0
        kept = sum(share[r] for r in mine)
        target = whole if model.question.throughput else 1.0
        if model.question.value:
            # A share of all, or the least one, but for a solver's rounding.
            least = float(model.instance.jobs.min_share[job])
            target = min(1.0, max(whole, least))
        for r in mine:
            share[r] *= target / kept if kept > 0 else 0.0
    return share


def _needed(model: SteadyModel, device: int, share: list[float]) -> int:
    """Count the units of a device without memory limits that its load needs."""
    used = any(share[r] > 0 for k in model.kinds_of[device] for r in model.kinds[k].routes)
    need = 0
    for k in model.kinds_of[device]:
        load = sum(
            share[r] * model.route_rate(r) * model.routes[r].busy_s[device]
            for r in model.kinds[k].routes
        )
        need += _whole_units(load, float(model.capacity[device]))
    return max(need, int(used))


def _whole_units(load: float, capacity: float) -> int:
    units = load / capacity
    return max(1, math.ceil(units - 4 * SLIVER * max(1.0, units))) if load > 0 else 0


def _links_need(model: SteadyModel, share: list[float], on: np.ndarray) -> None:
    """Keep on the units whose number the capacity of a link needs."""
    links = model.instance.links
    use: dict[int, float] = {}
    for r, route in enumerate(model.routes):
        for link, size in route.link_b.items():
            if share[r] > 0 and links.per_unit[link]:
                group = int(links.channel_group[link])
                channels = max(1, int(links.group_channels[group])) if group >= 0 else 1
                busy = share[r] * model.route_rate(r) * size
                busy /= float(links.bandwidth_b_per_s[link]) * channels
                row = group if group >= 0 else -1 - link
                use[row] = use.get(row, 0.0) + busy
                on[links.src[link]] = max(on[links.src[link]], _whole_units(use[row], 1.0))


def _deal(
    model: SteadyModel,
    device: int,
    share: list[float],
    values: Mapping[str, float],
    dealt: dict[tuple[int, int], Portions],
    contents: Contents | None,
) -> int:
    """Deal the parts of routes to the units of a device; return how many units must be on.

    ``dealt`` gets, for each route on the device, the units that serve it with their fractions.
    """
    taken = {model.kinds[k].unit for k in model.kinds_of[device]} - {-1}
    free = 0
    most = 0
    for k in model.kinds_of[device]:
        kind = model.kinds[k]
        parts = _parts(model, k, share, values)
        load = sum(part * model.routes[r].busy_s[device] * model.route_rate(r) for r, part in parts)
        capacity = float(model.capacity[device])
        number = max(1, _whole_units(load, capacity)) if parts else 0
        if contents is not None or model.least[device] > 0:
            # Weights are held and starts counted by kind; where all units on must be busy, those
            # below a named one and those never off are dealt to as well.
            number = max(number, _whole(model.count[k], values))
        if not number:
            continue
        _may_be_named(model.instance, device, free + number)
        units = []
        for _ in range(number):
            unit = kind.unit
            while unit < 0:
                unit, free = (free, free + 1) if free not in taken else (-1, free + 1)
            units.append(unit)
        most = max(most, *(u + 1 for u in units))
        if contents is not None:
            contents.extend((device, unit, kind.keys) for unit in units)
        even = load / len(units) if model.least[device] > 0 else capacity
        _fill(model, device, parts, units, min(capacity, even), dealt)
    for (r, d), portions in dealt.items():
        if d == device:
            whole = math.fsum(p for _, p in portions)
            dealt[r, d] = [(u, p / whole) for u, p in portions]
    return most


def _may_be_named(instance: Instance, device: int, number: int) -> None:
    """Refuse to name more units of a device than a plan can hold."""
    if number > MOST_NAMED:
        name = str(instance.devices.name[device])
        text = (
            f"At most {MOST_NAMED:,} units of a device whose memory is limited: a plan names each. "
            "Without the memory, or with fewer and faster units, it names none or fewer."
        )
        raise InputError([Problem(f"devices.{name}", f"{number:,} units that are needed", text)])


def _parts(model: SteadyModel, k: int, share: list[float], values: Mapping[str, float]) -> Portions:
    """Routes that units of a kind serve, with the share of the job's rate that they serve."""
    device, parts = model.kinds[k].device, []
    for r in model.kinds[k].routes:
        if share[r] <= 0:
            continue
        serving = model.serving[r, device]
        flows = [max(0.0, values.get(model.part(r, other).name, 0.0)) for other in serving]
        whole = sum(flows)
        kept = [f if f > NO_SHARE * whole else 0.0 for f in flows]
        part = share[r] * kept[serving.index(k)] / sum(kept)
        if part > 0:
            parts.append((r, part))
    return parts


def _fill(
    model: SteadyModel,
    device: int,
    parts: Portions,
    units: list[int],
    each: float,
    dealt: dict[tuple[int, int], Portions],
) -> None:
    """Fill one unit after the other to a load; the last one takes what rounding leaves.

    What is left of a route is counted from its first unit's rest and the whole units behind it:
    taken off unit by unit, rounding adds up to a part of a unit where there are many.
    """
    at, room = 0, each
    sliver = SLIVER * room
    for r, part in parts:
        per_share = model.routes[r].busy_s[device] * model.route_rate(r)
        portions = dealt.setdefault((r, device), [])
        begun = left = part
        whole = 0
        while left * per_share > room + sliver and at + 1 < len(units):
            if room == each:
                whole += 1
                portions.append((units[at], each / per_share))
                left = begun - whole * (each / per_share)
            elif room > sliver:
                portions.append((units[at], room / per_share))
                begun = left = begun - room / per_share
            at, room = at + 1, each
        portions.append((units[at], left))
        room -= left * per_share


def _joined(devices: list[tuple[int, Portions]]) -> list[tuple[float, dict[int, int]]]:
    """Join the portions of a route on several devices into rows: (fraction, unit per device)."""
    if not devices:
        return [(1.0, {})]
    first, dealt = devices[0]
    rows = [(portion, {first: unit}) for unit, portion in dealt]
    for device, portions in devices[1:]:
        joined: list[tuple[float, dict[int, int]]] = []
        at, room = 0, portions[0][1]
        for fraction, units in rows:
            left = fraction
            while left > room + NO_SHARE and at + 1 < len(portions):
                if room > NO_SHARE:
                    joined.append((room, {**units, device: portions[at][0]}))
                    left -= room
                at += 1
                room = portions[at][1]
            joined.append((left, {**units, device: portions[at][0]}))
            room -= left
        rows = joined
    return rows


def _meet_demand(instance: Instance, rows: _Rows) -> None:
    """Raise the last digit of a job's largest rate until its rates add up to the demand."""
    by_job: dict[int, list[int]] = {}
    for k, job in enumerate(rows.job):
        by_job.setdefault(job, []).append(k)
    for job, mine in by_job.items():
        demand = Fraction(repr(float(instance.jobs.rate_per_s[job])))
        raised = raised_to(demand, [rows.rate[k] for k in mine])
        for k, rate in zip(mine, raised, strict=True):
            rows.rate[k] = rate


def raised_to(demand: Fraction, rates: list[float]) -> list[float]:
    """Return the rates with the first largest raised until they add up to the demand exactly."""
    raised = list(rates)
    largest = max(range(len(raised)), key=lambda k: raised[k])
    missing = demand - sum(Fraction(repr(rate)) for rate in raised)
    while missing > 0:
        before = raised[largest]
        raised[largest] = max(before + float(missing), math.nextafter(before, math.inf))
        missing -= Fraction(repr(raised[largest])) - Fraction(repr(before))
    return raised
