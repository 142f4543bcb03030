"""The near side of a worker process: start it, tell it what to do, hear what came of it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hetopt.errors import HetoptError
from hetopt.profiling.measure.places import Place


class WorkerError(HetoptError):
    """What a worker could not do, or that it ended."""


class Unit:
    """A worker process for one unit.

    Parameters
    ----------
    place
        Runtime, device and cores.
    cores
        Cores that the process is pinned to; default: all of the place.
    """

    def __init__(self, place: Place, cores: Sequence[int] | None = None) -> None:
        self.place = place
        self.cores = tuple(cores or place.cores)
        package = Path(__file__).resolve().parents[3]
        path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
        # Threads of libraries beside the runtime would take the cores of other units.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hetopt.profiling.measure.worker",
                ",".join(str(c) for c in self.cores),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )
        self._rest = b""

    def __enter__(self) -> Unit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """Descriptor that answers come from, for ``select``."""
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdout.fileno()

    def tell(self, command: Mapping[str, Any]) -> None:
        """Send a command without waiting."""
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._ended()) from None

    def hear(self) -> list[dict[str, Any]]:
        """Wait for answers, and return those that are there."""
        while b"\n" not in self._rest:
            piece = os.read(self.fileno(), 1 << 16)
            if not piece:
                raise WorkerError(self._ended())
            self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send a command and return its answer.

        Raises
        ------
        WorkerError
            With what the worker says, if it could not.
        """
        self.tell(command)
        (answer,) = self.hear()
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer

    def _ended(self) -> str:
        code = self._process.poll()
        return f"the process of {self.place.name} ended (code {code})"


def ready(units: Sequence[Unit], timeout_s: float | None = None) -> list[Unit]:
    """Return the units that have answers, waiting for one."""
    found, _, _ = select.select(list(units), [], [], timeout_s)
    return found
