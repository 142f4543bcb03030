"""Write the parts of the documentation that follow from the code.

python tools/build_docs.py          rewrites the tables of fields in docs/format.md, docs/cli.md,
                                    and docs/events.schema.json
"""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from typing import Any

from typer.main import get_command

from hetopt.cli import options
from hetopt.cli.app import app
from hetopt.instance.column_specs import SETTINGS, TABLES, Column
from hetopt.simulate.events import events_schema

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- fields: made by tools/build_docs.py -->", "<!-- end of fields -->"
SHARED = {
    "question": (
        "The instance, and changes of it",
        "What is asked. `FILE` comes before the options or after them.",
    ),
    "options": ("How it is solved", "The same for everything that solves."),
    "loops": (
        "Where loops over solves run",
        "In this process by default; see [many solves at a time](executors.md).",
    ),
}
"""Functions of cli_options whose parameters many commands take: heading and first sentence."""
CLI_HEAD = """# The command line

<!-- Made by tools/build_docs.py from the commands themselves. -->

`hetopt COMMAND --help` says the same on a terminal. Exit codes: 0 a verified plan or an answer,
1 internal error, 2 bad usage or input, 3 proven infeasible, 4 no plan within the limit, 5 a check
failed or a target refused, 130 interrupted with no plan.

Quantities take units (`33ms`, `300W`, `16GiB`); see [what every quantity means](quantities.md).
"""


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


def command_page() -> str:
    """Return the page of the command line, made from the commands."""
    commands = _leaves(get_command(app), "hetopt")
    shared = {name: list(inspect.signature(getattr(options, name)).parameters) for name in SHARED}
    known = {parameter.name: parameter for _, made in commands for parameter in made.params}
    parts = [CLI_HEAD]
    for name, (heading, sentence) in SHARED.items():
        rows = _parameters([known[parameter] for parameter in shared[name]])
        parts.append(f"## {heading}\n\n{sentence}\n\n{rows}\n")
    parts += [_command(name, made, shared) for name, made in commands]
    return "\n".join(parts)


def _leaves(command: Any, name: str) -> list[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        return [(name, command)]
    return [
        leaf
        for child, made in command.commands.items()
        for leaf in _leaves(made, f"{name} {child}")
    ]


def _command(name: str, command: Any, shared: dict[str, list[str]]) -> str:
    taken = [parameter.name for parameter in command.params]
    groups = [group for group, names in shared.items() if set(names) <= set(taken)]
    # A required instance stands in its command's table: what is shared tells of a default.
    common = {n for group in groups for n in shared[group]} - {
        p.name for p in command.params if p.required
    }
    own = [p for p in command.params if p.name not in common and p.name != "debug"]
    arguments = [_metavar(p) for p in command.params if p.param_type_name == "argument"]
    parts = [f"## {name}", "", command.help, ""]
    parts += ["```text", " ".join([name, *arguments, "[OPTIONS]"]), "```", ""]
    if own:
        parts += [_parameters(own), ""]
    if groups:
        links = [f"[{_lower(SHARED[g][0])}](#{_anchor(SHARED[g][0])})" for g in groups]
        parts += [f"Also: {'; '.join(links)}.", ""]
    return "\n".join(parts)


def _parameters(parameters: list[Any]) -> str:
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for p in parameters:
        flag = getattr(p, "is_flag", False)
        if p.param_type_name == "argument":
            names = f"`{_metavar(p)}`"
        else:
            # Bars in code in a table show their escapes, so each value is named apart.
            values = [""] if flag else [f" {value}" for value in _metavar(p).split("|")]
            flags = [*p.opts, *p.secondary_opts]
            names = ", ".join(f"`{name}{value}`" for name in flags for value in values)
        default = "**required**" if p.required else _value(p.default, flag and not p.secondary_opts)
        cells = [names, default, p.help or ""]
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


def _metavar(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    return parameter.metavar or (str(parameter.name).upper() if is_argument else "VALUE")


def _value(default: Any, is_switch: bool) -> str:
    if default is None or is_switch or default == []:
        return "–"
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _anchor(text: str) -> str:
    return text.lower().replace(",", "").replace(" ", "-")


def _table(title: str, columns: tuple[Column, ...]) -> str:
    rows = [f"### {title}", "", "| field | default | meaning |", "|---|---|---|"]
    rows += [f"| {_names(c)} | {_default(c)} | {_meaning(c)} |" for c in columns]
    return "\n".join(rows)


def _names(column: Column) -> str:
    return ", ".join(f"`{name}`" for name in column.names)


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
    format_page = DOCS / "format.md"
    format_page.write_text(page(format_page.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / "cli.md").write_text(command_page(), encoding="utf-8")
    events = json.dumps(events_schema(), indent=2, ensure_ascii=False) + "\n"
    (DOCS / "events.schema.json").write_text(events, encoding="utf-8")
