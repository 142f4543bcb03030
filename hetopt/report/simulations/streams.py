"""One offline page about a simulation: policies side by side, over time and as distributions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Floats
from hetopt.report.lines import Curve, lines
from hetopt.report.parts import table
from hetopt.report.simulations.figures import axis_s, axis_share, page, power_curves
from hetopt.report.terminal.simulation import (
    device_rows,
    job_rows,
    policy_table,
    price_table,
    sentences,
)
from hetopt.simulate import Simulation

TAIL_POINTS = 300
HOW_TO_READ = (
    "The share of the requests that took longer, both axes logarithmic: p99 is where a curve "
    "passes 1 %."
)


def simulation_page(simulation: Simulation) -> str:
    """Return the page as HTML."""
    tables = [policy_table(simulation), price_table(simulation)]
    sections = [
        "<h2>Power over time</h2>",
        _power(simulation),
        "<h2>Requests waiting over time</h2>",
        _waiting(simulation),
        "<h2>Units on over time</h2>",
        _units_on(simulation),
        "<h2>Latency</h2>",
        f'<p class="note">{HOW_TO_READ}</p>',
        _latency(simulation),
        table(_JOB_HEADS, job_rows(simulation), text=(0, 1), most=None),
        "<h2>Devices</h2>",
        table(_DEVICE_HEADS, device_rows(simulation), text=(0, 1), most=None),
    ]
    return page(simulation, tables, sentences(simulation), sections)


def simulation_picture(simulation: Simulation, what: str = "power") -> str:
    """Draw a simulation, policies side by side, as a picture that stands alone.

    Parameters
    ----------
    what
        ``power``, ``waiting`` or ``units`` over time, or ``latency`` (the share of the requests
        that took longer, both axes logarithmic).

    Returns
    -------
    str
        An ``<svg>`` with its own style.

    Raises
    ------
    InputError
        For another picture.
    """
    drawn = PICTURES.get(what)
    if drawn is None:
        raise InputError([Problem("what", what, f"One of {', '.join(PICTURES)}.")])
    return drawn(simulation, True)


_JOB_HEADS = ("policy", "job", "requests", "mean", "p50", "p95", "p99", "limit", "misses")
_DEVICE_HEADS = ("policy", "device", "energy", "idle", "units on", "busy", "waiting")


def _power(simulation: Simulation, alone: bool = False) -> str:
    curves = [
        Curve(policy, line.time_s, line.power_w, stepped=True)
        for policy, line in simulation.timelines.items()
    ]
    end = max(float(line.time_s[-1] + line.width_s) for line in simulation.timelines.values())
    return power_curves(simulation, curves, end, alone)


def _waiting(simulation: Simulation, alone: bool = False) -> str:
    curves = [
        Curve(policy, line.time_s, line.waiting.sum(axis=1), stepped=True)
        for policy, line in simulation.timelines.items()
    ]
    return lines(curves, "Tasks that wait, over time", axis_s, _plain, counts=True, alone=alone)


def _units_on(simulation: Simulation, alone: bool = False) -> str:
    curves = [
        Curve(policy, line.time_s, line.on.sum(axis=1), stepped=True)
        for policy, line in simulation.timelines.items()
    ]
    return lines(curves, "Units on, over time", axis_s, _plain, counts=True, alone=alone)


def _latency(simulation: Simulation, alone: bool = False) -> str:
    curves = [Curve(policy, *_tail(latency)) for policy, latency in simulation.latencies.items()]
    text = "Share of the requests that took longer than a latency"
    return lines(curves, text, axis_s, axis_share, log_x=True, log_y=True, alone=alone)


PICTURES: dict[str, Callable[[Simulation, bool], str]] = {
    "power": _power,
    "waiting": _waiting,
    "units": _units_on,
    "latency": _latency,
}


def _tail(latency: Floats) -> tuple[Floats, Floats]:
    """Return latencies, and the share of the requests that exceed each; without those let go."""
    latency = latency[~np.isnan(latency)]
    count = len(latency)
    if not count:
        return np.zeros(0), np.zeros(0)
    ordered = np.sort(latency)
    exceed = np.unique(np.geomspace(1.0, count, TAIL_POINTS).astype(np.int64))[::-1]
    at = ordered[count - exceed]
    return at, exceed / count


def _plain(value: float) -> str:
    return f"{value:g}"
