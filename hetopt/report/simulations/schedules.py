"""One offline page about a simulated schedule: policies side by side, what ran where and when."""

from __future__ import annotations

import html

import numpy as np

from hetopt.report.lines import Curve, lines
from hetopt.report.parts import table
from hetopt.report.pictures import in_page, schedule_picture
from hetopt.report.simulations.figures import axis_s, axis_share, page, power_curves
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
    tables = [policy_table(simulation), price_table(simulation)]
    sections = [
        "<h2>Power over time</h2>",
        _power(simulation),
        "<h2>Work done over time</h2>",
        _done(simulation),
        *_schedules(simulation),
        "<h2>Jobs</h2>",
        table(_JOB_HEADS, job_rows(simulation), text=(0, 1), most=None),
        "<h2>Devices</h2>",
        table(_DEVICE_HEADS, device_rows(simulation), text=(0, 1), most=None),
    ]
    return page(simulation, tables, sentences(simulation), sections)


def _power(simulation: ScheduleSimulation) -> str:
    curves, end = [], 0.0
    for outcome in simulation.first():
        at, watts = outcome.power
        if len(at):
            end = max(end, float(at[-1]))
            curves.append(Curve(outcome.policy, at, watts, stepped=True))
    return power_curves(simulation, curves, end)


def _done(simulation: ScheduleSimulation) -> str:
    curves = []
    for outcome in simulation.first():
        ends = sorted(row["end_s"] for row in outcome.tasks if row["end_s"] is not None)
        share = np.arange(len(ends) + 1) / max(1, len(outcome.tasks))
        curves.append(Curve(outcome.policy, np.array([0.0, *ends]), share, stepped=True))
    return lines(curves, "Share of the tasks that are done, over time", axis_s, axis_share)


def _schedules(simulation: ScheduleSimulation) -> list[str]:
    """Return a picture of what each policy ran, where there is one to be seen."""
    found = []
    for outcome in simulation.first():
        if outcome.plan is None or len(outcome.tasks) > MOST_BARS:
            continue
        picture = in_page(schedule_picture(simulation.realised, outcome.plan))
        found.append(f"<h2>What ran: {html.escape(outcome.policy)}</h2>{picture}")
    return found
