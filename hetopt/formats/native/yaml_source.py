"""YAML text to plain data, with lines kept, and everything unsafe or ambiguous refused."""

from __future__ import annotations

import math
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.place import Path, place_text

MOST_NODES = 20_000_000
"""Aliases may repeat parts of a document; more nodes than this is an attack or a mistake."""

_TAG = "tag:yaml.org,2002:"


def parse_yaml(text: str, name: str) -> YamlDocument:
    """Parse one YAML document of plain data (mappings, lists, texts, numbers, flags, nothing).

    Parameters
    ----------
    text
        The whole file.
    name
        What problems call it.

    Raises
    ------
    InputError
        If it is no YAML, has several documents, tags, keys that are no texts, or a key twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        # Pure: YAML 1.2 in every installation, and marks on every node.
        return YamlDocument(name, YAML(typ="safe", pure=True).compose(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        what = " ".join(str(error.problem or error.context or "it cannot be read").split())
        hint = " Indent with blanks: YAML allows no tabs there." if "'\\t'" in what else ""
        text = f"YAML is expected, but {what}.{hint}"
        raise InputError([Problem(f"{name}{line}", "", text)]) from None
    except YAMLError as error:
        what = " ".join(str(error).split())
        raise InputError([Problem(name, "", f"YAML is expected, but {what}.")]) from None
    except RecursionError:
        text = "A document with fewer levels of nesting is expected."
        raise InputError([Problem(name, "", text)]) from None


class YamlDocument:
    """A parsed YAML document.

    Attributes
    ----------
    name
        What problems call the file.
    data
        Its plain data.
    """

    def __init__(self, name: str, root: Any) -> None:
        self.name = name
        self._root = root
        self._pairs: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._made: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._problems: list[Problem] = []
        self.data = None if root is None else self._construct(root, ())[0]
        self._made.clear()
        if self._problems:
            raise InputError(self._problems)

    def line(self, path: Path) -> int | None:
        """Return the line, from 1, of the deepest part of the path that exists."""
        node, line = self._root, None if self._root is None else self._root.start_mark.line + 1
        for part in path:
            if node is None:
                break
            if node.id == "mapping":
                key, node = self._pairs[id(node)].get(str(part), (None, None))
                line = line if key is None else key.start_mark.line + 1
            elif node.id == "sequence" and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def place(self, path: Path) -> str:
        """Write a place for people, with its line."""
        return place_text(self.name, path, self.line(path))

    def _construct(self, node: Any, path: Path) -> tuple[Any, int]:
        """Return the data of a node and the number of nodes in it, aliases followed."""
        if id(node) in self._open:
            self._complain(
                node, path, "", "An alias to a part that does not hold the alias itself."
            )
            return None, 1
        if id(node) in self._made:
            return self._made[id(node)]
        self._open.add(id(node))
        if node.id == "scalar":
            made: tuple[Any, int] = (self._scalar(node, path), 1)
        elif node.id == "sequence":
            self._plain_tag(node, path, "seq")
            parts = [self._construct(child, (*path, i)) for i, child in enumerate(node.value)]
            made = [p[0] for p in parts], 1 + sum(p[1] for p in parts)
        else:
            self._plain_tag(node, path, "map")
            values = {
                key: self._construct(child, (*path, key))
                for key, (_, child) in self._mapping(node, path).items()
            }
            made = {k: v[0] for k, v in values.items()}, 1 + sum(v[1] for v in values.values())
        self._open.discard(id(node))
        if made[1] > MOST_NODES:
            text = f"At most {MOST_NODES:,} values, aliases followed."
            raise InputError([Problem(self._place(node, path), "", text)])
        if node.anchor:
            self._made[id(node)] = made
        return made

    def _mapping(self, node: Any, path: Path) -> dict[str, tuple[Any, Any]]:
        """Return key node and value node by key, merge keys expanded, own keys first in rank."""
        if id(node) in self._pairs:
            return self._pairs[id(node)]
        own: dict[str, tuple[Any, Any]] = {}
        merged: dict[str, tuple[Any, Any]] = {}
        self._pairs[id(node)] = own  # ends the recursion where a mapping merges itself
        for key, value in node.value:
            if str(key.tag) == f"{_TAG}merge":
                parts = value.value if value.id == "sequence" else [value]
                for part in parts:
                    if part.id != "mapping":
                        self._complain(part, path, "", "A mapping to merge.")
                        continue
                    for name, pair in self._mapping(part, path).items():
                        merged.setdefault(name, pair)
                continue
            if key.id != "scalar":
                self._complain(key, path, "", "A text as the key.")
                continue
            name = str(key.value)
            if name in own:
                before = own[name][0].start_mark.line + 1
                self._complain(
                    key, (*path, name), name, f"Each key once; it stands in line {before} too."
                )
                continue
            own[name] = (key, value)
        pairs = {**own, **{k: v for k, v in merged.items() if k not in own}}
        self._pairs[id(node)] = pairs
        return pairs

    def _scalar(self, node: Any, path: Path) -> Any:
        tag, text = str(node.tag), str(node.value)
        if tag == f"{_TAG}null":
            return None
        if tag == f"{_TAG}bool":
            return text.lower() in ("true", "yes", "on", "y")
        if tag == f"{_TAG}int":
            return self._whole(node, path, text)
        if tag == f"{_TAG}float":
            value = _float(text)
            if math.isnan(value):
                self._complain(node, path, text, "A number; leave the field out where unknown.")
            return value
        if tag not in (f"{_TAG}str", f"{_TAG}timestamp"):
            self._complain(node, path, tag.replace(_TAG, "!!"), "A plain value without a tag.")
        return text

    def _whole(self, node: Any, path: Path, text: str) -> Any:
        plain = text.replace("_", "").lower()
        try:
            return int(plain, 0) if plain.lstrip("+-")[:2] in ("0x", "0o", "0b") else int(plain)
        except ValueError:
            self._complain(node, path, text, "A decimal whole number of at most 4000 digits.")
            return None

    def _plain_tag(self, node: Any, path: Path, name: str) -> None:
        if str(node.tag) != f"{_TAG}{name}":
            tag = str(node.tag).replace(_TAG, "!!")
            self._complain(node, path, tag, "A plain value without a tag.")

    def _place(self, node: Any, path: Path) -> str:
        return place_text(self.name, path, node.start_mark.line + 1)

    def _complain(self, node: Any, path: Path, value: str, expected: str) -> None:
        self._problems.append(Problem(self._place(node, path), value[:80], expected))


def _float(text: str) -> float:
    plain = text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
    return float(plain)
