"""Parts of pages: the document around them, tables, texts."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from importlib import resources
from typing import Any

from hetopt.report.terminal.solution import percent

ROWS_SHOWN = 200
"""Rows of a long table in the page; the plan's own file has all of them."""

Cells = Sequence[str]


def document(title: str, body: str, script: str = "") -> str:
    """Return a whole page of a title and its body."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{data_file('report.css')}</style></head>\n"
        f"<body><main>{body}</main>{script}</body></html>\n"
    )


def data_file(name: str) -> str:
    """Return a file of the package's data."""
    return resources.files("hetopt").joinpath("data", name).read_text(encoding="utf-8")


def table(
    heads: Cells,
    rows: Sequence[Cells],
    total: int | None = None,
    text: Sequence[int] = (0,),
    *,
    bold: str = "",
    most: int | None = ROWS_SHOWN,
) -> str:
    """Return a table of at most so many rows.

    ``text`` are the columns of texts, ``total`` rows of which some are given, and the row that
    begins with ``bold`` stands out.
    """

    def line(tag: str, cells: Cells) -> str:
        return "".join(
            f"<{tag}{' class=text' if i in text else ''}>{escaped(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )

    total = len(rows) if total is None else total
    body = "".join(
        f"<tr{' class=total' if bold and row[0] == bold else ''}>{line('td', row)}</tr>"
        for row in rows[:most]
    )
    rest = (
        f'<p class="note">and {total - most:,} more, in the plan\'s own file</p>'
        if most is not None and total > most
        else ""
    )
    return (
        f'<div class="scroll"><table><thead><tr>{line("th", heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{rest}"
    )


def escaped(text: object) -> str:
    """Return a text as HTML."""
    return html.escape(str(text), quote=True)


def first(value: Any) -> float:
    """Return the value of the first level, NaN where there is none."""
    value = value[0] if isinstance(value, list) else value
    return math.nan if value is None else float(value)


def fraction(value: float | None) -> str:
    """Write a fraction in percent, a dash where there is none."""
    return "–" if value is None else percent(value)
