"""Tables on a terminal, as all commands print them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from rich.table import Table


def listing(
    left: Iterable[str],
    right: Iterable[str] = (),
    after: Iterable[str] = (),
    *,
    title: str = "",
    overflow: Literal["fold", "ellipsis"] = "ellipsis",
    no_wrap: bool = False,
    **style: Any,
) -> Table:
    """Return a table without rows.

    Parameters
    ----------
    left, right, after
        Headings of texts, then of figures, then of texts again.
    title
        What stands above it, if anything.
    overflow
        What becomes of texts that are too long for their column.
    no_wrap
        Whether figures stay on one line.
    style
        More arguments of rich's table.
    """
    style = {"title": title, "title_justify": "left", **style} if title else style
    table = Table(**{"box": None, "pad_edge": False, **style})
    for heads, figures in ((left, False), (right, True), (after, False)):
        for head in heads:
            side: Literal["left", "right"] = "right" if figures else "left"
            fold = "ellipsis" if figures else overflow
            table.add_column(head, justify=side, overflow=fold, no_wrap=no_wrap and figures)
    return table


def with_rest(table: Table, rows: int, most: int) -> Table:
    """Say below a table of at most so many rows that there are more."""
    if rows > most:
        table.caption = f"and {rows - most:,} more; -o FILE writes all"
        table.caption_justify = "left"
    return table
