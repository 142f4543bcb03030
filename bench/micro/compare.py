"""Run the micro-benchmarks on two commits and print the ratios of their least times.

Each commit is checked out beside the repository as a worktree and measured with this tree's
benchmarks and this interpreter's packages. The commits take turns, so that a machine that slows
down favours neither; the least time over all turns counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.cases import REPO

BENCHMARKS = Path(__file__).with_name("bench_hot_paths.py")
NOTABLE = 0.10
"""Relative change from which a line is marked."""


def compare_commits(
    before: str, after: str, keyword: str = "", rounds: int = 2, *, small: bool = False
) -> int:
    """Print a line for each benchmark: least times, and ``after / before``.

    Parameters
    ----------
    before, after
        Commits, as git names them.
    keyword
        Run only the benchmarks that this expression of pytest's ``-k`` chooses.
    rounds
        Turns of each commit.
    small
        Whether to run the smallest sizes only.

    Returns
    -------
    int
        0, or 1 where a benchmark ran on neither or on one commit only.

    Raises
    ------
    ValueError
        If a commit is not known, or nothing ran.
    """
    least: list[dict[str, float]] = [{}, {}]
    with _worktree(before) as first, _worktree(after) as second:
        for turn in range(rounds):
            for k, tree in ((0, first), (1, second)):
                print(f"turn {turn + 1} of {rounds}: {(before, after)[k]}", file=sys.stderr)
                for name, seconds in _measure(tree, keyword, small=small).items():
                    least[k][name] = min(seconds, least[k].get(name, seconds))
    names = list(dict.fromkeys([*least[0], *least[1]]))
    if not names:
        raise ValueError("No benchmark ran on either commit.")
    print(comparison(names, least[0], least[1], before, after))
    return int(any(n not in least[0] or n not in least[1] for n in names))


def comparison(
    names: list[str], before: dict[str, float], after: dict[str, float], first: str, second: str
) -> str:
    """Return the table of least times in ms and ratios."""
    lines = [f"{'benchmark':48} {first[:14]:>14} {second[:14]:>14} {'ratio':>7}"]
    for name in names:
        a, b = before.get(name), after.get(name)
        cells = [f"{v * 1e3:11.3f} ms" if v is not None else f"{'-':>14}" for v in (a, b)]
        ratio = b / a if a and b else None
        mark = ""
        if ratio is not None and abs(ratio - 1) > NOTABLE:
            mark = " slower" if ratio > 1 else " faster"
        shown = f"{ratio:7.2f}" if ratio is not None else f"{'-':>7}"
        lines.append(f"{name:48} {cells[0]:>14} {cells[1]:>14} {shown}{mark}")
    return "\n".join(lines)


@contextlib.contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hetopt-commit-"))
    tree = folder / "tree"
    done = _git("worktree", "add", "--detach", "--force", str(tree), commit)
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise ValueError(f"The commit {commit} cannot be checked out: {done.stderr.strip()}")
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))
        shutil.rmtree(folder, ignore_errors=True)


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(REPO), *arguments], capture_output=True, text=True, check=False
    )


def _measure(tree: Path, keyword: str, *, small: bool) -> dict[str, float]:
    """Run the benchmarks against the package in a tree; return the least seconds by name.

    Raises
    ------
    ValueError
        If the benchmarks did not measure that tree's package.
    """
    benchmarks = tree.parent / BENCHMARKS.name
    shutil.copy(BENCHMARKS, benchmarks)
    result = tree.parent / "result.json"
    result.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": str(tree), "HETOPT_MICRO": "small" if small else ""}
    where = subprocess.run(
        [sys.executable, "-c", "import hetopt; print(hetopt.__file__)"],
        cwd=tree.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if not Path(where).resolve().is_relative_to(tree.resolve()):
        raise ValueError(f"Python takes hetopt from {where}, and not from the commit's own tree.")
    command = [sys.executable, "-m", "pytest", str(benchmarks), "-q", "-c", os.devnull]
    command += [f"--rootdir={tree.parent}", "-p", "no:cacheprovider"]
    command += [f"--benchmark-json={result}", *(["-k", keyword] if keyword else [])]
    done = subprocess.run(
        command, cwd=tree.parent, env=environment, capture_output=True, text=True, check=False
    )
    if not result.exists() or not result.stat().st_size:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
        return {}
    found = json.loads(result.read_text(encoding="utf-8"))["benchmarks"]
    return {entry["name"]: float(entry["stats"]["min"]) for entry in found}
