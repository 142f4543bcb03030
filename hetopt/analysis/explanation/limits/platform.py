"""Limits of devices and links: memory, resources, numbers of units, channels, bandwidth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.analysis.explanation.limits.limit import (
    Amount,
    Limit,
    asks_throughput,
    cell,
    cells,
    numbered,
    parts_of,
    schedule_of,
    streams_of,
)
from hetopt.evaluate import evaluate
from hetopt.evaluate.memory import MemoryUse, memory_use
from hetopt.evaluate.resources import peak
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import NO_MAXIMUM, Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.investment import unit_costs
from hetopt.instance.states.stream_boards import boards_had
from hetopt.solution import Held, PeriodPlan, Plan, SchedulePlan

MOST_UNITS = 10**6
"""Units of a device that are more than enough for anybody; models count in floats."""


def memories(instance: Instance) -> list[Limit]:
    """Finite memories of devices and pools."""
    devices, pools, options = instance.devices, instance.pools, instance.options
    key, first = np.unique(options.weights_key, return_index=True)
    everything = float(options.weights_b[first[key >= 0]].sum())
    everything += float(devices.slots.max(initial=1)) * float(options.memory_b.max(initial=0.0))
    everything += float(instance.tensors.bytes_b.sum()) * 2 + 1.0
    own = np.flatnonzero(np.isfinite(devices.memory_b)).tolist()
    # The number of units may be lifted as well, and each of them then holds something.
    units = 0 if instance.regime == "schedule" else int(_enough_units(instance).sum())
    shared = np.flatnonzero(np.isfinite(pools.memory_b)).tolist()
    return [
        *(_memory(instance, d, everything) for d in own),
        *(_pool(instance, g, everything * units) for g in shared),
    ]


def _memory_uses(instance: Instance, plan: Plan) -> list[MemoryUse]:
    held = plan.held if isinstance(plan, PeriodPlan) else Held.of()
    return [
        memory_use(i, p, held.of_period(s)) for s, (i, p) in enumerate(parts_of(instance, plan))
    ]


def _memory(instance: Instance, device: int, enough: float) -> Limit:
    name, value = str(instance.devices.name[device]), float(instance.devices.memory_b[device])
    amount = Amount(
        value,
        "bytes",
        cell("devices", device, "memory_b"),
        lambda i, p: max(use.most_b(device) for use in _memory_uses(i, p)),
    )
    return numbered("memory", name, f"the memory of {name}", amount, _free(instance, value, enough))


def _pool(instance: Instance, pool: int, enough: float) -> Limit:
    name, value = str(instance.pools.name[pool]), float(instance.pools.memory_b[pool])
    amount = Amount(
        value,
        "bytes",
        cell("pools", pool, "memory_b"),
        lambda i, p: max(float(use.pool_b[pool]) for use in _memory_uses(i, p)),
    )
    words = f"the memory of pool {name}"
    return numbered("pool", name, words, amount, _free(instance, value, enough))


def _free(instance: Instance, value: float, enough: float) -> float:
    # A plan of streams names units only where memory is finite, so there it is more than enough.
    return np.inf if instance.regime == "schedule" else max(enough, 2 * value)


def resource_limits(instance: Instance) -> list[Limit]:
    """Capacities and budgets of resources."""
    resources, steady = instance.resources, instance.regime == "steady"
    capacities = np.flatnonzero(np.isfinite(resources.capacity)).tolist()
    budgets = np.flatnonzero(np.isfinite(resources.budget)).tolist()
    held = "mean" if steady else "peak"
    return [
        *(_resource(instance, k, "capacity", held) for k in capacities),
        *(_resource(instance, k, "budget", "used") for k in budgets),
    ]


def _resource(instance: Instance, resource: int, column: str, row: str) -> Limit:
    name = str(instance.resources.name[resource])

    def use(i: Instance, p: Plan) -> float:
        return max(float(evaluate(*part)["resources"][resource][row]) for part in parts_of(i, p))

    value = float(getattr(instance.resources, column)[resource])
    amount = Amount(value, "", cell("resources", resource, column), use)
    words = f"the {column} of resource {name}"
    kind = f"resource_{column}"
    if column == "capacity" and instance.resources.slow[resource]:
        # With more of it tasks run faster, and draw more: not every plan stays one.
        kind, words = "sharing", f"{words}, which slows what shares it"
    return numbered(kind, name, words, amount, np.inf)


def counts(instance: Instance) -> list[Limit]:
    """Numbers of units of a fleet; facts for a question of throughput, which needs them."""
    if asks_throughput(instance):
        return []
    enough = _enough_units(instance)
    return [
        count_of(instance, d, int(enough[d]))
        for d in np.flatnonzero(instance.devices.count_max != NO_MAXIMUM).tolist()
        if (instance.options.device == d).any()
    ]


def with_finite_counts(instance: Instance) -> Instance:
    """Give devices without a largest number of units one that is more than enough."""
    free = instance.devices.count_max == NO_MAXIMUM
    count = np.where(free, _enough_units(instance), instance.devices.count_max)
    return replace(instance, devices=replace(instance.devices, count_max=count))


def most_power(instance: Instance) -> float:
    """Power (W) that no sensible plan of streams exceeds: a cap lifted, but finite.

    Without any cap, throughput could be unbounded.
    """
    devices, options, links = instance.devices, instance.options, instance.links
    boards, under = instance.boards, boards_had(instance, _enough_units(instance))
    idle = float((devices.idle_power_w * _enough_units(instance)).sum())
    idle += float((boards.idle_power_w * under).sum())
    rates = _rates(instance)[instance.tasks.job]
    work = float((rates * instance.tasks.work).sum()) * float(options.energy_j.max(initial=0.0))
    sent = float((instance.tensors.bytes_b * rates[instance.tensors.producer]).sum())
    hops = sent * float(links.energy_j_per_b.sum()) * len(devices)
    return 2 * (idle + work + hops)


def most_cost(instance: Instance) -> float:
    """Money per second that no sensible plan of streams exceeds."""
    enough, boards = _enough_units(instance), instance.boards
    price = instance.devices.price_per_s
    if instance.periods.invest:
        # Bought all at once, at the dearest time.
        lasts = instance.scenarios.weight
        price = unit_costs(instance.periods, lasts, instance.devices).max(axis=0) / lasts.sum()
    units = float((price * enough).sum())
    units += float((boards.price_per_s * boards_had(instance, enough)).sum())
    return units + most_power(instance) * float(joule_prices(instance, "cost").max())


def _rates(instance: Instance) -> Floats:
    """Largest demanded rate of each job (J), over scenarios where there are some."""
    rates = instance.jobs.rate_per_s
    if len(instance.scenarios):
        rates = np.maximum(rates, instance.scenarios.rate_per_s.max(axis=0))
    return rates


def _enough_units(instance: Instance) -> Ints:
    """Units of each device (D) with which more would be of no use for the demanded rates.

    Each task's load, rounded up (units that hold one model each, or serve one job each), a unit for
    each whole slice of a job, the spare ones, and as many more as shares of kinds may ask for
    beside the others.
    """
    devices, options, tasks = instance.devices, instance.options, instance.tasks
    capacity = devices.max_utilization * (1.0 - devices.reserved) * devices.slots
    busy = options.time_s / options.batch / np.maximum(capacity, 1e-9)[options.device]
    slowest = np.zeros(len(devices))
    np.maximum.at(slowest, options.device, busy)
    work = float((tasks.work * _rates(instance)[tasks.job]).sum())
    needed = np.minimum(np.ceil(work * slowest), MOST_UNITS).astype(np.int64) + len(tasks)
    needed += int(instance.jobs.slices.sum()) + devices.spare
    if len(instance.kind_shares):
        total = max(int(needed.sum()), int(devices.count_min.sum()))
        needed = np.minimum(np.ceil(total * _share_factor(instance)), MOST_UNITS).astype(np.int64)
    return np.maximum(np.maximum(devices.count_max, devices.count_min), needed)


def _share_factor(instance: Instance) -> float:
    """Return how many times the units that serve a fleet may need for its shares of kinds.

    A kind of at least the share s is s / (1 - s) of the others, one of at most s has (1 - s) / s
    of itself beside it; shares of money by the ratio of prices more.
    """
    shares = instance.kind_shares
    price = instance.devices.price_per_s
    price = price[price > 0]
    factor = 1.0
    for least, most, of in zip(shares.least, shares.most, shares.of.tolist(), strict=True):
        room = min(1.0 - least if least < 1 else 1.0, most if most > 0 else 1.0)
        ratio = float(price.max() / price.min()) if of == "price" and len(price) else 1.0
        factor = max(factor, ratio / max(room, 1e-6))
    return factor


def count_of(instance: Instance, device: int, free: int) -> Limit:
    """Return the number of units of a device; lifted, it is ``free``."""
    name, most = str(instance.devices.name[device]), int(instance.devices.count_max[device])

    def at(i: Instance, value: float) -> Instance:
        # Of fewer units than must be had, all must be had.
        low = min(int(i.devices.count_min[device]), round(value))
        return i.with_cells("devices", device, count_min=low, count_max=round(value))

    def use(i: Instance, p: Plan) -> float:
        if isinstance(p, SchedulePlan):
            q = schedule_of(i, p)
            return float(max(q.units_had[device], _highest(q.plan.unit[q.device == device])))
        return float(
            max(
                max(int(q.plan.units_had[device]), _highest(q.plan.unit[q.device == device]))
                for q in streams_of(i, p)
            )
        )

    words = f"the number of units of {name}"
    return numbered("units", name, words, Amount(most, "count", at, use), free)


def _highest(unit: Ints) -> int:
    """Return the number of units up to the highest that is named."""
    return int(unit.max(initial=-1)) + 1


def least_loads(instance: Instance) -> list[Limit]:
    """Least loads of units that are on."""
    devices = instance.devices
    return [_least_load(instance, d) for d in np.flatnonzero(devices.min_load > 0).tolist()]


def _least_load(instance: Instance, device: int) -> Limit:
    name = str(instance.devices.name[device])

    def use(i: Instance, p: Plan) -> float:
        return min(_busy(q, device) for q in streams_of(i, p))

    value = float(instance.devices.min_load[device])
    amount = Amount(value, "share", cell("devices", device, "min_load"), use, sign=-1.0)
    return numbered("min_load", name, f"the least load of {name}", amount, 0.0)


def _busy(q: SteadyQuantities, device: int) -> float:
    """Return the part of its time for which the idlest unit on is busy; 1 where none is on.

    Where units are not named the load is spread over all of them as far as jobs allow.
    """
    on, devices = int(q.units_working[device]), q.instance.devices
    each = float((1.0 - devices.reserved[device]) * devices.slots[device])
    if not on or not each > 0:
        return 1.0
    mine = (q.device == device) & (q.plan.unit >= 0)
    if mine.any():
        load = q.row_rate_per_s[mine] * q.row_busy_s[mine]
        return float(np.bincount(q.plan.unit[mine], load, on).min()) / each
    if devices.exclusive[device]:
        # How units are given to jobs is the checker's to say: what was asked for holds.
        return float(devices.min_load[device])
    return float(q.load[device]) / (on * each)


def fleet_rules(instance: Instance) -> list[Limit]:
    """Spare units, shares of kinds, requests not to be divided, contiguous stages."""
    devices, jobs, shares = instance.devices, instance.jobs, instance.kind_shares
    found = []
    for d in np.flatnonzero(devices.spare > 0).tolist():
        name = str(devices.name[d])
        words = f"the {devices.spare[d]} spare units of {name}"
        remedy = f"do without spare units of {name}"
        found.append(Limit("spare", name, words, cells("devices", d, spare=0), remedy=remedy))
    for k, kind in enumerate(shares.kind.tolist()):
        any_share = cells("kind_shares", k, least=0.0, most=1.0)
        words = f"the share of {kind} ({shares.least[k]:.4g} to {shares.most[k]:.4g})"
        remedy = f"let {kind} have any share of the {shares.of[k]}"
        found.append(Limit("share", str(kind), words, any_share, remedy=remedy))
    for j in np.flatnonzero(jobs.slices > 0).tolist():
        name = str(jobs.name[j])
        words = f"the {jobs.slices[j]} whole slices of job {name}"
        remedy = f"divide the requests of job {name} freely"
        found.append(Limit("slices", name, words, cells("jobs", j, slices=0), remedy=remedy))
    for j in np.flatnonzero(jobs.contiguous).tolist():
        name = str(jobs.name[j])
        anywhere = cells("jobs", j, contiguous=False)
        words = f"the contiguous stages of job {name}"
        remedy = f"let the stages of job {name} not be contiguous"
        found.append(Limit("contiguous", name, words, anywhere, remedy=remedy))
    return found


def channels(instance: Instance) -> list[Limit]:
    """Channels of links and buses."""
    links = instance.links
    found = []
    for g in np.unique(links.channel_group[links.channel_group >= 0]).tolist():
        members = np.flatnonzero(links.channel_group == g)
        name = str(links.bus[members[0]]) or _arrow(instance, int(members[0]))

        def at(i: Instance, value: float, g: int = g) -> Instance:
            return i.with_cells("links", g, group_channels=round(value))

        def lift(i: Instance, g: int = g) -> Instance:
            group = np.where(i.links.channel_group == g, -1, i.links.channel_group)
            return replace(i, links=replace(i.links, channel_group=group))

        def use(i: Instance, p: Plan, members: Ints = members) -> float:
            return _most_hops(i, p, members)

        amount = Amount(int(links.group_channels[g]), "count", at, use)
        words = f"the channels of {name}"
        found.append(Limit("channels", name, words, lift, amount))
    return found


def bandwidths(instance: Instance) -> list[Limit]:
    """Capacities of links in the steady regime, those of a bus together."""
    links = instance.links
    if not len(instance.tensors):
        return []
    own = np.where(links.channel_group >= 0, links.channel_group, -1 - np.arange(len(links)))
    found = []
    for g in dict.fromkeys(own.tolist()):
        members = np.flatnonzero(own == g)
        if not np.isfinite(links.bandwidth_b_per_s[members]).any():
            continue
        name = str(links.bus[members[0]]) or _arrow(instance, int(members[0]))
        lift = cells("links", members, bandwidth_b_per_s=np.inf)
        remedy = f"make {name} faster"
        found.append(Limit("bandwidth", name, f"the bandwidth of {name}", lift, remedy=remedy))
    return found


def _most_hops(instance: Instance, plan: Plan, members: Ints) -> float:
    q = schedule_of(instance, plan)
    own = np.isin(q.plan.hops.link, members)
    start, time = q.plan.hops.start_s[own], q.hop_time_s[own]
    return peak(start, start + time, time, np.ones(len(start)), q.slack_s)


def _arrow(instance: Instance, link: int) -> str:
    names, links = instance.devices.name, instance.links
    return f"link {names[links.src[link]]}->{names[links.dst[link]]}"
