"""What pages about simulations are made of."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources

Row = tuple[str, ...]


def page(title: str, parts: Sequence[str]) -> str:
    """Return a page that reads offline; the title is escaped already."""
    style = resources.files("hetopt").joinpath("data", "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{style}</style></head>\n"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def table(heads: Row, rows: Sequence[Row], bold: str = "", text: int = 1) -> str:
    """Return a table whose first columns are text and whose row ``bold`` is the last line."""

    def line(tag: str, cells: Row) -> str:
        return "".join(
            f"<{tag}{' class=text' if i < text else ''}>{html.escape(cell)}</{tag}>"
            for i, cell in enumerate(cells)
        )

    body = "".join(
        f"<tr{' class=total' if bold and row[0] == bold else ''}>{line('td', row)}</tr>"
        for row in rows
    )
    head = f"<tr>{line('th', heads)}</tr>"
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
