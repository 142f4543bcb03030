"""``hetopt compile``: the searches' loops as machine code, once per installation.

Numba compiles a loop when it is first called and keeps the code on disk. That takes ten seconds for
some, which a short time limit does not have; so it is done ahead, by one small question a search.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import OK
from hetopt.cli.options import option
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.instance import Instance

PLACEMENT, SIMULATION = "placement", "simulation"
MANY = 500
"""Tasks from which windows are used."""
LOCK_S = 300.0
"""Age at which the mark of a process that compiles is taken for one of a process that was ended."""
SWITCH = "HETOPT_COMPILE"
"""Environment variable that keeps `compile_beside` from starting anything where it is 0."""


def compile(  # noqa: A001 - the command's name
    only: Annotated[
        list[str] | None, option("SEARCH", "Only this one's, as --method names it; repeat.")
    ] = None,
) -> int:
    """Compile the loops of all searches ahead, once per installation."""
    names = list(dict.fromkeys(name for name, _ in _examples()))
    for name in only or ():
        if name not in names:
            raise InputError([Problem("--only", name, f"One of {', '.join(names)}.")])
    for name, make in _examples():
        if not only or name in only:
            began = time.monotonic()
            _run(name, make)
            typer.echo(f"{name}: {time.monotonic() - began:.1f} s", err=True)
    return OK


def _examples() -> Iterator[tuple[str, Callable[[], Instance] | None]]:
    """Yield names of searches, and what makes a small instance that each of them knows."""
    from hetopt.generate import generate_schedule as graph

    def shop(devices: int = 3, **more: Any) -> Instance:
        made = graph(tasks=30, devices=devices, ccr=0.0, seed=1, **more)
        return made.with_objective("makespan")

    yield "assignment", partial(shop, shape="independent", deadline_factor=None)
    yield "projects", _project
    yield "shop", shop
    yield "shop", partial(shop, devices=1)
    yield "graph", lambda: graph(tasks=45, devices=4, ccr=0.5, seed=1).with_objective("makespan")
    yield "windows", partial(graph, tasks=MANY, devices=3, ccr=0.1, seed=1)
    yield "anneal", partial(graph, tasks=45, devices=4, ccr=0.1, seed=1)
    yield "anneal", partial(graph, tasks=45, devices=4, memory="tight", seed=1)
    yield "peak", lambda: graph(tasks=25, devices=3, seed=1).with_objective("peak_power")
    yield PLACEMENT, None
    yield SIMULATION, None


def _run(name: str, make: Callable[[], Instance] | None) -> None:
    """Ask a small question whose answer takes the loops of a search."""
    from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
    from hetopt.schedule.search.registry import LOCAL_SEARCHES
    from hetopt.simulate import simulate
    from hetopt.solve import solve

    if make is not None:
        example = make()
        plan = CONSTRUCTORS["heft"](example)
        for entry in LOCAL_SEARCHES:
            if entry.name == name and entry.load().fits(example):
                entry.load().improve(example, plan, iterations=1, seed=0)
                return
        raise LookupError(f"The search {name} does not know its example.")
    if name == PLACEMENT:
        # Of few stages plain Python makes a pipeline sooner.
        for streams in (_streams(tasks=16), _streams(tasks=300, contiguous=True)):
            solve(streams, method="heuristic", time_limit=0.5, deterministic=True)
    else:
        simulate(_streams(tasks=1), policies=["greedy"], requests=100_000, bound=False)


def _project() -> Instance:
    """Return tasks that share a resource, least makespan."""
    from hetopt.build import Model

    model = Model("project", objective="makespan")
    machine = model.device("machine", slots=4)
    model.resource("crane", capacity=3)
    job = model.job("job")
    for k in range(25):
        job.task(f"t{k}", options=[machine.option(time=f"{k + 1} s", uses={"crane": 1 + k % 2})])
    return model.build()


def _streams(tasks: int, *, contiguous: bool = False) -> Instance:
    """Return a stream of requests of so many tasks in a row on two kinds of device."""
    from hetopt.build import Model

    model = Model("streams", objective="throughput", routing="single" if tasks > 1 else "split")
    devices = [model.device(name, count=2) for name in ("cpu", "npu")]
    job = model.job("frame", rate="1 /s", contiguous=contiguous)
    made = []
    for k in range(tasks):
        times = [f"{10 + 37 * k * (i + 2) % 23} ms" for i in range(len(devices))]
        options = [d.option(time=taken) for d, taken in zip(devices, times, strict=True)]
        made.append(job.task(f"t{k}", options=options))
    for before, after in pairwise(made):
        model.transfer(before, after, bytes="1 kB")
    for a, b in (devices, devices[::-1]):
        model.link(a, b, bandwidth="1 GB/s")
    return model.build()


def compile_beside(names: list[str]) -> None:
    """Compile loops that had no time in a process of their own, which this one does not wait for.

    One process at a time; it yields to all others.
    """
    mark = Path(tempfile.gettempdir()) / f"hetopt-compile-{os.getuid() if os.name != 'nt' else 0}"
    if not names or os.environ.get(SWITCH) == "0":
        return
    try:
        if mark.exists() and time.time() - mark.stat().st_mtime < LOCK_S:
            return
        mark.touch()
        only = [word for name in dict.fromkeys(names) for word in ("--only", name)]
        subprocess.Popen(
            [sys.executable, "-m", "hetopt.cli.compiling", str(mark), *only],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return


def _beside() -> None:
    """Compile what the arguments name, and take the mark away."""
    mark, only = Path(sys.argv[1]), sys.argv[3::2]
    try:
        if hasattr(os, "nice"):
            os.nice(19)
        compile(only)
    finally:
        mark.unlink(missing_ok=True)


if __name__ == "__main__":
    _beside()
