"""A solution in a few lines of characters: utilisation bars, and a small Gantt chart.

They are drawn on a terminal only; piped, the tables say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hetopt import units
from hetopt.evaluate.setups import setup_runs
from hetopt.evaluate.slowing import task_ends
from hetopt.instance import Instance
from hetopt.instance.tables import when
from hetopt.solution import Plan, SchedulePlan

COLOURS = ("blue", "green", "magenta", "cyan", "yellow", "red")
"""Of jobs, or of profiles where there is one job."""

MOST_ROWS = 16
"""Units and devices drawn; the tables list the others."""

LEAST_CELLS, BAR_CELLS = 20, 30
"""Characters that a chart needs at least, and those of a full bar."""

LEAST_PART = 1e-9
"""Part of a cell below which a task is a rounding, not a length."""


class Sketch:
    """What a terminal shows above the tables of a solution."""

    def __init__(self, instance: Instance, plan: Plan, quantities: Mapping[str, Any]) -> None:
        self.instance = instance
        self.plan = plan
        self.devices: Sequence[Mapping[str, Any]] = quantities["devices"]
        self.window_s = float(quantities.get("window_s", 0.0))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw where somebody looks."""
        if console.is_terminal:
            yield from self.lines(options.max_width)

    def lines(self, width: int) -> Iterator[Text]:
        """Return the chart of a schedule, or the bars of a fleet, at most ``width`` wide."""
        if isinstance(self.plan, SchedulePlan):
            yield from self._gantt(self.plan, width)
        else:
            yield from self._bars(width)

    def _bars(self, width: int) -> Iterator[Text]:
        rows = [row for row in self.devices if row["on"]][:MOST_ROWS]
        label = max((len(_name(row)) for row in rows), default=0)
        cells = min(BAR_CELLS, width - label - 12)
        for row in rows if cells >= LEAST_CELLS // 2 else []:
            share = min(1.0, float(row["utilization"] or 0.0))
            full = round(share * cells)
            line = Text(f"{_name(row):<{label}} ")
            line.append("█" * full, style="blue")
            line.append("░" * (cells - full), style="dim")
            line.append(f" {100 * share:5.1f} %")
            yield line

    def _gantt(self, plan: SchedulePlan, width: int) -> Iterator[Text]:
        instance = self.instance
        device = instance.options.device[plan.option]
        used = sorted(set(zip(device.tolist(), plan.unit.tolist(), strict=True)))
        names = [instance.unit_name(*unit) for unit in used[:MOST_ROWS]]
        label = max((len(name) for name in names), default=0)
        cells = width - label - 1
        if cells < LEAST_CELLS or not self.window_s > 0:
            return
        end = task_ends(instance, plan.option, plan.unit, plan.start_s)
        group = instance.tasks.job if len(instance.jobs) > 1 else instance.tasks.profile
        setups = setup_runs(instance, plan)
        for (d, u), name in zip(used, names, strict=False):
            rows = np.flatnonzero((device == d) & (plan.unit == u))
            line = Text(f"{name:<{label}} ")
            own = np.flatnonzero((device[setups.task] == d) & (plan.unit[setups.task] == u))
            changes = self._cells(own, setups.start_s, setups.end_s, cells)
            filled = self._cells(rows, plan.start_s, end, cells)
            for task, change in zip(filled, changes, strict=True):
                # Neighbours of one colour are told apart by two shades.
                idle = " " if change < 0 else "░"
                mark = idle if task < 0 else "█▓"[task % 2]
                style = "" if task < 0 else COLOURS[int(group[task]) % len(COLOURS)]
                line.append(mark, style=style)
            yield line
        axis = units.format(self.window_s, "time", digits=4)
        yield Text(f"{'':<{label}} 0{axis:>{cells - 1}}", style="dim")
        if len(used) > MOST_ROWS:
            yield Text(f"and {len(used) - MOST_ROWS:,} more units", style="dim")

    def _cells(self, rows: np.ndarray, start: np.ndarray, end: np.ndarray, cells: int) -> list[int]:
        """Return the task that fills most of each cell, -1 where idle does."""
        filled = np.zeros(cells)
        shown = np.full(cells, -1, dtype=np.int64)
        scale = cells / self.window_s
        for task in rows[np.argsort(start[rows], kind="stable")]:
            first, last = start[task] * scale, end[task] * scale
            for cell in range(int(first), min(cells, int(np.ceil(last)))):
                part = min(last, cell + 1) - max(first, cell)
                if part > filled[cell]:
                    filled[cell], shown[cell] = part, task
        return [int(task) for task in np.where(filled >= LEAST_PART, shown, -1)]


def _name(row: Mapping[str, Any]) -> str:
    return f"{row[when(row)]}: {row['device']}" if when(row) else str(row["device"])
