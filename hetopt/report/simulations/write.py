"""Simulations as files: pages, JSON, rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.files import write_whole
from hetopt.report.simulations.schedules import schedule_simulation_page
from hetopt.report.simulations.streams import simulation_page
from hetopt.report.terminal.schedule_simulation import schedule_simulation_to_dict
from hetopt.report.terminal.simulation import simulation_to_dict
from hetopt.simulate import ScheduleSimulation, Simulation


def write_simulation(path: str | Path, simulation: Simulation | ScheduleSimulation) -> None:
    """Write a page (``.html``), everything (``.json``) or a row a run (``.csv``), whole or not.

    Raises
    ------
    InputError
        For another ending, or a place that cannot be written to.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending in (".html", ".htm"):
        if isinstance(simulation, ScheduleSimulation):
            text = schedule_simulation_page(simulation)
        else:
            text = simulation_page(simulation)
    elif ending == ".json":
        text = json.dumps(simulation_json(simulation), indent=1, ensure_ascii=False) + "\n"
    elif ending == ".csv":
        text = simulation.frames()["policies"].to_csv(index=False)
    else:
        raise InputError([Problem("-o", str(path), "A file that ends in .html, .json or .csv.")])
    try:
        write_whole(target, text)
    except OSError as error:
        raise InputError([Problem(str(path), "", f"A place to write to ({error}).")]) from None


def simulation_json(simulation: Simulation | ScheduleSimulation) -> dict[str, Any]:
    """Return the JSON object of ``hetopt simulate``; SI units."""
    if isinstance(simulation, ScheduleSimulation):
        return schedule_simulation_to_dict(simulation)
    return simulation_to_dict(simulation)
