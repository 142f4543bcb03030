"""The house: no import circle, few modules side by side."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "hetopt"
FEW = 16
"""Modules that may stand side by side in a package: about as many as are seen at a glance."""


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules that a file names in imports anywhere: at its top, in functions, for types.

    ``from package import module`` names both: the package runs before its module is found.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            for alias in node.names:
                found |= {f"{node.module}.{alias.name}", str(node.module)}
    return found & known.keys()


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that reach each other, by Tarjan's algorithm."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(arrows[module]):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            at = stack.index(module)
            if len(stack) > at + 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for module in arrows:
        if module not in number:
            visit(module)
    return found


def test_circles_are_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_no_modules_import_each_other() -> None:
    known = modules()
    arrows = {name: imports(path, known) for name, path in known.items()}
    # The package itself loads what it hands on by name, when it is asked for.
    arrows["hetopt"] = set()
    assert circles(arrows) == []


def test_the_root_holds_few_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 12


def test_no_package_has_more_modules_than_are_seen_at_a_glance() -> None:
    beside = Counter(
        str(path.parent.relative_to(PACKAGE))
        for path in modules().values()
        if path.name != "__init__.py"
    )
    assert {folder: n for folder, n in beside.items() if n > FEW} == {}


def test_files_and_folders_that_the_documents_name_are_there() -> None:
    root = PACKAGE.parent
    named = re.compile(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`")
    missing = [
        (page.name, path)
        for page in (root / "CONTRIBUTING.md", root / "README.md", *root.glob("docs/*.md"))
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not (PACKAGE / path).exists() and not (root / path).exists()
    ]
    assert missing == []
