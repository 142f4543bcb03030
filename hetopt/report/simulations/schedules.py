"""One offline page about a simulated schedule: policies side by side, what ran where and when."""

from __future__ import annotations

import html

import numpy as np

from hetopt import units
from hetopt.report.lines import Curve, lines
from hetopt.report.pictures import schedule_picture
from hetopt.report.simulations.figures import BOUND
from hetopt.report.simulations.parts import page, table
from hetopt.report.terminal.schedule_simulation import (
    device_rows,
    job_rows,
    policy_table,
    price_table,
    sentences,
)
from hetopt.simulate import ScheduleSimulation

MOST_BARS = 400
"""Tasks of a schedule that is drawn; of more bars none is seen."""
_JOB_HEADS = ("policy", "job", "end", "latency", "deadline", "")
_DEVICE_HEADS = ("policy", "device", "units on", "tasks", "busy", "energy", "idle")


def schedule_simulation_page(simulation: ScheduleSimulation) -> str:
    """Return the page as HTML."""
    instance = simulation.instance
    title = html.escape(f"{instance.name or 'instance'}: simulated")
    prices = price_table(simulation)
    about = f'<p class="note">{html.escape(instance.description)}</p>'
    parts = [
        f"<h1>{title}</h1>",
        about if instance.description else "",
        table(*policy_table(simulation), bold=BOUND),
        table(*prices, bold=BOUND) if prices else "",
        *(f'<p class="note">{html.escape(line)}</p>' for line in sentences(simulation)),
        *(f"<p>{html.escape(f'{p}: {why}')}</p>" for p, why in simulation.failed.items()),
        "<h2>Power over time</h2>",
        _power(simulation),
        "<h2>Work done over time</h2>",
        _done(simulation),
        *_schedules(simulation),
        "<h2>Jobs</h2>",
        table(_JOB_HEADS, job_rows(simulation), text=2),
        "<h2>Devices</h2>",
        table(_DEVICE_HEADS, device_rows(simulation), text=2),
    ]
    return page(title, parts)


def _power(simulation: ScheduleSimulation) -> str:
    curves, end = [], 0.0
    for outcome in simulation.outcomes:
        if not outcome.replication and len(outcome.power[0]):
            end = max(end, float(outcome.power[0][-1]))
            curves.append(Curve(outcome.policy, *outcome.power, stepped=True))
    begins = np.array([begin for begin, _ in simulation.caps] + [end])
    caps = np.array([cap for _, cap in simulation.caps] + [simulation.caps[-1][1]])
    if np.isfinite(caps).any():
        curves.append(Curve("power cap", begins, caps, stepped=True, dashed=True))
    return lines(curves, "Power of each policy over time", _seconds, _watts)


def _done(simulation: ScheduleSimulation) -> str:
    curves = []
    for outcome in simulation.outcomes:
        if outcome.replication:
            continue
        ends = sorted(row["end_s"] for row in outcome.tasks if row["end_s"] is not None)
        share = np.arange(len(ends) + 1) / max(1, len(outcome.tasks))
        curves.append(Curve(outcome.policy, np.array([0.0, *ends]), share, stepped=True))
    return lines(curves, "Share of the tasks that are done, over time", _seconds, _percent)


def _schedules(simulation: ScheduleSimulation) -> list[str]:
    """Return a picture of what each policy ran, where there is one to be seen."""
    found = []
    for outcome in simulation.outcomes:
        if outcome.replication or outcome.plan is None or len(outcome.tasks) > MOST_BARS:
            continue
        picture = schedule_picture(simulation.realised, outcome.plan)
        found.append(f"<h2>What ran: {html.escape(outcome.policy)}</h2>{picture}")
    return found


def _seconds(value: float) -> str:
    return units.format(value, "time", digits=3) if value else "0"


def _watts(value: float) -> str:
    return units.format(value, "power", digits=3) if value else "0"


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"
