"""What a joule costs or emits where it is drawn: each site may have its own price, carbon and PUE.

A device draws at its site; a hop of a message draws at the site of the link's sending end. A
device without a site, and whatever a site does not state, goes by the instance's own figures.
Prices that change over time exist for the whole instance only (:mod:`hetopt.instance.tariffs`).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hetopt.instance.dtypes import Floats
from hetopt.instance.instance import Instance


def joule_prices(instance: Instance, objective: str) -> Floats:
    """Return what a joule of each device counts in an objective, PUE included (length D).

    Money for ``cost``, kg for ``carbon``, 1 for anything else.
    """
    if objective not in ("cost", "carbon"):
        return np.ones(len(instance.devices))
    pue, price = _stated(instance, objective)
    return pue * price


def any_joule_price(instance: Instance, objective: str) -> bool:
    """Whether a joule costs or emits anything, anywhere, in any period."""
    own = instance.periods.energy_price_per_j
    if objective == "carbon":
        own = instance.periods.carbon_kg_per_j
    return bool(joule_prices(instance, objective).any() or (own > 0).any())


def exact_joule_prices(instance: Instance, objective: str) -> list[Fraction]:
    """Return :func:`joule_prices` without rounding, floats read as the decimals ``repr`` prints."""
    if objective not in ("cost", "carbon"):
        return [Fraction(1)] * len(instance.devices)
    pairs = zip(*_stated(instance, objective), strict=True)
    return [Fraction(repr(float(pue))) * Fraction(repr(float(price))) for pue, price in pairs]


def sites_differ(instance: Instance, objective: str) -> bool:
    """Whether a joule counts differently in an objective at different devices."""
    prices = joule_prices(instance, objective)
    return bool((prices != prices[:1]).any())


def _stated(instance: Instance, objective: str) -> tuple[Floats, Floats]:
    """PUE and price (or carbon intensity) of each device (D, D)."""
    limits, sites, at = instance.limits, instance.sites, instance.devices.site
    price = limits.energy_price_per_j if objective == "cost" else limits.carbon_kg_per_j
    own = sites.energy_price_per_j if objective == "cost" else sites.carbon_kg_per_j
    return _or(np.append(sites.pue, np.nan)[at], limits.pue), _or(np.append(own, np.nan)[at], price)


def _or(stated: Floats, otherwise: float) -> Floats:
    return np.where(np.isnan(stated), otherwise, stated)
