"""Progress on a terminal while a search runs; nothing where stderr is no terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from hetopt.evaluate.with_units import quantity
from hetopt.instance import Instance
from hetopt.report.terminal.solution import small_gap
from hetopt.solution import relative_gap

REFRESHES_PER_S = 4


@contextlib.contextmanager
def progress_display(
    instance: Instance, limit_s: float
) -> Iterator[Callable[[float, float], None] | None]:
    """Show incumbent, bound, gap and time left; yields the callback that ``solve`` takes."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    began = time.monotonic()
    name = instance.objective[0]
    state = {"objective": np.nan, "bound": np.nan}

    def show() -> Text:
        gap = relative_gap(state["objective"], state["bound"])
        left = max(0.0, limit_s - (time.monotonic() - began))
        return Text(
            f"{name} {quantity(instance, name, state['objective'])}   "
            f"bound {quantity(instance, name, state['bound'])}   "
            f"gap {small_gap(gap)}   {left:.0f} s left"
        )

    def update(objective: float, bound: float) -> None:
        state["objective"], state["bound"] = objective, bound

    console = Console(stderr=True)
    with Live(
        get_renderable=show, console=console, transient=True, refresh_per_second=REFRESHES_PER_S
    ):
        yield update


@contextlib.contextmanager
def line_display() -> Iterator[Callable[[str], None] | None]:
    """Show what is being solved on one line; yields the callback that ``compare`` takes."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
