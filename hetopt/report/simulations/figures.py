"""Figures and tables of simulations of both regimes, as terminals show them."""

from __future__ import annotations

import numpy as np
from rich.table import Table

from hetopt import units

Row = tuple[str, ...]
BOUND = "proven bound"


def drawn(heads: Row, rows: list[Row]) -> Table:
    """Return a table; the row of the bound is dimmed."""
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="dim" if row[0] == BOUND else "")
    return table


def energy(value: float) -> str:
    """Show J; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "energy", digits=5)


def time(value: float) -> str:
    """Show s; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "time", digits=4)


def watts(value: float) -> str:
    """Show W; a dash where there is no value."""
    return "–" if np.isnan(value) else units.format(value, "power", digits=4)


def times(value: float) -> str:
    """Show a ratio; a dash where there is no value."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def share(value: float) -> str:
    """Show a share as a percentage; a dash where there is no value."""
    return "–" if np.isnan(value) else f"{value:.2%}".replace("%", " %")
