"""Checks of units bought over time: they stay, and cost what they count in money of today."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance
from hetopt.verify.exact import fraction
from hetopt.verify.report import Findings

YEAR = Fraction(8760 * 3600)


def one_period(instance: Instance, period: int) -> Instance:
    """Return a period alone, with energy at its own price, not discounted, and units for nothing.

    What does not invest is taken as it stands: its units are paid for all the time.
    """
    alone = instance.in_scenario(period)
    if not instance.periods.invest:
        return alone
    own = float(instance.periods.energy_price_per_j[period])
    price = instance.limits.energy_price_per_j if math.isnan(own) else own
    devices = replace(alone.devices, price_per_s=np.zeros(len(alone.devices)))
    limits = replace(alone.limits, energy_price_per_j=price)
    return replace(alone, devices=devices, sites=instance.sites, limits=limits)


def counts(instance: Instance, time: Fraction) -> float:
    """Return what money at a time counts today."""
    if not instance.periods.invest:
        return 1.0
    return math.exp(-math.log1p(instance.periods.discount_rate) * float(time / YEAR))


def begins(instance: Instance) -> list[Fraction]:
    """Return when each period begins, and when the last one ends."""
    found = [Fraction(0)]
    for lasts in instance.scenarios.weight:
        found.append(found[-1] + fraction(float(lasts)))
    return found


def check_bought(instance: Instance, had: list[list[int]], findings: Findings) -> Fraction:
    """Check that units had stay; return what those bought cost in money of today.

    Parameters
    ----------
    had
        Units had in each period, per device.
    """
    names, devices = instance.scenarios.name, instance.devices
    times, spent = begins(instance), Fraction(0)
    before = _initial(instance)
    for s, now in enumerate(had):
        for d, (was, units) in enumerate(zip(before, now, strict=True)):
            if units < was:
                earlier = f"period {names[s - 1]}" if s else "the begin"
                findings.add(
                    "had-stays",
                    f"Period {names[s]} has {units} units of {devices.name[d]}; {was} were had at "
                    f"{earlier}, and units once bought stay.",
                    devices.name[d],
                )
            elif units > was:
                spent += (units - was) * fraction(_price(instance, d, times, s))
        before = now
    return spent


def _price(instance: Instance, device: int, times: list[Fraction], period: int) -> float:
    """Return what one unit bought as a period begins costs until the last one ends."""
    devices = instance.devices
    rent, whole = float(devices.price_per_s[device]), float(devices.purchase_price[device])
    begin, end = times[period], times[-1]
    if not rent:
        return 0.0
    if math.isnan(whole):
        pairs = zip(times[period:-1], times[period + 1 :], strict=True)
        return math.fsum(rent * float(b - a) * counts(instance, a) for a, b in pairs)
    life = fraction(whole) / fraction(rent)
    often = math.ceil((end - begin) / life)
    left = (begin + often * life - end) / life
    each = counts(instance, life)
    # Purchase k is k lifetimes after the first: 1 + e + e² + ... of them.
    series = float(often) if each == 1.0 else (each**often - 1.0) / (each - 1.0)
    return whole * (counts(instance, begin) * series - counts(instance, end) * float(left))


def _initial(instance: Instance) -> list[int]:
    """Units had before the first period; of a device that may have fewer, so many."""
    found = [0] * len(instance.devices)
    periods = instance.periods
    for d, n in zip(periods.initial_device.tolist(), periods.initial_units.tolist(), strict=True):
        found[d] += n
    most = instance.devices.count_max.tolist()
    return [min(n, top) if top >= 0 else n for n, top in zip(found, most, strict=True)]
