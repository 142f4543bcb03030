"""Where loops over solves run, as the command line says it: here, in processes, on Ray."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.runtime.executors.processes import ProcessExecutor
    from hetopt.runtime.executors.ray_cluster import RayExecutor


@dataclass(frozen=True, slots=True)
class Loops:
    """How many solves run at a time, and where; None: as the command does by default."""

    jobs: int | None
    ray: str | None

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise InputError([Problem("--jobs", str(self.jobs), "At least 1.")])
        if self.jobs is not None and self.ray is not None:
            text = "Either --jobs (processes here) or --ray (a cluster)."
            raise InputError([Problem("--ray", self.ray, text)])

    def check(self) -> None:
        """Refuse Ray where it is not installed, before anything is solved.

        Raises
        ------
        InputError
            If it is not.
        """
        if self.ray is not None:
            from hetopt.runtime.executors.ray_cluster import load_ray

            load_ray()

    @contextlib.contextmanager
    def running(
        self, workers: int, *, most: int | None = None, default: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Yield what a loop over solves takes: ``stop`` by Ctrl-C, ``report`` and ``executor``.

        Parameters are those of :meth:`executor`.
        """
        from hetopt.report.terminal.progress import line_display
        from hetopt.runtime.interrupt import interruptible

        stop = threading.Event()
        with (
            interruptible(stop),
            line_display() as report,
            self.executor(workers, most=most, default=default) as executor,
        ):
            yield {"stop": stop, "report": report, "executor": executor}

    @contextlib.contextmanager
    def executor(
        self, workers: int, *, most: int | None = None, default: int = 1
    ) -> Iterator[ProcessExecutor | RayExecutor | None]:
        """Yield what runs the loops, and end it; None: they run in this process.

        Parameters
        ----------
        workers
            Threads of each solve.
        most
            Pieces of work that there are, where it is known.
        default
            Jobs where none were asked for.
        """
        jobs = self.jobs or default
        if most is not None:
            jobs = min(jobs, most)
        found: ProcessExecutor | RayExecutor
        if self.ray is not None:
            from hetopt.runtime.executors.ray_cluster import RayExecutor

            found = RayExecutor(self.ray, workers)
        elif jobs > 1:
            from hetopt.runtime.executors.processes import ProcessExecutor

            found = ProcessExecutor(jobs)
        else:
            yield None
            return
        with found:
            try:
                yield found
            except BaseException:
                found.stop_running()
                raise
