"""Plain impossibilities of streams: latency, load, power and money that cannot suffice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hetopt import units
from hetopt.analysis.explanation.critical_paths import chain_of, chains
from hetopt.analysis.explanation.quick_tests.shortages import Screen, least, short
from hetopt.analysis.explanation.wording import number
from hetopt.instance import NO_MAXIMUM, Floats, Instance
from hetopt.instance.grouping import sums
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.questions import least_shares
from hetopt.steady.model.capacity import unit_capacity


def steady_tests(instance: Instance) -> list[Screen]:
    """Return what is plainly impossible for streams; every task has an option."""
    if "value" in instance.objective:
        # Only the least shares must be served.
        must = instance.jobs.rate_per_s * least_shares(instance)
        asked = replace(instance, jobs=replace(instance.jobs, rate_per_s=must))
        return [*_loads(asked), *_power(asked), *_budget(asked)]
    found = [*_latencies(instance)]
    if "throughput" not in instance.objective:
        found += [*_loads(instance), *_power(instance), *_budget(instance)]
        if instance.routing == "single":
            found += _one_unit(instance)
    return found


def _latencies(instance: Instance) -> Iterator[Screen]:
    """Jobs whose fastest route takes longer than they may."""
    jobs, options = instance.jobs, instance.options
    if not np.isfinite(jobs.latency_slo_s).any():
        return
    fills = np.where(options.batch >= 2, 2.0, 1.0)
    if not np.isnan(options.latency_s).all() and (instance.tasks.work != 1).any():
        # A measured latency holds for the task as it is; with work it has no one time per option.
        return
    stated = np.isnan(options.latency_s)
    takes = np.where(stated, fills * options.time_s, options.latency_s)
    end, chain = chains(instance, takes, np.zeros(len(jobs)))
    for j in np.flatnonzero(np.isfinite(jobs.latency_slo_s)).tolist():
        own = np.flatnonzero(instance.tasks.job == j)
        last = int(own[np.argmax(end[own])])
        need, slo, name = float(end[last]), float(jobs.latency_slo_s[j]), str(jobs.name[j])
        if short(need, slo):
            text = (
                f"The fastest way through job {name} takes {units.format(need, 'time')} "
                f"({chain_of(instance, chain, last)}); its latency limit is "
                f"{units.format(slo, 'time')}."
            )
            yield Screen("latency", name, text, (f"latency:{name}",), need / max(slo, 1e-12))


def _capacity(instance: Instance) -> Floats:
    """Busy time per second that one unit of each device can give (D), something in any case."""
    return np.asarray(np.maximum(unit_capacity(instance), 1e-12))


def _loads(instance: Instance) -> Iterator[Screen]:
    """Devices that are too few for the requests that only they can serve."""
    devices, options, tasks = instance.devices, instance.options, instance.tasks
    ptr, option = instance.admissible
    owner = np.repeat(np.arange(len(tasks)), np.diff(ptr))
    device = options.device[option]
    lowest = np.full(len(tasks), len(devices))
    highest = np.full(len(tasks), -1)
    np.minimum.at(lowest, owner, device)
    np.maximum.at(highest, owner, device)
    bound = lowest == highest
    busy = least(instance, options.time_s / options.batch, work=True)
    load = busy * instance.jobs.rate_per_s[tasks.job]
    need = sums(lowest[bound], load[bound], len(devices)) / _capacity(instance)
    for d in np.flatnonzero((devices.count_max != NO_MAXIMUM) & (need > 0)).tolist():
        most = int(devices.count_max[d])
        if short(float(need[d]), most):
            name = str(devices.name[d])
            text = (
                f"What only {name} can run keeps {need[d]:.4g} units of it busy; there are at most "
                f"{most}."
            )
            yield Screen(
                "load", name, text, (f"units:{name}", "demand"), float(need[d]) / max(most, 1e-9)
            )


def _one_unit(instance: Instance) -> Iterator[Screen]:
    """Tasks too much for any one unit, where each is placed on one."""
    options, tasks = instance.options, instance.tasks
    share = options.time_s / options.batch / _capacity(instance)[options.device]
    need = least(instance, share, work=True) * instance.jobs.rate_per_s[tasks.job]
    for t in np.flatnonzero(short(need, 1.0)).tolist():
        rate = units.format(float(instance.jobs.rate_per_s[tasks.job[t]]), "rate")
        text = (
            f"{tasks.name[t]} at {rate} keeps {need[t]:.4g} units of its fastest device busy; with "
            f"routing single one unit must do."
        )
        yield Screen("load", str(tasks.name[t]), text, ("demand",), float(need[t]))


def _power(instance: Instance) -> Iterator[Screen]:
    """Compare the power cap with what the demand takes at its thriftiest."""
    cap = instance.limits.power_cap_w
    if not np.isfinite(cap):
        return
    need, floor = _least_power(instance)
    if short(need + floor, cap):
        text = f"To serve the demand takes at least {units.format(need + floor, 'power')}"
        if floor > 0:
            text += f", {units.format(floor, 'power')} of it for devices that are always on"
        text += f"; the power cap is {units.format(cap, 'power')}."
        yield Screen("power", "", text, ("power_cap", "demand"), (need + floor) / max(cap, 1e-12))


def _least_power(instance: Instance) -> tuple[float, float]:
    """Return least power of the requests, idle power in proportion, and that always drawn."""
    devices, options = instance.devices, instance.options
    idle = np.where(devices.off_when_unused, devices.idle_power_w, 0.0)
    share = idle / _capacity(instance)
    energy = (options.energy_j + share[options.device] * options.time_s) / options.batch
    each = least(instance, energy, work=True)
    need = float((each * instance.jobs.rate_per_s[instance.tasks.job]).sum())
    always = ~devices.off_when_unused
    return need, float((devices.idle_power_w * devices.count_min)[always].sum())


def _budget(instance: Instance) -> Iterator[Screen]:
    """Compare the budget with what the demand costs at its cheapest."""
    limits, devices, options = instance.limits, instance.devices, instance.options
    if not np.isfinite(limits.budget_per_s):
        return
    per_j = joule_prices(instance, "cost")[options.device]
    share = devices.price_per_s / _capacity(instance)
    cost = (options.energy_j * per_j + share[options.device] * options.time_s) / options.batch
    each = least(instance, cost, work=True)
    need = float((each * instance.jobs.rate_per_s[instance.tasks.job]).sum())
    if short(need, limits.budget_per_s):
        costs, budget = (number(instance, "money", v) for v in (need, limits.budget_per_s))
        text = f"To serve the demand costs at least {costs}; the budget is {budget}."
        yield Screen(
            "budget", "", text, ("budget", "demand"), need / max(limits.budget_per_s, 1e-12)
        )
