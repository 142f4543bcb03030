"""Environments of the peers' own, so that their requirements never meet hetopt's.

They lie under ``bench/.envs``, one a peer, and are made by ``python -m bench install-peers``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / ".envs"


@dataclass(frozen=True, slots=True)
class Environment:
    """What a peer is installed from: its requirement, and the oldest Python that it runs on."""

    requirement: str
    oldest: tuple[int, int]


ENVIRONMENTS = {
    "pyjobshop": Environment("pyjobshop==0.0.9", (3, 10)),
    "saga": Environment("anrg-saga==2.1.0", (3, 12)),
    "scip": Environment("pyscipopt==6.3.0", (3, 10)),
    "glpk": Environment("swiglpk==5.0.13", (3, 10)),
}
NEWEST = (3, 14)
"""The newest Python that is tried."""


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer's environment, whether or not it is there."""
    folder = Path(os.environ.get("HETOPT_BENCH_ENVS") or ROOT) / peer
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def missing(peer: str) -> str:
    """Say that a peer is not installed, as a full sentence; empty where it is."""
    if _complete(peer).exists() and python_of(peer).exists():
        return ""
    major, minor = ENVIRONMENTS[peer].oldest
    return (
        f"The peer {peer} is not installed; `python -m bench install-peers {peer}` installs "
        f"{ENVIRONMENTS[peer].requirement} (Python {major}.{minor} or newer)."
    )


def install(peer: str, python: str = "") -> str:
    """Make a peer's environment anew; return what went wrong, as full sentences.

    Parameters
    ----------
    peer
        Name of the peer.
    python
        Interpreter to make it with; by default this one, or a newer one on the path.
    """
    wanted = ENVIRONMENTS[peer]
    interpreter = python or _interpreter(wanted.oldest)
    if not interpreter or _version(interpreter) < wanted.oldest:
        major, minor = wanted.oldest
        lacking = f"{python} is none" if python else "none is on the path; name one with --python"
        return f"{wanted.requirement} needs Python {major}.{minor} or newer, and {lacking}."
    folder = python_of(peer).parents[1]
    shutil.rmtree(folder, ignore_errors=True)
    steps = (
        [interpreter, "-m", "venv", str(folder)],
        [str(python_of(peer)), "-m", "pip", "install", "-q", wanted.requirement],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            return f"{wanted.requirement} could not be installed: {' '.join(last)}"
    _complete(peer).write_text(wanted.requirement + "\n", encoding="utf-8")
    print(f"{wanted.requirement} is installed in {folder}.", file=sys.stderr)
    return ""


def _complete(peer: str) -> Path:
    """File that is written when everything is installed."""
    return python_of(peer).parents[1] / "complete"


def _interpreter(oldest: tuple[int, int]) -> str:
    if sys.version_info[:2] >= oldest:
        return sys.executable
    for minor in range(NEWEST[1], oldest[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and _version(found) >= oldest:
            return found
    return ""


def _version(interpreter: str) -> tuple[int, int]:
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return (0, 0)
    major, minor = done.stdout.split()
    return int(major), int(minor)


def ortools_path(number: str) -> Path | None:
    """Return the folder of a version of OR-Tools, fetched if need be; None for the one in use.

    Put on the path of a process, it takes the place of the installed one.
    """
    if number == version("ortools"):
        return None
    path = Path(os.environ.get("HETOPT_BENCH_ENVS") or ROOT) / f"ortools-{number}"
    if not path.exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(path)]
        subprocess.run([*pip, f"ortools=={number}"], check=True)
        metadata = next(path.glob("ortools-*.dist-info/METADATA")).read_text(encoding="utf-8")
        needed = re.search(r"^Requires-Dist: (protobuf\S+)", metadata, re.MULTILINE)
        if needed:
            subprocess.run([*pip, needed[1]], check=True)
    return path
