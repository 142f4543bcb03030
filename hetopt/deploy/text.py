"""Texts of files: YAML documents, and the page that explains a folder."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from hetopt.deploy.target import Provenance
from hetopt.errors import Problem


def yaml_documents(documents: Sequence[Mapping[str, Any]], origin: Provenance) -> bytes:
    """Return YAML documents after lines that say where they come from."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 100
    parts = []
    for document in documents:
        stream = io.StringIO()
        yaml.dump(document, stream)
        parts.append(stream.getvalue())
    return (origin.comment() + "---\n".join(["", *parts])).encode()


def readme(
    title: str,
    origin: Provenance,
    steps: Sequence[str],
    notes: Sequence[str],
    refused: Sequence[Problem],
) -> bytes:
    """Return the page of a folder: where it comes from, what to do, what it cannot say."""
    lines = [f"# {title}", ""]
    lines.append(f"Made by hetopt {origin.version} (`hetopt deploy`) from a plan of the instance")
    lines += [f"`{origin.instance}`; plan sha256 `{origin.plan}`.", ""]
    lines += ["## What to do", "", *(f"{n}. {step}" for n, step in enumerate(steps, 1)), ""]
    if refused:
        lines += ["## Missing", "", *(f"- {problem}" for problem in refused), ""]
    if notes:
        lines += ["## What the plan says and these files do not", ""]
        lines += [*(f"- {note}" for note in notes), ""]
    return "\n".join(lines).encode()
