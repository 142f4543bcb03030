"""Where and with what a figure was measured: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from bench.cases import REPO

PACKAGES = ("ortools", "pulp", "numpy", "scipy", "numba")


@lru_cache(maxsize=1)
def machine() -> str:
    """Describe processor, cores, memory and system."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, "
        f"{platform.system()} {platform.machine()}"
    )


@lru_cache(maxsize=1)
def versions() -> str:
    """List Python and the packages that solve."""
    found = [f"python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the short commit, with ``+`` where the package differs from it; empty without git."""
    head = _git("rev-parse", "--short=10", "HEAD")
    return head + "+" if head and _git("status", "--porcelain", "--", "hetopt") else head


def load() -> float:
    """Load of the machine over the last minute, NaN where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return float("nan")


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(REPO), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (OSError, ValueError):
        return float("nan")
