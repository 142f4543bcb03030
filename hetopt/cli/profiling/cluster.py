"""What ``hetopt devices --from-cluster`` does: what a cluster has, as devices of an instance."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.printing import print_json
from hetopt.errors import InputError, Problem
from hetopt.version import __version__

if TYPE_CHECKING:
    from hetopt.profiling.cluster.device import Cluster


def run_cluster(file: str, others: Mapping[str, object], output: str | None, as_json: bool) -> int:
    """Read a cluster's own list and print or write its devices; see ``hetopt devices``."""
    from hetopt.formats.files import check_writable, write_whole
    from hetopt.formats.json_text import read_text
    from hetopt.profiling.cluster.read import deploy_parameters, device_rows, read_cluster

    for flag, value in others.items():
        if value:
            raise InputError([Problem(flag, str(value), "Nothing else beside --from-cluster.")])
    check_writable(output, ".yaml", ".yml", ".json")
    text = sys.stdin.read() if file == "-" else read_text(Path(file))
    cluster = read_cluster(text, "stdin" if file == "-" else file)
    told = {
        "devices": device_rows(cluster),
        "deploy": {"to": cluster.target, "parameters": deploy_parameters(cluster)},
        "notes": list(cluster.notes),
    }
    if output is not None:
        is_json = output.lower().endswith(".json")
        content = json.dumps(told, indent=1) + "\n" if is_json else _yaml(cluster, told, file)
        write_whole(Path(output), content)
    if as_json:
        print_json(told)
    elif output is None:
        typer.echo(_yaml(cluster, told, file), nl=False)
    else:
        typer.echo(f"{output}: {len(cluster.devices)} devices")
    for note in cluster.notes:
        typer.echo(f"note: {note}", err=True)
    return OK


def _yaml(cluster: Cluster, told: Mapping[str, Any], file: str) -> str:
    """Return the part ``devices`` of an instance document, a line a device."""
    lines = [f"# Read by hetopt {__version__} from {file}. No idle power is known: state it."]
    lines.append("devices:")
    for row in told["devices"]:
        cells = ", ".join(f"{key}: {json.dumps(value)}" for key, value in row.items())
        lines.append(f"  - {{{cells}}}")
    parameters = told["deploy"]["parameters"]
    if parameters:
        lines.append(f"# hetopt deploy ... --to {cluster.target} takes, to place units there:")
        lines += [f"#   -p '{parameter}'" for parameter in parameters]
    return "\n".join(lines) + "\n"
