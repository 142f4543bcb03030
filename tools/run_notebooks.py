"""Execute the notebooks and store them with their outputs: ``python -m tools.run_notebooks``.

Outputs are stored without times, without the versions of the machine that ran them, and with the
pieces of a stream joined, so that a second run changes a file only where an answer changed.
``--check`` stores nothing; ``tests/integration/test_notebooks.py`` runs them by these functions.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

PROVEN = "proven"
"""Tag of cells that print what is proven, and nothing that another optimal plan would change."""

LIMIT_S = 300
"""Seconds that one cell may take, also on a busy machine; whole notebooks take less than 20."""


def executed(path: Path) -> Any:
    """Return the notebook with fresh outputs; it runs in its own folder, as in Jupyter.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        Where a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
    )
    # The checkout beside the notebooks comes before an installed hetopt.
    before = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(before)})
    return stripped(notebook)


def stripped(notebook: Any) -> Any:
    """Leave only what does not depend on the machine and the moment."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata = {"tags": cell.metadata.tags} if "tags" in cell.metadata else {}
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def proven_of(notebook: Any) -> list[str]:
    """Return what each cell with the tag ``proven`` prints: answers that no run may change."""
    return [
        "".join(output.text for output in cell.outputs if output.output_type == "stream").rstrip()
        for cell in notebook.cells
        if PROVEN in cell.metadata.get("tags", ())
    ]


def _joined(outputs: list[Any]) -> list[Any]:
    """Join neighbouring pieces of one stream: how a kernel cuts them depends on the moment."""
    result: list[Any] = []
    for output in outputs:
        last = result[-1] if result else None
        same = last is not None and output.output_type == last.output_type == "stream"
        if same and output.name == last.name:
            last.text += output.text
        else:
            output.metadata = {} if "metadata" in output else None
            if output.metadata is None:
                del output["metadata"]
            result.append(output)
    return result


def main() -> int:
    """Execute the notebooks named, or all; store them unless ``--check`` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", nargs="*", type=Path, default=NOTEBOOKS)
    parser.add_argument("--check", action="store_true", help="store nothing")
    arguments = parser.parse_args()
    for path in arguments.notebook:
        notebook = executed(path)
        if not arguments.check:
            nbformat.write(notebook, path)
        print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
