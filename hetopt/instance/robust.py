"""Robust figures: every option at a quantile of its interval, all of them at once.

An option may state an interval of its time and of its energy (``time_low_s``, ``time_high_s``,
``energy_low_j``, ``energy_high_j``) that holds the share ``interval`` of outcomes. Between the
stated value v and an end h the outcome is taken as lognormal on that side: with
z(p) the quantile of the standard normal distribution,

    quantile q ≥ 1/2:  v (high / v) ** (z(q) / z((1 + interval) / 2))
    quantile q < 1/2:  v (low / v) ** (z(q) / z((1 - interval) / 2))

so that q = 0.95 of an interval of 0.9 is its high end, and 0.5 the value itself.

The plan is then made for a *box*: each figure at its own quantile. That is no chance constraint:
how often all of a plan's limits hold together depends on how outcomes go together, which no
interval says. A power follows from both figures, energy over time, and is that of neither end.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance.dtypes import Bools, Floats
from hetopt.instance.instance import Instance


def robust(instance: Instance, quantile: float) -> Instance:
    """Return the instance with each option's figures at a quantile of their intervals.

    Options without an interval keep their figures. A measured latency is scaled as the time. The
    instance returned states no intervals any more, and its notes say what was done.

    Parameters
    ----------
    instance
        An instance in which some option states an interval.
    quantile
        More than 0 and less than 1; 0.95 plans for times and energies that 5 % of outcomes exceed.

    Raises
    ------
    InputError
        For another quantile, and where no option states an interval.
    """
    if not 0 < quantile < 1:
        text = "A quantile of more than 0 and less than 1, such as 0.95."
        raise InputError([Problem("robust", f"{quantile:g}", text)])
    options = instance.options
    known = has_interval(instance)
    if not known.any():
        text = (
            "Options with intervals (time_low and time_high, or energy_low and energy_high): none "
            "states any, so there is no quantile to plan with."
        )
        raise InputError([Problem("robust", f"{quantile:g}", text)])
    time = _at(quantile, options.time_s, options.time_low_s, options.time_high_s, options.interval)
    energy = _at(
        quantile, options.energy_j, options.energy_low_j, options.energy_high_j, options.interval
    )
    slower = np.divide(time, options.time_s, out=np.ones(len(time)), where=options.time_s > 0)
    none = np.full(len(options), np.nan)
    changed = replace(
        options,
        time_s=time,
        energy_j=energy,
        latency_s=options.latency_s * slower,
        time_low_s=none,
        time_high_s=none,
        energy_low_j=none,
        energy_high_j=none,
    )
    return replace(instance, options=changed, source=_note(instance, quantile, int(known.sum())))


def has_interval(instance: Instance) -> Bools:
    """Whether each option states an interval of its time or its energy (O)."""
    options = instance.options
    stated: Bools = ~np.isnan(options.time_high_s) | ~np.isnan(options.energy_high_j)
    return stated


def _at(quantile: float, value: Floats, low: Floats, high: Floats, interval: Floats) -> Floats:
    """Return values at a quantile; those without an interval, or of 0, as they are."""
    z = NormalDist().inv_cdf(quantile)
    end = high if z >= 0 else low
    stated = ~np.isnan(end) & (value > 0)
    at_end = np.array([NormalDist().inv_cdf((1 + share) / 2) for share in interval[stated]])
    moved = value.copy()
    with np.errstate(divide="ignore"):
        log_ratio = np.log(np.maximum(end[stated], 0.0) / value[stated])
    moved[stated] = value[stated] * np.exp(log_ratio * (abs(z) / at_end)) if z else value[stated]
    return moved


def _note(instance: Instance, quantile: float, stated: int) -> str:
    text = (
        f"Robust: the {quantile:g} quantile of each interval holds in place of the value, for all "
        f"{stated} of {len(instance.options)} options that state one at once (a box, not a chance "
        "constraint)."
    )
    return f"{instance.source} {text}".strip()
