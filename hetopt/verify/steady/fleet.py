"""Checks of what a steady plan asks of its units and links, and its totals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.boards import boards_of, first_device
from hetopt.verify.steady.configurations import check_configurations
from hetopt.verify.steady.least_load import check_least_loads
from hetopt.verify.steady.resources import check_rates
from hetopt.verify.steady.routes import Number, Unit
from hetopt.verify.steady.streams import Arithmetic, Stream, names_units, working_units
from hetopt.verify.steady.waiting import check_waiting


def check_fleet(
    instance: Instance,
    streams: list[Stream],
    units: tuple[Ints, Ints],
    arithmetic: Arithmetic,
    findings: Findings,
) -> dict[str, float]:
    """Check capacity, spares, memory, links, shares, resources, power cap and budget.

    Parameters
    ----------
    units
        Units on and units had, per device.

    Returns
    -------
    dict
        The objectives that the plan determines (SI units, money per second).
    """
    on, had = units
    load = _loads(streams)
    working = working_units(instance, _serving(instance, streams), on, had)
    _check_spares(instance, streams, working, on, had, findings)
    _check_capacity(instance, load, working, arithmetic, findings)
    _check_exclusive(instance, streams, load, working, arithmetic, findings)
    check_waiting(instance, streams, working, findings)
    check_least_loads(instance, streams, load, working, arithmetic, findings)
    _check_memory(instance, streams, arithmetic, findings)
    check_configurations(instance, streams, findings)
    _check_links(instance, streams, working, arithmetic, findings)
    _check_shares(instance, on, had, arithmetic, findings)
    check_rates(instance, streams, arithmetic, findings)
    return _totals(instance, streams, on, had, arithmetic, findings)


def _loads(streams: list[Stream]) -> dict[tuple[Unit, int], Number]:
    """Return busy seconds per second, per unit and job."""
    load: dict[tuple[Unit, int], Number] = {}
    for stream in streams:
        if stream.used:
            for unit, busy in stream.cost.busy_s.items():
                key = (unit, stream.job)
                load[key] = load.get(key, 0) + stream.rate * busy
    return load


def _serving(instance: Instance, streams: list[Stream]) -> Bools:
    """Return whether each device serves requests."""
    serves = np.zeros(len(instance.devices), dtype=bool)
    for stream in streams:
        if stream.used:
            for _, option, _ in stream.rows:
                serves[int(instance.options.device[option])] = True
    return serves


def _check_spares(
    instance: Instance,
    streams: list[Stream],
    working: Ints,
    on: Ints,
    had: Ints,
    findings: Findings,
) -> None:
    """Check that spare units are left over, off where the device may be off.

    A unit must remain to serve at all: work of no time needs one too.
    """
    devices = instance.devices
    short = (working < 1) | (devices.off_when_unused & (on + devices.spare > had))
    short &= _serving(instance, streams) & (devices.spare > 0) & (on > 0)
    for d in np.flatnonzero(short).tolist():
        findings.add(
            "spare",
            f"Device {devices.name[d]} serves requests with {on[d]} units on of {had[d]} had, of "
            f"which {devices.spare[d]} must be spare.",
            devices.name[d],
        )


def _check_shares(
    instance: Instance, on: Ints, had: Ints, arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check the share of each limited kind: of units on, or of the price of units had."""
    shares, devices = instance.kind_shares, instance.devices
    for s in range(len(shares)):
        paid = shares.of[s] == "price"
        mine, whole = arithmetic.number(0.0), arithmetic.number(0.0)
        for d in range(len(devices)):
            part = (
                arithmetic.number(devices.price_per_s[d]) * int(had[d])
                if paid
                else arithmetic.number(float(on[d]))
            )
            whole += part
            if devices.kind[d] == shares.kind[s]:
                mine += part
        if not whole:
            continue
        share = mine / whole
        least, most = arithmetic.number(shares.least[s]), arithmetic.number(shares.most[s])
        if exceeds(share, most) or exceeds(-share, -least):
            what = "the price of units had" if paid else "the units on"
            findings.add(
                "kind-share",
                f"Devices of kind {shares.kind[s]} are {show(share)} of {what}; allowed are "
                f"{show(shares.least[s])} to {show(shares.most[s])}.",
                str(shares.kind[s]),
            )


def _capacity(instance: Instance, device: int, arithmetic: Arithmetic) -> Number:
    devices, number = instance.devices, arithmetic.number
    free = 1 - number(devices.reserved[device])
    return number(devices.max_utilization[device]) * free * int(devices.slots[device])


def _check_capacity(
    instance: Instance,
    load: dict[tuple[Unit, int], Number],
    on: Ints,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that busy time fits each unit that is named, and the units on of each device."""
    per_unit: dict[Unit, Number] = {}
    per_device: dict[int, Number] = {}
    for (unit, _), busy in load.items():
        per_device[unit[0]] = per_device.get(unit[0], 0) + busy
        if unit[1] >= 0:
            per_unit[unit] = per_unit.get(unit, 0) + busy
    full = set()
    for unit, busy in per_unit.items():
        capacity = _capacity(instance, unit[0], arithmetic)
        if exceeds(busy, capacity):
            full.add(unit[0])
            findings.add(
                "capacity",
                f"Unit {instance.unit_name(*unit)} is busy {show(busy)} seconds per second; its "
                f"capacity is {show(capacity)}.",
                instance.unit_name(*unit),
            )
    for device, busy in per_device.items():
        capacity = _capacity(instance, device, arithmetic) * int(on[device])
        if device not in full and exceeds(busy, capacity):
            name = instance.devices.name[device]
            findings.add(
                "capacity",
                f"The {on[device]} units of {name} that work are busy {show(busy)} seconds per "
                f"second; their capacity is {show(capacity)}.",
                name,
            )


def _check_exclusive(
    instance: Instance,
    streams: list[Stream],
    load: dict[tuple[Unit, int], Number],
    on: Ints,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that a unit of an exclusive device serves one job only."""
    devices, jobs = instance.devices, instance.jobs.name
    for d in np.flatnonzero(devices.exclusive).tolist():
        serves: dict[int, list[int]] = {}
        for stream in streams:
            if not (stream.used or instance.routing == "single"):
                continue
            for _, option, unit in stream.rows:
                if int(instance.options.device[option]) == d and unit >= 0:
                    held = serves.setdefault(unit, [])
                    if stream.job not in held:
                        held.append(stream.job)
        for unit, held in sorted(serves.items()):
            if len(held) > 1:
                findings.add(
                    "exclusive",
                    f"Unit {instance.unit_name(d, unit)} serves the jobs "
                    f"{', '.join(jobs[j] for j in held)}, but may serve one only.",
                    instance.unit_name(d, unit),
                )
        capacity = _capacity(instance, d, arithmetic)
        anywhere = {
            job: busy for ((device, unit), job), busy in load.items() if device == d and unit < 0
        }
        if not anywhere or capacity <= 0:
            continue
        taken = len(serves)
        for job, busy in anywhere.items():
            own = [unit for unit, held in serves.items() if held == [job]]
            spare = capacity * len(own) - sum(load.get(((d, unit), job), 0) for unit in own)
            # However little a job asks for, some unit of its own serves it.
            taken += max(int(busy > 0 and not own), _ceil((busy - spare) / capacity))
        # Of billions of units the tolerance of limits is more than one.
        if exceeds(arithmetic.number(taken), arithmetic.number(int(on[d]))):
            findings.add(
                "exclusive",
                f"Device {devices.name[d]} needs {taken} units, each for one job only, but "
                f"{on[d]} work.",
                devices.name[d],
            )


def _ceil(units: Number) -> int:
    """Round up, forgiving what is within the tolerance of limits: a unit's, whose scale is 1."""
    below: int = math.floor(units)
    number = type(units)
    return max(0, below + int(exceeds(units, number(below), number(below + 1))))


def _check_memory(
    instance: Instance, streams: list[Stream], arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check weights of all that a unit serves, once each, and slots × the most working memory."""
    options, devices, pools = instance.options, instance.devices, instance.pools
    weights: dict[Unit, dict[int, Number]] = {}
    working: dict[Unit, Number] = {}
    for stream in streams:
        if not (stream.used or instance.routing == "single"):
            continue
        for _, option, unit in stream.rows:
            place = (int(options.device[option]), unit)
            if unit < 0 or not names_units(instance, place[0]):
                continue
            key = int(options.weights_key[option])
            held = weights.setdefault(place, {})
            if key >= 0:
                held[key] = arithmetic.number(options.weights_b[option])
            most = arithmetic.number(options.memory_b[option])
            working[place] = max(working.get(place, most), most)
    pooled: dict[int, Number] = {}
    for place in sorted(weights):
        device = place[0]
        use = sum(weights[place].values()) + int(devices.slots[device]) * working[place]
        if exceeds(use, float(devices.memory_b[device])):
            findings.add(
                "memory",
                f"Unit {instance.unit_name(*place)} needs {show(use, 'B')} for weights and work; "
                f"its memory is {show(devices.memory_b[device], 'B')}.",
                instance.unit_name(*place),
            )
        pool = int(devices.pool[device])
        if pool >= 0:
            pooled[pool] = pooled.get(pool, 0) + use
    for pool, use in pooled.items():
        if exceeds(use, float(pools.memory_b[pool])):
            findings.add(
                "pool-memory",
                f"The units of memory pool {pools.name[pool]} need {show(use, 'B')} for weights "
                f"and work; its memory is {show(pools.memory_b[pool], 'B')}.",
                pools.name[pool],
            )


def _check_links(
    instance: Instance,
    streams: list[Stream],
    on: Ints,
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that bytes per second fit the bandwidth: shares of it, summed per channel group."""
    links, names = instance.links, instance.devices.name
    sent: dict[int, Number] = {}
    for stream in streams:
        if stream.used:
            for link, size in stream.cost.link_b.items():
                sent[link] = sent.get(link, 0) + stream.rate * size
    shares: dict[tuple[int, int], Number] = {}
    for link, rate in sorted(sent.items()):
        bandwidth = float(links.bandwidth_b_per_s[link])
        if math.isinf(bandwidth) or rate == 0:
            continue
        width: Any = arithmetic.number(bandwidth)
        if links.per_unit[link]:
            width *= int(on[links.src[link]])
        group = int(links.channel_group[link])
        key = (group, -1 if group >= 0 else link)
        shares[key] = shares.get(key, 0) + (rate / width if width else math.inf)
    for (group, link), share in shares.items():
        channels = int(links.group_channels[group]) if group >= 0 else 1
        if exceeds(share, arithmetic.number(float(channels))):
            k = link if link >= 0 else int(np.flatnonzero(links.channel_group == group)[0])
            name = f"{names[links.src[k]]}->{names[links.dst[k]]} ({k})"
            findings.add(
                "link",
                f"The messages over link {name} and those that share its channels need "
                f"{show(share)} times the bandwidth of one channel; there are {channels}.",
                name,
            )


def _totals(
    instance: Instance,
    streams: list[Stream],
    on: Ints,
    had: Ints,
    arithmetic: Arithmetic,
    findings: Findings,
) -> dict[str, float]:
    """Sum up power, cost, carbon, throughput and accuracy; check power cap and budget."""
    devices, limits, number = instance.devices, instance.limits, arithmetic.number
    drawn = [number(devices.idle_power_w[d]) * int(on[d]) for d in range(len(devices))]
    price = number(0.0)
    for d in range(len(devices)):
        price += number(devices.price_per_s[d]) * int(had[d])
    for b, (lit, owned) in enumerate(zip(*boards_of(instance, on, had), strict=True)):
        drawn[first_device(instance, b)] += number(instance.boards.idle_power_w[b]) * lit
        price += number(instance.boards.price_per_s[b]) * owned
    for stream in streams:
        for d, joules in stream.cost.energy_at.items():
            drawn[d] += stream.rate * joules
    power = sum(drawn, number(0.0))
    money, emitted = number(0.0), number(0.0)
    for d, watts in enumerate(drawn):
        pue, each, carbon = _joule(instance, d, arithmetic)
        money += watts * pue * each
        emitted += watts * pue * carbon
    cost = price + money
    if exceeds(power, limits.power_cap_w):
        findings.add(
            "power-cap",
            f"The average power is {show(power, 'W')}; the power cap is "
            f"{show(limits.power_cap_w, 'W')}.",
        )
    if exceeds(cost, limits.budget_per_s):
        findings.add(
            "budget",
            f"The cost is {show(cost)} per second; the budget is {show(limits.budget_per_s)}.",
        )
    result = {
        "power": float(power),
        "cost": float(cost),
        "carbon": float(emitted),
        "throughput": _throughput(instance, streams, arithmetic),
    }
    if instance.jobs.value.any():
        worth = (stream.rate * number(instance.jobs.value[stream.job]) for stream in streams)
        result["value"] = float(sum(worth, number(0.0)))
    accuracy = _accuracy(instance, streams)
    return result if accuracy is None else result | {"accuracy": accuracy}


def _joule(
    instance: Instance, device: int, arithmetic: Arithmetic
) -> tuple[Number, Number, Number]:
    """Return PUE, price and carbon of a joule at a device: its site's, or else the instance's."""
    limits, sites, site = instance.limits, instance.sites, int(instance.devices.site[device])
    found = [limits.pue, limits.energy_price_per_j, limits.carbon_kg_per_j]
    if site >= 0:
        for i, column in enumerate((sites.pue, sites.energy_price_per_j, sites.carbon_kg_per_j)):
            found[i] = found[i] if math.isnan(column[site]) else float(column[site])
    pue, price, carbon = (arithmetic.number(value) for value in found)
    return pue, price, carbon


def _throughput(instance: Instance, streams: list[Stream], arithmetic: Arithmetic) -> float:
    """Return the least ratio of served to demanded rate × the sum of demanded rates."""
    demand = [arithmetic.number(rate) for rate in instance.jobs.rate_per_s]
    served: list[Any] = [arithmetic.number(0.0)] * len(demand)
    for stream in streams:
        served[stream.job] += stream.rate
    scale = min((s / d for s, d in zip(served, demand, strict=True) if d > 0), default=0)
    return float(scale * sum(demand))


def _accuracy(instance: Instance, streams: list[Stream]) -> float | None:
    """Return the weighted mean over jobs of the rate-weighted accuracy of their routes."""
    parts: dict[int, list[tuple[Number, float]]] = {}
    for stream in streams:
        if stream.used and not math.isnan(stream.cost.accuracy):
            parts.setdefault(stream.job, []).append((stream.rate, float(stream.cost.accuracy)))
    weight = math.fsum(float(instance.jobs.weight[job]) for job in parts)
    if not weight > 0:
        return None
    means = (
        float(instance.jobs.weight[job])
        * (math.fsum(float(r) * a for r, a in rows) / math.fsum(float(r) for r, _ in rows))
        for job, rows in parts.items()
    )
    return math.fsum(means) / weight
