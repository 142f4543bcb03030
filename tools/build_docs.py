"""Write the tables of fields in docs/format.md from hetopt/tables.py.

python tools/build_docs.py          rewrites the part between the markers
"""

from __future__ import annotations

import math
from pathlib import Path

from hetopt.tables import SETTINGS, TABLES, Column

PAGE = Path(__file__).resolve().parents[1] / "docs" / "format.md"
BEGIN, END = "<!-- fields: made by tools/build_docs.py -->", "<!-- end of fields -->"


def fields() -> str:
    """Return one Markdown table for the settings and each table of an instance."""
    parts = [_table("Settings (top level)", SETTINGS)]
    parts += [_table(f"`{name}`", columns) for name, columns in TABLES.items()]
    return "\n\n".join(parts)


def page(text: str) -> str:
    """Return the page with the part between the markers made anew."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n\n{fields()}\n\n{END}{tail}"


def _table(title: str, columns: tuple[Column, ...]) -> str:
    rows = [f"### {title}", "", "| field | default | meaning |", "|---|---|---|"]
    rows += [f"| {_names(c)} | {_default(c)} | {_meaning(c)} |" for c in columns]
    return "\n".join(rows)


def _names(column: Column) -> str:
    return ", ".join(f"`{name}`" for name in (column.name, *column.aliases))


def _default(column: Column) -> str:
    value = column.default
    if value is None:
        return "**required**"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "–" if math.isnan(value) else "unlimited" if math.isinf(value) else f"{value:g}"
    return "–" if value == "" else str(value)


def _meaning(column: Column) -> str:
    text = column.meaning
    if column.choices:
        text += f" One of {', '.join(column.choices)}."
    if column.regime:
        text += f" ({column.regime} regime only)"
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
